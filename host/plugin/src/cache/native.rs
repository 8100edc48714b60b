//! Native code in the cache.

use std::fs::{self, File};
use std::hash::{Hash as _, Hasher};
use std::io::ErrorKind;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use wasmtime::Engine;
use wfhost_workflow::Digest;

use super::folder::NATIVE;
use super::record::{self, Found, Kind, Why};
use super::{Cache, CacheError};

const HEADER: &str = "header";
const ARTIFACT: &str = "artifact";

/// Who made it: native code of another wfhost is not used.
const MAKER: &str = env!("CARGO_PKG_VERSION");

/// Everything about an engine that its native code hangs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EngineId(String);

impl EngineId {
    pub(crate) fn of(engine: &Engine) -> Self {
        let mut hasher = Blake(blake3::Hasher::new());
        engine.precompile_compatibility_hash().hash(&mut hasher);
        (std::env::consts::ARCH, std::env::consts::OS).hash(&mut hasher);
        Self(hasher.0.finalize().to_hex().as_str()[..16].to_owned())
    }
}

/// The standard library's hasher has too few bits to tell engines apart by.
struct Blake(blake3::Hasher);

impl Hasher for Blake {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let mut first = [0; 8];
        first.copy_from_slice(&self.0.finalize().as_bytes()[..8]);
        u64::from_le_bytes(first)
    }
}

/// Which native code: of this component, in this shape, for this engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NativeId {
    pub(crate) digest: Digest,
    /// What one engine has several of: letters and digits.
    pub(crate) shape: String,
    pub(crate) engine: EngineId,
}

impl NativeId {
    pub(super) fn name(&self) -> String {
        format!("{}{}", self.prefix(), self.engine.0)
    }

    fn prefix(&self) -> String {
        format!("{}-{}-", self.digest.hex(), self.shape)
    }

    /// Back from a name: digest and engine.
    pub(super) fn parts(name: &str) -> Option<(Digest, &str)> {
        let (digest, engine) = name.split_once('-')?;
        Some((format!("sha256:{digest}").parse().ok()?, engine))
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Header {
    bytes: u64,
    mac: String,
}

/// Native code whose MAC is right, held open: what is removed from the cache meanwhile stays.
#[derive(Debug)]
pub(crate) struct Native {
    file: File,
}

impl Native {
    /// A name for the very file that was checked, whatever its folder holds by now.
    pub(crate) fn path(&self) -> PathBuf {
        PathBuf::from(format!("/dev/fd/{}", self.file.as_raw_fd()))
    }
}

impl Cache {
    /// Native code that can be loaded.
    pub(crate) fn native(&self, id: &NativeId) -> Found<Native> {
        let folder = self.part(NATIVE).join(id.name());
        match record::read(&self.key, Kind::Native, &id.name(), MAKER, &folder.join(HEADER)) {
            (Found::Hit(header), file) => {
                let found = self.artifact(&folder, &header);
                if let (Found::Hit(_), Some(file)) = (&found, file) {
                    record::touch(&file);
                }
                found
            }
            (Found::Miss, _) => self.stale(id),
            (Found::Refused(why), _) => Found::Refused(why),
        }
    }

    fn artifact(&self, folder: &Path, header: &[u8]) -> Found<Native> {
        let Ok(header) = serde_json::from_slice::<Header>(header) else {
            return Found::Refused(Why::Altered);
        };
        let checked = (|| {
            let native = Native { file: File::open(folder.join(ARTIFACT))? };
            let metadata = native.file.metadata()?;
            let whole = metadata.is_file()
                && metadata.len() == header.bytes
                && metadata.uid() == rustix::process::geteuid().as_raw()
                && self.key.of_artifact_file(&native.path())?.to_hex().as_str() == header.mac;
            Ok(whole.then_some(native))
        })();
        match checked {
            Ok(Some(native)) => Found::Hit(native),
            Ok(None) => Found::Refused(Why::Altered),
            Err(error) => record::missing(&error),
        }
    }

    /// Nothing is there, but perhaps the code of an engine that this host no longer has. It is
    /// left: another version of wfhost may use the same cache.
    fn stale(&self, id: &NativeId) -> Found<Native> {
        let prefix = id.prefix();
        let others = fs::read_dir(self.part(NATIVE)).into_iter().flatten().flatten();
        let stale = others
            .into_iter()
            .find_map(|other| other.file_name().to_str()?.strip_prefix(&prefix).map(str::to_owned));
        match stale {
            Some(engine) => Found::Refused(Why::Stale(format!("engine {engine}"))),
            None => Found::Miss,
        }
    }

    /// Puts native code in place of any that is there, and makes room for it.
    pub(crate) fn keep_native(&self, id: &NativeId, artifact: &[u8]) -> Result<(), CacheError> {
        self.remove_leftovers();
        let header = Header {
            bytes: artifact.len() as u64,
            mac: self.key.of_artifact(artifact).to_hex().to_string(),
        };
        // Strings and numbers always make JSON.
        let header = serde_json::to_vec(&header).unwrap_or_default();
        let draft = self.draft()?;
        draft.write(ARTIFACT, 0o400, artifact)?;
        draft.write(
            HEADER,
            0o600,
            &record::encode(&self.key, Kind::Native, &id.name(), MAKER, &header),
        )?;
        let place = self.part(NATIVE).join(id.name());
        match fs::rename(draft.path(), &place) {
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists
                ) =>
            {
                self.discard(&place)?;
                fs::rename(draft.path(), &place)
            }
            renamed => renamed,
        }
        .map_err(CacheError::io("write", &place))?;
        self.make_room(&id.name())
    }
}
