//! A folder with a bundle in it, to be changed by tests.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use wfhost_bundle::{Bundle, BundleFile, PackError};

pub(crate) struct Folder {
    dir: tempfile::TempDir,
}

pub(crate) const WORKFLOW: &str = "\
workflow: brief
version: '2'
input: { type: object, properties: { folder: { type: string } }, required: [folder] }
plugins: { text: ../plugins/text/text.wasm }
steps:
  - { id: read, call: text/extract, with: { path: '${input.folder}' } }
output: ${steps.read}
";

impl Folder {
    /// Two plugins, a workflow that uses one of them, and a licence.
    pub(crate) fn new() -> Self {
        let folder = Self { dir: tempfile::tempdir().unwrap() };
        folder.write(
            "bundle.toml",
            "name = \"my-agents\"\nversion = \"1.2.0\"\n\
             plugins = [\"plugins/text\", \"plugins/count.plugin.toml\"]\n\
             workflows = [\"workflows/brief.yaml\"]\nfiles = [\"LICENSE\"]\n",
        );
        folder.write(
            "plugins/text/plugin.toml",
            "name = \"text\"\nversion = \"0.1.0\"\nexports = [\"extract\"]\n\
             [grants]\ndirs = [{ as = \"/in\", mode = \"ro\" }]\n[limits]\nmemory = \"64MiB\"\n",
        );
        folder.write("plugins/text/text.wasm", "\0asm text");
        folder.write("plugins/count.plugin.toml", "name = \"count\"\nversion = \"1.0.0\"\n");
        folder.write("plugins/count.wasm", "\0asm count");
        folder.write("workflows/brief.yaml", WORKFLOW);
        folder.write("LICENSE", "do what you like");
        // None of these is listed.
        folder.write("notes.txt", "a secret");
        folder.write("plugins/text/src/lib.rs", "fn main() {}");
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn file(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let file = self.file(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, content).unwrap();
    }

    /// Replaces a text that must be in the file.
    pub(crate) fn edit(&self, path: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.file(path)).unwrap();
        assert!(text.contains(from), "{path} holds {from}");
        self.write(path, text.replace(from, to));
    }

    pub(crate) fn pack(&self) -> Result<(Bundle, Vec<u8>), PackError> {
        let mut out = Cursor::new(Vec::new());
        let bundle = wfhost_bundle::pack(self.path(), &mut out)?;
        Ok((bundle, out.into_inner()))
    }

    pub(crate) fn packed(&self) -> Vec<u8> {
        self.pack().unwrap().1
    }

    #[track_caller]
    pub(crate) fn refused(&self, words: &str) {
        let error = self.pack().map(|(bundle, _)| bundle).unwrap_err();
        let said = chain(&error);
        assert!(said.contains(words), "{said}");
    }
}

/// An error with what it comes from.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        said = format!("{said}: {cause}");
        source = cause.source();
    }
    said
}

pub(crate) fn open(bytes: &[u8]) -> BundleFile<Cursor<&[u8]>> {
    BundleFile::open(Cursor::new(bytes)).unwrap()
}

pub(crate) fn read(bytes: &[u8]) -> Bundle {
    Bundle::read(&mut open(bytes)).unwrap()
}
