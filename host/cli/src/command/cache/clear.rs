//! `wfhost cache clear [DIGEST]`.

use clap::Args;
use serde_json::json;

use super::{failed, options};
use crate::command::Context;
use crate::error::{CommandError, Result};
use crate::exit_code::ExitCode;
use crate::shown::size;

/// Remove what is kept of compiled plugins; they are compiled anew when they are used
#[derive(Debug, Args)]
#[command(after_help = "\
Runs that are under way are not disturbed.

Examples:
  wfhost cache clear
  wfhost cache clear 3f9a0c")]
pub(crate) struct ClearArgs {
    /// Only those whose digest begins like this, as `wfhost cache list` shows it
    #[arg(value_name = "DIGEST", value_parser = parse_prefix)]
    digest: Option<String>,
}

impl ClearArgs {
    pub(super) fn carry_out(self, context: &Context) -> Result<ExitCode> {
        let prefix = self.digest.unwrap_or_default();
        let cleared = options()?.clear(&prefix).map_err(failed)?;
        if cleared.components == 0 && !prefix.is_empty() {
            return Err(CommandError::usage(format!(
                "nothing in the cache begins with `{prefix}`"
            ))
            .hint("`wfhost cache list` shows what there is"));
        }
        if context.output.is_json() {
            context
                .output
                .json(&json!({ "components": cleared.components, "bytes": cleared.bytes }))?;
        } else {
            let noun = if cleared.components == 1 { "component" } else { "components" };
            context.output.note(&format!(
                "removed {} {noun}, {} freed",
                cleared.components,
                size(cleared.bytes)
            ));
        }
        Ok(ExitCode::Done)
    }
}

fn parse_prefix(text: &str) -> std::result::Result<String, String> {
    let digits = text.strip_prefix("sha256:").unwrap_or(text);
    let is_hex = |c: char| c.is_ascii_hexdigit() && !c.is_ascii_uppercase();
    if !digits.is_empty() && digits.len() <= 64 && digits.chars().all(is_hex) {
        Ok(digits.to_owned())
    } else {
        Err("expected the beginning of a digest: digits and letters from a to f".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_named_by_its_beginning() {
        assert_eq!(parse_prefix("3f9a").as_deref(), Ok("3f9a"));
        assert_eq!(parse_prefix("sha256:3f").as_deref(), Ok("3f"));
        for wrong in ["", "sha256:", "3F", "xyz", "../x"] {
            assert!(parse_prefix(wrong).is_err(), "{wrong}");
        }
    }
}
