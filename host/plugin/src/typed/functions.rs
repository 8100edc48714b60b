//! The functions that a component exports, by the names that workflows use: `func`, or
//! `ns:pkg/iface#func`, also without the interface's version where that is unique.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use wasmtime::Engine;
use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{Component, ComponentExportIndex};

use super::expected::did_you_mean;
use super::path::Path;
use super::value_type::{Fields, Maker, Refused, ValueType};

/// The interface of the step world, whatever its version: its functions are no steps.
const STEPS: &str = "wfhost:step/steps";

/// More exports are no component that somebody calls.
const FUNCTIONS_MAX: usize = 10_000;

/// Some component exports more than this host keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the component exports more than {FUNCTIONS_MAX} functions")]
pub(crate) struct TooMany;

/// An exported function.
pub(crate) struct Function {
    name: String,
    pub(crate) export: ComponentExportIndex,
    ty: ComponentFunc,
    signature: OnceLock<Result<Signature, Refused>>,
}

/// What a function takes and gives, as JSON carries it.
#[derive(Debug)]
pub(crate) struct Signature {
    pub(crate) parameters: Fields,
    pub(crate) result: Option<ValueType>,
}

impl Function {
    /// What workflows call it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Its types, or why JSON cannot carry them.
    pub(crate) fn signature(&self) -> Result<&Signature, &Refused> {
        self.signature.get_or_init(|| Signature::of(&self.ty)).as_ref()
    }
}

impl Function {
    /// Its types, made anew.
    pub(crate) fn take(&self) -> Result<Signature, Refused> {
        Signature::of(&self.ty)
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Function").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Signature {
    pub(crate) fn of(ty: &ComponentFunc) -> Result<Self, Refused> {
        let mut maker = Maker::default();
        let (input, output) = (Path::root("its input"), Path::root("its result"));
        let parameters = ty
            .params()
            .map(|(name, ty)| Ok((name.to_owned(), maker.make(&ty, &input.field(name))?)));
        let parameters = Fields::new(parameters.collect::<Result<_, _>>()?);
        // A function has one result at most.
        let result = ty.results().next().map(|ty| maker.make(&ty, &output)).transpose()?;
        Ok(Self { parameters, result })
    }
}

/// What a component exports, in its order.
#[derive(Debug, Default)]
pub(crate) struct Functions {
    list: Vec<Arc<Function>>,
    names: HashMap<String, Named>,
}

#[derive(Debug, Clone, Copy)]
enum Named {
    One(usize),
    /// Without a version this is several functions.
    Several,
}

/// Why a name is no function.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unknown {
    #[error("the component has no function `{name}`{}{}", it_has(known), did_you_mean(name, known))]
    None { name: String, known: Vec<String> },
    #[error("`{name}` is {}: write the version", known.join(" or "))]
    Several { name: String, known: Vec<String> },
}

fn it_has(known: &[String]) -> String {
    if known.is_empty() { String::new() } else { format!("; it has {}", known.join(", ")) }
}

/// Names that an error lists.
const LISTED_MAX: usize = 12;

impl Functions {
    pub(crate) fn of(engine: &Engine, component: &Component) -> Result<Self, TooMany> {
        let mut functions = Self::default();
        for (name, export) in component.component_type().exports(engine) {
            match export.ty {
                ComponentItem::ComponentFunc(ty) => {
                    if let Some(index) = component.get_export_index(None, name) {
                        functions.add(name.to_owned(), index, ty)?;
                    }
                }
                ComponentItem::ComponentInstance(instance) if unversioned(name) != STEPS => {
                    let Some(index) = component.get_export_index(None, name) else { continue };
                    for (inner, export) in instance.exports(engine) {
                        if let ComponentItem::ComponentFunc(ty) = export.ty
                            && let Some(index) = component.get_export_index(Some(&index), inner)
                        {
                            functions.add(format!("{name}#{inner}"), index, ty)?;
                        }
                    }
                }
                ComponentItem::ComponentInstance(_)
                | ComponentItem::CoreFunc(_)
                | ComponentItem::Module(_)
                | ComponentItem::Component(_)
                | ComponentItem::Type(_)
                | ComponentItem::Resource(_) => {}
            }
        }
        Ok(functions)
    }

    fn add(
        &mut self,
        name: String,
        export: ComponentExportIndex,
        ty: ComponentFunc,
    ) -> Result<(), TooMany> {
        let index = self.list.len();
        if index >= FUNCTIONS_MAX {
            return Err(TooMany);
        }
        if let Some(short) = without_version(&name) {
            let named =
                if self.names.contains_key(&short) { Named::Several } else { Named::One(index) };
            self.names.insert(short, named);
        }
        self.names.insert(name.clone(), Named::One(index));
        self.list.push(Arc::new(Function { name, export, ty, signature: OnceLock::new() }));
        Ok(())
    }

    /// The function that a workflow means by `name`.
    pub(crate) fn find(&self, name: &str) -> Option<Result<&Arc<Function>, Unknown>> {
        match self.names.get(name)? {
            Named::One(index) => self.list.get(*index).map(Ok),
            Named::Several => Some(Err(Unknown::Several {
                name: name.to_owned(),
                known: self.known(|known| without_version(known).as_deref() == Some(name)),
            })),
        }
    }

    /// The error for a name that nothing has.
    pub(crate) fn unknown(&self, name: &str) -> Unknown {
        Unknown::None { name: crate::failure::bounded(name, 256), known: self.known(|_any| true) }
    }

    fn known(&self, pick: impl Fn(&str) -> bool) -> Vec<String> {
        let names = self.list.iter().map(|function| function.name()).filter(|name| pick(name));
        names.take(LISTED_MAX).map(str::to_owned).collect()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Function>> {
        self.list.iter()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

/// An interface's name without `@version`.
fn unversioned(interface: &str) -> &str {
    interface.split_once('@').map_or(interface, |(name, _)| name)
}

/// `ns:pkg/iface#func` of `ns:pkg/iface@1.0.0#func`.
fn without_version(name: &str) -> Option<String> {
    let (interface, function) = name.split_once('#')?;
    let short = unversioned(interface);
    (short.len() < interface.len()).then(|| format!("{short}#{function}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_may_be_left_out_where_it_is_unique() {
        assert_eq!(without_version("a:b/c@1.0.0-x#f").as_deref(), Some("a:b/c#f"));
        assert_eq!(without_version("a:b/c#f"), None);
        assert_eq!(without_version("f"), None);
    }
}
