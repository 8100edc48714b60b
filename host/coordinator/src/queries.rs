//! Reads the store, parses definitions and reads log files, on a thread that may block.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use wfhost_checkpoint::{Content, NoteWrite, Store, Stored, crash_points, patiently};
use wfhost_transport::Seldom;
use wfhost_transport::client::{Answer, GET_BYTES_MAX, Refusal};
use wfhost_workflow::run::{Record, Run, RunStatus, RunSummary, Snapshot};
use wfhost_workflow::{
    Definition, Digest, DurationMs, Json, MonotonicMs, Revision, RunId, TimestampMs,
};

use crate::clock::Clock;
use crate::commands::{Command, LoadedFor, Mailbox, QueryResult, ReplyTo};
use crate::definitions::Definitions;
use crate::deliveries::Delivery;
use crate::deployed::{BundleQuery, DeployOptions, Starting};
use crate::shown;
use crate::uploads::{IDLE_MAX, Part, Sender, Uploads};
use crate::{logs, requests};

/// Any worker can ask for anything.
static NOT_HERE: Seldom = Seldom::new(5);

/// For log lines that are on their way to the file.
const LOGS_WAIT_MAX: Duration = Duration::from_secs(1);

/// Records in one answer to `Events`.
const RECORDS_MAX: usize = 500;

/// About how large one answer to `Events` may become.
const EVENTS_BYTES_MAX: usize = 1 << 20;

/// Summaries in one answer.
const SUMMARIES_MAX: usize = 1000;

/// Removals come in rows: contents are collected when there was none for this long.
const COLLECT_AFTER: Duration = Duration::from_millis(200);

/// A content may have been put for a run that is about to start.
const COLLECT_AGE_MIN: DurationMs = DurationMs(15 * 60 * 1000);

/// What the thread reads.
pub(crate) struct Sources {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) content: Content,
    pub(crate) logs: PathBuf,
    pub(crate) definitions: Arc<Definitions>,
    pub(crate) deploys: Arc<DeployOptions>,
    /// Not every open run is served, so that they are counted when it matters.
    pub(crate) count_open: bool,
}

/// A question to the thread.
pub(crate) enum Query {
    Prepare(Box<Starting>),
    /// About bundles.
    Bundles(BundleQuery),
    /// Notes of what is deployed, and whether it is a change of that.
    WriteNotes {
        notes: Vec<NoteWrite>,
        change: Option<Freed>,
    },
    /// A part of a content, for a client.
    Get {
        digest: Digest,
        offset: u64,
        len: u32,
    },
    Load {
        run: RunId,
        purpose: LoadedFor,
    },
    List {
        before: Option<RunId>,
        limit: usize,
        statuses: Vec<RunStatus>,
    },
    Find {
        prefix: String,
    },
    Show {
        run: RunId,
    },
    Await {
        run: RunId,
    },
    Events {
        run: RunId,
        after: Revision,
        limit: usize,
    },
    /// `written` is told when all lines before the question are in the file.
    Logs {
        run: RunId,
        offset: u64,
        written: mpsc::Receiver<()>,
    },
    Output {
        run: RunId,
        step: Option<String>,
    },
    Remove {
        run: RunId,
    },
    Has {
        digests: Vec<Digest>,
    },
    Put {
        sender: Sender,
        part: Part,
    },
    Chunk {
        digest: Digest,
        offset: u64,
        len: u32,
    },
    /// Whether these bytes are the output that was to come: this takes long where they are many.
    Receive {
        delivery: Box<Delivery>,
        bytes: Vec<u8>,
    },
}

/// Whether contents may have lost what referred to them.
#[derive(Clone, Copy)]
pub(crate) struct Freed(pub(crate) bool);

pub(crate) type QuerySender = mpsc::Sender<(Query, ReplyTo)>;

