//! From a file to a registry: contents first, and last the manifest that names them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use ureq::http::StatusCode;
use wfhost_bundle::{Bundle, BundleFile};
use wfhost_workflow::{Digest, Digesting};

use crate::bounds::{BUNDLE_BYTES_MAX, COMPONENT_BYTES_MAX};
use crate::client::{Action, Client, Sent};
use crate::error::Error;
use crate::manifest::{self, DESCRIPTION, MANIFEST, Manifest, TITLE, VERSION};
use crate::options::Options;
use crate::reference::Reference;
use crate::upload::{self, Content};
use crate::wasm_config::{self, Wasm};

/// What is in the registry now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The digest of its manifest.
    pub manifest: Digest,
    /// What always names it.
    pub pinned: Reference,
    /// Of the file.
    pub digest: Digest,
    /// Its bytes.
    pub bytes: u64,
    /// Whether the registry had the file already, so that it was not sent.
    pub was_there: bool,
}

/// A plain component, and what others are told of it.
#[derive(Debug, Clone)]
pub struct ComponentToPush<'c> {
    /// Its file.
    pub path: &'c Path,
    /// Who made it.
    pub author: Option<&'c str>,
    /// The names of its exports: `wasi:cli/run@0.2.0`.
    pub exports: &'c [String],
    /// The names of its imports.
    pub imports: &'c [String],
    /// What it is called.
    pub name: Option<&'c str>,
    /// Its version.
    pub version: Option<&'c str>,
    /// What it is for.
    pub description: Option<&'c str>,
}

impl<'c> ComponentToPush<'c> {
    /// A component of which nothing is told.
    #[must_use]
    pub const fn of(path: &'c Path) -> Self {
        Self {
            path,
            author: None,
            exports: &[],
            imports: &[],
            name: None,
            version: None,
            description: None,
        }
    }

    fn annotations(&self) -> BTreeMap<String, String> {
        [(TITLE, self.name), (VERSION, self.version), (DESCRIPTION, self.description)]
            .into_iter()
            .filter_map(|(key, value)| Some((key.to_owned(), value?.to_owned())))
            .collect()
    }
}

/// Sends a bundle's file as it is, signatures included, once every file in it has been checked.
/// Sending the same again changes nothing.
///
/// Blocks, for as long as the options allow.
///
/// # Errors
/// If it is no bundle, the registry does not take it, or its manifest would have another digest
/// than the reference names.
pub fn push_bundle(
    path: &Path,
    reference: &Reference,
    options: &Options,
) -> Result<(Pushed, Bundle), Error> {
    let mut file = open(path, BUNDLE_BYTES_MAX)?;
    let bundle = {
        let wrong = |error: wfhost_bundle::FormatError| Error::Bundle(error.into());
        let mut opened = BundleFile::open(BufReader::new(&file)).map_err(wrong)?;
        Bundle::read(&mut opened).map_err(Error::Bundle)?
    };
    let (digest, size) = digest_of(&mut file, path)?;
    let (config, manifest) = manifest::of_bundle(&bundle, digest, size);
    let pushed = push(&mut file, path, reference, options, &config, &manifest)?;
    Ok((pushed, bundle))
}

/// Sends a component in the form that `wkg` reads. Sending the same again changes nothing.
///
/// # Errors
/// If it is no component, or as [`push_bundle`].
pub fn push_component(
    component: &ComponentToPush<'_>,
    reference: &Reference,
    options: &Options,
) -> Result<Pushed, Error> {
    let path = component.path;
    let mut file = open(path, COMPONENT_BYTES_MAX)?;
    let mut head = Vec::new();
    Read::by_ref(&mut file).take(8).read_to_end(&mut head).map_err(cannot_read(path))?;
    let wasm = Wasm::of(&head).ok_or_else(|| Error::NoComponent { path: path.to_owned() })?;
    let (digest, size) = digest_of(&mut file, path)?;
    let ComponentToPush { author, exports, imports, .. } = *component;
    let config = wasm_config::config(wasm, digest, author, exports, imports);
    let manifest = manifest::of_component(&config, digest, size, component.annotations());
    push(&mut file, path, reference, options, &config, &manifest)
}

fn push(
    file: &mut File,
    path: &Path,
    reference: &Reference,
    options: &Options,
    config: &[u8],
    listed: &Manifest,
) -> Result<Pushed, Error> {
    let text = manifest::json(listed);
    let digest = Digest::of(&text);
    if let Some(wanted) = reference.digest()
        && wanted != digest
    {
        return Err(Error::Digest { what: "the manifest", wanted, found: digest });
    }
    let mut client = Client::new(reference, Action::Push, options);
    let layer = &listed.layers[0];
    let was_there = upload::send(&mut client, &mut Content::File(file, path), layer)?;
    upload::send(&mut client, &mut Content::Bytes(config), &listed.config)?;
    client.again(|client| put_manifest(client, reference, &text, digest))?;
    Ok(Pushed {
        manifest: digest,
        pinned: reference.pinned(digest),
        digest: layer.digest,
        bytes: layer.size,
        was_there,
    })
}

fn put_manifest(
    client: &mut Client<'_>,
    reference: &Reference,
    text: &[u8],
    digest: Digest,
) -> Result<(), Error> {
    let url = client.url(&format!("manifests/{}", reference.put_name()));
    let bytes = text.len() as u64;
    let mut reader = text;
    let answer = client.put(&url, Sent { reader: &mut reader, bytes, media_type: MANIFEST })?;
    if answer.status() != StatusCode::CREATED {
        return Err(client.refused(answer, "the repository"));
    }
    match answer.header("docker-content-digest").and_then(|told| told.parse::<Digest>().ok()) {
        Some(found) if found != digest => {
            Err(Error::Digest { what: "the manifest", wanted: digest, found })
        }
        _ => Ok(()),
    }
}

/// Opening a pipe would wait for who writes into it.
fn open(path: &Path, bytes_max: u64) -> Result<File, Error> {
    let metadata = fs::metadata(path).map_err(cannot_read(path))?;
    if !metadata.is_file() {
        let error = io::Error::new(io::ErrorKind::InvalidInput, "not an ordinary file");
        return Err(cannot_read(path)(error));
    }
    if metadata.len() > bytes_max {
        return Err(Error::TooLarge { what: "the file", bytes_max });
    }
    File::open(path).map_err(cannot_read(path))
}

fn digest_of(file: &mut File, path: &Path) -> Result<(Digest, u64), Error> {
    let mut digesting = Digesting::default();
    let mut buffer = vec![0; 64 << 10];
    let mut bytes = 0;
    file.seek(SeekFrom::Start(0)).map_err(cannot_read(path))?;
    loop {
        let count = file.read(&mut buffer).map_err(cannot_read(path))?;
        if count == 0 {
            return Ok((digesting.finish(), bytes));
        }
        bytes += count as u64;
        digesting.update(&buffer[..count]);
    }
}

fn cannot_read(path: &Path) -> impl Fn(io::Error) -> Error + '_ {
    |source| Error::Io { doing: "read", path: path.to_owned(), source }
}
