//! What clients ask, and who answers: the loop from its memory, or the queries' thread.

mod verbs;

use std::sync::Arc;

use wfhost_transport::client::{Answer, Refusal, Request, ShownRun, ShownStatus, Start};
use wfhost_transport::codec::CHUNK_BYTES;
use wfhost_transport::message::ToWorker;
use wfhost_workflow::run::{Input, Rejection, Run, RunStarted, RunStatus, RunSummary, Upgrade};
use wfhost_workflow::{Definition, DurationMs, Json, MonotonicMs, PinnedPlugin, RunId, TaskId};

use crate::commands::{LoadedFor, QueryResult, ReplyTo};
use crate::deployed::{BundleQuery, Starting};
use crate::event_loop::{EventLoop, answer};
use crate::pool::Pool;
use crate::queries::{Query, not_found, store_failed};
use crate::runs::{Place, Slot, WatchKind, Watcher};
use crate::shown;
use crate::uploads::{Part, Sender};

pub use verbs::{VERBS, Verb, verb_result};

/// Nobody waits longer than this in one request.
const WAIT_MS_MAX: u64 = 60_000;

/// How much longer than asked for a view of a busy run is waited for.
const VIEW_GRACE: DurationMs = DurationMs(3_000);

/// More would keep too much of the loop's time.
const WATCHERS_MAX: usize = 10_000;

/// What releases a step of this name, or all of them.
pub(crate) fn release_of(definition: &Definition, step: Option<&str>) -> Result<Input, Refusal> {
    let Some(name) = step else { return Ok(Input::Release { task: None }) };
    match definition.step_named(name) {
        Some(step) => Ok(Input::Release { task: Some(TaskId::of(step)) }),
        None => Err(Refusal::NotFound(format!("the workflow has no step `{name}`"))),
    }
}

impl EventLoop {
    pub(crate) fn request(&mut self, request: Request, reply: ReplyTo) {
        match request {
            Request::Start(start) => self.start(start, reply),
            Request::StartDeployed(start) => self.start_deployed(*start, reply),
            Request::Get { digest, offset, len } => {
                self.ask(Query::Get { digest, offset, len }, reply);
            }
            Request::Deploy(deploy) => {
                self.ask(Query::Bundles(BundleQuery::Deploy(deploy)), reply);
            }
            Request::ChangeBundle { name, change } => {
                self.ask(Query::Bundles(BundleQuery::Change(name, change)), reply);
            }
            Request::Bundles => self.ask(Query::Bundles(BundleQuery::All), reply),
            Request::Bundle { name } => self.ask(Query::Bundles(BundleQuery::One(name)), reply),
            Request::Has { digests } => self.ask(Query::Has { digests }, reply),
            Request::Put { digest, offset, total, bytes } => {
                self.put(Part { digest, offset, total, bytes }, reply);
            }
            Request::Workers => {
                let workers = self.shown_workers();
                self.reply(reply, workers);
            }
            Request::DrainWorker { worker } => self.drain_worker(&worker, reply),
            Request::RemoveWorker { worker } => self.remove_worker(&worker, reply),
            Request::Scale { workers } => self.ask_pool(reply, |pool| {
                pool.scale(workers);
                Answer::Done
            }),
            Request::Prefetch { components } => self.prefetch(components, reply),
            Request::Pool => self.ask_pool(reply, |pool| Answer::Pool(pool.shown())),
            Request::Resume { run } => self.resume(run, reply),
            Request::Retry { run } => self.retry(run, reply),
            Request::Release { run, step } => self.release_steps(run, step, reply),
            Request::Cancel { run, reason } => self.cancel(run, reason, reply),
            Request::Remove { run } => self.remove(run, reply),
            Request::List { before, limit, status } => {
                let query =
                    Query::List { before, limit: limit as usize, statuses: stored(&status) };
                self.ask(query, reply);
            }
            Request::Find { prefix } => self.ask(Query::Find { prefix }, reply),
            Request::Show { run } => self.show(run, reply),
            Request::Events { run, after, limit } => {
                self.ask(Query::Events { run, after, limit: limit as usize }, reply);
            }
            Request::Logs { run, offset } => {
                let written = self.parts.logs.written();
                self.ask(Query::Logs { run, offset, written }, reply);
            }
            Request::Output { run, step } => match self.runs.get(run).and_then(Slot::run) {
                Some(open) => {
                    let answer = match output_of(open, step.as_deref()) {
                        Ok(output) => Answer::Output(output),
                        Err(refusal) => Answer::Refused(refusal),
                    };
                    self.reply(reply, answer);
                }
                None => self.ask(Query::Output { run, step }, reply),
            },
            Request::Await { run, wait_ms } => {
                if self.runs.contains(run) {
                    self.watch(run, WatchKind::End, wait_ms, reply);
                } else {
                    self.ask(Query::Await { run }, reply);
                }
            }
            Request::Watch { run, seen, wait_ms } => {
                if self.runs.contains(run) {
                    self.watch(run, WatchKind::View { seen }, wait_ms, reply);
                } else {
                    self.ask(Query::Show { run }, reply);
                }
            }
        }
    }

