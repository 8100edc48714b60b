//! Ends of attempts that the coordinator has not taken yet.
//!
//! They are kept in memory, and on this machine's disk while the coordinator is away, so that
//! neither a cut cable nor the end of this process loses work that is done. Both have a bound:
//! past it the oldest are given up, and their steps run again.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use wfhost_transport::codec;
use wfhost_transport::message::{FromWorker, Held, Token};
use wfhost_workflow::AttemptId;

use crate::end::End;

/// How many ends are kept, in memory and on disk.
const ENDS_MAX: usize = 10_000;

/// What they may take together.
const BYTES_MAX: usize = 256 << 20;

/// The extension of a stored end.
const EXTENSION: &str = "end";

/// Ends by attempt, oldest first.
pub(crate) struct Untaken {
    ends: HashMap<AttemptId, Kept>,
    order: BTreeMap<u64, AttemptId>,
    arrivals: u64,
    bytes: usize,
    spool: Option<Spool>,
}

struct Kept {
    token: Token,
    end: End,
    arrival: u64,
    bytes: usize,
    stored: bool,
}

impl Untaken {
    /// With what a former process of this worker left in `folder`.
    pub(crate) fn new(folder: Option<PathBuf>) -> Self {
        let mut untaken = Self {
            ends: HashMap::new(),
            order: BTreeMap::new(),
            arrivals: 0,
            bytes: 0,
            spool: None,
        };
        if let Some(folder) = folder {
            match Spool::open(folder) {
                Ok(spool) => {
                    for (attempt, token, end) in spool.read() {
                        untaken.insert(attempt, token, end, true);
                    }
                    untaken.spool = Some(spool);
                }
                Err(error) => {
                    tracing::warn!(%error, "results that wait for the coordinator are kept in memory only");
                }
            }
        }
        untaken
    }

    /// Keeps an end until it is taken.
    pub(crate) fn keep(&mut self, attempt: AttemptId, token: Token, end: End) {
        self.insert(attempt, token, end, false);
        while self.ends.len() > ENDS_MAX || self.bytes > BYTES_MAX {
            let Some((_, oldest)) = self.order.first_key_value() else { return };
            let oldest = *oldest;
            tracing::warn!(attempt = ?oldest, "a result is given up: too many wait for the coordinator");
            self.taken(&oldest);
        }
    }

    fn insert(&mut self, attempt: AttemptId, token: Token, end: End, stored: bool) {
        self.forget(&attempt);
        let (arrival, bytes) = (self.arrivals, end.bytes());
        self.arrivals += 1;
        self.bytes += bytes;
        self.order.insert(arrival, attempt);
        self.ends.insert(attempt, Kept { token, end, arrival, bytes, stored });
    }

    /// The coordinator has it.
    pub(crate) fn taken(&mut self, attempt: &AttemptId) {
        if let Some(kept) = self.forget(attempt)
            && kept.stored
            && let Some(spool) = &self.spool
        {
            spool.remove(attempt);
        }
    }

