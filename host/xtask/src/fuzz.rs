//! `cargo xtask fuzz`: drives every target for a time, with the stable compiler.
//!
//! The packages of this workspace are compiled once more, with coverage counters in them; their
//! dependencies are used as they are. What is found stays as a file in `regressions/`, which the
//! ordinary tests replay from then on.

pub(crate) mod compiler;
mod outcome;

use std::collections::VecDeque;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use crate::clock::Started;
use crate::failure::{Failure, Result};
use crate::{place, process, say, setup};
use outcome::{Outcome, table};

/// The package with the targets.
const PACKAGE: &str = "host/testkit/fuzz";
const FUZZER: &str = "wfhost-fuzzer";

/// An input that takes longer is a finding: by the clock on the wall, of a machine that is busy.
const INPUT_SECONDS_MAX: u32 = 30;
/// A process that needs more is a finding.
const MEMORY_MB_MAX: u32 = 2048;

/// How often a run says how far it is.
const SAID_EVERY: Duration = Duration::from_secs(60);

/// What to fuzz.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// Empty: all.
    pub(crate) targets: Vec<String>,
    /// For each target.
    pub(crate) time: Duration,
    /// How many targets at once; `None`: by the machine.
    pub(crate) jobs: Option<usize>,
    /// One input, instead of all that.
    pub(crate) replay: Option<PathBuf>,
}

/// Sets up, builds and fuzzes; fails if anything was found.
pub(crate) fn run(options: &Options) -> Result<()> {
    let targets = chosen(&options.targets)?;
    setup::host()?;
    setup::cplusplus()?;
    let fuzzer = build()?;
    if let Some(input) = &options.replay {
        return replay(&fuzzer, &targets, input);
    }
    let jobs = options.jobs.unwrap_or_else(jobs_of_machine).min(targets.len());
    say::step(&format!(
        "{} for {} each, {jobs} at once, done in {}",
        targets.join(", "),
        shown(options.time),
        shown(options.time * u32::try_from(targets.len().div_ceil(jobs)).unwrap_or(u32::MAX)),
    ));
    let outcomes = fuzz_all(&fuzzer, targets, options.time, jobs)?;
    say::out(&table(&outcomes));
    report(&outcomes)
}

/// The folders of seeds name the targets.
fn chosen(named: &[String]) -> Result<Vec<String>> {
    let folder = place::root().join(PACKAGE).join("corpus");
    let entries = fs::read_dir(&folder).map_err(|e| Failure::io("read", &folder, &e))?;
    let mut known: Vec<String> =
        entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    known.sort();
    if let Some(unknown) = named.iter().find(|name| !known.contains(name)) {
        return Err(Failure::new(format!("there is no target `{unknown}`"))
            .hint(format!("the targets: {}", known.join(", "))));
    }
    Ok(if named.is_empty() { known } else { named.to_vec() })
}

fn jobs_of_machine() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1))
}

/// The same packages and features as every other build, so that no dependency is compiled again.
fn build() -> Result<PathBuf> {
    let compiler = std::env::current_exe()
        .map_err(|e| Failure::new(format!("cannot tell where this program is: {e}")))?;
    process::run(
        process::cargo()
            .args(["build", "--release", "--workspace", "--bin", FUZZER])
            .args(["--features", "wfhost-fuzz/libfuzzer"])
            .env("RUSTC_WORKSPACE_WRAPPER", compiler)
            .env(compiler::ASKED, "1"),
    )?;
    place::built(FUZZER)
}

fn replay(fuzzer: &Path, targets: &[String], input: &Path) -> Result<()> {
    let folder = input.parent().and_then(Path::file_name).unwrap_or_default();
    let target = match targets {
        [target] => target.as_str(),
        _ => targets.iter().find(|target| folder == target.as_str()).ok_or_else(|| {
            Failure::new(format!("of which target is {}?", input.display()))
                .hint("name the target before `--replay`")
        })?,
    };
    process::run_shown(
        process::program(fuzzer)
            .arg(target)
            .arg(format!("-timeout={INPUT_SECONDS_MAX}"))
            .arg(input),
    )
}

/// One target's fuzzer.
struct Running {
    target: String,
    child: Child,
    log: PathBuf,
    /// Inputs found before, which are not this run's.
    known: Vec<PathBuf>,
}

fn fuzz_all(
    fuzzer: &Path,
    targets: Vec<String>,
    time: Duration,
    jobs: usize,
) -> Result<Vec<Outcome>> {
    let mut waiting = VecDeque::from(targets);
    let mut running: Vec<Running> = Vec::new();
    let mut outcomes = Vec::new();
    let (started, mut said) = (Started::now(), Duration::ZERO);
    while !(waiting.is_empty() && running.is_empty()) {
        while running.len() < jobs
            && let Some(target) = waiting.pop_front()
        {
            running.push(start(fuzzer, target, time)?);
        }
        std::thread::sleep(Duration::from_millis(200));
        let mut still = Vec::new();
        for mut one in running {
            let ended = one.child.try_wait().map_err(|e| {
                Failure::new(format!("cannot wait for the fuzzer of {}: {e}", one.target))
            })?;
            match ended {
                Some(status) => outcomes.push(over(one, status.success())?),
                None => still.push(one),
            }
        }
        running = still;
        if started.elapsed() - said >= SAID_EVERY {
            said = started.elapsed();
            for one in &running {
                say::note(&format!("{}: {}", one.target, outcome::newest(&read(&one.log))));
            }
        }
    }
    Ok(outcomes)
}

