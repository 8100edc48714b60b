//! From JSON Schema to a type, as far as a type can say it.
//!
//! Schemas come from strangers: the work is bounded by a budget of parts and a depth, each
//! `$ref` is followed once, and what is beyond that, or leads in a circle, is unknown.
//! Keywords that only rule values out may be passed over: the description stays a superset.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::algebra::CHOICES_MAX;
use super::{Field, Kinds, Lists, May, Numbers, Objects, Presence, Rest, Sure, Texts, Type};
use crate::Json;
use crate::schema::SCHEMA_BYTES_MAX;

/// Subschemas of one schema that are read.
const PARTS_MAX: usize = 20_000;

/// Subschemas inside each other, references followed.
const DEPTH_MAX: usize = 48;

/// Alternatives of one `anyOf`, and values of one `enum`, that are read.
const ALTERNATIVES_MAX: usize = 2_000;

/// First items of a list that have a schema of their own.
const FIRST_ITEMS_MAX: usize = 64;

type Fields = Map<String, Value>;

impl Type {
    /// What a schema's text allows; unknown if it is too large.
    pub(crate) fn of_schema_text(schema: &Json) -> Self {
        if schema.len_bytes() > SCHEMA_BYTES_MAX {
            return Self::Unknown;
        }
        Self::of_schema(&schema.to_value())
    }

    /// What a schema allows.
    pub(crate) fn of_schema(schema: &Value) -> Self {
        let draft = schema.get("$schema").and_then(Value::as_str).unwrap_or("");
        let mut reading = Reading {
            root: schema,
            followed: HashMap::new(),
            parts: 0,
            // Until draft 7 a `$ref` stands alone.
            lonely_references: draft.contains("draft-0"),
        };
        reading.read(schema, 0)
    }
}

struct Reading<'s> {
    root: &'s Value,
    /// `None` while it is being followed.
    followed: HashMap<&'s str, Option<Type>>,
    parts: usize,
    lonely_references: bool,
}

impl<'s> Reading<'s> {
    fn read(&mut self, schema: &'s Value, depth: usize) -> Type {
        self.parts += 1;
        if self.parts > PARTS_MAX || depth > DEPTH_MAX {
            return Type::Unknown;
        }
        let schema = match schema {
            Value::Bool(false) => return Type::never(),
            Value::Object(schema) if !schema.is_empty() => schema,
            _ => return Type::Unknown,
        };
        if depth > 0 && schema.contains_key("$id") {
            return Type::Unknown;
        }
        let reference = schema.get("$ref").and_then(Value::as_str);
        if self.lonely_references
            && let Some(reference) = reference
        {
            return self.follow(reference, depth);
        }
        let mut all = self.own(schema, depth);
        if let Some(reference) = reference {
            all = all.intersection(&self.follow(reference, depth));
        }
        for part in list_of(schema, "allOf") {
            let part = self.read(part, depth + 1);
            all = all.intersection(&part);
        }
        for keyword in ["anyOf", "oneOf"] {
            if schema.contains_key(keyword) {
                let any = self.alternatives(schema, keyword, depth);
                all = all.intersection(&any);
            }
        }
        if UNREAD.iter().any(|keyword| schema.contains_key(*keyword)) {
            all.weakened()
        } else {
            all
        }
    }