    fn forget(&mut self, attempt: &AttemptId) -> Option<Kept> {
        let kept = self.ends.remove(attempt)?;
        self.order.remove(&kept.arrival);
        self.bytes -= kept.bytes;
        Some(kept)
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Whether what waits outlives this process.
    pub(crate) fn is_stored(&self) -> bool {
        self.ends.values().all(|end| end.stored)
    }

    /// The end of this attempt, if it waits.
    pub(crate) fn message(&self, attempt: &AttemptId) -> Option<FromWorker> {
        self.ends.get(attempt).map(|kept| kept.end.message(*attempt, kept.token))
    }

    /// A part of the output of this attempt.
    pub(crate) fn part(&self, attempt: AttemptId, offset: u64, len: u32) -> FromWorker {
        match self.ends.get(&attempt) {
            Some(kept) => kept.end.part(attempt, offset, len),
            None => FromWorker::Chunk { attempt, offset, total: 0, bytes: Vec::new() },
        }
    }

    /// Which attempts' ends wait.
    pub(crate) fn held(&self) -> impl Iterator<Item = Held> {
        self.ends.iter().map(|(attempt, kept)| Held { attempt: *attempt, token: kept.token })
    }

    /// All that wait, oldest first.
    pub(crate) fn messages(&self) -> impl Iterator<Item = FromWorker> {
        self.order.values().filter_map(|attempt| self.message(attempt))
    }

    /// The coordinator is away: what waits must survive this process too.
    pub(crate) fn store(&mut self) {
        let Some(spool) = &self.spool else { return };
        for (attempt, kept) in &mut self.ends {
            if kept.stored {
                continue;
            }
            match spool.write(attempt, kept.token, &kept.end) {
                Ok(()) => kept.stored = true,
                Err(error) => {
                    tracing::warn!(%error, "a result that waits for the coordinator is in memory only");
                    return;
                }
            }
        }
    }
}

/// A folder with a file for each end: the length of the message's frame (u32, little-endian), the
/// frame, and the output if the message only refers to it.
struct Spool {
    folder: PathBuf,
}

impl Spool {
    fn open(folder: PathBuf) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        Ok(Self { folder })
    }

    fn path(&self, attempt: &AttemptId) -> PathBuf {
        let AttemptId { run, task, attempt } = attempt;
        let index = task.index.map_or_else(|| "x".to_owned(), |index| index.to_string());
        let name = format!("{run}-{}-{index}-{}.{EXTENSION}", task.step.position(), attempt.0);
        self.folder.join(name)
    }

    fn write(&self, attempt: &AttemptId, token: Token, end: &End) -> io::Result<()> {
        let mut frame = Vec::new();
        codec::encode(&end.message(*attempt, token), &mut frame).map_err(io::Error::other)?;
        let frame_bytes = u32::try_from(frame.len()).map_err(io::Error::other)?;
        let path = self.path(attempt);
        let new = path.with_extension("new");
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(&frame_bytes.to_le_bytes())?;
        file.write_all(&frame)?;
        if let Some(body) = end.body() {
            file.write_all(body.as_str().as_bytes())?;
        }
        file.sync_data()?;
        fs::rename(&new, &path)?;
        File::open(&self.folder)?.sync_all()
    }

    fn remove(&self, attempt: &AttemptId) {
        if let Err(error) = fs::remove_file(self.path(attempt))
            && error.kind() != io::ErrorKind::NotFound
        {
            // It is offered again after the next start, and refused.
            tracing::warn!(%error, "a result that was taken stays on disk");
        }
    }

    /// What is there and can be read, in no order; the rest is removed.
    fn read(&self) -> Vec<(AttemptId, Token, End)> {
        let mut found = Vec::new();
        let Ok(entries) = fs::read_dir(&self.folder) else { return found };
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            match read_end(&path) {
                Some(end) if found.len() < ENDS_MAX => found.push(end),
                _ => {
                    tracing::warn!(path = %path.display(), "a stored result cannot be used");
                    // It stays, then, and is tried again.
                    let _unremovable = fs::remove_file(&path);
                }
            }
        }
        found
    }
}