    fn show(&mut self, run: RunId, reply: ReplyTo) {
        match self.view(run) {
            Some(mut view) => {
                if let Answer::Run(view) = &mut view {
                    self.tell_whereabouts(view);
                }
                self.reply(reply, view);
            }
            // It is at the evaluator, or its end is on its way to the store.
            None if self.runs.contains(run) => {
                self.watch(run, WatchKind::View { seen: 0 }, WAIT_MS_MAX, reply);
            }
            None => self.ask(Query::Show { run }, reply),
        }
    }

    fn ask_pool(&mut self, reply: ReplyTo, ask: impl FnOnce(&dyn Pool) -> Answer) {
        let answer = match &self.parts.pool {
            Some(pool) => ask(&**pool),
            None => {
                let what = "this process manages no workers of its own: each is started by hand";
                Answer::Refused(Refusal::Unavailable(what.to_owned()))
            }
        };
        self.reply(reply, answer);
    }

    pub(crate) fn queried(&mut self, reply: ReplyTo, result: QueryResult) {
        match result {
            QueryResult::Answer(answer) => self.reply(reply, answer),
            QueryResult::Put(answer) => {
                self.parts_under_way.end(sender_of(&reply));
                self.reply(reply, answer);
            }
            QueryResult::Chunk { digest, offset, total, bytes } => {
                if let ReplyTo::Worker(worker) = reply {
                    self.send(worker, &ToWorker::Chunk { digest, offset, total, bytes });
                }
            }
            QueryResult::Received { delivery, output } => {
                if let ReplyTo::Worker(worker) = reply {
                    self.received(worker, *delivery, output);
                }
            }
            QueryResult::Summaries(summaries) => {
                let runs = summaries.into_iter().map(|summary| self.shown(summary)).collect();
                self.reply(reply, Answer::Runs(runs));
            }
            QueryResult::Prepared(starting, definition) => {
                self.start_prepared(*starting, definition, reply);
            }
            QueryResult::Bundles(asked, open) => self.bundles_asked(asked, open, reply),
            QueryResult::Deployed(Ok(())) => self.changed(reply),
            QueryResult::Deployed(Err(refusal)) => {
                // What is stored is not known: as with a commit, nothing goes on.
                self.fail(&refusal.to_string());
                self.reply(reply, Answer::Refused(refusal));
            }
            QueryResult::Nothing => {}
            QueryResult::Loaded(run, purpose) => self.loaded(run, purpose, reply),
        }
    }

    pub(crate) fn ask(&mut self, query: Query, reply: ReplyTo) {
        if let Err(failed) = self.parts.queries.send((query, reply)) {
            let (_, reply) = failed.0;
            let refusal = Refusal::Unavailable("the thread that reads has ended".to_owned());
            self.reply(reply, Answer::Refused(refusal));
        }
    }

    fn put(&mut self, part: Part, reply: ReplyTo) {
        let sender = sender_of(&reply);
        if part.bytes.len() > CHUNK_BYTES as usize {
            let message = format!("a part has at most {CHUNK_BYTES} bytes");
            return self.reply(reply, Answer::Refused(Refusal::Invalid(message)));
        }
        if !self.parts_under_way.begin(sender) {
            let message = "too much is being sent at once".to_owned();
            return self.reply(reply, Answer::Refused(Refusal::Unavailable(message)));
        }
        self.ask(Query::Put { sender, part }, reply);
    }

    fn start(&mut self, start: Box<Start>, reply: ReplyTo) {
        if let ReplyTo::Client(client, _) = &reply
            && !self.parts.link.is_of_this_user(*client)
            && let Some(refusal) = path_of_this_machine(&start)
        {
            return self.reply(reply, Answer::Refused(refusal));
        }
        self.start_from(Starting::from_file(*start), reply);
    }

