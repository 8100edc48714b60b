//! A bundle whose parts are kept by their digests: its list of files under the bundle's own.

use wfhost_workflow::Digest;

use crate::bounds::{SIGNATURES_BYTES_MAX, TEXTS_BYTES_MAX, TREE_BYTES_MAX};
use crate::contents::{Bundle, ContentError, Texts, text_bytes_max};
use crate::file::FormatError;
use crate::signature::Signatures;
use crate::tree::{Tree, TreeError};

/// A bundle that cannot be put together.
#[derive(Debug, thiserror::Error)]
pub enum StoredError<E> {
    /// A part cannot be had.
    #[error(transparent)]
    Get(E),
    /// What is under the bundle's digest is no list of files.
    #[error("{0} is no list of files")]
    NoTree(Digest),
    /// What is under the digest of its signatures is none of this bundle's.
    #[error("{0} holds no signatures")]
    NoSignatures(Digest),
    /// Its parts do not go together.
    #[error(transparent)]
    Content(#[from] ContentError),
}

impl Bundle {
    /// Puts a bundle together from contents: `get` gives the one with a digest (verified), or
    /// fails where it has more bytes than it is told. Components are not asked for.
    ///
    /// # Errors
    /// Those of `get`, and what is wrong with the bundle; signatures of another bundle are.
    pub fn from_contents<E>(
        digest: Digest,
        signatures: Digest,
        mut get: impl FnMut(Digest, u64) -> Result<Vec<u8>, E>,
    ) -> Result<Self, StoredError<E>> {
        let tree = tree_of(digest, &mut get)?;
        let signatures = signatures_of(digest, signatures, &mut get)?;
        let (mut texts, mut bytes) = (Texts::new(), 0);
        for entry in tree.entries() {
            if text_bytes_max(&entry.path).is_none_or(|bytes_max| entry.size > bytes_max) {
                continue;
            }
            bytes += entry.size;
            if bytes > TEXTS_BYTES_MAX {
                return Err(ContentError::Texts.into());
            }
            let content = get(entry.digest, entry.size).map_err(StoredError::Get)?;
            if let Ok(text) = String::from_utf8(content) {
                texts.insert(entry.path.clone(), text);
            }
        }
        Ok(Self::assemble(tree, signatures, texts)?)
    }
}

/// The list of files of a bundle that is kept by digests.
///
/// # Errors
/// Those of `get`; another content than such a list.
pub fn tree_of<E>(
    digest: Digest,
    get: &mut impl FnMut(Digest, u64) -> Result<Vec<u8>, E>,
) -> Result<Tree, StoredError<E>> {
    let text = get(digest, TREE_BYTES_MAX).map_err(StoredError::Get)?;
    let tree = String::from_utf8(text).map_err(|_| TreeError::Text { line: 1 });
    let tree = tree.and_then(|text| Tree::parse(&text));
    tree.ok().filter(|tree| tree.digest() == digest).ok_or(StoredError::NoTree(digest))
}

/// The signatures of a bundle that are kept by their digest, checked against the bundle's.
///
/// # Errors
/// Those of `get`; another content than such signatures; one that is not of this bundle.
pub fn signatures_of<E>(
    bundle: Digest,
    digest: Digest,
    get: &mut impl FnMut(Digest, u64) -> Result<Vec<u8>, E>,
) -> Result<Signatures, StoredError<E>> {
    let text = get(digest, SIGNATURES_BYTES_MAX).map_err(StoredError::Get)?;
    let text = String::from_utf8(text).map_err(|_| StoredError::NoSignatures(digest))?;
    let signatures = Signatures::parse(&text).map_err(|_| StoredError::NoSignatures(digest))?;
    let checked = signatures.check(bundle).map_err(FormatError::from);
    checked.map_err(ContentError::from)?;
    Ok(signatures)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::{SigningKey, pack};

    const WORKFLOW: &str = "workflow: hello\nversion: 1\nsteps:\n  - id: a\n    set: 1\n";

    #[test]
    fn a_bundle_is_put_together_from_its_contents_and_only_from_them() {
        let folder = tempfile::tempdir().unwrap();
        let manifest =
            "name = \"b\"\nversion = \"1.0.0\"\nworkflows = [\"w.yaml\"]\nfiles = [\"big\"]\n";
        std::fs::write(folder.path().join("bundle.toml"), manifest).unwrap();
        std::fs::write(folder.path().join("w.yaml"), WORKFLOW).unwrap();
        std::fs::write(folder.path().join("big"), [7; 1000]).unwrap();
        let packed = pack(folder.path(), std::io::Cursor::new(Vec::new())).unwrap();
        let key = SigningKey::generate("team").unwrap();
        let mut signatures = Signatures::none();
        signatures.sign(packed.digest(), &key).unwrap();
        let texts =
            [packed.tree.text(), manifest, WORKFLOW, &signatures.to_string()].map(str::to_owned);
        let mut kept: HashMap<Digest, Vec<u8>> = texts
            .into_iter()
            .map(|text| (Digest::of(text.as_bytes()), text.into_bytes()))
            .collect();
        let signed = Digest::of(signatures.to_string().as_bytes());
        let read = |kept: &HashMap<Digest, Vec<u8>>, signed| {
            Bundle::from_contents(packed.digest(), signed, |digest, _| {
                kept.get(&digest).cloned().ok_or(digest)
            })
        };
        let bundle = read(&kept, signed).unwrap();
        assert_eq!((bundle.digest(), &*bundle.manifest.name), (packed.digest(), "b"));
        assert_eq!(bundle.signatures.keys().collect::<Vec<_>>(), [key.id()]);
        // Of another bundle.
        let mut foreign = Signatures::none();
        foreign.sign(Digest::of(b"another"), &key).unwrap();
        let foreign = foreign.to_string().into_bytes();
        let of_another = Digest::of(&foreign);
        kept.insert(of_another, foreign);
        assert!(matches!(read(&kept, of_another), Err(StoredError::Content(_))));
        assert!(matches!(read(&kept, packed.digest()), Err(StoredError::NoSignatures(_))));
        kept.remove(&Digest::of(WORKFLOW.as_bytes()));
        assert!(matches!(read(&kept, signed), Err(StoredError::Get(_))));
        kept.insert(packed.digest(), b"something else".to_vec());
        assert!(matches!(read(&kept, signed), Err(StoredError::NoTree(_))));
    }
}
