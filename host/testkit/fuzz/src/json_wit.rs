//! JSON ↔ WIT, by the contract that DESIGN.md states, for every type of value.
//!
//! Any text is refused, with a message, or read; what is read is written as JSON that gives the
//! same value again. What is made by the contract is never refused. What is read is also taken by
//! the JSON Schema that `check` and `inspect` hold it against.

use std::sync::LazyLock;

use serde_json::Value;
use wfhost_plugin::facts;
use wfhost_plugin::typed::fuzzing::{Types, component};
use wfhost_workflow::{Json, Schema};

use crate::given::Given;

/// A type, as WIT writes it and as JSON carries it.
#[derive(Debug)]
enum Type {
    Bool,
    /// Bits, and whether it has a sign.
    Integer(u32, bool),
    Float(u32),
    Char,
    Text,
    List(Box<Self>),
    Fixed(Box<Self>, usize),
    Map(Box<Self>, Box<Self>),
    Tuple(Vec<Self>),
    Optional(Box<Self>),
    Outcome(Option<Box<Self>>, Option<Box<Self>>),
    Record(Vec<(&'static str, Self)>),
    Variant(Vec<(&'static str, Option<Self>)>),
    Enum(&'static [&'static str]),
    Flags(&'static [&'static str]),
}

use Type::{Bool, Char, Enum, Fixed, Flags, Float, Integer, Map, Outcome, Record, Text, Variant};

fn list(item: Type) -> Type {
    Type::List(Box::new(item))
}

fn optional(inner: Type) -> Type {
    Type::Optional(Box::new(inner))
}

fn some(inner: Type) -> Option<Box<Type>> {
    Some(Box::new(inner))
}

/// The parameter of each function.
fn parameters() -> Vec<Type> {
    let wide: Vec<(&'static str, Type)> = vec![
        ("a", Bool),
        ("b-c", Integer(8, false)),
        ("d", optional(Text)),
        ("e", list(Integer(8, false))),
        ("f", Float(32)),
    ];
    let shape = || {
        Variant(vec![
            ("none", None),
            ("some", Some(Text)),
            ("many", Some(list(Integer(64, false)))),
            ("maybe", Some(optional(Integer(8, true)))),
        ])
    };
    vec![
        Bool,
        Integer(8, true),
        Integer(8, false),
        Integer(16, true),
        Integer(16, false),
        Integer(32, true),
        Integer(32, false),
        Integer(64, true),
        Integer(64, false),
        Float(32),
        Float(64),
        Char,
        Text,
        list(Integer(8, false)),
        list(Text),
        list(list(Float(64))),
        Type::Tuple(vec![Bool, Text, Integer(64, true)]),
        optional(Text),
        optional(optional(Integer(32, false))),
        optional(optional(optional(Text))),
        Outcome(None, None),
        Outcome(some(Text), some(Integer(32, true))),
        Outcome(some(optional(Bool)), None),
        Outcome(None, some(shape())),
        Record(wide),
        shape(),
        Enum(&["red", "green", "dark-blue"]),
        Flags(&["read", "write", "x"]),
        Map(Box::new(Text), Box::new(Integer(32, false))),
        Fixed(Box::new(Integer(16, false)), 3),
        list(Record(vec![("k", Char), ("v", optional(shape())), ("w", Outcome(None, None))])),
        list(Type::Tuple(vec![Flags(&["a"]), Enum(&["b"]), optional(list(Integer(8, false)))])),
    ]
}

/// Writes types to WIT; those that need a name are declared first.
#[derive(Default)]
struct Document {
    declared: String,
    names: usize,
}

impl Document {
    fn declare(&mut self, kind: &str, body: &str) -> String {
        let name = format!("t{}", self.names);
        self.names += 1;
        self.declared.push_str(&format!("  {kind} {name} {{ {body} }}\n"));
        name
    }

    fn of(&mut self, ty: &Type) -> String {
        match ty {
            Bool => "bool".to_owned(),
            Integer(bits, signed) => format!("{}{bits}", if *signed { 's' } else { 'u' }),
            Float(bits) => format!("f{bits}"),
            Char => "char".to_owned(),
            Text => "string".to_owned(),
            Type::List(item) => format!("list<{}>", self.of(item)),
            Fixed(item, len) => format!("list<{}, {len}>", self.of(item)),
            Map(key, value) => format!("map<{}, {}>", self.of(key), self.of(value)),
            Type::Tuple(items) => {
                let items: Vec<String> = items.iter().map(|item| self.of(item)).collect();
                format!("tuple<{}>", items.join(", "))
            }
            Type::Optional(inner) => format!("option<{}>", self.of(inner)),
            Outcome(None, None) => "result".to_owned(),
            Outcome(Some(ok), None) => format!("result<{}>", self.of(ok)),
            Outcome(None, Some(err)) => format!("result<_, {}>", self.of(err)),
            Outcome(Some(ok), Some(err)) => format!("result<{}, {}>", self.of(ok), self.of(err)),
            Record(fields) => {
                let field = |(name, ty): &(_, Type)| format!("{name}: {}", self.of(ty));
                let fields: Vec<String> = fields.iter().map(field).collect();
                self.declare("record", &fields.join(", "))
            }
            Variant(cases) => {
                let case = |(name, payload): &(&str, Option<Type>)| match payload {
                    Some(ty) => format!("{name}({})", self.of(ty)),
                    None => (*name).to_owned(),
                };
                let cases: Vec<String> = cases.iter().map(case).collect();
                self.declare("variant", &cases.join(", "))
            }
            Enum(names) => self.declare("enum", &names.join(", ")),
            Flags(names) => self.declare("flags", &names.join(", ")),
        }
    }
}

/// The functions `f0(v: …)`, `f1(v: …)`, … in an interface.
fn wit(parameters: &[Type]) -> String {
    let mut document = Document::default();
    let functions: String = parameters
        .iter()
        .enumerate()
        .map(|(position, ty)| format!("  f{position:02}: func(v: {});\n", document.of(ty)))
        .collect();
    format!(
        "package fuzz:types;\ninterface types {{\n{}{functions}}}\nworld w {{ export types; }}\n",
        document.declared
    )
}

struct Prepared {
    parameters: Vec<Type>,
    types: Types,
    /// Of each function's input; `None` where a workflow cannot call it.
    schemas: Vec<Option<Schema>>,
}

static PREPARED: LazyLock<Prepared> = LazyLock::new(|| {
    let parameters = parameters();
    let wit = wit(&parameters);
    let component = component(&wit).unwrap_or_else(|error| panic!("{error}\n{wit}"));
    let types = Types::of(&component).unwrap_or_else(|error| panic!("{error}\n{wit}"));
    assert_eq!(types.len(), parameters.len(), "JSON carries every one of them");
    Prepared { schemas: schemas(&component, parameters.len()), parameters, types }
});

fn schemas(component: &[u8], count: usize) -> Vec<Option<Schema>> {
    let facts = facts::of(component).expect("it is a component");
    let of_function = |position| {
        let name = format!("fuzz:types/types#f{position:02}");
        let function = facts.function(&name).expect("it is exported");
        let callable = function.refused.is_none();
        callable.then(|| Schema::compile(&function.input_schema).expect("a schema"))
    };
    (0..count).map(of_function).collect()
}

/// The first byte chooses the function; of 255 in the second, the rest makes a value by the
/// contract, and is the text otherwise.
pub(crate) fn run(bytes: &[u8]) {
    let Some((&first, rest)) = bytes.split_first() else { return };
    let Prepared { parameters, types, schemas } = &*PREPARED;
    let function = usize::from(first) % parameters.len();
    match rest.split_first() {
        Some((255, rest)) => {
            let argument = json(&mut Given::new(rest), &parameters[function]);
            let text = format!("{{\"v\":{argument}}}");
            let read = types.round_trip(function, &text);
            assert!(read.is_ok(), "{:?} refuses {text}: {read:?}", parameters[function]);
            let written = read.unwrap_or_default();
            fits(schemas[function].as_ref(), &text);
            fits(schemas[function].as_ref(), &written);
        }
        _ => any_text(types, function, &String::from_utf8_lossy(rest)),
    }
}

/// A schema that refuses what can be read would make `check` refuse what works.
fn fits(schema: Option<&Schema>, text: &str) {
    // A step's input is JSON whenever it comes here; of other text only that it does no harm.
    let Ok(json) = Json::parse(text) else { return };
    let verdict = schema.map_or(Ok(()), |schema| schema.check(&json));
    assert!(verdict.is_ok(), "the schema refuses {text}: {verdict:?}: {schema:?}");
}

fn any_text(types: &Types, function: usize, text: &str) {
    match types.round_trip(function, text) {
        Ok(written) => {
            fits(PREPARED.schemas[function].as_ref(), text);
            let json: Result<Value, _> = serde_json::from_str(&written);
            assert!(json.is_ok(), "{text} is written as {written}: {json:?}");
        }
        Err(message) => {
            assert!(message.len() < 4 << 10, "a message of {} bytes", message.len());
        }
    }
}

/// JSON that the contract takes for the type: as text, so that numbers keep their digits.
fn json(given: &mut Given<'_>, ty: &Type) -> String {
    match ty {
        Bool => (given.byte() & 1 == 1).to_string(),
        Integer(bits, signed) => integer(given, *bits, *signed),
        Float(bits) => float(given, *bits),
        Char => text(&char_of(given).to_string()),
        Text => text(&given.text(20)),
        Type::List(item) if matches!(**item, Integer(8, false)) && given.byte() & 1 == 1 => {
            let count = given.below(20);
            text(&base64(given.bytes(count)))
        }
        Type::List(item) => {
            let count = given.count(12);
            joined('[', &(0..count).map(|_| json(given, item)).collect::<Vec<_>>(), ']')
        }
        Fixed(item, len) => {
            joined('[', &(0..*len).map(|_| json(given, item)).collect::<Vec<_>>(), ']')
        }
        Map(key, value) => {
            let pair = |_| format!("[{},{}]", json(given, key), json(given, value));
            let count = 6;
            joined('[', &(0..count).map(pair).collect::<Vec<_>>(), ']')
        }
        Type::Tuple(items) => {
            joined('[', &items.iter().map(|item| json(given, item)).collect::<Vec<_>>(), ']')
        }
        Type::Optional(_) if given.once_in(3) => "null".to_owned(),
        Type::Optional(inner) if matches!(**inner, Type::Optional(_)) => {
            format!("{{\"some\":{}}}", json(given, inner))
        }
        Type::Optional(inner) => json(given, inner),
        Outcome(ok, err) => {
            let (name, payload) = if given.byte() & 1 == 0 { ("ok", ok) } else { ("err", err) };
            case(given, name, payload.as_deref())
        }
        Record(fields) => record(given, fields),
        Variant(cases) => {
            let (name, payload) = &cases[given.below(cases.len())];
            case(given, name, payload.as_ref())
        }
        Enum(names) => text(given.one_of(names)),
        Flags(names) => {
            let set = names.iter().filter(|_| given.byte() & 1 == 1).map(|name| text(name));
            joined('[', &set.collect::<Vec<_>>(), ']')
        }
    }
}

fn joined(open: char, parts: &[String], close: char) -> String {
    format!("{open}{}{close}", parts.join(","))
}

/// A JSON string; letters are escaped now and then by whoever wrote it, here never.
fn text(text: &str) -> String {
    Value::from(text).to_string()
}

fn case(given: &mut Given<'_>, name: &str, payload: Option<&Type>) -> String {
    match payload {
        Some(ty) => format!("{{{}:{}}}", text(name), json(given, ty)),
        None => text(name),
    }
}

/// In any order; what may be `null` may be absent.
fn record(given: &mut Given<'_>, fields: &[(&'static str, Type)]) -> String {
    let mut parts = Vec::new();
    for (name, ty) in fields {
        if matches!(ty, Type::Optional(_)) && given.once_in(4) {
            continue;
        }
        let part = format!("{}:{}", text(name), json(given, ty));
        let place = given.below(parts.len() + 1);
        parts.insert(place, part);
    }
    joined('{', &parts, '}')
}

