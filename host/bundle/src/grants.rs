//! Whether a plugin gets a directory: its manifest asks, the workflow gives, the operator
//! allows, and what holds is all three.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use wfhost_workflow::{AllowedDir, DirAsk, DirGrant, DirMode};

use crate::manifest::check_guest_path;

/// A directory that a workflow gives to one of its plugins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenDir {
    /// On the host; a relative path is relative to this process's folder.
    pub host_path: PathBuf,
    /// Inside the sandbox: the manifest's `as`.
    pub guest_path: String,
    /// What the workflow gives at most.
    pub mode: DirMode,
}

/// Why a directory is not granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// The plugin's name in the workflow.
    pub alias: String,
    /// On the host: canonical if it exists.
    pub host_path: PathBuf,
    /// Inside the sandbox.
    pub guest_path: String,
    /// What would be granted.
    pub mode: DirMode,
    /// Which of the three is missing.
    pub reason: Reason,
}

/// What is missing for a grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The plugin's manifest does not ask for this path.
    NotAsked,
    /// The operator allows no directory that holds this one. A person may be asked.
    NotAllowed,
    /// The operator allows reading only. A person may be asked.
    OnlyReading,
    /// The workflow gives this path inside the sandbox twice.
    GivenTwice,
    /// The path inside the sandbox or on the host cannot be used.
    Unusable(String),
}

impl Denial {
    /// What would make the operator's part hold, if that is what is missing: ask a person
    /// for this, and add it to what is allowed.
    #[must_use]
    pub fn question(&self) -> Option<AllowedDir> {
        match self.reason {
            Reason::NotAllowed | Reason::OnlyReading => {
                Some(AllowedDir { host_path: self.host_path.to_str()?.to_owned(), mode: self.mode })
            }
            Reason::NotAsked | Reason::GivenTwice | Reason::Unusable(_) => None,
        }
    }

