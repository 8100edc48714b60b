//! JSON Schema (draft 2020-12) of WIT types, by the mapping of JSON to WIT.
//!
//! Types with names become `$defs`, once each; so do anonymous ones that are nested deep,
//! which keeps every schema flat enough for any JSON parser.

use std::collections::HashMap;

use serde_json::{Map, Value, json};
use wfhost_workflow::Json;
use wit_parser::{
    Case, Docs, EnumCase, Param, Record, Resolve, Result_, Type, TypeDefKind, TypeId,
};

use super::Unreadable;

/// All schemas of a component together.
const SCHEMA_BYTES_MAX: usize = 32 << 20;
/// Nested more than this, an anonymous type moves to `$defs`.
const INLINE_DEPTH_MAX: u32 = 6;
const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";
/// About what a node of a schema takes beside its texts.
const NODE_BYTES: usize = 48;

/// What goes in is taken in several forms; what comes out has one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    In,
    Out,
}

/// What is left of the bytes for a component's schemas.
pub(super) struct Budget {
    left: usize,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self { left: SCHEMA_BYTES_MAX }
    }

    fn take(&mut self, bytes: usize) -> Result<(), Unreadable> {
        let too_many =
            Unreadable::TooMany { what: "types with more bytes of schema", max: SCHEMA_BYTES_MAX };
        self.left = self.left.checked_sub(bytes.saturating_add(NODE_BYTES)).ok_or(too_many)?;
        Ok(())
    }
}

/// Of an object with the parameters; those that are options may be left out.
pub(super) fn of_parameters(
    resolve: &Resolve,
    params: &[Param],
    budget: &mut Budget,
) -> Result<Json, Unreadable> {
    let mut schemas = Schemas::new(resolve, Direction::In, budget);
    let none = Docs::default();
    let fields = params.iter().map(|param| (&param.name, param.ty, &none));
    let object = schemas.object(fields, 0)?;
    Ok(schemas.finish(object))
}

/// Of one value.
pub(super) fn of_type(
    resolve: &Resolve,
    ty: Type,
    direction: Direction,
    budget: &mut Budget,
) -> Result<Json, Unreadable> {
    let mut schemas = Schemas::new(resolve, direction, budget);
    let schema = schemas.ty(ty, 0)?;
    Ok(schemas.finish(schema))
}

/// Of a function without a result.
pub(super) fn of_nothing() -> Json {
    Json::from_value(&json!({ "$schema": DRAFT, "type": "null" }))
}

/// The type behind other names for it.
pub(super) fn aliased(resolve: &Resolve, mut ty: Type) -> Type {
    while let Type::Id(id) = ty {
        match resolve.types[id].kind {
            TypeDefKind::Type(other) => ty = other,
            _ => break,
        }
    }
    ty
}

struct Schemas<'a> {
    resolve: &'a Resolve,
    direction: Direction,
    budget: &'a mut Budget,
    defs: Map<String, Value>,
    names: HashMap<TypeId, String>,
}

type Made = Result<Value, Unreadable>;

impl<'a> Schemas<'a> {
    fn new(resolve: &'a Resolve, direction: Direction, budget: &'a mut Budget) -> Self {
        Self { resolve, direction, budget, defs: Map::new(), names: HashMap::new() }
    }

    fn finish(self, schema: Value) -> Json {
        let mut whole = Map::new();
        whole.insert("$schema".to_owned(), json!(DRAFT));
        if let Value::Object(schema) = schema {
            whole.extend(schema);
        }
        if !self.defs.is_empty() {
            whole.insert("$defs".to_owned(), Value::Object(self.defs));
        }
        Json::from_value(&Value::Object(whole))
    }

    fn ty(&mut self, ty: Type, depth: u32) -> Made {
        self.budget.take(0)?;
        let docs = self.docs_of(ty);
        let (schema, docs) = match aliased(self.resolve, ty) {
            Type::Id(id) => self.defined(id, docs, depth)?,
            simple => (self.primitive(simple), docs),
        };
        self.described(schema, docs)
    }

