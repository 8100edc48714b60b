//! The durable record of every run: a store of journals and summaries, and files by content.
//!
//! [`Store`] is the contract; [`conformance`] proves each implementation against it. The
//! stored form is this crate's own (format version [`FORMAT`]) and not the domain's
//! types. Never decides anything about a run, never runs on an async thread: all of it blocks.
//!
//! Invariants: what was acknowledged is found again or its loss is named; a commit is stored
//! whole or not at all; a run's revision rises by one with each commit.

mod clock;
mod committer;
pub mod conformance;
mod content;
#[doc(hidden)]
pub mod crash_points;
mod error;
mod files;
mod folder;
mod format;
#[doc(hidden)]
pub mod fuzzing;
mod journal;
mod key;
mod lock;
mod mark;
mod snapshots;
mod store;
mod table;
mod verify;

pub use committer::{CommitResult, Committer, CommitterHandle, CommitterOptions, Notify, Refused};
pub use content::{Collected, Content, Incoming};
pub use error::Error;
pub use files::patiently;
pub use folder::{DataFolder, OpenOptions};
pub use journal::memory;
pub use lock::last_holder;
pub use store::{
    Commit, Durability, NOTE_NAME_BYTES_MAX, Note, NoteWrite, Snapshot, Store, Stored,
    UnknownDurability,
};

/// The stored format that this program writes, and the newest that it reads.
pub const FORMAT: u32 = 1;
