//! The only place that names sled, and what it takes to rely on it.
//!
//! sled's `flush` ends in `sync_file_range`, which no power cut respects: the file is synced
//! through a descriptor of our own after it. sled panics on some damage, also in `open`: every
//! call is guarded, and what it says of itself is not trusted but verified (see `verify`).

use std::any::Any;
use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use super::{Applied, Batch, Order, Table, Visit};
use crate::key::KeyRange;
use crate::{Durability, Error, crash_points, files};

/// More would be wasted: only open runs are read again.
const CACHE_BYTES: u64 = 16 << 20;
/// After a close in the same process sled may hold its own lock for a moment longer.
const LOCK_TRIES: u32 = 100;
const LOCK_WAIT: Duration = Duration::from_millis(20);

/// How a table is opened.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SledOptions {
    pub(crate) durability: Durability,
    /// How long opening may take before the file counts as damaged: sled can hang on damage.
    pub(crate) open_max: Duration,
}

/// sled's default tree in a folder.
pub(crate) struct SledTable {
    /// Taken only when dropped, so that a panic there is caught.
    db: Option<sled::Db>,
    file: File,
    path: PathBuf,
    durability: Durability,
}

impl SledTable {
    /// Opens or makes the table in `folder`, which nobody else may have open.
    pub(crate) fn open(folder: &Path, options: SledOptions) -> Result<Self, Error> {
        let path = folder.join("db");
        remove_half_snapshots(folder)?;
        let db = open_watched(folder, &path, options.open_max)?;
        let file = File::open(&path).map_err(|source| Error::io("open", &path, source))?;
        Ok(Self { db: Some(db), file, path, durability: options.durability })
    }

    fn guarded<T>(&self, call: impl FnOnce(&sled::Db) -> Result<T, Failed>) -> Result<T, Error> {
        let Some(db) = &self.db else {
            return Err(Error::Stopped);
        };
        match catch_unwind(AssertUnwindSafe(|| call(db))) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(Failed::Sled(error))) => Err(from_sled(&self.path, error)),
            Ok(Err(Failed::Visitor(error))) => Err(error),
            Err(panic) => Err(Error::damaged(&self.path, panic_text(&*panic))),
        }
    }

    fn sync_file(&self) -> Result<(), Error> {
        self.file.sync_data().map_err(|source| Error::io("sync", &self.path, source))
    }
}

impl Table for SledTable {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.guarded(|db| Ok(db.get(key)?.map(|value| value.to_vec())))
    }

    fn scan(&self, range: KeyRange, order: Order, visit: Visit<'_>) -> Result<(), Error> {
        self.guarded(|db| {
            let mut entries = db.range(range);
            loop {
                let entry = match order {
                    Order::Ascending => entries.next(),
                    Order::Descending => entries.next_back(),
                };
                let Some(entry) = entry else {
                    return Ok(());
                };
                let (key, value) = entry?;
                if let ControlFlow::Break(()) = visit(&key, &value).map_err(Failed::Visitor)? {
                    return Ok(());
                }
            }
        })
    }

    fn apply(&self, batch: &Batch) -> Result<Applied, Error> {
        self.guarded(|db| {
            let mut changes = sled::Batch::default();
            for (key, value) in &batch.changes {
                match value {
                    Some(value) => changes.insert(key.as_slice(), value.as_slice()),
                    None => changes.remove(key.as_slice()),
                }
            }
            db.apply_batch(changes)?;
            crash_points::die_at("after-append");
            match self.durability {
                Durability::Sync | Durability::Os => db.flush().map(|_bytes| ())?,
                Durability::None => {}
            }
            Ok(())
        })?;
        crash_points::die_at("before-sync");
        let applied = match self.durability {
            Durability::Sync => self.sync_file().map(|()| Applied::Synced),
            Durability::Os | Durability::None => Ok(Applied::Unsynced),
        }?;
        if crash_points::is_hit("report-timeout") {
            let source = io::ErrorKind::TimedOut.into();
            return Err(Error::io("sync", &self.path, source));
        }
        Ok(applied)
    }

    fn settle(&self) -> Result<(), Error> {
        self.guarded(|db| Ok(db.flush().map(|_bytes| ())?))?;
        self.sync_file()
    }

    fn file(&self) -> &Path {
        &self.path
    }
}

impl Drop for SledTable {
    fn drop(&mut self) {
        let db = self.db.take();
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(db))) {
            tracing::error!(file = %self.path.display(), "closing: {}", panic_text(&*panic));
        }
    }
}

/// sled writes a snapshot of its own beside and renames it. When that was interrupted it takes
/// the half one for the newest and cannot open: found by the power-cut test.
fn remove_half_snapshots(folder: &Path) -> Result<(), Error> {
    for file in files::entries(folder)? {
        let name = file.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            files::remove_file(&file.path())?;
        }
    }
    Ok(())
}

enum Failed {
    Sled(sled::Error),
    Visitor(Error),
}

impl From<sled::Error> for Failed {
    fn from(error: sled::Error) -> Self {
        Self::Sled(error)
    }
}

/// Opens on a thread of its own and gives up waiting after `open_max`: the thread stays behind.
fn open_watched(folder: &Path, path: &Path, open_max: Duration) -> Result<sled::Db, Error> {
    let config = sled::Config::new()
        .path(folder)
        .cache_capacity(CACHE_BYTES)
        .flush_every_ms(None)
        .mode(sled::Mode::LowSpace);
    let (sender, receiver) = mpsc::sync_channel(1);
    let opening = std::thread::Builder::new().name("store-open".to_owned()).spawn(move || {
        let opened = catch_unwind(AssertUnwindSafe(|| open_when_free(&config)));
        // Nobody waits any more after the timeout.
        let _ignored = sender.send(opened);
    });
    opening.map_err(|source| Error::io("open", path, source))?;
    match receiver.recv_timeout(open_max) {
        Ok(Ok(Ok(db))) => Ok(db),
        Ok(Ok(Err(error))) => Err(from_sled(path, error)),
        Ok(Err(panic)) => Err(Error::damaged(path, panic_text(&*panic))),
        Err(_) => Err(Error::damaged(
            path,
            format!("it could not be opened within {} s", open_max.as_secs()),
        )),
    }
}

fn open_when_free(config: &sled::Config) -> sled::Result<sled::Db> {
    let mut tries = 0;
    loop {
        match config.open() {
            Err(sled::Error::Io(error))
                if tries < LOCK_TRIES && error.to_string().contains("could not acquire lock") =>
            {
                tries += 1;
                std::thread::sleep(LOCK_WAIT);
            }
            opened => return opened,
        }
    }
}

fn from_sled(path: &Path, error: sled::Error) -> Error {
    match error {
        // What sled makes of bytes that it cannot read, besides `Corruption`.
        sled::Error::Io(error)
            if matches!(
                error.kind(),
                io::ErrorKind::Other | io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData
            ) =>
        {
            Error::damaged(path, error.to_string())
        }
        sled::Error::Io(error) => Error::io("write", path, error),
        error => Error::damaged(path, error.to_string()),
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("unknown reason");
    let line: String = text.lines().next().unwrap_or_default().chars().take(200).collect();
    format!("it cannot be read ({line})")
}
