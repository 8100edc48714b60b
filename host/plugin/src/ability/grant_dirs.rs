//! The directories of an attempt, opened so that what the operator allowed is what the
//! guest gets: a path that has become a symbolic link since then is refused.

use std::fs::File;
use std::path::{Component, Path};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use wasmtime_wasi::filesystem::Dir;
use wasmtime_wasi::{FsPerms, OpenMode};
use wfhost_workflow::{DirGrant, DirMode, Failure, FailureKind};

use crate::failure::bounded;

/// What was refused first, kept for the failure's message.
const DENIAL_BYTES_MAX: usize = 512;

/// What an attempt sees of the file system.
pub(crate) struct GrantDirs {
    dirs: Vec<(Dir, String)>,
    denial: Option<String>,
}

impl GrantDirs {
    /// Nothing.
    pub(crate) fn none() -> Self {
        Self { dirs: Vec::new(), denial: None }
    }

    /// Opens every grant. Blocks: not for async threads.
    pub(crate) fn open(grants: &[DirGrant]) -> Result<Self, Failure> {
        let dirs = grants
            .iter()
            .map(|grant| Ok((open(grant)?, grant.guest_path.clone())))
            .collect::<Result<_, Failure>>()?;
        Ok(Self { dirs, denial: None })
    }

    pub(crate) fn preopens(&self) -> &[(Dir, String)] {
        &self.dirs
    }

    /// Keeps the first denial; true if it is the first.
    pub(crate) fn deny(&mut self, what: &str) -> bool {
        let first = self.denial.is_none();
        self.denial.get_or_insert_with(|| bounded(what, DENIAL_BYTES_MAX));
        first
    }

    /// What the guest tried first that was refused.
    pub(crate) fn denial(&self) -> Option<&str> {
        self.denial.as_deref()
    }
}

fn open(grant: &DirGrant) -> Result<Dir, Failure> {
    let dir = open_without_links(Path::new(&grant.host_path)).map_err(|errno| {
        let DirGrant { host_path, guest_path, .. } = grant;
        if errno == Errno::LOOP || errno == Errno::NOTDIR {
            let message = format!(
                "`{host_path}` (granted as `{guest_path}`) is no longer the directory that was \
                 allowed: a part of it is a symbolic link or a file now"
            );
            return Failure::new(FailureKind::Denied, "dirs", message);
        }
        let message = format!("cannot open `{host_path}` (granted as `{guest_path}`): {errno}");
        Failure::new(FailureKind::Host, "dirs", message)
    })?;
    let (perms, mode) = match grant.mode {
        DirMode::ReadOnly => (FsPerms::ReadOnly, OpenMode::READ),
        DirMode::ReadWrite => (FsPerms::ReadWrite, OpenMode::READ | OpenMode::WRITE),
    };
    Ok(Dir::new(dir, perms, mode, false))
}

/// Opens an absolute path of which no part may be a symbolic link.
fn open_without_links(path: &Path) -> Result<File, Errno> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{ResolveFlags, openat2};
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS) {
            // Old kernels and some containers do not have it.
            Err(Errno::NOSYS | Errno::PERM) => {}
            result => return result.map(File::from),
        }
    }
    walk_without_links(path)
}

/// The same, folder by folder.
fn walk_without_links(path: &Path) -> Result<File, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let mut dir = rustix::fs::openat(CWD, "/", flags, Mode::empty())?;
    for part in path.components() {
        match part {
            Component::RootDir | Component::CurDir => {}
            Component::Normal(name) => {
                dir = rustix::fs::openat(&dir, name, flags, Mode::empty())?;
            }
            // A canonical path has neither.
            Component::ParentDir | Component::Prefix(_) => return Err(Errno::INVAL),
        }
    }
    Ok(File::from(dir))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(path: &Path) -> DirGrant {
        DirGrant {
            host_path: path.to_str().unwrap().to_owned(),
            guest_path: "/in".to_owned(),
            mode: DirMode::ReadOnly,
        }
    }

    #[test]
    fn a_directory_that_became_a_link_is_denied() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        let (given, secret) = (root.join("given"), root.join("secret"));
        std::fs::create_dir(&secret).unwrap();
        std::fs::create_dir(&given).unwrap();
        assert!(GrantDirs::open(&[grant(&given)]).is_ok());
        assert!(walk_without_links(&given).is_ok());

        std::fs::remove_dir(&given).unwrap();
        std::os::unix::fs::symlink(&secret, &given).unwrap();
        let failure = GrantDirs::open(&[grant(&given)]).err().unwrap();
        assert_eq!(failure.kind, FailureKind::Denied);
        assert!(failure.message.contains("symbolic link"), "{failure}");
        assert!(walk_without_links(&given).is_err());
        assert!(walk_without_links(&given.join("below")).is_err());
    }

    #[test]
    fn a_missing_directory_is_the_hosts_failure() {
        let root = tempfile::tempdir().unwrap();
        let missing = root.path().canonicalize().unwrap().join("missing");
        let failure = GrantDirs::open(&[grant(&missing)]).err().unwrap();
        assert_eq!(failure.kind, FailureKind::Host);
    }
}