/// Starts the thread; it ends when the sender is dropped.
pub(crate) fn start(sources: Sources, mailbox: Mailbox) -> io::Result<QuerySender> {
    let (sender, receiver) = mpsc::channel::<(Query, ReplyTo)>();
    thread::Builder::new()
        .name("queries".to_owned())
        .stack_size(crate::evaluator::STACK_BYTES)
        .spawn(move || Thread::new(sources).answer_all(&receiver, &mailbox))?;
    Ok(sender)
}

/// What the thread has to do besides answering.
struct Thread {
    sources: Sources,
    uploads: Uploads,
    clock: Clock,
    /// Contents may have lost what referred to them.
    removed: bool,
    /// When contents that were sent and never used are old enough to go.
    collect_at: Option<MonotonicMs>,
}

impl Thread {
    fn new(sources: Sources) -> Self {
        let uploads = Uploads::new(sources.content.clone());
        Self { sources, uploads, clock: Clock::new(), removed: false, collect_at: None }
    }

    fn answer_all(mut self, receiver: &mpsc::Receiver<(Query, ReplyTo)>, mailbox: &Mailbox) {
        loop {
            match next(receiver, self.pause_max()) {
                Next::Query(query, reply) => {
                    let result = self.answer(query);
                    if mailbox.send(Command::Queried(reply, result)).is_err() {
                        return;
                    }
                }
                Next::Quiet => self.tidy(),
                Next::End if self.removed => return self.sources.collect(),
                Next::End => return,
            }
        }
    }

    /// How long nobody may ask before there is something to tidy up.
    fn pause_max(&self) -> Option<Duration> {
        if self.removed {
            return Some(COLLECT_AFTER);
        }
        let idle = (!self.uploads.is_empty()).then(|| IDLE_MAX.to_std());
        let collect = self.collect_at.map(|at| (at - self.clock.monotonic()).to_std());
        idle.into_iter().chain(collect).min()
    }

    fn tidy(&mut self) {
        let now = self.clock.monotonic();
        self.uploads.forget_idle(now);
        if self.removed || self.collect_at.is_some_and(|at| at <= now) {
            self.sources.collect();
            (self.removed, self.collect_at) = (false, None);
        }
    }

    fn answer(&mut self, query: Query) -> QueryResult {
        let answer = match query {
            Query::Put { sender, part } => {
                let now = self.clock.monotonic();
                self.collect_at = Some(now + COLLECT_AGE_MIN + COLLECT_AGE_MIN);
                let answer = self.uploads.take(sender, &part, now);
                return QueryResult::Put(answer.unwrap_or_else(Answer::Refused));
            }
            Query::WriteNotes { notes, change } => {
                self.removed |= matches!(change, Some(Freed(true)));
                return self.sources.write_notes(&notes, change.is_some());
            }
            Query::Bundles(query) => self.sources.about_bundles(query, self.clock.now()),
            Query::Has { digests } => self.uploads.missing(digests).map(QueryResult::Answer),
            query => {
                self.removed |= matches!(query, Query::Remove { .. });
                self.sources.answer(query)
            }
        };
        answer.unwrap_or_else(|refusal| QueryResult::Answer(Answer::Refused(refusal)))
    }
}

/// All runs that are not over, read back on a thread with a stack for it.
#[expect(clippy::vec_box, reason = "a run stays boxed where it goes")]
pub(crate) fn open_runs(
    sources: &Sources,
    unread: &mut Vec<RunSummary>,
) -> Result<Vec<Box<Run>>, Refusal> {
    let unread = &mut *unread;
    let read = move || {
        let (mut runs, mut before) = (Vec::new(), None);
        loop {
            let page = sources.store.summaries(before, SUMMARIES_MAX).map_err(store_failed)?;
            let Some(last) = page.last() else { return Ok(runs) };
            before = Some(last.run);
            for summary in page.iter().filter(|summary| !summary.status.is_over()) {
                match sources.load(summary.run) {
                    Ok(run) => runs.push(Box::new(run)),
                    // One that cannot be read must not keep the others from going on.
                    Err(refusal) => {
                        tracing::error!(run = %summary.run, %refusal, "a run cannot be served");
                        unread.push(summary.clone());
                    }
                }
            }
        }
    };
    thread::scope(|scope| {
        let reader = thread::Builder::new()
            .name("recovery".to_owned())
            .stack_size(crate::evaluator::STACK_BYTES)
            .spawn_scoped(scope, read);
        let reader = reader.map_err(|error| Refusal::Store(error.to_string()))?;
        let panicked = |_| Err(Refusal::Store("a stored run could not be read".to_owned()));
        reader.join().unwrap_or_else(panicked)
    })
}

