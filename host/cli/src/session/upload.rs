//! Sends contents to the process that will run what is made of them, in parts.

use std::collections::VecDeque;
use std::time::Duration;

use wfhost_transport::client::{Answer, Refusal, Request};
use wfhost_transport::codec::CHUNK_BYTES;
use wfhost_workflow::Digest;

use super::{Requests, unexpected};
use crate::clock;
use crate::error::{CommandError, Result};

/// Digests in one question.
const ASKED_AT_ONCE: usize = 256;

/// For so long a server that has no room is asked again.
const BUSY_LIMIT: Duration = Duration::from_secs(30);
const BUSY_PAUSE: Duration = Duration::from_millis(20);

/// How often a part may be wanted that was sent before: each time, the server was restarted.
const STEPS_BACK_MAX: u32 = 100;

/// Sends what the server lacks.
pub(super) fn upload(server: &mut dyn Requests, contents: &[(Digest, &[u8])]) -> Result<()> {
    let mut left: VecDeque<_> = missing(server, contents)?.into();
    while let Some((digest, content)) = left.pop_front() {
        put(server, digest, content)?;
    }
    Ok(())
}

fn missing<'c>(
    server: &mut dyn Requests,
    contents: &[(Digest, &'c [u8])],
) -> Result<Vec<(Digest, &'c [u8])>> {
    let mut wanted = Vec::new();
    for contents in contents.chunks(ASKED_AT_ONCE) {
        let digests = contents.iter().map(|(digest, _)| *digest).collect();
        match server.request(Request::Has { digests })? {
            Answer::Missing { digests } => {
                wanted.extend(contents.iter().filter(|(digest, _)| digests.contains(digest)));
            }
            other => return Err(unexpected(other)),
        }
    }
    // One component may be several plugins.
    wanted.sort_by_key(|(digest, _)| *digest);
    wanted.dedup_by_key(|(digest, _)| *digest);
    Ok(wanted)
}

fn put(server: &mut dyn Requests, digest: Digest, content: &[u8]) -> Result<()> {
    let total = content.len() as u64;
    let (mut offset, mut steps_back) = (0, 0);
    let mut taken = clock::instant();
    loop {
        let rest = content.get(offset as usize..).unwrap_or_default();
        let bytes = rest[..rest.len().min(CHUNK_BYTES as usize)].to_vec();
        match server.request(Request::Put { digest, offset, total, bytes })? {
            Answer::Received { next } if next >= total => return Ok(()),
            Answer::Received { next } => {
                steps_back += u32::from(next <= offset);
                if steps_back > STEPS_BACK_MAX {
                    return Err(CommandError::unreachable("the server takes no part of it"));
                }
                (offset, taken) = (next, clock::instant());
            }
            Answer::Refused(Refusal::Unavailable(_)) if taken.elapsed() < BUSY_LIMIT => {
                std::thread::sleep(BUSY_PAUSE);
            }
            other => return Err(unexpected(other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit_code::ExitCode;
    use crate::fakes::Fake;

    fn offsets(fake: &Fake) -> Vec<u64> {
        fake.asked()
            .iter()
            .filter_map(|request| match request {
                Request::Put { offset, .. } => Some(*offset),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn only_what_is_missing_is_sent_and_in_parts() {
        let large = vec![7; CHUNK_BYTES as usize + 5];
        let (large_digest, known) = (Digest::of(&large), Digest::of(b"known"));
        let contents: [(Digest, &[u8]); 3] =
            [(known, b"known"), (large_digest, &large), (large_digest, &large)];
        let part = u64::from(CHUNK_BYTES);
        let mut fake = Fake::answering([
            Answer::Missing { digests: vec![large_digest, large_digest] },
            Answer::Received { next: part },
            Answer::Refused(Refusal::Unavailable("busy".to_owned())),
            // Another life of the server knows nothing of it.
            Answer::Received { next: 0 },
            Answer::Received { next: part },
            Answer::Received { next: part + 5 },
        ]);
        upload(&mut fake, &contents).unwrap();
        assert_eq!(offsets(&fake), [0, part, part, 0, part]);
    }

    #[test]
    fn a_server_that_takes_nothing_is_left() {
        let content = b"abc";
        let digest = Digest::of(content);
        let missing = Answer::Missing { digests: vec![digest] };
        let deaf = std::iter::repeat_n(Answer::Received { next: 0 }, 1000);
        let mut fake = Fake::answering(std::iter::once(missing.clone()).chain(deaf));
        let error = upload(&mut fake, &[(digest, content)]).unwrap_err();
        assert_eq!(error.code, ExitCode::Unreachable);
        let refused = Answer::Refused(Refusal::Invalid("no".to_owned()));
        let error =
            upload(&mut Fake::answering([missing, refused]), &[(digest, content)]).unwrap_err();
        assert_eq!(error.code, ExitCode::Invalid);
    }
}
