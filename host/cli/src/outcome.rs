//! What `run` and `resume` write when a run is over.

use serde::Serialize;
use serde_json::value::RawValue;
use wfhost_transport::client::{RunView, ShownStatus};
use wfhost_workflow::Json;

use crate::error::{CommandError, Result};
use crate::exit_code::ExitCode;
use crate::output::Output;
use crate::{clock, shown};

/// `--output json`: one object.
#[derive(Serialize)]
struct Outcome<'a> {
    run: String,
    workflow: &'a str,
    version: &'a str,
    status: &'static str,
    output: Option<Box<RawValue>>,
    error: Option<&'a str>,
    started_at: String,
    ended_at: String,
    steps: Vec<serde_json::Value>,
}

/// Writes the result to standard output, and the rest to standard error.
pub(crate) fn write(output: &Output, view: &RunView, result: Option<&Json>) -> Result<ExitCode> {
    let summary = &view.run.summary;
    if output.is_json() {
        output.json(&Outcome {
            run: summary.run.to_string(),
            workflow: &summary.workflow,
            version: &summary.version,
            status: shown::status_name(view.run.status),
            output: result.and_then(|json| RawValue::from_string(json.as_str().to_owned()).ok()),
            error: summary.error.as_deref(),
            started_at: clock::rfc3339(summary.started_at),
            ended_at: clock::rfc3339(summary.changed_at),
            steps: view.steps.iter().map(shown::step_json).collect(),
        })?;
    } else if let Some(json) = result {
        output.json_text(json.as_str())?;
    }
    let time = clock::span(summary.changed_at - summary.started_at);
    match view.run.status {
        ShownStatus::Succeeded => output.note(&format!("run {} succeeded in {time}", summary.run)),
        ShownStatus::Failed
        | ShownStatus::Cancelled
        | ShownStatus::Running
        | ShownStatus::Interrupted => {
            return Err(unsuccessful(view));
        }
    }
    Ok(ExitCode::of_status(view.run.status))
}

fn unsuccessful(view: &RunView) -> CommandError {
    let summary = &view.run.summary;
    let reason = summary.error.as_deref().unwrap_or("no reason is known");
    let message = format!("run {} {}: {reason}", summary.run, shown::status_name(view.run.status));
    CommandError::new(ExitCode::of_status(view.run.status), anyhow::Error::msg(message)).hint(
        format!(
            "`wfhost runs show {0}` shows its steps, `wfhost runs logs {0}` what they said",
            summary.run
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fakes::{step, view};
    use crate::output::Format;
    use wfhost_transport::client::StepShown;

    #[test]
    fn a_result_keeps_its_digits() {
        let view = view(1, ShownStatus::Succeeded, vec![step("a", StepShown::Done)]);
        let result = Json::parse("{\"n\":12345678901234567890123}").unwrap();
        let text = Output::captured(Format::Text);
        assert_eq!(write(&text, &view, Some(&result)).unwrap(), ExitCode::Done);
        assert_eq!(text.written().stdout, "{\"n\":12345678901234567890123}\n");
        let json = Output::captured(Format::Json);
        write(&json, &view, Some(&result)).unwrap();
        let stdout = json.written().stdout;
        assert!(stdout.contains("\"output\":{\"n\":12345678901234567890123}"), "{stdout}");
        assert!(stdout.contains("\"status\":\"succeeded\""), "{stdout}");
    }

    #[test]
    fn a_failed_run_is_an_error_with_its_reason() {
        let mut view = view(1, ShownStatus::Failed, vec![step("a", StepShown::Failed)]);
        view.run.summary.error = Some("step `a`: trap: unreachable".to_owned());
        let output = Output::captured(Format::Json);
        let error = write(&output, &view, None).unwrap_err();
        assert_eq!(error.code, ExitCode::RunFailed);
        assert!(
            error.message().ends_with("failed: step `a`: trap: unreachable"),
            "{}",
            error.message()
        );
        assert!(output.written().stdout.contains("\"output\":null"));
    }
}
