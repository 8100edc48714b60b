//! `wfhost plugin call FILE FUNC JSON`: one attempt of one step, without a data folder.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde_json::json;
use wfhost_plugin::{
    Completion, Invocation, LogLevel as GuestLevel, Plugin, StepContext, StepSink,
};
use wfhost_transport::client::ShownLogLine;
use wfhost_transport::message::{LogLevel, LogLine};
use wfhost_workflow::{
    Attempt, Contract, DirGrant, DurationMs, Failure, Json, Limits, RunId, Schema, TimestampMs,
};

use crate::command::run::input::read_json;
use crate::command::{Context, SandboxArgs};
use crate::engine::{Engine, EngineSetup};
use crate::error::{CommandError, Result};
use crate::exit_code::ExitCode;
use crate::output::Output;
use crate::workflow_file::Component;
use crate::{allowed_dir, clock, log_line, run_id};

/// Call one function of a plugin, in its sandbox, and write its output
#[derive(Debug, Args)]
#[command(after_help = "\
Nothing is stored. Log lines go to standard error.

Examples:
  wfhost plugin call hello.wasm greet '{\"name\": \"Ada\"}'
  wfhost plugin call text.wasm extract @input.json --dir /in=texts
  echo '{}' | wfhost plugin call text.wasm report - --timeout 10s --dir /out=out:rw")]
pub(crate) struct CallArgs {
    /// The component
    file: PathBuf,
    /// The name of one of its functions
    function: String,
    /// The input: JSON, @FILE, or - for standard input
    #[arg(default_value = "{}", value_name = "JSON")]
    input: String,
    /// Give it a directory, by the path that it sees
    #[arg(long, value_name = "/GUEST=PATH[:ro|rw]", value_parser = parse_dir)]
    dir: Vec<DirGrant>,
    /// How long it may take
    #[arg(long, value_name = "SPAN", default_value = "60s", value_parser = clock::parse_span)]
    timeout: DurationMs,
    /// Same input, same output: clock and randomness follow from the function's name alone
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    sandbox: SandboxArgs,
}

fn strict(engine: &Engine, component: &Component) -> Result<Arc<Plugin>> {
    let shape = engine.host().shape(&Limits::default(), true);
    let load = engine.host().load(Arc::clone(&component.bytes), component.digest, shape);
    engine.runtime().block_on(load).map_err(|error| CommandError::invalid(error.to_string()))
}

impl CallArgs {
    pub(crate) fn carry_out(self, context: &Context) -> Result<ExitCode> {
        let input = read_json(&self.input)?;
        let component = Component::read(&self.file).map_err(CommandError::usage)?;
        let config = &context.config;
        let setup = EngineSetup::new(1, config).with(&self.sandbox, config);
        let engine = Engine::new(setup, &context.output)?;
        let (plugin, contracts) = engine.load(&component).map_err(|message| {
            CommandError::invalid(message).context(self.file.display().to_string())
        })?;
        // Names the place in the input and the type that it has to have.
        let typed = engine.host().check_call(&plugin, &self.function, &input);
        let unknown = typed.as_ref().is_err_and(|failure| failure.code == "unknown-step");
        if let Err(failure) = typed
            && !unknown
        {
            return Err(CommandError::invalid(failure.message));
        }
        check_call(&contracts, &self.function, &input)?;
        let plugin = if self.strict { strict(&engine, &component)? } else { plugin };
        // A strict call is the same each time, and what it is told of itself has to be.
        let run = if self.strict { RunId::new(TimestampMs(0), 0) } else { run_id::new()? };
        let invocation = Invocation {
            context: StepContext {
                run,
                workflow: "plugin-call".into(),
                step: self.function.as_str().into(),
                index: None,
                attempt: Attempt::FIRST,
                idempotency_key: run.to_string(),
                trace_parent: None,
            },
            function: self.function,
            input,
            dirs: self.dir,
            alias: None,
            limits: Limits::default(),
            timeout: self.timeout.to_std(),
            kv: Arc::default(),
            sink: Arc::new(ToMessages { output: context.output.clone() }),
        };
        let ended = engine.runtime().block_on(engine.host().run(&plugin, invocation));
        write(&context.output, ended)
    }
}

