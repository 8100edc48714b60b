//! What the components in a bundle offer, by their digests. Those that were asked before, here or
//! for a run, are not read again; nothing is run but the description of a component's steps.

use std::collections::BTreeSet;
use std::io::{Read, Seek};

use wfhost_bundle::diff::Contracts;
use wfhost_bundle::{BundleFile, ContentError, Take, TreeEntry};
use wfhost_workflow::Digest;

use crate::engine::Engine;
use crate::workflow_file::Component;

/// Bytes of components that are held at once: so many are compiled side by side.
const BATCH_BYTES: u64 = 128 << 20;

/// What was told, and which component did not tell.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) contracts: Contracts,
    /// The component's path, and why.
    pub(crate) untold: Vec<(String, String)>,
}

impl Told {
    /// Asks those components of a bundle that are wanted and not known yet.
    pub(crate) fn ask<R: Read + Seek>(
        &mut self,
        file: &mut BundleFile<R>,
        wanted: &BTreeSet<Digest>,
        engine: &Engine,
    ) -> Result<(), ContentError> {
        let mut missing = BTreeSet::new();
        for digest in wanted {
            if self.contracts.contains_key(digest) {
                continue;
            }
            match engine.known(digest) {
                Some(known) => drop(self.contracts.insert(*digest, known)),
                None => drop(missing.insert(*digest)),
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        let mut asking =
            Asking { told: self, missing, engine, current: None, batch: Vec::new(), bytes: 0 };
        file.read_files(&mut asking)?;
        asking.flush();
        Ok(())
    }
}

struct Asking<'a> {
    told: &'a mut Told,
    missing: BTreeSet<Digest>,
    engine: &'a Engine,
    current: Option<(TreeEntry, Vec<u8>)>,
    batch: Vec<Component>,
    bytes: u64,
}

impl Asking<'_> {
    fn flush(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        self.bytes = 0;
        let told = self.engine.offers(&batch.iter().collect::<Vec<_>>());
        for (component, told) in batch.iter().zip(told) {
            match told {
                Ok(contracts) => drop(self.told.contracts.insert(component.digest, contracts)),
                Err(why) => self.told.untold.push((component.path.display().to_string(), why)),
            }
        }
    }
}

impl Take for Asking<'_> {
    type Error = ContentError;

    fn begin(&mut self, entry: &TreeEntry) -> Result<(), ContentError> {
        if self.missing.remove(&entry.digest) {
            self.current = Some((entry.clone(), Vec::new()));
        }
        Ok(())
    }

    fn part(&mut self, bytes: &[u8]) -> Result<(), ContentError> {
        if let Some((_, content)) = &mut self.current {
            content.extend_from_slice(bytes);
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), ContentError> {
        if let Some((entry, content)) = self.current.take() {
            self.bytes += entry.size;
            self.batch.push(Component {
                path: entry.path.as_str().into(),
                bytes: content.into(),
                digest: entry.digest,
            });
            if self.bytes >= BATCH_BYTES {
                self.flush();
            }
        }
        Ok(())
    }
}
