//! What a check takes from a component's facts, besides its contracts.

use std::sync::Arc;

use wfhost_plugin::facts::ComponentFacts;
use wfhost_workflow::definition::{Checked, Code};
use wfhost_workflow::{Contract, Definition};

use crate::engine::Engine;
use crate::workflow_file::{Component, Contracts, LoadedPlugin};

/// `None`: the component cannot be described, which is said where it is loaded.
fn facts(engine: &Engine, component: &Component) -> Option<Arc<ComponentFacts>> {
    let read = engine.host().facts(Arc::clone(&component.bytes), component.digest);
    engine.runtime().block_on(read).ok()
}

/// What a component calls to get at any file; without it, the other functions have nothing to work on.
const OPENS_FILES: (&str, &str) = ("wasi:filesystem/types", "[method]descriptor.open-at");

/// Whether the component can open files, if that can be told.
pub(crate) fn uses_files(engine: &Engine, component: &Component) -> Option<bool> {
    let (interface, function) = OPENS_FILES;
    let facts = facts(engine, component)?;
    let mut imports = facts.imports.iter().filter(|import| import.interface == interface);
    Some(imports.any(|import| import.functions.iter().any(|name| name == function)))
}

/// Says why a function cannot be called that the component exports all the same.
pub(crate) fn tell_refused(
    checked: &mut Checked,
    definition: &Definition,
    plugins: &[Option<LoadedPlugin>],
    engine: &Engine,
) {
    let unknown = checked.problems.iter_mut().filter(|p| p.code == Code::UnknownFunction);
    for problem in unknown {
        let calls = definition.steps.iter().filter_map(|step| step.kind.call());
        let Some(call) = calls.into_iter().find(|call| call.at == problem.at) else { continue };
        let plugin = plugins.get(call.plugin).and_then(Option::as_ref);
        let Some(facts) = plugin.and_then(|plugin| facts(engine, &plugin.component)) else {
            continue;
        };
        let function = facts.function(&call.function);
        if let Some(reason) = function.and_then(|function| function.refused.as_ref()) {
            problem.code = Code::RefusedFunction;
            problem.message = format!("no workflow can call `{}`: {reason}", call.function);
            problem.hint = None;
        }
    }
}

/// Says which manifest keeps a function from workflows that its component has; `every` holds the
/// components' functions before manifests had their say.
pub(crate) fn tell_unlisted(
    checked: &mut Checked,
    definition: &Definition,
    plugins: &[Option<LoadedPlugin>],
    every: &Contracts,
) {
    let unknown = checked.problems.iter_mut().filter(|p| p.code == Code::UnknownFunction);
    for problem in unknown {
        let calls = definition.steps.iter().filter_map(|step| step.kind.call());
        let Some(call) = calls.into_iter().find(|call| call.at == problem.at) else { continue };
        let used = definition.plugins.get(call.plugin);
        let Some(all) = used.and_then(|used| every.get(&used.alias)) else { continue };
        let plugin = plugins.get(call.plugin).and_then(Option::as_ref);
        let manifest = plugin.and_then(|plugin| plugin.manifest.as_ref());
        if let (Some(manifest), Some(_)) = (manifest, Contract::find(all, &call.function)) {
            let path = manifest.path.display();
            problem.message = format!("`{}` is not among the `exports` of {path}", call.function);
            problem.hint = Some("what is not listed there is not meant for workflows".to_owned());
        }
    }
}