fn write(output: &Output, ended: std::result::Result<Completion, Failure>) -> Result<ExitCode> {
    match ended {
        Ok(completion) => {
            output.json_text(completion.output.as_str())?;
            Ok(ExitCode::Done)
        }
        Err(failure) => {
            if output.is_json() {
                output.json(&json!({ "failure": {
                    "kind": failure.kind.name(),
                    "code": failure.code,
                    "message": failure.message,
                    "retry_after_ms": failure.retry_after.map(|span| span.0),
                }}))?;
            }
            Err(CommandError::new(ExitCode::RunFailed, anyhow::Error::msg(failure.to_string())))
        }
    }
}

/// The same checks that a workflow's call gets.
fn check_call(contracts: &[Contract], function: &str, input: &Json) -> Result<()> {
    let Some(contract) = Contract::find(contracts, function) else {
        let names: Vec<&str> = contracts.iter().map(|contract| contract.name.as_str()).collect();
        return Err(CommandError::usage(format!("the plugin has no function `{function}`"))
            .hint(format!("it has {}", names.join(", "))));
    };
    // A schema that cannot be compiled is for the plugin's own tests.
    let Ok(schema) = Schema::compile(&contract.input_schema) else { return Ok(()) };
    schema.check(input).map_err(|problems| {
        let report: Vec<String> = problems.iter().map(|problem| format!("  {problem}")).collect();
        CommandError::invalid(format!("the input does not fit `{function}`"))
            .report(report.join("\n"))
    })
}

/// Shows what the guest says.
struct ToMessages {
    output: Output,
}

impl StepSink for ToMessages {
    fn log(&self, level: GuestLevel, message: String, fields: Vec<(String, String)>) {
        let level = match level {
            GuestLevel::Trace => LogLevel::Trace,
            GuestLevel::Debug => LogLevel::Debug,
            GuestLevel::Info => LogLevel::Info,
            GuestLevel::Warn => LogLevel::Warn,
            GuestLevel::Error => LogLevel::Error,
        };
        let line = LogLine { at_ms: clock::now().0, level, message, fields };
        let shown = ShownLogLine { step: "plugin".to_owned(), index: None, attempt: 1, line };
        self.output.note(&log_line::text(&shown, &self.output));
    }

    fn progress(&self, _done: u64, _total: u64, _message: String) {}
}

fn parse_dir(argument: &str) -> std::result::Result<DirGrant, String> {
    let (guest_path, host) = argument
        .split_once('=')
        .filter(|(guest, _)| guest.starts_with('/'))
        .ok_or("expected /GUEST=PATH, /GUEST=PATH:ro or /GUEST=PATH:rw")?;
    let allowed = allowed_dir::parse(host)?;
    Ok(DirGrant {
        host_path: allowed.host_path,
        guest_path: guest_path.to_owned(),
        mode: allowed.mode,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Format;
    use wfhost_workflow::{DirMode, FailureKind};

    fn contract(schema: &str) -> Contract {
        let json = |text| Json::parse(text).unwrap();
        Contract {
            name: "greet".to_owned(),
            docs: String::new(),
            input_schema: json(schema),
            output_schema: json("true"),
        }
    }

    #[test]
    fn a_call_is_checked_before_it_is_made() {
        let contracts = [contract(r#"{"type":"object","required":["name"]}"#)];
        let check = |function, input, code| {
            let checked = check_call(&contracts, function, &Json::parse(input).unwrap());
            assert_eq!(checked.err().map(|error| error.code), code, "{function} {input}");
        };
        check("greet", r#"{"name":1}"#, None);
        check("greet", "{}", Some(ExitCode::Invalid));
        check("great", "{}", Some(ExitCode::Usage));
    }

    #[test]
    fn a_failure_names_its_kind() {
        let output = Output::captured(Format::Json);
        let failure = Failure::new(FailureKind::Limit, "memory", "too much");
        let error = write(&output, Err(failure)).unwrap_err();
        assert_eq!(
            (error.code, error.message().as_str()),
            (ExitCode::RunFailed, "limit (memory): too much")
        );
        assert!(output.written().stdout.contains(r#""code":"memory""#));
    }

    #[test]
    fn directories_have_the_guests_path_first() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().display();
        let grant = parse_dir(&format!("/in={path}:rw")).unwrap();
        assert_eq!((grant.guest_path.as_str(), grant.mode), ("/in", DirMode::ReadWrite));
        for wrong in [format!("in={path}"), format!("{path}"), "/in=/does/not/exist".to_owned()] {
            assert!(parse_dir(&wrong).is_err(), "{wrong}");
        }
    }
}
