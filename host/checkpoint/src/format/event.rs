//! Events in their stored form.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use wfhost_workflow::run::{Event, KvWrite, StepOutput};
use wfhost_workflow::{
    Attempt, Digest, DurationMs, Failure, FailureKind, Json, Origin, PinnedPlugin, StepId, TaskId,
    TimestampMs,
};

use super::started::{StoredStarted, StoredUpgraded};
use super::value::{self, Fetch, Large, StoredBytes, StoredJson};
use super::{INLINE_BYTES_MAX, Unreadable};

/// One event. Names are part of the format.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum StoredEvent<'a> {
    Started(Box<StoredStarted<'a>>),
    StepSkipped {
        step: u32,
    },
    StepCompleted {
        step: u32,
        /// Absent: made from parts.
        output: Option<StoredJson<'a>>,
    },
    MapOpened {
        step: u32,
        items: u32,
        #[serde(with = "value::digest")]
        list: Digest,
    },
    AttemptScheduled {
        task: StoredTask,
        attempt: u32,
    },
    AttemptSucceeded {
        task: StoredTask,
        attempt: u32,
        output: StoredJson<'a>,
        kv: Vec<StoredKvWrite<'a>>,
    },
    AttemptFailed {
        task: StoredTask,
        attempt: u32,
        failure: StoredFailure<'a>,
        retry_at_ms: Option<u64>,
    },
    AttemptLost {
        task: StoredTask,
        attempt: u32,
        reason: Cow<'a, str>,
        /// Absent in what the first version wrote.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        worker: Option<Cow<'a, str>>,
    },
    StepQuarantined {
        task: StoredTask,
        attempt: u32,
        workers: Vec<Cow<'a, str>>,
    },
    StepReleased {
        task: StoredTask,
    },
    RunRetried {},
    Upgraded(Box<StoredUpgraded<'a>>),
    Succeeded {
        output: StoredJson<'a>,
    },
    Failed {
        task: Option<StoredTask>,
        failure: StoredFailure<'a>,
    },
    Cancelled {
        reason: Cow<'a, str>,
    },
}

#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) struct StoredTask {
    step: u32,
    index: Option<u32>,
}

impl From<TaskId> for StoredTask {
    fn from(TaskId { step, index }: TaskId) -> Self {
        Self { step: step.0, index }
    }
}

