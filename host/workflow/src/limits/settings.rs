//! Limits that somebody set, and who.

use super::{Limit, Limits};
use crate::{Failure, FailureKind};

/// Values for some of the limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitSettings([Option<u64>; Limit::COUNT]);

impl Default for LimitSettings {
    /// None is set.
    fn default() -> Self {
        Self([None; Limit::COUNT])
    }
}

impl LimitSettings {
    /// The value, if it is set.
    #[must_use]
    pub const fn get(&self, limit: Limit) -> Option<u64> {
        self.0[limit as usize]
    }

    /// Sets a value; where it was set before, the lower one stays.
    pub fn set(&mut self, limit: Limit, value: u64) {
        let slot = &mut self.0[limit as usize];
        *slot = Some(slot.map_or(value, |before| before.min(value)));
    }

    /// What is set, in the table's order.
    pub fn iter(&self) -> impl Iterator<Item = (Limit, u64)> + '_ {
        Limit::ALL.into_iter().filter_map(|limit| Some((limit, self.get(limit)?)))
    }
}

/// Who set the value that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LimitSource {
    /// The workflow, or nobody: the default.
    Workflow,
    /// The operator's configuration file.
    Config,
    /// The operator's command line.
    Flag,
}

/// What the operator permits at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OperatorLimits {
    /// From the configuration file.
    pub config: LimitSettings,
    /// From the command line.
    pub flags: LimitSettings,
}

impl OperatorLimits {
    /// The operator's value and where it is written.
    #[must_use]
    pub fn of(&self, limit: Limit) -> Option<(u64, LimitSource)> {
        let config = self.config.get(limit).map(|value| (value, LimitSource::Config));
        let flag = self.flags.get(limit).map(|value| (value, LimitSource::Flag));
        [flag, config].into_iter().flatten().min_by_key(|(value, _)| *value)
    }

    /// What holds for a plugin that was given `limits`.
    #[must_use]
    pub fn lower(&self, limits: Limits) -> Limits {
        limits.lowered(&self.config).lowered(&self.flags)
    }

    /// Who decides about a limit that a plugin was given `value` of.
    #[must_use]
    pub fn source(&self, limit: Limit, value: u64) -> LimitSource {
        match self.of(limit) {
            // A run has been given at most what its operator permits: the operator's word,
            // where both say the same.
            Some((permitted, source)) if permitted <= value => source,
            Some(_) | None => LimitSource::Workflow,
        }
    }
}

impl LimitSource {
    /// How to raise the limit, as the end of a message.
    #[must_use]
    pub fn remedy(self, limit: Limit, plugin: Option<&str>) -> String {
        match (self, plugin) {
            (Self::Workflow, Some(plugin)) => {
                format!("set `plugins.{plugin}.limits.{limit}` in the workflow")
            }
            (Self::Workflow, None) => {
                format!("set `limits.{limit}` of the plugin in the workflow")
            }
            (Self::Config, _) => {
                format!("the operator has set it: `limits.{limit}` in config.toml")
            }
            (Self::Flag, _) => format!("the operator has set it: `--limit {limit}=…`"),
        }
    }
}

impl Failure {
    /// Of an attempt that went over a limit of `max`.
    #[must_use]
    pub fn over_limit(limit: Limit, max: u64, what: &str, remedy: &str) -> Self {
        let max = limit.show(max);
        let message = format!("over the limit `{limit}` of {max}: {what}; {remedy}");
        Self::new(FailureKind::Limit, limit.name(), message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_names_the_setting_the_value_and_who_can_change_it() {
        let mut operator = OperatorLimits::default();
        let message = |operator: &OperatorLimits, value| {
            let source = operator.source(Limit::Memory, value);
            let remedy = source.remedy(Limit::Memory, Some("text"));
            Failure::over_limit(Limit::Memory, value, "the step asked for more", &remedy).message
        };
        assert_eq!(
            message(&operator, 64 << 20),
            "over the limit `memory` of 64MiB: the step asked for more; set `plugins.text.limits.memory` in the workflow"
        );
        operator.config.set(Limit::Memory, 64 << 20);
        assert!(message(&operator, 64 << 20).ends_with("`limits.memory` in config.toml"));
        assert!(message(&operator, 32 << 20).ends_with("in the workflow"));
        operator.flags.set(Limit::Memory, 32 << 20);
        assert!(message(&operator, 64 << 20).ends_with("`--limit memory=…`"));
        assert_eq!(operator.lower(Limits::default())[Limit::Memory], 32 << 20);
    }
}
