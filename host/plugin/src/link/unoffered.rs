//! Which imports of a component nobody offers: wasmtime names the first one only.

use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker, ResourceType};

use super::denied::{resource, stub};
use crate::state::AttemptState;

/// Each import is tried in a linker of its own.
const IMPORTS_MAX: usize = 200;

/// The imports that this linker has not, in the component's order, each with what is
/// missing. Empty where that cannot be told.
///
/// Tries one import at a time: those before it are the linker's, or have stand-ins once
/// they are known to be missing, and those after it have stand-ins.
pub(super) fn imports(linker: &Linker<AttemptState>, component: &Component) -> Vec<String> {
    let engine = component.engine();
    let ty = component.component_type();
    let imports: Vec<(&str, ComponentItem)> =
        ty.imports(engine).map(|(name, import)| (name, import.ty)).collect();
    if imports.len() > IMPORTS_MAX {
        return Vec::new();
    }
    let (mut missing, mut texts) = (vec![false; imports.len()], Vec::new());
    for tried in 0..imports.len() {
        let mut linker = linker.clone();
        linker.allow_shadowing(true);
        let mut known = Vec::new();
        for (index, (name, item)) in imports.iter().enumerate() {
            let stands_in = index > tried || missing[index];
            if stands_in && stand_in(&mut linker, name, item, &mut known).is_err() {
                return Vec::new();
            }
            if !stands_in && let ComponentItem::ComponentInstance(instance) = item {
                known.extend(
                    instance.exports(engine).filter_map(|(_, export)| resource(&export.ty)),
                );
            }
        }
        if let Err(error) = linker.instantiate_pre(component) {
            missing[tried] = true;
            texts.push(text(imports[tried].0, &error));
        }
    }
    texts
}

fn stand_in(
    linker: &mut Linker<AttemptState>,
    name: &str,
    item: &ComponentItem,
    known: &mut Vec<ResourceType>,
) -> wasmtime::Result<()> {
    let engine = linker.engine().clone();
    match item {
        ComponentItem::ComponentInstance(instance) => {
            // The whole interface anew, whatever the host has by that name.
            let mut root = linker.root();
            let mut inner = root.instance(name)?;
            stub(&mut inner, name, instance, known, &engine)
        }
        ComponentItem::ComponentFunc(_) => {
            linker.root().func_new(name, |_store, _ty, _arguments, _results| Ok(()))
        }
        ComponentItem::Resource(ty) if !known.contains(ty) => {
            known.push(*ty);
            linker.root().resource(name, ResourceType::host::<()>(), |_store, _rep| Ok(()))
        }
        ComponentItem::Module(_) | ComponentItem::Component(_) | ComponentItem::CoreFunc(_) => {
            Err(wasmtime::Error::msg("a module or component is imported"))
        }
        ComponentItem::Resource(_) | ComponentItem::Type(_) => Ok(()),
    }
}

/// The import's name, with the part of it that is not there where that says more.
fn text(name: &str, error: &wasmtime::Error) -> String {
    let part = error.chain().map(|cause| cause.to_string()).find_map(|cause| {
        let (_, rest) = cause.split_once("instance export `")?;
        rest.split_once('`').map(|(part, _)| part.to_owned())
    });
    match part {
        Some(part) => format!("{name} (its `{part}`)"),
        None => name.to_owned(),
    }
}
