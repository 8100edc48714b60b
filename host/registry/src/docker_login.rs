//! The logins that `docker login` keeps: in its file, or with a program that it names there.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use data_encoding::BASE64;
use serde::Deserialize;

use crate::bounds::{HELPER_TIME_MAX, LOGIN_BYTES_MAX};

/// Docker's own registry, as its logins name it.
const DOCKER_HUB: (&str, &str) = ("docker.io", "index.docker.io");

/// The name under which a helper keeps a token instead of a password.
const TOKEN_USER: &str = "<token>";

/// Logins that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The file.
    #[error("cannot read the logins in {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// What is in it.
    #[error("{} is no login file of docker's: {what}", path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// What is wrong with it, without what is secret.
        what: String,
    },
    /// The program that keeps logins.
    #[error("docker-credential-{name}, which keeps the logins, {what}")]
    Helper {
        /// As the file names it.
        name: String,
        /// What happened.
        what: String,
    },
}

/// Who we are to one registry.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Credentials {
    Password {
        user: String,
        password: String,
    },
    /// Exchanged for an access token.
    IdentityToken(String),
}

/// Where logins may be.
pub(crate) struct Places {
    /// The files, the first that is there counts.
    files: Vec<PathBuf>,
    /// Where programs are, if not where the system has them.
    path: Option<OsString>,
}

impl Places {
    pub(crate) fn of_environment() -> Self {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        // Who names a file means that one.
        let files = if let Some(file) = set("REGISTRY_AUTH_FILE") {
            vec![PathBuf::from(file)]
        } else if let Some(folder) = set("DOCKER_CONFIG") {
            vec![PathBuf::from(folder).join("config.json")]
        } else {
            let home = set("HOME").map(|home| PathBuf::from(home).join(".docker/config.json"));
            let podman = set("XDG_RUNTIME_DIR")
                .map(|folder| PathBuf::from(folder).join("containers/auth.json"));
            home.into_iter().chain(podman).collect()
        };
        Self { files, path: None }
    }

    /// The login for a registry, `host` or `host:port`; none is no error.
    pub(crate) fn find(&self, registry: &str) -> Result<Option<Credentials>, LoginError> {
        for path in &self.files {
            if let Some(file) = LoginFile::read(path)? {
                let found = file.find(registry, path, self.path.as_ref())?;
                if found.is_some() {
                    return Ok(found);
                }
            }
        }
        Ok(None)
    }
}

/// What we read of the file; it holds much else.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct LoginFile {
    auths: BTreeMap<String, Entry>,
    cred_helpers: BTreeMap<String, String>,
    creds_store: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
}

impl LoginFile {
    fn read(path: &Path) -> Result<Option<Self>, LoginError> {
        let failed = |source| LoginError::File { path: path.to_owned(), source };
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let mut text = Vec::new();
        file.take(LOGIN_BYTES_MAX + 1).read_to_end(&mut text).map_err(failed)?;
        if text.len() as u64 > LOGIN_BYTES_MAX {
            return Err(content(path, "it is too large"));
        }
        // Serde quotes what it does not expect, which may be a secret: only the place is told.
        serde_json::from_slice(&text).map(Some).map_err(|error| {
            content(path, &format!("line {}, column {}", error.line(), error.column()))
        })
    }

    fn find(
        &self,
        registry: &str,
        path: &Path,
        programs: Option<&OsString>,
    ) -> Result<Option<Credentials>, LoginError> {
        let names = names_of(registry);
        let helper = names.iter().find_map(|name| self.cred_helpers.get(name));
        if let Some(helper) = helper {
            return ask(helper, &names[0], programs);
        }
        if let Some(store) = self.creds_store.as_ref().filter(|store| !store.is_empty()) {
            for name in &names {
                let found = ask(store, name, programs)?;
                if found.is_some() {
                    return Ok(found);
                }
            }
        }
        let entry = self.auths.iter().find(|(key, _)| names.iter().any(|name| is_of(key, name)));
        entry.map_or(Ok(None), |(_, entry)| entry.credentials(path))
    }
}

