//! `wfhost bundle verify FILE`.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use wfhost_bundle::Bundle;
use wfhost_bundle::trust::{Refused, Signer, Standing, Trust};

use crate::command::Context;
use crate::error::{CommandError, Result};
use crate::exit_code::ExitCode;
use crate::output::{Output, Tone};
use crate::shown::{bundle as shown, count};
use crate::{bundle_file, clock, sanitise};

/// Check a bundle: every file, every signature, and who may deploy it
#[derive(Debug, Args)]
#[command(after_help = "\
Every file is held against the bundle's digest, and every signature in it must be one of this
bundle. With a list of trusted keys it says who signed, and whether one of them may deploy a bundle
of this name now: that is what a server asks. Exit code 3 if the bundle is damaged, 4 if nobody who
may deploy it has signed it.

A list of trusted keys is a TOML file that only its owner can write; `wfhost bundle keygen` writes
an entry for it:
  [[keys]]
  id = \"ed25519:…\"
  comment = \"release team\"
  deploys = [\"my-agents\", \"team-*\"]
  expires = 2027-01-01T00:00:00Z
  [[revoked]]
  id = \"ed25519:…\"
  reason = \"a laptop was stolen\"

Examples:
  wfhost bundle verify my-agents-1.2.0.wfb
  wfhost bundle verify my-agents-1.2.0.wfb --trust trusted.toml
  wfhost bundle verify my-agents-1.2.0.wfb --trust trusted.toml --output json | jq .signatures")]
pub(crate) struct VerifyArgs {
    /// The bundle
    file: PathBuf,
    /// Keys that are trusted, and what each may deploy
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
}

/// What a list of keys says about a bundle.
struct Judged {
    signers: Vec<Signer>,
    refused: Option<Refused>,
}

impl VerifyArgs {
    pub(super) fn carry_out(self, context: &Context) -> Result<ExitCode> {
        let trust = self.trust.as_deref().map(bundle_file::trust).transpose()?;
        let bundle = bundle_file::read(&self.file)?;
        let judged = trust.map(|trust| judge(&trust, &bundle));
        let output = &context.output;
        if output.is_json() {
            output.json(&as_json(&bundle, judged.as_ref()))?;
        } else {
            output.data(&self.as_text(&bundle, judged.as_ref(), output))?;
        }
        match judged.and_then(|judged| judged.refused) {
            Some(refused) => Err(denied(&refused)),
            None => Ok(ExitCode::Done),
        }
    }

    fn as_text(&self, bundle: &Bundle, judged: Option<&Judged>, output: &Output) -> String {
        let mut lines = vec![
            format!(
                "{} {}: {}, all as the digest says",
                output.paint(Tone::Good, "ok"),
                sanitise::line(&self.file.display().to_string()),
                shown::summary(bundle),
            ),
            format!("   digest {}", bundle.digest()),
        ];
        match judged {
            None if bundle.signatures.is_empty() => {
                lines.push(format!("   signed {}", output.paint(Tone::Warn, "by nobody")));
            }
            None => {
                lines.extend(bundle.signatures.keys().map(|key| format!("   signed by {key}")));
                lines.push("   whether that counts, `--trust FILE` says".to_owned());
            }
            Some(judged) => {
                lines.extend(judged.signers.iter().map(|signer| signer_line(signer, output)));
                lines.push(match &judged.refused {
                    None => format!("   {}", output.paint(Tone::Good, "it may be deployed")),
                    Some(_) => format!(
                        "   {}: {}",
                        output.paint(Tone::Bad, "signed by nobody who may deploy it"),
                        count(judged.signers.len(), "signature"),
                    ),
                });
            }
        }
        lines.join("\n")
    }
}

fn judge(trust: &Trust, bundle: &Bundle) -> Judged {
    let (name, now) = (&bundle.manifest.name, clock::now());
    Judged {
        signers: trust.signers(name, &bundle.signatures, now),
        refused: trust.admit(name, &bundle.signatures, now).err(),
    }
}

fn denied(refused: &Refused) -> CommandError {
    let error = CommandError::new(ExitCode::Denied, anyhow::Error::msg(refused.to_string()));
    match refused {
        Refused::Unsigned { .. } => {
            error.hint("`wfhost bundle sign FILE --key KEY` signs it with a key that is trusted")
        }
        Refused::NotTrusted { .. } => error.hint(
            "sign it with a key that may deploy it, or let the list of trusted keys say that one of these may",
        ),
    }
}

fn signer_line(signer: &Signer, output: &Output) -> String {
    let tone = match signer.standing {
        Standing::Trusted => Tone::Good,
        Standing::Unknown | Standing::OtherNames(_) | Standing::NotYet(_) => Tone::Warn,
        Standing::Expired(_) | Standing::Revoked { .. } => Tone::Bad,
    };
    let standing = signer.standing.to_string();
    let standing = output.paint(tone, &sanitise::line(&standing));
    let comment = match signer.comment.as_str() {
        "" => String::new(),
        comment => format!(" ({})", sanitise::line(comment)),
    };
    format!("   signed by {}{comment}, which {standing}", signer.key)
}

fn as_json(bundle: &Bundle, judged: Option<&Judged>) -> Value {
    let signatures: Vec<Value> = match judged {
        None => bundle.signatures.keys().map(|key| json!({ "key": key.to_string() })).collect(),
        Some(judged) => judged.signers.iter().map(signer_json).collect(),
    };
    json!({
        "name": bundle.manifest.name,
        "version": bundle.manifest.version.to_string(),
        "digest": bundle.digest().to_string(),
        "files": bundle.tree.entries().len(),
        "signatures": signatures,
        "may_deploy": judged.map(|judged| judged.refused.is_none()),
    })
}

fn signer_json(signer: &Signer) -> Value {
    json!({
        "key": signer.key.to_string(),
        "comment": signer.comment,
        "trusted": signer.standing == Standing::Trusted,
        "standing": signer.standing.to_string(),
    })
}