fn char_of(given: &mut Given<'_>) -> char {
    const ODD: [char; 8] = ['\0', '"', '\\', '\u{7f}', '\u{d7ff}', '\u{e000}', '\u{10ffff}', 'ß'];
    if given.byte() & 1 == 0 {
        return given.one_of(&ODD);
    }
    char::from_u32(given.number() as u32 % 0x11_0000).unwrap_or('?')
}

fn integer(given: &mut Given<'_>, bits: u32, signed: bool) -> String {
    let number = given.number();
    let digits = match signed {
        true => ((number << (64 - bits)) as i64 >> (64 - bits)).to_string(),
        false => (number & (u64::MAX >> (64 - bits))).to_string(),
    };
    match given.below(8) {
        // 64 bits are more than many programs' numbers hold.
        6 if bits == 64 => text(&digits),
        7 if digits.len() < 15 => format!("{digits}.0"),
        _ => digits,
    }
}

fn float(given: &mut Given<'_>, bits: u32) -> String {
    let float = given.float();
    let float = if bits == 32 { f64::from(float as f32) } else { float };
    if float.is_nan() {
        text("NaN")
    } else if float.is_infinite() {
        text(if float > 0.0 { "inf" } else { "-inf" })
    } else if given.byte() & 1 == 0 {
        format!("{float:e}")
    } else {
        format!("{float}")
    }
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let number = three.iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
        let number = number << (8 * (3 - three.len()));
        for position in 0..4 {
            let letter = number >> (18 - 6 * position) & 63;
            let is_there = position <= three.len();
            text.push(if is_there { char::from(LETTERS[letter as usize]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_base64() {
        assert_eq!(base64(b""), "");
        assert_eq!(base64(b"f"), "Zg==");
        assert_eq!(base64(b"fo"), "Zm8=");
        assert_eq!(base64(b"foobar"), "Zm9vYmFy");
    }
}
