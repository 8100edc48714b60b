//! `wfhost cache list`.

use clap::Args;
use serde_json::{Value, json};
use wfhost_plugin::cache::Listed;

use super::{failed, options};
use crate::command::Context;
use crate::error::Result;
use crate::exit_code::ExitCode;
use crate::output::Output;
use crate::shown::size;
use crate::{clock, shown};

/// Of a digest, in the table: enough for `cache clear`.
const DIGITS_SHOWN: usize = 12;

/// List what is kept of compiled plugins, used last first
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wfhost cache list
  wfhost cache list --output json | jq 'map(.bytes) | add'")]
pub(crate) struct ListArgs {}

impl ListArgs {
    pub(super) fn carry_out(self, context: &Context) -> Result<ExitCode> {
        let listed = options()?.list().map_err(failed)?;
        write(&context.output, &listed)?;
        Ok(ExitCode::Done)
    }
}

fn write(output: &Output, listed: &[Listed]) -> Result<()> {
    if output.is_json() {
        return output.json(&listed.iter().map(entry_json).collect::<Vec<_>>());
    }
    if listed.is_empty() {
        output.note("the cache is empty");
        return Ok(());
    }
    let mut table = shown::table(output, &["DIGEST", "SIZE", "USED", "ENGINE"]);
    for entry in listed {
        table.add_row([
            entry.digest.hex()[..DIGITS_SHOWN].to_owned(),
            size(entry.bytes),
            clock::local(entry.used),
            entry.engine.clone().unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    output.data(&table.to_string())?;
    let total = listed.iter().map(|entry| entry.bytes).sum();
    output.note(&format!("{} in all", size(total)));
    Ok(())
}

fn entry_json(entry: &Listed) -> Value {
    json!({
        "digest": entry.digest.to_string(),
        "bytes": entry.bytes,
        "used_at": clock::rfc3339(entry.used),
        "engine": entry.engine,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Format;
    use wfhost_workflow::{Digest, TimestampMs};

    fn entries() -> [Listed; 2] {
        let entry = |content: &[u8], engine: Option<&str>, bytes| Listed {
            digest: Digest::of(content),
            engine: engine.map(str::to_owned),
            bytes,
            used: TimestampMs(0),
        };
        [entry(b"a", Some("m4096-0123"), 37_000_000), entry(b"b", None, 900)]
    }

    #[test]
    fn text_is_a_table_with_a_sum() {
        let output = Output::captured(Format::Text);
        write(&output, &entries()).unwrap();
        let written = output.written();
        assert!(written.stdout.contains("37.0 MB") && written.stdout.contains("m4096-0123"));
        assert!(written.stdout.contains(&Digest::of(b"b").hex()[..12]), "{}", written.stdout);
        assert!(written.stderr.contains("37.0 MB in all"), "{}", written.stderr);
    }

    #[test]
    fn json_has_whole_digests() {
        let output = Output::captured(Format::Json);
        write(&output, &entries()).unwrap();
        let value: Value = serde_json::from_str(&output.written().stdout).unwrap();
        assert_eq!(value[0]["digest"], Digest::of(b"a").to_string());
        assert_eq!(value[1]["engine"], Value::Null);
    }
}
