//! Values to JSON, by the type.

use std::fmt::Write as _;

use wasmtime::component::Val;

use super::base64;
use super::value_type::{Fields, ValueType};

/// Why a value has no JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unwritten {
    /// The text would be over its bound.
    #[error("the text is over its bound")]
    TooLarge,
    /// The value is not of the type: the engine never hands out such a one.
    #[error("the value is not of its type")]
    OtherType,
}

/// The text of `value`, of at most `max` bytes.
pub(crate) fn json(value: &Val, ty: &ValueType, max: usize) -> Result<String, Unwritten> {
    let mut encoder = Encoder { text: String::new(), max };
    encoder.value(value, ty)?;
    Ok(encoder.text)
}

/// The arguments of a function as one object.
pub(crate) fn arguments(values: &[Val], fields: &Fields, max: usize) -> Result<String, Unwritten> {
    if values.len() != fields.types.len() {
        return Err(Unwritten::OtherType);
    }
    let mut encoder = Encoder { text: String::new(), max };
    encoder.object(fields.names.list().iter().zip(values).zip(&fields.types))?;
    Ok(encoder.text)
}

struct Encoder {
    text: String,
    max: usize,
}

impl Encoder {
    fn push(&mut self, text: &str) -> Result<(), Unwritten> {
        if text.len() > self.max.saturating_sub(self.text.len()) {
            return Err(Unwritten::TooLarge);
        }
        self.text.push_str(text);
        Ok(())
    }

    fn shown(&mut self, number: impl std::fmt::Display) -> Result<(), Unwritten> {
        // Writing to a string does not fail.
        let _written = write!(self.text, "{number}");
        self.bounded()
    }

    fn bounded(&self) -> Result<(), Unwritten> {
        if self.text.len() > self.max { Err(Unwritten::TooLarge) } else { Ok(()) }
    }

    fn string(&mut self, text: &str) -> Result<(), Unwritten> {
        let escaped = |byte| byte < 0x20 || matches!(byte, b'"' | b'\\');
        if text.bytes().any(escaped) {
            let quoted = serde_json::to_string(text).map_err(|_never| Unwritten::OtherType)?;
            return self.push(&quoted);
        }
        self.push("\"")?;
        self.push(text)?;
        self.push("\"")
    }

    fn value(&mut self, value: &Val, ty: &ValueType) -> Result<(), Unwritten> {
        match (ty, value) {
            (ValueType::Bool, Val::Bool(value)) => self.shown(value),
            (ValueType::S8, Val::S8(value)) => self.shown(value),
            (ValueType::U8, Val::U8(value)) => self.shown(value),
            (ValueType::S16, Val::S16(value)) => self.shown(value),
            (ValueType::U16, Val::U16(value)) => self.shown(value),
            (ValueType::S32, Val::S32(value)) => self.shown(value),
            (ValueType::U32, Val::U32(value)) => self.shown(value),
            (ValueType::S64, Val::S64(value)) => self.shown(value),
            (ValueType::U64, Val::U64(value)) => self.shown(value),
            (ValueType::F32, Val::Float32(value)) if value.is_finite() => self.float(*value),
            (ValueType::F64, Val::Float64(value)) if value.is_finite() => self.float(*value),
            (ValueType::F32, Val::Float32(value)) => self.special(f64::from(*value)),
            (ValueType::F64, Val::Float64(value)) => self.special(*value),
            (ValueType::Char, Val::Char(value)) => self.string(value.encode_utf8(&mut [0; 4])),
            (ValueType::String, Val::String(value)) => self.string(value),
            (ValueType::Enum(_), Val::Enum(name)) => self.string(name),
            _ => self.compound(value, ty),
        }
    }

