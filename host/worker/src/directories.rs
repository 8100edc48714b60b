//! Which directories of this machine a step may be given here.
//!
//! A worker elsewhere knows directories by name (`@in/2026`), which its own operator maps; a path
//! of the coordinator's machine means nothing there and is refused.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use wfhost_workflow::{AllowedDir, DirGrant, Failure, FailureKind};

/// What a worker does with the directories of a step.
#[derive(Debug, Clone, Default)]
pub enum Directories {
    /// Paths are of this machine: the worker is where the coordinator is, and trusts it.
    #[default]
    OfThisMachine,
    /// Only what has a name here.
    Named(BTreeMap<String, AllowedDir>),
}

impl Directories {
    /// The same grants with paths of this machine.
    pub(crate) fn resolve(&self, grants: Vec<DirGrant>) -> Result<Vec<DirGrant>, Failure> {
        grants.into_iter().map(|grant| self.one(grant)).collect()
    }

    fn one(&self, grant: DirGrant) -> Result<DirGrant, Failure> {
        let denied = |why: &str| {
            let DirGrant { host_path, guest_path, .. } = &grant;
            let message = format!("`{host_path}` (granted as `{guest_path}`): {why}");
            Err(Failure::new(FailureKind::Denied, "dirs", message))
        };
        let named = match (self, grant.host_path.strip_prefix('@')) {
            (Self::OfThisMachine, None) => return Ok(grant),
            (Self::OfThisMachine, Some(_)) => {
                return denied("it is a directory of workers that have one of this name");
            }
            (Self::Named(_), None) => {
                return denied(
                    "it is a path of another machine: give the step a directory by the \
                               name that its workers have for it, such as `@in`",
                );
            }
            (Self::Named(named), Some(text)) => {
                let (name, below) = text.split_once('/').unwrap_or((text, ""));
                named.get(name).map(|allowed| (allowed, below))
            }
        };
        let Some((allowed, below)) = named else {
            return denied(
                "this worker has no directory of that name: start it with `--dir NAME=PATH`",
            );
        };
        if !Path::new(below).components().all(|part| matches!(part, Component::Normal(_))) {
            return denied("it leaves the directory");
        }
        if !allowed.mode.permits(grant.mode) {
            return denied("this worker allows reading only: start it with `--dir NAME=PATH:rw`");
        }
        let path = Path::new(&allowed.host_path).join(below);
        match path.to_str() {
            Some(path) => {
                Ok(DirGrant { host_path: path.trim_end_matches('/').to_owned(), ..grant })
            }
            None => denied("it is no text"),
        }
    }
}

#[cfg(test)]
mod tests {
    use wfhost_workflow::DirMode;

    use super::*;

    fn grant(host_path: &str, mode: DirMode) -> Vec<DirGrant> {
        vec![DirGrant { host_path: host_path.to_owned(), guest_path: "/in".to_owned(), mode }]
    }

    #[test]
    fn a_worker_elsewhere_gives_what_has_a_name_there() {
        let allowed = AllowedDir { host_path: "/data/in".to_owned(), mode: DirMode::ReadOnly };
        let named = Directories::Named(BTreeMap::from([("in".to_owned(), allowed)]));
        let path = |text: &str| {
            named.resolve(grant(text, DirMode::ReadOnly)).map(|grants| grants[0].host_path.clone())
        };
        assert_eq!(path("@in").unwrap(), "/data/in");
        assert_eq!(path("@in/a/b").unwrap(), "/data/in/a/b");
        for refused in ["/data/in", "@out", "@in/../x", "@in//etc", "@in/./", "@", "data"] {
            assert_eq!(path(refused).unwrap_err().kind, FailureKind::Denied, "{refused}");
        }
        assert!(named.resolve(grant("@in", DirMode::ReadWrite)).is_err());
    }

    #[test]
    fn on_the_coordinators_machine_a_path_is_a_path() {
        let here = Directories::OfThisMachine;
        let same = grant("/data", DirMode::ReadWrite);
        assert_eq!(here.resolve(same.clone()).unwrap(), same);
        assert!(here.resolve(grant("@in", DirMode::ReadOnly)).is_err());
    }
}
