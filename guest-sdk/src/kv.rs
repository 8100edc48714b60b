//! The run's key-value store, with typed values.
//!
//! A value is kept as JSON. Writes are buffered in the attempt and committed with its result: an
//! attempt that fails writes nothing. Reads see the run as it was when the attempt began, and the
//! attempt's own writes. Of steps that run at the same time and write one key, the later commit
//! wins. Keys, values and the whole store are bounded; a write over a bound fails, permanently,
//! as `kv-too-large`.
//!
//! ```
//! use wfhost_guest::{kv, testing};
//!
//! # fn main() -> wfhost_guest::Result<()> {
//! let host = testing::Host::fresh();
//! let seen: Vec<String> = kv::get("seen")?.unwrap_or_default();
//! kv::set("seen", &["a.md", "b.md"])?;
//! assert_eq!(kv::get::<Vec<String>>("seen")?.unwrap().len(), seen.len() + 2);
//! # Ok(())
//! # }
//! ```

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{OrFail, Result, host};

/// The value of `key`, or nothing where it has none.
///
/// # Errors
/// Permanent, `kv-type`, if the value does not have the type `T`.
pub fn get<T: DeserializeOwned>(key: &str) -> Result<Option<T>> {
    host::kv_get(key)
        .map(|bytes| serde_json::from_slice(&bytes).or_permanent("kv-type"))
        .transpose()
}

/// Gives `key` a value.
///
/// # Errors
/// Permanent: `kv-type` if serde cannot write the value as JSON, `kv-too-large` over a bound.
pub fn set<T: Serialize + ?Sized>(key: &str, value: &T) -> Result<()> {
    host::kv_set(key, &serde_json::to_vec(value).or_permanent("kv-type")?)
}

/// The bytes under `key`, for values that are not JSON.
#[must_use]
pub fn get_bytes(key: &str) -> Option<Vec<u8>> {
    host::kv_get(key)
}

/// Puts bytes under `key`, for values that are not JSON.
///
/// # Errors
/// Permanent, `kv-too-large`, over a bound.
pub fn set_bytes(key: &str, value: &[u8]) -> Result<()> {
    host::kv_set(key, value)
}

/// Takes `key` away; it is no error if it has no value.
///
/// # Errors
/// Permanent, `kv-too-large`, if the key is over its bound.
pub fn delete(key: &str) -> Result<()> {
    host::kv_delete(key)
}

/// The keys that begin with `prefix`, in order.
#[must_use]
pub fn keys(prefix: &str) -> Vec<String> {
    host::kv_keys(prefix)
}