    fn compound(&mut self, value: &Val, ty: &ValueType) -> Result<(), Unwritten> {
        match (ty, value) {
            (ValueType::Bytes, Val::List(items)) => self.base64(items),
            (ValueType::List(item), Val::List(items)) => {
                self.array(items, |encoder, value| encoder.value(value, item))
            }
            (ValueType::FixedList(item, len), Val::FixedLengthList(items))
                if items.len() == *len =>
            {
                self.array(items, |encoder, value| encoder.value(value, item))
            }
            (ValueType::Map(types), Val::Map(pairs)) => self.array(pairs, |encoder, pair| {
                encoder.push("[")?;
                encoder.value(&pair.0, &types.0)?;
                encoder.push(",")?;
                encoder.value(&pair.1, &types.1)?;
                encoder.push("]")
            }),
            (ValueType::Record(fields), Val::Record(values))
                if values.len() == fields.types.len() =>
            {
                self.object(values.iter().map(|(name, value)| (name, value)).zip(&fields.types))
            }
            (ValueType::Tuple(types), Val::Tuple(values)) if types.len() == values.len() => {
                let pairs: Vec<_> = values.iter().zip(types).collect();
                self.array(&pairs, |encoder, (value, ty)| encoder.value(value, ty))
            }
            (ValueType::Variant(cases), Val::Variant(name, payload)) => {
                let index = cases.names.find(name).ok_or(Unwritten::OtherType)?;
                self.case(name, payload.as_deref(), cases.payloads[index].as_ref())
            }
            (ValueType::Result { ok, err }, Val::Result(result)) => match result {
                Ok(payload) => self.case("ok", payload.as_deref(), ok.as_deref()),
                Err(payload) => self.case("err", payload.as_deref(), err.as_deref()),
            },
            (ValueType::Option { .. }, Val::Option(None)) => self.push("null"),
            (ValueType::Option { inner, wrapped: false }, Val::Option(Some(value))) => {
                self.value(value, inner)
            }
            (ValueType::Option { inner, wrapped: true }, Val::Option(Some(value))) => {
                self.case("some", Some(value), Some(inner))
            }
            (ValueType::Flags(_), Val::Flags(names)) => {
                self.array(names, |encoder, name| encoder.string(name))
            }
            _ => Err(Unwritten::OtherType),
        }
    }

    /// The shortest text that is read as the same number.
    fn float(&mut self, float: impl serde::Serialize) -> Result<(), Unwritten> {
        let text = serde_json::to_string(&float).map_err(|_never| Unwritten::OtherType)?;
        self.push(&text)
    }

    fn special(&mut self, float: f64) -> Result<(), Unwritten> {
        self.push(if float.is_nan() {
            "\"NaN\""
        } else if float > 0.0 {
            "\"inf\""
        } else {
            "\"-inf\""
        })
    }

    fn base64(&mut self, items: &[Val]) -> Result<(), Unwritten> {
        if base64::encoded_len(items.len()) > self.max {
            return Err(Unwritten::TooLarge);
        }
        let byte = |item: &Val| match item {
            Val::U8(byte) => Ok(*byte),
            _ => Err(Unwritten::OtherType),
        };
        let bytes: Vec<u8> = items.iter().map(byte).collect::<Result<_, _>>()?;
        self.push("\"")?;
        base64::encode_into(&bytes, &mut self.text);
        self.bounded()?;
        self.push("\"")
    }

    fn array<T>(
        &mut self,
        items: &[T],
        mut each: impl FnMut(&mut Self, &T) -> Result<(), Unwritten>,
    ) -> Result<(), Unwritten> {
        self.push("[")?;
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.push(",")?;
            }
            each(self, item)?;
        }
        self.push("]")
    }

    fn object<'v>(
        &mut self,
        fields: impl Iterator<Item = ((&'v String, &'v Val), &'v ValueType)>,
    ) -> Result<(), Unwritten> {
        self.push("{")?;
        for (index, ((name, value), ty)) in fields.enumerate() {
            if index > 0 {
                self.push(",")?;
            }
            self.string(name)?;
            self.push(":")?;
            self.value(value, ty)?;
        }
        self.push("}")
    }

    fn case(
        &mut self,
        name: &str,
        payload: Option<&Val>,
        ty: Option<&ValueType>,
    ) -> Result<(), Unwritten> {
        match (payload, ty) {
            (None, None) => self.string(name),
            (Some(payload), Some(ty)) => {
                self.push("{")?;
                self.string(name)?;
                self.push(":")?;
                self.value(payload, ty)?;
                self.push("}")
            }
            (Some(_), None) | (None, Some(_)) => Err(Unwritten::OtherType),
        }
    }
}
