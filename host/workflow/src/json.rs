//! A JSON value as its text: what steps take and give.
//!
//! Values are kept as text because most are only passed on; a tree of the same value
//! takes several times the memory. Invariant: the text is one valid JSON value.

use std::fmt;
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Nested lists and objects of one value: deeper text is refused by `serde_json` when it is
/// read as a tree.
pub(crate) const DEPTH_MAX: usize = 127;

/// The nesting of valid JSON text, by one pass over its bytes.
pub(crate) fn depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => loop {
                match bytes.next() {
                    Some(b'"') | None => break,
                    Some(b'\\') => {
                        bytes.next();
                    }
                    Some(_) => {}
                }
            },
            _ => {}
        }
    }
    deepest
}

/// One JSON value, shared and immutable.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Json(Arc<str>);

impl Json {
    /// `null`.
    #[must_use]
    pub fn null() -> Self {
        Self(Arc::from("null"))
    }

    /// Checks that `text` is one JSON value (depth at most 127) and keeps it as it is.
    ///
    /// # Errors
    /// The parser's message with line and column.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str::<serde::de::IgnoredAny>(text)?;
        // Skipping a value does not bound its depth as reading it does.
        if depth(text) > DEPTH_MAX {
            return Err(serde_json::Error::custom(format!("nested more than {DEPTH_MAX} deep")));
        }
        Ok(Self(Arc::from(text.trim())))
    }

    /// The text of `value`.
    #[must_use]
    pub fn from_value(value: &serde_json::Value) -> Self {
        Self(Arc::from(value.to_string()))
    }

    /// Takes a text that is known to be valid: one that this program wrote.
    #[must_use]
    pub fn from_trusted(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// Joins `items` to an array.
    #[must_use]
    pub fn array<'a>(items: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut text = String::from("[");
        for item in items {
            if text.len() > 1 {
                text.push(',');
            }
            text.push_str(&item.0);
        }
        text.push(']');
        Self(Arc::from(text))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text's length in bytes.
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        self.0.len()
    }

    /// The value as a tree: costs a parse.
    #[must_use]
    pub fn to_value(&self) -> serde_json::Value {
        // The invariant; were it broken, `null` is what an absent value is.
        serde_json::from_str(&self.0).unwrap_or(serde_json::Value::Null)
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.len() <= 200 {
            f.write_str(&self.0)
        } else {
            write!(f, "<{} bytes of JSON>", self.0.len())
        }
    }
}

/// As a string that holds the text, so that every format can carry it.
impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(D::Error::custom)
    }
}