    pub(crate) fn start_prepared(
        &mut self,
        starting: Starting,
        definition: Arc<Definition>,
        reply: ReplyTo,
    ) {
        let bundle = starting.bundle();
        let Starting { start, from } = starting;
        match self.check_start(&start, &definition, bundle.is_some()) {
            Ok(Known::New) => {
                if let Some(version) = bundle {
                    self.deployments.started(version, self.parts.clock.monotonic());
                }
                let started = RunStarted {
                    run: start.run,
                    workflow: definition.name.clone(),
                    version: definition.version.clone(),
                    definition: start.definition,
                    input: start.input,
                    plugins: start.plugins,
                    seed: self.parts.random.u64(..),
                    origin: from.map(|from| from.origin),
                };
                self.begin(definition, started, reply);
            }
            Ok(Known::Stored) => self.reply(reply, Answer::Done),
            Err(refusal) => self.reply(reply, Answer::Refused(refusal)),
        }
    }

    fn check_start(
        &self,
        start: &Start,
        definition: &Definition,
        is_deployed: bool,
    ) -> Result<Known, Refusal> {
        if self.runs.contains(start.run) {
            return Ok(Known::Stored);
        }
        if self.parts.store.knows(start.run).map_err(store_failed)? {
            return Ok(Known::Stored);
        }
        if let Some(schema) = &definition.input {
            schema.check(&start.input).map_err(|problems| {
                Refusal::Invalid(format!("the input does not fit: {}", problems.join("; ")))
            })?;
        }
        let wanted = definition.plugins.iter().map(|plugin| &plugin.alias);
        if !wanted.eq(start.plugins.iter().map(|plugin| &plugin.alias)) {
            let message = "the plugins are not those of the workflow file".to_owned();
            return Err(Refusal::Invalid(message));
        }
        // What is deployed has all its contents.
        if !is_deployed {
            self.check_contents(&start.plugins)?;
        }
        Ok(Known::New)
    }

    fn check_contents(&self, plugins: &[PinnedPlugin]) -> Result<(), Refusal> {
        for plugin in plugins {
            if !self.parts.content.contains(&plugin.digest).map_err(store_failed)? {
                return Err(Refusal::Invalid(format!(
                    "the component of plugin `{}` ({}) is not in the content store",
                    plugin.alias, plugin.digest
                )));
            }
        }
        Ok(())
    }

    fn resume(&mut self, run: RunId, reply: ReplyTo) {
        if self.runs.contains(run) {
            return self.reply(reply, Answer::Done);
        }
        self.ask(Query::Load { run, purpose: LoadedFor::Resume }, reply);
    }

    fn cancel(&mut self, run: RunId, reason: String, reply: ReplyTo) {
        if self.runs.contains(run) {
            return self.take(run, Input::Cancel { reason }, Some(reply));
        }
        self.ask(Query::Load { run, purpose: LoadedFor::Cancel { reason } }, reply);
    }

    fn retry(&mut self, run: RunId, reply: ReplyTo) {
        match self.runs.get(run).map(Slot::run) {
            None => self.ask(Query::Load { run, purpose: LoadedFor::Retry }, reply),
            // Its end is on its way to the store: from there it can be loaded.
            Some(Some(here)) if here.status().is_over() => {
                let refusal = Refusal::Unavailable("the run is changing: ask again".to_owned());
                self.reply(reply, Answer::Refused(refusal));
            }
            // To ask twice is to ask once.
            Some(_) => self.reply(reply, Answer::Done),
        }
    }

    fn release_steps(&mut self, run: RunId, step: Option<String>, reply: ReplyTo) {
        let Some(slot) = self.runs.get(run) else {
            return self.ask(Query::Load { run, purpose: LoadedFor::Release { step } }, reply);
        };
        match release_of(&slot.definition, step.as_deref()) {
            Ok(input) => self.take(run, input, Some(reply)),
            Err(refusal) => self.reply(reply, Answer::Refused(refusal)),
        }
    }

    /// One with nothing to release is not served for that.
    fn loaded_for_release(&mut self, run: Box<Run>, purpose: LoadedFor, reply: ReplyTo) {
        let id = run.id();
        let reason = match run.status() {
            RunStatus::Running if run.quarantined().next().is_some() => {
                return self.adopt(run, purpose, reply);
            }
            RunStatus::Running => Rejection::NotQuarantined,
            RunStatus::Succeeded | RunStatus::Failed | RunStatus::Cancelled => Rejection::RunOver,
        };
        let refusal = Refusal::WrongState(format!("run {id}: {reason}"));
        self.reply(reply, Answer::Refused(refusal));
    }

