//! The functions that expressions may call: CEL's standard ones on JSON's types, and the most
//! used of its strings extension.

use regex::Regex;

use super::evaluate::{Evaluator, Fault, Outcome};
use super::value::{Text, Value};

/// Bytes of a pattern.
const PATTERN_BYTES_MAX: usize = 1 << 10;

/// Bytes of a compiled pattern: bounds the time that compiling takes to about a millisecond.
const PATTERN_COMPILED_BYTES_MAX: usize = 256 << 10;

/// What compiling a pattern while evaluating is charged.
const PATTERN_COST: u64 = 20_000;

/// A function, by what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Size,
    Contains,
    StartsWith,
    EndsWith,
    Matches,
    ToText,
    ToInt,
    ToUint,
    ToDouble,
    ToBool,
    Dyn,
    LowerAscii,
    UpperAscii,
    Trim,
    Split,
    Join,
    Replace,
}

/// How a function is written.
pub(super) struct Signature {
    pub(super) name: &'static str,
    pub(super) function: Function,
    /// `x.f(…)`.
    pub(super) method: bool,
    /// With the receiver, if it is a method.
    pub(super) arguments: std::ops::RangeInclusive<usize>,
}

const fn method(name: &'static str, function: Function, arguments: usize) -> Signature {
    Signature { name, function, method: true, arguments: arguments..=arguments }
}

const fn global(name: &'static str, function: Function, arguments: usize) -> Signature {
    Signature { name, function, method: false, arguments: arguments..=arguments }
}

/// All functions besides the loops and `has`.
pub(super) const SIGNATURES: [Signature; 19] = [
    global("size", Function::Size, 1),
    method("size", Function::Size, 1),
    method("contains", Function::Contains, 2),
    method("startsWith", Function::StartsWith, 2),
    method("endsWith", Function::EndsWith, 2),
    global("matches", Function::Matches, 2),
    method("matches", Function::Matches, 2),
    global("string", Function::ToText, 1),
    global("int", Function::ToInt, 1),
    global("uint", Function::ToUint, 1),
    global("double", Function::ToDouble, 1),
    global("bool", Function::ToBool, 1),
    global("dyn", Function::Dyn, 1),
    method("lowerAscii", Function::LowerAscii, 1),
    method("upperAscii", Function::UpperAscii, 1),
    method("trim", Function::Trim, 1),
    method("split", Function::Split, 2),
    Signature { name: "join", function: Function::Join, method: true, arguments: 1..=2 },
    method("replace", Function::Replace, 3),
];

/// Compiles a pattern in the linear-time engine, bounded.
///
/// # Errors
/// A message.
pub(super) fn compile_pattern(pattern: &str) -> Result<Regex, String> {
    if pattern.len() > PATTERN_BYTES_MAX {
        return Err(format!("the pattern has more than {PATTERN_BYTES_MAX} bytes"));
    }
    regex::RegexBuilder::new(pattern)
        .size_limit(PATTERN_COMPILED_BYTES_MAX)
        .dfa_size_limit(PATTERN_COMPILED_BYTES_MAX)
        .nest_limit(32)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => "the pattern is too large".to_owned(),
            other => {
                let message = other.to_string();
                let last = message.lines().last().unwrap_or_default();
                format!("no pattern: {}", last.trim_start_matches("error: "))
            }
        })
}

