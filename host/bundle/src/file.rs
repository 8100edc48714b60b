//! The file: header, list of files, files, signatures. `docs/bundle-format.md` says what each byte is.
//!
//! What a reader trusts is checked before what follows it is read: the list against the digest,
//! the signatures against the digest, each file against the list.

use std::io::{self, Read, Seek, SeekFrom, Write};

use wfhost_workflow::Digest;

use crate::bounds::{SIGNATURES_BYTES_MAX, TREE_BYTES_MAX};
use crate::payload::{self, PayloadError, Take};
use crate::signature::{SignatureError, Signatures};
use crate::tree::{Tree, TreeEntry, TreeError};

/// What a bundle begins with.
const MAGIC: [u8; 8] = *b"WFBUNDLE";

/// The version that this library reads and writes.
pub const FORMAT_VERSION: u32 = 1;

const HEADER_BYTES: usize = 64;

/// A file that is no bundle, or not a whole one.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// The file cannot be read or written.
    #[error("cannot read or write the bundle")]
    Io(#[source] io::Error),
    /// Something else.
    #[error("it is no bundle: it does not begin with `WFBUNDLE`")]
    NotABundle,
    /// A newer one.
    #[error("its format has version {found}, and this program reads {FORMAT_VERSION}")]
    Version {
        /// As its header says.
        found: u32,
    },
    /// A part is missing.
    #[error("it is cut off: {0} is not all there")]
    CutOff(&'static str),
    /// The header contradicts itself.
    #[error("its header is damaged")]
    Header,
    /// The list of files is another than the header names.
    #[error("its list of files has the digest {found}, and its header says {wanted}")]
    Digest {
        /// What the header says.
        wanted: Digest,
        /// What it is.
        found: Digest,
    },
    /// The list of files.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The files.
    #[error(transparent)]
    Payload(PayloadError),
    /// The signatures.
    #[error(transparent)]
    Signature(#[from] SignatureError),
}

impl From<PayloadError> for FormatError {
    fn from(error: PayloadError) -> Self {
        match error {
            PayloadError::Io(error) => Self::Io(error),
            other => Self::Payload(other),
        }
    }
}

struct Header {
    tree_bytes: u64,
    payload_bytes: u64,
    digest: Digest,
}

impl Header {
    fn to_bytes(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.tree_bytes.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.payload_bytes.to_le_bytes());
        bytes[32..].copy_from_slice(self.digest.as_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8; HEADER_BYTES]) -> Result<Self, FormatError> {
        let number = |at: usize| {
            let mut part = [0; 8];
            part.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(part)
        };
        if bytes[..8] != MAGIC {
            return Err(FormatError::NotABundle);
        }
        // Version and four reserved bytes, which are zero.
        let version = number(8);
        if version != u64::from(FORMAT_VERSION) {
            let found = u32::try_from(version & u64::from(u32::MAX)).unwrap_or(0);
            let known = found == FORMAT_VERSION;
            return Err(if known { FormatError::Header } else { FormatError::Version { found } });
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(&bytes[32..]);
        Ok(Self {
            tree_bytes: number(16),
            payload_bytes: number(24),
            digest: Digest::from_bytes(digest),
        })
    }

    fn payload_at(&self) -> u64 {
        HEADER_BYTES as u64 + self.tree_bytes
    }
}

/// Writes a bundle; `open` gives the content of each file. The same list and signatures give the
/// same bytes.
///
/// # Errors
/// [`FormatError::Payload`] if a content is not what the list says.
pub fn write<'s, W: Write + Seek>(
    tree: &Tree,
    signatures: &Signatures,
    open: impl FnMut(&TreeEntry) -> io::Result<Box<dyn Read + 's>>,
    mut out: W,
) -> Result<W, FormatError> {
    let text = tree.text().as_bytes();
    let mut header =
        Header { tree_bytes: text.len() as u64, payload_bytes: 0, digest: tree.digest() };
    let start = out.stream_position().map_err(FormatError::Io)?;
    out.write_all(&header.to_bytes()).map_err(FormatError::Io)?;
    out.write_all(text).map_err(FormatError::Io)?;
    let mut out = payload::write(tree, open, out)?;
    let end = out.stream_position().map_err(FormatError::Io)?;
    header.payload_bytes = end - start - header.payload_at();
    let finish = |out: &mut W| {
        out.write_all(signatures.to_string().as_bytes())?;
        let after = out.stream_position()?;
        out.seek(SeekFrom::Start(start))?;
        out.write_all(&header.to_bytes())?;
        out.seek(SeekFrom::Start(after))?;
        out.flush()
    };
    finish(&mut out).map_err(FormatError::Io)?;
    Ok(out)
}

/// A bundle whose list of files and signatures have been read and hold; its files have not.
#[derive(Debug)]
pub struct BundleFile<R> {
    source: R,
    payload_at: u64,
    payload_bytes: u64,
    tree: Tree,
    signatures: Signatures,
}

impl<R: Read + Seek> BundleFile<R> {
    /// Reads everything but the files. Every signature in it is one of this bundle's digest; who
    /// signed, and whether that counts, is for [`crate::trust::Trust`] to say.
    ///
    /// # Errors
    /// If it is no whole bundle, or holds a signature of something else.
    pub fn open(mut source: R) -> Result<Self, FormatError> {
        let length = source.seek(SeekFrom::End(0)).map_err(FormatError::Io)?;
        source.rewind().map_err(FormatError::Io)?;
        let mut header = [0; HEADER_BYTES];
        read_exact(&mut source, &mut header, "the header")?;
        let header = Header::from_bytes(&header)?;
        if header.tree_bytes > TREE_BYTES_MAX {
            return Err(TreeError::Files.into());
        }
        let payload_end = header.payload_at().checked_add(header.payload_bytes);
        let payload_end = payload_end.ok_or(FormatError::Header)?;
        if length < header.payload_at() {
            return Err(FormatError::CutOff("the list of files"));
        }
        if length < payload_end {
            return Err(FormatError::CutOff("the compressed part"));
        }
        let tree = read_text(&mut source, header.tree_bytes)?;
        let found = Digest::of(&tree);
        if found != header.digest {
            return Err(FormatError::Digest { wanted: header.digest, found });
        }
        // No list that this library writes is no text.
        let tree = Tree::parse(&String::from_utf8_lossy(&tree))?;
        source.seek(SeekFrom::Start(payload_end)).map_err(FormatError::Io)?;
        if length - payload_end > SIGNATURES_BYTES_MAX {
            return Err(SignatureError::TooMany.into());
        }
        let signatures = read_text(&mut source, length - payload_end)?;
        let signatures = Signatures::parse(&String::from_utf8_lossy(&signatures))?;
        signatures.check(tree.digest())?;
        let (payload_at, payload_bytes) = (header.payload_at(), header.payload_bytes);
        Ok(Self { source, payload_at, payload_bytes, tree, signatures })
    }

    /// The bundle's digest.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.tree.digest()
    }

    /// Its files.
    #[must_use]
    pub const fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Its signatures, each one of its digest.
    #[must_use]
    pub const fn signatures(&self) -> &Signatures {
        &self.signatures
    }

    /// Reads the files, and hands on each as it is checked.
    ///
    /// # Errors
    /// If they are not what the list says, or as `take` says.
    pub fn read_files<T: Take>(&mut self, take: &mut T) -> Result<(), T::Error> {
        self.source.seek(SeekFrom::Start(self.payload_at)).map_err(PayloadError::Io)?;
        payload::read(&self.tree, (&mut self.source).take(self.payload_bytes), take)
    }

    /// Checks every file and keeps none.
    ///
    /// # Errors
    /// If they are not what the list says.
    pub fn check_files(&mut self) -> Result<(), FormatError> {
        self.read_files(&mut Nowhere)
    }

    /// Writes the same bundle with other signatures: not a byte before them changes.
    ///
    /// # Errors
    /// If a signature is of something else, or the file cannot be written.
    pub fn write_with(
        &mut self,
        signatures: &Signatures,
        mut out: impl Write,
    ) -> Result<(), FormatError> {
        signatures.check(self.digest())?;
        self.source.rewind().map_err(FormatError::Io)?;
        let before = self.payload_at + self.payload_bytes;
        let copied = io::copy(&mut (&mut self.source).take(before), &mut out);
        if copied.map_err(FormatError::Io)? < before {
            return Err(FormatError::CutOff("the compressed part"));
        }
        let text = signatures.to_string();
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(FormatError::Io)
    }
}

struct Nowhere;

impl Take for Nowhere {
    type Error = FormatError;

    fn begin(&mut self, _: &TreeEntry) -> Result<(), FormatError> {
        Ok(())
    }

    fn part(&mut self, _: &[u8]) -> Result<(), FormatError> {
        Ok(())
    }

    fn end(&mut self) -> Result<(), FormatError> {
        Ok(())
    }
}

fn read_exact(
    from: &mut impl Read,
    into: &mut [u8],
    what: &'static str,
) -> Result<(), FormatError> {
    from.read_exact(into).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => FormatError::CutOff(what),
        _ => FormatError::Io(error),
    })
}

/// Bounded by its caller; what is not there is noticed by what is in it.
fn read_text(from: &mut impl Read, bytes: u64) -> Result<Vec<u8>, FormatError> {
    let mut text = Vec::new();
    from.take(bytes).read_to_end(&mut text).map_err(FormatError::Io)?;
    Ok(text)
}
