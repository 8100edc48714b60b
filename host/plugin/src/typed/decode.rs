//! JSON to values: one pass over the text, by the type.

use wasmtime::component::Val;

use super::base64;
use super::expected::{did_you_mean, expected, one_of};
use super::path::Path;
use super::reader::{Broken, Kind, Next, Reader, shown};
use super::scalar::{Float, Integer, integer};
use super::value_type::{Cases, Fields, Names, ValueType};

/// What the host holds for one value, beside its text.
const VALUE_BYTES: usize = size_of::<Val>();

/// Why JSON is no value of a type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Wrong {
    /// For people, with the place.
    #[error("at {at}: {what}")]
    Mismatch { at: String, what: String },
    /// The value takes more of the host's memory than it may.
    #[error("the value takes more than {max} bytes as the guest's type")]
    TooLarge { max: usize },
}

/// The arguments of a function: an object with a field for each parameter.
pub(crate) fn arguments(json: &str, parameters: &Fields, max: usize) -> Result<Vec<Val>, Wrong> {
    let (mut decoder, path) = (Decoder::new(json, max), Path::root("the input"));
    if decoder.kind(&path)? != Kind::Object {
        let record = ValueType::Record(parameters.clone());
        return Err(decoder.mismatch(&expected(&record), &path));
    }
    decoder.fields(parameters, &path, "parameter")
}

struct Decoder<'t> {
    reader: Reader<'t>,
    /// What is left of `max`.
    left: usize,
    max: usize,
}

impl<'t> Decoder<'t> {
    fn new(json: &'t str, max: usize) -> Self {
        Self { reader: Reader::new(json), left: max, max }
    }

    fn charge(&mut self, bytes: usize) -> Result<(), Wrong> {
        self.left = self.left.checked_sub(bytes).ok_or(Wrong::TooLarge { max: self.max })?;
        Ok(())
    }

    fn kind(&mut self, path: &Path<'_>) -> Result<Kind, Wrong> {
        self.reader.kind().map_err(|broken| wrong(broken, path))
    }

    /// "expected …, found …" for the value at the cursor.
    fn mismatch(&self, expected: &str, path: &Path<'_>) -> Wrong {
        let what = format!("expected {expected}, found {}", self.reader.found());
        Wrong::Mismatch { at: path.to_string(), what }
    }

    fn value(&mut self, ty: &ValueType, path: &Path<'_>) -> Result<Val, Wrong> {
        self.charge(VALUE_BYTES)?;
        let kind = self.kind(path)?;
        let start = self.reader.clone();
        let read = match ty {
            ValueType::Bool if kind == Kind::Bool => {
                self.reader.boolean().map(|value| Some(Val::Bool(value)))
            }
            ValueType::S8 => self.integer(kind).map(|i| i.map(Val::S8)),
            ValueType::U8 => self.integer(kind).map(|i| i.map(Val::U8)),
            ValueType::S16 => self.integer(kind).map(|i| i.map(Val::S16)),
            ValueType::U16 => self.integer(kind).map(|i| i.map(Val::U16)),
            ValueType::S32 => self.integer(kind).map(|i| i.map(Val::S32)),
            ValueType::U32 => self.integer(kind).map(|i| i.map(Val::U32)),
            ValueType::S64 => self.integer(kind).map(|i| i.map(Val::S64)),
            ValueType::U64 => self.integer(kind).map(|i| i.map(Val::U64)),
            ValueType::F32 => self.float(kind).map(|f| f.map(Val::Float32)),
            ValueType::F64 => self.float(kind).map(|f| f.map(Val::Float64)),
            ValueType::Char if kind == Kind::String => self.character(),
            ValueType::String if kind == Kind::String => {
                let text = self.reader.string().map_err(|broken| wrong(broken, path))?;
                self.charge(text.len())?;
                Ok(Some(Val::String(text.into_owned())))
            }
            ValueType::Bool | ValueType::Char | ValueType::String => Ok(None),
            ValueType::Bytes
            | ValueType::List(_)
            | ValueType::FixedList(..)
            | ValueType::Map(_)
            | ValueType::Record(_)
            | ValueType::Tuple(_)
            | ValueType::Variant(_)
            | ValueType::Enum(_)
            | ValueType::Option { .. }
            | ValueType::Result { .. }
            | ValueType::Flags(_) => return self.compound(ty, kind, path),
        };
        match read {
            Ok(Some(value)) => Ok(value),
            Ok(None) => {
                self.reader = start;
                Err(self.mismatch(&expected(ty), path))
            }
            Err(broken) => Err(wrong(broken, path)),
        }
    }

