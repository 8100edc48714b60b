//! A version that is tried with a share of new runs: which ones, how it does, when it is given up.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use wfhost_workflow::run::RunStatus;
use wfhost_workflow::{Digest, DurationMs, RunId, TimestampMs};

/// A part of a whole, in hundredths of a percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Share(u32);

/// A text that is no share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a share is a percentage from 0.01% to 100%, such as `10%`")]
pub struct NotAShare;

impl Share {
    const WHOLE: u32 = 10_000;

    /// From hundredths of a percent, 1 to 10,000.
    #[must_use]
    pub const fn new(hundredths: u32) -> Option<Self> {
        if hundredths >= 1 && hundredths <= Self::WHOLE { Some(Self(hundredths)) } else { None }
    }

    /// In hundredths of a percent.
    #[must_use]
    pub const fn hundredths(self) -> u32 {
        self.0
    }

    /// Whether a run belongs to it: the same answer whenever it is asked, and spread evenly.
    #[must_use]
    pub fn holds(self, run: RunId) -> bool {
        let digest = Digest::of(&run.to_bytes());
        let [a, b, c, d, ..] = *digest.as_bytes();
        u32::from_be_bytes([a, b, c, d]) % Self::WHOLE < self.0
    }

    /// Whether `part` of `whole` is more than this.
    #[must_use]
    pub fn is_exceeded(self, part: u64, whole: u64) -> bool {
        u128::from(part) * u128::from(Self::WHOLE) > u128::from(self.0) * u128::from(whole)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (percent, rest) = (self.0 / 100, self.0 % 100);
        match rest {
            0 => write!(f, "{percent}%"),
            _ if rest % 10 == 0 => write!(f, "{percent}.{}%", rest / 10),
            _ => write!(f, "{percent}.{rest:02}%"),
        }
    }
}

impl FromStr for Share {
    type Err = NotAShare;

    fn from_str(text: &str) -> Result<Self, NotAShare> {
        let digits = text.strip_suffix('%').ok_or(NotAShare)?;
        let (percent, rest) = digits.split_once('.').unwrap_or((digits, ""));
        let plain = |part: &str| part.len() <= 3 && part.bytes().all(|byte| byte.is_ascii_digit());
        if percent.is_empty() || !plain(percent) || !plain(rest) || rest.len() > 2 {
            return Err(NotAShare);
        }
        let percent: u32 = percent.parse().map_err(|_| NotAShare)?;
        let rest: u32 = format!("{rest:0<2}").parse().map_err(|_| NotAShare)?;
        Self::new(percent * 100 + rest).ok_or(NotAShare)
    }
}

/// How a version is to be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CanaryAsk {
    /// How many of the new runs get it.
    pub share: Share,
    /// It is given up when more than this of its ended runs have failed.
    pub abort_over: Option<Share>,
    /// Ended runs before that is decided.
    pub runs_min: u32,
}

/// A version that is tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Canary {
    /// Which.
    pub version: Digest,
    /// How.
    #[serde(flatten)]
    pub ask: CanaryAsk,
    /// Since when.
    pub since: TimestampMs,
    /// What its runs had come to by then: it may have been active before.
    pub before: Counts,
}

/// What runs of a version have come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Runs that were started.
    pub started: u64,
    /// Runs that ended with an output.
    pub succeeded: u64,
    /// Runs that ended without one.
    pub failed: u64,
    /// Runs that somebody ended.
    pub cancelled: u64,
    /// How long all that succeeded took together.
    pub succeeded_ms: u64,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Not `Running`.
    pub status: RunStatus,
    /// From its start.
    pub took: DurationMs,
}

/// Counts by version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tally(BTreeMap<Digest, Counts>);

/// What becomes of a version that is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    GoOn,
    /// It is given up.
    Abort {
        /// Runs that failed.
        failed: u64,
        /// Of so many that ended.
        ended: u64,
    },
}

impl Counts {
    /// Ended runs that say something of the version: those that somebody cancelled do not.
    #[must_use]
    pub const fn judged(&self) -> u64 {
        self.succeeded + self.failed
    }

    /// What has come since `before`.
    #[must_use]
    pub const fn since(&self, before: &Self) -> Self {
        Self {
            started: self.started.saturating_sub(before.started),
            succeeded: self.succeeded.saturating_sub(before.succeeded),
            failed: self.failed.saturating_sub(before.failed),
            cancelled: self.cancelled.saturating_sub(before.cancelled),
            succeeded_ms: self.succeeded_ms.saturating_sub(before.succeeded_ms),
        }
    }

    fn end(&mut self, ended: Ended) {
        match ended.status {
            RunStatus::Running => {}
            RunStatus::Succeeded => {
                self.succeeded += 1;
                self.succeeded_ms = self.succeeded_ms.saturating_add(ended.took.0);
            }
            RunStatus::Failed => self.failed += 1,
            RunStatus::Cancelled => self.cancelled += 1,
        }
    }
}

impl Tally {
    /// Of one version.
    #[must_use]
    pub fn of(&self, version: Digest) -> Counts {
        self.0.get(&version).copied().unwrap_or_default()
    }

    /// A run was started.
    pub fn started(&mut self, version: Digest) {
        self.0.entry(version).or_default().started += 1;
    }

    /// A run has ended.
    pub fn ended(&mut self, version: Digest, ended: Ended) {
        self.0.entry(version).or_default().end(ended);
    }

    /// A failed run goes on: it has not ended after all.
    pub fn reopened(&mut self, version: Digest) {
        let counts = self.0.entry(version).or_default();
        counts.failed = counts.failed.saturating_sub(1);
    }

    /// Forgets all but these.
    pub fn retain(&mut self, known: impl Fn(&Digest) -> bool) {
        self.0.retain(|version, _| known(version));
    }
}

impl Canary {
    /// Whether it is given up, with what its runs have come to.
    #[must_use]
    pub fn verdict(&self, counts: &Counts) -> Verdict {
        let Counts { failed, .. } = counts.since(&self.before);
        let ended = counts.since(&self.before).judged();
        let is_over = |limit: Share| limit.is_exceeded(failed, ended);
        if ended >= u64::from(self.ask.runs_min.max(1)) && self.ask.abort_over.is_some_and(is_over)
        {
            return Verdict::Abort { failed, ended };
        }
        Verdict::GoOn
    }
}