impl Entry {
    fn credentials(&self, path: &Path) -> Result<Option<Credentials>, LoginError> {
        let filled = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        if let Some(token) = filled(&self.identitytoken) {
            return Ok(Some(Credentials::IdentityToken(token)));
        }
        if let (Some(user), Some(password)) = (filled(&self.username), filled(&self.password)) {
            return Ok(Some(Credentials::Password { user, password }));
        }
        let Some(auth) = filled(&self.auth) else { return Ok(None) };
        let decoded = BASE64.decode(auth.as_bytes()).ok().and_then(|b| String::from_utf8(b).ok());
        let (user, password) = decoded
            .as_deref()
            .and_then(|pair| pair.split_once(':'))
            .ok_or_else(|| content(path, "an `auth` in it is no name and password in base64"))?;
        // Docker pads with zero bytes in places.
        let password = password.trim_end_matches('\0');
        Ok(Some(Credentials::Password { user: user.to_owned(), password: password.to_owned() }))
    }
}

/// What a registry goes by in the file.
fn names_of(registry: &str) -> Vec<String> {
    if registry == DOCKER_HUB.0 {
        return vec![
            format!("https://{}/v1/", DOCKER_HUB.1),
            DOCKER_HUB.1.to_owned(),
            registry.to_owned(),
        ];
    }
    vec![registry.to_owned()]
}

/// Keys are hosts, in old files whole addresses.
fn is_of(key: &str, name: &str) -> bool {
    let bare = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    key == name || bare.split('/').next() == Some(name) && (bare == name || bare != key)
}

fn content(path: &Path, what: &str) -> LoginError {
    LoginError::Content { path: path.to_owned(), what: what.to_owned() }
}

/// What a helper answers.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    #[serde(default)]
    username: String,
    secret: String,
}

/// Asks the program that keeps logins.
fn ask(
    name: &str,
    registry: &str,
    programs: Option<&OsString>,
) -> Result<Option<Credentials>, LoginError> {
    let failed = |what: String| LoginError::Helper { name: name.to_owned(), what };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_plain) {
        return Err(LoginError::Helper {
            name: String::new(),
            what: "has a name that no program has".to_owned(),
        });
    }
    let mut command = Command::new(format!("docker-credential-{name}"));
    command.arg("get").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    if let Some(programs) = programs {
        command.env("PATH", programs);
    }
    let mut child = command.spawn().map_err(|error| failed(format!("does not start: {error}")))?;
    let said = converse(&mut child, registry);
    let Some(said) = said else {
        // It may have ended by itself; both are waited for.
        drop(child.kill());
        drop(child.wait());
        return Err(failed("does not answer".to_owned()));
    };
    let status = child.wait().map_err(|error| failed(format!("is lost: {error}")))?;
    if !status.success() {
        let text = String::from_utf8_lossy(&said);
        // The protocol has no other sign for it.
        if text.contains("credentials not found") {
            return Ok(None);
        }
        return Err(failed(format!("ended with {status}")));
    }
    let answer: Answer = serde_json::from_slice(&said)
        .map_err(|_| failed("answers with something that is no login".to_owned()))?;
    Ok(match answer {
        Answer { secret, .. } if secret.is_empty() => None,
        Answer { username, secret } if username == TOKEN_USER => {
            Some(Credentials::IdentityToken(secret))
        }
        Answer { username, secret } => {
            Some(Credentials::Password { user: username, password: secret })
        }
    })
}