fn start(fuzzer: &Path, target: String, time: Duration) -> Result<Running> {
    let work = place::root().join("target/fuzz");
    let found = work.join("corpus").join(&target);
    let package = place::root().join(PACKAGE);
    let regressions = package.join("regressions").join(&target);
    for folder in [&found, &regressions] {
        fs::create_dir_all(folder).map_err(|e| Failure::io("make", folder, &e))?;
    }
    let log = work.join(format!("{target}.log"));
    let output = File::create(&log).map_err(|e| Failure::io("write", &log, &e))?;
    let mut command = process::program(fuzzer);
    command
        .arg(&target)
        .arg(format!("-max_total_time={}", time.as_secs().max(1)))
        .arg(format!("-timeout={INPUT_SECONDS_MAX}"))
        // Below that an input is slow and no finding: no file of it is wanted.
        .arg(format!("-report_slow_units={}", INPUT_SECONDS_MAX * 2))
        .arg(format!("-rss_limit_mb={MEMORY_MB_MAX}"))
        .arg(format!("-artifact_prefix={}/", regressions.display()))
        .arg("-print_final_stats=1")
        .args([&found, &package.join("corpus").join(&target), &regressions])
        .stdout(Stdio::null())
        .stderr(output);
    let known = files(&regressions);
    let child = command
        .spawn()
        .map_err(|e| Failure::new(format!("cannot run `{}`: {e}", process::shown(&command))))?;
    Ok(Running { target, child, log, known })
}

/// What libFuzzer said, and the inputs that it left.
fn over(running: Running, well: bool) -> Result<Outcome> {
    let Running { target, log, known, .. } = running;
    let regressions = place::root().join(PACKAGE).join("regressions").join(&target);
    let found: Vec<PathBuf> =
        files(&regressions).into_iter().filter(|file| !known.contains(file)).collect();
    if found.is_empty() {
        // Git does not keep empty folders, so neither does this.
        let _has_files = fs::remove_dir(&regressions);
    }
    let outcome = Outcome::of(target, &read(&log), found, well);
    say::step(&outcome.line());
    Ok(outcome)
}

fn report(outcomes: &[Outcome]) -> Result<()> {
    let mut said = Vec::new();
    for outcome in outcomes.iter().filter(|outcome| outcome.is_finding()) {
        if outcome.found.is_empty() {
            said.push(format!("{}: it ended early: target/fuzz/{0}.log says why", outcome.target));
        }
        for file in &outcome.found {
            let file = file.strip_prefix(place::root()).unwrap_or(file);
            said.push(format!(
                "{}: cargo xtask fuzz {0} --replay {}",
                outcome.target,
                file.display()
            ));
        }
    }
    if said.is_empty() {
        return Ok(());
    }
    said.push("the tests replay what is in regressions/: commit it with the repair".to_owned());
    Err(Failure::new("something was found").hint(said.join("\n")))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
}

/// What a fuzzer printed; parts of inputs may be in it.
fn read(log: &Path) -> String {
    fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

fn shown(time: Duration) -> String {
    match (time.as_secs() / 60, time.as_secs() % 60) {
        (0, seconds) => format!("{seconds} s"),
        (minutes, 0) => format!("{minutes} min"),
        (minutes, seconds) => format!("{minutes} min {seconds} s"),
    }
}

/// `10m`, `90s`, `1h`; a bare number is seconds.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().ok()?;
    let seconds = match &text[digits.len()..] {
        "" | "s" => number,
        "m" | "min" => number.checked_mul(60)?,
        "h" => number.checked_mul(3600)?,
        _ => return None,
    };
    (seconds > 0 && seconds <= 7 * 24 * 3600).then(|| Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        assert_eq!(duration("10m"), Some(Duration::from_secs(600)));
        assert_eq!(duration("90s"), Some(Duration::from_secs(90)));
        assert_eq!(duration("45"), Some(Duration::from_secs(45)));
        assert_eq!(duration("2h"), Some(Duration::from_secs(7200)));
        for wrong in ["", "m", "0", "10 m", "1d", "-1s", "99999999999999999999h", "9999999h"] {
            assert_eq!(duration(wrong), None, "{wrong}");
        }
        assert_eq!(shown(Duration::from_secs(600)), "10 min");
        assert_eq!(shown(Duration::from_secs(61)), "1 min 1 s");
    }

    #[test]
    fn targets_are_the_folders_of_seeds() {
        let all = chosen(&[]).expect("the folder is there");
        assert!(all.contains(&"messages".to_owned()), "{all:?}");
        assert_eq!(chosen(&["messages".to_owned()]).expect("known"), ["messages"]);
        let failure = chosen(&["mesages".to_owned()]).expect_err("unknown").to_string();
        assert!(failure.contains("`mesages`") && failure.contains("messages"), "{failure}");
    }
}