impl From<StoredTask> for TaskId {
    fn from(StoredTask { step, index }: StoredTask) -> Self {
        Self { step: StepId(step), index }
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct StoredKvWrite<'a> {
    key: Cow<'a, str>,
    value: Option<StoredBytes<'a>>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct StoredFailure<'a> {
    kind: Cow<'a, str>,
    code: Cow<'a, str>,
    message: Cow<'a, str>,
    retry_after_ms: Option<u64>,
}

impl<'a> StoredFailure<'a> {
    fn to_stored(failure: &'a Failure) -> Self {
        let Failure { kind, code, message, retry_after } = failure;
        Self {
            kind: Cow::Borrowed(kind.name()),
            code: Cow::Borrowed(code),
            message: Cow::Borrowed(message),
            retry_after_ms: retry_after.map(|wait| wait.0),
        }
    }

    fn into_failure(self) -> Result<Failure, Unreadable> {
        let kind: FailureKind = self
            .kind
            .parse()
            .map_err(|_| Unreadable::Form(format!("`{}` is no kind of failure", self.kind)))?;
        Ok(Failure {
            kind,
            code: self.code.into_owned(),
            message: self.message.into_owned(),
            retry_after: self.retry_after_ms.map(DurationMs),
        })
    }
}

/// The stored form of `event`; values too large for it are added to `large`.
pub(super) fn to_stored<'a>(event: &'a Event, large: &mut Large<'a>) -> StoredEvent<'a> {
    match event {
        Event::Started(started) => {
            StoredEvent::Started(Box::new(StoredStarted::to_stored(started, large)))
        }
        Event::StepSkipped { step } => StoredEvent::StepSkipped { step: step.0 },
        Event::StepCompleted { step, output } => {
            let output = match output {
                StepOutput::Value(json) => Some(StoredJson::to_stored(json, large)),
                StepOutput::Parts => None,
            };
            StoredEvent::StepCompleted { step: step.0, output }
        }
        Event::MapOpened { step, items, list } => {
            StoredEvent::MapOpened { step: step.0, items: *items, list: *list }
        }
        Event::AttemptScheduled { task, attempt } => {
            StoredEvent::AttemptScheduled { task: (*task).into(), attempt: attempt.0 }
        }
        Event::AttemptSucceeded { task, attempt, output, kv } => StoredEvent::AttemptSucceeded {
            task: (*task).into(),
            attempt: attempt.0,
            output: StoredJson::to_stored(output, large),
            kv: kv.iter().map(|write| kv_to_stored(write, large)).collect(),
        },
        Event::AttemptFailed { task, attempt, failure, retry_at } => StoredEvent::AttemptFailed {
            task: (*task).into(),
            attempt: attempt.0,
            failure: StoredFailure::to_stored(failure),
            retry_at_ms: retry_at.map(|at| at.0),
        },
        Event::AttemptLost { task, attempt, reason, worker } => StoredEvent::AttemptLost {
            task: (*task).into(),
            attempt: attempt.0,
            reason: Cow::Borrowed(reason),
            worker: worker.as_deref().map(Cow::Borrowed),
        },
        Event::StepQuarantined { task, attempt, workers } => StoredEvent::StepQuarantined {
            task: (*task).into(),
            attempt: attempt.0,
            workers: workers.iter().map(|worker| Cow::Borrowed(worker.as_str())).collect(),
        },
        Event::StepReleased { task } => StoredEvent::StepReleased { task: (*task).into() },
        Event::RunRetried => StoredEvent::RunRetried {},
        Event::Upgraded(upgraded) => {
            StoredEvent::Upgraded(Box::new(StoredUpgraded::to_stored(upgraded)))
        }
        Event::Succeeded { output } => {
            StoredEvent::Succeeded { output: StoredJson::to_stored(output, large) }
        }
        Event::Failed { task, failure } => StoredEvent::Failed {
            task: task.map(StoredTask::from),
            failure: StoredFailure::to_stored(failure),
        },
        Event::Cancelled { reason } => StoredEvent::Cancelled { reason: Cow::Borrowed(reason) },
    }
}

fn kv_to_stored<'a>(write: &'a KvWrite, large: &mut Large<'a>) -> StoredKvWrite<'a> {
    let KvWrite { key, value } = write;
    StoredKvWrite {
        key: Cow::Borrowed(key),
        value: value.as_deref().map(|bytes| StoredBytes::to_stored(bytes, large)),
    }
}

/// The event that was stored, with values fetched from where they are.
pub(super) fn from_stored(stored: StoredEvent<'_>, fetch: Fetch<'_>) -> Result<Event, Unreadable> {
    Ok(match stored {
        StoredEvent::Started(started) => Event::Started(Box::new(started.into_started(fetch)?)),
        StoredEvent::StepSkipped { step } => Event::StepSkipped { step: StepId(step) },
        StoredEvent::StepCompleted { step, output } => Event::StepCompleted {
            step: StepId(step),
            output: match output {
                Some(json) => StepOutput::Value(json.into_json(fetch)?),
                None => StepOutput::Parts,
            },
        },
        StoredEvent::MapOpened { step, items, list } => {
            Event::MapOpened { step: StepId(step), items, list }
        }
        StoredEvent::AttemptScheduled { task, attempt } => {
            Event::AttemptScheduled { task: task.into(), attempt: Attempt(attempt) }
        }
        StoredEvent::AttemptSucceeded { task, attempt, output, kv } => Event::AttemptSucceeded {
            task: task.into(),
            attempt: Attempt(attempt),
            output: output.into_json(fetch)?,
            kv: kv
                .into_iter()
                .map(|write| kv_from_stored(write, fetch))
                .collect::<Result<_, _>>()?,
        },
        StoredEvent::AttemptFailed { task, attempt, failure, retry_at_ms } => {
            Event::AttemptFailed {
                task: task.into(),
                attempt: Attempt(attempt),
                failure: failure.into_failure()?,
                retry_at: retry_at_ms.map(TimestampMs),
            }
        }
        StoredEvent::AttemptLost { task, attempt, reason, worker } => Event::AttemptLost {
            task: task.into(),
            attempt: Attempt(attempt),
            reason: reason.into_owned(),
            worker: worker.map(Cow::into_owned),
        },
        StoredEvent::StepQuarantined { task, attempt, workers } => Event::StepQuarantined {
            task: task.into(),
            attempt: Attempt(attempt),
            workers: workers.into_iter().map(Cow::into_owned).collect(),
        },
        StoredEvent::StepReleased { task } => Event::StepReleased { task: task.into() },
        StoredEvent::RunRetried {} => Event::RunRetried,
        StoredEvent::Upgraded(upgraded) => Event::Upgraded(Box::new(upgraded.into_upgraded()?)),
        StoredEvent::Succeeded { output } => Event::Succeeded { output: output.into_json(fetch)? },
        StoredEvent::Failed { task, failure } => {
            Event::Failed { task: task.map(TaskId::from), failure: failure.into_failure()? }
        }
        StoredEvent::Cancelled { reason } => Event::Cancelled { reason: reason.into_owned() },
    })
}

fn kv_from_stored(write: StoredKvWrite<'_>, fetch: Fetch<'_>) -> Result<KvWrite, Unreadable> {
    let value = write.value.map(|bytes| bytes.into_bytes(fetch)).transpose()?;
    Ok(KvWrite { key: write.key.into_owned(), value })
}

/// The contents that `event` refers to.
pub(super) fn references(event: &StoredEvent<'_>, found: &mut dyn FnMut(Digest)) {
    match event {
        StoredEvent::Started(started) => started.references(found),
        StoredEvent::Upgraded(upgraded) => upgraded.references(found),
        StoredEvent::StepCompleted { output, .. } => {
            if let Some(json) = output {
                json.references(found);
            }
        }
        StoredEvent::AttemptSucceeded { output, kv, .. } => {
            output.references(found);
            for bytes in kv.iter().filter_map(|write| write.value.as_ref()) {
                bytes.references(found);
            }
        }
        StoredEvent::Succeeded { output } => output.references(found),
        // A map's digest is of a list that is evaluated again, not of a content.
        StoredEvent::MapOpened { .. }
        | StoredEvent::StepSkipped { .. }
        | StoredEvent::AttemptScheduled { .. }
        | StoredEvent::AttemptFailed { .. }
        | StoredEvent::AttemptLost { .. }
        | StoredEvent::StepQuarantined { .. }
        | StoredEvent::StepReleased { .. }
        | StoredEvent::RunRetried {}
        | StoredEvent::Failed { .. }
        | StoredEvent::Cancelled { .. } => {}
    }
}

/// About how many bytes the stored form takes.
pub(super) fn weight_bytes(event: &Event) -> usize {
    const NAMES: usize = 80;
    let json = |json: &Json| inline_bytes(json.len_bytes());
    let failure = |failure: &Failure| failure.code.len() + failure.message.len() + 64;
    NAMES
        + match event {
            Event::Started(started) => {
                let made_from: usize = started.plugins.iter().map(plugin_bytes).sum();
                json(&started.input)
                    + made_from
                    + started.origin.as_ref().map_or(0, origin_bytes)
                    + 256
            }
            Event::Upgraded(upgraded) => {
                let made_from: usize = upgraded.plugins.iter().map(plugin_bytes).sum();
                made_from + upgraded.origin.as_ref().map_or(0, origin_bytes) + 256
            }
            Event::StepCompleted { output: StepOutput::Value(output), .. }
            | Event::Succeeded { output } => json(output),
            Event::AttemptSucceeded { output, kv, .. } => {
                let writes: usize = kv
                    .iter()
                    .map(|write| {
                        let value = write.value.as_ref().map_or(0, Vec::len);
                        write.key.len() + inline_bytes(value) + 32
                    })
                    .sum();
                json(output) + writes
            }
            Event::AttemptFailed { failure: why, .. } | Event::Failed { failure: why, .. } => {
                failure(why)
            }
            Event::AttemptLost { reason, worker, .. } => {
                reason.len() + worker.as_ref().map_or(0, |worker| worker.len() + 16)
            }
            Event::StepQuarantined { workers, .. } => {
                workers.iter().map(|worker| worker.len() + 8).sum()
            }
            Event::Cancelled { reason } => reason.len(),
            Event::StepCompleted { output: StepOutput::Parts, .. }
            | Event::StepSkipped { .. }
            | Event::MapOpened { .. }
            | Event::AttemptScheduled { .. }
            | Event::StepReleased { .. }
            | Event::RunRetried => 0,
        }
}

fn plugin_bytes(plugin: &PinnedPlugin) -> usize {
    let dirs = plugin.dirs.iter().map(|dir| dir.host_path.len() + dir.guest_path.len() + 64);
    let origin = plugin.plugin.as_ref().map_or(0, |from| from.name.len() + from.version.len() + 32);
    384 + dirs.sum::<usize>() + origin
}

fn origin_bytes(origin: &Origin) -> usize {
    let signers = origin.signers.iter().map(|signer| signer.len() + 8);
    origin.bundle.len() + origin.version.len() + signers.sum::<usize>() + 96
}

const fn inline_bytes(len: usize) -> usize {
    if len <= INLINE_BYTES_MAX { len } else { 48 }
}
