//! The command line, as values.

use std::path::PathBuf;
use std::time::Duration;

use crate::{check::Part, fuzz, help, setup::guest_target::Way};

/// What the user wants.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Help(&'static str),
    Demo { folder: Option<PathBuf> },
    Test { arguments: Vec<String> },
    Check { only: Option<Part> },
    Guests { way: Way },
    JsGuests,
    Bench { arguments: Vec<String> },
    Faults { arguments: Vec<String> },
    Fuzz(fuzz::Options),
}

/// Reads the words after `cargo xtask`; the error is for the user.
pub(crate) fn parse(words: &[String]) -> Result<Request, String> {
    let Some((command, rest)) = words.split_first() else {
        return Ok(Request::Help(help::ALL));
    };
    let text = match command.as_str() {
        "-h" | "--help" | "help" => {
            return match rest.first() {
                Some(about) => help::of(about).map(Request::Help).ok_or_else(|| unknown(about)),
                None => Ok(Request::Help(help::ALL)),
            };
        }
        name => help::of(name).ok_or_else(|| unknown(name))?,
    };
    if asks_for_help(rest) {
        return Ok(Request::Help(text));
    }
    match command.as_str() {
        "demo" => demo(rest),
        "test" => test(rest),
        "check" => check(rest),
        "guests" => guests(rest),
        "bench" => Ok(Request::Bench { arguments: rest.to_vec() }),
        "faults" => Ok(Request::Faults { arguments: rest.to_vec() }),
        "fuzz" => fuzz(rest),
        name => Err(unknown(name)),
    }
}

/// Words after `--` belong to the program that is called.
fn asks_for_help(rest: &[String]) -> bool {
    rest.iter().take_while(|word| *word != "--").any(|word| word == "-h" || word == "--help")
}

fn unknown(command: &str) -> String {
    format!("there is no command `{command}`")
}

fn demo(rest: &[String]) -> Result<Request, String> {
    match rest {
        [] => Ok(Request::Demo { folder: None }),
        [folder] if !folder.starts_with('-') => {
            Ok(Request::Demo { folder: Some(PathBuf::from(folder)) })
        }
        [_] => Err(format!("`demo` has no option `{}`", rest[0])),
        _ => Err("`demo` takes one folder".to_owned()),
    }
}

fn test(rest: &[String]) -> Result<Request, String> {
    let narrows = |word: &&String| {
        word.starts_with("-p") || word.starts_with("--package") || *word == "--exclude"
    };
    if let Some(word) = rest.iter().take_while(|word| *word != "--").find(narrows) {
        return Err(format!(
            "`{word}` would compile dependencies once more with other features; choose tests by \
             `-E 'package(NAME)'` instead"
        ));
    }
    Ok(Request::Test { arguments: rest.to_vec() })
}

fn check(rest: &[String]) -> Result<Request, String> {
    match rest {
        [] => Ok(Request::Check { only: None }),
        [part] => match part.as_str() {
            "fmt" => Ok(Request::Check { only: Some(Part::Format) }),
            "clippy" => Ok(Request::Check { only: Some(Part::Lints) }),
            "doc" => Ok(Request::Check { only: Some(Part::Docs) }),
            other => Err(format!("`check` knows fmt, clippy and doc, not `{other}`")),
        },
        _ => Err("`check` takes one of fmt, clippy, doc, or nothing".to_owned()),
    }
}

fn guests(rest: &[String]) -> Result<Request, String> {
    let way = match rest {
        [] => Way::Any,
        [language] if language == "js" => return Ok(Request::JsGuests),
        [option, name] if option == "--with" => match name.as_str() {
            "rustup" => Way::Rustup,
            "debian" => Way::Debian,
            other => return Err(format!("`--with` knows rustup and debian, not `{other}`")),
        },
        _ => {
            return Err(
                "`guests` takes `js`, `--with rustup` or `--with debian`, or nothing".to_owned()
            );
        }
    };
    Ok(Request::Guests { way })
}

/// How long each target is fuzzed.
const FUZZ_TIME: Duration = Duration::from_secs(600);

