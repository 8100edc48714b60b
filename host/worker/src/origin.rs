//! Whose steps this worker runs.
//!
//! It takes nobody's word that a component is of a bundle or who has signed it: it reads the
//! bundle's list of files and its signatures itself. These are contents, so that they never change
//! and are read once; what a signature counts for is decided anew for each attempt.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OnceCell;
use wfhost_bundle::bounds::{MANIFEST_BYTES_MAX, SIGNATURES_BYTES_MAX, TREE_BYTES_MAX};
use wfhost_bundle::manifest::BundleManifest;
use wfhost_bundle::trust::{NotAdmitted, TrustPolicy};
use wfhost_bundle::{BundlePath, Signatures, Tree};
use wfhost_transport::message::{BundleOrigin, Dispatch, UNTRUSTED};
use wfhost_workflow::{Digest, Failure, FailureKind, TimestampMs};

use crate::clock;
use crate::content::Contents;

/// Bundles that are remembered.
const BUNDLES_MAX: usize = 1024;

/// Files of all of them; those of the one that came last are not counted.
const FILES_MAX: usize = 100_000;

/// Whose steps a worker runs.
#[derive(Debug, Default)]
pub struct Trusting {
    /// Which bundles it takes.
    pub policy: TrustPolicy,
    /// Whether it takes nothing else: no step of a file that somebody started.
    pub signed_only: bool,
}

/// What checks where components come from.
#[derive(Debug, Default)]
pub(crate) struct Origins {
    trusting: Trusting,
    shelf: Mutex<Shelf>,
    /// Why the list of trusted keys is as it was; said once.
    problem: Mutex<Option<String>>,
}

/// What is known of bundles, whoever may have signed them.
#[derive(Debug, Default)]
struct Shelf {
    bundles: HashMap<BundleOrigin, Shelved>,
    /// Rises with each use: tells which was used last.
    uses: u64,
}

#[derive(Debug, Default)]
struct Shelved {
    /// Read by one attempt for all that want it.
    known: Arc<OnceCell<Arc<Known>>>,
    used: u64,
}

/// A bundle whose signatures are signatures of it.
#[derive(Debug)]
struct Known {
    name: String,
    /// Sorted.
    files: Vec<Digest>,
    signatures: Signatures,
}

impl Origins {
    pub(crate) fn new(trusting: Trusting) -> Self {
        Self { trusting, ..Self::default() }
    }

    /// Whether the attempt may be run here.
    ///
    /// # Errors
    /// For good, with code [`UNTRUSTED`], if not; a failure of the host if what has to be looked at
    /// cannot be had.
    pub(crate) async fn check(
        &self,
        dispatch: &Dispatch,
        contents: &Contents,
    ) -> Result<(), Failure> {
        let Some(origin) = dispatch.origin else {
            return if self.trusting.signed_only { Err(of_no_bundle()) } else { Ok(()) };
        };
        let cell = self.shelf().of(origin);
        let known = cell.get_or_try_init(|| Known::read(origin, contents)).await?;
        if known.files.binary_search(&dispatch.component).is_err() {
            let component = dispatch.component;
            let why = format!("the component {component} is not in it");
            return Err(refused(&known.called(origin), &why));
        }
        self.say_problem();
        let now = TimestampMs(clock::unix_ms());
        match self.trusting.policy.admit(&known.name, &known.signatures, now) {
            Ok(_signers) => Ok(()),
            Err(not_admitted) => Err(known.not_admitted(origin, &not_admitted)),
        }
    }

