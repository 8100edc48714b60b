//! A folder with a bundle and a component, and what was pulled.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use wfhost_bundle::{SigningKey, on_disk};
use wfhost_registry::{Error, Login, Options, Reference, Watch};

/// A component without anything in it.
pub(crate) const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

pub(crate) struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(place.path("pulled")).unwrap();
        place
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    /// A component of some size, which nothing compresses.
    pub(crate) fn component(&self, bytes: usize) -> PathBuf {
        let path = self.path("text.wasm");
        fs::write(&path, component(bytes)).unwrap();
        path
    }

    /// A signed bundle of a version.
    pub(crate) fn bundle(&self, version: &str) -> PathBuf {
        let folder = self.path(&format!("folder-{version}"));
        fs::create_dir(&folder).unwrap();
        let manifest = format!(
            "name = \"my-agents\"\nversion = \"{version}\"\nplugins = [\"text.plugin.toml\"]\n"
        );
        fs::write(folder.join("bundle.toml"), manifest).unwrap();
        let plugin = "name = \"text\"\nversion = \"0.1.0\"\n";
        fs::write(folder.join("text.plugin.toml"), plugin).unwrap();
        fs::write(folder.join("text.wasm"), component(300_000)).unwrap();
        let path = self.path(&format!("my-agents-{version}.wfb"));
        on_disk::pack_into(&folder, &path).unwrap();
        on_disk::sign(&path, &SigningKey::generate("a test").unwrap()).unwrap();
        path
    }

    /// Where something is pulled to.
    pub(crate) fn target(&self) -> PathBuf {
        self.path("pulled/it")
    }

    /// What is beside the target, and it.
    pub(crate) fn pulled(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("pulled")).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// A file was there before, is still the same, and nothing else is there.
    #[track_caller]
    pub(crate) fn fails<T: std::fmt::Debug>(
        &self,
        pull: impl FnOnce() -> Result<T, Error>,
    ) -> Error {
        fs::write(self.target(), "before").unwrap();
        let error = pull().unwrap_err();
        assert_eq!(self.pulled(), ["it"], "nothing is left behind: {error}");
        assert_eq!(fs::read(self.target()).unwrap(), b"before", "{error}");
        error
    }
}

pub(crate) fn component(bytes: usize) -> Vec<u8> {
    let mut random = 1_u32;
    let mut content = COMPONENT.to_vec();
    content.resize_with(bytes.max(COMPONENT.len()), || {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (random >> 24) as u8
    });
    content
}

pub(crate) fn reference(text: &str) -> Reference {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Nobody, in a hurry.
pub(crate) fn options() -> Options {
    Options { login: Login::Anonymous, retry_pause: Duration::from_millis(1), ..Options::default() }
}

pub(crate) fn as_user(user: &str, password: &str) -> Options {
    let (user, password) = (user.to_owned(), password.to_owned());
    Options { login: Login::Password { user, password }, ..options() }
}

/// Stops as soon as something has come.
#[derive(Default)]
pub(crate) struct StopsAtOnce(AtomicBool);

impl Watch for StopsAtOnce {
    fn moved(&self, _: u64, _: u64) {
        self.0.store(true, Ordering::SeqCst);
    }

    fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}