    fn compound(&mut self, ty: &ValueType, kind: Kind, path: &Path<'_>) -> Result<Val, Wrong> {
        match (ty, kind) {
            (ValueType::Bytes, Kind::String) => self.base64(path),
            (ValueType::Bytes, Kind::Array) => {
                self.list(&ValueType::U8, None, ty, path).map(Val::List)
            }
            (ValueType::List(item), Kind::Array) => self.list(item, None, ty, path).map(Val::List),
            (ValueType::FixedList(item, len), Kind::Array) => {
                self.list(item, Some(*len), ty, path).map(Val::FixedLengthList)
            }
            (ValueType::Map(pair), Kind::Array) => self.map(&pair.0, &pair.1, path),
            (ValueType::Record(fields), Kind::Object) => {
                let values = self.fields(fields, path, "field")?;
                let names = fields.names.list().iter().cloned();
                Ok(Val::Record(names.zip(values).collect()))
            }
            (ValueType::Tuple(types), Kind::Array) => self.tuple(types, ty, path),
            (ValueType::Variant(cases), Kind::String | Kind::Object) => {
                self.variant(cases, kind, ty, path)
            }
            (ValueType::Result { ok, err }, Kind::String | Kind::Object) => {
                self.result(ok.as_deref(), err.as_deref(), ty, path)
            }
            (ValueType::Enum(names), Kind::String) => {
                let name = self.name_of(names, ty, path)?;
                Ok(Val::Enum(name))
            }
            (ValueType::Flags(names), Kind::Array) => self.flags(names, ty, path),
            (ValueType::Option { .. }, Kind::Null) => {
                self.reader.null().map_err(|broken| wrong(broken, path))?;
                Ok(Val::Option(None))
            }
            (ValueType::Option { inner, wrapped: false }, _) => {
                let value = self.value(inner, &path.inside())?;
                Ok(Val::Option(Some(Box::new(value))))
            }
            (ValueType::Option { inner, wrapped: true }, Kind::Object) => {
                let start = self.reader.clone();
                let value = self.one_field(ty, path, |decoder, name, path| {
                    if name == "some" {
                        return decoder.value(inner, &path.field("some"));
                    }
                    decoder.reader = start.clone();
                    Err(decoder.mismatch(&expected(ty), path))
                })?;
                Ok(Val::Option(Some(Box::new(value))))
            }
            _ => Err(self.mismatch(&expected(ty), path)),
        }
    }

    /// A number, or, as 64 bits are more than many programs' numbers hold, its digits.
    fn integer<T: Integer>(&mut self, kind: Kind) -> Result<Option<T>, Broken> {
        match kind {
            Kind::Number => self.reader.number().map(integer),
            Kind::String if T::IN_STRINGS => {
                let text = self.reader.string()?;
                let digits = text.strip_prefix('-').unwrap_or(&text);
                let decimal = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
                Ok(if decimal { text.parse().ok() } else { None })
            }
            Kind::Null | Kind::Bool | Kind::String | Kind::Array | Kind::Object => Ok(None),
        }
    }

