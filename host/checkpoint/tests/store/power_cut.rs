//! A power cut: what the device holds after it is rebuilt from a trace of all writes and syncs,
//! and everything that was acknowledged must be in it.
//!
//! This file defines the C library's functions that change files, so that the whole process
//! (sled and the standard library) goes through them: they record what is asked, then ask the
//! kernel. The strictest device that POSIX allows is assumed: a write counts only after a sync
//! of its file, a name only after a sync of its folder; what is not synced is lost, or kept in
//! part, at random.

mod trace;

use std::path::Path;

use wfhost_checkpoint::conformance::{commit, commit_with, json_of, run};
use wfhost_checkpoint::{Commit, DataFolder, Durability, Error, Snapshot};
use wfhost_workflow::run::Event;
use wfhost_workflow::{Revision, RunId};

use crate::support::{contents, files_of, open, quick};
use trace::{Keep, Trace};

/// What has been acknowledged when so many operations had been recorded.
#[derive(Debug, Clone, Copy)]
struct Acknowledged {
    operations: usize,
    run: RunId,
    revision: Revision,
}

/// Commits of several runs, some with large values, some with snapshots.
fn workload(batch: u64) -> Vec<Commit> {
    (0..8)
        .map(|n| {
            let id = run(1 + n);
            let mut one = commit(id, batch);
            if batch % 7 == n {
                let large = vec![Event::Succeeded { output: json_of(9000, batch * 10 + n) }];
                one = commit_with(id, batch, large);
            }
            if batch % 5 == n {
                let revision = one.record.revision;
                one.snapshot = Some(Snapshot { revision, bytes: vec![n as u8; 3000] });
            }
            one
        })
        .collect()
}

/// Runs the workload and returns the trace with what was acknowledged when.
fn record(folder: &Path, durability: Durability) -> (Trace, Vec<Acknowledged>) {
    trace::start(folder);
    let mut acknowledged = Vec::new();
    // Opened several times, so that sled's own work at opening is part of it.
    for session in 0..3_u64 {
        let data = open(folder, durability);
        for batch in session * 40 + 1..=(session + 1) * 40 {
            let mut commits = workload(batch);
            commits.truncate(if session == 2 { 7 } else { 8 });
            data.store.commit(&commits).unwrap();
            let operations = trace::operations();
            acknowledged.extend(commits.iter().map(|commit| Acknowledged {
                operations,
                run: commit.run,
                revision: commit.record.revision,
            }));
        }
        if session == 1 {
            data.store.remove(run(8)).unwrap();
            acknowledged.retain(|one| one.run != run(8));
        }
        // Nothing is settled at the end: the power goes.
        if session == 2 {
            std::mem::forget(data);
        }
    }
    (trace::stop(), acknowledged)
}

/// What is missing in the store as it is on the device after `operations`.
fn lost_after(
    trace: &Trace,
    operations: usize,
    acknowledged: &[Acknowledged],
    keep: Keep,
) -> Result<usize, Error> {
    let image = crate::support::scratch();
    trace.rebuild(operations, keep, image.path());
    let data = DataFolder::open(image.path(), &quick(Durability::None))?;
    let stored = contents(&*data.store);
    let due = acknowledged.iter().filter(|one| one.operations <= operations);
    let lost = due
        .filter(|one| {
            stored.get(&one.run).is_none_or(|(summary, journal)| {
                summary.revision < one.revision
                    || !journal.iter().any(|record| record.revision == one.revision)
            })
        })
        .count();
    Ok(lost)
}

fn cuts(trace: &Trace, count: usize, random: &mut fastrand::Rng) -> Vec<usize> {
    let mut cuts: Vec<_> = (0..count).map(|_| random.usize(0..=trace.len())).collect();
    cuts.push(trace.len());
    cuts
}

#[test]
fn with_sync_a_power_cut_loses_nothing_that_was_acknowledged() {
    let folder = crate::support::scratch();
    let (trace, acknowledged) = record(folder.path(), Durability::Sync);
    assert!(trace.syncs() > 120, "a sync for each batch was recorded");
    let seed = fastrand::u64(..);
    println!("seed {seed}, {} operations, {} syncs", trace.len(), trace.syncs());
    let mut random = fastrand::Rng::with_seed(seed);
    for cut in cuts(&trace, 30, &mut random) {
        for keep in [Keep::SyncedOnly, Keep::Random(random.u64(..)), Keep::Everything] {
            let lost = lost_after(&trace, cut, &acknowledged, keep)
                .unwrap_or_else(|error| panic!("cut after {cut}, {keep:?}: {error}"));
            assert_eq!(lost, 0, "cut after {cut}, {keep:?}");
        }
    }
}

/// The same test without the sync: it must see that commits are lost, or it shows nothing.
#[test]
fn without_sync_the_same_power_cut_loses_commits() {
    let folder = crate::support::scratch();
    let (trace, acknowledged) = record(folder.path(), Durability::Os);
    let lost = lost_after(&trace, trace.len(), &acknowledged, Keep::SyncedOnly);
    println!("lost with `os`: {lost:?}");
    assert!(lost.is_err() || lost.unwrap() > 0);
    // The end of the process alone, without a power cut, loses nothing.
    let lost = lost_after(&trace, trace.len(), &acknowledged, Keep::Everything).unwrap();
    assert_eq!(lost, 0);
}

#[test]
fn the_trace_gives_back_what_was_written() {
    let folder = crate::support::scratch();
    let (trace, _) = record(folder.path(), Durability::Os);
    let image = crate::support::scratch();
    trace.rebuild(trace.len(), Keep::Everything, image.path());
    let written = files_of(&folder.path().join("store"));
    let rebuilt = files_of(&image.path().join("store"));
    assert!(!written.is_empty());
    assert_eq!(written.keys().collect::<Vec<_>>(), rebuilt.keys().collect::<Vec<_>>());
    assert!(written == rebuilt, "the trace misses a write");
}