/// What it says before its time is over.
fn converse(child: &mut Child, registry: &str) -> Option<Vec<u8>> {
    let mut input = child.stdin.take()?;
    let output = child.stdout.take()?;
    // One that ends without reading has its say on standard output.
    drop(input.write_all(registry.as_bytes()));
    drop(input);
    let (tell, told) = mpsc::channel();
    std::thread::Builder::new()
        .name("registry-login".to_owned())
        .spawn(move || {
            let mut said = Vec::new();
            let read = output.take(LOGIN_BYTES_MAX).read_to_end(&mut said);
            // Nobody waits any more if it took too long.
            drop(tell.send(read.map(|_| said)));
        })
        .ok()?;
    told.recv_timeout(HELPER_TIME_MAX).ok()?.ok()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    struct Home(tempfile::TempDir);

    impl Home {
        fn with(text: &str) -> Self {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join("config.json"), text).unwrap();
            Self(folder)
        }

        fn helper(self, name: &str, script: &str) -> Self {
            let program = self.0.path().join(format!("docker-credential-{name}"));
            fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
            self
        }

        fn find(&self, registry: &str) -> Result<Option<Credentials>, LoginError> {
            let own = self.0.path().as_os_str().to_owned();
            let mut path = own;
            path.push(":/usr/bin:/bin");
            let files = vec![self.0.path().join("config.json")];
            Places { files, path: Some(path) }.find(registry)
        }

        fn finds(&self, registry: &str) -> Option<(String, String)> {
            match self.find(registry).unwrap_or_else(|error| panic!("{registry}: {error}")) {
                Some(Credentials::Password { user, password }) => Some((user, password)),
                Some(Credentials::IdentityToken(token)) => Some(("<token>".into(), token)),
                None => None,
            }
        }
    }

    fn pair(user: &str, password: &str) -> Option<(String, String)> {
        Some((user.to_owned(), password.to_owned()))
    }

    #[test]
    fn a_login_in_the_file_is_found_by_its_host() {
        let home = Home::with(
            r#"{"auths": {
                "r.io:5000": {"auth": "dTpwOnc="},
                "https://old.io/v2/": {"auth": "bzpw"},
                "two.io": {"username": "t", "password": "w"},
                "tok.io": {"auth": "dTpwOnc=", "identitytoken": "x"},
                "none.io": {},
                "https://index.docker.io/v1/": {"auth": "aDpw"}
            }, "HttpHeaders": {"a": "b"}, "detachKeys": "x"}"#,
        );
        assert_eq!(home.finds("r.io:5000"), pair("u", "p:w"));
        assert_eq!(home.finds("r.io"), None);
        assert_eq!(home.finds("r.io:5001"), None);
        assert_eq!(home.finds("old.io"), pair("o", "p"));
        assert_eq!(home.finds("two.io"), pair("t", "w"));
        assert_eq!(home.finds("tok.io"), pair("<token>", "x"));
        assert_eq!(home.finds("none.io"), None);
        assert_eq!(home.finds("docker.io"), pair("h", "p"));
    }

    #[test]
    fn no_file_is_no_login() {
        let places = Places { files: vec!["/nowhere/config.json".into()], path: None };
        assert!(places.find("r.io").unwrap().is_none());
    }

    #[test]
    fn a_program_that_keeps_logins_is_asked() {
        let home = Home::with(r#"{"credHelpers": {"r.io": "one"}, "credsStore": "all"}"#)
            .helper("one", r#"read host; echo "{\"Username\":\"$host\",\"Secret\":\"$1\"}""#)
            .helper(
                "all",
                r#"read host; case $host in
                    tok.io) echo '{"Username":"<token>","Secret":"t"}';;
                    bad.io) echo 'what?';;
                    end.io) exit 3;;
                    *) echo 'credentials not found in native keychain'; exit 1;;
                esac"#,
            );
        assert_eq!(home.finds("r.io"), pair("r.io", "get"));
        assert_eq!(home.finds("tok.io"), pair("<token>", "t"));
        assert_eq!(home.finds("x.io"), None);
        assert!(matches!(home.find("bad.io"), Err(LoginError::Helper { .. })));
        assert!(matches!(home.find("end.io"), Err(LoginError::Helper { .. })));
    }

    #[test]
    fn a_login_file_that_is_none_is_an_error_that_tells_no_secret() {
        for text in ["", "[", r#"{"auths": 1}"#, r#"{"auths": {"r.io": "s3cret"}}"#] {
            let error = Home::with(text).find("r.io").err().expect(text).to_string();
            assert!(!error.contains("s3cret"), "{error}");
        }
        let error = Home::with(r#"{"auths": {"r.io": {"auth": "%%s3cret"}}}"#).find("r.io");
        let error = error.err().unwrap().to_string();
        assert!(error.contains("base64") && !error.contains("s3cret"), "{error}");
        let error = Home::with(r#"{"credsStore": "../x"}"#).find("r.io");
        assert!(matches!(error, Err(LoginError::Helper { .. })));
    }
}
