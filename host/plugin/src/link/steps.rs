//! Whether what a component exports as the step world's interface is that interface. Only
//! the outline is compared: what is within a record shows at the first call.

use wasmtime::Engine;
use wasmtime::component::Component;
use wasmtime::component::types::{ComponentFunc, ComponentItem, Type};

use super::STEPS;
use crate::Error;

/// Refuses an interface of that name whose functions are others.
pub(super) fn check(engine: &Engine, component: &Component) -> Result<(), Error> {
    let ty = component.component_type();
    let Some(export) = ty.exports(engine).find(|(name, _)| *name == STEPS) else { return Ok(()) };
    let ComponentItem::ComponentInstance(steps) = export.1.ty else {
        return Err(Error::WrongSteps("it is no interface".to_owned()));
    };
    for (function, wanted, fits) in FUNCTIONS {
        let found = steps.exports(engine).find(|(name, _)| *name == function);
        match found.map(|(_, export)| export.ty) {
            Some(ComponentItem::ComponentFunc(ty)) if fits(&ty) => {}
            Some(_) => return Err(Error::WrongSteps(format!("`{function}` is not `{wanted}`"))),
            None => return Err(Error::WrongSteps(format!("there is no `{function}`"))),
        }
    }
    Ok(())
}

/// A function of the interface: its name, its type for people, and whether this is it.
type Wanted = (&'static str, &'static str, fn(&ComponentFunc) -> bool);

const FUNCTIONS: [Wanted; 2] = [
    ("describe", "func() -> list<description>", |ty| {
        ty.params().len() == 0 && matches!(results(ty)[..], [Type::List(_)])
    }),
    ("run", "func(name: string, context: context, input: string) -> result<string, error>", |ty| {
        let parameters: Vec<Type> = ty.params().map(|(_, ty)| ty).collect();
        matches!(parameters[..], [Type::String, Type::Record(_), Type::String])
            && matches!(results(ty)[..], [Type::Result(_)])
    }),
];

fn results(ty: &ComponentFunc) -> Vec<Type> {
    ty.results().collect()
}
