//! Compiled definitions by the digest of their text, a bounded number.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use wfhost_checkpoint::Content;
use wfhost_transport::client::Refusal;
use wfhost_workflow::{Definition, Digest};

/// A definition of 10,000 steps takes some 10 MB compiled.
const KEPT_MAX: usize = 64;

/// Shared by the event loop and the queries' thread.
#[derive(Debug, Default)]
pub(crate) struct Definitions {
    kept: Mutex<HashMap<Digest, Arc<Definition>>>,
}

impl Definitions {
    /// A definition that was compiled before.
    pub(crate) fn kept(&self, digest: &Digest) -> Option<Arc<Definition>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(digest).cloned()
    }

    /// Compiles a definition from the content store: blocks.
    pub(crate) fn read(
        &self,
        content: &Content,
        digest: &Digest,
    ) -> Result<Arc<Definition>, Refusal> {
        if let Some(kept) = self.kept(digest) {
            return Ok(kept);
        }
        let bytes = content
            .get(digest)
            .map_err(|error| Refusal::Store(format!("the workflow file {digest}: {error}")))?;
        let text = String::from_utf8(bytes)
            .map_err(|_| Refusal::Invalid("the workflow file is not UTF-8".to_owned()))?;
        let definition = Definition::parse(&text)
            .map_err(|problems| Refusal::Invalid(problems.render("workflow", &text)))?;
        let definition = Arc::new(definition);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT_MAX {
            // Any one: those that are in use live on in their runs.
            if let Some(other) = kept.keys().next().copied() {
                kept.remove(&other);
            }
        }
        kept.insert(*digest, definition.clone());
        Ok(definition)
    }
}
