//! Where components and large inputs are had from: a folder of this machine, else the coordinator.

use std::io;
use std::sync::Arc;

use tokio::sync::oneshot;
use wfhost_transport::assembly::AssemblyError;
use wfhost_transport::message::INLINE_BYTES_MAX;
use wfhost_workflow::{Digest, Failure, FailureKind};

use crate::fetch::FetchError;
use crate::report::{Report, Reports};

/// No component is larger: a JavaScript guest has 12 MiB, a Python one 20.
pub const COMPONENT_BYTES_MAX: u64 = 256 << 20;

/// Contents that are on this machine already.
pub trait ContentSource: Send + Sync + 'static {
    /// The whole content, `None` if it is not here. May block: it is called on a thread for that.
    /// The bytes are checked against the digest by the caller.
    ///
    /// # Errors
    /// If reading fails; the content is then had from the coordinator.
    fn read(&self, digest: &Digest) -> io::Result<Option<Vec<u8>>>;

    /// A component was fetched: it may be kept for later. May block, as [`Self::read`].
    ///
    /// # Errors
    /// If it should be and cannot be: a disk that is full. Nothing of it stays.
    fn keep(&self, _digest: &Digest, _bytes: &[u8]) -> io::Result<()> {
        Ok(())
    }

    /// Components that are here; a bounded number. Their steps had better come here.
    fn components(&self) -> Vec<Digest> {
        Vec::new()
    }
}

/// Gets contents by digest; cloned freely.
#[derive(Clone)]
pub struct Contents {
    local: Option<Arc<dyn ContentSource>>,
    reports: Reports,
}

impl Contents {
    pub(crate) fn new(local: Option<Arc<dyn ContentSource>>, reports: Reports) -> Self {
        Self { local, reports }
    }

    /// The content with this digest, checked. Dropping the future gives up.
    ///
    /// # Errors
    /// A failure of the host, if it is nowhere to be had, damaged, or larger than `bytes_max`.
    pub async fn get(&self, digest: Digest, bytes_max: u64) -> Result<Arc<[u8]>, Failure> {
        if let Some(bytes) = self.read_local(digest, bytes_max).await {
            return Ok(bytes);
        }
        self.fetch(digest, bytes_max).await
    }

    /// As [`Self::get`]; what had to be fetched is kept on this machine, if it keeps components.
    pub(crate) async fn component(&self, digest: Digest) -> Result<Arc<[u8]>, Failure> {
        if let Some(bytes) = self.read_local(digest, COMPONENT_BYTES_MAX).await {
            return Ok(bytes);
        }
        let bytes = self.fetch(digest, COMPONENT_BYTES_MAX).await?;
        if let Some(local) = self.local.clone() {
            let bytes = Arc::clone(&bytes);
            // Nobody waits for it.
            drop(tokio::task::spawn_blocking(move || {
                if let Err(error) = local.keep(&digest, &bytes) {
                    tracing::warn!(%digest, %error, "a component is not kept; it is fetched again after the next start");
                }
            }));
        }
        Ok(bytes)
    }

    /// As [`Self::component`], and says whether it is kept.
    pub(crate) async fn kept_component(
        &self,
        digest: Digest,
    ) -> Result<(Arc<[u8]>, Result<(), Failure>), Failure> {
        if let Some(bytes) = self.read_local(digest, COMPONENT_BYTES_MAX).await {
            return Ok((bytes, Ok(())));
        }
        let bytes = self.fetch(digest, COMPONENT_BYTES_MAX).await?;
        let Some(local) = self.local.clone() else { return Ok((bytes, Ok(()))) };
        let keeping = Arc::clone(&bytes);
        let kept = tokio::task::spawn_blocking(move || local.keep(&digest, &keeping)).await;
        let why = match kept {
            Ok(Ok(())) => return Ok((bytes, Ok(()))),
            Ok(Err(error)) => error.to_string(),
            Err(_panicked) => "the worker failed while it wrote it".to_owned(),
        };
        let message = format!("the component {digest} is not kept: {why}");
        Ok((bytes, Err(Failure::new(FailureKind::Host, "not-kept", message))))
    }

    async fn fetch(&self, digest: Digest, bytes_max: u64) -> Result<Arc<[u8]>, Failure> {
        let (reply, waiter) = oneshot::channel();
        self.reports.send(Report::Fetch { digest, bytes_max, reply });
        let bytes = match waiter.await {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(error)) => return Err(failure(digest, &error)),
            Err(_dropped) => return Err(unavailable(digest, "the worker is stopping")),
        };
        if is_content(digest, &bytes).await {
            Ok(bytes)
        } else {
            let message = format!("what the coordinator sent is not the content {digest}");
            Err(Failure::new(FailureKind::Host, "content-damaged", message))
        }
    }

    async fn read_local(&self, digest: Digest, bytes_max: u64) -> Option<Arc<[u8]>> {
        let local = Arc::clone(self.local.as_ref()?);
        let read = tokio::task::spawn_blocking(move || {
            let bytes = local.read(&digest)?;
            let found = bytes.as_ref().is_some_and(|bytes| Digest::of(bytes) == digest);
            Ok::<_, io::Error>((bytes, found))
        });
        match read.await {
            Ok(Ok((Some(bytes), true))) if bytes.len() as u64 <= bytes_max => {
                Some(Arc::from(bytes))
            }
            Ok(Ok((None, _) | (Some(_), true))) => None,
            Ok(Ok((Some(_), false))) => {
                tracing::warn!(%digest, "a local content is damaged; asking the coordinator");
                None
            }
            Ok(Err(error)) => {
                tracing::warn!(%digest, %error, "a local content cannot be read; asking the coordinator");
                None
            }
            Err(error) => {
                tracing::error!(%digest, %error, "reading a local content panicked");
                None
            }
        }
    }
}

impl Contents {
    /// Components that are on this machine.
    pub(crate) fn components(&self) -> Vec<Digest> {
        self.local.as_ref().map_or_else(Vec::new, |local| local.components())
    }
}

impl std::fmt::Debug for Contents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Contents").field("local", &self.local.is_some()).finish_non_exhaustive()
    }
}

async fn is_content(digest: Digest, bytes: &Arc<[u8]>) -> bool {
    if bytes.len() <= INLINE_BYTES_MAX {
        return Digest::of(bytes) == digest;
    }
    let bytes = Arc::clone(bytes);
    let found = tokio::task::spawn_blocking(move || Digest::of(&bytes)).await;
    found.is_ok_and(|found| found == digest)
}

fn failure(digest: Digest, error: &FetchError) -> Failure {
    let code = match error {
        FetchError::Assembly(AssemblyError::Missing) => "content-missing",
        FetchError::Assembly(AssemblyError::TooLarge { .. }) => "content-too-large",
        FetchError::Assembly(AssemblyError::Broken) => "content-damaged",
        FetchError::Silence => "content-timeout",
    };
    Failure::new(FailureKind::Host, code, format!("cannot get the content {digest}: {error}"))
}

fn unavailable(digest: Digest, why: &str) -> Failure {
    let message = format!("cannot get the content {digest}: {why}");
    Failure::new(FailureKind::Host, "content-unavailable", message)
}
