//! A value of any type that can be read by serde, made from the fuzzer's bytes.
//!
//! The type itself says what there is to make: its fields and variants. So a field that a message
//! gains is fuzzed from then on. Texts that must be an id, a digest or JSON are known by the name
//! of their field; what is made wrongly is refused by the type, and then there is no value.

use std::fmt;

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{
    self, Deserialize, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

use crate::given::Given;
use crate::value;

/// Items of one list and entries of one mapping.
const ITEMS_MAX: usize = 40;
const TEXT_BYTES_MAX: usize = 60;

/// A `T`, if the bytes give one.
pub fn make<'de, T: Deserialize<'de>>(given: &mut Given<'_>) -> Option<T> {
    T::deserialize(Maker::new(given)).ok()
}

/// Makes one value.
#[derive(Debug)]
pub struct Maker<'g, 'b> {
    given: &'g mut Given<'b>,
    /// The field or variant that the value is for.
    place: &'static str,
}

/// The type took nothing of what was made.
#[derive(Debug)]
pub struct Refused;

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("refused")
    }
}

impl std::error::Error for Refused {}

impl de::Error for Refused {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

impl<'g, 'b> Maker<'g, 'b> {
    /// Makes a value of what is given.
    pub const fn new(given: &'g mut Given<'b>) -> Self {
        Self { given, place: "" }
    }

    const fn part(&mut self, place: &'static str) -> Maker<'_, 'b> {
        Maker { given: self.given, place }
    }

    /// Right most of the time, whatever the place asks for.
    fn text(&mut self) -> String {
        if self.given.once_in(32) {
            return self.given.text(TEXT_BYTES_MAX);
        }
        match self.place {
            "run" => {
                // A valid one's first letter is at most 7.
                let letters = ["0", "1", "7", "A", "Z", "K", "9", "V"];
                let rest: String = (0..25).map(|_| self.given.one_of(&letters)).collect();
                format!("{}{rest}", self.given.one_of(&["0", "1", "7"]))
            }
            "digest" | "definition" | "component" | "list" => {
                let byte = self.given.byte();
                format!("sha256:{}", format!("{byte:02x}").repeat(32))
            }
            "input" | "output" | "details" | "inline" | "value" => {
                value::json(self.given, 3).to_string()
            }
            _ => self.given.text(TEXT_BYTES_MAX),
        }
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident $type:ty),*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
            visitor.$visit(self.given.number() as $type)
        })*
    };
}

impl<'de> Deserializer<'de> for Maker<'_, '_> {
    type Error = Refused;

    numbers!(
        deserialize_u8 visit_u8 u8, deserialize_u16 visit_u16 u16, deserialize_u32 visit_u32 u32,
        deserialize_u64 visit_u64 u64, deserialize_i8 visit_i8 i8, deserialize_i16 visit_i16 i16,
        deserialize_i32 visit_i32 i32, deserialize_i64 visit_i64 i64
    );

    fn deserialize_u128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_u128(u128::from(self.given.number()) << 64 | u128::from(self.given.number()))
    }

    fn deserialize_any<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Refused> {
        match self.given.below(5) {
            0 => visitor.visit_unit(),
            1 => visitor.visit_bool(true),
            2 => visitor.visit_u64(self.given.number()),
            3 => visitor.visit_f64(self.given.float()),
            _ => visitor.visit_string(self.text()),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_bool(self.given.byte() & 1 == 1)
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_f64(visitor)
    }

    /// What is no number is not equal to itself, and nothing that is compared holds it.
    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let float = self.given.float();
        visitor.visit_f64(if float.is_nan() { 0.5 } else { float })
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_char(char::from(self.given.byte()))
    }

    fn deserialize_str<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_string(self.text())
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let count = match self.place {
            "run" | "checksum" => 16,
            "digest" | "definition" | "list" => 32,
            _ => self.given.below(TEXT_BYTES_MAX),
        };
        let mut bytes = self.given.bytes(count).to_vec();
        if matches!(count, 16 | 32) {
            bytes.resize(count, 0);
        }
        visitor.visit_byte_buf(bytes)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        if self.given.byte() & 1 == 0 { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let left = self.given.count(ITEMS_MAX);
        visitor.visit_seq(Parts { maker: self, left, names: &[] })
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        left: usize,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        visitor.visit_seq(Parts { maker: self, left, names: &[] })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        left: usize,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.deserialize_tuple(left, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let left = self.given.count(ITEMS_MAX);
        visitor.visit_map(Parts { maker: self, left, names: &[] })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        visitor.visit_map(Parts { maker: self, left: names.len(), names })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        visitor.visit_enum(Variant { maker: self, variants })
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_str(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_unit()
    }

    /// As the formats of wire and store.
    fn is_human_readable(&self) -> bool {
        false
    }
}

/// What is still to be made of a list, a mapping or the named fields of a struct.
struct Parts<'g, 'b> {
    maker: Maker<'g, 'b>,
    left: usize,
    names: &'static [&'static str],
}

