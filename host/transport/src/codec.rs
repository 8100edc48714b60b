//! Frames: a short header, then MessagePack with named fields.
//!
//! Decoding takes arbitrary bytes. The frame's length is checked against its kind's bound before
//! anything else, then the shape (depth, number of values) by a scan that allocates nothing, and
//! only then are values made. So what a frame can make its reader allocate is bounded by its kind.
//!
//! ```text
//! worker frame:  layout u8 | kind u8 | MessagePack
//! client frame:  layout u8 | kind u8 | protocol u16 | request id u64 | MessagePack   (little-endian)
//! ```

mod kind;
mod scan;

use serde::Serialize;

use crate::client::{Answer, Request};
use crate::message::PROTOCOL;

pub use kind::{Framed, Kind};

/// The first byte of every frame: the layout of frames, not the [`PROTOCOL`]. It changes only if
/// even `Hello` and `Refused` can no longer be read.
pub const LAYOUT: u8 = 1;

/// Bytes of one chunk of a content.
pub const CHUNK_BYTES: u32 = 256 << 10;

/// No frame of a worker or to a worker is longer.
pub const WORKER_FRAME_BYTES_MAX: usize = 8 << 20;

/// No frame of a client or to a client is longer.
pub const CLIENT_FRAME_BYTES_MAX: usize = 64 << 20;

const WORKER_HEADER_BYTES: usize = 2;
const CLIENT_HEADER_BYTES: usize = 12;

/// A message is an enum of structs of lists of structs; nothing nests deeper than this.
const DEPTH_MAX: usize = 24;

/// Every value takes memory when decoded, however few bytes it has on the wire.
const WORKER_VALUES_MAX: usize = 200_000;

/// A view of a run of 10,000 steps has some 250,000.
const CLIENT_VALUES_MAX: usize = 2_000_000;

