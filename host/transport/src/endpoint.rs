//! Where a link listens or connects to.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// An address of workers or of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// Within the process: a name within its [`crate::Hub`].
    Inproc(String),
    /// A socket file on this machine, at most 100 bytes of UTF-8, in a folder that only its owner
    /// can enter.
    Ipc(PathBuf),
    /// Over the network: a host's name or address, or `*`, and a port (0: any that is free).
    Tcp(String),
}

/// A text that is no address on the network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no address: it is {wanted}")]
pub struct NotAnAddress {
    text: String,
    wanted: &'static str,
}

impl FromStr for Endpoint {
    type Err = NotAnAddress;

    /// `tcp://HOST:PORT`; `tcp://` may be left out. `ipc://PATH` is a socket file.
    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        let wrong = |wanted| NotAnAddress { text: text.to_owned(), wanted };
        if let Some(path) = text.strip_prefix("ipc://") {
            let fits = !path.is_empty() && path.len() <= IPC_PATH_BYTES_MAX;
            return if fits { Ok(Self::ipc(path)) } else { Err(wrong("ipc:// and a short path")) };
        }
        let rest = text.strip_prefix("tcp://").unwrap_or(text);
        let Some((host, port)) = rest.rsplit_once(':') else {
            return Err(wrong("tcp://HOST:PORT, such as tcp://0.0.0.0:7411"));
        };
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let fits = |c: char| c.is_ascii_alphanumeric() || "-._:*%".contains(c);
        if bare.is_empty() || bare.len() > HOST_BYTES_MAX || !bare.chars().all(fits) {
            return Err(wrong("tcp://HOST:PORT with a host's name or address"));
        }
        if bare.contains(':') && bare.len() == host.len() {
            return Err(wrong("tcp://[ADDRESS]:PORT for an address of IPv6"));
        }
        match port.parse::<u16>() {
            Ok(port) => Ok(Self::Tcp(format!("{host}:{port}"))),
            Err(_) => Err(wrong("tcp://HOST:PORT with a port from 0 to 65535")),
        }
    }
}

/// Leaves room below the system's 107 for what libzmq may add.
const IPC_PATH_BYTES_MAX: usize = 100;

/// Of a name in the domain name system.
const HOST_BYTES_MAX: usize = 255;

impl Endpoint {
    /// An address within the process.
    #[must_use]
    pub fn inproc(name: impl Into<String>) -> Self {
        Self::Inproc(name.into())
    }

    /// A socket file.
    #[must_use]
    pub fn ipc(path: impl Into<PathBuf>) -> Self {
        Self::Ipc(path.into())
    }

    /// Whether only programs of this machine can reach it.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self {
            Self::Inproc(_) | Self::Ipc(_) => true,
            Self::Tcp(address) => {
                let host = address.rsplit_once(':').map_or(address.as_str(), |(host, _)| host);
                let host = host.trim_start_matches('[').trim_end_matches(']');
                host == "localhost"
                    || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
            }
        }
    }

    /// Whether both ends are in one process, so that neither can lose its connection.
    #[must_use]
    pub const fn is_inproc(&self) -> bool {
        matches!(self, Self::Inproc(_))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inproc(name) => write!(f, "inproc://{name}"),
            Self::Ipc(path) => write!(f, "ipc://{}", path.display()),
            Self::Tcp(address) => write!(f, "tcp://{address}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written() {
        let check = |text: &str, written: &str| {
            assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), written);
        };
        check("tcp://0.0.0.0:7411", "tcp://0.0.0.0:7411");
        check("coordinator:7411", "tcp://coordinator:7411");
        check("tcp://[::1]:0", "tcp://[::1]:0");
        check("ipc:///run/w.sock", "ipc:///run/w.sock");
        for wrong in ["", "tcp://", "host", "host:", "host:70000", "::1:7411", "a b:1", "ipc://"] {
            assert!(wrong.parse::<Endpoint>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_this_machine_reaches_the_loopback() {
        let is = |text: &str| text.parse::<Endpoint>().unwrap().is_loopback();
        assert!(is("127.0.0.1:1") && is("[::1]:1") && is("localhost:1") && is("ipc:///x"));
        assert!(!is("0.0.0.0:1") && !is("*:1") && !is("10.0.0.1:1") && !is("example.com:1"));
    }
}
