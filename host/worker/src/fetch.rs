//! Contents on their way from the coordinator, in chunks.
//!
//! A plain state machine: the worker's thread feeds it chunks and the time, and sends what
//! [`Fetches::next`] says. What it holds is bounded by what its waiters said they would take, and
//! what is under way by [`OUTSTANDING_MAX`]. It does not look at digests: the waiter does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wfhost_transport::assembly::{Assembly, AssemblyError};
use wfhost_workflow::Digest;

use crate::report::Reply;

/// Chunks that were asked for and have not come, of all contents together: 4 MiB.
const OUTSTANDING_MAX: u64 = 16;

/// Of one content, so that a large component does not hold up the inputs of others.
const OUTSTANDING_OF_ONE_MAX: u64 = 8;

/// Without a chunk for this long, a content is given up.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// Why a content has not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("it cannot be had from the coordinator: {0}")]
    Assembly(#[from] AssemblyError),
    #[error("nothing came for {} s", SILENCE_MAX.as_secs())]
    Silence,
}

/// A part to ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) digest: Digest,
    pub(crate) offset: u64,
    pub(crate) len: u32,
}

/// All contents that are on their way.
#[derive(Default)]
pub(crate) struct Fetches {
    open: BTreeMap<Digest, Fetch>,
}

struct Fetch {
    waiters: Vec<Reply>,
    assembly: Assembly,
    heard_at: Instant,
}

impl Fetch {
    fn end(self, result: &Result<Arc<[u8]>, FetchError>) {
        for waiter in self.waiters {
            // The attempt that waited was stopped.
            let _stopped = waiter.send(result.clone());
        }
    }
}

impl Fetches {
    /// Somebody waits for a content of at most `bytes_max` bytes.
    pub(crate) fn want(&mut self, digest: Digest, bytes_max: u64, reply: Reply, now: Instant) {
        let fetch = self.open.entry(digest).or_insert_with(|| Fetch {
            waiters: Vec::new(),
            assembly: Assembly::at_most(bytes_max),
            heard_at: now,
        });
        fetch.assembly.allow(bytes_max);
        fetch.waiters.push(reply);
    }

    /// The next part to ask for, if one may be asked for now.
    pub(crate) fn next(&mut self) -> Option<Part> {
        let outstanding: u64 = self.open.values().map(|fetch| fetch.assembly.outstanding()).sum();
        if outstanding >= OUTSTANDING_MAX {
            return None;
        }
        self.open.iter_mut().find_map(|(digest, fetch)| {
            let (offset, len) = fetch.assembly.next(OUTSTANDING_OF_ONE_MAX)?;
            Some(Part { digest: *digest, offset, len })
        })
    }

    /// A part has come. One that nobody waits for any more is dropped.
    pub(crate) fn chunk(
        &mut self,
        digest: Digest,
        offset: u64,
        total: u64,
        bytes: &[u8],
        now: Instant,
    ) {
        let Some(fetch) = self.open.get_mut(&digest) else { return };
        fetch.waiters.retain(|waiter| !waiter.is_closed());
        if fetch.waiters.is_empty() {
            self.open.remove(&digest);
            return;
        }
        let ended = if total == 0 && bytes.is_empty() && digest == Digest::of(b"") {
            // An empty content is told from an unknown one by its digest.
            Ok(Vec::new())
        } else {
            match fetch.assembly.accept(offset, total, bytes).transpose() {
                Some(ended) => ended,
                None => {
                    fetch.heard_at = now;
                    return;
                }
            }
        };
        if let Some(fetch) = self.open.remove(&digest) {
            fetch.end(&ended.map(Arc::from).map_err(FetchError::from));
        }
    }

    /// There is a new connection: what was asked for on the former one will not come, and what
    /// has come is kept.
    pub(crate) fn reconnected(&mut self, now: Instant) {
        for fetch in self.open.values_mut() {
            fetch.assembly.ask_again();
            fetch.heard_at = now;
        }
    }