    /// Lets a run go on with another version, whether it is served or not. What the upgrade names
    /// by digest must be in the content store.
    pub(crate) fn upgrade(&mut self, run: RunId, upgrade: Box<Upgrade>, reply: ReplyTo) {
        let pinned = self.check_contents(&upgrade.plugins).and_then(|()| {
            let found = self.parts.content.contains(&upgrade.digest).map_err(store_failed)?;
            let missing = || format!("the workflow file {} is not stored", upgrade.digest);
            if found { Ok(()) } else { Err(Refusal::Invalid(missing())) }
        });
        if let Err(refusal) = pinned {
            return self.reply(reply, Answer::Refused(refusal));
        }
        if self.runs.contains(run) {
            return self.take(run, Input::Upgrade(upgrade), Some(reply));
        }
        self.ask(Query::Load { run, purpose: LoadedFor::Upgrade(upgrade) }, reply);
    }

    fn loaded(&mut self, run: Box<Run>, purpose: LoadedFor, reply: ReplyTo) {
        let verb = match purpose {
            LoadedFor::Resume => Verb::Resume,
            LoadedFor::Cancel { .. } => Verb::Cancel,
            LoadedFor::Retry => Verb::Retry,
            LoadedFor::Release { .. } => return self.loaded_for_release(run, purpose, reply),
            LoadedFor::Upgrade(upgrade) => {
                return self.adopt(run, LoadedFor::Upgrade(upgrade), reply);
            }
        };
        let status = ShownStatus::of(run.status(), self.runs.contains(run.id()));
        match verb_result(verb, status) {
            Ok(_) if run.status().is_over() && verb != Verb::Retry => {
                self.reply(reply, Answer::Done);
            }
            Ok(_) => self.adopt(run, purpose, reply),
            Err(reason) => {
                let refusal = Refusal::WrongState(format!("run {}: {reason}", run.id()));
                self.reply(reply, Answer::Refused(refusal));
            }
        }
    }

    fn remove(&mut self, run: RunId, reply: ReplyTo) {
        let status = match self.parts.store.summary(run) {
            Ok(Some(summary)) => ShownStatus::of(summary.status, self.runs.contains(run)),
            Ok(None) => return self.reply(reply, Answer::Refused(not_found(run))),
            Err(error) => return self.reply(reply, Answer::Refused(store_failed(error))),
        };
        match verb_result(Verb::Remove, status) {
            Ok(_) => self.ask(Query::Remove { run }, reply),
            Err(reason) => {
                let refusal = Refusal::WrongState(format!("run {run}: {reason}"));
                self.reply(reply, Answer::Refused(refusal));
            }
        }
    }

    fn shown(&self, summary: RunSummary) -> ShownRun {
        let status = ShownStatus::of(summary.status, self.runs.contains(summary.run));
        ShownRun { summary, status }
    }

    /// The view of a run that is here, unless its end is still on its way to the store.
    fn view(&self, run: RunId) -> Option<Answer> {
        let slot = self.runs.get(run)?;
        let here = slot.run()?;
        (!here.status().is_over())
            .then(|| Answer::Run(Box::new(shown::run_view(here, Some(&slot.live), slot.tick))))
    }

    fn watch(&mut self, run: RunId, kind: WatchKind, wait_ms: u64, reply: ReplyTo) {
        let until = self.parts.clock.monotonic() + DurationMs(wait_ms.min(WAIT_MS_MAX));
        let Some(slot) = self.runs.get_mut(run) else { return };
        if slot.watchers.len() >= WATCHERS_MAX {
            let refusal = Refusal::Unavailable("too many are watching this run".to_owned());
            return self.reply(reply, Answer::Refused(refusal));
        }
        slot.watchers.push(Watcher { reply, until, kind });
        self.watched.insert(run);
    }

    /// Answers those who have not seen what there is to see.
    pub(crate) fn answer_watchers(&mut self) {
        for run in std::mem::take(&mut self.watched) {
            if self.is_watched_on(run) {
                self.watched.insert(run);
            }
        }
    }

    /// The same of one run.
    pub(crate) fn answer_watchers_of(&mut self, run: RunId) {
        if self.watched.remove(&run) && self.is_watched_on(run) {
            self.watched.insert(run);
        }
    }

    /// Answers those who have not seen what there is to see, and says whether others wait.
    fn is_watched_on(&mut self, run: RunId) -> bool {
        let Some(view) = self.view(run) else { return self.runs.contains(run) };
        let Some(slot) = self.runs.get_mut(run) else { return false };
        let tick = slot.tick;
        let watchers = std::mem::take(&mut slot.watchers);
        let (ready, waiting): (Vec<_>, Vec<_>) = watchers
            .into_iter()
            .partition(|watcher| matches!(watcher.kind, WatchKind::View { seen } if seen != tick));
        let others = waiting.iter().any(|watcher| matches!(watcher.kind, WatchKind::View { .. }));
        slot.watchers = waiting;
        for watcher in ready {
            answer(&mut self.parts.link, watcher.reply, view.clone());
        }
        others
    }

