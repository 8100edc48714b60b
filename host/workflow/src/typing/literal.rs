//! The type of one value.

use std::sync::Arc;

use serde_json::Value;

use super::{Field, Lists, Numbers, Objects, Presence, Rest, Sure, Texts, Type};

impl Type {
    /// Exactly this value.
    pub(crate) fn of_value(value: &Value) -> Self {
        match value {
            Value::Null => Self::null(),
            Value::Bool(value) => Self::this_bool(*value),
            Value::Number(number) => Self::this_number(number.as_f64().unwrap_or(f64::NAN)),
            Value::String(text) => Self::this_text(text),
            Value::Array(items) => Self::these(items.iter().map(Self::of_value).collect()),
            Value::Object(entries) => {
                let entries = entries.iter();
                Self::with_fields(
                    entries.map(|(name, value)| (name.as_str().into(), Self::of_value(value))),
                )
            }
        }
    }

    pub(crate) fn this_number(value: f64) -> Self {
        if !value.is_finite() {
            return Self::number(Numbers::any(Sure::Some));
        }
        // Larger whole numbers are rounded on their way here, so that bounds are not sharp.
        let whole = value.fract() == 0.0;
        let sure = if value.abs() < 9_007_199_254_740_992.0 { Sure::Exactly } else { Sure::Some };
        Self::number(Numbers { whole, low: value, high: value, ..Numbers::any(sure) })
    }

    pub(crate) fn this_text(text: &str) -> Self {
        let length = text.chars().count() as u64;
        let choices = Some(Arc::new([Arc::from(text)].into()));
        Self::text(Texts { choices, min: length, max: length, sure: Sure::Exactly })
    }

    /// A list of exactly these.
    pub(crate) fn these(items: Vec<Self>) -> Self {
        let length = items.len() as u64;
        Self::list(Lists {
            first: items,
            item: Self::never(),
            min: length,
            max: length,
            sure: Sure::Exactly,
        })
    }

    /// An object of exactly these fields.
    pub(crate) fn with_fields(fields: impl IntoIterator<Item = (Arc<str>, Self)>) -> Self {
        let mut fields: Vec<Field> = fields
            .into_iter()
            .map(|(name, value)| Field { name, value, presence: Presence::Required })
            .collect();
        fields.sort_by(|a, b| a.name.cmp(&b.name));
        fields.dedup_by(|a, b| a.name == b.name);
        Self::object(Objects { fields, rest: Rest::Closed, sure: Sure::Exactly })
    }
}
