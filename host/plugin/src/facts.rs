//! What a component says of itself in its bytes: functions, imports, tools, WIT.
//!
//! Pure: no engine, nothing runs. The bytes are a stranger's, so whatever grows with them
//! has a bound, and a parser that panics fails this call alone.

mod docs;
mod functions;
mod imports;
mod model;
mod refused;
mod schema;
mod sections;
mod wit_text;

use std::borrow::Cow;
use std::thread;

use wfhost_workflow::Digest;
use wit_component::DecodedWasm;
use wit_parser::{Resolve, WorldId};

pub use self::model::{
    About, ComponentFacts, FunctionFacts, Import, Kind, Offer, Producer, STEPS_INTERFACE,
};
use self::sections::Sections;
use crate::Error;
use crate::compile::componentise;

/// Functions of one component; an artifact of any compiler has fewer by far.
const FUNCTIONS_MAX: usize = 10_000;
/// Imported interfaces and functions.
const IMPORTS_MAX: usize = 10_000;
/// A name of anything in WIT.
const NAME_BYTES_MAX: usize = 1024;

/// Types nest at most 100 deep in a valid component; this is plenty for that.
const STACK_BYTES: usize = 64 << 20;

/// Why a component's facts cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// Not a valid component, or one that WIT cannot express.
    #[error("{0}")]
    Invalid(String),
    /// More of something than is accepted.
    #[error("it has {what} than the {max} that are accepted")]
    TooMany {
        /// What, with "more" or "longer".
        what: &'static str,
        /// The bound.
        max: usize,
    },
}

/// Reads a component, or a core module that carries its WIT. Blocks for some milliseconds,
/// for a component of many megabytes some hundred.
///
/// # Errors
/// [`Error::NotWasm`], [`Error::TooLarge`], [`Error::Componentise`] or [`Error::Facts`].
pub fn of(bytes: &[u8]) -> Result<ComponentFacts, Error> {
    thread::scope(|scope| {
        thread::Builder::new()
            .name("wfhost-facts".to_owned())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, || read(bytes))
            .map_err(Error::Thread)?
            .join()
            .unwrap_or_else(|_panic| {
                Err(Unreadable::Invalid("its types are beyond what can be read".to_owned()).into())
            })
    })
}

fn read(bytes: &[u8]) -> Result<ComponentFacts, Error> {
    crate::compile::check_size(bytes)?;
    let sections = Sections::read(bytes)?;
    let mut component = match sections.kind {
        Kind::Component => Cow::Borrowed(bytes),
        Kind::CoreModule => Cow::Owned(componentise(bytes)?),
    };
    // A section of docs that does not fit its component would fail the decoder, so it is
    // put out of its sight and read apart.
    let docs = docs::hide(&mut component)?;
    let (mut resolve, world) = decode(&component)?;
    let docs = sections.docs.iter().copied().map(Cow::Borrowed).chain(docs);
    docs::put(docs, &mut resolve, world);
    check_names(&resolve)?;
    let functions = functions::exported(&resolve, world)?;
    let imports = imports::of(&resolve, world)?;
    Ok(ComponentFacts {
        digest: Digest::of(bytes),
        bytes: bytes.len() as u64,
        kind: sections.kind,
        about: sections.about,
        docs: resolve.worlds[world].docs.contents.clone().unwrap_or_default(),
        step_world: functions::step_world(&resolve, world),
        functions,
        wasi: imports::wasi_versions(&imports),
        imports,
        producers: sections.producers,
        core_modules: sections.core_modules,
        components: sections.components,
        memories: sections.memories,
        wit: wit_text::print(&resolve, world),
    })
}

fn decode(component: &[u8]) -> Result<(Resolve, WorldId), Unreadable> {
    match wit_component::decode(component) {
        Ok(DecodedWasm::Component(resolve, world)) => Ok((resolve, world)),
        Ok(DecodedWasm::WitPackage(..)) => {
            Err(Unreadable::Invalid("it is a WIT package, which has no code".to_owned()))
        }
        Err(error) => Err(Unreadable::Invalid(format!("{error:#}"))),
    }
}

/// With this, what is derived from a bounded number of names is bounded too.
fn check_names(resolve: &Resolve) -> Result<(), Unreadable> {
    use wit_parser::TypeDefKind;
    let fits = |name: &str| {
        if name.len() <= NAME_BYTES_MAX {
            return Ok(());
        }
        Err(Unreadable::TooMany { what: "a name of more bytes", max: NAME_BYTES_MAX })
    };
    for (_, ty) in &resolve.types {
        ty.name.as_deref().map_or(Ok(()), fits)?;
        match &ty.kind {
            TypeDefKind::Record(record) => record.fields.iter().try_for_each(|f| fits(&f.name))?,
            TypeDefKind::Variant(variant) => {
                variant.cases.iter().try_for_each(|case| fits(&case.name))?;
            }
            TypeDefKind::Enum(cases) => cases.cases.iter().try_for_each(|case| fits(&case.name))?,
            TypeDefKind::Flags(flags) => {
                flags.flags.iter().try_for_each(|flag| fits(&flag.name))?;
            }
            _ => {}
        }
    }
    let functions =
        resolve.interfaces.iter().flat_map(|(_, interface)| interface.functions.values());
    let items =
        resolve.worlds.iter().flat_map(|(_, world)| world.imports.iter().chain(&world.exports));
    let direct = items.filter_map(|(_, item)| match item {
        wit_parser::WorldItem::Function(function) => Some(function),
        wit_parser::WorldItem::Interface { .. } | wit_parser::WorldItem::Type { .. } => None,
    });
    for function in functions.chain(direct) {
        fits(&function.name)?;
        function.params.iter().try_for_each(|param| fits(&param.name))?;
    }
    for (_, interface) in &resolve.interfaces {
        interface.name.as_deref().map_or(Ok(()), fits)?;
    }
    for (_, package) in &resolve.packages {
        fits(&package.name.to_string())?;
    }
    let keys = resolve
        .worlds
        .iter()
        .flat_map(|(_, world)| world.imports.keys().chain(world.exports.keys()));
    for key in keys {
        fits(&resolve.name_world_key(key))?;
    }
    Ok(())
}
