//! Which bundle a run's components are of.

use wfhost_transport::message::BundleOrigin;
use wfhost_workflow::RunId;

use crate::event_loop::EventLoop;

impl EventLoop {
    /// What the workers of a run's steps look at before they run them; `None`: it was started from
    /// a file.
    #[expect(clippy::unused_self, reason = "nothing is deployed yet: all runs are of files")]
    pub(super) const fn origin_of(&self, _run: RunId) -> Option<BundleOrigin> {
        None
    }
}
