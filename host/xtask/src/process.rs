//! Running other programs. None of them gets our standard input: nothing here can hang on a
//! question.

use std::ffi::OsStr;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use crate::clock::Started;
use crate::failure::{Failure, Result};
use crate::{place, say};

/// How a time-limited program ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Well,
    Badly(String),
    TimedOut,
}

/// A program, without what `cargo run` put into our environment: build scripts that look at those
/// variables would run again.
pub(crate) fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    command.stdin(Stdio::null());
    for (variable, _) in std::env::vars_os() {
        let Some(name) = variable.to_str() else { continue };
        if name.starts_with("CARGO_PKG_")
            || matches!(
                name,
                "CARGO_MANIFEST_DIR"
                    | "CARGO_MANIFEST_PATH"
                    | "CARGO_MANIFEST_LINKS"
                    | "CARGO_PRIMARY_PACKAGE"
                    | "CARGO_BIN_NAME"
                    | "CARGO_CRATE_NAME"
            )
        {
            command.env_remove(name);
        }
    }
    command
}

/// The Cargo that started us, in the workspace's root.
pub(crate) fn cargo() -> Command {
    let mut command = program(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(place::root());
    command
}

/// Whether `cargo NAME` is there.
pub(crate) fn has_cargo_command(name: &str) -> bool {
    let mut command = cargo();
    command.args([name, "--version"]);
    succeeds(&mut command)
}

/// Runs it, with its output shown.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().map_err(|e| cannot_start(command, &e))?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(format!("`{}` failed ({status})", shown(command))))
}

/// Runs it and takes its standard output; its standard error is shown only if it fails.
pub(crate) fn capture(command: &mut Command) -> Result<String> {
    let output = command.output().map_err(|e| cannot_start(command, &e))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(Failure::new(format!("`{}` failed ({})", shown(command), output.status))
        .hint(last_lines(&output)))
}

/// Runs it and takes its standard output, with its standard error shown.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output =
        command.stderr(Stdio::inherit()).output().map_err(|e| cannot_start(command, &e))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(Failure::new(format!("`{}` failed ({})", shown(command), output.status)))
}

/// Runs it silently.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Runs it with its output shown, and ends it when the time is up.
pub(crate) fn run_within(command: &mut Command, limit: Duration) -> Result<Ended> {
    let mut child = command.spawn().map_err(|e| cannot_start(command, &e))?;
    let started = Started::now();
    loop {
        let ended = child.try_wait().map_err(|e| cannot_start(command, &e))?;
        match ended {
            Some(status) if status.success() => return Ok(Ended::Well),
            Some(status) => return Ok(Ended::Badly(status.to_string())),
            None if started.elapsed() > limit => {
                // It may have ended just now; either way it is gone after `wait`.
                let _ignored = child.kill();
                child.wait().map_err(|e| cannot_start(command, &e))?;
                return Ok(Ended::TimedOut);
            }
            None => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

/// As a person would type it, with the variables that it sets.
pub(crate) fn shown(command: &Command) -> String {
    let set = command
        .get_envs()
        .filter_map(|(name, value)| Some(format!("{}={}", name.to_string_lossy(), quoted(value?))));
    // Cargo starts us with the full path of itself.
    let program = match std::path::Path::new(command.get_program()).file_name() {
        Some(name) if std::env::var_os("CARGO").as_deref() == Some(command.get_program()) => name,
        _ => command.get_program(),
    };
    set.chain(std::iter::once(quoted(program)))
        .chain(command.get_args().map(quoted))
        .collect::<Vec<_>>()
        .join(" ")
}

/// Says what is being run, then runs it.
pub(crate) fn run_shown(command: &mut Command) -> Result<()> {
    say::step(&shown(command));
    run(command)
}

fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    if !word.is_empty() && !word.contains([' ', '\'', '"', '$', '(', ')', '*', '&', ';', '|']) {
        return word.into_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn cannot_start(command: &Command, error: &std::io::Error) -> Failure {
    Failure::new(format!("cannot run `{}`: {error}", shown(command)))
}

fn last_lines(output: &Output) -> String {
    const LINES_SHOWN: usize = 30;
    let text = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(LINES_SHOWN)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_it_is_typed() {
        let mut command = Command::new("apt-get");
        command.args(["install", "a b", "it's"]).env("DEBIAN_FRONTEND", "noninteractive");
        assert_eq!(
            shown(&command),
            r"DEBIAN_FRONTEND=noninteractive apt-get install 'a b' 'it'\''s'"
        );
    }

    #[test]
    fn a_program_that_takes_too_long_is_ended() {
        let started = Started::now();
        let mut command = program("sleep");
        command.arg("60");
        let ended = run_within(&mut command, Duration::from_millis(100)).expect("sleep is there");
        assert_eq!(ended, Ended::TimedOut);
        assert!(started.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn a_failing_program_is_named_with_its_message() {
        let mut command = program("sh");
        command.args(["-c", "echo the reason >&2; exit 3"]);
        let failure = capture(&mut command).expect_err("it exits with 3").to_string();
        assert!(failure.contains("exit 3") && failure.contains("\n  the reason"), "{failure}");
    }
}