    fn follow(&mut self, reference: &'s str, depth: usize) -> Type {
        match self.followed.get(reference) {
            Some(Some(known)) => return known.clone(),
            // A circle.
            Some(None) => return Type::Unknown,
            None => {}
        }
        let target = reference.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer));
        let Some(target) = target else { return Type::Unknown };
        self.followed.insert(reference, None);
        let read = self.read(target, depth + 1);
        self.followed.insert(reference, Some(read.clone()));
        read
    }

    fn alternatives(&mut self, schema: &'s Fields, keyword: &str, depth: usize) -> Type {
        let parts = list_of(schema, keyword);
        if parts.len() > ALTERNATIVES_MAX {
            return Type::Unknown;
        }
        let mut any = Type::never();
        let mut overlap = false;
        for part in parts {
            let part = self.read(part, depth + 1);
            overlap |= !any.possible().and(part.possible()).is_empty();
            any = any.union(&part);
        }
        // What two alternatives of a `oneOf` share is in neither.
        if keyword == "oneOf" && overlap { perhaps_less(&any) } else { any }
    }

    /// What the schema says without what it refers to.
    fn own(&mut self, schema: &'s Fields, depth: usize) -> Type {
        let mut all = Type::Unknown;
        if let Some(value) = schema.get("const") {
            all = Type::of_value(value);
        }
        if let Some(values) = schema.get("enum").and_then(Value::as_array) {
            all = all.intersection(&listed(values));
        }
        let kinds = match schema.get("type") {
            Some(Value::String(name)) => Some(vec![name.as_str()]),
            Some(Value::Array(names)) => Some(names.iter().filter_map(Value::as_str).collect()),
            _ => None,
        };
        let constrained = CONSTRAINING.iter().any(|keyword| schema.contains_key(*keyword));
        if kinds.is_none() && !constrained {
            return all;
        }
        let untyped = kinds.is_none();
        let kinds =
            kinds.unwrap_or_else(|| vec!["null", "boolean", "number", "string", "array", "object"]);
        let mut own = Kinds { untyped, ..Kinds::default() };
        for kind in kinds {
            match kind {
                "null" => own.null = May::Yes,
                "boolean" => (own.falsehood, own.truth) = (May::Yes, May::Yes),
                "number" => own.number = numbers(schema, false),
                "integer" if own.number.is_none() => own.number = numbers(schema, true),
                "string" => own.text = texts(schema),
                "array" => own.list = self.lists(schema, depth),
                "object" => own.object = self.objects(schema, depth),
                _ => {}
            }
        }
        all.intersection(&Type::known(own))
    }

    fn lists(&mut self, schema: &'s Fields, depth: usize) -> Option<Lists> {
        let mut list = Lists::any(Sure::Exactly);
        let first = list_of(schema, "prefixItems");
        for part in first.iter().take(FIRST_ITEMS_MAX) {
            list.first.push(self.read(part, depth + 1));
        }
        if first.len() > FIRST_ITEMS_MAX {
            list.sure = Sure::Some;
        } else {
            match schema.get("items") {
                // Of older drafts: as `prefixItems`.
                Some(Value::Array(_)) => list.sure = Sure::Perhaps,
                Some(items) => list.item = self.read(items, depth + 1),
                None => {}
            }
        }
        list.min = count(schema, "minItems").unwrap_or(0);
        list.max = count(schema, "maxItems").unwrap_or(u64::MAX);
        if let Some(end) = list.first.iter().position(Type::is_never) {
            list.max = list.max.min(end as u64);
            list.first.truncate(end);
        } else if list.item.is_never() {
            list.max = list.max.min(list.first.len() as u64);
        }
        if ["uniqueItems", "contains", "unevaluatedItems"].iter().any(|k| schema.contains_key(*k)) {
            list.sure = list.sure.min(Sure::Perhaps);
        }
        (list.min <= list.max).then_some(list)
    }

    fn objects(&mut self, schema: &'s Fields, depth: usize) -> Option<Objects> {
        let mut object = Objects::any(Sure::Exactly);
        let properties = schema.get("properties").and_then(Value::as_object);
        for (name, property) in properties.into_iter().flatten() {
            let value = self.read(property, depth + 1);
            let defaulted = property.get("default").is_some();
            let presence = if defaulted { Presence::Defaulted } else { Presence::Optional };
            object.fields.push(Field { name: name.as_str().into(), value, presence });
        }
        object.fields.sort_by(|a, b| a.name.cmp(&b.name));
        object.rest = match schema.get("additionalProperties") {
            None | Some(Value::Null) => self.unevaluated(schema),
            Some(Value::Bool(false)) => Rest::Closed,
            Some(rest) => Rest::Allowed(self.read(rest, depth + 1)),
        };
        if schema.contains_key("patternProperties") {
            // Which names they are is not known here.
            object.rest = Rest::Open;
            object.sure = Sure::Perhaps;
        }
        let required = list_of(schema, "required").iter().filter_map(Value::as_str);
        for name in required.take(PARTS_MAX) {
            match object.fields.binary_search_by(|field| (*field.name).cmp(name)) {
                Ok(at) => object.fields[at].presence = Presence::Required,
                Err(at) => {
                    let field = Field {
                        name: name.into(),
                        value: object.rest.value(),
                        presence: Presence::Required,
                    };
                    object.fields.insert(at, field);
                }
            }
        }
        if OBJECT_UNREAD.iter().any(|keyword| schema.contains_key(*keyword)) {
            object.sure = Sure::Perhaps;
        }
        let impossible =
            |field: &Field| field.presence == Presence::Required && field.value.is_never();
        (!object.fields.iter().any(impossible)).then_some(object)
    }

    /// `unevaluatedProperties: false` closes an object whose fields are all listed beside it.
    fn unevaluated(&self, schema: &Fields) -> Rest {
        let beside = ["allOf", "anyOf", "oneOf", "$ref", "if", "dependentSchemas", "not"];
        let alone = !beside.iter().any(|keyword| schema.contains_key(*keyword));
        match schema.get("unevaluatedProperties") {
            Some(Value::Bool(false)) if alone => Rest::Closed,
            _ => Rest::Open,
        }
    }
}

/// Keywords that rule out what a type does not follow.
const UNREAD: [&str; 8] = [
    "not",
    "if",
    "then",
    "else",
    "$dynamicRef",
    "$recursiveRef",
    "dependentSchemas",
    "dependencies",
];

