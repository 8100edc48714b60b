//! The one place that stores and then acts.
//!
//! Takes an event, applies it to its run, hands the record to the committer, and carries out the
//! effects when the committer says that the record is durable.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, OnceLock, mpsc};
use std::time::Duration;

use wfhost_checkpoint::{Commit, CommitResult, Committer, Content, Store, crash_points};
use wfhost_transport::client::{Answer, Refusal};
use wfhost_transport::message::ToWorker;
use wfhost_transport::{ServerEvent, ServerLink};
use wfhost_workflow::Definition;
use wfhost_workflow::run::{Change, Effect, Input, Run, RunStarted};
use wfhost_workflow::{AttemptId, MonotonicMs, RunId, TimestampMs};

use crate::clock::Clock;
use crate::commands::{Command, Evaluated, LoadedFor, ReplyTo};
use crate::definitions::Definitions;
use crate::deployed::{DeployOptions, Deployments};
use crate::dispatch::Dispatcher;
use crate::evaluator::{self, Evaluation, Work};
use crate::logs::LogWriter;
use crate::pool::Pool;
use crate::queries::QuerySender;
use crate::requests::release_of;
use crate::runs::{PendingCommit, Place, Runs, Slot};
use crate::token::Tokens;
use crate::uploads::PartsUnderWay;

/// Between looks at leases, watchers and heartbeats.
const TICK: Duration = Duration::from_millis(100);

/// What the event loop owns.
pub(crate) struct Parts {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) content: Content,
    pub(crate) committer: Committer,
    pub(crate) queries: QuerySender,
    pub(crate) evaluator: mpsc::Sender<Evaluation>,
    pub(crate) logs: LogWriter,
    pub(crate) definitions: Arc<Definitions>,
    pub(crate) link: ServerLink,
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) clock: Clock,
    pub(crate) tokens: Tokens,
    pub(crate) random: fastrand::Rng,
    pub(crate) failure: Arc<OnceLock<String>>,
    pub(crate) pool: Option<Arc<dyn Pool>>,
    pub(crate) deploys: Arc<DeployOptions>,
}

pub(crate) struct EventLoop {
    pub(crate) parts: Parts,
    pub(crate) runs: Runs,
    pub(crate) dispatcher: Dispatcher,
    /// Runs with somebody who waits for a view.
    pub(crate) watched: BTreeSet<RunId>,
    pub(crate) parts_under_way: PartsUnderWay,
    pub(crate) deployments: Deployments,
    /// Stop once nothing is on its way to the store.
    stopping: bool,
    ticked_at: MonotonicMs,
}

impl EventLoop {
    pub(crate) fn new(parts: Parts, deployments: Deployments) -> Self {
        Self {
            parts,
            deployments,
            runs: Runs::default(),
            dispatcher: Dispatcher::default(),
            watched: BTreeSet::new(),
            parts_under_way: PartsUnderWay::default(),
            stopping: false,
            ticked_at: MonotonicMs(0),
        }
    }

    /// Serves runs that were open when a former process ended. What was under way may still be at a
    /// worker: it is waited for, and lost if nobody has it.
    #[expect(clippy::vec_box, reason = "a run stays boxed where it goes")]
    pub(crate) fn recover(&mut self, runs: Vec<Box<Run>>) {
        let now = self.parts.clock.monotonic();
        for run in runs {
            let id = run.id();
            let under_way: Vec<_> = run.under_way().collect();
            self.runs.insert(id, Slot::of(run));
            for (task, attempt) in under_way {
                self.orphan(now, AttemptId { run: id, task, attempt });
            }
            self.runs.set_timer(id);
        }
    }

    /// Runs until it is told to stop, or the store fails.
    pub(crate) fn run(mut self) {
        let mut events = Vec::new();
        loop {
            let timeout = self.until_next_deadline();
            if let Err(error) = self.parts.link.poll(Some(timeout), &mut events) {
                self.fail(&format!("the link to workers and clients failed: {error}"));
                break;
            }
            for event in events.drain(..) {
                self.link_event(event);
            }
            while let Ok(command) = self.parts.commands.try_recv() {
                self.command(command);
            }
            self.pass_time();
            if self.parts.failure.get().is_some() || (self.stopping && self.is_settled()) {
                break;
            }
        }
        self.close();
    }

