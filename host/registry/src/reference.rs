//! `oci://host[:port]/path/name[:tag][@sha256:…]`: where something is in a registry.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use wfhost_workflow::Digest;

use crate::bounds::{HOST_CHARS_MAX, REPOSITORY_CHARS_MAX, TAG_CHARS_MAX};

const SCHEME: &str = "oci://";

/// The tag that is meant where none is named, as everywhere else.
const TAG: &str = "latest";

/// Something in a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    host: String,
    port: Option<u16>,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// A text that is no reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// Something else.
    #[error("a reference is written oci://host/path/name:tag")]
    Scheme,
    /// The host.
    #[error("`{0}` is no host, or host:port")]
    Host(String),
    /// What follows the host.
    #[error(
        "`{0}` is no repository: lower case letters, digits, `.`, `_`, `-`, in parts between `/`"
    )]
    Repository(String),
    /// What follows `:`.
    #[error("`{0}` is no tag: at most 128 letters, digits, `_`, `.`, `-`")]
    Tag(String),
    /// What follows `@`.
    #[error("`{0}` is no digest: sha256: and 64 hexadecimal digits")]
    Digest(String),
}

impl Reference {
    /// The host and its port, as docker's login files name it.
    #[must_use]
    pub fn host_and_port(&self) -> String {
        match self.port {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.clone(),
        }
    }

    /// The host, brackets around an IPv6 address included.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, if it names one.
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        self.port
    }

    /// The path within the registry.
    #[must_use]
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The last part of the path: a safe file name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.repository.rsplit('/').next().unwrap_or(&self.repository)
    }

    /// The tag, if it names one.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// What the manifest must have, if it says.
    #[must_use]
    pub const fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// The same thing, and never another one.
    #[must_use]
    pub fn pinned(&self, manifest: Digest) -> Self {
        Self { digest: Some(manifest), ..self.clone() }
    }

    /// What names the manifest to the registry.
    pub(crate) fn manifest_name(&self) -> String {
        match (self.digest, &self.tag) {
            (Some(digest), _) => digest.to_string(),
            (None, Some(tag)) => tag.clone(),
            (None, None) => TAG.to_owned(),
        }
    }

    /// Where a manifest is put: a tag, where there is one.
    pub(crate) fn put_name(&self) -> String {
        match (&self.tag, self.digest) {
            (Some(tag), _) => tag.clone(),
            (None, Some(digest)) => digest.to_string(),
            (None, None) => TAG.to_owned(),
        }
    }

    /// Whether it is on this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }
}

/// Whether a host of a URL is this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || bare.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
        || bare.parse::<Ipv6Addr>().is_ok_and(|ip| ip.is_loopback())
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/{}", self.host_and_port(), self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let rest = text.strip_prefix(SCHEME).ok_or(ReferenceError::Scheme)?;
        let (authority, rest) = rest.split_once('/').ok_or(ReferenceError::Scheme)?;
        let (host, port) = authority_of(authority)?;
        let (rest, digest) = match rest.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest_of(digest)?)),
            None => (rest, None),
        };
        let (repository, tag) = match rest.split_once(':') {
            Some((repository, tag)) => (repository, Some(tag_of(tag)?)),
            None => (rest, None),
        };
        if !is_repository(repository) {
            return Err(ReferenceError::Repository(short(repository)));
        }
        Ok(Self { host, port, repository: repository.to_owned(), tag, digest })
    }
}

fn authority_of(text: &str) -> Result<(String, Option<u16>), ReferenceError> {
    let wrong = || ReferenceError::Host(short(text));
    let host_ends = match text.strip_prefix('[') {
        Some(rest) => rest.find(']').ok_or_else(wrong)? + 2,
        None => text.find(':').unwrap_or(text.len()),
    };
    let (host, rest) = text.split_at(host_ends);
    let port = match rest.strip_prefix(':') {
        // Only digits: `parse` alone would take a sign.
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(port.parse().map_err(|_| wrong())?)
        }
        Some(_) => return Err(wrong()),
        None if rest.is_empty() => None,
        None => return Err(wrong()),
    };
    if is_host(host) { Ok((host.to_ascii_lowercase(), port)) } else { Err(wrong()) }
}

fn is_host(text: &str) -> bool {
    if let Some(address) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok();
    }
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    text.len() <= HOST_CHARS_MAX && text.split('.').all(is_label)
}

