//! The files themselves: a tar in which every byte but the contents follows from the list of
//! files, compressed by zstd.
//!
//! A reader therefore knows each header before it reads it, and how much there is in all: what
//! is not as expected ends the reading, whatever it claims to be.

use std::io::{self, BufReader, Read, Write};

use tar::EntryType;
use wfhost_workflow::Digesting;
use zstd::stream::read::Decoder;
use zstd::stream::write::Encoder;

use crate::bounds::WINDOW_LOG_MAX;
use crate::tree::{Tree, TreeEntry};

const BLOCK: usize = 512;

/// Two empty blocks end a tar.
const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

/// Faster than reading from most disks, and nearly as small as slower levels for components.
const LEVEL: i32 = 3;

/// The compressor is always given so many bytes at once, so that what it makes does not depend
/// on how the contents happened to be read.
const CHUNK_BYTES: usize = 128 << 10;

/// What is wrong with the files of a bundle.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// Reading or writing, not what was read.
    #[error("reading or writing a bundle")]
    Io(#[source] io::Error),
    /// zstd's, or its end comes too early.
    #[error("its compressed part is damaged")]
    Compressed(#[source] io::Error),
    /// Something else than an ordinary file.
    #[error("in the place of `{path}` it holds {found}")]
    Kind {
        /// What should be there.
        path: String,
        /// "a symbolic link", "a device".
        found: &'static str,
    },
    /// A header that is another's, or written in another way.
    #[error("the header of `{path}` is not what its list of files says")]
    Header {
        /// What should be there.
        path: String,
    },
    /// Another content than the list says.
    #[error("the content of `{path}` is not what its list of files says")]
    Content {
        /// Which file.
        path: String,
    },
    /// More than the list says.
    #[error("it holds more than its list of files says")]
    More,
}

/// Takes the files of a bundle one after the other, in the order of their paths.
pub trait Take {
    /// What ends the reading.
    type Error: From<PayloadError>;

    /// A file begins.
    ///
    /// # Errors
    /// Whatever ends the reading.
    fn begin(&mut self, entry: &TreeEntry) -> Result<(), Self::Error>;

    /// The next part of it. Not checked yet.
    ///
    /// # Errors
    /// Whatever ends the reading.
    fn part(&mut self, bytes: &[u8]) -> Result<(), Self::Error>;

    /// It is whole and has its digest.
    ///
    /// # Errors
    /// Whatever ends the reading.
    fn end(&mut self) -> Result<(), Self::Error>;
}

/// The bytes of the uncompressed tar.
fn tar_bytes(tree: &Tree) -> u64 {
    let file = |entry: &TreeEntry| BLOCK as u64 + entry.size.next_multiple_of(BLOCK as u64);
    tree.entries().iter().map(file).sum::<u64>() + END.len() as u64
}

/// The header of a file: path and size, everything else is fixed.
fn tar_header(entry: &TreeEntry) -> io::Result<tar::Header> {
    let mut header = tar::Header::new_ustar();
    header.set_path(entry.path.as_str())?;
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(entry.size);
    header.set_device_major(0)?;
    header.set_device_minor(0)?;
    header.set_cksum();
    Ok(header)
}

/// Writes the files of a list; `open` gives the content of each.
pub(crate) fn write<'s, W: Write>(
    tree: &Tree,
    mut open: impl FnMut(&TreeEntry) -> io::Result<Box<dyn Read + 's>>,
    out: W,
) -> Result<W, PayloadError> {
    let mut out = encoder(tree, out).map(Chunks::new).map_err(PayloadError::Io)?;
    for entry in tree.entries() {
        let header = tar_header(entry).map_err(PayloadError::Io)?;
        out.write(header.as_bytes()).map_err(PayloadError::Io)?;
        let content = open(entry).map_err(PayloadError::Io)?;
        // One byte more, so that a content that has grown is not cut.
        let mut content = content.take(entry.size + 1);
        let mut digesting = Digesting::default();
        let mut written = 0_u64;
        let mut buffer = vec![0; CHUNK_BYTES];
        loop {
            let read = content.read(&mut buffer).map_err(PayloadError::Io)?;
            if read == 0 {
                break;
            }
            written += read as u64;
            if written > entry.size {
                break;
            }
            digesting.update(&buffer[..read]);
            out.write(&buffer[..read]).map_err(PayloadError::Io)?;
        }
        if written != entry.size || digesting.finish() != entry.digest {
            return Err(PayloadError::Content { path: entry.path.to_string() });
        }
        out.write(padding(entry)).map_err(PayloadError::Io)?;
    }
    out.write(&END).map_err(PayloadError::Io)?;
    out.finish().map_err(PayloadError::Io)
}

