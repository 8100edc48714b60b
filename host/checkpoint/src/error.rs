//! What can go wrong with stored data, by what the caller does next.

use std::io;
use std::path::{Path, PathBuf};

use wfhost_workflow::{Digest, Revision, RunId};

/// Why the store or the content could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another coordinator has committed to the run, or this one has lost count. Nothing was
    /// written: load the run again.
    #[error("run {run} is at revision {}, so revision {} cannot follow", .stored.0, .offered.0)]
    Fenced {
        /// The run.
        run: RunId,
        /// What the store has.
        stored: Revision,
        /// What the commit came with.
        offered: Revision,
    },
    /// Another process (or another part of this one) holds the data folder.
    #[error("{} is in use by process {pid} ({command})", path.display())]
    Held {
        /// The data folder.
        path: PathBuf,
        /// The holder; 0 if it could not be read.
        pid: u32,
        /// The holder's command line.
        command: String,
    },
    /// The data folder, or something in it, may not be written.
    #[error("{} cannot be written", path.display())]
    ReadOnly {
        /// What cannot be written.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A newer program wrote the data folder.
    #[error("{} has format {found}, and this program reads up to {supported}", path.display())]
    NewerFormat {
        /// What says so.
        path: PathBuf,
        /// The format found.
        found: u32,
        /// The newest known format.
        supported: u32,
    },
    /// What is stored is not what was written. Nothing more is written to it.
    #[error("{} is damaged: {what}", file.display())]
    Damaged {
        /// The damaged file.
        file: PathBuf,
        /// What is wrong or missing.
        what: String,
        /// What to do.
        hint: String,
    },
    /// The disk is full. What was acknowledged before is safe.
    #[error("no space is left to write {}", path.display())]
    Full {
        /// What could not be written.
        path: PathBuf,
        /// How to make room.
        hint: String,
    },
    /// A file operation failed for another reason.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// A verb.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// An earlier commit failed, so this store takes and shows nothing more: open it again.
    #[error("the store has stopped after an earlier error")]
    Stopped,
    /// The commits do not fit one batch: offer fewer at once. Nothing was written.
    #[error("a batch of {bytes} bytes is over the limit of {max}")]
    BatchTooLarge {
        /// The batch.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// One value is larger than the format can hold. Nothing was written.
    #[error("{what} of run {run} takes {bytes} bytes, over the limit of {max}")]
    TooLarge {
        /// The run.
        run: RunId,
        /// Which value.
        what: &'static str,
        /// Its size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// A commit contradicts itself: a fault of the caller. Nothing was written.
    #[error("a commit of run {run} contradicts itself: {what}")]
    Contradiction {
        /// The run.
        run: RunId,
        /// What does not fit.
        what: &'static str,
    },
    /// No such content is stored.
    #[error("content {0} is not stored")]
    NoContent(Digest),
}

impl Error {
    /// The next step for a person, where there is one.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Held { pid, .. } => {
                Some(format!("end process {pid} first, or use another folder with --data"))
            }
            Self::ReadOnly { .. } => Some(
                "make the folder writable for this user, or use another one with --data".to_owned(),
            ),
            Self::NewerFormat { .. } => {
                Some("use the newer program that wrote it, or another folder".to_owned())
            }
            Self::Damaged { hint, .. } | Self::Full { hint, .. } => Some(hint.clone()),
            Self::Fenced { .. }
            | Self::Io { .. }
            | Self::Stopped
            | Self::BatchTooLarge { .. }
            | Self::TooLarge { .. }
            | Self::Contradiction { .. }
            | Self::NoContent(_) => None,
        }
    }

    /// Sorts a failed file operation by what can be done about it.
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_path_buf();
        match source.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => Self::full(path),
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                Self::ReadOnly { path, source }
            }
            _ => Self::Io { action, path, source },
        }
    }

    fn full(path: PathBuf) -> Self {
        let reserve = path.ancestors().map(|folder| folder.join("reserve")).find(|it| it.is_file());
        let hint = match reserve {
            Some(reserve) => format!(
                "free some space on this disk and start again; if nothing else can go, delete {}: \
                 it only keeps 16 MB for this case",
                reserve.display()
            ),
            None => "free some space on this disk and start again".to_owned(),
        };
        Self::Full { path, hint }
    }

    pub(crate) fn damaged(file: &Path, what: impl Into<String>) -> Self {
        Self::Damaged {
            file: file.to_path_buf(),
            what: what.into(),
            hint: "nothing more was written to it; keep the data folder as it is (or a copy), put \
                   the last backup in its place, or start with another folder (--data)"
                .to_owned(),
        }
    }
}