/// As the distribution specification has it: parts of `[a-z0-9]+`, joined by `.`, `_`, `__` or
/// hyphens.
fn is_repository(text: &str) -> bool {
    let is_part = |part: &str| {
        let separators = part.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
        let known =
            |run: &str| matches!(run, "" | "." | "_" | "__") || run.bytes().all(|b| b == b'-');
        let edge =
            |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        edge(part.chars().next())
            && edge(part.chars().next_back())
            && separators.into_iter().all(known)
    };
    text.len() <= REPOSITORY_CHARS_MAX && text.split('/').all(is_part)
}

fn tag_of(text: &str) -> Result<String, ReferenceError> {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let is_tag = text.len() <= TAG_CHARS_MAX
        && text.bytes().next().is_some_and(word)
        && text.bytes().all(|byte| word(byte) || byte == b'.' || byte == b'-');
    if is_tag { Ok(text.to_owned()) } else { Err(ReferenceError::Tag(short(text))) }
}

fn digest_of(text: &str) -> Result<Digest, ReferenceError> {
    text.parse().map_err(|_| ReferenceError::Digest(short(text)))
}

fn short(text: &str) -> String {
    text.chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    #[test]
    fn what_is_written_is_what_is_read() {
        for text in [
            "oci://ghcr.io/acme/agents",
            "oci://ghcr.io/acme/agents:1.2.0",
            "oci://127.0.0.1:5000/a",
            "oci://localhost/a__b/c-d.e/f--g:v1_x.y-z",
            "oci://[::1]:5000/a/b:t",
            &format!("oci://ghcr.io/acme/agents@{DIGEST}"),
            &format!("oci://ghcr.io/acme/agents:1@{DIGEST}"),
        ] {
            let reference: Reference = text.parse().expect(text);
            assert_eq!(reference.to_string(), text);
        }
    }

    #[test]
    fn the_parts_are_found() {
        let reference: Reference =
            format!("oci://Reg.Example:5000/a/b:t@{DIGEST}").parse().expect("a reference");
        assert_eq!(reference.host_and_port(), "reg.example:5000");
        assert_eq!((reference.repository(), reference.name()), ("a/b", "b"));
        assert_eq!((reference.tag(), reference.manifest_name().as_str()), (Some("t"), DIGEST));
        assert_eq!(reference.put_name(), "t");
        let plain: Reference = "oci://h/a".parse().expect("a reference");
        assert_eq!(plain.manifest_name(), "latest");
        let pinned = plain.pinned(DIGEST.parse().expect("a digest"));
        assert_eq!(pinned.to_string(), format!("oci://h/a@{DIGEST}"));
    }

    #[test]
    fn what_is_no_reference_is_refused() {
        for text in [
            "",
            "ghcr.io/acme/agents",
            "https://ghcr.io/acme/agents",
            "oci://ghcr.io",
            "oci:///a",
            "oci://ghcr.io/",
            "oci://ghcr.io/A",
            "oci://ghcr.io/a//b",
            "oci://ghcr.io/a/../b",
            "oci://ghcr.io/a___b",
            "oci://ghcr.io/a-/b",
            "oci://ghcr.io/a?x=1",
            "oci://ghcr.io/a#b",
            "oci://ghcr.io/a b",
            "oci://ghcr.io/a:",
            "oci://ghcr.io/a:-x",
            "oci://ghcr.io/a:x:y",
            "oci://ghcr.io/a:x/y",
            "oci://ghcr.io/a@sha256:12",
            "oci://ghcr.io/a@md5:1",
            "oci://user@ghcr.io/a",
            "oci://user:pw@ghcr.io/a",
            "oci://ghcr.io:x/a",
            "oci://ghcr.io:+80/a",
            "oci://ghcr.io:99999/a",
            "oci://[::1/a",
            "oci://[::g]/a",
            "oci://-x.io/a",
            "oci://x..io/a",
        ] {
            assert!(text.parse::<Reference>().is_err(), "{text}");
        }
    }

    #[test]
    fn this_machine_is_known_by_its_addresses() {
        for (host, is) in [
            ("127.0.0.1", true),
            ("127.9.9.9", true),
            ("[::1]", true),
            ("localhost", true),
            ("127.0.0.1.example.com", false),
            ("localhost.example.com", false),
            ("10.0.0.1", false),
            ("[::2]", false),
        ] {
            assert_eq!(is_loopback(host), is, "{host}");
        }
    }
}
