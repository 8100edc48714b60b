//! What clients ask, in every state of a run.

use wfhost_coordinator::{VERBS, Verb, verb_result};
use wfhost_transport::client::{Answer, Refusal, Request, ShownStatus, StepShown};
use wfhost_transport::message::{FromWorker, LogLevel, LogLine, Progress};
use wfhost_workflow::RunId;
use wfhost_workflow::run::RunStatus;

use crate::runs::TWO;
use crate::setting::Setting;

const STATUSES: [ShownStatus; 5] = [
    ShownStatus::Running,
    ShownStatus::Interrupted,
    ShownStatus::Succeeded,
    ShownStatus::Failed,
    ShownStatus::Cancelled,
];

/// A run in a status, in a coordinator that lives.
fn run_in(status: ShownStatus) -> (Setting, RunId) {
    let setting = Setting::new();
    let run = setting.start(1, TWO, "{\"x\":5}");
    match status {
        ShownStatus::Running => {}
        ShownStatus::Interrupted => return (setting.restart(), run),
        ShownStatus::Cancelled => {
            let cancel = Request::Cancel { run, reason: "test".to_owned() };
            assert_eq!(setting.ask(cancel), Answer::Done);
        }
        ShownStatus::Succeeded | ShownStatus::Failed => {
            let mut worker = setting.worker(1);
            let output = if status == ShownStatus::Failed { "{}" } else { "{\"y\":1}" };
            let first = worker.dispatch();
            worker.succeed(first.attempt, output);
            if status == ShownStatus::Succeeded {
                let second = worker.dispatch();
                worker.succeed(second.attempt, "1");
            }
            setting.ended(run);
        }
    }
    (setting, run)
}

fn request(verb: Verb, run: RunId) -> Request {
    match verb {
        Verb::Resume => Request::Resume { run },
        Verb::Cancel => Request::Cancel { run, reason: "again".to_owned() },
        Verb::Remove => Request::Remove { run },
        Verb::Retry => Request::Retry { run },
    }
}

#[test]
fn every_verb_does_in_every_status_what_the_table_says() {
    for (verb, status, expected) in VERBS {
        let (setting, run) = run_in(status);
        assert_eq!(setting.view(run).run.status, status);
        match (setting.ask(request(verb, run)), expected) {
            (Answer::Done, Ok(_)) => {}
            (Answer::Refused(Refusal::WrongState(text)), Err(reason)) => {
                assert!(text.contains(reason), "{verb:?} × {status:?}: {text}");
            }
            (answer, _) => panic!("{verb:?} × {status:?}: {answer:?}"),
        }
    }
}

#[test]
fn the_table_has_every_pair_once() {
    for verb in [Verb::Resume, Verb::Cancel, Verb::Remove, Verb::Retry] {
        for status in STATUSES {
            let count = VERBS.iter().filter(|(of, on, _)| (*of, *on) == (verb, status)).count();
            assert_eq!(count, 1, "{verb:?} × {status:?}");
            assert_ne!(verb_result(verb, status), Err("it is not possible"));
        }
    }
}

#[test]
fn a_start_that_is_sent_twice_starts_one_run() {
    let setting = Setting::new();
    let start = setting.start_of(1, TWO, "{\"x\":5}");
    for _ in 0..2 {
        assert_eq!(setting.ask(Request::Start(Box::new(start.clone()))), Answer::Done);
    }
    let setting = setting.restart();
    assert_eq!(setting.ask(Request::Start(Box::new(start.clone()))), Answer::Done);
    assert_eq!(setting.events(start.run).len(), 2);
}

#[test]
fn a_start_with_a_bad_input_plugin_or_definition_is_refused_before_anything_is_stored() {
    let setting = Setting::new();
    let schema = format!("input: {{ type: object, required: [name] }}\n{TWO}");
    let bad_input = setting.start_of(1, &schema, "{}");
    let mut other_plugin = setting.start_of(2, TWO, "{}");
    other_plugin.plugins[0].alias = "q".into();
    let mut no_component = setting.start_of(3, TWO, "{}");
    no_component.plugins[0].digest = wfhost_workflow::Digest::of(b"elsewhere");
    let bad_text = setting.start_of(4, "steps: 7\n", "{}");
    for start in [bad_input, other_plugin, no_component, bad_text] {
        let run = start.run;
        let answer = setting.ask(Request::Start(Box::new(start)));
        assert!(matches!(answer, Answer::Refused(Refusal::Invalid(_))), "{answer:?}");
        assert!(setting.store.summary(run).unwrap().is_none());
    }
}

