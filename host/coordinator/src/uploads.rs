//! Contents that clients send in parts, before they start runs with them.
//!
//! What is under way is bounded per client and in all, and forgotten when nothing more comes of
//! it; what is whole and never used is collected like any content that nothing refers to.

use std::collections::HashMap;

use wfhost_checkpoint::{Content, Incoming};
use wfhost_transport::ClientId;
use wfhost_transport::client::{Answer, Refusal};
use wfhost_workflow::{Digest, DurationMs, MonotonicMs};

use crate::queries::store_failed;

/// More than any language's runtime takes in a component.
const CONTENT_BYTES_MAX: u64 = 512 << 20;

/// One client sends its contents one after the other.
const PER_CLIENT_MAX: usize = 4;

/// Each holds a file open.
const UPLOADS_MAX: usize = 64;

/// On the disk at once, of contents that are not whole.
const BYTES_MAX: u64 = 4 << 30;

/// A client that sends nothing more for this long has given up.
pub(crate) const IDLE_MAX: DurationMs = DurationMs(60_000);

/// Parts of one client, and of all, that wait to be written: each is up to 256 KiB of memory.
const PARTS_PER_CLIENT_MAX: u32 = 4;
const PARTS_MAX: u32 = 128;

/// Who sends: a connection, or this process.
pub(crate) type Sender = Option<ClientId>;

/// A part of a content.
pub(crate) struct Part {
    pub(crate) digest: Digest,
    pub(crate) offset: u64,
    pub(crate) total: u64,
    pub(crate) bytes: Vec<u8>,
}

/// What is under way; on the thread that may block.
pub(crate) struct Uploads {
    content: Content,
    open: HashMap<(Sender, Digest), Upload>,
}

struct Upload {
    incoming: Incoming,
    heard: MonotonicMs,
}

