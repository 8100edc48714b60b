//! The operator's configuration: `config.toml`, read once and checked as a whole.
//!
//! `--config` stands over WFHOST_CONFIG, and that over the platform's folder. A file that
//! was named must exist; the platform's may be missing.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use wfhost_workflow::definition::{Location, Problem, did_you_mean, parse_bytes, render};
use wfhost_workflow::{DurationMs, Limit, LimitError, LimitSettings};

use crate::clock;
use crate::error::{CommandError, Result};
use crate::pool::WORKERS_MAX;

/// A page or two.
const CONFIG_BYTES_MAX: u64 = 256 << 10;

const SLOTS_MAX: u32 = 10_000;
const SIZE_BYTES_MAX: u64 = 1 << 50;

/// What the operator has set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Config {
    /// What attempts may use at most.
    pub(crate) limits: LimitSettings,
    pub(crate) pool: PoolConfig,
    pub(crate) cache: CacheConfig,
    pub(crate) compile: CompileConfig,
    pub(crate) bundles: BundlesConfig,
}

/// `[bundles]`: what is deployed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct BundlesConfig {
    /// Versions of each bundle that stay, whether anything needs them or not.
    pub(crate) keep: Option<u32>,
}

/// `[pool]`: attempts at the same time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PoolConfig {
    /// How many.
    pub(crate) slots: Option<u32>,
    /// What all of them may be granted together.
    pub(crate) memory_bytes: Option<u64>,
    /// Local workers of a process that serves, at least.
    pub(crate) workers_min: Option<u32>,
    /// The same, at most.
    pub(crate) workers_max: Option<u32>,
    /// For how long one is kept that is not needed.
    pub(crate) workers_idle: Option<DurationMs>,
    /// Attempts at once in each.
    pub(crate) worker_slots: Option<u32>,
}

/// `[cache]`: compiled plugins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CacheConfig {
    /// What all of them may take on disk.
    pub(crate) size_bytes: Option<u64>,
}

/// `[compile]`: what compiling one plugin may take.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CompileConfig {
    pub(crate) memory_bytes: Option<u64>,
    /// From its start.
    pub(crate) wall_time: Option<DurationMs>,
    /// Of all processors.
    pub(crate) processor_time: Option<DurationMs>,
}

/// What decides where the file is, besides the flag and its environment variable.
#[derive(Debug, Default)]
pub(crate) struct Surroundings {
    pub(crate) xdg_config_home: Option<PathBuf>,
    pub(crate) home: Option<PathBuf>,
    pub(crate) macos: bool,
}

impl Surroundings {
    pub(crate) fn of_process() -> Self {
        let variable =
            |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        Self {
            xdg_config_home: variable("XDG_CONFIG_HOME"),
            home: variable("HOME"),
            macos: cfg!(target_os = "macos"),
        }
    }

    fn path(&self) -> Option<PathBuf> {
        let home = self.home.as_deref();
        if self.macos {
            return Some(home?.join("Library/Application Support/wfhost/config.toml"));
        }
        // The XDG specification: a relative path is invalid and is ignored.
        let base = match self.xdg_config_home.as_deref().filter(|path| path.is_absolute()) {
            Some(base) => base.to_path_buf(),
            None => home?.join(".config"),
        };
        Some(base.join("wfhost/config.toml"))
    }
}

impl Config {
    /// `flag` holds `--config` or, without it, `WFHOST_CONFIG`.
    pub(crate) fn read(flag: Option<&Path>, surroundings: &Surroundings) -> Result<Self> {
        let named = flag.filter(|path| !path.as_os_str().is_empty());
        let Some(path) = named.map(Path::to_path_buf).or_else(|| surroundings.path()) else {
            return Ok(Self::default());
        };
        let text = match read_text(&path) {
            Ok(text) => text,
            Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(error) => {
                let what = format!("could not read the configuration {}", path.display());
                return Err(CommandError::usage(error.to_string()).context(what));
            }
        };
        Self::parse(&text).map_err(|problems| {
            let count = problems.len();
            let noun = if count == 1 { "problem" } else { "problems" };
            let report =
                render(&problems, &path.display().to_string(), &text, &|_, text| text.to_owned());
            CommandError::usage(format!("the configuration has {count} {noun}"))
                .report(report.trim_end())
        })
    }