impl<'e> Evaluator<'e> {
    pub(super) fn call(&mut self, function: Function, arguments: &[Value<'e>]) -> Outcome<'e> {
        match (function, arguments) {
            (Function::Size, [value]) => self.size(value),
            (Function::Dyn, [value]) => Ok(value.clone()),
            (Function::ToText, [value]) => self.text_of(value),
            (Function::ToInt, [value]) => to_int(value),
            (Function::ToUint, [value]) => to_uint(value),
            (Function::ToDouble, [value]) => to_double(value),
            (Function::ToBool, [value]) => to_bool(value),
            (Function::Join, [Value::List(list), rest @ ..]) => {
                let separator = match rest {
                    [] => "",
                    [Value::Text(text), ..] => text.as_str(),
                    [other, ..] => return Err(wants_text("join", other)),
                };
                let mut joined = String::new();
                for (position, item) in list.iter().enumerate() {
                    let Value::Text(item) = &item else { return Err(wants_text("join", &item)) };
                    let separator = if position > 0 { separator } else { "" };
                    self.build(item.as_str().len() + separator.len())?;
                    self.work(1)?;
                    joined.push_str(separator);
                    joined.push_str(item.as_str());
                }
                Ok(Value::text(joined))
            }
            (_, [Value::Text(text)]) => self.change(function, text),
            (_, [Value::Text(text), Value::Text(argument)]) => {
                self.search(function, text, argument.as_str())
            }
            (Function::Replace, [Value::Text(text), Value::Text(old), Value::Text(new)]) => {
                let (text, old, new) = (text.as_str(), old.as_str(), new.as_str());
                self.work(text.len() as u64 / 8)?;
                let times = text.matches(old).count();
                self.build(text.len() + times.saturating_mul(new.len()))?;
                Ok(Value::text(text.replace(old, new)))
            }
            _ => {
                let kinds: Vec<_> = arguments.iter().map(Value::kind).collect();
                let name = name_of(function);
                Err(Fault::Failed(format!("`{name}` cannot work on {}", kinds.join(" and "))))
            }
        }
    }

    fn size(&mut self, value: &Value<'e>) -> Outcome<'e> {
        let size = match value {
            Value::Text(text) => {
                self.work(text.as_str().len() as u64 / 64)?;
                text.as_str().chars().count()
            }
            Value::List(list) => list.len(),
            Value::Map(map) => map.len(),
            other => return Err(Fault::Failed(format!("{} has no size", other.kind()))),
        };
        Ok(Value::Int(i64::try_from(size).unwrap_or(i64::MAX)))
    }

    fn change(&mut self, function: Function, text: &Text<'e>) -> Outcome<'e> {
        let text = text.as_str();
        self.build(text.len())?;
        match function {
            Function::LowerAscii => Ok(Value::text(text.to_ascii_lowercase())),
            Function::UpperAscii => Ok(Value::text(text.to_ascii_uppercase())),
            Function::Trim => Ok(Value::text(text.trim().to_owned())),
            other => Err(Fault::Failed(format!("`{}` cannot work on text", name_of(other)))),
        }
    }

    fn search(&mut self, function: Function, text: &Text<'e>, argument: &str) -> Outcome<'e> {
        let source = text.as_str();
        self.work((source.len() + argument.len()) as u64 / 16)?;
        match function {
            Function::Contains => Ok(Value::Bool(source.contains(argument))),
            Function::StartsWith => Ok(Value::Bool(source.starts_with(argument))),
            Function::EndsWith => Ok(Value::Bool(source.ends_with(argument))),
            Function::Matches => {
                self.work(PATTERN_COST)?;
                let pattern = compile_pattern(argument).map_err(Fault::Failed)?;
                self.matches(&Value::Text(text.clone()), &pattern)
            }
            Function::Split => {
                let parts = if argument.is_empty() {
                    source.chars().count()
                } else {
                    source.matches(argument).count() + 1
                };
                self.work(parts as u64)?;
                // Each part is a value and an allocation of its own.
                self.build(source.len() + parts * 2 * std::mem::size_of::<Value<'_>>())?;
                Ok(Value::list(if argument.is_empty() {
                    source.chars().map(|c| Value::text(c.to_string())).collect()
                } else {
                    source.split(argument).map(|part| Value::text(part.to_owned())).collect()
                }))
            }
            other => Err(Fault::Failed(format!("`{}` cannot work on text", name_of(other)))),
        }
    }

    pub(super) fn matches(&mut self, text: &Value<'e>, pattern: &Regex) -> Outcome<'e> {
        let Value::Text(text) = text else { return Err(wants_text("matches", text)) };
        // The engine is linear in the text, but slower than a search.
        self.work(text.as_str().len() as u64)?;
        Ok(Value::Bool(pattern.is_match(text.as_str())))
    }

    fn text_of(&self, value: &Value<'e>) -> Outcome<'e> {
        match value {
            Value::Text(_) => Ok(value.clone()),
            Value::Bool(value) => Ok(Value::text(value.to_string())),
            Value::Int(value) => Ok(Value::text(value.to_string())),
            Value::Uint(value) => Ok(Value::text(value.to_string())),
            Value::Double(value) => Ok(Value::text(value.to_string())),
            Value::Null | Value::List(_) | Value::Map(_) => {
                Err(Fault::Failed(format!("{} cannot be made text", value.kind())))
            }
        }
    }
}

fn to_int<'e>(value: &Value<'e>) -> Outcome<'e> {
    let converted = match value {
        Value::Double(value) => whole_of(*value).and_then(|whole| i64::try_from(whole).ok()),
        Value::Text(text) => text.as_str().parse().ok(),
        other => other.as_whole().and_then(|whole| i64::try_from(whole).ok()),
    };
    converted.map(Value::Int).ok_or_else(|| no_number(value, "a whole number"))
}

fn to_uint<'e>(value: &Value<'e>) -> Outcome<'e> {
    let converted = match value {
        Value::Double(value) => whole_of(*value).and_then(|whole| u64::try_from(whole).ok()),
        Value::Text(text) => text.as_str().parse().ok(),
        other => other.as_whole().and_then(|whole| u64::try_from(whole).ok()),
    };
    converted.map(Value::Uint).ok_or_else(|| no_number(value, "a whole number from 0"))
}

#[expect(clippy::cast_possible_truncation, reason = "the range is checked before")]
fn whole_of(value: f64) -> Option<i128> {
    (value.abs() < 1e20).then_some(value.trunc() as i128)
}

fn to_double<'e>(value: &Value<'e>) -> Outcome<'e> {
    let converted = match value {
        Value::Text(text) => text.as_str().parse().ok(),
        other => other.as_double(),
    };
    converted.map(Value::Double).ok_or_else(|| no_number(value, "a number"))
}

fn to_bool<'e>(value: &Value<'e>) -> Outcome<'e> {
    match value {
        Value::Bool(value) => Ok(Value::Bool(*value)),
        Value::Text(text) => match text.as_str() {
            "1" | "t" | "true" | "TRUE" | "True" => Ok(Value::Bool(true)),
            "0" | "f" | "false" | "FALSE" | "False" => Ok(Value::Bool(false)),
            _ => Err(no_number(value, "true or false")),
        },
        other => Err(no_number(other, "true or false")),
    }
}

fn no_number(value: &Value<'_>, wanted: &str) -> Fault {
    Fault::Failed(match value {
        Value::Text(text) => {
            format!("`{}` is not {wanted}", super::access::quoted(text.as_str()))
        }
        Value::Int(_) | Value::Uint(_) | Value::Double(_) => {
            format!("the number does not fit into {wanted}")
        }
        other => format!("{} cannot be made {wanted}", other.kind()),
    })
}

fn wants_text(function: &str, value: &Value<'_>) -> Fault {
    Fault::Failed(format!("`{function}` works on text, not on {}", value.kind()))
}

fn name_of(function: Function) -> &'static str {
    SIGNATURES.iter().find(|s| s.function == function).map_or("?", |signature| signature.name)
}
