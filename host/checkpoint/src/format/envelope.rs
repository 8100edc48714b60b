//! What stands around every stored payload: version, flags, checksum over key and payload.

/// The version byte of every entry.
const VERSION: u8 = 1;
const LAST_PART: u8 = 1;
const HEADER_BYTES: usize = 6;

/// An entry's value that was opened.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Opened<'a> {
    /// No part follows.
    pub(crate) last: bool,
    /// What was sealed.
    pub(crate) payload: &'a [u8],
}

/// Why a value cannot be opened.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unsealed {
    /// The checksum does not fit: not what was written under this key.
    Checksum,
    /// A version that this program does not know.
    Version(u8),
}

/// Seals `payload` for `key`.
pub(crate) fn seal(key: &[u8], payload: &[u8], last: bool) -> Vec<u8> {
    let flags = if last { LAST_PART } else { 0 };
    let mut value = Vec::with_capacity(HEADER_BYTES + payload.len());
    value.extend_from_slice(&[VERSION, flags]);
    value.extend_from_slice(&checksum(key, &[VERSION, flags], payload).to_le_bytes());
    value.extend_from_slice(payload);
    value
}

/// Opens what [`seal`] made for the same key.
pub(crate) fn open<'a>(key: &[u8], value: &'a [u8]) -> Result<Opened<'a>, Unsealed> {
    let (header, payload) = value.split_first_chunk::<HEADER_BYTES>().ok_or(Unsealed::Checksum)?;
    let [version, flags, crc @ ..] = *header;
    if checksum(key, &[version, flags], payload) != u32::from_le_bytes(crc) {
        return Err(Unsealed::Checksum);
    }
    if version != VERSION {
        return Err(Unsealed::Version(version));
    }
    Ok(Opened { last: flags & LAST_PART != 0, payload })
}

fn checksum(key: &[u8], head: &[u8], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(head);
    hasher.update(payload);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_changed_bit_and_any_other_key_is_noticed() {
        let sealed = seal(b"key", b"payload", true);
        assert_eq!(open(b"key", &sealed), Ok(Opened { last: true, payload: b"payload" }));
        for bit in 0..sealed.len() * 8 {
            let mut wrong = sealed.clone();
            wrong[bit / 8] ^= 1 << (bit % 8);
            assert!(open(b"key", &wrong).is_err(), "bit {bit}");
        }
        assert_eq!(open(b"kez", &sealed), Err(Unsealed::Checksum));
        for len in 0..sealed.len() {
            assert_eq!(open(b"key", &sealed[..len]), Err(Unsealed::Checksum));
        }
    }
}