/// A message that cannot be made a frame.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// Longer than its kind may be.
    #[error("the message has {bytes} bytes, and at most {bytes_max} are sent")]
    TooLarge {
        /// The frame's length.
        bytes: usize,
        /// The bound.
        bytes_max: usize,
    },
    /// Made of more values than its receiver would take.
    #[error("the message is not taken by its receiver: {0}")]
    Shape(&'static str),
    /// Nested too deeply, or a value that MessagePack cannot hold.
    #[error("the message cannot be encoded")]
    Value(#[from] rmp_serde::encode::Error),
}

/// Bytes that are no message.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Shorter than a header.
    #[error("the frame ends within its header")]
    Short,
    /// Not one frame of payload.
    #[error("the message does not have exactly one frame")]
    Parts,
    /// Another layout of frames.
    #[error("the frame has layout {0}, and this program reads layout {LAYOUT}")]
    Layout(u8),
    /// Another version of what is said in frames.
    #[error("the peer speaks protocol {0}, and this program speaks {PROTOCOL}")]
    Protocol(u16),
    /// A kind that this program does not know, or that does not fit what is inside.
    #[error("the frame's kind {0} is not known here or does not fit its content")]
    Kind(u8),
    /// Longer than its kind may be.
    #[error("the frame has {bytes} bytes, and at most {bytes_max} are taken")]
    TooLarge {
        /// The frame's length.
        bytes: usize,
        /// The bound.
        bytes_max: usize,
    },
    /// Not one MessagePack value, or one with too many or too deeply nested parts.
    #[error("the frame is not well formed: {0}")]
    Shape(&'static str),
    /// MessagePack, but not this message.
    #[error("the frame holds no such message")]
    Value(#[from] rmp_serde::decode::Error),
    /// The connection sent so many bad frames that it is no longer listened to.
    #[error("the connection sent too many bad frames and is ignored from now on")]
    Ignored,
}

/// Puts the frame of `message` into `frame`, whose earlier content is dropped.
///
/// # Errors
/// If the frame would be longer than its kind may be: the receiver would refuse it.
pub fn encode<M: Framed>(message: &M, frame: &mut Vec<u8>) -> Result<(), EncodeError> {
    let kind = message.kind();
    frame.clear();
    frame.extend_from_slice(&[LAYOUT, kind as u8]);
    append(kind, message, frame)
}

/// Reads a frame that [`encode`] made; takes any bytes.
///
/// # Errors
/// Says what is wrong with the bytes; never panics.
pub fn decode<M: Framed>(frame: &[u8]) -> Result<M, DecodeError> {
    let kind = header(frame, WORKER_HEADER_BYTES)?;
    let message: M = body(&frame[WORKER_HEADER_BYTES..], WORKER_VALUES_MAX)?;
    if message.kind() == kind { Ok(message) } else { Err(DecodeError::Kind(kind as u8)) }
}

/// The protocol that a worker's first frame names, whatever else it holds: of a peer of another
/// version nothing more can be read. `None` if it is no such frame.
#[must_use]
pub fn protocol_of_hello(frame: &[u8]) -> Option<u16> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Only {
        Hello { protocol: u16 },
    }
    let kind = header(frame, WORKER_HEADER_BYTES).ok()?;
    let bytes = (kind == Kind::Hello).then(|| &frame[WORKER_HEADER_BYTES..])?;
    scan::check(bytes, DEPTH_MAX, WORKER_VALUES_MAX).ok()?;
    let Only::Hello { protocol } = rmp_serde::from_slice(bytes).ok()?;
    Some(protocol)
}

/// As [`encode`], for a client's request.
///
/// # Errors
/// If the frame would be too long.
pub fn encode_request(id: u64, request: &Request, frame: &mut Vec<u8>) -> Result<(), EncodeError> {
    encode_client(id, request, frame)
}

/// As [`encode`], for the answer to the request with this id.
///
/// # Errors
/// If the frame would be too long.
pub fn encode_answer(id: u64, answer: &Answer, frame: &mut Vec<u8>) -> Result<(), EncodeError> {
    encode_client(id, answer, frame)
}

/// Reads a frame that [`encode_request`] made; takes any bytes. The id is there whenever the
/// header could be read, so that the client can be told what is wrong.
///
/// # Errors
/// Says what is wrong with the bytes; never panics.
pub fn decode_request(frame: &[u8]) -> (Option<u64>, Result<Request, DecodeError>) {
    (client_id(frame), decode_client(frame))
}

/// Reads a frame that [`encode_answer`] made; takes any bytes.
///
/// # Errors
/// Says what is wrong with the bytes; never panics.
pub fn decode_answer(frame: &[u8]) -> (Option<u64>, Result<Answer, DecodeError>) {
    (client_id(frame), decode_client(frame))
}

fn encode_client<M: Framed>(id: u64, message: &M, frame: &mut Vec<u8>) -> Result<(), EncodeError> {
    let kind = message.kind();
    frame.clear();
    frame.extend_from_slice(&[LAYOUT, kind as u8]);
    frame.extend_from_slice(&PROTOCOL.to_le_bytes());
    frame.extend_from_slice(&id.to_le_bytes());
    append(kind, message, frame)
}

fn client_id(frame: &[u8]) -> Option<u64> {
    if frame.first() != Some(&LAYOUT) {
        return None;
    }
    let id = frame.get(4..CLIENT_HEADER_BYTES)?;
    Some(u64::from_le_bytes(id.try_into().ok()?))
}

fn decode_client<M: Framed>(frame: &[u8]) -> Result<M, DecodeError> {
    let kind = header(frame, CLIENT_HEADER_BYTES)?;
    let protocol = u16::from_le_bytes([frame[2], frame[3]]);
    if protocol != PROTOCOL {
        return Err(DecodeError::Protocol(protocol));
    }
    let message: M = body(&frame[CLIENT_HEADER_BYTES..], CLIENT_VALUES_MAX)?;
    if message.kind() == kind { Ok(message) } else { Err(DecodeError::Kind(kind as u8)) }
}

fn append<M: Serialize>(kind: Kind, message: &M, frame: &mut Vec<u8>) -> Result<(), EncodeError> {
    let header_bytes = frame.len();
    rmp_serde::encode::write_named(frame, message)?;
    let (bytes, bytes_max) = (frame.len(), kind.bytes_max());
    if bytes > bytes_max {
        return Err(EncodeError::TooLarge { bytes, bytes_max });
    }
    let values_max =
        if header_bytes == WORKER_HEADER_BYTES { WORKER_VALUES_MAX } else { CLIENT_VALUES_MAX };
    // Every value has a byte at least, so hardly any frame has to be looked at.
    if bytes > values_max {
        scan::check(&frame[header_bytes..], DEPTH_MAX, values_max).map_err(EncodeError::Shape)?;
    }
    Ok(())
}

/// The frame's kind, if the frame is no longer than that kind may be.
fn header(frame: &[u8], header_bytes: usize) -> Result<Kind, DecodeError> {
    let &[layout, kind, ..] = frame else { return Err(DecodeError::Short) };
    if layout != LAYOUT {
        return Err(DecodeError::Layout(layout));
    }
    let kind = Kind::of_byte(kind).ok_or(DecodeError::Kind(kind))?;
    let (bytes, bytes_max) = (frame.len(), kind.bytes_max());
    if bytes > bytes_max {
        return Err(DecodeError::TooLarge { bytes, bytes_max });
    }
    if bytes < header_bytes {
        return Err(DecodeError::Short);
    }
    Ok(kind)
}

fn body<M: Framed>(bytes: &[u8], values_max: usize) -> Result<M, DecodeError> {
    scan::check(bytes, DEPTH_MAX, values_max).map_err(DecodeError::Shape)?;
    let mut reader = rmp_serde::Deserializer::from_read_ref(bytes);
    // The scan has bounded the depth; this one only has to be above it.
    reader.set_max_depth(DEPTH_MAX * 4);
    Ok(M::deserialize(&mut reader)?)
}
