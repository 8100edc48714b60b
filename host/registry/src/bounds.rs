//! What comes from a registry, and how far it may grow.

use std::time::Duration;

use wfhost_bundle::bounds::{CONTENT_BYTES_MAX, FILE_BYTES_MAX, FILES_MAX, TREE_BYTES_MAX};

/// Bytes of a manifest: the least that every registry must take, says the specification.
pub const MANIFEST_BYTES_MAX: u64 = 4 << 20;

/// Bytes of a component, as in a bundle.
pub const COMPONENT_BYTES_MAX: u64 = FILE_BYTES_MAX;

/// Bytes of a bundle's file: its list, its contents each with a header, and its signatures. Zstd
/// makes what cannot be compressed larger by less than a hundredth.
pub const BUNDLE_BYTES_MAX: u64 = TREE_BYTES_MAX
    + (CONTENT_BYTES_MAX + FILES_MAX as u64 * 1_024) / 100 * 101
    + wfhost_bundle::bounds::SIGNATURES_BYTES_MAX;

/// Bytes that are read of an answer that says why not, and of a token.
pub(crate) const ANSWER_BYTES_MAX: u64 = 64 << 10;

/// Characters that are shown of what a registry says.
pub(crate) const SAID_CHARS_MAX: usize = 300;

/// Redirects of one request: a registry sends to its storage, and that perhaps to a mirror.
pub(crate) const REDIRECTS_MAX: usize = 5;

/// Bytes of a login file.
pub(crate) const LOGIN_BYTES_MAX: u64 = 1 << 20;

/// How long a program that keeps logins may take: it may ask a person to unlock a store.
pub(crate) const HELPER_TIME_MAX: Duration = Duration::from_secs(60);

/// How long a registry may ask to be left alone before the next try.
pub(crate) const RETRY_AFTER_MAX: Duration = Duration::from_secs(20);

/// Characters of a repository's name.
pub(crate) const REPOSITORY_CHARS_MAX: usize = 255;

/// Characters of a tag.
pub(crate) const TAG_CHARS_MAX: usize = 128;

/// Characters of a host's name.
pub(crate) const HOST_CHARS_MAX: usize = 253;