    fn parse(text: &str) -> std::result::Result<Self, Vec<Problem>> {
        let mut reader = Reader { text, problems: Vec::new() };
        let mut config = Self::default();
        match DeTable::parse(text) {
            Ok(document) => reader.document(document.get_ref(), &mut config),
            Err(error) => {
                let at = error.span().map_or(0, |span| span.start);
                reader.report(at, 1, error.message().to_owned(), None);
            }
        }
        if reader.problems.is_empty() { Ok(config) } else { Err(reader.problems) }
    }
}

/// Reads a regular file that is not too large.
fn read_text(path: &Path) -> std::io::Result<String> {
    let metadata = std::fs::metadata(path)?;
    if !metadata.is_file() || metadata.len() > CONFIG_BYTES_MAX {
        let message = format!("it is not a file of at most {CONFIG_BYTES_MAX} bytes");
        return Err(std::io::Error::other(message));
    }
    std::fs::read_to_string(path)
}

type Key<'i> = Spanned<std::borrow::Cow<'i, str>>;
type Value<'i> = Spanned<DeValue<'i>>;

struct Reader<'t> {
    text: &'t str,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn document(&mut self, document: &DeTable<'_>, config: &mut Config) {
        for (key, value) in document.iter() {
            let known = ["limits", "pool", "cache", "compile", "bundles"];
            if !known.contains(&&**key.get_ref()) {
                self.unknown(key, "the configuration", &known);
                continue;
            }
            let DeValue::Table(table) = value.get_ref() else {
                let message = format!("`{}` must be a table", key.get_ref());
                self.at(
                    value,
                    message,
                    Some(format!("`[{}]` on a line of its own", key.get_ref())),
                );
                continue;
            };
            for (name, value) in table.iter() {
                match &**key.get_ref() {
                    "limits" => self.limit(name, value, &mut config.limits),
                    "pool" => self.pool(name, value, &mut config.pool),
                    "compile" => self.compile(name, value, &mut config.compile),
                    "bundles" => match &**name.get_ref() {
                        "keep" => config.bundles.keep = self.number("keep", value, 1..=1_000_000),
                        _ => self.unknown(name, "`[bundles]`", &["keep"]),
                    },
                    _ => self.cache(name, value, &mut config.cache),
                }
            }
        }
    }

    fn limit(&mut self, key: &Key<'_>, value: &Value<'_>, limits: &mut LimitSettings) {
        let Ok(limit) = key.get_ref().parse::<Limit>() else {
            return self.unknown(key, "`[limits]`", &Limit::ALL.map(Limit::name));
        };
        let parsed = match value.get_ref() {
            DeValue::String(text) => limit.parse(text),
            DeValue::Integer(_) => {
                integer(value).map_or(Err(LimitError::Unit { limit }), |n| limit.from_number(n))
            }
            _ => Err(LimitError::Unit { limit }),
        };
        match parsed {
            Ok(value) => limits.set(limit, value),
            Err(error) => self.at(value, error.to_string(), None),
        }
    }

    fn pool(&mut self, key: &Key<'_>, value: &Value<'_>, pool: &mut PoolConfig) {
        match &**key.get_ref() {
            "slots" => pool.slots = self.number("slots", value, 1..=SLOTS_MAX),
            "memory" => pool.memory_bytes = self.size("memory", value),
            "workers_min" => pool.workers_min = self.number("workers_min", value, 0..=WORKERS_MAX),
            "workers_max" => pool.workers_max = self.number("workers_max", value, 0..=WORKERS_MAX),
            "workers_idle" => pool.workers_idle = self.span("workers_idle", value),
            "worker_slots" => pool.worker_slots = self.number("worker_slots", value, 1..=4096),
            _ => {
                let known = ["slots", "memory", "workers_min", "workers_max", "workers_idle"];
                self.unknown(key, "`[pool]`", &[&known[..], &["worker_slots"]].concat());
            }
        }
    }

    fn cache(&mut self, key: &Key<'_>, value: &Value<'_>, cache: &mut CacheConfig) {
        match &**key.get_ref() {
            "size" => cache.size_bytes = self.size("size", value),
            _ => self.unknown(key, "`[cache]`", &["size"]),
        }
    }

    fn compile(&mut self, key: &Key<'_>, value: &Value<'_>, compile: &mut CompileConfig) {
        match &**key.get_ref() {
            "memory" => compile.memory_bytes = self.size("memory", value),
            "wall_time" => compile.wall_time = self.span("wall_time", value),
            "processor_time" => compile.processor_time = self.span("processor_time", value),
            _ => self.unknown(key, "`[compile]`", &["memory", "wall_time", "processor_time"]),
        }
    }

    fn number(&mut self, name: &str, value: &Value<'_>, range: RangeInclusive<u32>) -> Option<u32> {
        let number = integer(value).and_then(|number| u32::try_from(number).ok());
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            let (least, most) = (range.start(), range.end());
            self.at(value, format!("`{name}` must be a number from {least} to {most}"), None);
        }
        number
    }

    fn span(&mut self, name: &str, value: &Value<'_>) -> Option<DurationMs> {
        let span = match value.get_ref() {
            DeValue::String(text) => clock::parse_span(text).ok().filter(|span| span.0 > 0),
            _ => None,
        };
        if span.is_none() {
            let message = format!("`{name}` must be a time, such as `90s` or `10m`");
            self.at(value, message, None);
        }
        span
    }

    fn size(&mut self, name: &str, value: &Value<'_>) -> Option<u64> {
        let bytes = match value.get_ref() {
            DeValue::String(text) => parse_bytes(text),
            DeValue::Integer(_) => integer(value),
            _ => None,
        };
        let bytes = bytes.filter(|bytes| (1..=SIZE_BYTES_MAX).contains(bytes));
        if bytes.is_none() {
            let message = format!("`{name}` must be a size, such as `512MiB` or `8GiB`");
            self.at(value, message, None);
        }
        bytes
    }

    fn unknown(&mut self, key: &Key<'_>, of: &str, known: &[&str]) {
        let hint = did_you_mean(key.get_ref(), known.iter().copied())
            .unwrap_or_else(|| format!("{of} knows {}", known.join(", ")));
        let span = key.span();
        let message = format!("unknown key `{}`", key.get_ref());
        self.report(span.start, span.len(), message, Some(hint));
    }

    fn at(&mut self, value: &Value<'_>, message: String, hint: Option<String>) {
        let span = value.span();
        self.report(span.start, span.len(), message, hint);
    }

    fn report(&mut self, start: usize, length: usize, message: String, hint: Option<String>) {
        let before = self.text.get(..start).unwrap_or(self.text);
        let line = before.rsplit('\n').next().unwrap_or_default();
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let at = Location {
            line: number(before.matches('\n').count() + 1),
            column: number(line.chars().count() + 1),
        };
        let length = number(length.max(1));
        self.problems.push(Problem { length, ..Problem::new(at, message).hinted(hint) });
    }
}

