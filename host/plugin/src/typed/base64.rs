//! `list<u8>` as text: the standard alphabet, padded.

use data_encoding::BASE64;

/// Bytes that a text of that length holds at most.
pub(crate) fn decoded_len(text: &str) -> usize {
    text.len() / 4 * 3
}

pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text.as_bytes()).ok()
}

pub(crate) fn encoded_len(bytes: usize) -> usize {
    bytes.div_ceil(3).saturating_mul(4)
}

pub(crate) fn encode_into(bytes: &[u8], text: &mut String) {
    BASE64.encode_append(bytes, text);
}
