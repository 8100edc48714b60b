//! `wfhost run FILE`.
//!
//! Everything that can be refused is refused before anything is stored or started.

pub(crate) mod input;
mod permissions;

use std::path::{Path, PathBuf};

use clap::Args;
use wfhost_checkpoint::Content;
use wfhost_transport::client::{Request, RunView, ShownStatus, Start};
use wfhost_workflow::expression::RunFacts;
use wfhost_workflow::{AllowedDir, Digest, RunId};

use super::Context;
use super::serving::{End, ServeArgs, Serving};
use crate::engine::{Engine, LazyEngine};
use crate::error::{CommandError, Result};
use crate::exit_code::ExitCode;
use crate::session::Requests as _;
use crate::workflow_file::{Examined, LoadedPlugin, WorkflowFile};
use crate::{allowed_dir, outcome, run_id};
use input::Parameter;
use permissions::Operator;

/// Run a workflow and write its output
#[derive(Debug, Args)]
#[command(after_help = "\
The output goes to standard output as JSON; progress, run id and errors to standard error.
Where another process holds the data folder, the run is handed to it and followed.

Examples:
  wfhost run hello.yaml
  wfhost run hello.yaml -p name=Ada
  wfhost run brief.yaml --input '{\"folder\": \"texts\"}' --allow-dir texts
  wfhost run brief.yaml --input @input.json --slots 8 --output json > result.json")]
pub(crate) struct RunArgs {
    /// The workflow file
    file: PathBuf,
    /// The run's input: JSON, @FILE, or - for standard input
    #[arg(long, value_name = "JSON")]
    input: Option<String>,
    /// One field of the input, typed by the workflow's schema; stands over --input
    #[arg(short, value_name = "NAME=VALUE")]
    parameter: Vec<Parameter>,
    /// Allow the workflow to hand this directory, or one below it, to plugins that ask for it
    #[arg(long, value_name = "PATH[:ro|rw]", value_parser = allowed_dir::parse)]
    allow_dir: Vec<AllowedDir>,
    #[command(flatten)]
    serve: ServeArgs,
}

/// A run that nothing stands against.
struct Prepared {
    file: WorkflowFile,
    plugins: Vec<LoadedPlugin>,
    start: Start,
    engine: Engine,
}

impl RunArgs {
    pub(crate) fn carry_out(self, context: &Context) -> Result<ExitCode> {
        let prepared = self.prepare(context)?;
        let run = prepared.start.run;
        let mut serving =
            Serving::open(context, self.serve.purpose(&prepared.engine, &context.config))?;
        store_contents(context.data.path(), &self.serve, &prepared)?;
        serving.session().done(Request::Start(Box::new(prepared.start)))?;
        let place = match serving.session().holder() {
            Some(holder) => format!(" in process {}", holder.pid),
            None => String::new(),
        };
        context.output.note(&format!("run {run} of {}{place}", prepared.file.definition.name));
        finish(context, serving, run)
    }

    fn prepare(&self, context: &Context) -> Result<Prepared> {
        let make = || self.serve.engine(context);
        let mut engine = LazyEngine::new(&make);
        let examined = Examined::read(&self.file, &mut engine)?;
        let (file, plugins) = examined.into_valid(&context.output)?;
        let input = self.input.as_deref().map(input::read_json).transpose()?;
        let input = input::merged(file.definition.input.as_ref(), input, &self.parameter)?;
        let engine = engine.get()?;
        let run = run_id::new()?;
        let facts = RunFacts { id: run, workflow: file.definition.name.clone() };
        let mut allowed = self.allow_dir.clone();
        allowed.extend(context.data.allowed_dirs()?);
        let limits = self.serve.operator(&context.config);
        let mut operator =
            Operator { data: &context.data, output: &context.output, allowed, limits };
        let pinned = permissions::pin(&file, &plugins, &facts, &input, &mut operator)?;
        let definition = Digest::of(file.text.as_bytes());
        let start = Start { run, definition, input, plugins: pinned };
        Ok(Prepared { file, plugins, start, engine })
    }
}

/// Puts the definition and the components where the run will find them, whoever serves it.
fn store_contents(folder: &Path, serve: &ServeArgs, prepared: &Prepared) -> Result<()> {
    let put = || -> Result<(), wfhost_checkpoint::Error> {
        let content = Content::open(folder.join("content"), serve.durability().into())?;
        content.put(prepared.file.text.as_bytes())?;
        for plugin in &prepared.plugins {
            content.put(&plugin.component.bytes)?;
        }
        Ok(())
    };
    put().map_err(|error| CommandError::from(error).context("could not store the workflow"))
}

/// Follows the run, and writes what came of it.
pub(crate) fn finish(context: &Context, mut serving: Serving<'_>, run: RunId) -> Result<ExitCode> {
    match serving.see_to_the_end(run)? {
        End::Interrupted => Ok(serving.stop(run)),
        End::Over(view) => {
            let output = output_of(&mut serving, &view)?;
            serving.close();
            outcome::write(&context.output, &view, output.as_ref())
        }
    }
}

fn output_of(serving: &mut Serving<'_>, view: &RunView) -> Result<Option<wfhost_workflow::Json>> {
    match view.run.status {
        ShownStatus::Succeeded => serving.session().output(view.run.summary.run, None).map(Some),
        ShownStatus::Running
        | ShownStatus::Interrupted
        | ShownStatus::Failed
        | ShownStatus::Cancelled => Ok(None),
    }
}
