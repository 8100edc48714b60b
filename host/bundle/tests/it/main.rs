//! Bundles from the outside: folders, files, bytes.

mod diffing;
mod folder;
mod hostile;
mod manifests;
mod on_disk;
mod packing;
mod properties;
mod signing;
