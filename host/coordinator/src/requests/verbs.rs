//! Which verb works on a run in which status: one table, held by a test.

use wfhost_transport::client::ShownStatus;

/// What a person can do to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Go on with a run that nobody serves.
    Resume,
    /// End an open run.
    Cancel,
    /// Remove an ended run.
    Remove,
    /// Go on with a failed run, from what failed.
    Retry,
}

/// Which verb works on a run in which status: `Ok` says what happens.
pub const VERBS: [(Verb, ShownStatus, Result<&str, &str>); 20] = {
    use ShownStatus::{Cancelled, Failed, Interrupted, Running, Succeeded};
    use Verb::{Cancel, Remove, Resume, Retry};
    [
        (Resume, Interrupted, Ok("goes on")),
        (Resume, Running, Ok("nothing: it is going on")),
        (Resume, Succeeded, Err("it has succeeded: there is nothing to go on with")),
        (Resume, Failed, Err("it has failed: retry it")),
        (Resume, Cancelled, Err("it was cancelled: start a new run")),
        (Cancel, Interrupted, Ok("is cancelled")),
        (Cancel, Running, Ok("is cancelled")),
        (Cancel, Succeeded, Err("it has succeeded already")),
        (Cancel, Failed, Err("it has failed already")),
        (Cancel, Cancelled, Ok("nothing: it is cancelled")),
        (Remove, Interrupted, Err("it is open: cancel it first")),
        (Remove, Running, Err("it is open: cancel it first")),
        (Remove, Succeeded, Ok("is removed")),
        (Remove, Failed, Ok("is removed")),
        (Remove, Cancelled, Ok("is removed")),
        (Retry, Interrupted, Err("it has not failed: resume it")),
        (Retry, Running, Ok("nothing: it is going on")),
        (Retry, Succeeded, Err("it has succeeded: there is nothing to go on with")),
        (Retry, Failed, Ok("goes on from what failed")),
        (Retry, Cancelled, Err("it was cancelled: start a new run")),
    ]
};

/// What a verb does to a run in a status, or why it does not.
///
/// # Errors
/// The reason, for people.
pub fn verb_result(verb: Verb, status: ShownStatus) -> Result<&'static str, &'static str> {
    VERBS
        .iter()
        .find(|(of, on, _)| *of == verb && *on == status)
        .map_or(Err("it is not possible"), |(_, _, result)| *result)
}
