//! Why something was not fetched or sent, by what one does next.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use wfhost_bundle::ContentError;
use wfhost_workflow::Digest;

use crate::docker_login::LoginError;

/// What a reference stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A bundle of ours.
    Bundle,
    /// A component in the form that `wkg` reads.
    Component,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Bundle => "a bundle",
            Self::Component => "a component",
        })
    }
}

/// Why a registry was of no use. No file was changed.
///
/// What a registry says itself is in some of them, unchecked: whoever shows it makes it safe.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The registry wants to know who we are, or does not believe it.
    #[error("{host} does not let us in{}", said(message))]
    Unauthorized {
        /// The registry, as docker names it.
        host: String,
        /// Whether it was told a name.
        had_login: bool,
        /// Its words.
        message: String,
    },
    /// It knows who we are, and that is not enough.
    #[error("{host} does not allow it{}", said(message))]
    Denied {
        /// The registry.
        host: String,
        /// Its words.
        message: String,
    },
    /// There is no such thing there.
    #[error("{what} is not there{}", said(message))]
    NotFound {
        /// What was asked for.
        what: String,
        /// The registry's words.
        message: String,
    },
    /// What came is not what was asked for.
    #[error("{what} has the digest {found}, and {wanted} was asked for")]
    Digest {
        /// What came.
        what: &'static str,
        /// What it must be.
        wanted: Digest,
        /// What it is.
        found: Digest,
    },
    /// What came is longer or shorter than the manifest says.
    #[error("the file has {found} bytes, and its manifest says {declared}")]
    Size {
        /// As the manifest says.
        declared: u64,
        /// How many came, or at least so many, or so many were announced.
        found: u64,
    },
    /// More than is ever taken.
    #[error("{what} has over {bytes_max} bytes")]
    TooLarge {
        /// What it is.
        what: &'static str,
        /// The bound.
        bytes_max: u64,
    },
    /// It is something else.
    #[error("it is {found}, and not {wanted}")]
    WrongKind {
        /// What was asked for.
        wanted: Kind,
        /// What it is.
        found: String,
        /// What it is, if that is one of the two.
        known: Option<Kind>,
    },
    /// A manifest, or something else that a registry says, that makes no sense.
    #[error("{host} gives an answer that makes no sense: {what}")]
    Nonsense {
        /// The registry.
        host: String,
        /// What is wrong with it.
        what: String,
    },
    /// An answer that says that it cannot be done now.
    #[error("{host} answers {status}{}", said(message))]
    Status {
        /// The registry.
        host: String,
        /// The status of HTTP.
        status: u16,
        /// Its words.
        message: String,
    },
    /// The registry sends us to where it may not.
    #[error("{host} sends to {to}, which is neither its own address nor a name over https")]
    Redirect {
        /// The registry.
        host: String,
        /// Where to.
        to: String,
    },
    /// Nothing moved.
    #[error("{host} has sent and taken nothing for {} s", .limit.as_secs_f64())]
    Stalled {
        /// Who.
        host: String,
        /// For how long.
        limit: Duration,
    },
    /// It took too long as a whole.
    #[error("it is not done after {} s", .limit.as_secs_f64())]
    TookTooLong {
        /// The limit.
        limit: Duration,
    },
    /// Somebody stopped it.
    #[error("it was stopped")]
    Cancelled,
    /// The connection ended too early, and again each time that it was tried.
    #[error("the connection to {host} was cut")]
    Cut {
        /// Whose.
        host: String,
        /// How.
        source: io::Error,
    },
    /// There is no connection.
    #[error("{host} cannot be reached")]
    Unreachable {
        /// Who.
        host: String,
        /// Why not.
        source: ureq::Error,
    },
    /// It cannot prove that it is who it should be, or speaks no TLS.
    #[error("there is no safe connection to {host}")]
    Tls {
        /// Who.
        host: String,
        /// Why not.
        source: ureq::Error,
    },
    /// The logins of this machine.
    #[error(transparent)]
    Login(#[from] LoginError),
    /// What came, or is to be sent, is no bundle.
    #[error("it is no bundle that can be used")]
    Bundle(#[source] ContentError),
    /// The file is none.
    #[error("{} is no component: it does not begin like one", path.display())]
    NoComponent {
        /// Which file, or where it would have been.
        path: PathBuf,
    },
    /// A file here.
    #[error("cannot {doing} {}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

fn said(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

impl Error {
    /// What a person may do next.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unauthorized { host, had_login: false, .. } => {
                format!("run: docker login {host}")
            }
            Self::Unauthorized { host, had_login: true, .. } => {
                format!("the login that is kept is not accepted; run: docker login {host}")
            }
            Self::Denied { .. } => {
                "ask whoever runs the registry for the right to this repository".to_owned()
            }
            Self::WrongKind { known: Some(Kind::Component), .. } => {
                "plain components are fetched with `wfhost plugin pull`".to_owned()
            }
            Self::WrongKind { known: Some(Kind::Bundle), .. } => {
                "bundles are fetched with `wfhost bundle pull`".to_owned()
            }
            Self::Digest { what: "the manifest", .. } => {
                "the reference names a digest: somebody changed what is there, or the registry lies"
                    .to_owned()
            }
            Self::Digest { .. } | Self::Size { .. } => {
                "the registry's storage is damaged, or it lies; nothing was kept".to_owned()
            }
            Self::Stalled { .. } => {
                "try again, or give it more time with --stall-timeout".to_owned()
            }
            Self::Tls { host, .. } => format!(
                "if {host} has no certificate and you trust the network: --insecure-registry"
            ),
            Self::Redirect { .. } => {
                "if you trust the registry and the network: --insecure-registry".to_owned()
            }
            Self::NotFound { .. }
            | Self::TooLarge { .. }
            | Self::WrongKind { .. }
            | Self::Nonsense { .. }
            | Self::Status { .. }
            | Self::TookTooLong { .. }
            | Self::Cancelled
            | Self::Cut { .. }
            | Self::Unreachable { .. }
            | Self::Login(_)
            | Self::Bundle(_)
            | Self::NoComponent { .. }
            | Self::Io { .. } => return None,
        })
    }
}