    fn link_event(&mut self, event: ServerEvent) {
        match event {
            ServerEvent::Worker(worker, key, message) => self.worker_message(worker, key, message),
            ServerEvent::KeysChanged => self.keys_changed(),
            ServerEvent::BadWorkerMessage(worker, error) => self.bad_worker(worker, &error),
            ServerEvent::Client { client, id, request } => {
                self.request(request, ReplyTo::Client(client, id));
            }
            ServerEvent::Woken => {}
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Request(request, reply) => self.request(request, reply),
            Command::Committed(result) => self.committed(result),
            Command::Queried(reply, result) => self.queried(reply, result),
            Command::Evaluated(evaluated) => self.evaluated(*evaluated),
            Command::Upgrade(run, upgrade, reply) => self.upgrade(run, upgrade, reply),
            Command::Pool(reply) => {
                // Whoever asked may have given up.
                let _gone = reply.try_send(self.pool_view());
            }
            Command::Stop => self.stopping = true,
        }
    }

    /// Gives an input to its run, here or as soon as it is back.
    pub(crate) fn take(&mut self, id: RunId, input: Input, reply: Option<ReplyTo>) {
        let now = self.parts.clock.now();
        let Some(slot) = self.runs.get_mut(id) else {
            tracing::debug!(run = %id, "a message for a run that is not served");
            if let Some(reply) = reply {
                self.note_late(&reply);
                let refusal = Refusal::WrongState(format!("run {id} is not served"));
                self.reply(reply, Answer::Refused(refusal));
            }
            return;
        };
        match &mut slot.place {
            Place::Away(waiting) => waiting.push_back((input, reply)),
            Place::Here(run)
                if (slot.heavy && (!run.status().is_over() || matches!(input, Input::Retry)))
                    || matches!(input, Input::Upgrade(_)) =>
            {
                self.send_away(id, input, reply, now);
            }
            Place::Here(run) => match evaluator::contain(id, || run.apply(now, input)) {
                Some(Ok(change)) => self.store(id, change, reply),
                Some(Err(rejection)) => self.rejected(id, &rejection, reply),
                None => self.evict(id),
            },
        }
    }

    fn rejected(
        &mut self,
        id: RunId,
        rejection: &wfhost_workflow::run::Rejection,
        reply: Option<ReplyTo>,
    ) {
        tracing::debug!(run = %id, %rejection, "an input changed nothing");
        if let Some(reply) = reply {
            self.note_late(&reply);
            let refusal = Refusal::WrongState(format!("run {id}: {rejection}"));
            self.reply(reply, Answer::Refused(refusal));
        }
    }

    fn send_away(&mut self, id: RunId, input: Input, reply: Option<ReplyTo>, now: TimestampMs) {
        let Some(slot) = self.runs.get_mut(id) else { return };
        if let Some(run) = slot.leave() {
            self.evaluate(Evaluation { now, work: Work::Apply(run, input), reply });
        }
    }

    /// Has the input of an attempt made again; the attempt is sent when it is there.
    pub(crate) fn make_order(&mut self, attempt: AttemptId) {
        let (id, now) = (attempt.run, self.parts.clock.now());
        let Some(slot) = self.runs.get_mut(id) else { return };
        match &mut slot.place {
            Place::Away(_) => slot.unmade.push(attempt),
            Place::Here(_) if slot.heavy => {
                if let Some(run) = slot.leave() {
                    let work = Work::Order(run, attempt.task, attempt.attempt);
                    self.evaluate(Evaluation { now, work, reply: None });
                }
            }
            Place::Here(run) => {
                match evaluator::contain(id, || run.order(attempt.task, attempt.attempt)) {
                    Some(Some(order)) => self.dispatch(id, order),
                    // It is no longer wanted.
                    Some(None) => {}
                    None => self.evict(id),
                }
            }
        }
    }

    fn evaluate(&mut self, evaluation: Evaluation) {
        if self.parts.evaluator.send(evaluation).is_err() {
            self.fail("the thread that evaluates expressions has ended");
        }
    }

    fn evaluated(&mut self, evaluated: Evaluated) {
        let Evaluated { id, run, result, reply } = evaluated;
        let Some(run) = run else { return self.evict(id) };
        let Some(slot) = self.runs.get_mut(id) else { return };
        let Place::Away(waiting) = std::mem::replace(&mut slot.place, Place::Here(run)) else {
            return;
        };
        slot.follow();
        match result {
            Ok(change) => self.store(id, change, reply),
            Err(rejection) => self.rejected(id, &rejection, reply),
        }
        // It may leave again at once: this is when it can be seen.
        self.answer_watchers_of(id);
        for (input, reply) in waiting {
            self.take(id, input, reply);
        }
        let unmade = self.runs.get_mut(id).map(|slot| std::mem::take(&mut slot.unmade));
        for attempt in unmade.unwrap_or_default() {
            self.make_order(attempt);
        }
    }

