//! Values while an expression is evaluated: borrowed from the JSON trees wherever possible.

use std::cmp::Ordering;
use std::rc::Rc;

use serde_json::Value as Tree;

use super::RESULT_BYTES_MAX;

/// A CEL value; lists and maps keep the order of the text.
#[derive(Debug, Clone)]
pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Text(Text<'a>),
    List(List<'a>),
    Map(Map<'a>),
}

#[derive(Debug, Clone)]
pub(super) enum Text<'a> {
    Borrowed(&'a str),
    Built(Rc<str>),
}

#[derive(Debug, Clone)]
pub(super) enum List<'a> {
    Borrowed(&'a [Tree]),
    Built(Rc<Vec<Value<'a>>>),
}

#[derive(Debug, Clone)]
pub(super) enum Map<'a> {
    Borrowed(&'a serde_json::Map<String, Tree>),
    /// From a literal of at most 4 KiB, so that a search is short.
    Built(Rc<Vec<(Text<'a>, Value<'a>)>>),
}

impl<'a> Value<'a> {
    pub(super) fn of(tree: &'a Tree) -> Self {
        match tree {
            Tree::Null => Self::Null,
            Tree::Bool(value) => Self::Bool(*value),
            Tree::Number(number) => Self::of_number(number),
            Tree::String(text) => Self::Text(Text::Borrowed(text)),
            Tree::Array(items) => Self::List(List::Borrowed(items)),
            Tree::Object(entries) => Self::Map(Map::Borrowed(entries)),
        }
    }

    fn of_number(number: &serde_json::Number) -> Self {
        if let Some(value) = number.as_i64() {
            Self::Int(value)
        } else if let Some(value) = number.as_u64() {
            Self::Uint(value)
        } else {
            // Always a value: JSON's numbers are finite.
            Self::Double(number.as_f64().unwrap_or(f64::NAN))
        }
    }

    pub(super) fn text(text: String) -> Self {
        Self::Text(Text::Built(text.into()))
    }

    pub(super) fn list(items: Vec<Self>) -> Self {
        Self::List(List::Built(Rc::new(items)))
    }

    /// "a list", for messages.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "true or false",
            Self::Int(_) | Self::Uint(_) | Self::Double(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "an object",
        }
    }

    /// Appends JSON text.
    ///
    /// # Errors
    /// A message: a number that JSON does not have, or too much text.
    pub(super) fn write(&self, out: &mut String) -> Result<(), String> {
        if out.len() > RESULT_BYTES_MAX {
            return Err(format!("the result has more than {RESULT_BYTES_MAX} bytes"));
        }
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Int(value) => out.push_str(&value.to_string()),
            Self::Uint(value) => out.push_str(&value.to_string()),
            Self::Double(value) => match serde_json::Number::from_f64(*value) {
                Some(number) => out.push_str(&number.to_string()),
                None => return Err(format!("the result is {value}, which JSON does not have")),
            },
            Self::Text(text) => write_text(text.as_str(), out),
            Self::List(list) => {
                out.push('[');
                for (position, item) in list.iter().enumerate() {
                    if position > 0 {
                        out.push(',');
                    }
                    item.write(out)?;
                }
                out.push(']');
            }
            Self::Map(map) => {
                out.push('{');
                for (position, (key, value)) in map.iter().enumerate() {
                    if position > 0 {
                        out.push(',');
                    }
                    write_text(key.as_str(), out);
                    out.push(':');
                    value.write(out)?;
                }
                out.push('}');
            }
        }
        Ok(())
    }

    /// `==`: numbers by value, lists and maps by their parts, anything else of two kinds is
    /// unequal. `work` is asked for every pair that is compared.
    ///
    /// # Errors
    /// The error of `work`.
    pub(super) fn equals<E>(
        &self,
        other: &Self,
        work: &mut impl FnMut(u64) -> Result<(), E>,
    ) -> Result<bool, E> {
        work(1)?;
        match (self, other) {
            (Self::Null, Self::Null) => Ok(true),
            (Self::Bool(a), Self::Bool(b)) => Ok(a == b),
            (Self::Text(a), Self::Text(b)) => {
                work(a.as_str().len() as u64 / 64)?;
                Ok(a.as_str() == b.as_str())
            }
            (Self::List(a), Self::List(b)) => {
                if a.len() != b.len() {
                    return Ok(false);
                }
                for (a, b) in a.iter().zip(b.iter()) {
                    if !a.equals(&b, work)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            (Self::Map(a), Self::Map(b)) => {
                if a.len() != b.len() {
                    return Ok(false);
                }
                for (key, value) in a.iter() {
                    let Some(other) = b.get(key.as_str()) else { return Ok(false) };
                    if !value.equals(&other, work)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            _ => Ok(self.compare_numbers(other) == Some(Ordering::Equal)),
        }
    }

    /// The order of numbers, texts and booleans; `None` of anything else.
    pub(super) fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => Some(a.cmp(b)),
            (Self::Text(a), Self::Text(b)) => Some(a.as_str().cmp(b.as_str())),
            _ => self.compare_numbers(other),
        }
    }

    fn compare_numbers(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Double(a), Self::Double(b)) => a.partial_cmp(b),
            (Self::Double(a), b) => Some(compare_exactly(b.as_whole()?, *a)?.reverse()),
            (a, Self::Double(b)) => compare_exactly(a.as_whole()?, *b),
            (a, b) => Some(a.as_whole()?.cmp(&b.as_whole()?)),
        }
    }

    /// A whole number, signed or not.
    pub(super) const fn as_whole(&self) -> Option<i128> {
        match self {
            Self::Int(value) => Some(*value as i128),
            Self::Uint(value) => Some(*value as i128),
            Self::Null
            | Self::Bool(_)
            | Self::Double(_)
            | Self::Text(_)
            | Self::List(_)
            | Self::Map(_) => None,
        }
    }

    /// Any number, with a double's precision.
    #[expect(clippy::cast_precision_loss, reason = "a double is what is asked for")]
    pub(super) const fn as_double(&self) -> Option<f64> {
        match self {
            Self::Int(value) => Some(*value as f64),
            Self::Uint(value) => Some(*value as f64),
            Self::Double(value) => Some(*value),
            Self::Null | Self::Bool(_) | Self::Text(_) | Self::List(_) | Self::Map(_) => None,
        }
    }
}

/// The order of a whole number of at most 64 bits and a double, without rounding either.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked before")]
fn compare_exactly(whole: i128, double: f64) -> Option<Ordering> {
    if double.is_nan() {
        return None;
    }
    // Beyond all 64-bit numbers, signed or not.
    if double >= 18_446_744_073_709_551_616.0 {
        return Some(Ordering::Less);
    }
    if double < -9_223_372_036_854_775_808.0 {
        return Some(Ordering::Greater);
    }
    let floor = double.floor();
    Some(whole.cmp(&(floor as i128)).then(if double > floor {
        Ordering::Less
    } else {
        Ordering::Equal
    }))
}

fn write_text(text: &str, out: &mut String) {
    out.push_str(&serde_json::Value::from(text).to_string());
}

impl<'a> Text<'a> {
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Built(text) => text,
        }
    }
}

impl<'a> List<'a> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Borrowed(items) => items.len(),
            Self::Built(items) => items.len(),
        }
    }

    pub(super) fn get(&self, index: usize) -> Option<Value<'a>> {
        match self {
            Self::Borrowed(items) => items.get(index).map(Value::of),
            Self::Built(items) => items.get(index).cloned(),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Value<'a>> + '_ {
        (0..self.len()).filter_map(|index| self.get(index))
    }
}

impl<'a> Map<'a> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Borrowed(entries) => entries.len(),
            Self::Built(entries) => entries.len(),
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<Value<'a>> {
        match self {
            Self::Borrowed(entries) => entries.get(key).map(Value::of),
            Self::Built(entries) => {
                entries.iter().find(|(k, _)| k.as_str() == key).map(|(_, value)| value.clone())
            }
        }
    }

    pub(super) fn iter(&self) -> Box<dyn Iterator<Item = (Text<'a>, Value<'a>)> + '_> {
        match self {
            Self::Borrowed(entries) => Box::new(
                entries.iter().map(|(key, value)| (Text::Borrowed(key.as_str()), Value::of(value))),
            ),
            Self::Built(entries) => Box::new(entries.iter().cloned()),
        }
    }
}
