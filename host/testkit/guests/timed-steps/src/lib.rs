//! Steps that say when they began, or sleep.

use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wfhost_guest::{Result, export, step};

#[derive(Serialize, JsonSchema)]
struct Began {
    /// Nanoseconds since 1970, as text: a number of JSON holds fewer digits.
    at_ns: String,
}

/// Says when its first instruction ran.
#[step]
fn began(_input: ()) -> Began {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Began { at_ns: since.as_nanos().to_string() }
}

#[derive(Deserialize, JsonSchema)]
struct Nap {
    ms: u64,
}

/// Sleeps.
#[step]
fn nap(input: Nap) -> Result<()> {
    thread::sleep(Duration::from_millis(input.ms));
    Ok(())
}

export!(began, nap);
