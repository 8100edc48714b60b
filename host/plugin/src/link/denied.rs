//! Interfaces that are known and not granted: a component that imports them loads, and
//! fails when it calls one of their functions.
//!
//! JavaScript components import `wasi:http` whether they use it or not.

use wasmtime::component::types::{ComponentInstance, ComponentItem};
use wasmtime::component::{Component, Linker, LinkerInstance, ResourceType};
use wfhost_workflow::{Failure, FailureKind};

use crate::state::AttemptState;

/// Interfaces of any version whose names begin like this.
const DENIED: [&str; 1] = ["wasi:http/"];

/// A guest called what it was not granted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the step called `{function}` of {interface}, and outbound HTTP is not granted")]
pub(crate) struct NotGranted {
    interface: String,
    function: String,
}

impl NotGranted {
    pub(crate) fn failure(&self) -> Failure {
        Failure::new(FailureKind::Denied, "http", self.to_string())
    }
}

/// What a denied interface's resources are to the host: nothing ever makes one.
struct Denied;

/// The denied interfaces that a component imports.
pub(crate) fn imports(component: &Component) -> impl Iterator<Item = (String, ComponentInstance)> {
    let engine = component.engine();
    let ty = component.component_type();
    let imports: Vec<_> = ty
        .imports(engine)
        .filter(|(name, _)| DENIED.iter().any(|denied| name.starts_with(denied)))
        .filter_map(|(name, import)| match import.ty {
            ComponentItem::ComponentInstance(instance) => Some((name.to_owned(), instance)),
            _ => None,
        })
        .collect();
    imports.into_iter()
}

/// Defines them as the component's own type wants them.
pub(crate) fn define(
    linker: &mut Linker<AttemptState>,
    component: &Component,
) -> wasmtime::Result<()> {
    let engine = component.engine();
    let denied: Vec<String> = imports(component).map(|(name, _)| name).collect();
    // In the imports' order: a resource that an earlier one has is only named again.
    let mut known = Vec::new();
    for (name, import) in component.component_type().imports(engine) {
        let ComponentItem::ComponentInstance(instance) = import.ty else { continue };
        if denied.iter().any(|denied| denied == name) {
            stub(&mut linker.instance(name)?, name, &instance, &mut known, engine)?;
        } else {
            for (_, export) in instance.exports(engine) {
                known.extend(resource(&export.ty));
            }
        }
    }
    Ok(())
}

/// Defines every function and every resource of its own of one interface.
pub(super) fn stub(
    linker: &mut LinkerInstance<'_, AttemptState>,
    interface: &str,
    instance: &ComponentInstance,
    known: &mut Vec<ResourceType>,
    engine: &wasmtime::Engine,
) -> wasmtime::Result<()> {
    for (name, export) in instance.exports(engine) {
        match &export.ty {
            ComponentItem::ComponentFunc(ty) => {
                let refused =
                    NotGranted { interface: interface.to_owned(), function: name.to_owned() };
                define_function(linker, name, ty.async_(), refused)?;
            }
            ComponentItem::Resource(ty) if !known.contains(ty) => {
                known.push(*ty);
                linker.resource(name, ResourceType::host::<Denied>(), |_store, _rep| Ok(()))?;
            }
            ComponentItem::ComponentInstance(_)
            | ComponentItem::CoreFunc(_)
            | ComponentItem::Module(_)
            | ComponentItem::Component(_)
            | ComponentItem::Type(_)
            | ComponentItem::Resource(_) => {}
        }
    }
    Ok(())
}

fn define_function(
    linker: &mut LinkerInstance<'_, AttemptState>,
    name: &str,
    is_async: bool,
    refused: NotGranted,
) -> wasmtime::Result<()> {
    if is_async {
        return linker.func_new_concurrent(name, move |_accessor, _ty, _arguments, _results| {
            let refused = refused.clone();
            Box::pin(async move { Err(refused.into()) })
        });
    }
    linker.func_new(name, move |_store, _ty, _arguments, _results| Err(refused.clone().into()))
}

pub(super) fn resource(item: &ComponentItem) -> Option<ResourceType> {
    match item {
        ComponentItem::Resource(ty) => Some(*ty),
        ComponentItem::ComponentFunc(_)
        | ComponentItem::ComponentInstance(_)
        | ComponentItem::CoreFunc(_)
        | ComponentItem::Module(_)
        | ComponentItem::Component(_)
        | ComponentItem::Type(_) => None,
    }
}
