//! From a registry into a file, which gets its name last.

use std::fs::Permissions;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;
use ureq::http::StatusCode;
use wfhost_bundle::{Bundle, BundleFile};
use wfhost_workflow::Digest;

use crate::bounds::{BUNDLE_BYTES_MAX, COMPONENT_BYTES_MAX, MANIFEST_BYTES_MAX};
use crate::client::{Action, Client};
use crate::download;
use crate::error::{Error, Kind};
use crate::manifest::{self, BUNDLE_DIGEST, Descriptor, Manifest, Unfit};
use crate::options::Options;
use crate::reference::Reference;
use crate::wasm_config::Wasm;

/// A bundle that was fetched, and every file in it checked.
#[derive(Debug)]
pub struct PulledBundle {
    /// What it is. Whether its signatures count is not asked here.
    pub bundle: Bundle,
    /// The digest of its manifest in the registry.
    pub manifest: Digest,
    /// What always names this one.
    pub pinned: Reference,
    /// Its file.
    pub bytes: u64,
}

/// A component that was fetched. Nobody has looked into it.
#[derive(Debug)]
pub struct PulledComponent {
    /// Of the component.
    pub digest: Digest,
    /// The digest of its manifest in the registry.
    pub manifest: Digest,
    /// What always names this one.
    pub pinned: Reference,
    /// Its file.
    pub bytes: u64,
}

/// Fetches a bundle into a file, which replaces one that is there. The file gets its name when
/// all of it has come and is a bundle; else nothing is left.
///
/// Blocks, for as long as the options allow.
///
/// # Errors
/// If it cannot be fetched, is something else, or the file cannot be written.
pub fn pull_bundle(
    reference: &Reference,
    options: &Options,
    into: &Path,
) -> Result<PulledBundle, Error> {
    let mut client = Client::new(reference, Action::Pull, options);
    let found = find(&mut client, reference, Kind::Bundle)?;
    let mut file = Beside::new(into)?;
    file.fetch(&mut client, &found.layer, BUNDLE_BYTES_MAX)?;
    let bundle = file.bundle()?;
    check_named(&client, &found.listed, &bundle)?;
    file.keep()?;
    let FoundManifest { digest: manifest, layer, .. } = found;
    Ok(PulledBundle { bundle, manifest, pinned: reference.pinned(manifest), bytes: layer.size })
}

/// Fetches a plain component into a file, as [`pull_bundle`] does a bundle.
///
/// # Errors
/// If it cannot be fetched, is something else, or the file cannot be written.
pub fn pull_component(
    reference: &Reference,
    options: &Options,
    into: &Path,
) -> Result<PulledComponent, Error> {
    let mut client = Client::new(reference, Action::Pull, options);
    let found = find(&mut client, reference, Kind::Component)?;
    let mut file = Beside::new(into)?;
    file.fetch(&mut client, &found.layer, COMPONENT_BYTES_MAX)?;
    file.check_wasm()?;
    file.keep()?;
    let FoundManifest { digest: manifest, layer, .. } = found;
    let pinned = reference.pinned(manifest);
    Ok(PulledComponent { digest: layer.digest, manifest, pinned, bytes: layer.size })
}

struct FoundManifest {
    digest: Digest,
    listed: Manifest,
    layer: Descriptor,
}

/// The manifest that a reference names, held against the digests that are known of it.
fn find(
    client: &mut Client<'_>,
    reference: &Reference,
    kind: Kind,
) -> Result<FoundManifest, Error> {
    let url = client.url(&format!("manifests/{}", reference.manifest_name()));
    let answer = client.get(&url, &[("accept", manifest::ACCEPT.join(", "))])?;
    if answer.status() != StatusCode::OK {
        return Err(client.refused(answer, reference.to_string()));
    }
    let told = answer.header("docker-content-digest").and_then(|text| text.parse().ok());
    let bytes =
        answer.bytes("the manifest", MANIFEST_BYTES_MAX).map_err(|error| client.told(error))?;
    let digest = Digest::of(&bytes);
    for wanted in [reference.digest(), told].into_iter().flatten() {
        if wanted != digest {
            return Err(Error::Digest { what: "the manifest", wanted, found: digest });
        }
    }
    let (listed, layer) = manifest::read(&bytes, kind).map_err(|unfit| match unfit {
        Unfit::Kind { found, known } => Error::WrongKind { wanted: kind, found, known },
        Unfit::Nonsense(what) => Error::Nonsense { host: client.host().to_owned(), what },
    })?;
    Ok(FoundManifest { digest, listed, layer })
}

/// What lists a registry reads the annotation, and must not be told of another bundle.
fn check_named(client: &Client<'_>, listed: &Manifest, bundle: &Bundle) -> Result<(), Error> {
    match listed.annotations.get(BUNDLE_DIGEST) {
        Some(named) if *named != bundle.digest().to_string() => Err(Error::Nonsense {
            host: client.host().to_owned(),
            what: format!("the manifest names another bundle than {}", bundle.digest()),
        }),
        _ => Ok(()),
    }
}

/// A file that has no name yet that anybody looks for, and is gone if it never gets one.
struct Beside {
    file: NamedTempFile,
    target: PathBuf,
}

impl Beside {
    fn new(target: &Path) -> Result<Self, Error> {
        let failed = |source| Error::Io { doing: "write", path: target.to_owned(), source };
        if target.is_dir() {
            return Err(failed(std::io::ErrorKind::IsADirectory.into()));
        }
        let folder = match target.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let file = tempfile::Builder::new()
            .prefix(".wfhost-pull-")
            // What the user's mask leaves of it, as of any file that a command makes.
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(folder)
            .map_err(failed)?;
        Ok(Self { file, target: target.to_owned() })
    }

    fn fetch(
        &mut self,
        client: &mut Client<'_>,
        layer: &Descriptor,
        bytes_max: u64,
    ) -> Result<(), Error> {
        if layer.size > bytes_max {
            return Err(Error::TooLarge { what: "the file", bytes_max });
        }
        download::fetch(client, layer, self.file.as_file_mut(), &self.target)
    }

    fn failed(&self, doing: &'static str, source: std::io::Error) -> Error {
        Error::Io { doing, path: self.target.clone(), source }
    }

    fn bundle(&mut self) -> Result<Bundle, Error> {
        let begun = self.file.as_file_mut().seek(SeekFrom::Start(0));
        begun.map_err(|source| self.failed("read", source))?;
        let wrong = |error: wfhost_bundle::FormatError| Error::Bundle(error.into());
        let mut file = BundleFile::open(BufReader::new(self.file.as_file())).map_err(wrong)?;
        Bundle::read(&mut file).map_err(Error::Bundle)
    }

    fn check_wasm(&mut self) -> Result<(), Error> {
        let mut head = Vec::new();
        let file = self.file.as_file_mut();
        let read = file
            .seek(SeekFrom::Start(0))
            .and_then(|_| Read::by_ref(file).take(8).read_to_end(&mut head));
        read.map_err(|source| self.failed("read", source))?;
        match Wasm::of(&head) {
            Some(Wasm::Component | Wasm::Module) => Ok(()),
            None => Err(Error::NoComponent { path: self.target.clone() }),
        }
    }

    fn keep(self) -> Result<(), Error> {
        let Self { file, target } = self;
        let failed = |source| Error::Io { doing: "write", path: target.clone(), source };
        file.as_file().sync_all().map_err(failed)?;
        file.persist(&target).map_err(|error| failed(error.error))?;
        Ok(())
    }
}
