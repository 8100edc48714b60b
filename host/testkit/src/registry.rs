//! A real registry on this machine: Debian's `docker-registry`, in a folder of its own.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// Who is let in by [`Registry::with_password`].
pub const USER: &str = "team";

/// The password of [`USER`].
pub const PASSWORD: &str = "open-sesame";

/// Of [`USER`] and [`PASSWORD`], as `htpasswd -B` writes it.
const HTPASSWD: &str = "team:$2y$05$abcdefghijklmnopqrstuutXu9KzOt.1yBoZUeFWoT/914/JfszCO\n";

/// What the program is called, with Debian and elsewhere.
const PROGRAMS: [&str; 2] = ["docker-registry", "registry"];

/// A registry that serves until it is dropped.
pub struct Registry {
    folder: tempfile::TempDir,
    child: Child,
    address: String,
}

impl Registry {
    /// One that lets everybody in.
    #[must_use]
    pub fn start() -> Self {
        Self::with_config("")
    }

    /// One that wants a name and a password.
    #[must_use]
    pub fn with_password() -> Self {
        Self::with_config("auth: { htpasswd: { realm: test, path: FOLDER/htpasswd } }\n")
    }

    fn with_config(more: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = folder.path().display().to_string();
        let mut config = format!(
            "version: 0.1\nlog: {{ level: info, accesslog: {{ disabled: true }} }}\n\
             storage: {{ filesystem: {{ rootdirectory: {at}/storage }} }}\n\
             http: {{ addr: '127.0.0.1:0', relativeurls: false }}\n"
        );
        write!(config, "{}", more.replace("FOLDER", &at)).expect("a text grows");
        fs::write(folder.path().join("config.yml"), config).expect("a folder to write to");
        fs::write(folder.path().join("htpasswd"), HTPASSWD).expect("a folder to write to");
        let mut child = start(&folder.path().join("config.yml"));
        let mut log = BufReader::new(child.stderr.take().expect("its log is piped"));
        let address = address(&mut log);
        // A pipe that nobody reads would stop it.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Self { folder, child, address }
    }

    /// `127.0.0.1:port`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// `oci://127.0.0.1:port/NAME`.
    #[must_use]
    pub fn reference(&self, name: &str) -> String {
        format!("oci://{}/{name}", self.address)
    }

    /// A content as it lies in the registry's storage; `digest` is `sha256:…`.
    #[must_use]
    pub fn stored(&self, digest: &str) -> Vec<u8> {
        let path = self.path_of(digest);
        fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Puts other bytes in the place of a content.
    pub fn damage(&self, digest: &str, bytes: &[u8]) {
        fs::write(self.path_of(digest), bytes).expect("a content that is there");
    }

    fn path_of(&self, digest: &str) -> PathBuf {
        let hex = digest.strip_prefix("sha256:").expect("a digest");
        let blobs = self.folder.path().join("storage/docker/registry/v2/blobs/sha256");
        blobs.join(&hex[..2]).join(hex).join("data")
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn start(config: &std::path::Path) -> Child {
    let mut tried = String::new();
    for program in PROGRAMS {
        let started = Command::new(program)
            .arg("serve")
            .arg(config)
            .env("OTEL_TRACES_EXPORTER", "none")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        match started {
            Ok(child) => return child,
            Err(error) => write!(tried, "{program}: {error}; ").expect("a text grows"),
        }
    }
    panic!("no registry to test with ({tried}`cargo xtask test` installs `docker-registry`)");
}

/// From its log: the system chose the port.
fn address(log: &mut impl std::io::BufRead) -> String {
    let mut said = String::new();
    for line in log.lines() {
        let line = line.expect("a log that can be read");
        if let Some((_, rest)) = line.split_once("listening on ") {
            let is_address = |c: char| c.is_ascii_digit() || c == '.' || c == ':';
            return rest.chars().take_while(|&c| is_address(c)).collect();
        }
        said.push_str(&line);
        said.push('\n');
    }
    panic!("the registry ended:\n{said}");
}