fn fuzz(rest: &[String]) -> Result<Request, String> {
    let mut options =
        fuzz::Options { targets: Vec::new(), time: FUZZ_TIME, jobs: None, replay: None };
    let mut words = rest.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("`{word}` needs a value"));
        match word.as_str() {
            "--time" => {
                let text = value()?;
                options.time = fuzz::duration(text)
                    .ok_or_else(|| format!("`{text}` is no time such as 90s, 10m or 1h"))?;
            }
            "--jobs" => {
                let text = value()?;
                let jobs = text.parse().ok().filter(|jobs| (1..=64).contains(jobs));
                options.jobs =
                    Some(jobs.ok_or_else(|| format!("`{text}` is no number from 1 to 64"))?);
            }
            "--replay" => options.replay = Some(PathBuf::from(value()?)),
            option if option.starts_with('-') => {
                return Err(format!("`fuzz` has no option `{option}`"));
            }
            target => options.targets.push(target.to_owned()),
        }
    }
    Ok(Request::Fuzz(options))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Request, String> {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn every_command_is_understood() {
        assert_eq!(parsed("demo"), Ok(Request::Demo { folder: None }));
        assert_eq!(parsed("demo docs"), Ok(Request::Demo { folder: Some("docs".into()) }));
        assert_eq!(
            parsed("test -E test(resume)"),
            Ok(Request::Test { arguments: vec!["-E".into(), "test(resume)".into()] })
        );
        assert_eq!(parsed("check"), Ok(Request::Check { only: None }));
        assert_eq!(parsed("check fmt"), Ok(Request::Check { only: Some(Part::Format) }));
        assert_eq!(parsed("guests"), Ok(Request::Guests { way: Way::Any }));
        assert_eq!(parsed("guests --with debian"), Ok(Request::Guests { way: Way::Debian }));
        assert_eq!(parsed("guests js"), Ok(Request::JsGuests));
        let arguments = vec!["kill-worker".into(), "--once".into()];
        assert_eq!(parsed("faults kill-worker --once"), Ok(Request::Faults { arguments }));
        assert_eq!(parsed("bench map"), Ok(Request::Bench { arguments: vec!["map".into()] }));
    }

    #[test]
    fn what_to_fuzz_is_understood() {
        let options = |line| match parsed(line) {
            Ok(Request::Fuzz(options)) => options,
            other => panic!("{other:?}"),
        };
        let all = options("fuzz");
        assert_eq!((all.targets.len(), all.time, all.jobs), (0, FUZZ_TIME, None));
        let some = options("fuzz messages --time 90s expressions --jobs 2");
        assert_eq!(some.targets, ["messages", "expressions"]);
        assert_eq!((some.time, some.jobs), (Duration::from_secs(90), Some(2)));
        assert_eq!(options("fuzz --replay a/b").replay, Some("a/b".into()));
    }

    #[test]
    fn help_is_found_wherever_it_is_asked_for() {
        assert_eq!(parsed(""), Ok(Request::Help(help::ALL)));
        assert_eq!(parsed("--help"), Ok(Request::Help(help::ALL)));
        for command in help::COMMANDS {
            let text = help::of(command).expect("every command has its help");
            assert!(text.contains("Examples:"), "{command}");
            assert!(help::ALL.contains(command), "{command} is in the list");
            assert_eq!(parsed(&format!("{command} --help")), Ok(Request::Help(text)));
            assert_eq!(parsed(&format!("help {command}")), Ok(Request::Help(text)));
        }
        assert!(matches!(parsed("test -- --help"), Ok(Request::Test { .. })));
    }

    #[test]
    fn what_is_not_understood_is_refused_by_name() {
        for (line, named) in [
            ("dmeo", "dmeo"),
            ("help nothing", "nothing"),
            ("demo --fast", "--fast"),
            ("demo a b", "one folder"),
            ("test -p wfhost", "package(NAME)"),
            ("check everything", "everything"),
            ("guests --with brew", "brew"),
            ("fuzz --time soon", "soon"),
            ("fuzz --jobs 0", "0"),
            ("fuzz --time", "--time"),
            ("fuzz --fast", "--fast"),
        ] {
            let error = parsed(line).expect_err(line);
            assert!(error.contains(named), "{line}: {error}");
        }
    }
}
