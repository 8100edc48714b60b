//! What grows from outside, and how far it may.

/// Files of a bundle. 500 plugins with their manifests and workflows are 1,500; the list of
/// files is held in memory.
pub const FILES_MAX: usize = 10_000;

/// Bytes of a path: what the first field of a tar header holds, so that no second one is needed.
pub const PATH_BYTES_MAX: usize = 100;

/// Bytes of the list of files: a digest, a size and a path for each.
pub const TREE_BYTES_MAX: u64 = (FILES_MAX * (64 + 1 + 20 + 1 + PATH_BYTES_MAX + 1) + 64) as u64;

/// Bytes of one file: components have some megabytes, those with an interpreter inside tens.
pub const FILE_BYTES_MAX: u64 = 512 << 20;

/// Bytes of all files together.
pub const CONTENT_BYTES_MAX: u64 = 4 << 30;

/// Signatures of one bundle.
pub const SIGNATURES_MAX: usize = 32;

/// Bytes of the signatures: a line for each.
pub const SIGNATURES_BYTES_MAX: u64 = (SIGNATURES_MAX * 256 + 64) as u64;

/// Bytes of a manifest: it is a page, not a document.
pub const MANIFEST_BYTES_MAX: u64 = 64 << 10;

/// Bytes of a workflow file.
pub const WORKFLOW_BYTES_MAX: u64 = 16 << 20;

/// Bytes of a list of parts: thousands of them.
pub const SBOM_BYTES_MAX: u64 = 16 << 20;

/// Bytes of all manifests, workflows and lists of parts together: they are held in memory while a bundle is read.
pub const TEXTS_BYTES_MAX: u64 = 64 << 20;

/// Memory of a decompressor is two to this power, and some: what RFC 8878 recommends at most.
pub(crate) const WINDOW_LOG_MAX: u32 = 23;

/// Plugins of one bundle, and workflows, and further files.
pub(crate) const LISTED_MAX: usize = 4_000;

/// Characters of a name or a version.
pub(crate) const NAME_CHARS_MAX: usize = 64;

/// Characters of a description or a comment.
pub(crate) const TEXT_CHARS_MAX: usize = 1_000;

/// Labels of one manifest.
pub(crate) const LABELS_MAX: usize = 64;

/// Functions that a manifest lists.
pub(crate) const EXPORTS_MAX: usize = 1_000;

/// Arguments of a build command.
pub(crate) const ARGUMENTS_MAX: usize = 256;