#[test]
fn cancelling_withdraws_what_is_under_way() {
    let setting = Setting::new();
    let mut worker = setting.worker(1);
    let run = setting.start(1, TWO, "{\"x\":5}");
    let first = worker.dispatch();
    let cancel = Request::Cancel { run, reason: "no more".to_owned() };
    assert_eq!(setting.ask(cancel), Answer::Done);
    assert_eq!(worker.cancel(), first.attempt);
    worker.succeed(first.attempt, "{\"y\":1}");
    let (status, _, error) = setting.ended(run);
    assert_eq!((status, error.as_deref()), (RunStatus::Cancelled, Some("cancelled: no more")));
}

#[test]
fn views_show_slots_progress_and_logs_as_they_come() {
    let setting = Setting::new();
    let run = setting.start(1, TWO, "{\"x\":5}");
    let view = setting.view_when(run, |view| view.steps[0].state == StepShown::Queued);
    assert_eq!(view.steps[1].state, StepShown::Waiting);
    let mut worker = setting.worker(1);
    let attempt = worker.dispatch().attempt;
    let progress = Progress { done: 3, total: 9, message: "reading".to_owned() };
    worker.say(&FromWorker::Progress { attempt, progress: progress.clone() });
    let view = setting.view_when(run, |view| view.steps[0].progress.is_some());
    assert_eq!((view.steps[0].state, view.steps[0].running), (StepShown::Running, 1));
    assert_eq!(view.steps[0].progress, Some(progress));
    let line = LogLine {
        at_ms: 1,
        level: LogLevel::Warn,
        message: "careful".to_owned(),
        fields: vec![("n".to_owned(), "1".to_owned())],
    };
    worker.say(&FromWorker::Log { attempt, lines: vec![line.clone()] });
    let started = std::time::Instant::now();
    loop {
        let Answer::Logs { lines, .. } = setting.ask(Request::Logs { run, offset: 0 }) else {
            panic!()
        };
        if let [shown] = &lines[..] {
            assert_eq!((&*shown.step, shown.attempt, &shown.line), ("a", 1, &line));
            break;
        }
        assert!(started.elapsed() < crate::setting::PATIENCE);
    }
}

#[test]
fn runs_are_listed_newest_first_found_by_prefix_and_gone_when_removed() {
    let setting = Setting::new();
    let runs: Vec<RunId> = (1..=3).map(|number| setting.start(number, TWO, "{\"x\":5}")).collect();
    let list = |status: Vec<ShownStatus>| match setting.ask(Request::List {
        before: None,
        limit: 10,
        status,
    }) {
        Answer::Runs(runs) => runs.into_iter().map(|shown| shown.summary.run).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    assert_eq!(list(Vec::new()), [runs[2], runs[1], runs[0]]);
    assert_eq!(list(vec![ShownStatus::Failed]), []);
    let find = |prefix: &str| match setting.ask(Request::Find { prefix: prefix.to_owned() }) {
        Answer::Runs(runs) => runs.into_iter().map(|shown| shown.summary.run).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    assert_eq!(find("latest"), [runs[2]]);
    assert_eq!(find(&runs[0].to_string()), [runs[0]]);
    assert_eq!(find("01").len(), 2);
    let cancel = Request::Cancel { run: runs[2], reason: "test".to_owned() };
    assert_eq!(setting.ask(cancel), Answer::Done);
    assert_eq!(setting.ask(Request::Remove { run: runs[2] }), Answer::Done);
    assert_eq!(list(Vec::new()), [runs[1], runs[0]]);
    let gone = setting.ask(Request::Show { run: runs[2] });
    assert!(matches!(gone, Answer::Refused(Refusal::NotFound(_))), "{gone:?}");
}
