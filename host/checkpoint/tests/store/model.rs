//! Random commits, removals and restarts against a model.

use std::collections::BTreeMap;

use proptest::prelude::*;
use wfhost_checkpoint::conformance::{commit, commit_with, every_event, json_of, run};
use wfhost_checkpoint::{Commit, DataFolder, Durability, Error, Snapshot};
use wfhost_workflow::run::Event;
use wfhost_workflow::{Attempt, Revision, RunId, StepId, TaskId};

use crate::support::open;

#[derive(Debug, Clone)]
enum Action {
    Commit(Vec<(u64, Size, bool)>),
    /// Of a run, with a revision that is off by so much.
    Fence(u64, u64),
    Remove(u64),
    Reopen,
    Read(u64, u64, usize),
}

#[derive(Debug, Clone, Copy)]
enum Size {
    Small,
    EveryEvent,
    Parts,
    File,
}

fn action() -> impl Strategy<Value = Action> {
    let size = prop_oneof![
        6 => Just(Size::Small),
        1 => Just(Size::EveryEvent),
        1 => Just(Size::Parts),
        1 => Just(Size::File),
    ];
    let one = (0..6_u64, size, prop::bool::weighted(0.2));
    prop_oneof![
        8 => prop::collection::vec(one, 1..8).prop_map(Action::Commit),
        1 => (0..6_u64, 2..5_u64).prop_map(|(run, off)| Action::Fence(run, off)),
        1 => (0..6_u64).prop_map(Action::Remove),
        2 => Just(Action::Reopen),
        2 => (0..6_u64, 0..20_u64, 0..9_usize)
            .prop_map(|(run, after, limit)| Action::Read(run, after, limit)),
    ]
}

fn make(id: RunId, revision: u64, size: Size, with_snapshot: bool) -> Commit {
    let scheduled = |count: u32| {
        (0..count)
            .map(|index| Event::AttemptScheduled {
                task: TaskId::item(StepId(1), index),
                attempt: Attempt::FIRST,
            })
            .collect()
    };
    let mut made = match size {
        Size::Small => commit(id, revision),
        Size::EveryEvent => commit_with(id, revision, every_event()),
        Size::Parts => commit_with(id, revision, scheduled(300)),
        Size::File => {
            let output = json_of(5000, revision);
            commit_with(id, revision, vec![Event::Succeeded { output }])
        }
    };
    if with_snapshot {
        let revision = made.record.revision;
        made.snapshot = Some(Snapshot { revision, bytes: revision.0.to_le_bytes().to_vec() });
    }
    made
}

type Model = BTreeMap<RunId, Vec<Commit>>;

fn revision_of(model: &Model, id: RunId) -> u64 {
    model.get(&id).map_or(0, |commits| commits.len() as u64)
}

fn assert_equal(data: &DataFolder, model: &Model) {
    let summaries = data.store.summaries(None, usize::MAX).unwrap();
    let expected: Vec<_> =
        model.values().rev().map(|commits| commits.last().unwrap().summary.clone()).collect();
    assert_eq!(summaries, expected);
    for (id, commits) in model {
        let stored = data.store.load(*id).unwrap().unwrap();
        let snapshot = commits.iter().rev().find_map(|commit| commit.snapshot.clone());
        let after = snapshot.as_ref().map_or(0, |snapshot| snapshot.revision.0) as usize;
        let records: Vec<_> = commits[after..].iter().map(|commit| commit.record.clone()).collect();
        assert_eq!(stored.snapshot, snapshot);
        assert_eq!(stored.records, records);
    }
}

fn act(data: &DataFolder, model: &mut Model, action: &Action) {
    match action {
        Action::Commit(ones) => {
            let mut next = model.clone();
            let mut commits = Vec::new();
            for (n, size, with_snapshot) in ones {
                let id = run(*n);
                let revision = revision_of(&next, id) + 1;
                let made = make(id, revision, *size, *with_snapshot);
                next.entry(id).or_default().push(made.clone());
                commits.push(made);
            }
            data.store.commit(&commits).unwrap();
            *model = next;
        }
        Action::Fence(n, off) => {
            let id = run(*n);
            let wrong = make(id, revision_of(model, id) + off, Size::Small, false);
            let fine = make(run(9), revision_of(model, run(9)) + 1, Size::Small, false);
            let error = data.store.commit(&[fine, wrong]).unwrap_err();
            assert!(matches!(error, Error::Fenced { .. }), "{error}");
        }
        Action::Remove(n) => {
            data.store.remove(run(*n)).unwrap();
            model.remove(&run(*n));
        }
        Action::Reopen => {}
        Action::Read(n, after, limit) => {
            let found = data.store.journal(run(*n), Revision(*after), *limit);
            let expected: Vec<_> = model
                .get(&run(*n))
                .into_iter()
                .flatten()
                .map(|commit| commit.record.clone())
                .filter(|record| record.revision.0 > *after)
                .take(*limit)
                .collect();
            assert_eq!(found.unwrap(), expected);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn the_store_is_what_was_committed(
        actions in prop::collection::vec(action(), 1..40),
    ) {
        let folder = crate::support::scratch();
        let mut data = open(folder.path(), Durability::None);
        let mut model = Model::new();
        for action in &actions {
            if matches!(action, Action::Reopen) {
                drop(data);
                data = open(folder.path(), Durability::None);
            }
            act(&data, &mut model, action);
            assert_equal(&data, &model);
        }
        drop(data);
        assert_equal(&open(folder.path(), Durability::None), &model);
    }
}