fn integer(value: &Value<'_>) -> Option<u64> {
    let DeValue::Integer(integer) = value.get_ref() else { return None };
    u64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        let shown = |problem: Problem| {
            let Location { line, column } = problem.at;
            let hint = problem.hint.map_or_else(String::new, |hint| format!(": {hint}"));
            format!("{line}:{column} {}{hint}", problem.message)
        };
        Config::parse(text).unwrap_err().into_iter().map(shown).collect()
    }

    #[test]
    fn what_is_set_is_read_in_its_units() {
        let text = "[limits]\nmemory = \"64MiB\"\nhandles = 10\ncpu_time = \"1m30s\"\n\
                    [pool]\nslots = 8\nmemory = \"8GiB\"\n\
                    workers_max = 4\nworkers_idle = \"1m\"\n[cache]\nsize = 1000\n\
                    [compile]\nmemory = \"1GiB\"\nwall_time = \"90s\"\n";
        let config = Config::parse(text).unwrap();
        let limits: Vec<_> = config.limits.iter().collect();
        let wanted = [(Limit::Memory, 64 << 20), (Limit::CpuTime, 90_000), (Limit::Handles, 10)];
        assert_eq!(limits, wanted);
        let pool = PoolConfig {
            slots: Some(8),
            memory_bytes: Some(8 << 30),
            workers_max: Some(4),
            workers_idle: Some(DurationMs(60_000)),
            ..PoolConfig::default()
        };
        assert_eq!(config.pool, pool);
        assert_eq!(config.cache.size_bytes, Some(1000));
        let compile = CompileConfig {
            memory_bytes: Some(1 << 30),
            wall_time: Some(DurationMs(90_000)),
            processor_time: None,
        };
        assert_eq!(config.compile, compile);
        assert_eq!(Config::parse("").unwrap(), Config::default());
    }

    #[test]
    fn every_mistake_is_named_with_its_place() {
        assert_eq!(
            problems(
                "[limits]\nmemry = 1\nstack = \"3MiB\"\ncpu_time = 5\n[pol]\n[pool]\nslots = 0\nmemory = true\n[cache]\nage = 1\n"
            ),
            [
                "10:1 unknown key `age`: `[cache]` knows size",
                "4:12 `cpu_time` must be a duration, such as `250ms`, `30s`, `5m` or `1h30m`",
                "2:1 unknown key `memry`: did you mean `memory`?",
                "3:9 `stack` must be a size that is a power of two, such as `512KiB` or `4MiB`",
                "5:2 unknown key `pol`: did you mean `pool`?",
                "8:10 `memory` must be a size, such as `512MiB` or `8GiB`",
                "7:9 `slots` must be a number from 1 to 10000",
            ]
        );
        assert_eq!(
            problems("limits = 1"),
            ["1:10 `limits` must be a table: `[limits]` on a line of its own"]
        );
        assert_eq!(
            problems("[compile]\nwall_time = 5\ntime = 1"),
            [
                "3:1 unknown key `time`: `[compile]` knows memory, wall_time, processor_time",
                "2:13 `wall_time` must be a time, such as `90s` or `10m`",
            ]
        );
        let [broken] = &problems("[limits\n")[..] else { panic!("one problem") };
        assert!(broken.starts_with("1:8 "), "{broken}");
    }

    #[test]
    fn the_file_is_where_the_user_says_or_the_platform() {
        let temp = tempfile::tempdir().unwrap();
        let base = Surroundings { xdg_config_home: Some(temp.path().into()), ..Default::default() };
        assert_eq!(Config::read(None, &base).unwrap(), Config::default());
        assert!(Config::read(Some(&temp.path().join("none.toml")), &base).is_err());
        let folder = temp.path().join("wfhost");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("config.toml"), "pool.slots = 3").unwrap();
        assert_eq!(Config::read(None, &base).unwrap().pool.slots, Some(3));
        let other = temp.path().join("other.toml");
        std::fs::write(&other, "pool.slot = 3").unwrap();
        let error = Config::read(Some(&other), &base).unwrap_err();
        let report = error.report.unwrap();
        assert!(report.contains("other.toml:1:6") && report.contains("slots"), "{report}");
        let linux = Surroundings { home: Some("/home/u".into()), ..Default::default() };
        assert_eq!(linux.path(), Some("/home/u/.config/wfhost/config.toml".into()));
        assert_eq!(Surroundings::default().path(), None);
    }
}
