//! The command line, as values. `cargo xtask faults` adds where things are.

use std::path::PathBuf;

use crate::rows::ROWS;

/// What the user wants.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Options {
    /// Empty: all.
    rows: Vec<String>,
    pub(crate) times: Option<u32>,
    pub(crate) once: bool,
    pub(crate) list: bool,
    pub(crate) seed: Option<u64>,
    pub(crate) output: Output,
    /// The workspace.
    pub(crate) root: PathBuf,
    /// Where the programs are.
    pub(crate) bins: PathBuf,
}

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Output {
    #[default]
    Text,
    Json,
}

impl Options {
    pub(crate) fn parse(words: &[String]) -> Result<Self, String> {
        let mut options = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("`{word}` needs a value"));
            let number =
                |text: &String| text.parse::<u64>().map_err(|_| format!("`{text}` is no number"));
            match word.as_str() {
                "--once" => options.once = true,
                "--list" => options.list = true,
                "--times" => {
                    let times = u32::try_from(number(value()?)?).ok().filter(|times| *times > 0);
                    options.times = Some(times.ok_or("`--times` is at least 1")?);
                }
                "--seed" => options.seed = Some(number(value()?)?),
                "--output" => {
                    options.output = match value()?.as_str() {
                        "text" => Output::Text,
                        "json" => Output::Json,
                        other => return Err(format!("`--output` is text or json, not `{other}`")),
                    };
                }
                "--root" => options.root = value()?.into(),
                "--bins" => options.bins = value()?.into(),
                option if option.starts_with('-') => {
                    return Err(format!("`faults` has no option `{option}`"));
                }
                row if ROWS.iter().any(|it| it.name == row) => options.rows.push(row.to_owned()),
                row => {
                    return Err(format!("there is no row `{row}`; `--list` names them"));
                }
            }
        }
        if options.once && options.times.is_some() {
            return Err("`--once` and `--times` exclude each other".to_owned());
        }
        Ok(options)
    }

    pub(crate) fn is_chosen(&self, row: &str) -> bool {
        self.rows.is_empty() || self.rows.iter().any(|chosen| chosen == row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Options, String> {
        Options::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn rows_and_numbers_are_understood() {
        let options = parsed("kill-worker --times 3 --seed 9 --output json").expect("it is right");
        assert!(options.is_chosen("kill-worker") && !options.is_chosen("kill-coordinator"));
        assert_eq!((options.times, options.seed), (Some(3), Some(9)));
        assert_eq!(options.output, Output::Json);
        assert!(parsed("--once").expect("it is right").is_chosen("kill-coordinator"));
        for wrong in ["--times 0", "--times", "kill", "--fast", "--once --times 2", "--output x"] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }
}