impl<'de> SeqAccess<'de> for Parts<'_, '_> {
    type Error = Refused;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Refused> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let place = self.maker.place;
        seed.deserialize(self.maker.part(place)).map(Some)
    }
}

impl<'de> MapAccess<'de> for Parts<'_, '_> {
    type Error = Refused;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Refused> {
        if self.left == 0 {
            return Ok(None);
        }
        let position = self.names.len().checked_sub(self.left);
        self.left -= 1;
        match position.and_then(|position| self.names.get(position)) {
            Some(name) => seed.deserialize(BorrowedStrDeserializer::new(name)).map(Some),
            None => seed.deserialize(self.maker.part("")).map(Some),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Refused> {
        // The key has been counted off.
        let position = self.names.len().checked_sub(self.left + 1);
        let name = position.and_then(|position| self.names.get(position));
        let place = name.copied().unwrap_or(self.maker.place);
        seed.deserialize(self.maker.part(place))
    }
}

struct Variant<'g, 'b> {
    maker: Maker<'g, 'b>,
    variants: &'static [&'static str],
}

impl<'de> EnumAccess<'de> for Variant<'_, '_> {
    type Error = Refused;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(
        mut self,
        seed: V,
    ) -> Result<(V::Value, Self), Refused> {
        let name = self.maker.given.one_of(self.variants);
        self.maker.place = name;
        let variant = seed.deserialize(BorrowedStrDeserializer::new(name))?;
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, '_> {
    type Error = Refused;

    fn unit_variant(self) -> Result<(), Refused> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Refused> {
        seed.deserialize(self.maker)
    }

    fn tuple_variant<V: Visitor<'de>>(self, left: usize, visitor: V) -> Result<V::Value, Refused> {
        self.maker.deserialize_tuple(left, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        visitor.visit_map(Parts { maker: self.maker, left: names.len(), names })
    }
}

#[cfg(test)]
mod tests {
    use wfhost_transport::client::{Answer, Request};
    use wfhost_transport::message::{FromWorker, ToWorker};
    use wfhost_workflow::run::{RunSummary, Snapshot};

    use super::*;

    /// The share of inputs that give a value, in percent, and how many different values.
    fn made<T: for<'de> Deserialize<'de> + fmt::Debug>() -> (usize, usize) {
        let mut seed = 1_u64;
        let mut shown = std::collections::BTreeSet::new();
        let mut count = 0;
        for _ in 0..400 {
            let bytes: Vec<u8> = (0..300)
                .map(|_| {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(99);
                    (seed >> 33) as u8
                })
                .collect();
            if let Some(value) = make::<T>(&mut Given::new(&bytes)) {
                count += 1;
                shown.insert(format!("{value:?}"));
            }
        }
        (count / 4, shown.len())
    }

    #[test]
    fn most_bytes_make_a_value_of_every_type_that_is_fuzzed() {
        for (name, (percent, different)) in [
            ("FromWorker", made::<FromWorker>()),
            ("ToWorker", made::<ToWorker>()),
            ("Request", made::<Request>()),
            ("Answer", made::<Answer>()),
            ("RunSummary", made::<RunSummary>()),
            ("Snapshot", made::<Snapshot>()),
        ] {
            assert!(percent >= 30, "{name}: {percent} %");
            assert!(different >= 50, "{name}: {different} different ones");
        }
    }

    #[test]
    fn nothing_gives_something() {
        assert!(make::<FromWorker>(&mut Given::new(&[])).is_some());
    }
}
