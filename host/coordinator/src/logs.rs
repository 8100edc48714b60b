//! Log lines of steps: one bounded file of JSON lines a run, written by a thread of its own.
//!
//! Logs are for people and are not synced; lines that come faster than the disk takes them are
//! dropped and counted.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::{self, JoinHandle};

use wfhost_checkpoint::patiently;
use wfhost_transport::Seldom;
use wfhost_transport::client::ShownLogLine;
use wfhost_workflow::RunId;

/// Guests write as much as they like.
static DROPPED: Seldom = Seldom::new(5);
static UNWRITTEN: Seldom = Seldom::new(5);

/// A run's log file does not grow beyond this.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// Batches that wait for the disk.
const QUEUE_MAX: usize = 1024;

/// Lines in one answer.
const LINES_MAX: usize = 1000;

/// Bytes in one answer.
const ANSWER_BYTES_MAX: usize = 512 << 10;

/// Takes log lines for the writing thread.
#[derive(Debug)]
pub(crate) struct LogWriter {
    /// `None` only while it is dropped.
    sender: Option<SyncSender<ToWriter>>,
    thread: Option<JoinHandle<()>>,
    dropped: u64,
}

/// What the writing thread is told.
#[derive(Debug)]
enum ToWriter {
    Lines(RunId, Vec<ShownLogLine>),
    /// Say when everything before this is written.
    Written(SyncSender<()>),
}

impl LogWriter {
    /// Starts the thread; it writes what it was given and ends with this value.
    pub(crate) fn start(folder: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        let (sender, receiver) = mpsc::sync_channel(QUEUE_MAX);
        let thread = thread::Builder::new().name("logs".to_owned()).spawn(move || {
            for message in receiver {
                match message {
                    ToWriter::Lines(run, lines) => {
                        if let Err(error) = append(&folder, run, &lines)
                            && let Some(left_out) = UNWRITTEN.may()
                        {
                            tracing::warn!(%run, %error, left_out, "log lines could not be written");
                        }
                    }
                    // Who asked may have stopped waiting.
                    ToWriter::Written(reply) => {
                        let _gone = reply.try_send(());
                    }
                }
            }
        })?;
        Ok(Self { sender: Some(sender), thread: Some(thread), dropped: 0 })
    }

    /// Tells when all lines that were given before are written; never waits itself.
    pub(crate) fn written(&self) -> Receiver<()> {
        let (reply, written) = mpsc::sync_channel(1);
        // A full queue drops the reply, which ends the waiting too.
        self.send(ToWriter::Written(reply));
        written
    }

    fn send(&self, message: ToWriter) -> bool {
        self.sender.as_ref().is_some_and(|sender| sender.try_send(message).is_ok())
    }

    /// Never waits.
    pub(crate) fn write(&mut self, run: RunId, lines: Vec<ShownLogLine>) {
        let count = lines.len() as u64;
        if !self.send(ToWriter::Lines(run, lines)) {
            self.dropped += count;
            if DROPPED.may().is_some() {
                tracing::warn!(dropped = self.dropped, "log lines were dropped");
            }
        }
    }
}

/// The lines of a process's last moments are written before it ends.
impl Drop for LogWriter {
    fn drop(&mut self) {
        drop(self.sender.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was reported by it.
            let _panicked = thread.join();
        }
    }
}

pub(crate) fn file_of(folder: &Path, run: RunId) -> PathBuf {
    folder.join(format!("{run}.jsonl"))
}

fn append(folder: &Path, run: RunId, lines: &[ShownLogLine]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    let mut file = patiently(|| options.open(file_of(folder, run)))?;
    if file.metadata()?.len() >= FILE_BYTES_MAX {
        return Ok(());
    }
    let mut text = Vec::new();
    for line in lines {
        serde_json::to_writer(&mut text, line)?;
        text.push(b'\n');
    }
    file.write_all(&text)
}

/// Whole lines from `offset` on, and where to go on; a line that is being written is left.
pub(crate) fn read(folder: &Path, run: RunId, offset: u64) -> io::Result<(Vec<ShownLogLine>, u64)> {
    let mut file = match patiently(|| File::open(file_of(folder, run))) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((Vec::new(), offset)),
        Err(error) => return Err(error),
    };
    file.seek(SeekFrom::Start(offset))?;
    let mut reader = BufReader::new(file);
    let (mut lines, mut next, mut taken) = (Vec::new(), offset, 0);
    let mut text = Vec::new();
    while lines.len() < LINES_MAX && taken < ANSWER_BYTES_MAX {
        text.clear();
        let length = reader.read_until(b'\n', &mut text)?;
        if !text.ends_with(b"\n") {
            break;
        }
        next += length as u64;
        taken += length;
        // A line that a crash cut in two is passed over.
        if let Ok(line) = serde_json::from_slice(&text) {
            lines.push(line);
        }
    }
    Ok((lines, next))
}