enum Next {
    Query(Query, ReplyTo),
    /// Nobody has asked for a while.
    Quiet,
    End,
}

fn next(receiver: &mpsc::Receiver<(Query, ReplyTo)>, pause_max: Option<Duration>) -> Next {
    let Some(pause_max) = pause_max else {
        return receiver.recv().map_or(Next::End, |(query, reply)| Next::Query(query, reply));
    };
    match receiver.recv_timeout(pause_max) {
        Ok((query, reply)) => Next::Query(query, reply),
        Err(mpsc::RecvTimeoutError::Timeout) => Next::Quiet,
        Err(mpsc::RecvTimeoutError::Disconnected) => Next::End,
    }
}

impl Sources {
    /// Frees what only removed runs referred to.
    fn collect(&self) {
        let collected = self
            .store
            .references()
            .and_then(|keep| self.content.collect(&keep, COLLECT_AGE_MIN.to_std()));
        match collected {
            Ok(collected) => tracing::debug!(files = collected.files, "contents were collected"),
            Err(error) => tracing::warn!(%error, "contents could not be collected"),
        }
    }

    fn answer(&self, query: Query) -> Result<QueryResult, Refusal> {
        let answer = match query {
            Query::Prepare(mut starting) => {
                let start = &starting.start;
                if !self.content.contains(&start.definition).map_err(store_failed)? {
                    let what = "is not in the content store";
                    let message = format!("the workflow file {} {what}", start.definition);
                    return Err(Refusal::Invalid(message));
                }
                let definition = self.definitions.read(&self.content, &start.definition)?;
                starting.pin(&definition, &self.deploys)?;
                return Ok(QueryResult::Prepared(starting, definition));
            }
            Query::Load { run, purpose } => {
                let loaded = Box::new(self.load(run)?);
                // One that cannot be upgraded is not served for that.
                if let LoadedFor::Upgrade(upgrade) = &purpose {
                    let refused = |why| Refusal::WrongState(format!("run {run}: {why}"));
                    loaded.check_upgrade(upgrade).map_err(refused)?;
                }
                return Ok(QueryResult::Loaded(loaded, purpose));
            }
            Query::List { before, limit, statuses } => {
                return self.list(before, limit, &statuses).map(QueryResult::Summaries);
            }
            Query::Find { prefix } => return self.find(&prefix),
            Query::Show { run } => {
                Answer::Run(Box::new(shown::run_view(&self.load(run)?, None, u64::MAX)))
            }
            Query::Await { run } => requests::ended_answer(&self.load(run)?),
            Query::Events { run, after, limit } => self.events(run, after, limit)?,
            Query::Logs { run, offset, written } => {
                self.stored(run)?;
                // A disk that takes longer only makes the answer shorter.
                let _late = written.recv_timeout(LOGS_WAIT_MAX);
                let (lines, offset) = logs::read(&self.logs, run, offset)
                    .map_err(|error| Refusal::Store(format!("the log of run {run}: {error}")))?;
                Answer::Logs { lines, offset }
            }
            Query::Output { run, step } => Answer::Output(self.output(run, step.as_deref())?),
            Query::Remove { run } => self.remove(run)?,
            // The thread's own.
            Query::Has { .. }
            | Query::Put { .. }
            | Query::WriteNotes { .. }
            | Query::Bundles(_) => Answer::Done,
            Query::Get { digest, offset, len } => self.part(digest, offset, len)?,
            Query::Chunk { digest, offset, len } => return Ok(self.chunk(digest, offset, len)),
            Query::Receive { delivery, bytes } => {
                let output = received(&delivery, &bytes);
                return Ok(QueryResult::Received { delivery, output });
            }
        };
        Ok(QueryResult::Answer(answer))
    }

