//! What a caller may say about how a registry is used.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How a registry is reached, and for how long.
#[derive(Clone)]
pub struct Options {
    /// Plain HTTP, and redirects to wherever the registry says. Loopback addresses are reached
    /// by plain HTTP without it.
    pub insecure: bool,
    /// To find the host and connect to it.
    pub connect_limit: Duration,
    /// Without a byte in either direction.
    pub stall_limit: Duration,
    /// For the whole.
    pub total_limit: Duration,
    /// How often what may be asked twice is asked when a connection is cut.
    pub attempts: u32,
    /// Before the second attempt; doubled for each further one.
    pub retry_pause: Duration,
    /// Who we are.
    pub login: Login,
    /// Sees how far it is, and may stop it.
    pub watch: Arc<dyn Watch>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            insecure: false,
            connect_limit: Duration::from_secs(15),
            stall_limit: Duration::from_secs(30),
            total_limit: Duration::from_secs(3_600),
            attempts: 4,
            retry_pause: Duration::from_millis(500),
            login: Login::Docker,
            watch: Arc::new(NobodyWatches),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("insecure", &self.insecure)
            .field("stall_limit", &self.stall_limit)
            .field("total_limit", &self.total_limit)
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}

/// Who we are to a registry.
#[derive(Clone)]
pub enum Login {
    /// As docker's login files say.
    Docker,
    /// Nobody.
    Anonymous,
    /// By name and password.
    Password {
        /// The name.
        user: String,
        /// The password, or what the registry takes for one.
        password: String,
    },
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Docker => "Docker",
            Self::Anonymous => "Anonymous",
            Self::Password { .. } => "Password",
        })
    }
}

/// Sees how far a transfer is. Called on the thread that transfers, but for
/// [`Watch::is_cancelled`], which another thread asks about ten times a second.
pub trait Watch: Send + Sync {
    /// So many bytes of so many have gone over.
    fn moved(&self, bytes: u64, of: u64) {
        let _ = (bytes, of);
    }

    /// Whether it is to stop. Nothing is left behind then.
    fn is_cancelled(&self) -> bool {
        false
    }
}

struct NobodyWatches;

impl Watch for NobodyWatches {}
