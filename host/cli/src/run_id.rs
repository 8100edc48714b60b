//! New run ids.

use std::fs::File;
use std::io::Read as _;

use wfhost_workflow::RunId;

use crate::clock;
use crate::error::{CommandError, Result};

/// Never given out before: the time, and 80 random bits.
pub(crate) fn new() -> Result<RunId> {
    Ok(RunId::new(clock::now(), u128::from_le_bytes(random()?)))
}

/// Random bytes from the system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .map_err(|error| CommandError::store(error).context("could not read /dev/urandom"))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #[test]
    fn ids_differ() {
        assert_ne!(super::new().unwrap(), super::new().unwrap());
    }
}
