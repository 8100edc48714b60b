//! The keys of the store's one table: a letter for the kind, the run, and a position.

use std::ops::RangeInclusive;

use wfhost_workflow::{Digest, Revision, RunId};

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    /// A part of a record; one that needs no more than 4 KiB has only part 0.
    Journal { run: RunId, revision: Revision, part: u16 },
    /// The store's own counters and checksum.
    Meta,
    /// Where the newest snapshot of a run is.
    Snapshot(RunId),
    /// A note, by the digest of its name.
    Note([u8; 32]),
    /// A run whose removal has begun.
    Removing(RunId),
    /// A run's summary: there is a run if there is one.
    Summary(RunId),
}

const JOURNAL: u8 = b'J';
const META: u8 = b'M';
const NOTE: u8 = b'N';
const SNAPSHOT: u8 = b'P';
const REMOVING: u8 = b'R';
const SUMMARY: u8 = b'S';

const FIRST_RUN: RunId = RunId::from_bytes([0; 16]);
const LAST_RUN: RunId = RunId::from_bytes([0xff; 16]);

impl Key {
    /// Of a note with this name.
    pub(crate) fn note(name: &str) -> Self {
        Self::Note(*Digest::of(name.as_bytes()).as_bytes())
    }

    pub(crate) fn bytes(self) -> Vec<u8> {
        let of_run = |kind: u8, run: RunId| {
            let mut key = Vec::with_capacity(27);
            key.push(kind);
            key.extend_from_slice(&run.to_bytes());
            key
        };
        match self {
            Self::Journal { run, revision, part } => {
                let mut key = of_run(JOURNAL, run);
                key.extend_from_slice(&revision.0.to_be_bytes());
                key.extend_from_slice(&part.to_be_bytes());
                key
            }
            Self::Meta => vec![META],
            Self::Note(name) => [&[NOTE][..], &name].concat(),
            Self::Snapshot(run) => of_run(SNAPSHOT, run),
            Self::Removing(run) => of_run(REMOVING, run),
            Self::Summary(run) => of_run(SUMMARY, run),
        }
    }

    /// The inverse of [`Self::bytes`]; `None` for what is no key of this format.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let (&kind, rest) = bytes.split_first()?;
        if kind == META {
            return rest.is_empty().then_some(Self::Meta);
        }
        if kind == NOTE {
            return rest.try_into().ok().map(Self::Note);
        }
        let (run, rest) = rest.split_first_chunk::<16>()?;
        let run = RunId::from_bytes(*run);
        match (kind, rest.len()) {
            (JOURNAL, 10) => {
                let (revision, rest) = rest.split_first_chunk::<8>()?;
                let (part, _) = rest.split_first_chunk::<2>()?;
                Some(Self::Journal {
                    run,
                    revision: Revision(u64::from_be_bytes(*revision)),
                    part: u16::from_be_bytes(*part),
                })
            }
            (SNAPSHOT, 0) => Some(Self::Snapshot(run)),
            (REMOVING, 0) => Some(Self::Removing(run)),
            (SUMMARY, 0) => Some(Self::Summary(run)),
            _ => None,
        }
    }
}

/// A range of keys, both ends included.
pub(crate) type KeyRange = RangeInclusive<Vec<u8>>;

/// Every record of `run` from revision `first` on.
pub(crate) fn journal_from(run: RunId, first: Revision) -> KeyRange {
    Key::Journal { run, revision: first, part: 0 }.bytes()..=Key::Journal {
        run,
        revision: Revision(u64::MAX),
        part: u16::MAX,
    }
    .bytes()
}

/// The summaries of the runs from `first` to `last`.
pub(crate) fn summaries(first: RunId, last: RunId) -> KeyRange {
    Key::Summary(first).bytes()..=Key::Summary(last).bytes()
}

/// Every note.
pub(crate) fn notes() -> KeyRange {
    Key::Note([0; 32]).bytes()..=Key::Note([0xff; 32]).bytes()
}

/// Every removal that has begun.
pub(crate) fn removals() -> KeyRange {
    Key::Removing(FIRST_RUN).bytes()..=Key::Removing(LAST_RUN).bytes()
}

/// Everything.
pub(crate) fn everything() -> KeyRange {
    vec![]..=vec![0xff; 32]
}

/// The first and last run whose id's text begins with `prefix`, in any case.
pub(crate) fn runs_with_prefix(prefix: &str) -> Option<(RunId, RunId)> {
    const TEXT_LEN: usize = 26;
    let prefix = prefix.trim();
    if prefix.len() > TEXT_LEN || !prefix.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let prefix = prefix.to_ascii_uppercase();
    if prefix.is_empty() {
        return Some((FIRST_RUN, LAST_RUN));
    }
    // 26 letters hold 130 bits, so an id's first is at most 7.
    if prefix.as_bytes()[0] > b'7' {
        return None;
    }
    let end = |fill: &str| {
        format!("{prefix}{}", fill.repeat(TEXT_LEN - prefix.len())).parse::<RunId>().ok()
    };
    Some((end("0")?, end("Z")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(n: u8) -> RunId {
        RunId::from_bytes([n; 16])
    }

    #[test]
    fn keys_are_read_back_and_sort_by_run_revision_and_part() {
        let keys = [
            Key::Journal { run: run(1), revision: Revision(1), part: 0 },
            Key::Journal { run: run(1), revision: Revision(1), part: 1 },
            Key::Journal { run: run(1), revision: Revision(256), part: 0 },
            Key::Journal { run: run(2), revision: Revision(1), part: 0 },
            Key::Meta,
            Key::note("a"),
            Key::Snapshot(run(1)),
            Key::Removing(run(1)),
            Key::Summary(run(1)),
            Key::Summary(run(2)),
        ];
        for key in keys {
            assert_eq!(Key::parse(&key.bytes()), Some(key));
        }
        let bytes: Vec<_> = keys.iter().map(|key| key.bytes()).collect();
        assert!(bytes.is_sorted());
        for wrong in [&b""[..], b"J", b"X0123456789abcdef", b"MM", b"S0123456789abcde"] {
            assert_eq!(Key::parse(wrong), None);
        }
    }

    #[test]
    fn a_prefix_is_a_range_of_ids() {
        let id: RunId = "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap();
        for prefix in ["", "0", "01ARZ", "01arz3nd", "01ARZ3NDEKTSV4RRFFQ69G5FAV"] {
            let (first, last) = runs_with_prefix(prefix).unwrap();
            assert!(first <= id && id <= last, "{prefix}");
        }
        assert_eq!(runs_with_prefix("01ARZ3NDEKTSV4RRFFQ69G5FAV"), Some((id, id)));
        let (first, last) = runs_with_prefix("01ARY").unwrap();
        assert!(last < id && first < last);
        for none in ["8", "Z", "01ARZ3NDEKTSV4RRFFQ69G5FAVX", "01-", "é"] {
            assert_eq!(runs_with_prefix(none), None, "{none}");
        }
    }
}