    /// Begins a run that is in neither memory nor store.
    pub(crate) fn begin(
        &mut self,
        definition: Arc<Definition>,
        started: RunStarted,
        reply: ReplyTo,
    ) {
        let (id, now) = (started.run, self.parts.clock.now());
        let away = Place::Away(VecDeque::new());
        let mut slot = Slot::new(away, definition.clone(), &started.plugins);
        slot.origin = started.origin.as_ref().map(|origin| origin.digest);
        if slot.heavy {
            self.runs.insert(id, slot);
            let work = Work::Start(definition, Box::new(started));
            return self.evaluate(Evaluation { now, work, reply: Some(reply) });
        }
        match evaluator::contain(id, || Run::start(definition, started, now)) {
            Some((run, change)) => {
                slot.place = Place::Here(Box::new(run));
                self.runs.insert(id, slot);
                self.store(id, change, Some(reply));
            }
            None => {
                let refusal = Refusal::Invalid("the run could not be started".to_owned());
                self.reply(reply, Answer::Refused(refusal));
            }
        }
    }

    /// Serves a run that was read back.
    pub(crate) fn adopt(&mut self, run: Box<Run>, purpose: LoadedFor, reply: ReplyTo) {
        let id = run.id();
        if self.runs.contains(id) {
            if let LoadedFor::Upgrade(upgrade) = purpose {
                return self.take(id, Input::Upgrade(upgrade), Some(reply));
            }
            return self.reply(reply, Answer::Done);
        }
        let input = match purpose {
            LoadedFor::Resume => Input::Recover,
            LoadedFor::Cancel { reason } => Input::Cancel { reason },
            LoadedFor::Retry => Input::Retry,
            LoadedFor::Upgrade(upgrade) => Input::Upgrade(upgrade),
            LoadedFor::Release { step } => match release_of(run.definition(), step.as_deref()) {
                Ok(input) => input,
                Err(refusal) => return self.reply(reply, Answer::Refused(refusal)),
            },
        };
        let goes_on = matches!(input, Input::Release { .. } | Input::Upgrade(_));
        if matches!(input, Input::Retry) {
            self.count_reopened(&run);
        }
        self.runs.insert(id, Slot::of(run));
        if goes_on {
            // It is served from now on: what else was under way begins again.
            self.take(id, Input::Recover, None);
        }
        self.take(id, input, Some(reply));
    }

    /// Hands a change to the committer; its effects wait until it is durable.
    fn store(&mut self, id: RunId, change: Change, reply: Option<ReplyTo>) {
        let Some(slot) = self.runs.get_mut(id) else { return };
        slot.tick += 1;
        let Some(record) = change.record else {
            self.runs.set_timer(id);
            self.act(id, change.effects);
            if let Some(reply) = reply {
                self.reply(reply, Answer::Done);
            }
            return;
        };
        let snapshot = slot.snapshot_for(&record);
        let Some(run) = slot.run() else { return };
        let summary = run.summary();
        let revision = record.revision;
        slot.pending.push_back(PendingCommit { revision, effects: change.effects, reply });
        self.runs.set_timer(id);
        let commit = Commit { run: id, record, summary, snapshot };
        // Refused: it has failed, and says why in its own message.
        let _refused = self.parts.committer.handle().submit(commit);
    }

    fn committed(&mut self, result: CommitResult) {
        let stored = match result {
            Ok(stored) => stored,
            Err(error) => return self.fail(&describe(&error)),
        };
        for (id, revision) in stored {
            let Some(slot) = self.runs.get_mut(id) else { continue };
            if slot.pending.front().is_none_or(|pending| pending.revision != revision) {
                continue;
            }
            let Some(pending) = slot.pending.pop_front() else { continue };
            if let Some(reply) = pending.reply {
                self.note_counted(&reply);
                if !crash_points::is_hit("lose-answer") {
                    answer(&mut self.parts.link, reply, Answer::Done);
                }
            }
            let waits = pending.effects.is_empty();
            self.act(id, pending.effects);
            // Nothing to do but to wait for a timer or a result.
            if waits && let Some(slot) = self.runs.get_mut(id) {
                slot.shrink();
            }
        }
    }