    fn float<T: Float>(&mut self, kind: Kind) -> Result<Option<T>, Broken> {
        match kind {
            // Beyond the type's range is no infinity that somebody meant.
            Kind::Number => {
                let number = self.reader.number()?.parse().ok();
                Ok(number.filter(|number: &T| number.is_finite()))
            }
            Kind::String => Ok(match &*self.reader.string()? {
                "NaN" => Some(T::NAN),
                "inf" | "+inf" => Some(T::INFINITY),
                "-inf" => Some(T::NEG_INFINITY),
                _ => None,
            }),
            Kind::Null | Kind::Bool | Kind::Array | Kind::Object => Ok(None),
        }
    }

    fn character(&mut self) -> Result<Option<Val>, Broken> {
        let text = self.reader.string()?;
        let mut characters = text.chars();
        Ok(match (characters.next(), characters.next()) {
            (Some(one), None) => Some(Val::Char(one)),
            (None | Some(_), _) => None,
        })
    }

    fn base64(&mut self, path: &Path<'_>) -> Result<Val, Wrong> {
        let start = self.reader.clone();
        let text = self.reader.string().map_err(|broken| wrong(broken, path))?;
        self.charge(base64::decoded_len(&text).saturating_mul(VALUE_BYTES))?;
        match base64::decode(&text) {
            Some(bytes) => Ok(Val::List(bytes.into_iter().map(Val::U8).collect())),
            None => {
                self.reader = start;
                Err(self.mismatch(&expected(&ValueType::Bytes), path))
            }
        }
    }

    fn list(
        &mut self,
        item: &ValueType,
        len: Option<usize>,
        ty: &ValueType,
        path: &Path<'_>,
    ) -> Result<Vec<Val>, Wrong> {
        let mut values = Vec::new();
        self.items(path, |decoder, path, index| {
            if len.is_none_or(|len| index < len) {
                values.push(decoder.value(item, path)?);
            }
            Ok(len.is_none_or(|len| index < len))
        })
        .and_then(|found| self.counted(found, len, ty, path))?;
        Ok(values)
    }

    fn tuple(
        &mut self,
        types: &[ValueType],
        ty: &ValueType,
        path: &Path<'_>,
    ) -> Result<Val, Wrong> {
        let mut values = Vec::with_capacity(types.len());
        let found = self.items(path, |decoder, path, index| {
            let Some(item) = types.get(index) else { return Ok(false) };
            values.push(decoder.value(item, path)?);
            Ok(true)
        })?;
        self.counted(found, Some(types.len()), ty, path)?;
        Ok(Val::Tuple(values))
    }

    fn map(&mut self, key: &ValueType, value: &ValueType, path: &Path<'_>) -> Result<Val, Wrong> {
        let mut pairs = Vec::new();
        self.items(path, |decoder, path, _index| {
            if decoder.kind(path)? != Kind::Array {
                return Err(decoder.mismatch("a [key, value] pair", path));
            }
            let mut pair = Vec::with_capacity(2);
            let start = decoder.reader.clone();
            let found = decoder.items(path, |decoder, path, index| {
                let Some(ty) = [key, value].get(index).copied() else { return Ok(false) };
                pair.push(decoder.value(ty, path)?);
                Ok(true)
            })?;
            match (<[Val; 2]>::try_from(pair), found) {
                (Ok([key, value]), Count::All(_)) => pairs.push((key, value)),
                (Ok(_) | Err(_), Count::All(_) | Count::More) => {
                    decoder.reader = start;
                    return Err(decoder.mismatch("a [key, value] pair", path));
                }
            }
            Ok(true)
        })?;
        Ok(Val::Map(pairs))
    }

