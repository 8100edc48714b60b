//! Core dumps of guests, where the operator asks for them: one file an attempt, for
//! debuggers that read WebAssembly's core dumps.
//!
//! A dump holds all that the guest's memory held, secrets included: its folder and files
//! are the operator's alone.

use std::fs::{DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use wasmtime::{Error, Store, WasmCoreDump};
use wfhost_workflow::{Failure, Limit};

use crate::state::AttemptState;
use crate::{StepContext, lanes};

/// A larger memory is not written out.
const MEMORY_BYTES_MAX: u64 = 256 << 20;
/// Files in the folder; the operator removes what was looked at.
const FILES_MAX: usize = 32;
/// Of a step's name in a file's name.
const NAME_CHARS_MAX: usize = 40;

/// Where core dumps go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoreDumps {
    /// Made when the first is written.
    pub folder: PathBuf,
}

impl CoreDumps {
    /// The file of one attempt.
    pub(crate) fn path(&self, context: &StepContext) -> PathBuf {
        self.folder.join(file_name(context))
    }
}

/// Adds to a failure where the guest's core dump is, or why there is none.
pub(crate) async fn add(
    path: &Path,
    error: &Error,
    store: &mut Store<AttemptState>,
    failure: &mut Failure,
) {
    let Some(dump) = error.downcast_ref::<WasmCoreDump>() else { return };
    let used = store.data().meter.memory_bytes();
    let said = if used > MEMORY_BYTES_MAX {
        let (show, limit) = (|bytes| Limit::Memory.show(bytes), MEMORY_BYTES_MAX);
        Err(format!("the guest's memory of {} is over {}", show(used), show(limit)))
    } else {
        lanes::go_on_in_the_long_lane().await;
        let (path, bytes) = (path.to_path_buf(), dump.serialize(store, "guest"));
        let written = tokio::task::spawn_blocking(move || write(&path, &bytes).map(|()| path));
        written.await.unwrap_or_else(|join| Err(join.to_string()))
    };
    let line = match said {
        Ok(path) => format!("\ncore dump: {}", path.display()),
        Err(why) => format!("\nno core dump: {why}"),
    };
    failure.message.push_str(&line);
}

/// Which attempt it is of. Whoever wrote the workflow chose the step's name.
fn file_name(context: &StepContext) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let step: String = context.step.chars().take(NAME_CHARS_MAX).map(plain).collect();
    let index = context.index.map_or_else(String::new, |index| format!("-{index}"));
    format!("{}-{step}{index}-{}.coredump.wasm", context.run, context.attempt.0)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    let said = |error: std::io::Error| format!("{}: {error}", path.display());
    let folder = path.parent().unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(said)?;
    let there = std::fs::read_dir(folder).map_err(said)?.take(FILES_MAX).count();
    if there >= FILES_MAX {
        return Err(format!("{} holds {FILES_MAX} files already", folder.display()));
    }
    let mut file = OpenOptions::new()
        .write(true)
        // Neither an earlier dump nor what a link leads to is written over.
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(said)?;
    file.write_all(bytes).map_err(said)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn files_are_private_never_written_over_and_not_too_many() {
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path().join("dumps");
        let path = |number| folder.join(format!("{number}.coredump.wasm"));
        write(&path(0), b"dump").unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&path(0))), (0o700, 0o600));
        assert!(write(&path(0), b"other").is_err());
        assert_eq!(std::fs::read(path(0)).unwrap(), b"dump");
        for number in 1..FILES_MAX {
            write(&path(number), b"").unwrap();
        }
        assert!(write(&path(FILES_MAX), b"").unwrap_err().contains("holds 32 files"));
    }
}
