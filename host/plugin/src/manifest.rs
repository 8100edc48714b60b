//! `plugin.toml`: who a plugin says it is and what it asks for. Asking grants nothing.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use wfhost_bundle::bounds::MANIFEST_BYTES_MAX;
use wfhost_bundle::manifest::PluginManifest;
use wfhost_workflow::{Contract, DirAsk, LimitSettings};

/// What a plugin's `plugin.toml` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The file it was read from.
    pub path: PathBuf,
    /// The plugin's name.
    pub name: String,
    /// The plugin's version.
    pub version: String,
    /// The directories it asks for, each by another path inside the sandbox.
    pub dirs: Vec<DirAsk>,
    /// The functions that are meant for workflows; `None`: all that the component has.
    pub exports: Option<Vec<String>>,
    /// The most that an attempt of its functions needs; it gets no more.
    pub limits: LimitSettings,
}

/// A manifest that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is not what a manifest is. The problem names line and column.
    #[error("{}: {problem}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong, with a hint where there is one.
        problem: String,
    },
}

impl Manifest {
    /// Finds the manifest of a component: `<stem>.plugin.toml` beside it, else
    /// `plugin.toml` in its folder. `None`: the plugin asks for nothing.
    ///
    /// # Errors
    /// If there is one and it cannot be used.
    pub fn beside(component: &Path) -> Result<Option<Self>, ManifestError> {
        let own = component.with_extension("plugin.toml");
        let shared = component.with_file_name("plugin.toml");
        for path in [own, shared] {
            match read(&path) {
                Ok(text) => return Self::parse(&path, &text).map(Some),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(source) => return Err(ManifestError::Read { path, source }),
            }
        }
        Ok(None)
    }

    /// Those of a component's functions that are meant for workflows.
    #[must_use]
    pub fn exported(&self, all: &[Contract]) -> Vec<Contract> {
        let Some(names) = &self.exports else { return all.to_vec() };
        let is_named = |contract: &&Contract| {
            let is_this =
                |name: &String| Contract::find(all, name).is_some_and(|it| it == *contract);
            names.iter().any(is_this)
        };
        all.iter().filter(is_named).cloned().collect()
    }

    /// Reads the text of a manifest; `path` is for messages.
    ///
    /// # Errors
    /// [`ManifestError::Invalid`] with line and column.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ManifestError> {
        let said = PluginManifest::parse(text).map_err(|error| ManifestError::Invalid {
            path: path.to_owned(),
            problem: error.to_string(),
        })?;
        let PluginManifest { name, version, dirs, exports, limits, .. } = said;
        Ok(Self { path: path.to_owned(), name, version, dirs, exports, limits })
    }
}

fn read(path: &Path) -> std::io::Result<String> {
    use std::io::Read as _;
    let mut text = String::new();
    let mut file = std::fs::File::open(path)?.take(MANIFEST_BYTES_MAX + 1);
    file.read_to_string(&mut text)?;
    if text.len() as u64 > MANIFEST_BYTES_MAX {
        let message = format!("it has more than {MANIFEST_BYTES_MAX} bytes");
        return Err(std::io::Error::new(ErrorKind::FileTooLarge, message));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use wfhost_workflow::DirMode;

    use super::*;

    fn problem(text: &str) -> String {
        Manifest::parse(Path::new("plugin.toml"), text).unwrap_err().to_string()
    }

    const HEAD: &str = "name = \"text\"\nversion = \"1.2.0\"\n";

    #[test]
    fn reads_what_a_plugin_asks_for() {
        let text = format!(
            "{HEAD}[grants]\ndirs = [{{ as = \"/in\", mode = \"ro\" }}, {{ as = \"/out/a\", mode = \"rw\" }}]\n"
        );
        let manifest = Manifest::parse(Path::new("plugin.toml"), &text).unwrap();
        assert_eq!((manifest.name.as_str(), manifest.version.as_str()), ("text", "1.2.0"));
        let asks: Vec<_> =
            manifest.dirs.iter().map(|ask| (ask.guest_path.as_str(), ask.mode)).collect();
        assert_eq!(asks, [("/in", DirMode::ReadOnly), ("/out/a", DirMode::ReadWrite)]);
        assert_eq!(Manifest::parse(Path::new("p"), HEAD).unwrap().dirs, []);
    }

    #[test]
    fn unknown_keys_are_refused_with_the_line_and_the_nearest_known_one() {
        let text = problem("name = \"a\"\nversoin = \"1\"\n");
        assert!(text.contains("line 2") && text.contains("did you mean `version`?"), "{text}");
        let text = problem(&format!("{HEAD}[grants]\ndir = []\n"));
        assert!(text.contains("did you mean `dirs`?"), "{text}");
        let text = problem(&format!("{HEAD}[zzz]\n"));
        assert!(text.contains("unknown field `zzz`") && !text.contains("did you mean"), "{text}");
        let text = problem("name = \"a\"\n");
        assert!(text.contains("version"), "{text}");
    }

    #[test]
    fn paths_inside_the_sandbox_are_plain_and_asked_for_once() {
        let ask = |paths: &[&str]| {
            let dirs: Vec<_> =
                paths.iter().map(|path| format!("{{ as = \"{path}\", mode = \"ro\" }}")).collect();
            format!("{HEAD}[grants]\ndirs = [{}]\n", dirs.join(","))
        };
        for path in ["in", "", "/", "/in/", "/in/../etc", "/./in", "//in"] {
            assert!(problem(&ask(&[path])).contains("absolute path"), "{path}");
        }
        assert!(problem(&ask(&["/in", "/in"])).contains("twice"));
        assert!(
            problem(&format!("{HEAD}[grants]\ndirs = [{{ as = \"/in\", mode = \"wo\" }}]"))
                .contains("`ro`")
        );
    }

    #[test]
    fn the_components_own_manifest_comes_before_the_folders() {
        let folder = tempfile::tempdir().unwrap();
        let component = folder.path().join("text.wasm");
        assert_eq!(Manifest::beside(&component).unwrap(), None);
        std::fs::write(folder.path().join("plugin.toml"), "name=\"folder\"\nversion=\"1\"")
            .unwrap();
        assert_eq!(Manifest::beside(&component).unwrap().unwrap().name, "folder");
        std::fs::write(folder.path().join("text.plugin.toml"), "name=\"own\"\nversion=\"1\"")
            .unwrap();
        let manifest = Manifest::beside(&component).unwrap().unwrap();
        assert_eq!(manifest.name, "own");
        assert!(manifest.path.ends_with("text.plugin.toml"));
    }
}