impl Uploads {
    pub(crate) fn new(content: Content) -> Self {
        Self { content, open: HashMap::new() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Which of these contents are not stored.
    pub(crate) fn missing(&self, digests: Vec<Digest>) -> Result<Answer, Refusal> {
        let mut missing = Vec::new();
        for digest in digests {
            if !self.content.renew(&digest).map_err(store_failed)? {
                missing.push(digest);
            }
        }
        Ok(Answer::Missing { digests: missing })
    }

    /// Takes a part, and says which comes next.
    pub(crate) fn take(
        &mut self,
        sender: Sender,
        part: &Part,
        now: MonotonicMs,
    ) -> Result<Answer, Refusal> {
        self.forget_idle(now);
        let key = (sender, part.digest);
        if !self.open.contains_key(&key) {
            if self.content.renew(&part.digest).map_err(store_failed)? {
                return Ok(Answer::Received { next: part.total });
            }
            self.begin(key, part, now)?;
        }
        let Some(upload) = self.open.get_mut(&key) else { return Ok(Answer::Received { next: 0 }) };
        if upload.incoming.total() != part.total {
            self.open.remove(&key);
            return Err(Refusal::Invalid(format!("the length of {} has changed", part.digest)));
        }
        upload.heard = now;
        upload.incoming.add(part.offset, &part.bytes).map_err(store_failed)?;
        if !upload.incoming.is_whole() {
            return Ok(Answer::Received { next: upload.incoming.next() });
        }
        let Some(whole) = self.open.remove(&key) else {
            return Ok(Answer::Received { next: part.total });
        };
        match whole.incoming.finish().map_err(store_failed)? {
            true => Ok(Answer::Received { next: part.total }),
            false => {
                let message = format!("what was sent is not the content {}", part.digest);
                Err(Refusal::Invalid(message))
            }
        }
    }

    fn begin(
        &mut self,
        key: (Sender, Digest),
        part: &Part,
        now: MonotonicMs,
    ) -> Result<(), Refusal> {
        if part.total > CONTENT_BYTES_MAX {
            return Err(Refusal::Invalid(format!(
                "a content of {} bytes is not taken: at most {CONTENT_BYTES_MAX}",
                part.total
            )));
        }
        let of_sender = self.open.keys().filter(|(sender, _)| *sender == key.0).count();
        let bytes: u64 = self.open.values().map(|upload| upload.incoming.total()).sum();
        if of_sender >= PER_CLIENT_MAX
            || self.open.len() >= UPLOADS_MAX
            || bytes + part.total > BYTES_MAX
        {
            return Err(Refusal::Unavailable("too much is being sent at once".to_owned()));
        }
        let incoming = self.content.incoming(part.digest, part.total).map_err(store_failed)?;
        self.open.insert(key, Upload { incoming, heard: now });
        Ok(())
    }

    /// Drops what its client has given up.
    pub(crate) fn forget_idle(&mut self, now: MonotonicMs) {
        self.open.retain(|_, upload| now - upload.heard < IDLE_MAX);
    }
}

/// Parts that the event loop has handed over and that are not written yet.
#[derive(Default)]
pub(crate) struct PartsUnderWay {
    by_sender: HashMap<Sender, u32>,
    all: u32,
}

impl PartsUnderWay {
    /// Whether one more fits; it counts until [`Self::end`].
    pub(crate) fn begin(&mut self, sender: Sender) -> bool {
        let of_sender = self.by_sender.get(&sender).copied().unwrap_or_default();
        if of_sender >= PARTS_PER_CLIENT_MAX || self.all >= PARTS_MAX {
            return false;
        }
        self.by_sender.insert(sender, of_sender + 1);
        self.all += 1;
        true
    }

    pub(crate) fn end(&mut self, sender: Sender) {
        let Some(count) = self.by_sender.get_mut(&sender) else { return };
        self.all -= 1;
        *count -= 1;
        if *count == 0 {
            self.by_sender.remove(&sender);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: MonotonicMs = MonotonicMs(1_000);

    fn part(content: &[u8], offset: usize, len: usize) -> Part {
        let to = (offset + len).min(content.len());
        Part {
            digest: Digest::of(content),
            offset: offset as u64,
            total: content.len() as u64,
            bytes: content[offset.min(to)..to].to_vec(),
        }
    }

    fn next(answer: Result<Answer, Refusal>) -> u64 {
        match answer {
            Ok(Answer::Received { next }) => next,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn parts_make_a_content_in_any_order_of_arrival() {
        let content = Content::memory();
        let mut uploads = Uploads::new(content.clone());
        let whole = b"0123456789";
        assert_eq!(next(uploads.take(None, &part(whole, 4, 4), NOW)), 0, "it begins at 0");
        assert_eq!(next(uploads.take(None, &part(whole, 0, 4), NOW)), 4);
        assert_eq!(next(uploads.take(None, &part(whole, 0, 4), NOW)), 4, "repeated");
        assert_eq!(next(uploads.take(None, &part(whole, 8, 2), NOW)), 4, "too early");
        assert_eq!(next(uploads.take(None, &part(whole, 4, 4), NOW)), 8);
        assert_eq!(next(uploads.take(None, &part(whole, 8, 4), NOW)), 10);
        assert_eq!(content.get(&Digest::of(whole)).unwrap(), whole);
        assert!(uploads.is_empty());
        assert_eq!(next(uploads.take(None, &part(whole, 0, 4), NOW)), 10, "it is there");
        let digests = vec![Digest::of(b"x"), Digest::of(whole)];
        let missing = uploads.missing(digests).unwrap();
        assert_eq!(missing, Answer::Missing { digests: vec![Digest::of(b"x")] });
    }

    #[test]
    fn what_is_not_what_it_is_called_is_dropped() {
        let mut uploads = Uploads::new(Content::memory());
        let mut wrong = part(b"abc", 0, 3);
        wrong.bytes = b"abd".to_vec();
        assert!(matches!(uploads.take(None, &wrong, NOW), Err(Refusal::Invalid(_))));
        assert!(uploads.is_empty());
        assert_eq!(next(uploads.take(None, &part(b"abc", 0, 1), NOW)), 1);
        let mut longer = part(b"abc", 1, 1);
        longer.total = 4;
        assert!(matches!(uploads.take(None, &longer, NOW), Err(Refusal::Invalid(_))));
        assert!(uploads.is_empty());
        longer.total = CONTENT_BYTES_MAX + 1;
        assert!(matches!(uploads.take(None, &longer, NOW), Err(Refusal::Invalid(_))));
    }

    #[test]
    fn uploads_are_bounded_and_given_up_ones_forgotten() {
        let mut uploads = Uploads::new(Content::memory());
        let contents: Vec<Vec<u8>> = (0..=PER_CLIENT_MAX as u8).map(|n| vec![n; 2]).collect();
        for content in &contents[..PER_CLIENT_MAX] {
            assert_eq!(next(uploads.take(None, &part(content, 0, 1), NOW)), 1);
        }
        let last = part(&contents[PER_CLIENT_MAX], 0, 1);
        assert!(matches!(uploads.take(None, &last, NOW), Err(Refusal::Unavailable(_))));
        let later = MonotonicMs(NOW.0 + IDLE_MAX.0 - 1);
        assert_eq!(next(uploads.take(None, &part(&contents[0], 1, 0), later)), 1, "still known");
        assert_eq!(next(uploads.take(None, &last, MonotonicMs(later.0 + 1))), 1);
        assert_eq!(uploads.open.len(), 2, "the one that was heard of, and the new one");
        uploads.forget_idle(MonotonicMs(later.0 + 2 * IDLE_MAX.0));
        assert!(uploads.is_empty());
    }

    #[test]
    fn parts_in_memory_are_bounded() {
        let mut under_way = PartsUnderWay::default();
        for _ in 0..PARTS_PER_CLIENT_MAX {
            assert!(under_way.begin(None));
        }
        assert!(!under_way.begin(None));
        under_way.end(None);
        assert!(under_way.begin(None));
        (0..PARTS_PER_CLIENT_MAX).for_each(|_| under_way.end(None));
        assert_eq!((under_way.by_sender.len(), under_way.all), (0, 0));
    }
}
