//! `wfhost bundle diff OLD NEW`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use wfhost_bundle::diff::Diff;
use wfhost_bundle::{Bundle, on_disk};
use wfhost_workflow::Digest;

use crate::command::Context;
use crate::component_contracts::Told;
use crate::engine::{Engine, EngineSetup};
use crate::error::Result;
use crate::exit_code::ExitCode;
use crate::output::{Output, Tone};
use crate::shown::bundle_diff;
use crate::{bundle_file, sanitise};

/// Show what changes from one bundle to another
#[derive(Debug, Args)]
#[command(after_help = "\
Plugins, what their functions take and give, workflows, and first of all what a plugin asks for that
it did not ask for before. A function is compatible when workflows that call it go on working. A
component that is not known yet is compiled, which is done once; of a component that cannot be
loaded only the rest is said.

Examples:
  wfhost bundle diff my-agents-1.2.0.wfb my-agents-1.3.0.wfb
  wfhost bundle diff old.wfb new.wfb --exit-code -q
  wfhost bundle diff old.wfb new.wfb --output json | jq .widened")]
pub(crate) struct DiffArgs {
    /// The bundle as it was
    old: PathBuf,
    /// The bundle as it will be
    new: PathBuf,
    /// End with exit code 1 if they differ
    #[arg(long)]
    exit_code: bool,
}

impl DiffArgs {
    pub(super) fn carry_out(self, context: &Context) -> Result<ExitCode> {
        let (old, new) = (bundle_file::read(&self.old)?, bundle_file::read(&self.new)?);
        let output = &context.output;
        let wanted = compared(&old, &new);
        let mut told = Told::default();
        if !wanted.is_empty() {
            let engine = Engine::new(EngineSetup::new(1, &context.config), output)?;
            for (path, bundle) in [(&self.old, &old), (&self.new, &new)] {
                let own: BTreeSet<Digest> =
                    bundle.plugins.iter().map(|plugin| plugin.component.digest).collect();
                let wanted = own.intersection(&wanted).copied().collect();
                let mut file = on_disk::open(path).map_err(bundle_file::disk_error)?;
                told.ask(&mut file, &wanted, &engine)
                    .map_err(|error| bundle_file::content_error(path, error))?;
            }
        }
        for (path, why) in &told.untold {
            output.warn(&format!("{}: {}", sanitise::line(path), sanitise::line(why)));
        }
        let diff = Diff::between(&old, &new, &told.contracts);
        write(&old, &new, &diff, output)?;
        let differ = self.exit_code && !diff.is_same;
        Ok(if differ { ExitCode::RunFailed } else { ExitCode::Done })
    }
}

/// Components whose functions may change: those of plugins that are in both and are not the same.
fn compared(old: &Bundle, new: &Bundle) -> BTreeSet<Digest> {
    let mut wanted = BTreeSet::new();
    for after in &new.plugins {
        let same_name =
            |plugin: &&wfhost_bundle::BundledPlugin| plugin.manifest.name == after.manifest.name;
        let Some(before) = old.plugins.iter().find(same_name) else { continue };
        let digests = [before.component.digest, after.component.digest];
        if digests[0] != digests[1] || before.manifest.exports != after.manifest.exports {
            wanted.extend(digests);
        }
    }
    wanted
}

fn write(old: &Bundle, new: &Bundle, diff: &Diff, output: &Output) -> Result<()> {
    let title = |bundle: &Bundle| format!("{} {}", bundle.manifest.name, bundle.manifest.version);
    if output.is_json() {
        let mut value = bundle_diff::json(diff);
        let side = |bundle: &Bundle| {
            json!({
                "name": bundle.manifest.name,
                "version": bundle.manifest.version.to_string(),
                "digest": bundle.digest().to_string(),
            })
        };
        value["old"] = side(old);
        value["new"] = side(new);
        return output.json(&value);
    }
    if output.is_quiet() {
        return Ok(());
    }
    let after = if old.manifest.name == new.manifest.name {
        new.manifest.version.to_string()
    } else {
        title(new)
    };
    let heading = format!("{} → {after}", title(old));
    let mut lines = vec![output.paint(Tone::Strong, &heading)];
    lines.extend(bundle_diff::lines(diff, output));
    output.data(&lines.join("\n"))
}
