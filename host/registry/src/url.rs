//! Addresses that a registry names, and which of them we go to.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use ureq::http::Uri;

use crate::reference::{Reference, is_loopback};

/// Docker's own registry goes by two names.
const DOCKER_HUB: (&str, &str) = ("docker.io", "registry-1.docker.io");

/// A scheme, a host and a port: who is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) secure: bool,
    /// Lower case; an IPv6 address in brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Origin {
    pub(crate) fn of_registry(reference: &Reference, insecure: bool) -> Self {
        let secure = !(insecure || reference.is_loopback());
        let host = reference.host();
        let host = if host == DOCKER_HUB.0 { DOCKER_HUB.1 } else { host };
        let port = reference.port().unwrap_or(if secure { 443 } else { 80 });
        Self { secure, host: host.to_owned(), port }
    }

    fn is_name(&self) -> bool {
        let bare = self.host.trim_start_matches('[').trim_end_matches(']');
        bare.parse::<Ipv4Addr>().is_err()
            && bare.parse::<Ipv6Addr>().is_err()
            && !is_loopback(&self.host)
            // Old forms of addresses that a resolver would still take: `0x7f000001`, `127.1`.
            && bare.rsplit('.').next().is_some_and(|last| !last.starts_with(|c: char| c.is_ascii_digit()))
    }

    /// Whether this registry may send us there. A stranger could name an address within our own
    /// network, which we reach and they don't.
    pub(crate) fn may_send_to(&self, to: &Self, insecure: bool) -> bool {
        let itself = self.host == to.host && self.port == to.port && (to.secure || !self.secure);
        let both_here = is_loopback(&self.host) && is_loopback(&to.host);
        insecure || itself || both_here || (to.secure && to.is_name())
    }
}

/// Where something is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Url {
    pub(crate) origin: Origin,
    path_and_query: String,
}

impl Url {
    /// At an origin; the path begins with `/` and consists of what a path may.
    pub(crate) fn at(origin: &Origin, path_and_query: String) -> Self {
        Self { origin: origin.clone(), path_and_query }
    }

    /// As a header names it: whole, or a path at the same origin.
    pub(crate) fn join(&self, text: &str) -> Option<Self> {
        if text.starts_with('/') && !text.starts_with("//") {
            let uri: Uri = text.parse().ok()?;
            return Some(Self::at(&self.origin, uri.path_and_query()?.as_str().to_owned()));
        }
        Self::parse(text)
    }

    /// A whole one of HTTP. Who it would log in as is no part that we take.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let secure = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let authority = uri.authority()?;
        if authority.as_str().contains('@') {
            return None;
        }
        let port = authority.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let origin = Origin { secure, host: authority.host().to_ascii_lowercase(), port };
        let path_and_query = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Some(Self { origin, path_and_query })
    }

    /// With one more parameter; the value is escaped.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.path_and_query.push(if self.path_and_query.contains('?') { '&' } else { '?' });
        self.path_and_query.push_str(name);
        self.path_and_query.push('=');
        self.path_and_query.push_str(&escaped(value));
        self
    }
}

/// For a query or a form.
pub(crate) fn escaped(value: &str) -> String {
    let mut text = String::new();
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, usual) = if self.secure { ("https", 443) } else { ("http", 80) };
        write!(f, "{scheme}://{}", self.host)?;
        if self.port == usual { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, self.path_and_query)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> Origin {
        Url::parse(text).unwrap_or_else(|| panic!("{text} is a URL")).origin
    }

    #[test]
    fn a_registry_sends_to_itself_and_to_names_over_https() {
        let cases = [
            ("https://r.io", "https://r.io/x", true),
            ("https://r.io", "https://cdn.example.com/x", true),
            ("https://r.io", "https://r.io:8443/x", true),
            ("https://r.io", "http://r.io/x", false),
            ("https://r.io", "http://r.io:443/x", false),
            ("https://r.io", "http://cdn.example.com/x", false),
            ("https://r.io", "https://10.0.0.1/x", false),
            ("https://r.io", "https://169.254.169.254/x", false),
            ("https://r.io", "https://[fd00::1]/x", false),
            ("https://r.io", "https://127.1/x", false),
            ("https://r.io", "https://0x7f000001/x", false),
            ("https://r.io", "https://localhost/x", false),
            ("https://10.0.0.5", "https://10.0.0.5/x", true),
            ("http://127.0.0.1:5000", "http://127.0.0.1:5000/x", true),
            ("http://127.0.0.1:5000", "http://127.0.0.1:9000/x", true),
            ("http://127.0.0.1:5000", "http://169.254.169.254/x", false),
        ];
        for (from, to, may) in cases {
            assert_eq!(origin(from).may_send_to(&origin(to), false), may, "{from} → {to}");
            assert!(origin(from).may_send_to(&origin(to), true), "{from} → {to}, insecure");
        }
    }

    #[test]
    fn a_location_is_whole_or_a_path() {
        let base = Url::parse("http://127.0.0.1:5000/v2/a").expect("a URL");
        let joined = |text: &str| base.join(text).map(|url| url.to_string());
        assert_eq!(joined("/v2/b?x=1").as_deref(), Some("http://127.0.0.1:5000/v2/b?x=1"));
        assert_eq!(joined("https://c.io/d").as_deref(), Some("https://c.io/d"));
        for text in ["//c.io/d", "ftp://c.io/d", "https://u@c.io/d", "b", "", "https://", "/a b"] {
            assert_eq!(joined(text), None, "{text}");
        }
        let with = base.clone().with("digest", "sha256:1").with("a", "b&c");
        assert_eq!(with.to_string(), "http://127.0.0.1:5000/v2/a?digest=sha256%3A1&a=b%26c");
    }

    #[test]
    fn the_registry_of_docker_has_another_host() {
        let reference: Reference = "oci://docker.io/a/b".parse().expect("a reference");
        assert_eq!(
            Origin::of_registry(&reference, false).to_string(),
            "https://registry-1.docker.io"
        );
        let here: Reference = "oci://127.0.0.1:5000/a".parse().expect("a reference");
        assert_eq!(Origin::of_registry(&here, false).to_string(), "http://127.0.0.1:5000");
        let plain: Reference = "oci://r.io/a".parse().expect("a reference");
        assert_eq!(Origin::of_registry(&plain, true).to_string(), "http://r.io");
    }
}
