//! The program on disk that workers are started from: it may be replaced while this one runs.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use wfhost_workflow::{DurationMs, MonotonicMs};

/// A file that is still being written changes again within this.
const SETTLED: DurationMs = DurationMs::from_secs(1);

/// Still this program when its file is gone.
const ITSELF: &str = "/proc/self/exe";

/// Which file it is, and that it is the same as before: not its content, which is large.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp(String);

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let meta = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
        let at = (meta.mtime(), meta.mtime_nsec());
        Some(Self(format!("{}:{}:{}.{}:{}", meta.dev(), meta.ino(), at.0, at.1, meta.len())))
    }
}

/// The file, as it was seen last.
#[derive(Debug)]
pub(super) struct Program {
    path: PathBuf,
    /// Of the program that this process is.
    own: Stamp,
    current: Stamp,
    /// It has become another one, and may become yet another.
    changing: Option<(Stamp, MonotonicMs)>,
}

impl Program {
    /// The file that this process was started from.
    pub(super) fn of_this_process() -> std::io::Result<Self> {
        // One whose file was replaced or removed before it looked has no path.
        std::env::current_exe().and_then(Self::at).or_else(|_| Self::at(ITSELF.into()))
    }

    fn at(path: PathBuf) -> std::io::Result<Self> {
        let own = Stamp::of(&path).ok_or_else(|| {
            std::io::Error::new(std::io::ErrorKind::NotFound, "its own program is gone")
        })?;
        Ok(Self { path, current: own.clone(), own, changing: None })
    }

    /// Looks at the file; `true`: it is another one than before, and has been for a while.
    pub(super) fn look(&mut self, now: MonotonicMs) -> bool {
        let Some(seen) = Stamp::of(&self.path) else { return false };
        if seen == self.current {
            self.changing = None;
            return false;
        }
        match &self.changing {
            Some((stamp, since)) if *stamp == seen => {
                if now - *since < SETTLED {
                    return false;
                }
                self.current = seen;
                self.changing = None;
                true
            }
            Some(_) | None => {
                self.changing = Some((seen, now));
                false
            }
        }
    }

    /// What to start, and what tells it from others; `None`: it is just being replaced.
    pub(super) fn to_start(&self) -> Option<(&Path, &str)> {
        let tag = self.current.0.as_str();
        match Stamp::of(&self.path) {
            Some(seen) => (seen == self.current).then_some((self.path.as_path(), tag)),
            None => (self.own == self.current && Path::new(ITSELF).exists())
                .then_some((Path::new(ITSELF), tag)),
        }
    }

    /// What tells the program as it is now from others.
    pub(super) fn tag(&self) -> &str {
        &self.current.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_replaced_is_another_one_once_it_stays_as_it_is() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("program");
        fs::write(&path, "one").unwrap();
        let mut program = Program::at(path.clone()).unwrap();
        let first = program.tag().to_owned();
        assert!(!program.look(MonotonicMs(0)));
        assert_eq!(program.to_start(), Some((path.as_path(), first.as_str())));

        fs::write(&path, "two or more").unwrap();
        assert_eq!(program.to_start(), None);
        assert!(!program.look(MonotonicMs(1_000)));
        fs::write(&path, "still growing").unwrap();
        assert!(!program.look(MonotonicMs(2_500)));
        assert!(!program.look(MonotonicMs(3_000)));
        assert!(program.look(MonotonicMs(3_500)));
        assert!(!program.look(MonotonicMs(4_500)));
        assert_ne!(program.tag(), first);
        assert!(program.to_start().is_some());
    }

    #[test]
    fn a_program_whose_file_is_gone_is_still_this_one() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("program");
        fs::write(&path, "one").unwrap();
        let mut program = Program::at(path.clone()).unwrap();
        fs::remove_file(&path).unwrap();
        assert!(!program.look(MonotonicMs(0)));
        assert_eq!(program.to_start().map(|(path, _)| path), Some(Path::new(ITSELF)));
    }
}
