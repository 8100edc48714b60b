//! The data folder, held by this process.

use std::time::Duration;

use wfhost_transport::client::{Answer, Request};

use super::{OpenError, Purpose, Requests};
use crate::data_folder::DataDir;
use crate::engine::Engine;
use crate::error::{CommandError, Result};

/// When a commit counts as done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Durability {
    /// When it survives a power cut.
    #[default]
    Sync,
    /// When it survives the end of this process.
    Os,
    /// At once: nothing survives for certain.
    None,
}

impl From<Durability> for wfhost_checkpoint::Durability {
    fn from(durability: Durability) -> Self {
        match durability {
            Durability::Sync => Self::Sync,
            Durability::Os => Self::Os,
            Durability::None => Self::None,
        }
    }
}

/// How steps are run.
#[derive(Clone)]
pub(crate) struct ServeOptions {
    /// Steps at once, at most.
    pub(crate) slots: u32,
    pub(crate) durability: Durability,
    /// What runs them.
    pub(crate) engine: Engine,
}

/// Coordinator and worker in this process.
pub(crate) struct Local {}

impl Local {
    pub(crate) fn open(data: &DataDir, purpose: &Purpose) -> Result<Self, OpenError> {
        let _ = (data, purpose);
        Err(OpenError::Failed(CommandError::unreachable("not wired yet")))
    }

    pub(crate) fn close(self, _limit: Duration) {}
}

impl Requests for Local {
    fn request(&mut self, _request: Request) -> Result<Answer> {
        Err(CommandError::unreachable("not wired yet"))
    }
}

/// The version of what is stored.
pub(crate) const fn store_format() -> u32 {
    wfhost_checkpoint::FORMAT
}
