//! The functions that a component exports.

use std::collections::HashMap;

use wfhost_workflow::Json;
use wit_parser::{Function, Resolve, TypeDefKind, WorldId, WorldItem, WorldKey};

use super::model::{FunctionFacts, STEPS_INTERFACE};
use super::refused::Refusals;
use super::schema::{self, Budget, Direction};
use super::{FUNCTIONS_MAX, Unreadable, wit_text};

/// The version of the step world's interface, if it is exported.
pub(super) fn step_world(resolve: &Resolve, world: WorldId) -> Option<String> {
    let exports = resolve.worlds[world].exports.keys();
    exports.map(|key| resolve.name_world_key(key)).find_map(|name| {
        let (interface, version) = split(&name);
        (interface == STEPS_INTERFACE).then(|| version.unwrap_or_default().to_owned())
    })
}

/// An interface's name without and its version.
pub(super) fn split(name: &str) -> (&str, Option<&str>) {
    match name.split_once('@') {
        Some((interface, version)) => (interface, Some(version)),
        None => (name, None),
    }
}

pub(super) fn exported(
    resolve: &Resolve,
    world: WorldId,
) -> Result<Vec<FunctionFacts>, Unreadable> {
    let found = found(resolve, world)?;
    let mut short_names: HashMap<String, u32> = HashMap::new();
    for (interface, function) in &found {
        *short_names.entry(short_name(interface.as_deref(), function)).or_default() += 1;
    }
    let mut refusals = Refusals::new(resolve);
    let mut budget = Budget::new();
    let mut facts = Vec::with_capacity(found.len());
    for (interface, function) in found {
        let short = short_name(interface.as_deref(), function);
        let name = match &interface {
            Some(interface) if short_names.get(&short) != Some(&1) => {
                format!("{interface}#{}", function.name)
            }
            _ => short,
        };
        let refused = refusals.of(function);
        let schemas = match refused {
            None => Schemas::of(resolve, function, &mut budget)?,
            Some(_) => Schemas::anything(),
        };
        facts.push(FunctionFacts {
            name,
            interface,
            function: function.name.clone(),
            docs: function.docs.contents.clone().unwrap_or_default(),
            signature: wit_text::signature(resolve, function),
            is_async: function.kind.is_async(),
            input_schema: schemas.input,
            output_schema: schemas.output,
            error_schema: schemas.error,
            refused,
        });
    }
    Ok(facts)
}

type Found<'a> = Vec<(Option<String>, &'a Function)>;

fn found(resolve: &Resolve, world: WorldId) -> Result<Found<'_>, Unreadable> {
    let mut found = Vec::new();
    for (key, item) in &resolve.worlds[world].exports {
        match item {
            WorldItem::Function(function) => found.push((None, function)),
            WorldItem::Interface { id, .. } => {
                let interface = match key {
                    WorldKey::Name(name) => name.clone(),
                    WorldKey::Interface(_) => resolve.name_world_key(key),
                };
                if split(&interface).0 == STEPS_INTERFACE {
                    continue;
                }
                let functions = resolve.interfaces[*id].functions.values();
                found.extend(functions.map(|function| (Some(interface.clone()), function)));
            }
            WorldItem::Type { .. } => {}
        }
        if found.len() > FUNCTIONS_MAX {
            return Err(Unreadable::TooMany { what: "more functions", max: FUNCTIONS_MAX });
        }
    }
    Ok(found)
}

fn short_name(interface: Option<&str>, function: &Function) -> String {
    match interface {
        Some(interface) => format!("{}#{}", split(interface).0, function.name),
        None => function.name.clone(),
    }
}

struct Schemas {
    input: Json,
    output: Json,
    error: Option<Json>,
}

impl Schemas {
    fn anything() -> Self {
        let anything = || Json::from_trusted("true");
        Self { input: anything(), output: anything(), error: None }
    }

    fn of(resolve: &Resolve, function: &Function, budget: &mut Budget) -> Result<Self, Unreadable> {
        let input = schema::of_parameters(resolve, &function.params, budget)?;
        let result = function.result.map(|ty| schema::aliased(resolve, ty));
        let fallible = result.and_then(|ty| match ty {
            wit_parser::Type::Id(id) => match &resolve.types[id].kind {
                TypeDefKind::Result(result) => Some(result),
                _ => None,
            },
            _ => None,
        });
        let (ok, err) = match fallible {
            Some(result) => (result.ok, result.err),
            None => (function.result, None),
        };
        let mut schema = |ty| schema::of_type(resolve, ty, Direction::Out, budget);
        let output = match ok {
            Some(ok) => schema(ok)?,
            None => schema::of_nothing(),
        };
        Ok(Self { input, output, error: err.map(schema).transpose()? })
    }
}
