//! How far an attempt has come, shown live with the run.

/// Reports `done` of `total` (nothing where it is unknown) and what is being done now.
///
/// Only the newest report counts, so reporting often is cheap for the run, but each report is a
/// call to the host: report per file or per page, not per byte.
///
/// ```
/// use wfhost_guest::{progress, testing};
///
/// let host = testing::Host::fresh();
/// progress::report(1, 3, "chapter one");
/// progress::report(2, None, "still reading");
/// assert_eq!(host.progress().unwrap().done, 2);
/// ```
pub fn report(done: u64, total: impl Into<Option<u64>>, message: &str) {
    crate::host::progress(done, total.into().unwrap_or(0), message);
}