    /// The nearest docs on the way through other names.
    fn docs_of(&self, mut ty: Type) -> Option<&'a str> {
        while let Type::Id(id) = ty {
            let def = &self.resolve.types[id];
            if def.docs.contents.is_some() {
                return def.docs.contents.as_deref();
            }
            match def.kind {
                TypeDefKind::Type(other) => ty = other,
                _ => break,
            }
        }
        None
    }

    fn described(&mut self, mut schema: Value, docs: Option<&str>) -> Made {
        if let (Some(docs), Value::Object(object)) = (docs, &mut schema) {
            self.budget.take(docs.len())?;
            object.entry("description").or_insert_with(|| json!(docs));
        }
        Ok(schema)
    }

    fn defined(
        &mut self,
        id: TypeId,
        docs: Option<&'a str>,
        depth: u32,
    ) -> Result<(Value, Option<&'a str>), Unreadable> {
        let def = &self.resolve.types[id];
        let own_docs = def.docs.contents.as_deref();
        if def.name.is_none() && depth <= INLINE_DEPTH_MAX {
            return Ok((self.kind(id, depth)?, docs));
        }
        let name = match self.names.get(&id) {
            Some(name) => name.clone(),
            None => {
                let name = self.free_name(def.name.as_deref().unwrap_or("type"));
                self.names.insert(id, name.clone());
                // Keeps the place, so that types stand in the order in which they are met.
                self.defs.insert(name.clone(), Value::Null);
                let schema = self.kind(id, 0)?;
                let schema = self.described(schema, own_docs)?;
                self.defs.insert(name.clone(), schema);
                name
            }
        };
        self.budget.take(name.len())?;
        // What the definition says need not be said at each use.
        let docs = docs.filter(|docs| Some(*docs) != own_docs);
        Ok((json!({ "$ref": format!("#/$defs/{name}") }), docs))
    }

    fn free_name(&self, name: &str) -> String {
        let mut free = name.to_owned();
        let mut n = 1;
        while self.defs.contains_key(&free) {
            n += 1;
            free = format!("{name}-{n}");
        }
        free
    }

    fn kind(&mut self, id: TypeId, depth: u32) -> Made {
        let resolve = self.resolve;
        match &resolve.types[id].kind {
            TypeDefKind::Record(Record { fields }) => {
                self.object(fields.iter().map(|field| (&field.name, field.ty, &field.docs)), depth)
            }
            TypeDefKind::Tuple(tuple) => self.tuple(&tuple.types, depth),
            TypeDefKind::List(ty) => self.list(*ty, depth),
            TypeDefKind::FixedLengthList(ty, len) => {
                let items = self.ty(*ty, depth + 1)?;
                Ok(json!({ "type": "array", "items": items, "minItems": len, "maxItems": len }))
            }
            TypeDefKind::Map(key, value) => {
                let pair = self.tuple(&[*key, *value], depth + 1)?;
                Ok(json!({ "type": "array", "items": pair }))
            }
            TypeDefKind::Option(ty) => self.option(*ty, depth),
            TypeDefKind::Variant(variant) => {
                let cases = variant
                    .cases
                    .iter()
                    .map(|Case { name, ty, docs, .. }| (name.as_str(), *ty, docs));
                self.cases(cases, depth)
            }
            TypeDefKind::Result(Result_ { ok, err }) => {
                let none = Docs::default();
                self.cases([("ok", *ok, &none), ("err", *err, &none)].into_iter(), depth)
            }
            TypeDefKind::Enum(cases) => {
                self.names(cases.cases.iter().map(|EnumCase { name, docs, .. }| (name, docs)))
            }
            TypeDefKind::Flags(flags) => {
                let items = self.names(flags.flags.iter().map(|flag| (&flag.name, &flag.docs)))?;
                Ok(json!({ "type": "array", "items": items, "uniqueItems": true }))
            }
            TypeDefKind::Type(ty) => self.ty(*ty, depth),
            TypeDefKind::Handle(_)
            | TypeDefKind::Resource
            | TypeDefKind::Future(_)
            | TypeDefKind::Stream(_)
            | TypeDefKind::Unknown => Ok(json!({})),
        }
    }

    fn object<'f>(
        &mut self,
        fields: impl Iterator<Item = (&'f String, Type, &'f Docs)>,
        depth: u32,
    ) -> Made {
        let (mut properties, mut required) = (Map::new(), Vec::new());
        for (name, ty, docs) in fields {
            let schema = self.ty(ty, depth + 1)?;
            let schema = self.with_docs(schema, docs)?;
            self.budget.take(2 * name.len())?;
            if self.direction == Direction::Out || !self.is_option(ty) {
                required.push(json!(name));
            }
            properties.insert(name.clone(), schema);
        }
        let mut object = Map::new();
        object.insert("type".to_owned(), json!("object"));
        object.insert("properties".to_owned(), Value::Object(properties));
        if !required.is_empty() {
            object.insert("required".to_owned(), Value::Array(required));
        }
        object.insert("additionalProperties".to_owned(), json!(false));
        Ok(Value::Object(object))
    }

    /// A field's docs come before its type's.
    fn with_docs(&mut self, mut schema: Value, docs: &Docs) -> Made {
        if let (Some(docs), Value::Object(object)) = (&docs.contents, &mut schema) {
            self.budget.take(docs.len())?;
            object.insert("description".to_owned(), json!(docs));
        }
        Ok(schema)
    }

    fn is_option(&self, ty: Type) -> bool {
        match aliased(self.resolve, ty) {
            Type::Id(id) => matches!(self.resolve.types[id].kind, TypeDefKind::Option(_)),
            _ => false,
        }
    }

    fn tuple(&mut self, types: &[Type], depth: u32) -> Made {
        let items: Result<Vec<_>, _> = types.iter().map(|ty| self.ty(*ty, depth + 1)).collect();
        let len = types.len();
        Ok(json!({
            "type": "array", "prefixItems": items?, "items": false, "minItems": len, "maxItems": len,
        }))
    }

    fn list(&mut self, ty: Type, depth: u32) -> Made {
        let items = self.ty(ty, depth + 1)?;
        let array = json!({ "type": "array", "items": items });
        if aliased(self.resolve, ty) != Type::U8 {
            return Ok(array);
        }
        let base64 = json!({ "type": "string", "contentEncoding": "base64" });
        Ok(match self.direction {
            Direction::In => json!({ "anyOf": [base64, array] }),
            Direction::Out => base64,
        })
    }

    /// An option of an option says which of the two is empty.
    fn option(&mut self, ty: Type, depth: u32) -> Made {
        let is_option = self.is_option(ty);
        let some = self.ty(ty, depth + 1)?;
        let some = if is_option {
            json!({
                "type": "object", "properties": { "some": some },
                "required": ["some"], "additionalProperties": false,
            })
        } else {
            some
        };
        Ok(json!({ "anyOf": [{ "type": "null" }, some] }))
    }

    fn cases<'f>(
        &mut self,
        cases: impl Iterator<Item = (&'f str, Option<Type>, &'f Docs)>,
        depth: u32,
    ) -> Made {
        let mut one_of = Vec::new();
        for (name, ty, docs) in cases {
            self.budget.take(3 * name.len())?;
            let schema = match ty {
                None => json!({ "title": name, "const": name }),
                Some(ty) => json!({
                    "title": name, "type": "object", "properties": { name: self.ty(ty, depth + 1)? },
                    "required": [name], "additionalProperties": false,
                }),
            };
            one_of.push(self.with_docs(schema, docs)?);
        }
        Ok(json!({ "oneOf": one_of }))
    }

    /// One of some names; with docs where at least one has them.
    fn names<'f>(&mut self, names: impl Iterator<Item = (&'f String, &'f Docs)>) -> Made {
        let names: Vec<_> = names.collect();
        for (name, _) in &names {
            self.budget.take(2 * name.len())?;
        }
        if names.iter().all(|(_, docs)| docs.is_empty()) {
            let names: Vec<_> = names.iter().map(|(name, _)| name).collect();
            return Ok(json!({ "type": "string", "enum": names }));
        }
        let one_of: Result<Vec<_>, _> = names
            .into_iter()
            .map(|(name, docs)| self.with_docs(json!({ "title": name, "const": name }), docs))
            .collect();
        Ok(json!({ "type": "string", "oneOf": one_of? }))
    }

    fn primitive(&self, ty: Type) -> Value {
        match ty {
            Type::Bool => json!({ "type": "boolean" }),
            Type::U8 => integer(0, u8::MAX.into()),
            Type::U16 => integer(0, u16::MAX.into()),
            Type::U32 => integer(0, u32::MAX.into()),
            Type::S8 => integer(i8::MIN.into(), i8::MAX as u64),
            Type::S16 => integer(i16::MIN.into(), i16::MAX as u64),
            Type::S32 => integer(i32::MIN.into(), i32::MAX as u64),
            Type::U64 => self.large(integer(0, u64::MAX), "^[0-9]+$"),
            Type::S64 => self.large(integer(i64::MIN, i64::MAX as u64), "^-?[0-9]+$"),
            Type::F32 | Type::F64 => {
                let special = match self.direction {
                    Direction::In => json!(["NaN", "inf", "+inf", "-inf"]),
                    Direction::Out => json!(["NaN", "inf", "-inf"]),
                };
                json!({ "anyOf": [{ "type": "number" }, { "enum": special }] })
            }
            Type::Char => json!({ "type": "string", "minLength": 1, "maxLength": 1 }),
            Type::String => json!({ "type": "string" }),
            Type::ErrorContext | Type::Id(_) => json!({}),
        }
    }

    /// A number that many JSON tools cannot hold may come as a string.
    fn large(&self, number: Value, pattern: &str) -> Value {
        match self.direction {
            Direction::In => json!({ "anyOf": [number, { "type": "string", "pattern": pattern }] }),
            Direction::Out => number,
        }
    }
}

fn integer(least: i64, most: u64) -> Value {
    json!({ "type": "integer", "minimum": least, "maximum": most })
}