    /// Calls `each` at each item until it says that there must be no more.
    fn items(
        &mut self,
        path: &Path<'_>,
        mut each: impl FnMut(&mut Self, &Path<'_>, usize) -> Result<bool, Wrong>,
    ) -> Result<Count, Wrong> {
        let broken = |broken| wrong(broken, path);
        self.reader.enter().map_err(broken)?;
        let mut index = 0;
        while self.reader.next(index).map_err(broken)? == Next::Item {
            if !each(self, &path.index(index), index)? {
                return Ok(Count::More);
            }
            index += 1;
        }
        Ok(Count::All(index))
    }

    fn counted(
        &self,
        found: Count,
        wanted: Option<usize>,
        ty: &ValueType,
        path: &Path<'_>,
    ) -> Result<(), Wrong> {
        let found = match (found, wanted) {
            (Count::All(_), None) => return Ok(()),
            (Count::All(found), Some(wanted)) if found == wanted => return Ok(()),
            (Count::All(found), Some(_)) => format!("one of {found}"),
            (Count::More, _) => "one with more".to_owned(),
        };
        let what = format!("expected {}, found {found}", expected(ty));
        Err(Wrong::Mismatch { at: path.to_string(), what })
    }

    /// The values of an object's fields in the type's order. A field that may be `null`
    /// may be absent.
    fn fields(&mut self, fields: &Fields, path: &Path<'_>, noun: &str) -> Result<Vec<Val>, Wrong> {
        let names = fields.names.list();
        self.charge(names.iter().map(|name| name.len() + size_of::<String>()).sum())?;
        let mut values: Vec<Option<Val>> = vec![None; names.len()];
        self.reader.enter().map_err(|broken| wrong(broken, path))?;
        let mut count = 0;
        while self.reader.next(count).map_err(|broken| wrong(broken, path))? == Next::Item {
            let name = self.reader.name().map_err(|broken| wrong(broken, path))?;
            // Most objects have the fields in the type's order.
            let index = match names.get(count) {
                Some(next) if *next == *name => Some(count),
                Some(_) | None => fields.names.find(&name),
            };
            let Some(index) = index else {
                let near = did_you_mean(&name, names);
                let what = format!("there is no {noun} `{}`{near}", shown(&name));
                return Err(Wrong::Mismatch { at: path.to_string(), what });
            };
            if values[index].is_some() {
                let what = format!("the {noun} `{}` is there twice", shown(&name));
                return Err(Wrong::Mismatch { at: path.to_string(), what });
            }
            values[index] = Some(self.value(&fields.types[index], &path.field(&names[index]))?);
            count += 1;
        }
        let absent = |(index, value): (usize, Option<Val>)| match (value, &fields.types[index]) {
            (Some(value), _) => Ok(value),
            (None, ValueType::Option { .. }) => Ok(Val::Option(None)),
            (None, ty) => {
                let what = format!(
                    "the {noun} `{}` is missing: expected {}",
                    shown(&names[index]),
                    expected(ty)
                );
                Err(Wrong::Mismatch { at: path.to_string(), what })
            }
        };
        values.into_iter().enumerate().map(absent).collect()
    }

    /// An object with exactly one field, which `read` reads by its name.
    fn one_field<T>(
        &mut self,
        ty: &ValueType,
        path: &Path<'_>,
        read: impl FnOnce(&mut Self, &str, &Path<'_>) -> Result<T, Wrong>,
    ) -> Result<T, Wrong> {
        let start = self.reader.clone();
        let broken = |broken| wrong(broken, path);
        self.reader.enter().map_err(broken)?;
        if self.reader.next(0).map_err(broken)? == Next::Item {
            let name = self.reader.name().map_err(broken)?;
            let value = read(self, &name, path)?;
            if self.reader.next(1).map_err(broken)? == Next::End {
                return Ok(value);
            }
        }
        self.reader = start;
        let what =
            format!("expected {}, found an object that has not just one field", expected(ty));
        Err(Wrong::Mismatch { at: path.to_string(), what })
    }

    /// `"case"` or `{"case": payload}`.
    fn variant(
        &mut self,
        cases: &Cases,
        kind: Kind,
        ty: &ValueType,
        path: &Path<'_>,
    ) -> Result<Val, Wrong> {
        let start = self.reader.clone();
        if kind == Kind::String {
            let name = self.name_of(&cases.names, ty, path)?;
            let index = cases.names.find(&name);
            if index.is_some_and(|index| cases.payloads[index].is_none()) {
                return Ok(Val::Variant(name, None));
            }
            self.reader = start;
            let what = format!("expected {{{name:?}: …}}, found {}", self.reader.found());
            return Err(Wrong::Mismatch { at: path.to_string(), what });
        }
        self.one_field(ty, path, |decoder, name, path| {
            let Some(index) = cases.names.find(name) else {
                let near = did_you_mean(name, cases.names.list());
                let what = format!("there is no case `{}`{near}", shown(name));
                return Err(Wrong::Mismatch { at: path.to_string(), what });
            };
            let Some(payload) = &cases.payloads[index] else {
                let what = format!("the case `{0}` has no payload: write {0:?}", shown(name));
                return Err(Wrong::Mismatch { at: path.to_string(), what });
            };
            decoder.charge(name.len())?;
            let value = decoder.value(payload, &path.field(name))?;
            Ok(Val::Variant(name.to_owned(), Some(Box::new(value))))
        })
    }

    fn result(
        &mut self,
        ok: Option<&ValueType>,
        err: Option<&ValueType>,
        ty: &ValueType,
        path: &Path<'_>,
    ) -> Result<Val, Wrong> {
        let start = self.reader.clone();
        let of = |name: &str| match name {
            "ok" => Some((true, ok)),
            "err" => Some((false, err)),
            _ => None,
        };
        let made = |is_ok, payload| Val::Result(if is_ok { Ok(payload) } else { Err(payload) });
        if self.kind(path)? == Kind::String {
            let name = self.reader.string().map_err(|broken| wrong(broken, path))?;
            if let Some((is_ok, None)) = of(&name) {
                return Ok(made(is_ok, None));
            }
            self.reader = start;
            return Err(self.mismatch(&expected(ty), path));
        }
        self.one_field(ty, path, |decoder, name, path| match of(name) {
            Some((is_ok, Some(payload))) => {
                let value = decoder.value(payload, &path.field(name))?;
                Ok(made(is_ok, Some(Box::new(value))))
            }
            Some((_, None)) | None => {
                decoder.reader = start;
                Err(decoder.mismatch(&expected(ty), path))
            }
        })
    }

    /// A string that is one of the names.
    fn name_of(&mut self, names: &Names, ty: &ValueType, path: &Path<'_>) -> Result<String, Wrong> {
        let start = self.reader.clone();
        let name = self.reader.string().map_err(|broken| wrong(broken, path))?;
        if names.find(&name).is_some() {
            self.charge(name.len())?;
            return Ok(name.into_owned());
        }
        self.reader = start;
        let near = did_you_mean(&name, names.list());
        let found = self.reader.found();
        let expected = match ty {
            ValueType::Flags(names) => one_of(names),
            _ => expected(ty),
        };
        let what = format!("expected {expected}, found {found}{near}");
        Err(Wrong::Mismatch { at: path.to_string(), what })
    }

    fn flags(&mut self, names: &Names, ty: &ValueType, path: &Path<'_>) -> Result<Val, Wrong> {
        let mut set = vec![false; names.list().len()];
        self.items(path, |decoder, path, _index| {
            if decoder.kind(path)? != Kind::String {
                return Err(decoder.mismatch(&one_of(names), path));
            }
            let name = decoder.name_of(names, ty, path)?;
            if let Some(index) = names.find(&name) {
                if set[index] {
                    let what = format!("the flag `{name}` is there twice");
                    return Err(Wrong::Mismatch { at: path.to_string(), what });
                }
                set[index] = true;
            }
            Ok(true)
        })?;
        let held = names.list().iter().zip(set).filter(|(_, set)| *set);
        Ok(Val::Flags(held.map(|(name, _)| name.clone()).collect()))
    }
}

/// How many items an array had.
#[derive(Debug, Clone, Copy)]
enum Count {
    All(usize),
    /// More than there may be; the rest was not read.
    More,
}

fn wrong(_: Broken, path: &Path<'_>) -> Wrong {
    Wrong::Mismatch { at: path.to_string(), what: "the text is no JSON, or not Unicode".to_owned() }
}