fn read_end(path: &Path) -> Option<(AttemptId, Token, End)> {
    path.extension().filter(|extension| *extension == EXTENSION)?;
    if fs::metadata(path).ok()?.len() > BYTES_MAX as u64 {
        return None;
    }
    let content = fs::read(path).ok()?;
    let (frame_bytes, rest) = content.split_first_chunk()?;
    let (frame, body) = rest.split_at_checked(u32::from_le_bytes(*frame_bytes) as usize)?;
    match codec::decode(frame).ok()? {
        FromWorker::Ended { attempt, token, outcome } => {
            Some((attempt, token, End::stored(outcome, body)?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use wfhost_plugin::Completion;
    use wfhost_transport::message::{INLINE_BYTES_MAX, Outcome, Payload};
    use wfhost_workflow::{
        Attempt, Failure, FailureKind, Json, RunId, StepId, TaskId, TimestampMs,
    };

    use super::*;

    fn attempt(number: u32) -> AttemptId {
        let task = TaskId { step: StepId(0), index: Some(number) };
        AttemptId { run: RunId::new(TimestampMs(1), 1), task, attempt: Attempt::FIRST }
    }

    fn output(text: &str) -> End {
        let completion = Completion { output: Json::parse(text).unwrap(), kv: Vec::new() };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(End::completed(completion))
    }

    const TOKEN: Token = Token([7; 16]);

    #[test]
    fn what_is_stored_is_there_after_a_restart_until_it_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let spool = || Some(folder.path().join("ends"));
        let mut untaken = Untaken::new(spool());
        untaken.keep(attempt(1), TOKEN, output("1"));
        untaken.store();
        untaken.keep(attempt(2), TOKEN, output("2"));
        drop(untaken);
        let mut untaken = Untaken::new(spool());
        let ended = output("1").message(attempt(1), TOKEN);
        assert_eq!(untaken.messages().collect::<Vec<_>>(), [ended]);
        untaken.taken(&attempt(1));
        assert!(untaken.is_empty() && Untaken::new(spool()).is_empty());
    }

    #[test]
    fn a_large_output_is_kept_beside_its_message_and_given_in_parts() {
        let folder = tempfile::tempdir().unwrap();
        let text = format!("\"{}\"", "y".repeat(INLINE_BYTES_MAX));
        let mut untaken = Untaken::new(Some(folder.path().to_owned()));
        untaken.keep(attempt(1), TOKEN, output(&text));
        untaken.store();
        let again = Untaken::new(Some(folder.path().to_owned()));
        let message = again.message(&attempt(1)).unwrap();
        let FromWorker::Ended { outcome: Outcome::Succeeded { output, .. }, .. } = message else {
            panic!("{message:?}")
        };
        let digest = wfhost_workflow::Digest::of(text.as_bytes());
        assert_eq!(output, Payload::Reference { digest, len: text.len() as u64 });
        let part = |untaken: &Untaken, offset, len| match untaken.part(attempt(1), offset, len) {
            FromWorker::Chunk { total, bytes, .. } => (total, bytes),
            other => panic!("{other:?}"),
        };
        let total = text.len() as u64;
        assert_eq!(part(&again, 0, 2), (total, b"\"y".to_vec()));
        assert_eq!(part(&again, total - 2, 9), (total, b"y\"".to_vec()));
        assert_eq!(part(&again, u64::MAX, 9), (total, Vec::new()));
        let file = fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
        let mut bytes = fs::read(&file).unwrap();
        *bytes.last_mut().unwrap() = b' ';
        fs::write(&file, bytes).unwrap();
        assert!(Untaken::new(Some(folder.path().to_owned())).is_empty(), "damage is seen");
        assert_eq!(part(&Untaken::new(None), 0, 9), (0, Vec::new()));
    }

    #[test]
    fn a_damaged_file_is_removed_and_the_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let mut untaken = Untaken::new(Some(folder.path().to_owned()));
        let failure = Failure::new(FailureKind::Trap, "trap", "a text");
        untaken.keep(attempt(1), TOKEN, End::failed(failure));
        untaken.store();
        fs::write(folder.path().join("other.end"), b"nonsense").unwrap();
        fs::write(folder.path().join("cut.new"), b"").unwrap();
        let again = Untaken::new(Some(folder.path().to_owned()));
        assert_eq!(again.ends.len(), 1);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn the_oldest_go_first_when_there_are_too_many() {
        let mut untaken = Untaken::new(None);
        let text = format!("\"{}\"", "x".repeat(8 << 20));
        for number in 0..40 {
            untaken.keep(attempt(number), TOKEN, output(&text));
        }
        assert!(untaken.bytes <= BYTES_MAX && !untaken.is_empty());
        assert!(untaken.message(&attempt(0)).is_none() && untaken.message(&attempt(39)).is_some());
        for number in 0..40 {
            untaken.taken(&attempt(number));
        }
        assert_eq!((untaken.bytes, untaken.order.len()), (0, 0));
    }
}