    /// Gives up what has been silent for too long.
    pub(crate) fn expire(&mut self, now: Instant) {
        let silent: Vec<Digest> = self
            .open
            .iter()
            .filter(|(_, fetch)| now.saturating_duration_since(fetch.heard_at) >= SILENCE_MAX)
            .map(|(digest, _)| *digest)
            .collect();
        for digest in silent {
            if let Some(fetch) = self.open.remove(&digest) {
                fetch.end(&Err(FetchError::Silence));
            }
        }
    }

    /// When [`Self::expire`] has to be called next.
    pub(crate) fn expires_at(&self) -> Option<Instant> {
        self.open.values().map(|fetch| fetch.heard_at + SILENCE_MAX).min()
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;
    use wfhost_transport::codec::CHUNK_BYTES;

    use super::*;

    type Waiter = oneshot::Receiver<Result<Arc<[u8]>, FetchError>>;

    const CHUNK: u64 = CHUNK_BYTES as u64;

    fn start() -> Instant {
        crate::clock::now()
    }

    fn want(fetches: &mut Fetches, digest: Digest, bytes_max: u64) -> Waiter {
        let (reply, waiter) = oneshot::channel();
        fetches.want(digest, bytes_max, reply, start());
        waiter
    }

    fn parts(fetches: &mut Fetches) -> Vec<(u64, u32)> {
        std::iter::from_fn(|| fetches.next()).map(|part| (part.offset, part.len)).collect()
    }

    fn give(fetches: &mut Fetches, content: &[u8], offset: u64) {
        let end = content.len().min((offset + CHUNK) as usize);
        let part = &content[offset as usize..end];
        fetches.chunk(Digest::of(content), offset, content.len() as u64, part, start());
    }

    #[test]
    fn a_content_comes_in_parts_and_no_more_are_asked_for_than_the_bound() {
        let mut fetches = Fetches::default();
        let content: Vec<u8> = (0..CHUNK * 20 + 5).map(|at| (at % 251) as u8).collect();
        let mut waiter = want(&mut fetches, Digest::of(&content), u64::MAX);
        let mut second = want(&mut fetches, Digest::of(&content), u64::MAX);
        let mut asked = parts(&mut fetches);
        assert_eq!(asked, [(0, CHUNK_BYTES)], "one, until the length is known");
        let mut at = 0;
        while at < asked.len() {
            give(&mut fetches, &content, asked[at].0);
            at += 1;
            asked.extend(parts(&mut fetches));
            assert!(asked.len() - at <= OUTSTANDING_OF_ONE_MAX as usize);
        }
        assert_eq!(asked.len(), 21);
        assert_eq!(asked[20], (CHUNK * 20, 5));
        assert_eq!(waiter.try_recv().unwrap().unwrap()[..], content);
        assert_eq!(second.try_recv().unwrap().unwrap()[..], content);
        assert!(fetches.open.is_empty());
    }

    #[test]
    fn all_contents_together_are_bounded() {
        let mut fetches = Fetches::default();
        let waiters: Vec<Waiter> =
            (0..40_u8).map(|n| want(&mut fetches, Digest::of(&[n]), 10)).collect();
        let asked: Vec<Digest> =
            std::iter::from_fn(|| fetches.next()).map(|part| part.digest).collect();
        assert_eq!(asked.len(), OUTSTANDING_MAX as usize);
        fetches.chunk(asked[0], 0, 1, &[0], start());
        assert_eq!(parts(&mut fetches).len(), 1, "the next takes its place");
        drop(waiters);
        fetches.chunk(asked[1], 0, 1, &[0], start());
        assert_eq!(fetches.open.len(), 38, "nobody waits for it any more");
    }

    fn refused(total: u64, offset: u64, bytes: &[u8], expected: AssemblyError) {
        let mut fetches = Fetches::default();
        let mut waiter = want(&mut fetches, Digest::of(b"x"), 100);
        parts(&mut fetches);
        fetches.chunk(Digest::of(b"x"), offset, total, bytes, start());
        assert_eq!(waiter.try_recv().unwrap().unwrap_err(), expected.into());
        assert!(fetches.open.is_empty());
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        refused(0, 0, b"", AssemblyError::Missing);
        refused(101, 0, &[0; 101], AssemblyError::TooLarge { bytes: 101, bytes_max: 100 });
        refused(5, 0, b"1234", AssemblyError::Broken);
        refused(5, 0, b"123456", AssemblyError::Broken);
        refused(0, 0, b"1", AssemblyError::Broken);
    }

    #[test]
    fn an_empty_content_is_no_missing_one() {
        let mut fetches = Fetches::default();
        let mut waiter = want(&mut fetches, Digest::of(b""), 100);
        fetches.chunk(Digest::of(b""), 0, 0, b"", start());
        assert_eq!(waiter.try_recv().unwrap().unwrap()[..], *b"");
    }

    #[test]
    fn silence_ends_a_fetch_and_a_part_prolongs_it() {
        let mut fetches = Fetches::default();
        let content = vec![1; CHUNK as usize * 2];
        let (reply, mut waiter) = oneshot::channel();
        let begin = start();
        fetches.want(Digest::of(&content), u64::MAX, reply, begin);
        parts(&mut fetches);
        let later = begin + SILENCE_MAX / 2;
        fetches.chunk(Digest::of(&content), 0, CHUNK * 2, &content[..CHUNK as usize], later);
        fetches.expire(begin + SILENCE_MAX);
        assert!(waiter.try_recv().is_err(), "still under way");
        assert_eq!(fetches.expires_at(), Some(later + SILENCE_MAX));
        fetches.expire(later + SILENCE_MAX);
        assert_eq!(waiter.try_recv().unwrap().unwrap_err(), FetchError::Silence);
        assert_eq!(fetches.expires_at(), None);
    }

    #[test]
    fn parts_that_an_earlier_fetch_asked_for_do_no_harm() {
        let mut fetches = Fetches::default();
        let content: Vec<u8> = (0..CHUNK * 3).map(|at| (at % 251) as u8).collect();
        drop(want(&mut fetches, Digest::of(&content), u64::MAX));
        parts(&mut fetches);
        give(&mut fetches, &content, 0);
        let mut waiter = want(&mut fetches, Digest::of(&content), u64::MAX);
        for offset in [2, 0, 1, 0, 2, 2] {
            give(&mut fetches, &content, offset * CHUNK);
            parts(&mut fetches);
        }
        assert_eq!(waiter.try_recv().unwrap().unwrap()[..], content);
    }

    #[test]
    fn on_another_connection_it_goes_on_where_it_was() {
        let mut fetches = Fetches::default();
        let content: Vec<u8> = (0..CHUNK * 3).map(|at| (at % 251) as u8).collect();
        let mut waiter = want(&mut fetches, Digest::of(&content), u64::MAX);
        parts(&mut fetches);
        give(&mut fetches, &content, 0);
        assert_eq!(parts(&mut fetches), [(CHUNK, CHUNK_BYTES), (CHUNK * 2, CHUNK_BYTES)]);
        let later = start() + SILENCE_MAX;
        fetches.reconnected(later);
        fetches.expire(later);
        assert_eq!(parts(&mut fetches), [(CHUNK, CHUNK_BYTES), (CHUNK * 2, CHUNK_BYTES)]);
        give(&mut fetches, &content, CHUNK);
        give(&mut fetches, &content, CHUNK * 2);
        assert_eq!(waiter.try_recv().unwrap().unwrap()[..], content);
    }

    #[test]
    fn late_parts_are_dropped() {
        let mut fetches = Fetches::default();
        give(&mut fetches, b"nobody asked", 0);
        assert!(fetches.open.is_empty());
    }
}