    fn write_notes(&self, notes: &[NoteWrite], is_change: bool) -> QueryResult {
        let written = self.store.write_notes(notes);
        if !is_change {
            if let Err(error) = written {
                tracing::warn!(%error, "counts of ended runs are not stored");
            }
            return QueryResult::Nothing;
        }
        crash_points::die_at("after-deploy");
        QueryResult::Deployed(written.map_err(store_failed))
    }

    fn about_bundles(&self, query: BundleQuery, now: TimestampMs) -> Result<QueryResult, Refusal> {
        let asked = self.bundles(query, now)?;
        let open = if self.count_open { Some(self.open_by_version()?) } else { None };
        Ok(QueryResult::Bundles(asked, open))
    }

    fn open_by_version(&self) -> Result<BTreeMap<Digest, u64>, Refusal> {
        let (mut open, mut before) = (BTreeMap::new(), None);
        loop {
            let page = self.store.summaries(before, SUMMARIES_MAX).map_err(store_failed)?;
            let Some(last) = page.last() else { return Ok(open) };
            before = Some(last.run);
            let running = page.iter().filter(|summary| !summary.status.is_over());
            for version in running.filter_map(|summary| summary.origin) {
                *open.entry(version).or_insert(0) += 1;
            }
        }
    }

    fn part(&self, digest: Digest, offset: u64, len: u32) -> Result<Answer, Refusal> {
        match self.chunk(digest, offset, len.min(GET_BYTES_MAX)) {
            QueryResult::Chunk { total, bytes, .. } if total > 0 => {
                Ok(Answer::Part { total, bytes })
            }
            _ => Err(Refusal::NotFound(format!("there is no content {digest}"))),
        }
    }

    /// Empty and of no length where the content is not here: the worker gives up.
    fn chunk(&self, digest: Digest, offset: u64, len: u32) -> QueryResult {
        let read = || -> io::Result<(u64, Vec<u8>)> {
            let path = self.content.path(&digest).ok_or(io::ErrorKind::NotFound)?;
            let mut file = patiently(|| fs::File::open(&path))?;
            let total = file.metadata()?.len();
            file.seek(SeekFrom::Start(offset.min(total)))?;
            let mut bytes = Vec::new();
            file.take(len.into()).read_to_end(&mut bytes)?;
            Ok((total, bytes))
        };
        let (total, bytes) = read().unwrap_or_else(|error| {
            if let Some(left_out) = NOT_HERE.may() {
                tracing::warn!(%digest, %error, left_out, "a worker wants a content that is not here");
            }
            (0, Vec::new())
        });
        QueryResult::Chunk { digest, offset, total, bytes }
    }

    fn stored(&self, run: RunId) -> Result<Stored, Refusal> {
        self.store.load(run).map_err(store_failed)?.ok_or_else(|| not_found(run))
    }

    fn load(&self, run: RunId) -> Result<Run, Refusal> {
        let stored = self.stored(run)?;
        let snapshot = match &stored.snapshot {
            Some(snapshot) => match Snapshot::from_bytes(&snapshot.bytes) {
                Ok(snapshot) => Some(snapshot),
                // Another format: the journal holds everything.
                Err(_) => {
                    let records = self
                        .store
                        .journal(run, Revision::default(), usize::MAX)
                        .map_err(store_failed)?;
                    return self.restore(run, None, records);
                }
            },
            None => None,
        };
        self.restore(run, snapshot, stored.records)
    }

    fn restore(
        &self,
        run: RunId,
        snapshot: Option<Snapshot>,
        records: Vec<Record>,
    ) -> Result<Run, Refusal> {
        let mut missing = None;
        let mut find = |digest: &Digest| {
            let read = self.definitions.read(&self.content, digest);
            read.map_err(|refusal| missing = Some(refusal)).ok()
        };
        let restored = Run::restore(&mut find, snapshot, records);
        restored.map_err(|error| {
            missing.unwrap_or_else(|| Refusal::Store(format!("run {run}: {error}")))
        })
    }

