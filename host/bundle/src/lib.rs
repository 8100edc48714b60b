//! Bundles: what a team deploys. One file with plugins, workflows and their manifests, by
//! content, signed by whoever answers for it.
//!
//! Values in, values out, but for reading and writing the files that a caller names. Never runs
//! anything from a bundle, never opens a component: what a component offers is told by the host.
//! Invariant: whatever is read from a bundle has been held against the bundle's digest.
//! `docs/bundle-format.md` says what the bytes are.

pub mod bounds;
pub mod catalogue;
mod contents;
pub mod diff;
mod file;
pub mod grants;
mod hex;
mod keys;
mod layout;
pub mod manifest;
pub mod on_disk;
mod pack;
mod path;
mod payload;
pub mod policy;
mod sbom;
mod signature;
mod stored;
mod toml_text;
mod tree;
pub mod trust;
mod unpack;

pub use contents::{Bundle, BundledPlugin, BundledWorkflow, ContentError};
pub use file::{BundleFile, FORMAT_VERSION, FormatError, write};
pub use keys::{KeyError, KeyId, NotAKeyId, SigningKey};
pub use layout::{Layout, PluginLayout};
pub use pack::{PackError, pack, plan, write as write_planned};
pub use path::{BundlePath, PathClash, PathError};
pub use payload::{PayloadError, Take};
pub use sbom::{Sbom, SbomError, SbomFormat};
pub use signature::{SignatureError, Signatures};
pub use stored::{StoredError, signatures_of, tree_of};
pub use tree::{Tree, TreeEntry, TreeError};
pub use unpack::{UnpackError, unpack};
