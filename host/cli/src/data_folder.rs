//! Where the data folder is, and what the operator allows there.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use wfhost_workflow::{AllowedDir, DirMode};

use crate::error::{CommandError, Result};

const ALLOWED_DIRS: &str = "allowed-dirs.toml";
/// Far more than anybody writes by hand; a larger file is not ours.
const ALLOWED_DIRS_BYTES_MAX: u64 = 1 << 20;

/// The folder that holds runs, contents and configuration. It may not exist yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DataDir {
    path: PathBuf,
}

/// What decides where the folder is, besides the flag and its environment variable.
#[derive(Debug, Default)]
pub(crate) struct Surroundings {
    pub(crate) xdg_data_home: Option<PathBuf>,
    pub(crate) home: Option<PathBuf>,
    pub(crate) macos: bool,
}

impl Surroundings {
    pub(crate) fn of_process() -> Self {
        let variable =
            |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        Self {
            xdg_data_home: variable("XDG_DATA_HOME"),
            home: variable("HOME"),
            macos: cfg!(target_os = "macos"),
        }
    }
}

impl DataDir {
    /// `flag` holds `--data` or, without it, `WFHOST_DATA`.
    pub(crate) fn resolve(flag: Option<&Path>, surroundings: &Surroundings) -> Result<Self> {
        let path = match flag.filter(|path| !path.as_os_str().is_empty()) {
            Some(path) => path.to_path_buf(),
            None => default_path(surroundings).ok_or_else(|| {
                CommandError::usage("there is no home folder to keep data in")
                    .hint("name a data folder with `--data PATH` or WFHOST_DATA")
            })?,
        };
        let path = std::path::absolute(&path).map_err(|error| {
            CommandError::store(error)
                .context(format!("could not use the data folder {}", path.display()))
        })?;
        Ok(Self { path })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether runs may have been stored in it.
    pub(crate) fn is_used(&self) -> bool {
        self.path.join("store").exists() || self.path.join("lock").exists()
    }

    /// The process that took the folder last, and its command line.
    pub(crate) fn last_holder(&self) -> Option<(u32, String)> {
        wfhost_checkpoint::last_holder(&self.path)
    }

    /// Whether the process that took the folder last is still there.
    pub(crate) fn seems_held(&self) -> bool {
        let pid = self.last_holder().and_then(|(pid, _)| i32::try_from(pid).ok());
        pid.and_then(rustix::process::Pid::from_raw)
            .is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok())
    }

    /// Changes when something is stored.
    pub(crate) fn stored_at(&self) -> Option<std::time::SystemTime> {
        fs::metadata(self.path.join("mark")).and_then(|metadata| metadata.modified()).ok()
    }

    /// Makes the folder if need be; only its owner may enter it.
    pub(crate) fn create(&self) -> Result<()> {
        let create = || -> anyhow::Result<()> {
            if let Some(parent) = self.path.parent() {
                fs::create_dir_all(parent)?;
            }
            match fs::DirBuilder::new().mode(0o700).create(&self.path) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                    let permissions = fs::metadata(&self.path)?.permissions();
                    if permissions.mode() & 0o077 != 0 {
                        // `--data /tmp` must not lock everybody out of it.
                        let ours = self.is_used() || self.path.join(ALLOWED_DIRS).exists();
                        anyhow::ensure!(
                            ours || fs::read_dir(&self.path)?.next().is_none(),
                            "it holds other files, and other users can enter it"
                        );
                        fs::set_permissions(&self.path, fs::Permissions::from_mode(0o700))
                            .context(
                                "it can be entered by other users, and that could not be changed",
                            )?;
                    }
                }
                Err(error) => return Err(error.into()),
            }
            Ok(())
        };
        create().map_err(|error| {
            CommandError::store(error)
                .context(format!("could not use the data folder {}", self.path.display()))
                .hint("choose another with `--data PATH` or WFHOST_DATA")
        })
    }

    /// The directories that were allowed for good, by an answer or by hand.
    pub(crate) fn allowed_dirs(&self) -> Result<Vec<AllowedDir>> {
        let path = self.path.join(ALLOWED_DIRS);
        let read = || -> anyhow::Result<Vec<AllowedDir>> {
            match fs::metadata(&path) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
                Err(error) => return Err(error.into()),
                Ok(metadata) if metadata.len() > ALLOWED_DIRS_BYTES_MAX => {
                    anyhow::bail!("it is larger than {ALLOWED_DIRS_BYTES_MAX} bytes")
                }
                Ok(_) => {}
            }
            let file: AllowedDirsFile = toml::from_str(&fs::read_to_string(&path)?)?;
            file.allow.into_iter().map(AllowedDirLine::checked).collect()
        };
        read().map_err(|error| {
            let what = format!("could not read {}", path.display());
            if error.is::<std::io::Error>() {
                return CommandError::store(error).context(what);
            }
            CommandError::new(crate::exit_code::ExitCode::Invalid, error)
                .context(what)
                .hint("each entry is: [[allow]] with path = \"/absolute/path\" and mode = \"ro\" or \"rw\"")
        })
    }

    /// Allows a directory for all later runs.
    pub(crate) fn remember_allowed_dir(&self, dir: &AllowedDir) -> Result<()> {
        self.create()?;
        let mut allow: Vec<AllowedDirLine> =
            self.allowed_dirs()?.into_iter().map(AllowedDirLine::from).collect();
        allow.push(AllowedDirLine::from(dir.clone()));
        let write = || -> anyhow::Result<()> {
            let text = format!(
                "# Directories that workflows may hand to plugins, remembered from answers.\n\n{}",
                toml::to_string(&AllowedDirsFile { allow })?
            );
            let temporary = self.path.join(format!("{ALLOWED_DIRS}.{}.new", std::process::id()));
            let mut file = fs::OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&temporary)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&temporary, self.path.join(ALLOWED_DIRS))?;
            Ok(())
        };
        write().map_err(|error| {
            CommandError::store(error)
                .context(format!("could not write {}", self.path.join(ALLOWED_DIRS).display()))
        })
    }
}

