//! How an attempt ended: what is said of it, and the output that this may only refer to.

use std::sync::Arc;

use wfhost_plugin::Completion;
use wfhost_transport::codec::CHUNK_BYTES;
use wfhost_transport::message::{FromWorker, INLINE_BYTES_MAX, Outcome, Payload, Token};
use wfhost_workflow::{AttemptId, Digest, Failure, Json};

/// Beside its output: keys, texts and what keeps it in a table.
const END_BYTES: usize = 512;

/// An attempt's end.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct End {
    outcome: Outcome,
    /// The output, if the outcome refers to it.
    body: Option<Json>,
}

impl End {
    /// A large output is named by its digest, which is made on a thread that may block.
    pub(crate) async fn completed(completion: Completion) -> Self {
        let Completion { output, kv } = completion;
        if output.len_bytes() <= INLINE_BYTES_MAX {
            let outcome = Outcome::Succeeded { output: Payload::Inline(output), kv };
            return Self { outcome, body: None };
        }
        let body = output.clone();
        let digest = tokio::task::spawn_blocking(move || Digest::of(body.as_str().as_bytes()));
        let digest = match digest.await {
            Ok(digest) => digest,
            // The runtime is ending; nothing else can be said in time.
            Err(_ended) => Digest::of(output.as_str().as_bytes()),
        };
        let len = output.len_bytes() as u64;
        let outcome = Outcome::Succeeded { output: Payload::Reference { digest, len }, kv };
        Self { outcome, body: Some(output) }
    }

    pub(crate) const fn failed(failure: Failure) -> Self {
        Self { outcome: Outcome::Failed(failure), body: None }
    }

    /// One that was stored. `None`: the body is not what the outcome refers to.
    pub(crate) fn stored(outcome: Outcome, body: &[u8]) -> Option<Self> {
        let body = match &outcome {
            Outcome::Succeeded { output: Payload::Reference { digest, len }, .. } => {
                let is_it = body.len() as u64 == *len && Digest::of(body) == *digest;
                Some(is_it.then(|| std::str::from_utf8(body).ok())??)
            }
            Outcome::Succeeded { output: Payload::Inline(_), .. } | Outcome::Failed(_) => None,
        };
        let body = body.map(|text| Json::from_trusted(Arc::from(text)));
        Some(Self { outcome, body })
    }

    pub(crate) fn message(&self, attempt: AttemptId, token: Token) -> FromWorker {
        FromWorker::Ended { attempt, token, outcome: self.outcome.clone() }
    }

    /// The output, if the message only refers to it.
    pub(crate) fn body(&self) -> Option<&Json> {
        self.body.as_ref()
    }

    /// A part of the output, for a coordinator that asks for it.
    pub(crate) fn part(&self, attempt: AttemptId, offset: u64, len: u32) -> FromWorker {
        let body = self.body.as_ref().map_or(&[][..], |body| body.as_str().as_bytes());
        let total = body.len() as u64;
        let from = offset.min(total) as usize;
        let to = offset.saturating_add(u64::from(len.min(CHUNK_BYTES))).min(total) as usize;
        FromWorker::Chunk { attempt, offset, total, bytes: body[from..to].to_vec() }
    }

    /// What it takes in memory, about.
    pub(crate) fn bytes(&self) -> usize {
        let content = match &self.outcome {
            Outcome::Succeeded { output, kv } => {
                let written = kv
                    .iter()
                    .map(|write| write.key.len() + write.value.as_ref().map_or(0, Vec::len));
                let inline = match output {
                    Payload::Inline(output) => output.len_bytes(),
                    Payload::Reference { .. } => 0,
                };
                inline + written.sum::<usize>()
            }
            Outcome::Failed(failure) => failure.message.len() + failure.code.len(),
        };
        content + self.body.as_ref().map_or(0, Json::len_bytes) + END_BYTES
    }
}
