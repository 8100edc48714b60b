//! Whom a session finds, and what it makes of their answers.

use super::*;
use crate::data_folder::Surroundings;
use crate::fakes::{Fake, run_named};

fn held() -> OpenError {
    OpenError::Held(Holder { pid: 7, command: "wfhost run x".to_owned(), address: None })
}

#[test]
fn a_folder_is_taken_or_its_holder_asked() {
    let check = |takes: &[bool], connects: &[bool], tries: usize, opened: Option<&str>| {
        let (mut takes, mut connects, mut left) = (takes.iter(), connects.iter(), tries);
        let result = open_with(
            || takes.next().unwrap().then_some("local").ok_or_else(held),
            |_| {
                connects
                    .next()
                    .unwrap()
                    .then_some("remote")
                    .ok_or_else(|| CommandError::unreachable("silent"))
            },
            || {
                left = left.saturating_sub(1);
                left > 0
            },
        );
        assert_eq!(result.as_ref().ok().copied(), opened);
        result.err().map(|error| error.message())
    };
    check(&[true], &[], 1, Some("local"));
    check(&[false], &[true], 1, Some("remote"));
    check(&[false, true], &[false], 2, Some("local"));
    check(&[false, false], &[false, true], 2, Some("remote"));
    let error = check(&[false, false], &[false, false], 2, None);
    assert_eq!(error.as_deref(), Some("process 7 (`wfhost run x`) holds the data folder: silent"));
}

#[test]
fn a_run_is_found_by_what_is_unique() {
    let (first, second) = (run_named("a", 1), run_named("b", 2));
    let check = |found: Vec<ShownRun>, message: &str| {
        let mut fake = Fake::answering([Answer::Runs(found)]);
        let result = fake.find("01j").map(|run| run.to_string()).map_err(|error| error.message());
        assert_eq!(fake.asked(), [Request::Find { prefix: "01J".to_owned() }]);
        assert!(result.clone().unwrap_or_else(|error| error).contains(message), "{result:?}");
    };
    check(vec![first.clone()], &first.summary.run.to_string());
    check(vec![], "no run begins with `01J`");
    check(vec![first, second], "more than one");
    assert!(Fake::answering([]).find("../x").is_err());
}

#[test]
fn an_unused_folder_has_no_runs() {
    let folder = tempfile::tempdir().unwrap();
    let data = DataDir::resolve(Some(folder.path()), &Surroundings::default()).unwrap();
    let mut session = Session::open(&data, &Purpose::Ask).unwrap();
    assert_eq!(session.runs(Request::Find { prefix: "latest".into() }).unwrap(), []);
    let error = session.done(Request::Resume { run: run_named("a", 1).summary.run }).unwrap_err();
    assert_eq!(error.code, ExitCode::Usage);
    let unserved = Session::open(&data, &Purpose::Reach).err().unwrap();
    assert_eq!(unserved.code, ExitCode::Unreachable);
    assert!(unserved.hints[0].contains("wfhost serve --data"), "{:?}", unserved.hints);
}
