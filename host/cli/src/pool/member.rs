//! One process of the pool: how it is started, whether it lives, how it is told to leave.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use wfhost_transport::client::MemberState;
use wfhost_workflow::{Digest, MonotonicMs};

use super::plan::Seen;

/// What would make a worker of this machine believe that it joins another one.
const NOT_INHERITED: [&str; 3] = ["WFHOST_SERVER", "WFHOST_SERVER_KEY", "WFHOST_KEY"];

/// How a worker is started, but for the program, its name and where it registers.
#[derive(Debug, Clone)]
pub(crate) struct ChildCommand {
    /// `worker`, and what is the same for all.
    pub(crate) arguments: Vec<OsString>,
}

impl ChildCommand {
    /// What tells workers apart that are started otherwise.
    pub(super) fn setup(&self, program: &str) -> String {
        let mut text = program.as_bytes().to_vec();
        for argument in &self.arguments {
            text.push(0);
            text.extend_from_slice(argument.as_encoded_bytes());
        }
        Digest::of(&text).hex()[..32].to_owned()
    }

    /// Starts a worker in a process group of its own: a terminal's Ctrl-C is for who serves, and
    /// that one tells its workers.
    pub(super) fn start(
        &self,
        program: &Path,
        name: &str,
        registry: &Path,
        setup: &str,
    ) -> io::Result<Child> {
        let mut command = Command::new(program);
        command.args(&self.arguments).args(["--name", name, "--pool-setup", setup]);
        command.arg("--pool").arg(registry);
        for variable in NOT_INHERITED {
            command.env_remove(variable);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).process_group(0);
        command.spawn()
    }
}

/// A process of the pool.
pub(super) struct Member {
    pub(super) name: String,
    pub(super) pid: u32,
    process: Process,
    pub(super) setup: String,
    pub(super) started_at: MonotonicMs,
    /// Since when it has joined, while it is there.
    pub(super) joined_at: Option<MonotonicMs>,
    /// When it was last seen as a worker that has joined, or started.
    pub(super) seen_at: MonotonicMs,
    /// What the coordinator calls it, while it is there.
    pub(super) worker_id: Option<String>,
    /// It was told to leave.
    pub(super) leaving: bool,
    pub(super) busy: u32,
}

enum Process {
    Child(Child),
    /// Of a former process that served this folder. It lives while it is in the registry.
    Adopted,
}

/// How a process has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// By its own decision, or because it was told to.
    Left,
    /// In another way.
    Failed(String),
}

impl Member {
    pub(super) fn child(name: String, child: Child, setup: String, now: MonotonicMs) -> Self {
        let pid = child.id();
        Self::new(name, pid, Process::Child(child), setup, now)
    }

    pub(super) fn adopted(name: String, pid: u32, setup: String, now: MonotonicMs) -> Self {
        Self::new(name, pid, Process::Adopted, setup, now)
    }

    fn new(name: String, pid: u32, process: Process, setup: String, now: MonotonicMs) -> Self {
        Self {
            name,
            pid,
            process,
            setup,
            started_at: now,
            joined_at: None,
            seen_at: now,
            worker_id: None,
            leaving: false,
            busy: 0,
        }
    }

    /// How it has ended, if it has. `is_registered`: it is among those that live.
    pub(super) fn ended(&mut self, is_registered: bool) -> Option<End> {
        match &mut self.process {
            Process::Child(child) => match child.try_wait() {
                Ok(None) => None,
                Ok(Some(status)) => Some(end_of(status)),
                Err(error) => Some(End::Failed(error.to_string())),
            },
            Process::Adopted if is_registered => None,
            // Nobody is told how a process ends that is not a child.
            Process::Adopted if self.leaving => Some(End::Left),
            Process::Adopted => Some(End::Failed("it is gone".to_owned())),
        }
    }

    pub(super) fn terminate(&self) {
        signal(self.pid, Signal::TERM);
    }

    pub(super) fn kill(&self) {
        signal(self.pid, Signal::KILL);
    }

    pub(super) fn seen(&self, setup: &str) -> Seen {
        Seen {
            joined: self.joined_at.is_some(),
            leaving: self.leaving,
            outdated: self.setup != setup,
            busy: self.busy,
        }
    }

    pub(super) fn state(&self) -> MemberState {
        match (self.leaving, self.joined_at) {
            (true, _) => MemberState::Leaving,
            (false, Some(_)) => MemberState::Ready,
            (false, None) => MemberState::Starting,
        }
    }
}

fn end_of(status: ExitStatus) -> End {
    match (status.code(), status.signal()) {
        (Some(0), _) => End::Left,
        (Some(code), _) => End::Failed(format!("exit code {code}")),
        (None, Some(signal)) => End::Failed(format!("signal {signal}")),
        (None, None) => End::Failed(status.to_string()),
    }
}

/// To a process that is the pool's: a child that was not waited for, or the holder of a lock.
pub(super) fn signal(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    if let Some(pid) = pid
        && let Err(error) = kill_process(pid, signal)
    {
        // It has just ended: the next look finds out.
        tracing::debug!(%error, "a worker could not be signalled");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_program_or_argument_is_another_setup() {
        let command = |arguments: &[&str]| ChildCommand {
            arguments: arguments.iter().map(OsString::from).collect(),
        };
        let one = command(&["worker", "--slots", "2"]).setup("1:2");
        assert_eq!(one, command(&["worker", "--slots", "2"]).setup("1:2"));
        for (arguments, program) in
            [(&["worker", "--slots", "3"][..], "1:2"), (&["worker", "--slots2"][..], "1:2")]
        {
            assert_ne!(one, command(arguments).setup(program));
        }
        assert_ne!(one, command(&["worker", "--slots", "2"]).setup("1:3"));
    }

    #[test]
    fn a_process_is_waited_for_and_its_end_is_told() {
        let start = |script: &str| {
            let child = Command::new("/bin/sh").args(["-c", script]).spawn().unwrap();
            Member::child("pool-1".to_owned(), child, String::new(), MonotonicMs(0))
        };
        let end = |mut member: Member| loop {
            if let Some(end) = member.ended(false) {
                return end;
            }
            std::thread::yield_now();
        };
        assert_eq!(end(start("exit 0")), End::Left);
        assert_eq!(end(start("exit 7")), End::Failed("exit code 7".to_owned()));
        let mut endless = start("exec sleep 600");
        assert_eq!(endless.ended(false), None);
        endless.kill();
        assert_eq!(end(endless), End::Failed("signal 9".to_owned()));
    }

    #[test]
    fn a_process_that_was_found_lives_while_it_is_registered() {
        let mut adopted = Member::adopted("pool-1".to_owned(), 0, String::new(), MonotonicMs(0));
        assert_eq!(adopted.ended(true), None);
        assert_eq!(adopted.ended(false), Some(End::Failed("it is gone".to_owned())));
        adopted.leaving = true;
        assert_eq!(adopted.ended(false), Some(End::Left));
    }
}
