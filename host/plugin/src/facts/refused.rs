//! What has no JSON: handles, streams, futures and error contexts, wherever they are.

use std::collections::HashMap;

use wit_parser::{Function, FunctionKind, Handle, Resolve, Type, TypeDefKind, TypeId};

/// Remembers the types it has looked at, as they are shared.
pub(super) struct Refusals<'a> {
    resolve: &'a Resolve,
    known: HashMap<TypeId, Option<String>>,
}

impl<'a> Refusals<'a> {
    pub(super) fn new(resolve: &'a Resolve) -> Self {
        Self { resolve, known: HashMap::new() }
    }

    /// Why a workflow cannot call `function`, if it cannot.
    pub(super) fn of(&mut self, function: &Function) -> Option<String> {
        if let Some(resource) = function.kind.resource() {
            let resource = self.name(resource);
            let what = match function.kind {
                FunctionKind::Constructor(_) => "makes",
                _ => "belongs to",
            };
            return Some(format!("it {what} the resource `{resource}`: handles have no JSON"));
        }
        for param in &function.params {
            if let Some(what) = self.ty(&param.ty) {
                return Some(format!("its parameter `{}` has {what}", param.name));
            }
        }
        let what = function.result.as_ref().and_then(|ty| self.ty(ty))?;
        Some(format!("its result has {what}"))
    }

    fn ty(&mut self, ty: &Type) -> Option<String> {
        match ty {
            Type::Id(id) => {
                if let Some(known) = self.known.get(id) {
                    return known.clone();
                }
                let found = self.kind(*id);
                self.known.insert(*id, found.clone());
                found
            }
            Type::ErrorContext => Some("an `error-context`, which has no JSON".to_owned()),
            _ => None,
        }
    }

    fn kind(&mut self, id: TypeId) -> Option<String> {
        let resolve = self.resolve;
        match &resolve.types[id].kind {
            TypeDefKind::Handle(Handle::Own(of)) => {
                Some(format!("an `own<{}>`: handles have no JSON", self.name(*of)))
            }
            TypeDefKind::Handle(Handle::Borrow(of)) => {
                Some(format!("a `borrow<{}>`: handles have no JSON", self.name(*of)))
            }
            TypeDefKind::Resource => {
                Some(format!("the resource `{}`: handles have no JSON", self.name(id)))
            }
            TypeDefKind::Future(_) => Some("a `future`, which has no JSON".to_owned()),
            TypeDefKind::Stream(_) => Some("a `stream`, which has no JSON".to_owned()),
            TypeDefKind::Record(it) => self.any(it.fields.iter().map(|field| &field.ty)),
            TypeDefKind::Tuple(it) => self.any(it.types.iter()),
            TypeDefKind::Variant(it) => {
                self.any(it.cases.iter().filter_map(|case| case.ty.as_ref()))
            }
            TypeDefKind::Result(it) => self.any(it.ok.iter().chain(&it.err)),
            TypeDefKind::Option(ty)
            | TypeDefKind::List(ty)
            | TypeDefKind::FixedLengthList(ty, _)
            | TypeDefKind::Type(ty) => self.ty(ty),
            TypeDefKind::Map(key, value) => self.ty(key).or_else(|| self.ty(value)),
            TypeDefKind::Flags(_) | TypeDefKind::Enum(_) | TypeDefKind::Unknown => None,
        }
    }

    fn any<'t>(&mut self, mut types: impl Iterator<Item = &'t Type>) -> Option<String> {
        types.find_map(|ty| self.ty(ty))
    }

    fn name(&self, id: TypeId) -> &'a str {
        self.resolve.types[id].name.as_deref().unwrap_or("_")
    }
}