    fn act(&mut self, id: RunId, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Dispatch(order) => self.dispatch(id, *order),
                Effect::Withdraw { task, attempt } => self.withdraw(id, task, attempt),
                Effect::Ended(status) => {
                    tracing::debug!(run = %id, status = status.name(), "run ended");
                    self.ended(id);
                }
            }
        }
    }

    /// A run that is over and durable leaves the memory.
    fn ended(&mut self, id: RunId) {
        let Some(slot) = self.runs.remove(id) else { return };
        if let Some(run) = slot.run() {
            self.count_ended(run);
        }
        self.answer_watchers_of_ended(id, slot);
    }

    /// Forgets a run that cannot go on in memory; it is as it is stored.
    fn evict(&mut self, id: RunId) {
        let Some(slot) = self.runs.remove(id) else { return };
        self.dispatcher.forget_run(self.parts.clock.monotonic(), id);
        let refusal = Refusal::Unavailable(format!(
            "run {id} stopped at a fault of this program; it is stored as it was"
        ));
        let pending = slot.pending.into_iter().filter_map(|pending| pending.reply);
        for reply in pending.chain(slot.watchers.into_iter().map(|watcher| watcher.reply)) {
            answer(&mut self.parts.link, reply, Answer::Refused(refusal.clone()));
        }
    }

    fn pass_time(&mut self) {
        let now = self.parts.clock.now();
        while let Some(run) = self.runs.take_due(now) {
            self.take(run, Input::TimersDue, None);
            self.runs.set_timer(run);
        }
        let monotonic = self.parts.clock.monotonic();
        if monotonic - self.ticked_at >= wfhost_workflow::DurationMs(TICK.as_millis() as u64) {
            self.ticked_at = monotonic;
            self.tick_workers(monotonic);
            self.store_counts(monotonic);
            self.answer_late_watchers(monotonic);
        }
        self.answer_watchers();
    }

    fn until_next_deadline(&self) -> Duration {
        let Some(timer) = self.runs.next_timer() else { return TICK };
        (timer - self.parts.clock.now()).to_std().min(TICK)
    }

    fn is_settled(&self) -> bool {
        self.runs.slots().all(|slot| slot.pending.is_empty() && slot.run().is_some())
    }

    /// Fail-stop: what is in memory is worth nothing once the store has failed.
    pub(crate) fn fail(&mut self, reason: &str) {
        tracing::error!("{reason}");
        // The first reason is the one that counts.
        let _first = self.parts.failure.set(reason.to_owned());
    }

    /// Answers all who wait, so that nobody hangs.
    fn close(mut self) {
        let refusal = match self.parts.failure.get() {
            Some(failure) => Refusal::Store(failure.clone()),
            None => Refusal::Unavailable("the coordinator stopped".to_owned()),
        };
        let ids: Vec<RunId> = self.runs.ids().collect();
        let slots = ids.into_iter().filter_map(|id| self.runs.remove(id)).collect::<Vec<_>>();
        for slot in slots {
            let pending = slot.pending.into_iter().filter_map(|pending| pending.reply);
            for reply in pending.chain(slot.watchers.into_iter().map(|watcher| watcher.reply)) {
                answer(&mut self.parts.link, reply, Answer::Refused(refusal.clone()));
            }
        }
        while let Ok(command) = self.parts.commands.try_recv() {
            if let Command::Request(_, reply)
            | Command::Queried(reply, _)
            | Command::Upgrade(.., reply) = command
            {
                answer(&mut self.parts.link, reply, Answer::Refused(refusal.clone()));
            }
        }
        self.store_last_counts();
        self.parts.committer.close();
    }

    pub(crate) fn reply(&mut self, reply: ReplyTo, message: Answer) {
        answer(&mut self.parts.link, reply, message);
    }
}

/// Sends an answer to whoever asked, if they still wait.
pub(crate) fn answer(link: &mut ServerLink, reply: ReplyTo, message: Answer) {
    match reply {
        ReplyTo::Local(sender) => {
            // Whoever asked may have given up.
            let _gone = sender.try_send(message);
        }
        ReplyTo::Client(client, id) => {
            if let Err(error) = link.answer(client, id, &message) {
                tracing::debug!(%error, "a client is gone before its answer");
            }
        }
        ReplyTo::Nobody => {
            if let Answer::Refused(refusal) = message {
                tracing::warn!(%refusal, "what this process wanted itself was refused");
            }
        }
        ReplyTo::Starter(starter) => {
            let (reply, started) = *starter;
            let message = match message {
                Answer::Done => Answer::Started(Some(Box::new(started))),
                other => other,
            };
            answer(link, reply, message);
        }
        // What a worker is told is a chunk, never an answer: it asks again.
        ReplyTo::Worker(_) => {}
        ReplyTo::Taken(worker, attempt, _) => match message {
            Answer::Refused(
                Refusal::Store(_)
                | Refusal::Unavailable(_)
                | Refusal::Invalid(_)
                | Refusal::Denied(_),
            ) => {}
            // A worker that is not told sends it again, and is told then.
            _ => drop(link.send_worker(worker, &ToWorker::Taken { attempt })),
        },
    }
}

fn describe(error: &wfhost_checkpoint::Error) -> String {
    use std::error::Error as _;
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    if let Some(hint) = error.hint() {
        text.push_str("; ");
        text.push_str(&hint);
    }
    text
}
