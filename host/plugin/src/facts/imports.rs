//! What a component imports, and whether this host has it.

use std::collections::BTreeSet;

use wit_parser::{InterfaceId, Resolve, TypeDefKind, WorldId, WorldItem, WorldKey};

use super::functions::split;
use super::model::{Import, Offer};
use super::{IMPORTS_MAX, Unreadable};

/// Grants of directories.
const DIRS: &str = "grants.dirs";

pub(super) fn of(resolve: &Resolve, world: WorldId) -> Result<Vec<Import>, Unreadable> {
    let imports = &resolve.worlds[world].imports;
    if imports.len() > IMPORTS_MAX {
        return Err(Unreadable::TooMany { what: "more imports", max: IMPORTS_MAX });
    }
    let mut found = Vec::new();
    for (key, item) in imports {
        let name = match key {
            WorldKey::Name(name) => name.clone(),
            WorldKey::Interface(_) => resolve.name_world_key(key),
        };
        let (interface, version) = split(&name);
        let (functions, offer) = match item {
            WorldItem::Interface { id, .. } => {
                let functions = resolve.interfaces[*id].functions.keys().cloned().collect();
                (functions, offer(interface, version, only_types(resolve, *id)))
            }
            WorldItem::Function(_) => {
                let because = "a host offers interfaces, and this is a function of its own";
                (Vec::new(), Offer::Never { because: because.to_owned() })
            }
            WorldItem::Type { .. } => continue,
        };
        let (interface, version) = (interface.to_owned(), version.map(str::to_owned));
        found.push(Import { name, interface, version, functions, offer });
    }
    Ok(found)
}

/// The versions of WASI that are imported, each once.
pub(super) fn wasi_versions(imports: &[Import]) -> Vec<String> {
    let wasi = imports.iter().filter(|import| import.interface.starts_with("wasi:"));
    let versions: BTreeSet<_> = wasi.filter_map(|import| import.version.clone()).collect();
    versions.into_iter().collect()
}

/// An interface of nothing but plain types needs nobody to offer it.
fn only_types(resolve: &Resolve, id: InterfaceId) -> bool {
    let interface = &resolve.interfaces[id];
    let is_resource =
        |id: &wit_parser::TypeId| matches!(resolve.types[*id].kind, TypeDefKind::Resource);
    interface.functions.is_empty() && !interface.types.values().any(is_resource)
}

fn offer(interface: &str, version: Option<&str>, only_types: bool) -> Offer {
    if only_types {
        return Offer::Always;
    }
    let (package, name) = interface.split_once('/').unwrap_or((interface, ""));
    // Of any version: components of some languages import it whether they use it or not.
    if package == "wasi:http" {
        return denied();
    }
    let Some((track, offer)) = known(package, name) else {
        return Offer::Never { because: "no host of this kind has it".to_owned() };
    };
    let serves = version.is_some_and(|version| {
        version.strip_prefix(track).is_some_and(|rest| rest.starts_with('.'))
    });
    if serves {
        return offer;
    }
    Offer::Never { because: format!("this host has version {track} of it") }
}

fn denied() -> Offer {
    Offer::Denied { because: "this version has no grant for the network".to_owned() }
}

/// The interfaces that this host links, each with the line of versions that it serves.
fn known(package: &str, name: &str) -> Option<(&'static str, Offer)> {
    let offer = match (package, name) {
        ("wfhost:host", "log" | "progress" | "kv") => return Some(("0.1", Offer::Always)),
        ("wasi:io", "error" | "poll" | "streams")
        | ("wasi:clocks", "monotonic-clock" | "wall-clock")
        | ("wasi:random", "random" | "insecure" | "insecure-seed")
        | (
            "wasi:cli",
            "environment" | "exit" | "stdin" | "stdout" | "stderr" | "terminal-input"
            | "terminal-output" | "terminal-stdin" | "terminal-stdout" | "terminal-stderr",
        ) => Offer::Always,
        ("wasi:filesystem", "types" | "preopens") => Offer::ByGrant { grant: DIRS.to_owned() },
        (
            "wasi:sockets",
            "network" | "instance-network" | "tcp" | "tcp-create-socket" | "udp"
            | "udp-create-socket" | "ip-name-lookup",
        ) => denied(),
        _ => return None,
    };
    Some(("0.2", offer))
}
