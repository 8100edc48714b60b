//! A data folder: lock, format, store, contents, and what a fresh one begins with.
//!
//! Opening takes the lock before it reads anything, verifies everything before it writes
//! anything, and leaves a damaged store as it was found.

mod compact;
mod evidence;

use std::fs::{File, OpenOptions as FileOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use wfhost_workflow::Digest;

use crate::content::Collected;
use crate::journal::{Journal, Meta};
use crate::lock::FolderLock;
use crate::mark::{self, Mark};
use crate::snapshots::Snapshots;
use crate::table::{Applied, Batch, SledOptions, SledTable, Table as _};
use crate::{Content, Durability, Error, FORMAT, Store, files, verify};

/// What the reserve holds, to be freed when the disk is full: sled cannot even be opened then.
const RESERVE_BYTES: u64 = 16 << 20;
/// With less than this the reserve is not made.
const RESERVE_FREE_MIN: u64 = 4 * RESERVE_BYTES;

/// How a data folder is opened.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// What acknowledged commits survive.
    pub durability: Durability,
    /// The holder's command line, for whoever finds the folder in use.
    pub command: String,
    /// How long sled may take to open before the store counts as damaged; what the file's size
    /// needs is added.
    pub open_max: Duration,
    /// A store whose file is larger than this, and mostly superseded, is written anew when it is
    /// opened: sled does not give space back without its own flusher, which is off.
    pub compact_bytes_min: u64,
}

impl Default for OpenOptions {
    /// `sync`, this process's command line, a minute, 64 MiB.
    fn default() -> Self {
        let command: Vec<_> =
            std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect();
        Self {
            durability: Durability::Sync,
            command: command.join(" "),
            open_max: Duration::from_secs(60),
            compact_bytes_min: 64 << 20,
        }
    }
}

/// An open data folder; held until it and its store are dropped.
pub struct DataFolder {
    /// The folder.
    pub path: PathBuf,
    /// Journals and summaries.
    pub store: Arc<dyn Store>,
    /// Large values, workflow texts, components.
    pub content: Content,
}

impl std::fmt::Debug for DataFolder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DataFolder").field("path", &self.path).finish_non_exhaustive()
    }
}

impl DataFolder {
    /// Opens the data folder `path`, made with mode 0700 if it is missing, and verifies it.
    ///
    /// # Errors
    /// [`Error::Held`], [`Error::ReadOnly`], [`Error::NewerFormat`], [`Error::Damaged`],
    /// [`Error::Full`], or another failed file operation. In each case nothing of value was
    /// changed.
    pub fn open(path: &Path, options: &OpenOptions) -> Result<Self, Error> {
        let durability = options.durability;
        files::make_private_folder(path)?;
        let lock = FolderLock::take(path, &options.command)?;
        check_format(path, durability)?;
        let content = Content::open(path.join("content"), durability)?;
        let snapshots = Snapshots::open(path.join("snapshots"), durability)?;
        let journal = open_journal(path, options, lock, content.clone(), snapshots)?;
        keep_reserve(&path.join("reserve"));
        Ok(Self { path: path.to_path_buf(), store: Arc::new(journal), content })
    }

    /// Removes contents that nothing refers to and that were put longer than `age_min` ago; see
    /// [`Content::collect`]. `also_keep` names what the caller still needs.
    ///
    /// # Errors
    /// If the store or the contents cannot be read, or a file not removed.
    pub fn collect_contents(
        &self,
        also_keep: impl IntoIterator<Item = Digest>,
        age_min: Duration,
    ) -> Result<Collected, Error> {
        let mut keep = self.store.references()?;
        keep.extend(also_keep);
        self.content.collect(&keep, age_min)
    }
}

fn open_journal(
    path: &Path,
    options: &OpenOptions,
    lock: FolderLock,
    content: Content,
    snapshots: Snapshots,
) -> Result<Journal<SledTable>, Error> {
    let durability = options.durability;
    let store = path.join("store");
    let mark_path = path.join("mark");
    let marked = mark::read(&mark_path)?;
    let evidence = evidence::Evidence::keep(path, &store);
    files::make_private_folder(&store)?;
    let opened = open_table(&store, options)
        .and_then(|table| verify::verify(&table, marked).map(|verified| (table, verified)));
    let (table, verified) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            evidence.put_back();
            return Err(error);
        }
    };
    let meta = match verified.meta {
        Some(meta) => meta,
        None => begin(&table)?,
    };
    let table = compact::compact(table, &store, verified.bytes, options)?;
    sync_store(&store, durability)?;
    files::sync(path, durability)?;
    evidence.discard();
    let mark = Mark::open(mark_path, meta.progress(), durability)?;
    snapshots.sweep(&|name| verified.snapshots.contains(name))?;
    let journal = Journal::new(table, content, snapshots, meta).with_mark(mark, lock);
    journal.finish_removals()?;
    Ok(journal)
}

/// The time that sled may take grows with what it has to read.
fn open_table(store: &Path, options: &OpenOptions) -> Result<SledTable, Error> {
    const BYTES_PER_SECOND_MIN: u64 = 8 << 20;
    let bytes = store.join("db").metadata().map_or(0, |metadata| metadata.len());
    let open_max = options.open_max + Duration::from_secs(bytes / BYTES_PER_SECOND_MIN);
    SledTable::open(store, SledOptions { durability: options.durability, open_max })
}

/// Makes durable what sled has made and not synced: its configuration, and the files' names.
fn sync_store(store: &Path, durability: Durability) -> Result<(), Error> {
    for file in files::entries(store)? {
        if file.file_type().is_ok_and(|kind| kind.is_file()) {
            files::sync(&file.path(), durability)?;
        }
    }
    files::sync(store, durability)
}

/// A new store's first batch.
fn begin(table: &SledTable) -> Result<Meta, Error> {
    let meta = Meta::default().next_batch();
    let mut batch = Batch::default();
    meta.put_into(&mut batch)?;
    match table.apply(&batch)? {
        Applied::Synced | Applied::Unsynced => Ok(meta),
    }
}

fn check_format(folder: &Path, durability: Durability) -> Result<(), Error> {
    let path = folder.join("format");
    let Some(bytes) = files::read(&path)? else {
        let temporary = folder.join("format.tmp");
        files::write_new(&temporary, format!("{FORMAT}\n").as_bytes(), durability)?;
        return files::rename(&temporary, &path);
    };
    match String::from_utf8_lossy(&bytes).trim().parse::<u32>() {
        Ok(found) if found > FORMAT => {
            Err(Error::NewerFormat { path: folder.to_path_buf(), found, supported: FORMAT })
        }
        Ok(_) => Ok(()),
        Err(_) => Err(Error::damaged(&path, "it holds no format number")),
    }
}

/// Keeps the reserve, unless little room is left: whoever has deleted it has done so to start.
///
/// Without it everything works, except on a full disk.
fn keep_reserve(path: &Path) {
    let folder = path.parent().unwrap_or(path);
    let free = rustix::fs::statvfs(folder).map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize));
    if path.exists() || free.is_ok_and(|free| free < RESERVE_FREE_MIN) {
        return;
    }
    let kept = FileOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    let kept = kept.and_then(|file| allocate(&file));
    if let Err(error) = kept {
        tracing::warn!(%error, file = %path.display(), "no reserve for a full disk");
        // An empty reserve would look like one.
        let _ignored = std::fs::remove_file(path);
    }
}

fn allocate(file: &File) -> std::io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    Ok(fallocate(file, FallocateFlags::empty(), 0, RESERVE_BYTES)?)
}