const OBJECT_UNREAD: [&str; 5] = [
    "minProperties",
    "maxProperties",
    "propertyNames",
    "dependentRequired",
    "unevaluatedProperties",
];

/// Keywords that say something of a value without `type`.
const CONSTRAINING: [&str; 21] = [
    "properties",
    "required",
    "additionalProperties",
    "patternProperties",
    "minProperties",
    "maxProperties",
    "propertyNames",
    "dependentRequired",
    "items",
    "prefixItems",
    "minItems",
    "maxItems",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "format",
];

fn list_of<'s>(schema: &'s Fields, keyword: &str) -> &'s [Value] {
    schema.get(keyword).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn count(schema: &Fields, keyword: &str) -> Option<u64> {
    let value = schema.get(keyword)?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "saturating is right"
    )]
    value.as_u64().or_else(|| value.as_f64().map(|value| value as u64))
}

/// A set that may be smaller than its description, but is not taken to be empty.
fn perhaps_less(of: &Type) -> Type {
    let Type::Known(kinds) = of else { return Type::Unknown };
    let mut kinds = (**kinds).clone();
    for may in [&mut kinds.null, &mut kinds.falsehood, &mut kinds.truth] {
        *may = (*may).min(May::Perhaps);
    }
    let parts = [
        kinds.number.as_mut().map(|number| &mut number.sure),
        kinds.text.as_mut().map(|text| &mut text.sure),
        kinds.list.as_mut().map(|list| &mut list.sure),
        kinds.object.as_mut().map(|object| &mut object.sure),
    ];
    parts.into_iter().flatten().for_each(|sure| *sure = (*sure).min(Sure::Some));
    Type::known(kinds)
}

fn listed(values: &[Value]) -> Type {
    let texts: Vec<&str> = values.iter().filter_map(Value::as_str).collect();
    let others = values.iter().filter(|value| !value.is_string());
    if values.len() > ALTERNATIVES_MAX.max(CHOICES_MAX) {
        let kinds = |value: &Value| match value {
            Value::Null | Value::Bool(_) => Type::of_value(value),
            Value::Number(_) => Type::number(Numbers::any(Sure::Some)),
            Value::String(_) => Type::text(Texts::any(Sure::Some)),
            Value::Array(_) => Type::list(Lists::any(Sure::Some)),
            Value::Object(_) => Type::object(Objects::any(Sure::Some)),
        };
        return values.iter().map(kinds).fold(Type::never(), |all, one| all.union(&one));
    }
    let mut all = others.map(Type::of_value).fold(Type::never(), |all, one| all.union(&one));
    if !texts.is_empty() {
        let lengths = || texts.iter().map(|text| text.chars().count() as u64);
        let (min, max) = (lengths().min().unwrap_or(0), lengths().max().unwrap_or(u64::MAX));
        let choices = texts.iter().map(|text| Arc::from(*text)).collect();
        let choices = (texts.len() <= CHOICES_MAX).then(|| Arc::new(choices));
        let sure = if choices.is_some() { Sure::Exactly } else { Sure::Some };
        all = all.union(&Type::text(Texts { choices, min, max, sure }));
    }
    all
}

fn numbers(schema: &Fields, whole: bool) -> Option<Numbers> {
    let bound = |keyword: &str| schema.get(keyword).and_then(Value::as_f64);
    let mut numbers = Numbers { whole, ..Numbers::any(Sure::Exactly) };
    if let Some(low) = bound("minimum") {
        numbers.low = low;
    }
    if let Some(low) = bound("exclusiveMinimum").filter(|low| *low >= numbers.low) {
        (numbers.low, numbers.low_open) = (low, true);
    }
    if let Some(high) = bound("maximum") {
        numbers.high = high;
    }
    if let Some(high) = bound("exclusiveMaximum").filter(|high| *high <= numbers.high) {
        (numbers.high, numbers.high_open) = (high, true);
    }
    let older = ["exclusiveMinimum", "exclusiveMaximum"]
        .iter()
        .any(|keyword| schema.get(*keyword).is_some_and(Value::is_boolean));
    match bound("multipleOf") {
        Some(1.0) => numbers.whole = true,
        Some(_) => numbers.sure = Sure::Some,
        None => {}
    }
    if older {
        numbers.sure = Sure::Some;
    }
    let numbers = numbers.tightened();
    (!numbers.is_empty()).then_some(numbers)
}

fn texts(schema: &Fields) -> Option<Texts> {
    let min = count(schema, "minLength").unwrap_or(0);
    let max = count(schema, "maxLength").unwrap_or(u64::MAX);
    let known = ["pattern", "format", "contentEncoding"].iter().all(|k| !schema.contains_key(*k));
    let sure = if known { Sure::Exactly } else { Sure::Some };
    let texts = Texts { choices: None, min, max, sure };
    (!texts.is_empty()).then_some(texts)
}
