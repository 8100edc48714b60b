//! What an attempt may take, summed over everything that its instance has.
//!
//! Growth beyond a limit ends the attempt with a failure that names the setting: a guest
//! that was told "no" and goes on without memory would only fail later and elsewhere.

use wasmtime::{Error, ResourceLimiter};
use wfhost_workflow::{Failure, FailureKind, Limits};

/// Instances, memories and tables of one store: a component has tens of them, and each
/// costs the host some bookkeeping.
const INSTANCES_MAX: usize = 512;

/// A guest went over a limit; raised as a trap.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("over the limit `{setting}` of {max}: {what}")]
pub(crate) struct OverLimit {
    /// The setting's name in workflow files: the failure's code.
    pub(crate) setting: &'static str,
    pub(crate) max: u64,
    pub(crate) what: String,
}

impl OverLimit {
    pub(crate) fn failure(&self) -> Failure {
        Failure::new(FailureKind::Limit, self.setting, self.to_string())
    }
}

/// Sums memories and tables: wasmtime's own limiter bounds each alone.
pub(crate) struct Meter {
    memory: Sum,
    tables: Sum,
}

impl Meter {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            memory: Sum::new("memory-bytes", limits.memory_bytes),
            tables: Sum::new("table-elements", limits.table_elements),
        }
    }
}

struct Sum {
    setting: &'static str,
    max: u64,
    used: u64,
    /// What the last growth added, to be taken back where it then fails.
    added: u64,
}

impl Sum {
    fn new(setting: &'static str, max: u64) -> Self {
        Self { setting, max, used: 0, added: 0 }
    }

    fn grow(&mut self, current: usize, desired: usize) -> Result<bool, Error> {
        let added = desired.saturating_sub(current) as u64;
        let total = self.used.saturating_add(added);
        if total > self.max {
            let what = format!("the step asked for {total} in all");
            return Err(OverLimit { setting: self.setting, max: self.max, what }.into());
        }
        (self.used, self.added) = (total, added);
        Ok(true)
    }

    fn take_back(&mut self) {
        self.used = self.used.saturating_sub(self.added);
        self.added = 0;
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> Result<bool, Error> {
        self.memory.grow(current, desired)
    }

    fn memory_grow_failed(&mut self, _error: Error) -> Result<(), Error> {
        self.memory.take_back();
        Ok(())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> Result<bool, Error> {
        self.tables.grow(current, desired)
    }

    fn table_grow_failed(&mut self, _error: Error) -> Result<(), Error> {
        self.tables.take_back();
        Ok(())
    }

    fn instances(&self) -> usize {
        INSTANCES_MAX
    }

    fn tables(&self) -> usize {
        INSTANCES_MAX
    }

    fn memories(&self) -> usize {
        INSTANCES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_summed_and_a_failed_growth_is_taken_back() {
        let mut sum = Sum::new("memory-bytes", 100);
        assert!(sum.grow(0, 60).unwrap());
        assert!(sum.grow(0, 40).unwrap(), "a second memory up to the limit");
        sum.take_back();
        sum.take_back();
        assert!(sum.grow(60, 90).unwrap(), "the second memory failed to grow");
        let error = sum.grow(90, 101).unwrap_err();
        let over = error.downcast_ref::<OverLimit>().unwrap();
        assert_eq!((over.setting, over.max), ("memory-bytes", 100));
    }
}