fn encoder<W: Write>(tree: &Tree, out: W) -> io::Result<Encoder<'static, W>> {
    let mut encoder = Encoder::new(out, LEVEL)?;
    encoder.include_checksum(true)?;
    encoder.include_contentsize(true)?;
    encoder.set_pledged_src_size(Some(tar_bytes(tree)))?;
    Ok(encoder)
}

fn padding(entry: &TreeEntry) -> &'static [u8] {
    let over = usize::try_from(entry.size % BLOCK as u64).unwrap_or(0);
    if over == 0 { &[] } else { &END[..BLOCK - over] }
}

/// Hands on full chunks only, and the rest at the end.
struct Chunks<W: Write> {
    waiting: Vec<u8>,
    encoder: Encoder<'static, W>,
}

impl<W: Write> Chunks<W> {
    fn new(encoder: Encoder<'static, W>) -> Self {
        Self { waiting: Vec::with_capacity(CHUNK_BYTES), encoder }
    }

    fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let fits = bytes.len().min(CHUNK_BYTES - self.waiting.len());
            let (now, rest) = bytes.split_at(fits);
            self.waiting.extend_from_slice(now);
            bytes = rest;
            if self.waiting.len() == CHUNK_BYTES {
                self.encoder.write_all(&self.waiting)?;
                self.waiting.clear();
            }
        }
        Ok(())
    }

    fn finish(mut self) -> io::Result<W> {
        self.encoder.write_all(&self.waiting)?;
        self.encoder.finish()
    }
}

/// Reads the files of a list and checks them; `source` ends where they do.
pub(crate) fn read<T: Take>(tree: &Tree, source: impl Read, take: &mut T) -> Result<(), T::Error> {
    let mut source = BufReader::with_capacity(CHUNK_BYTES, source);
    read_tar(tree, &mut source, take)?;
    if !is_at_end(&mut source).map_err(PayloadError::Io)? {
        return Err(PayloadError::More.into());
    }
    Ok(())
}

fn read_tar<T: Take, R: Read>(
    tree: &Tree,
    source: &mut BufReader<R>,
    take: &mut T,
) -> Result<(), T::Error> {
    let mut tar = Decoder::with_buffer(source).map_err(PayloadError::Io)?.single_frame();
    tar.window_log_max(WINDOW_LOG_MAX).map_err(PayloadError::Io)?;
    let mut buffer = vec![0; CHUNK_BYTES];
    for entry in tree.entries() {
        check_header(entry, &mut tar)?;
        take.begin(entry)?;
        let mut digesting = Digesting::default();
        let mut left = entry.size;
        while left > 0 {
            let most = usize::try_from(left).map_or(CHUNK_BYTES, |left| left.min(CHUNK_BYTES));
            fill(&mut tar, &mut buffer[..most])?;
            digesting.update(&buffer[..most]);
            take.part(&buffer[..most])?;
            left -= most as u64;
        }
        let padding = padding(entry);
        fill(&mut tar, &mut buffer[..padding.len()])?;
        if digesting.finish() != entry.digest || buffer[..padding.len()] != *padding {
            return Err(PayloadError::Content { path: entry.path.to_string() }.into());
        }
        take.end()?;
    }
    let mut end = END;
    fill(&mut tar, &mut end)?;
    // Reading on makes the decompressor look at its checksum, too.
    if end != END || !is_at_end(&mut tar).map_err(damage)? {
        return Err(PayloadError::More.into());
    }
    Ok(())
}

fn check_header(entry: &TreeEntry, tar: &mut impl Read) -> Result<(), PayloadError> {
    let mut header = tar::Header::new_ustar();
    fill(tar, header.as_mut_bytes())?;
    let wanted = tar_header(entry).map_err(PayloadError::Io)?;
    if header.as_bytes() == wanted.as_bytes() {
        return Ok(());
    }
    let path = entry.path.to_string();
    let found = match header.entry_type() {
        EntryType::Regular | EntryType::Continuous => return Err(PayloadError::Header { path }),
        EntryType::Link => "a hard link",
        EntryType::Symlink => "a symbolic link",
        EntryType::Char | EntryType::Block => "a device",
        EntryType::Fifo => "a pipe",
        EntryType::Directory => "a folder",
        _ => "what is no ordinary file",
    };
    Err(PayloadError::Kind { path, found })
}

fn fill(from: &mut impl Read, buffer: &mut [u8]) -> Result<(), PayloadError> {
    from.read_exact(buffer).map_err(damage)
}

/// The system's errors have a number, those of zstd have none.
fn damage(error: io::Error) -> PayloadError {
    if error.raw_os_error().is_some() {
        PayloadError::Io(error)
    } else {
        PayloadError::Compressed(error)
    }
}

fn is_at_end(from: &mut impl Read) -> io::Result<bool> {
    loop {
        match from.read(&mut [0]) {
            Ok(read) => return Ok(read == 0),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests;