    /// Answers those whose time is over.
    pub(crate) fn answer_late_watchers(&mut self, now: MonotonicMs) {
        let mut late = Vec::new();
        for (run, slot) in self.runs.slots_mut() {
            let watchers = std::mem::take(&mut slot.watchers);
            // A run that is away has no view: it is waited for a little longer.
            let grace = |kind| match (kind, &slot.place) {
                (WatchKind::View { .. }, Place::Away(_)) => VIEW_GRACE,
                _ => DurationMs(0),
            };
            let (over, waiting): (Vec<_>, Vec<_>) = watchers
                .into_iter()
                .partition(|watcher| watcher.until + grace(watcher.kind) <= now);
            slot.watchers = waiting;
            late.extend(over.into_iter().map(|watcher| (run, watcher)));
        }
        for (run, watcher) in late {
            let message = match (watcher.kind, self.view(run)) {
                (WatchKind::View { .. }, Some(view)) => view,
                (WatchKind::View { .. }, None) => Answer::Refused(Refusal::Unavailable(
                    "the run is changing: ask again".to_owned(),
                )),
                (WatchKind::End, _) => {
                    Answer::Ended { status: RunStatus::Running, output: None, error: None }
                }
            };
            self.reply(watcher.reply, message);
        }
    }

    pub(crate) fn answer_watchers_of_ended(&mut self, run: RunId, mut slot: Slot) {
        self.watched.remove(&run);
        let watchers = std::mem::take(&mut slot.watchers);
        let Some(over) = slot.run() else { return };
        for watcher in watchers {
            let message = match watcher.kind {
                WatchKind::End => ended_answer(over),
                WatchKind::View { .. } => {
                    Answer::Run(Box::new(shown::run_view(over, None, slot.tick)))
                }
            };
            answer(&mut self.parts.link, watcher.reply, message);
        }
    }
}

/// Who starts a run from elsewhere decides about no folder of this machine: an embedded worker
/// would open it.
fn path_of_this_machine(start: &Start) -> Option<Refusal> {
    let dirs =
        start.plugins.iter().flat_map(|plugin| plugin.dirs.iter().map(move |dir| (plugin, dir)));
    let (plugin, dir) = dirs.into_iter().find(|(_, dir)| !dir.host_path.starts_with('@'))?;
    Some(Refusal::Denied(format!(
        "plugin `{}` is given the path {}: over the network a directory has the name that workers have for it, such as `@in`",
        plugin.alias, dir.host_path
    )))
}

/// Whose parts are counted together.
const fn sender_of(reply: &ReplyTo) -> Sender {
    match reply {
        ReplyTo::Client(client, _) => Some(*client),
        ReplyTo::Local(_)
        | ReplyTo::Worker(_)
        | ReplyTo::Taken(..)
        | ReplyTo::Nobody
        | ReplyTo::Starter(_) => None,
    }
}

/// Whether a run was started before.
enum Known {
    New,
    Stored,
}

/// What `Await` gives for a run that is not served.
pub(crate) fn ended_answer(run: &Run) -> Answer {
    Answer::Ended { status: run.status(), output: run.output().cloned(), error: run.error() }
}

/// A run's output, or a step's.
pub(crate) fn output_of(run: &Run, step: Option<&str>) -> Result<Json, Refusal> {
    let Some(name) = step else {
        return run.output().cloned().ok_or_else(|| {
            Refusal::WrongState(format!("run {} has no output: {}", run.id(), why_none(run)))
        });
    };
    if !run.definition().steps.iter().any(|step| &*step.name == name) {
        let message = format!("workflow `{}` has no step `{name}`", run.definition().name);
        return Err(Refusal::NotFound(message));
    }
    run.step_output(name).ok_or_else(|| {
        Refusal::WrongState(format!("step `{name}` of run {} has no result", run.id()))
    })
}

fn why_none(run: &Run) -> String {
    run.error().unwrap_or_else(|| "it is not over".to_owned())
}

/// As stored: both shown statuses of an open run are one.
fn stored(shown: &[ShownStatus]) -> Vec<RunStatus> {
    shown
        .iter()
        .map(|status| match status {
            ShownStatus::Running | ShownStatus::Interrupted => RunStatus::Running,
            ShownStatus::Succeeded => RunStatus::Succeeded,
            ShownStatus::Failed => RunStatus::Failed,
            ShownStatus::Cancelled => RunStatus::Cancelled,
        })
        .collect()
}
