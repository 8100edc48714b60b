//! What the guest `witness` wrote down: a file an execution, a folder a worker's process.

use std::fs;
use std::path::Path;

use crate::failure::{Doing as _, Result};
use crate::history::{Execution, Task};

/// The guest, by the file that `cargo xtask guests` makes.
pub(crate) const GUEST: &str = "witness";

/// All executions of all processes.
pub(crate) fn read(marks: &Path) -> Result<Vec<Execution>> {
    let mut executions = Vec::new();
    for process in fs::read_dir(marks).doing("read the marks")? {
        let process = process.doing("read the marks")?;
        let name = process.file_name().to_string_lossy().into_owned();
        executions.extend(of_process(&process.path(), &name)?);
    }
    Ok(executions)
}

/// Those of one process.
pub(crate) fn of_process(folder: &Path, process: &str) -> Result<Vec<Execution>> {
    let mut executions = Vec::new();
    for mark in fs::read_dir(folder).doing("read a process's marks")? {
        let mark = mark.doing("read a process's marks")?;
        let text = fs::read_to_string(mark.path()).doing("read a mark")?;
        let file = mark.file_name().to_string_lossy().into_owned();
        executions.extend(execution(process, &file, &text));
    }
    Ok(executions)
}

/// `None`: it was ended before its first line was whole.
fn execution(process: &str, file: &str, text: &str) -> Option<Execution> {
    let mut parts = file.split('~');
    let mut part = || parts.next();
    let (run, step, index, attempt) = (part()?, part()?, part()?, part()?);
    let (first, rest) = text.split_once('\n')?;
    let (at, input) = first.strip_prefix("start ")?.split_once(' ')?;
    let end = rest.strip_prefix("end ").and_then(|rest| rest.split_once(' '));
    Some(Execution {
        process: process.to_owned(),
        run: run.parse().ok()?,
        task: Task { step: step.to_owned(), index: index.parse().ok() },
        attempt: attempt.parse().ok()?,
        input: input.to_owned(),
        start_ns: at.parse().ok()?,
        end_ns: end.and_then(|(at, _)| at.parse().ok()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_guest_writes_is_read() {
        assert_eq!(GUEST, "witness");
        let file = "01ARZ3NDEKTSV4RRFFQ69G5FAV~fan~3~2~00ff";
        let whole = "start 12 {\"ms\":1}\nend 15 \n";
        let read = execution("one", file, whole).expect("it is whole");
        assert_eq!((read.attempt, read.task.index), (2, Some(3)));
        assert_eq!((read.start_ns, read.end_ns), (12, Some(15)));
        assert_eq!(read.input, "{\"ms\":1}");
        let cut = execution("one", &file.replace("~3~", "~-~"), "start 12 {}\ne");
        let cut = cut.expect("it has begun");
        assert_eq!((cut.task.index, cut.end_ns), (None, None));
        assert_eq!(execution("one", file, "start 12 {\"m"), None);
    }
}
