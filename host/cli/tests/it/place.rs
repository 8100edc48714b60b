//! A folder for one test, and the command run in it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

/// A home of its own, with the data folder in it.
pub(crate) struct Place {
    folder: tempfile::TempDir,
}

/// What a command left.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// A workflow file `name`, whose plugin `guest` is called `p`.
    pub(crate) fn workflow(&self, name: &str, guest: &str, rest: &str) -> String {
        let text = format!(
            "workflow: {}\nplugins:\n  p: {}\n{rest}",
            name.trim_end_matches(".yaml"),
            guest_path(guest).display()
        );
        self.write(name, &text).display().to_string()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.command_of(Path::new(env!("CARGO_BIN_EXE_wfhost")), arguments)
    }

    fn command_of(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.folder.path())
            .env("TZ", "UTC")
            .env("WFHOST_DATA", self.path("data"))
            .env("WFHOST_CACHE", self.path("cache"))
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn wfhost(&self, arguments: &[&str]) -> Outcome {
        Outcome::from(self.command(arguments).output().unwrap())
    }

    /// The same with a text on standard input.
    pub(crate) fn wfhost_reading(&self, arguments: &[&str], input: &str) -> Outcome {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The guard drops the pipe, which ends the input.
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        Outcome::from(child.wait_with_output().unwrap())
    }

    /// Starts a command that goes on beside the test.
    pub(crate) fn start(&self, arguments: &[&str]) -> Started {
        self.start_program(Path::new(env!("CARGO_BIN_EXE_wfhost")), arguments)
    }

    /// The same of another file.
    pub(crate) fn start_program(&self, program: &Path, arguments: &[&str]) -> Started {
        let mut command = self.command_of(program, arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Started { child: Some(child), stderr, said: String::new() }
    }

    /// The newest run, as `runs show --output json` tells it.
    pub(crate) fn newest(&self) -> Value {
        self.wfhost(&["runs", "show", "latest", "--output", "json"]).ok().json()
    }
}

impl Outcome {
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        self.exits(0)
    }

    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "`{text}` is missing in\n{}", self.stderr);
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }

    /// Of a stream: an object a line.
    #[track_caller]
    pub(crate) fn json_lines(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl From<Output> for Outcome {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// A command that goes on; killed where the test ends first.
pub(crate) struct Started {
    child: Option<Child>,
    stderr: BufReader<std::process::ChildStderr>,
    said: String,
}

impl Started {
    /// Waits for a line on standard error that has this text, and gives it.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        loop {
            let mut line = String::new();
            let read = self.stderr.read_line(&mut line).unwrap();
            assert!(read > 0, "it ended without saying `{text}`:\n{}", self.said);
            self.said.push_str(&line);
            if line.contains(text) {
                return line;
            }
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = i32::try_from(self.pid()).unwrap();
        rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), signal)
            .unwrap();
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Outcome {
        let child = self.child.take().unwrap();
        std::io::Read::read_to_string(&mut self.stderr, &mut self.said).unwrap();
        let mut outcome = Outcome::from(child.wait_with_output().unwrap());
        outcome.stderr = std::mem::take(&mut self.said);
        outcome
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _ignored = child.kill();
            let _ignored = child.wait();
        }
    }
}

/// A guest that `cargo xtask guests` builds.
pub(crate) fn guest_path(name: &str) -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let path = workspace.join("target/guests").join(format!("{name}.wasm"));
    assert!(path.is_file(), "guest `{name}` is not built: run `cargo xtask guests`");
    path
}