    /// A list that can no longer be read holds on as it was, which its operator should know.
    fn say_problem(&self) {
        let problem = self.trusting.policy.current().and_then(|current| current.problem);
        let mut said = self.problem.lock().unwrap_or_else(PoisonError::into_inner);
        if *said != problem {
            if let Some(problem) = &problem {
                tracing::error!(%problem, "the list of trusted keys stays as it was");
            }
            *said = problem;
        }
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        // The map is valid between any two statements below: a panic leaves it usable.
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelf {
    fn of(&mut self, origin: BundleOrigin) -> Arc<OnceCell<Arc<Known>>> {
        self.uses += 1;
        if !self.bundles.contains_key(&origin) {
            self.make_room();
        }
        let shelved = self.bundles.entry(origin).or_default();
        shelved.used = self.uses;
        Arc::clone(&shelved.known)
    }

    fn make_room(&mut self) {
        let files = |shelved: &Shelved| shelved.known.get().map_or(0, |known| known.files.len());
        let mut total: usize = self.bundles.values().map(files).sum();
        while self.bundles.len() >= BUNDLES_MAX || total > FILES_MAX {
            let oldest = self.bundles.iter().min_by_key(|(_, shelved)| shelved.used);
            let Some(oldest) = oldest.map(|(origin, _)| *origin) else { return };
            total -= self.bundles.remove(&oldest).as_ref().map_or(0, files);
        }
    }
}

impl Known {
    async fn read(origin: BundleOrigin, contents: &Contents) -> Result<Arc<Self>, Failure> {
        let tree = contents.get(origin.bundle, TREE_BYTES_MAX).await?;
        let signatures = contents.get(origin.signatures, SIGNATURES_BYTES_MAX).await?;
        let checked =
            tokio::task::spawn_blocking(move || checked(origin.bundle, &tree, &signatures));
        let called = format!("bundle {}", origin.bundle);
        let odd = |why: String| refused(&called, &why);
        let checked = checked.await.map_err(|_panicked| odd("it cannot be read".to_owned()))?;
        let (tree, signatures) = checked.map_err(odd)?;
        let manifest = manifest_of(&tree).map_err(odd)?;
        let manifest = contents.get(manifest, MANIFEST_BYTES_MAX).await?;
        let manifest = text_of(BundleManifest::FILE, &manifest)
            .and_then(|text| BundleManifest::parse(text).map_err(|error| error.to_string()));
        let name = manifest.map_err(odd)?.name;
        let mut files: Vec<Digest> = tree.entries().iter().map(|entry| entry.digest).collect();
        files.sort_unstable();
        Ok(Arc::new(Self { name, files, signatures }))
    }

    fn called(&self, origin: BundleOrigin) -> String {
        format!("bundle `{}` ({})", self.name, origin.bundle)
    }

    fn not_admitted(&self, origin: BundleOrigin, why: &NotAdmitted) -> Failure {
        let why = match why {
            NotAdmitted::Refused(refused) => refused.to_string(),
            NotAdmitted::NoList => format!(
                "it {}, and the worker has no list of trusted keys; `--trust FILE` gives it one, \
                 and `--allow-unsigned` lets it run any bundle, for development",
                self.signed_by()
            ),
        };
        refused(&self.called(origin), &why)
    }

    fn signed_by(&self) -> String {
        let keys: Vec<String> = self.signatures.keys().map(|key| key.short()).collect();
        if keys.is_empty() {
            "is not signed".to_owned()
        } else {
            format!("is signed by {}", keys.join(", "))
        }
    }
}

/// The list of files and the signatures, if these are of it.
fn checked(bundle: Digest, tree: &[u8], signatures: &[u8]) -> Result<(Tree, Signatures), String> {
    let tree = Tree::parse(text_of("its list of files", tree)?).map_err(|odd| odd.to_string())?;
    let signatures = text_of("its list of signatures", signatures)?;
    let signatures = Signatures::parse(signatures).map_err(|odd| odd.to_string())?;
    signatures.check(bundle).map_err(|other| other.to_string())?;
    Ok((tree, signatures))
}

fn manifest_of(tree: &Tree) -> Result<Digest, String> {
    let path = BundlePath::new(BundleManifest::FILE).map_err(|odd| odd.to_string())?;
    let found = tree.get(&path).map(|entry| entry.digest);
    found.ok_or_else(|| format!("it has no {}", BundleManifest::FILE))
}

fn text_of<'b>(what: &str, bytes: &'b [u8]) -> Result<&'b str, String> {
    std::str::from_utf8(bytes).map_err(|error| format!("{what} is no text: {error}"))
}

fn refused(bundle: &str, why: &str) -> Failure {
    let message = format!("this worker runs no step of {bundle}: {why}");
    Failure::new(FailureKind::Permanent, UNTRUSTED, message)
}

fn of_no_bundle() -> Failure {
    let message = "this worker runs steps of signed bundles only (`--signed-only`), and this one \
                   is of no bundle: deploy it in one, or let a worker without that flag run it";
    Failure::new(FailureKind::Permanent, UNTRUSTED, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(number: usize) -> BundleOrigin {
        BundleOrigin { bundle: Digest::of(&number.to_le_bytes()), signatures: Digest::of(b"") }
    }

    fn shelve(shelf: &mut Shelf, number: usize, files: usize) {
        let files = vec![Digest::of(b"f"); files];
        let known = Known { name: "a".to_owned(), files, signatures: Signatures::none() };
        let cell = shelf.of(origin(number));
        assert!(cell.set(Arc::new(known)).is_ok());
    }

    #[test]
    fn of_many_bundles_those_used_last_are_remembered() {
        let mut shelf = Shelf::default();
        for number in 0..BUNDLES_MAX {
            shelve(&mut shelf, number, 1);
        }
        shelf.of(origin(0));
        shelve(&mut shelf, BUNDLES_MAX, 1);
        assert_eq!(shelf.bundles.len(), BUNDLES_MAX);
        let has = |shelf: &Shelf, number| shelf.bundles.contains_key(&origin(number));
        assert!(has(&shelf, 0) && !has(&shelf, 1) && has(&shelf, 2));
    }

    #[test]
    fn of_large_bundles_fewer_are_remembered() {
        let mut shelf = Shelf::default();
        for number in 0..40 {
            shelve(&mut shelf, number, 10_000);
        }
        let files = |shelved: &Shelved| shelved.known.get().unwrap().files.len();
        let total: usize = shelf.bundles.values().map(files).sum();
        assert!(total <= FILES_MAX + 10_000, "{total}");
        assert!(shelf.bundles.contains_key(&origin(39)));
    }
}