    /// The definitions that a run has had, each with its first record, oldest first.
    fn versions(&self, summary: &RunSummary) -> Result<Vec<(Revision, Arc<Definition>)>, Refusal> {
        let read = |digest: &Digest| self.definitions.read(&self.content, digest);
        if summary.upgrades == 0 {
            return Ok(vec![(Revision(1), read(&summary.definition)?)]);
        }
        let eras = self.load(summary.run)?.eras();
        eras.iter().map(|era| Ok((era.since, read(&era.definition)?))).collect()
    }

    fn list(
        &self,
        before: Option<RunId>,
        limit: usize,
        statuses: &[RunStatus],
    ) -> Result<Vec<RunSummary>, Refusal> {
        let limit = limit.min(SUMMARIES_MAX);
        let mut found = Vec::new();
        let mut before = before;
        while found.len() < limit {
            let page = self.store.summaries(before, SUMMARIES_MAX).map_err(store_failed)?;
            let Some(last) = page.last() else { break };
            before = Some(last.run);
            found.extend(
                page.into_iter()
                    .filter(|summary| statuses.is_empty() || statuses.contains(&summary.status)),
            );
        }
        found.truncate(limit);
        Ok(found)
    }

    fn find(&self, prefix: &str) -> Result<QueryResult, Refusal> {
        if prefix == "latest" {
            let newest = self.store.summaries(None, 1).map_err(store_failed)?;
            return Ok(QueryResult::Summaries(newest));
        }
        let runs = self.store.find(prefix, 2).map_err(store_failed)?;
        let mut summaries = Vec::new();
        for run in runs {
            summaries.extend(self.store.summary(run).map_err(store_failed)?);
        }
        Ok(QueryResult::Summaries(summaries))
    }

    fn events(&self, run: RunId, after: Revision, limit: usize) -> Result<Answer, Refusal> {
        let summary =
            self.store.summary(run).map_err(store_failed)?.ok_or_else(|| not_found(run))?;
        let versions = self.versions(&summary)?;
        let limit = limit.clamp(1, RECORDS_MAX);
        let records = self.store.journal(run, after, limit).map_err(store_failed)?;
        let full = records.len() == limit;
        let (mut events, mut bytes, mut next) = (Vec::new(), 0, None);
        for record in records {
            let revision = record.revision;
            let version = versions.iter().rfind(|(since, _)| *since <= revision);
            let Some((_, definition)) = version else { continue };
            let shown = shown::events(record, definition);
            bytes += shown
                .iter()
                .flat_map(|event| event.details.values())
                .map(|value| value.len_bytes() + 100)
                .sum::<usize>();
            events.extend(shown);
            next = Some(revision);
            if bytes > EVENTS_BYTES_MAX {
                return Ok(Answer::Events { events, next });
            }
        }
        Ok(Answer::Events { events, next: next.filter(|_| full) })
    }

    fn output(&self, run: RunId, step: Option<&str>) -> Result<wfhost_workflow::Json, Refusal> {
        requests::output_of(&self.load(run)?, step)
    }

    fn remove(&self, run: RunId) -> Result<Answer, Refusal> {
        self.store.remove(run).map_err(store_failed)?;
        match fs::remove_file(logs::file_of(&self.logs, run)) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => tracing::warn!(%run, %error, "a log file could not be removed"),
        }
        Ok(Answer::Done)
    }
}

fn received(delivery: &Delivery, bytes: &[u8]) -> Result<Json, String> {
    if Digest::of(bytes) != delivery.digest {
        return Err("what came is not what the worker said it has".to_owned());
    }
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    Json::parse(text).map_err(|error| error.to_string())
}

pub(crate) fn not_found(run: RunId) -> Refusal {
    Refusal::NotFound(format!("there is no run {run}"))
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` hands over")]
pub(crate) fn store_failed(error: wfhost_checkpoint::Error) -> Refusal {
    Refusal::Store(error.to_string())
}