fn default_path(surroundings: &Surroundings) -> Option<PathBuf> {
    let home = surroundings.home.as_deref();
    if surroundings.macos {
        return Some(home?.join("Library/Application Support/wfhost"));
    }
    // The XDG specification: a relative path is invalid and is ignored.
    let base = match surroundings.xdg_data_home.as_deref().filter(|path| path.is_absolute()) {
        Some(base) => base.to_path_buf(),
        None => home?.join(".local/share"),
    };
    Some(base.join("wfhost"))
}

/// As it is in the file.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AllowedDirsFile {
    #[serde(default)]
    allow: Vec<AllowedDirLine>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AllowedDirLine {
    path: String,
    mode: DirMode,
}

impl AllowedDirLine {
    fn checked(self) -> anyhow::Result<AllowedDir> {
        anyhow::ensure!(
            Path::new(&self.path).is_absolute(),
            "`{}` is not an absolute path",
            self.path
        );
        // A directory that is gone allows nothing, and is no reason to stop.
        let host_path = fs::canonicalize(&self.path)
            .ok()
            .and_then(|path| path.into_os_string().into_string().ok())
            .unwrap_or(self.path);
        Ok(AllowedDir { host_path, mode: self.mode })
    }
}

impl From<AllowedDir> for AllowedDirLine {
    fn from(dir: AllowedDir) -> Self {
        Self { path: dir.host_path, mode: dir.mode }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(flag: Option<&str>, surroundings: &Surroundings) -> Option<String> {
        DataDir::resolve(flag.map(Path::new), surroundings)
            .ok()
            .map(|dir| dir.path().display().to_string())
    }

    #[test]
    fn the_folder_is_where_the_user_says_or_the_platform() {
        let linux = Surroundings { home: Some("/home/u".into()), ..Surroundings::default() };
        let xdg = Surroundings { xdg_data_home: Some("/x".into()), home: None, macos: false };
        let relative = Surroundings {
            xdg_data_home: Some("x".into()),
            home: Some("/home/u".into()),
            macos: false,
        };
        let macos =
            Surroundings { home: Some("/Users/u".into()), macos: true, ..Surroundings::default() };
        let check = |flag, at: &Surroundings, path: Option<&str>| {
            assert_eq!(resolved(flag, at).as_deref(), path);
        };
        check(Some("/d"), &linux, Some("/d"));
        check(Some(""), &linux, Some("/home/u/.local/share/wfhost"));
        check(None, &linux, Some("/home/u/.local/share/wfhost"));
        check(None, &xdg, Some("/x/wfhost"));
        check(None, &relative, Some("/home/u/.local/share/wfhost"));
        check(None, &macos, Some("/Users/u/Library/Application Support/wfhost"));
        check(None, &Surroundings::default(), None);
    }

    #[test]
    fn only_the_owner_may_enter() {
        let temp = tempfile::tempdir().unwrap();
        let dir = DataDir { path: temp.path().join("a/b") };
        dir.create().unwrap();
        let mode = || fs::metadata(dir.path()).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(), 0o700);
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        dir.create().unwrap();
        assert_eq!(mode(), 0o700);
    }

    #[test]
    fn a_folder_that_others_use_stays_theirs() {
        let temp = tempfile::tempdir().unwrap();
        fs::write(temp.path().join("theirs"), "").unwrap();
        fs::set_permissions(temp.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let dir = DataDir { path: temp.path().to_path_buf() };
        let error = dir.create().unwrap_err();
        assert!(error.message().contains("other files"), "{}", error.message());
        assert_eq!(fs::metadata(temp.path()).unwrap().permissions().mode() & 0o777, 0o755);
    }

    #[test]
    fn allowed_directories_are_remembered() {
        let temp = tempfile::tempdir().unwrap();
        let dir = DataDir { path: temp.path().join("data") };
        assert_eq!(dir.allowed_dirs().unwrap(), []);
        let first = AllowedDir { host_path: "/gone/first".into(), mode: DirMode::ReadOnly };
        let second = AllowedDir { host_path: "/gone/second".into(), mode: DirMode::ReadWrite };
        dir.remember_allowed_dir(&first).unwrap();
        dir.remember_allowed_dir(&second).unwrap();
        assert_eq!(dir.allowed_dirs().unwrap(), [first, second]);
    }

    #[test]
    fn a_wrong_file_is_named() {
        let temp = tempfile::tempdir().unwrap();
        let dir = DataDir { path: temp.path().to_path_buf() };
        for wrong in ["[[allow]]\npath = \"relative\"\nmode = \"ro\"", "[[allow]]\nmod = 1", "]["] {
            fs::write(temp.path().join(ALLOWED_DIRS), wrong).unwrap();
            let error = dir.allowed_dirs().unwrap_err();
            assert!(error.message().contains(ALLOWED_DIRS), "{wrong}: {}", error.message());
        }
    }
}
