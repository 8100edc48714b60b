//! Bundles from the outside: folders, files, bytes.

#![expect(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

mod diffing;
mod folder;
mod hostile;
mod manifests;
mod on_disk;
mod packing;
mod properties;
mod signing;