    /// What to change, and where.
    #[must_use]
    pub fn remedy(&self) -> String {
        let Self { alias, guest_path, mode, .. } = self;
        let (path, mode) = (self.host_path.display(), mode.name());
        match &self.reason {
            Reason::NotAsked => format!(
                "in the plugin's plugin.toml, under [grants]: \
                 dirs = [{{ as = \"{guest_path}\", mode = \"{mode}\" }}]"
            ),
            Reason::NotAllowed | Reason::OnlyReading => {
                format!("run with --allow-dir {path}:{mode}")
            }
            Reason::GivenTwice => format!(
                "in the workflow, keep one of the lines `as: {guest_path}` under \
                 plugins.{alias}.grants.dirs"
            ),
            Reason::Unusable(_) => format!("in the workflow, correct plugins.{alias}.grants.dirs"),
        }
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { alias, guest_path, mode, .. } = self;
        let path = self.host_path.display();
        write!(f, "plugin `{alias}` does not get {path} as {guest_path} ({}): ", mode.name())?;
        match &self.reason {
            Reason::NotAsked => f.write_str("it does not ask for it"),
            Reason::NotAllowed => f.write_str("the operator does not allow it"),
            Reason::OnlyReading => f.write_str("the operator allows reading only"),
            Reason::GivenTwice => f.write_str("the workflow gives this path twice"),
            Reason::Unusable(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Denial {}

/// The directories that one plugin gets, in the order in which they are given. What is
/// asked for but not given does not hold, and is no denial.
///
/// # Errors
/// The first directory that is given but does not hold.
pub fn decide(
    alias: &str,
    asks: &[DirAsk],
    given: &[GivenDir],
    allowed: &[AllowedDir],
) -> Result<Vec<DirGrant>, Denial> {
    let mut grants: Vec<DirGrant> = Vec::new();
    for dir in given {
        let taken = grants.iter().any(|grant| grant.guest_path == dir.guest_path);
        grants.push(one(alias, asks, dir, allowed, taken)?);
    }
    Ok(grants)
}

/// What a plugin asks for and a workflow does not give: worth a warning before it runs.
#[must_use]
pub fn not_given<'a>(asks: &'a [DirAsk], given: &[GivenDir]) -> Vec<&'a DirAsk> {
    let is_given = |ask: &DirAsk| given.iter().any(|dir| dir.guest_path == ask.guest_path);
    asks.iter().filter(|ask| !is_given(ask)).collect()
}

fn one(
    alias: &str,
    asks: &[DirAsk],
    given: &GivenDir,
    allowed: &[AllowedDir],
    taken: bool,
) -> Result<DirGrant, Denial> {
    let denial = |host_path: &Path, mode, reason| Denial {
        alias: alias.to_owned(),
        host_path: host_path.to_owned(),
        guest_path: given.guest_path.clone(),
        mode,
        reason,
    };
    let GivenDir { host_path: named, guest_path, mode } = given;
    check_guest_path(guest_path).map_err(|why| denial(named, *mode, Reason::Unusable(why)))?;
    if taken {
        return Err(denial(named, *mode, Reason::GivenTwice));
    }
    // A directory that workers have by name: which one it is, and whether steps get it, is
    // decided by the operator of the worker.
    let by_name = is_by_name(named);
    let real = if by_name { Ok(named.clone()) } else { canonical(named) };
    let real = real.map_err(|error| denial(named, *mode, Reason::Unusable(error.to_string())))?;
    let Some(ask) = asks.iter().find(|ask| ask.guest_path == *guest_path) else {
        return Err(denial(&real, *mode, Reason::NotAsked));
    };
    let mode = if ask.mode.permits(*mode) { *mode } else { ask.mode };
    let above = || allowed.iter().filter(|allowed| real.starts_with(&allowed.host_path));
    if !by_name && !above().any(|allowed| allowed.mode.permits(mode)) {
        let only_reading = above().next().is_some();
        let reason = if only_reading { Reason::OnlyReading } else { Reason::NotAllowed };
        return Err(denial(&real, mode, reason));
    }
    let Some(host_path) = real.to_str() else {
        let reason = Reason::Unusable("its path is not UTF-8".to_owned());
        return Err(denial(&real, mode, reason));
    };
    Ok(DirGrant { host_path: host_path.to_owned(), guest_path: guest_path.clone(), mode })
}

/// Whether a path names a directory of workers, such as `@in/2026`.
#[must_use]
pub fn is_by_name(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().starts_with(b"@")
}

/// The directory without links on the way to it, so that what is compared is what is opened.
fn canonical(path: &Path) -> io::Result<PathBuf> {
    let real = path.canonicalize()?;
    if real.is_dir() { Ok(real) } else { Err(io::ErrorKind::NotADirectory.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use DirMode::{ReadOnly as Ro, ReadWrite as Rw};

    /// A folder with `data/in`, and `data/out` as a link that leads out of `data`.
    struct Host(tempfile::TempDir);

    impl Host {
        fn new() -> Self {
            let root = tempfile::tempdir().unwrap();
            std::fs::create_dir_all(root.path().join("data/in")).unwrap();
            std::fs::create_dir_all(root.path().join("data-other")).unwrap();
            std::fs::write(root.path().join("data/file"), "").unwrap();
            std::os::unix::fs::symlink("..", root.path().join("data/out")).unwrap();
            Self(root)
        }

        fn path(&self, below: &str) -> PathBuf {
            self.0.path().canonicalize().unwrap().join(below)
        }

        fn given(&self, below: &str, guest_path: &str, mode: DirMode) -> GivenDir {
            GivenDir { host_path: self.path(below), guest_path: guest_path.to_owned(), mode }
        }

        fn allowed(&self, below: &str, mode: DirMode) -> Vec<AllowedDir> {
            vec![AllowedDir { host_path: self.path(below).to_str().unwrap().to_owned(), mode }]
        }
    }

    fn asks(mode: DirMode) -> Vec<DirAsk> {
        vec![DirAsk { guest_path: "/in".to_owned(), mode }]
    }

    #[track_caller]
    fn check(
        asked: DirMode,
        given: GivenDir,
        allowed: &[AllowedDir],
        wanted: &Result<DirMode, Reason>,
    ) {
        let decided = decide("text", &asks(asked), &[given], allowed);
        let decided = decided.map(|grants| grants[0].mode).map_err(|denial| denial.reason);
        assert_eq!(&decided, wanted);
    }

    #[test]
    fn what_holds_is_asked_for_given_and_allowed() {
        let host = Host::new();
        let given = |mode| host.given("data/in", "/in", mode);
        let (ro, rw) = (host.allowed("data", Ro), host.allowed("data", Rw));
        check(Ro, given(Ro), &ro, &Ok(Ro));
        check(Rw, given(Rw), &rw, &Ok(Rw));
        check(Ro, given(Rw), &rw, &Ok(Ro));
        check(Rw, given(Ro), &rw, &Ok(Ro));
        check(Ro, given(Rw), &ro, &Ok(Ro));
        check(Rw, given(Rw), &ro, &Err(Reason::OnlyReading));
        check(Rw, given(Rw), &[], &Err(Reason::NotAllowed));
        check(Ro, given(Ro), &host.allowed("data/in", Ro), &Ok(Ro));
        check(Ro, given(Ro), &host.allowed("data/in/below", Ro), &Err(Reason::NotAllowed));
    }

    #[test]
    fn a_path_counts_by_where_it_leads() {
        let host = Host::new();
        let data = host.allowed("data", Ro);
        check(Ro, host.given("data/out", "/in", Ro), &data, &Err(Reason::NotAllowed));
        check(Ro, host.given("data/in/../..", "/in", Ro), &data, &Err(Reason::NotAllowed));
        check(Ro, host.given("data-other", "/in", Ro), &data, &Err(Reason::NotAllowed));
        check(Ro, host.given("data/in/../in", "/in", Ro), &data, &Ok(Ro));
    }

    #[test]
    fn a_denial_says_what_would_allow_it() {
        let host = Host::new();
        let path = host.path("data/in");
        let denied = |given: &[GivenDir], allowed: &[AllowedDir]| {
            decide("text", &asks(Rw), given, allowed).unwrap_err()
        };
        let given = host.given("data/in", "/in", Rw);
        let denial = denied(std::slice::from_ref(&given), &host.allowed("data", Ro));
        assert_eq!(denial.remedy(), format!("run with --allow-dir {}:rw", path.display()));
        assert_eq!(
            denial.question(),
            Some(AllowedDir { host_path: path.to_str().unwrap().to_owned(), mode: Rw })
        );
        let denial = denied(&[host.given("data/in", "/other", Ro)], &[]);
        assert_eq!(denial.reason, Reason::NotAsked);
        assert!(denial.remedy().contains(r#"{ as = "/other", mode = "ro" }"#), "{denial}");
        assert_eq!(denial.question(), None);
        let denial = denied(&[given.clone(), given], &host.allowed("data", Rw));
        assert_eq!(denial.reason, Reason::GivenTwice);
        for unusable in [
            host.given("data/missing", "/in", Ro),
            host.given("data/file", "/in", Ro),
            host.given("data/in", "/in/..", Ro),
        ] {
            let denial = denied(&[unusable], &host.allowed("data", Rw));
            assert!(matches!(denial.reason, Reason::Unusable(_)), "{denial}");
        }
    }

    #[test]
    fn what_is_asked_for_and_not_given_is_listed() {
        let host = Host::new();
        let asks = asks(Ro);
        assert_eq!(not_given(&asks, &[]), [&asks[0]]);
        assert!(not_given(&asks, &[host.given("data/in", "/in", Ro)]).is_empty());
    }
}
