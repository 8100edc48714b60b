//! `wfhost limits`.

use clap::Args;
use serde_json::{Value, json};
use wfhost_workflow::{Limit, OperatorLimits};

use super::Context;
use crate::error::Result;
use crate::exit_code::ExitCode;
use crate::output::Output;
use crate::shown;

/// List every limit of a step, with its default and what the operator permits
#[derive(Debug, Args)]
#[command(after_help = "\
A workflow sets a limit of a plugin with `plugins: { x: { limits: { memory: 64MiB } } }`, the
operator with `[limits]` in config.toml or with `--limit memory=64MiB`; the lowest holds.

Examples:
  wfhost limits
  wfhost limits --output json | jq '.[] | select(.operator != null)'")]
pub(crate) struct LimitsArgs {}

impl LimitsArgs {
    pub(crate) fn carry_out(self, context: &Context) -> Result<ExitCode> {
        let operator =
            OperatorLimits { config: context.config.limits, ..OperatorLimits::default() };
        write(&context.output, &operator)?;
        Ok(ExitCode::Done)
    }
}

fn write(output: &Output, operator: &OperatorLimits) -> Result<()> {
    if output.is_json() {
        return output.json(&Limit::ALL.map(|limit| limit_json(limit, operator)));
    }
    let mut table = shown::table(output, &["LIMIT", "DEFAULT", "OPERATOR", "LARGEST", "OF"]);
    for limit in Limit::ALL {
        let spec = limit.spec();
        let set = operator.of(limit).map_or_else(String::new, |(value, _)| limit.show(value));
        let (default, largest) = (limit.show(spec.default), limit.show(spec.largest));
        table.add_row([spec.name.to_owned(), default, set, largest, spec.docs.to_owned()]);
    }
    output.data(&shown::table_text(&table))
}

fn limit_json(limit: Limit, operator: &OperatorLimits) -> Value {
    let spec = limit.spec();
    json!({
        "limit": spec.name,
        "default": spec.default,
        "operator": operator.of(limit).map(|(value, _)| value),
        "least": spec.least,
        "largest": spec.largest,
        "docs": spec.docs,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Format;

    fn written(format: Format) -> String {
        let mut operator = OperatorLimits::default();
        operator.config.set(Limit::Memory, 64 << 20);
        let output = Output::captured(format);
        write(&output, &operator).unwrap();
        output.written().stdout
    }

    #[test]
    fn every_limit_has_a_line() {
        let text = written(Format::Text);
        assert_eq!(text.lines().count(), Limit::COUNT + 1);
        let memory = text.lines().find(|line| line.starts_with("memory ")).unwrap();
        let words: Vec<_> = memory.split_whitespace().take(4).collect();
        assert_eq!(words, ["memory", "512MiB", "64MiB", "32GiB"]);
        let values: Value = serde_json::from_str(&written(Format::Json)).unwrap();
        assert_eq!(values[0]["operator"], 64 << 20);
        assert_eq!(values[1]["operator"], Value::Null);
    }
}
