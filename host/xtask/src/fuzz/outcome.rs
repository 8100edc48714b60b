//! What libFuzzer's output says.

use std::path::PathBuf;

/// How one target's fuzzing went.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) target: String,
    executions: u64,
    per_second: u64,
    /// Places in the code that the inputs reach: those of before, and in the end.
    reached_before: u64,
    reached: u64,
    /// Inputs that reach something that no other does.
    inputs: u64,
    /// Inputs that failed.
    pub(crate) found: Vec<PathBuf>,
    well: bool,
}

impl Outcome {
    pub(crate) fn of(target: String, log: &str, found: Vec<PathBuf>, well: bool) -> Self {
        let statistic = |name: &str| {
            let line = log.lines().rev().find_map(|line| line.strip_prefix(name))?;
            line.trim().parse::<u64>().ok()
        };
        let started = log.lines().find(|line| line.contains("\tINITED")).unwrap_or_default();
        let ended = log.lines().rev().find(|line| is_status(line)).unwrap_or_default();
        Self {
            target,
            executions: statistic("stat::number_of_executed_units:").unwrap_or_default(),
            per_second: statistic("stat::average_exec_per_sec:").unwrap_or_default(),
            reached_before: number_after(started, "cov: "),
            reached: number_after(ended, "cov: "),
            inputs: number_after(ended, "corp: "),
            found,
            well,
        }
    }

    /// A fuzzer that ended badly found something, even if it could not keep it.
    pub(crate) fn is_finding(&self) -> bool {
        !self.found.is_empty() || !self.well
    }

    fn verdict(&self) -> String {
        match (self.found.len(), self.well) {
            (0, true) => "clean".to_owned(),
            (0, false) => "ended early".to_owned(),
            (count, _) => format!("{count} found"),
        }
    }

    /// For the time when it ends, while others go on.
    pub(crate) fn line(&self) -> String {
        format!("{}: {} after {} executions", self.target, self.verdict(), grouped(self.executions))
    }
}

/// `#65536  pulse  cov: 1200 ft: 4000 corp: 300/20Kb …`
fn is_status(line: &str) -> bool {
    line.starts_with('#') && line.contains(" cov: ")
}

/// The newest status, for those who wait.
pub(crate) fn newest(log: &str) -> String {
    let line = log.lines().rev().find(|line| is_status(line)).unwrap_or("no inputs yet");
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn number_after(line: &str, name: &str) -> u64 {
    let Some((_, rest)) = line.split_once(name) else { return 0 };
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..digits].parse().unwrap_or_default()
}

/// All outcomes, one a line.
pub(crate) fn table(outcomes: &[Outcome]) -> String {
    let mut text = format!(
        "\n{:<16} {:>14} {:>9} {:>9} {:>9} {:>8}  result\n",
        "target", "executions", "a second", "places", "new", "inputs"
    );
    for outcome in outcomes {
        text.push_str(&format!(
            "{:<16} {:>14} {:>9} {:>9} {:>9} {:>8}  {}\n",
            outcome.target,
            grouped(outcome.executions),
            grouped(outcome.per_second),
            grouped(outcome.reached),
            grouped(outcome.reached.saturating_sub(outcome.reached_before)),
            grouped(outcome.inputs),
            outcome.verdict()
        ));
    }
    text
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLEAN: &str = "INFO: Running with entropic power schedule (0xFF, 100).\n\
        #12\tINITED cov: 1200 ft: 2100 corp: 11/900b exec/s: 0 rss: 60Mb\n\
        #70000\tNEW    cov: 1450 ft: 3000 corp: 90/8Kb lim: 4096 exec/s: 5000 rss: 70Mb L: 9/99\n\
        #123456\tDONE   cov: 1460 ft: 3100 corp: 91/8Kb lim: 4096 exec/s: 4115 rss: 70Mb\n\
        Done 123456 runs in 30 second(s)\nstat::number_of_executed_units: 123456\n\
        stat::average_exec_per_sec:     4115\n";

    #[test]
    fn figures_are_read_from_the_log() {
        let outcome = Outcome::of("messages".into(), CLEAN, Vec::new(), true);
        assert!(!outcome.is_finding());
        assert_eq!((outcome.executions, outcome.per_second), (123_456, 4115));
        assert_eq!((outcome.reached_before, outcome.reached, outcome.inputs), (1200, 1460, 91));
        let text = table(&[outcome]);
        let line = text.lines().last().expect("a line");
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words, ["messages", "123,456", "4,115", "1,460", "260", "91", "clean"]);
        assert!(newest(CLEAN).starts_with("#123456 DONE cov: 1460"));
    }

    #[test]
    fn an_early_end_is_a_finding() {
        let found = Outcome::of("messages".into(), "", vec!["crash-1".into()], false);
        assert!(found.is_finding() && found.line().contains("1 found"));
        let unknown = Outcome::of("messages".into(), "", Vec::new(), false);
        assert!(unknown.is_finding() && unknown.line().contains("ended early"));
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }
}
