//! Doc comments of WIT, as they travel in a section of their own, put where they belong.
//!
//! The section is a package's, a component has parts of several, and tools lose what is not
//! theirs: whatever has no place is left out, and no section makes a component unreadable.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use wit_parser::{
    Docs, Function, InterfaceId, Resolve, TypeDefKind, TypeId, WorldId, WorldItem, WorldKey,
};

use super::sections::{DOCS_SECTION, Sections};
use crate::Error;

/// One doc comment.
const DOC_BYTES_MAX: usize = 16 << 10;

#[derive(Deserialize, Default)]
#[serde(default)]
struct Package {
    docs: Option<String>,
    worlds: BTreeMap<String, World>,
    interfaces: BTreeMap<String, Interface>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct World {
    docs: Option<String>,
    interfaces: BTreeMap<String, Interface>,
    interface_exports: BTreeMap<String, Interface>,
    types: BTreeMap<String, TypeDocs>,
    funcs: BTreeMap<String, FunctionDocs>,
    func_exports: BTreeMap<String, FunctionDocs>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Interface {
    docs: Option<String>,
    funcs: BTreeMap<String, FunctionDocs>,
    types: BTreeMap<String, TypeDocs>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum FunctionDocs {
    Text(Option<String>),
    More { docs: Option<String> },
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct TypeDocs {
    docs: Option<String>,
    items: BTreeMap<String, String>,
}

/// Takes the sections of docs out of the decoder's sight, which fails on those that do not
/// fit. What they say comes back where `component` was made here, and is known otherwise.
pub(super) fn hide(component: &mut Cow<'_, [u8]>) -> Result<Vec<Cow<'static, [u8]>>, Error> {
    let sections = Sections::read(component)?;
    let names = sections.docs_names;
    let made_here = matches!(component, Cow::Owned(_));
    let mut docs = Vec::new();
    if made_here {
        docs.extend(sections.docs.iter().map(|docs| Cow::Owned(docs.to_vec())));
    }
    if !names.is_empty() {
        let component = component.to_mut();
        for at in names {
            component[at..at + DOCS_SECTION.len()].fill(b'-');
        }
    }
    Ok(docs)
}

/// Puts docs to functions, types and their parts; the first word on something counts.
pub(super) fn put<'a>(
    sections: impl Iterator<Item = Cow<'a, [u8]>>,
    resolve: &mut Resolve,
    world: WorldId,
) {
    for section in sections {
        // One byte of a version, then JSON.
        let Some((0 | 1, json)) = section.split_first() else { continue };
        let Ok(package) = serde_json::from_slice::<Package>(json) else { continue };
        let root = resolve.worlds[world].package;
        if let Some(root) = root {
            add(&mut resolve.packages[root].docs, package.docs);
        }
        for docs in package.worlds.into_values() {
            put_world(docs, resolve, world);
        }
        for (name, docs) in package.interfaces {
            let has_name = |id: &InterfaceId| resolve.interfaces[*id].name.as_ref() == Some(&name);
            let ids: Vec<_> =
                resolve.interfaces.iter().map(|(id, _)| id).filter(has_name).collect();
            for id in ids {
                put_interface(&docs, resolve, id);
            }
        }
    }
}

fn put_world(docs: World, resolve: &mut Resolve, world: WorldId) {
    add(&mut resolve.worlds[world].docs, docs.docs);
    for (name, function_docs) in docs.funcs.into_iter().chain(docs.func_exports) {
        let key = WorldKey::Name(name);
        let world = &mut resolve.worlds[world];
        for item in [world.imports.get_mut(&key), world.exports.get_mut(&key)].into_iter().flatten()
        {
            if let WorldItem::Function(function) = item {
                put_function(&function_docs, function);
            }
        }
    }
    for (name, interface) in docs.interfaces.into_iter().chain(docs.interface_exports) {
        let key = WorldKey::Name(name);
        let place = &resolve.worlds[world];
        let items = [place.imports.get(&key), place.exports.get(&key)];
        let ids = items.map(|item| match item {
            Some(WorldItem::Interface { id, .. }) => Some(*id),
            _ => None,
        });
        for id in ids.into_iter().flatten() {
            put_interface(&interface, resolve, id);
        }
    }
    for (name, ty) in docs.types {
        if let Some(WorldItem::Type { id, .. }) =
            resolve.worlds[world].imports.get(&WorldKey::Name(name))
        {
            let id = *id;
            put_type(&ty, resolve, id);
        }
    }
}

fn put_interface(docs: &Interface, resolve: &mut Resolve, id: InterfaceId) {
    let interface = &mut resolve.interfaces[id];
    add(&mut interface.docs, docs.docs.clone());
    for (name, function_docs) in &docs.funcs {
        if let Some(function) = interface.functions.get_mut(name) {
            put_function(function_docs, function);
        }
    }
    for (name, ty) in &docs.types {
        if let Some(id) = resolve.interfaces[id].types.get(name).copied() {
            put_type(ty, resolve, id);
        }
    }
}

fn put_function(docs: &FunctionDocs, function: &mut Function) {
    let (FunctionDocs::Text(docs) | FunctionDocs::More { docs }) = docs;
    add(&mut function.docs, docs.clone());
}

fn put_type(docs: &TypeDocs, resolve: &mut Resolve, id: TypeId) {
    let ty = &mut resolve.types[id];
    add(&mut ty.docs, docs.docs.clone());
    let of = |name: &String| docs.items.get(name).cloned();
    match &mut ty.kind {
        TypeDefKind::Record(it) => {
            it.fields.iter_mut().for_each(|field| add(&mut field.docs, of(&field.name)));
        }
        TypeDefKind::Variant(it) => {
            it.cases.iter_mut().for_each(|case| add(&mut case.docs, of(&case.name)));
        }
        TypeDefKind::Enum(it) => {
            it.cases.iter_mut().for_each(|case| add(&mut case.docs, of(&case.name)));
        }
        TypeDefKind::Flags(it) => {
            it.flags.iter_mut().for_each(|flag| add(&mut flag.docs, of(&flag.name)));
        }
        _ => {}
    }
}

fn add(place: &mut Docs, text: Option<String>) {
    if place.contents.is_none() {
        place.contents = text.map(|text| crate::failure::bounded(&text, DOC_BYTES_MAX));
    }
}
