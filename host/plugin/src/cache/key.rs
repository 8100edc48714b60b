//! The installation's key. Who can read it can make entries that are trusted.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::CacheError;
use super::folder::check_private;

const BYTES: usize = 32;

/// Keys for each use, so that a MAC of one kind is none of another.
pub(crate) struct Key {
    records: [u8; BYTES],
    artifacts: [u8; BYTES],
    id: String,
}

impl Key {
    /// Of this cache; made at the first use.
    pub(super) fn of(folder: &Path) -> Result<Self, CacheError> {
        let path = folder.join("key");
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                make(folder, &path)?;
                File::open(&path).map_err(CacheError::io("read", &path))?
            }
            Err(error) => return Err(CacheError::io("read", &path)(error)),
        };
        let metadata = file.metadata().map_err(CacheError::io("read", &path))?;
        check_private(&path, &metadata)?;
        let mut bytes = [0; BYTES];
        let whole = metadata.len() == BYTES as u64 && file.read_exact(&mut bytes).is_ok();
        if !whole {
            return Err(CacheError::Odd { path, what: "not 32 bytes long" });
        }
        Ok(Self::from_bytes(&bytes))
    }

    pub(super) fn from_bytes(bytes: &[u8; BYTES]) -> Self {
        let derive = |purpose: &str| blake3::derive_key(purpose, bytes);
        let id = blake3::Hash::from_bytes(derive("wfhost cache 2026-11 id")).to_hex();
        Self {
            records: derive("wfhost cache 2026-11 record"),
            artifacts: derive("wfhost cache 2026-11 artifact"),
            id: id.as_str()[..16].to_owned(),
        }
    }

    /// Names the key without giving it away.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Of a record: what is said of it, and its body.
    pub(super) fn of_record(&self, about: &[u8], body: &[u8]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.records);
        hasher.update(&(about.len() as u64).to_le_bytes()).update(about).update(body);
        hasher.finalize()
    }

    pub(super) fn of_artifact(&self, bytes: &[u8]) -> blake3::Hash {
        blake3::keyed_hash(&self.artifacts, bytes)
    }

    /// Of what `path` is now; read through a map, since it may have tens of megabytes.
    pub(super) fn of_artifact_file(&self, path: &Path) -> io::Result<blake3::Hash> {
        let mut hasher = blake3::Hasher::new_keyed(&self.artifacts);
        hasher.update_mmap(path)?;
        Ok(hasher.finalize())
    }
}

/// Several processes may do this at once: the first one's key stays.
fn make(folder: &Path, path: &Path) -> Result<(), CacheError> {
    let new = folder.join(format!("key.{}", random_name().map_err(CacheError::io("make", path))?));
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(&random::<BYTES>()?)?;
        file.sync_all()?;
        match fs::hard_link(&new, path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    })();
    // It stays behind where the disk is full or read-only: 32 bytes that nobody uses.
    let _ignored = fs::remove_file(&new);
    written.map_err(CacheError::io("make", path))
}

/// A file name that nobody else has.
pub(super) fn random_name() -> io::Result<String> {
    Ok(format!("{:032x}", u128::from_le_bytes(random()?)))
}

fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}
