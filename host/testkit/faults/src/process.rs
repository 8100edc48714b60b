//! Processes of the real program: started, waited for, stopped, killed.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::clock;
use crate::failure::{Doing as _, Failure, Result};

/// A process whose standard error goes to a file; killed where it is dropped.
pub(crate) struct Process {
    child: Child,
    stdout: Option<BufReader<ChildStdout>>,
    log: PathBuf,
    ended: bool,
}

impl Process {
    pub(crate) fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let options = File::options().create(true).append(true).open(log);
        let file = options.doing(format_args!("open {}", log.display()))?;
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(file)
            .spawn()
            .doing(format_args!("start {command:?}"))?;
        let stdout = child.stdout.take().map(BufReader::new);
        Ok(Self { child, stdout, log: log.to_owned(), ended: false })
    }

    /// The next line of its standard output.
    pub(crate) fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        let stdout = self.stdout.as_mut().doing("read standard output")?;
        let read = stdout.read_line(&mut line).doing("read standard output")?;
        if read == 0 {
            return Err(Failure::new(format!("it ended at once:\n{}", self.said())));
        }
        Ok(line)
    }

    /// All that it has said on standard error, and those before it with the same file.
    pub(crate) fn said(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Waits until it has said a text so often.
    pub(crate) fn wait_for(&mut self, text: &str, times: usize, limit: Duration) -> Result<()> {
        let said = clock::until(limit, || {
            let enough = self.said().matches(text).count() >= times;
            (enough || self.has_ended()).then_some(enough)
        });
        if said == Some(true) {
            return Ok(());
        }
        Err(Failure::new(format!("it never said `{text}`:\n{}", self.said())))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.ended = self.ended || !matches!(self.child.try_wait(), Ok(None));
        self.ended
    }

    pub(crate) fn signal(&mut self, signal: Signal) -> Result<()> {
        if self.has_ended() {
            return Err(Failure::new(format!("it has ended:\n{}", self.said())));
        }
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw);
        kill_process(pid.doing("signal")?, signal).doing("signal")
    }

    /// `kill -9`, and until it is gone.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.child.kill().doing("kill")?;
        self.child.wait().doing("wait for its end")?;
        self.ended = true;
        Ok(())
    }

    /// Until it ends by itself; its exit code.
    pub(crate) fn end(&mut self, limit: Duration) -> Result<Option<i32>> {
        let status = clock::until(limit, || self.child.try_wait().ok().flatten());
        self.ended = status.is_some();
        Ok(status.doing(format_args!("end of process {}:\n{}", self.pid(), self.said()))?.code())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.has_ended() {
            // It may have ended just now.
            let _ignored = self.child.kill();
            let _ignored = self.child.wait();
        }
    }
}
