//! What a component may import, and what it finds there: one linker for all, and for
//! those that import what is known but not granted, one of their own.

mod denied;
mod steps;
mod unoffered;

use std::sync::Arc;

use wasmtime::Engine;
use wasmtime::component::{Component, HasSelf, InstancePre, Linker};

use crate::Error;
use crate::ability::{files, progress, random, written};
use crate::bindings::{StepPre, kv, log};
use crate::replay;
use crate::state::AttemptState;
use crate::typed::functions::{Function, Functions, Unknown};

pub(crate) use denied::NotGranted;

/// What every step component exports.
const STEPS: &str = "wfhost:step/steps@0.1.0";

/// A component that only has to be instantiated, and what can be called in it.
pub(crate) struct Linked {
    pub(crate) instance: InstancePre<AttemptState>,
    /// The step world's side, if it has one.
    pub(crate) steps: Option<StepPre<AttemptState>>,
    pub(crate) functions: Functions,
}

/// What a name of a workflow means in a component.
pub(crate) enum Callee<'a> {
    /// One of the steps that it describes; `run` itself says if there is none of that name.
    Step(&'a StepPre<AttemptState>),
    /// An exported function.
    Function(&'a Arc<Function>),
}

impl Linked {
    pub(crate) fn callee(&self, name: &str) -> Result<Callee<'_>, Unknown> {
        match (self.functions.find(name), &self.steps) {
            (Some(found), _) => found.map(Callee::Function),
            (None, Some(steps)) => Ok(Callee::Step(steps)),
            (None, None) => Err(self.functions.unknown(name)),
        }
    }
}

/// One shape for all plugins: what an attempt may do is in its store.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<AttemptState>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    linker.allow_shadowing(true);
    files::link(&mut linker)?;
    written::link(&mut linker)?;
    random::link(&mut linker)?;
    replay::link(&mut linker)?;
    linker.allow_shadowing(false);
    log::add_to_linker::<_, HasSelf<AttemptState>>(&mut linker, |state| state)?;
    kv::add_to_linker::<_, HasSelf<AttemptState>>(&mut linker, |state| state)?;
    progress::link(&mut linker)?;
    Ok(linker)
}

/// Finds every import of a compiled component, and looks its functions up.
///
/// # Errors
/// [`Error::Import`] with every import that nobody offers, [`Error::WrongSteps`] or
/// [`Error::NoFunctions`].
pub(crate) fn link(linker: &Linker<AttemptState>, component: &Component) -> Result<Linked, Error> {
    let engine = linker.engine();
    steps::check(engine, component)?;
    let failed = |error: wasmtime::Error| Error::Compile(format!("{error:#}"));
    let instance = if denied::imports(component).next().is_some() {
        let mut linker = linker.clone();
        denied::define(&mut linker, component).map_err(failed)?;
        pre(&linker, component)?
    } else {
        pre(linker, component)?
    };
    let functions =
        Functions::of(engine, component).map_err(|many| Error::Compile(many.to_string()))?;
    let steps = match component.get_export_index(None, STEPS) {
        Some(_) => Some(StepPre::new(instance.clone()).map_err(failed)?),
        None => None,
    };
    if steps.is_none() && functions.is_empty() {
        let exports = component.component_type();
        let exports = exports.exports(engine).map(|(name, _)| name.to_owned()).collect();
        return Err(Error::NoFunctions { exports });
    }
    Ok(Linked { instance, steps, functions })
}

fn pre(
    linker: &Linker<AttemptState>,
    component: &Component,
) -> Result<InstancePre<AttemptState>, Error> {
    linker.instantiate_pre(component).map_err(|error| {
        let all = unoffered::imports(linker, component);
        Error::Import(if all.is_empty() { format!("{error:#}") } else { all.join("; ") })
    })
}
