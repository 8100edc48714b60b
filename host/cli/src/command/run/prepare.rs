//! What a run is started from, checked: shared by the commands that start one.

use std::path::PathBuf;

use clap::Args;
use wfhost_transport::client::{Request, Start};
use wfhost_workflow::expression::RunFacts;
use wfhost_workflow::{AllowedDir, Digest, OperatorLimits};

use super::input::{self, Parameter};
use super::permissions::{self, Operator};
use crate::command::Context;
use crate::engine::{Engine, LazyEngine};
use crate::error::Result;
use crate::session::{Requests as _, Session};
use crate::workflow_file::{Examined, LoadedPlugin, WorkflowFile};
use crate::{allowed_dir, run_id};

/// Which workflow, and with what.
#[derive(Debug, Args)]
pub(crate) struct WorkflowArgs {
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
}

/// A run that nothing stands against.
pub(crate) struct Prepared {
    pub(crate) file: WorkflowFile,
    pub(crate) plugins: Vec<LoadedPlugin>,
    pub(crate) start: Start,
    pub(crate) engine: Engine,
}

impl WorkflowArgs {
    /// Everything that can be refused is refused here.
    pub(crate) fn prepare(
        &self,
        context: &Context,
        make: &dyn Fn() -> Result<Engine>,
        limits: OperatorLimits,
    ) -> Result<Prepared> {
        let mut engine = LazyEngine::new(make);
        let examined = Examined::read(&self.file, &mut engine)?;
        let (file, plugins) = examined.into_valid(&context.output)?;
        let input = self.input.as_deref().map(input::read_json).transpose()?;
        let input = input::merged(file.definition.input.as_ref(), input, &self.parameter)?;
        let engine = engine.get()?;
        let run = run_id::new()?;
        let facts = RunFacts { id: run, workflow: file.definition.name.clone() };
        let mut allowed = self.allow_dir.clone();
        allowed.extend(context.data.allowed_dirs()?);
        let mut operator =
            Operator { data: &context.data, output: &context.output, allowed, limits };
        let pinned = permissions::pin(&file, &plugins, &facts, &input, &mut operator)?;
        let definition = Digest::of(file.text.as_bytes());
        let start = Start { run, definition, input, plugins: pinned };
        Ok(Prepared { file, plugins, start, engine })
    }
}

impl Prepared {
    /// Starts the run; done twice, it starts one.
    pub(crate) fn start_in(&self, session: &mut Session) -> Result<()> {
        let plugins =
            self.plugins.iter().map(|plugin| (plugin.component.digest, &*plugin.component.bytes));
        let text = (self.start.definition, self.file.text.as_bytes());
        let contents: Vec<_> = std::iter::once(text).chain(plugins).collect();
        session.store(&contents)?;
        session.done(Request::Start(Box::new(self.start.clone())))
    }
}
