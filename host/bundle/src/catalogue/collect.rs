//! Which versions nothing needs any more.

use std::sync::Arc;

use super::change::Open;
use super::{Catalogue, Deployed};

/// How many of the newest versions of each bundle stay where nobody says otherwise.
pub const KEEP_LAST: usize = 10;

impl Catalogue {
    /// Leaves what open runs, a pin, a rollback or somebody who names one of the newest needs.
    pub(super) fn collect(&mut self, keep_last: usize, open: Open<'_>) {
        for bundle in self.bundles.values_mut() {
            let kept = bundle.kept(keep_last, open);
            if kept.len() < bundle.versions.len() {
                let mut changed = Deployed::clone(bundle);
                changed.versions.retain(|version| kept.contains(&version.digest));
                changed.revision += 1;
                *bundle = Arc::new(changed);
            }
        }
    }
}

impl Deployed {
    fn kept(&self, keep_last: usize, open: Open<'_>) -> Vec<wfhost_workflow::Digest> {
        let first_of_last = self.versions.len().saturating_sub(keep_last);
        let before = self.before_active();
        let is_kept = |(at, version): (usize, &super::DeployedVersion)| {
            let stays = at >= first_of_last
                || before == Some(version.digest)
                || self.why_needed(version, open).is_some();
            stays.then_some(version.digest)
        };
        self.versions.iter().enumerate().filter_map(is_kept).collect()
    }
}
