//! How many workers a pool has: of the command line, the environment, the configuration.

use clap::Args;
use wfhost_workflow::DurationMs;
use wfhost_workflow::placement::scale::{Bounds, Rules};

use crate::clock;
use crate::config::Config;
use crate::engine::default_slots;
use crate::error::{CommandError, Result};

/// Each is a process with threads, memory and a connection of its own.
pub(crate) const WORKERS_MAX: u32 = 1024;

/// How long an attempt waits before another worker is started for it.
const PATIENCE: DurationMs = DurationMs(250);

/// Between two steps up: a worker takes about so long to join.
const STEP_EVERY: DurationMs = DurationMs(500);

/// For how long fewer workers must have been enough.
const COOL_DOWN: DurationMs = DurationMs::from_secs(30);

/// Options about local workers.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Workers on this machine")]
pub(crate) struct PoolArgs {
    /// Keep at least so many workers [default: 1; with --workers, --insecure or --slots: 0]
    #[arg(long, value_name = "N", env = "WFHOST_WORKERS_MIN", hide_env_values = true)]
    #[arg(value_parser = clap::value_parser!(u32).range(0..=i64::from(WORKERS_MAX)))]
    workers_min: Option<u32>,
    /// Start up to so many while steps wait [default: as --workers-min]
    #[arg(long, value_name = "N", env = "WFHOST_WORKERS_MAX", hide_env_values = true)]
    #[arg(value_parser = clap::value_parser!(u32).range(0..=i64::from(WORKERS_MAX)))]
    workers_max: Option<u32>,
    /// End workers that were not needed for so long [default: 30s]
    #[arg(long, value_name = "SPAN", env = "WFHOST_WORKERS_IDLE", hide_env_values = true)]
    #[arg(value_parser = clock::parse_span)]
    workers_idle: Option<DurationMs>,
    /// Steps at once in each of these workers, at most [default: the number of processors]
    #[arg(long, value_name = "N", env = "WFHOST_WORKER_SLOTS", hide_env_values = true)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=4096))]
    worker_slots: Option<u32>,
}

/// Who else may run steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remote {
    /// Workers of other machines, or this process itself.
    Expected,
    /// Nobody: without local workers nothing would run.
    Nobody,
}

/// A pool's number of workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PoolSettings {
    pub(crate) bounds: Bounds,
    pub(crate) rules: Rules,
}

impl PoolArgs {
    pub(crate) fn settings(&self, config: &Config, remote: Remote) -> Result<PoolSettings> {
        let pool = &config.pool;
        let least = self.workers_min.or(pool.workers_min);
        let most = self.workers_max.or(pool.workers_max);
        let usual = match remote {
            Remote::Expected => 0,
            Remote::Nobody => 1,
        };
        let min = least.unwrap_or_else(|| most.map_or(usual, |most| most.min(usual)));
        let max = most.unwrap_or_else(|| min.max(usual));
        let Some(bounds) = Bounds::new(min, max) else {
            let text = format!("at least {min} workers are to be kept, and at most {max}");
            return Err(CommandError::usage(text)
                .hint("--workers-min is at most --workers-max; both may also be in WFHOST_WORKERS_MIN and WFHOST_WORKERS_MAX, or in the configuration"));
        };
        let slots = self.worker_slots.or(pool.worker_slots).or(pool.slots);
        let rules = Rules {
            slots: slots.unwrap_or_else(default_slots),
            patience: PATIENCE,
            step_every: STEP_EVERY,
            cool_down: self.workers_idle.or(pool.workers_idle).unwrap_or(COOL_DOWN),
        };
        Ok(PoolSettings { bounds, rules })
    }
}

impl PoolSettings {
    /// `2 workers of 4 slots`, `1 to 4 workers of 2 slots`.
    pub(crate) fn shown(&self) -> String {
        let (min, max, slots) = (self.bounds.min(), self.bounds.max(), self.rules.slots);
        let many = |count: u32, what: &str| match count {
            1 => format!("1 {what}"),
            count => format!("{count} {what}s"),
        };
        match max {
            0 => "no workers on this machine".to_owned(),
            max if max == min => format!("{} of {}", many(max, "worker"), many(slots, "slot")),
            max => format!("{min} to {} of {}", many(max, "worker"), many(slots, "slot")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(min: Option<u32>, max: Option<u32>) -> PoolArgs {
        PoolArgs { workers_min: min, workers_max: max, workers_idle: None, worker_slots: None }
    }

    #[test]
    fn who_serves_alone_has_a_worker_and_who_waits_for_others_has_none() {
        let config = Config::default();
        let check = |min, max, remote, expected| {
            let bounds = args(min, max).settings(&config, remote).unwrap().bounds;
            assert_eq!((bounds.min(), bounds.max()), expected, "{min:?} {max:?} {remote:?}");
        };
        check(None, None, Remote::Nobody, (1, 1));
        check(None, None, Remote::Expected, (0, 0));
        check(None, Some(4), Remote::Nobody, (1, 4));
        check(None, Some(0), Remote::Nobody, (0, 0));
        check(None, Some(4), Remote::Expected, (0, 4));
        check(Some(3), None, Remote::Nobody, (3, 3));
        check(Some(0), None, Remote::Nobody, (0, 1));
        check(Some(3), None, Remote::Expected, (3, 3));
        check(Some(2), Some(5), Remote::Expected, (2, 5));
        let error = args(Some(2), Some(1)).settings(&config, Remote::Nobody).unwrap_err();
        assert_eq!(error.code, crate::exit_code::ExitCode::Usage);
    }

    #[test]
    fn the_command_line_stands_over_the_configuration() {
        let mut config = Config::default();
        config.pool.workers_max = Some(7);
        config.pool.worker_slots = Some(3);
        config.pool.slots = Some(9);
        config.pool.workers_idle = Some(DurationMs(5));
        let settings = args(Some(1), None).settings(&config, Remote::Expected).unwrap();
        assert_eq!(settings.bounds, Bounds::new(1, 7).unwrap());
        assert_eq!((settings.rules.slots, settings.rules.cool_down), (3, DurationMs(5)));
        assert_eq!(settings.shown(), "1 to 7 workers of 3 slots");
        let settings = args(None, Some(1)).settings(&config, Remote::Nobody).unwrap();
        assert_eq!(settings.shown(), "1 worker of 3 slots");
    }
}
