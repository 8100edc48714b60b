//! How attempts end: what workers say of it, and large outputs, which come in parts.

use wfhost_transport::message::{CANCELLED, NO_SLOT, Outcome, Payload, ToWorker};
use wfhost_workflow::run::{AttemptOutcome, Input};
use wfhost_workflow::{
    AttemptId, Failure, FailureKind, Json, Limit, LimitSource, MonotonicMs, WorkerId,
};

use crate::commands::{Ended, ReplyTo};
use crate::deliveries::{Delivery, DeliveryError};
use crate::event_loop::EventLoop;
use crate::queries::Query;

impl EventLoop {
    /// An attempt that the worker was given has ended there.
    pub(super) fn outcome(&mut self, worker: WorkerId, attempt: AttemptId, outcome: Outcome) {
        let outcome = match outcome {
            Outcome::Succeeded { output: Payload::Inline(output), kv } => {
                AttemptOutcome::Succeeded { output, kv }
            }
            Outcome::Succeeded { output: Payload::Reference { digest, len }, kv } => {
                return self.deliver(worker, Delivery::new(attempt, digest, len, kv));
            }
            // The worker's doing, not the step's: it stops, or still has what was given up here.
            Outcome::Failed(failure)
                if failure.kind == FailureKind::Host
                    && (failure.code == CANCELLED || failure.code == NO_SLOT) =>
            {
                AttemptOutcome::Lost { reason: failure.message, worker: None }
            }
            Outcome::Failed(failure) => AttemptOutcome::Failed(failure),
        };
        self.attempt_ended(worker, attempt, outcome);
    }

    /// If not on this connection, or by this process, it still may count.
    fn attempt_ended(&mut self, worker: WorkerId, attempt: AttemptId, outcome: AttemptOutcome) {
        let held = self.dispatcher.placement.holder(&attempt) == Some(worker);
        let now = self.parts.clock.monotonic();
        let decisions = self.dispatcher.placement.ended(now, worker, attempt);
        if held {
            self.release(attempt);
        }
        self.carry_out(decisions);
        let ended = match &outcome {
            AttemptOutcome::Succeeded { .. } => Ended::Done,
            AttemptOutcome::Failed(_) => Ended::Failed,
            AttemptOutcome::Lost { .. } => Ended::Lost,
        };
        let AttemptId { run, task, attempt: number } = attempt;
        let input = Input::AttemptEnded { task, attempt: number, outcome };
        self.take(run, input, Some(ReplyTo::Taken(worker, attempt, ended)));
    }

    /// An output is to be fetched. Until it is here the attempt is the worker's: if that one dies,
    /// the attempt is lost.
    fn deliver(&mut self, worker: WorkerId, delivery: Delivery) {
        let attempt = delivery.attempt;
        let Some(slot) = self.runs.get(attempt.run) else {
            // The run is over, or was removed.
            self.note_late(&ReplyTo::Taken(worker, attempt, Ended::Done));
            return self.send(worker, &ToWorker::Taken { attempt });
        };
        let bytes_max = slot.limits_of(attempt.task)[Limit::Output];
        if delivery.len > bytes_max {
            let what = format!("the step's output has {} bytes", delivery.len);
            let remedy = LimitSource::Workflow.remedy(Limit::Output, None);
            let failure = Failure::over_limit(Limit::Output, bytes_max, &what, &remedy);
            return self.attempt_ended(worker, attempt, AttemptOutcome::Failed(failure));
        }
        self.dispatcher.placement.delivers(worker, attempt);
        self.dispatcher.deliveries.add(worker, delivery);
        self.ask_for_outputs();
    }

    fn ask_for_outputs(&mut self) {
        let now = self.parts.clock.monotonic();
        for part in self.dispatcher.deliveries.parts(now) {
            let (attempt, offset, len) = (part.attempt, part.offset, part.len);
            self.send(part.worker, &ToWorker::Fetch { attempt, offset, len });
        }
    }

    /// A part of an output has come.
    pub(super) fn output_part(
        &mut self,
        worker: WorkerId,
        attempt: AttemptId,
        part: (u64, u64, &[u8]),
    ) {
        let now = self.parts.clock.monotonic();
        match self.dispatcher.deliveries.chunk(now, worker, attempt, part) {
            None => {}
            Some((delivery, Ok(bytes))) => {
                let delivery = Box::new(delivery);
                self.ask(Query::Receive { delivery, bytes }, ReplyTo::Worker(worker));
            }
            Some((delivery, Err(error))) => self.undelivered(worker, delivery.attempt, &error),
        }
        self.ask_for_outputs();
    }

    /// An output is here and was looked at.
    pub(crate) fn received(
        &mut self,
        worker: WorkerId,
        delivery: Delivery,
        output: Result<Json, String>,
    ) {
        let Delivery { attempt, kv, .. } = delivery;
        let outcome = match output {
            Ok(output) => AttemptOutcome::Succeeded { output, kv },
            Err(error) => {
                let message = format!("the output cannot be used: {error}");
                let failure = Failure::new(FailureKind::Host, "output-damaged", message);
                AttemptOutcome::Failed(failure)
            }
        };
        self.attempt_ended(worker, attempt, outcome);
    }

    pub(super) fn give_up_silent_outputs(&mut self, now: MonotonicMs) {
        for (worker, delivery) in self.dispatcher.deliveries.silent(now) {
            self.undelivered(worker, delivery.attempt, &DeliveryError::Silence);
        }
        self.ask_for_outputs();
    }

    fn undelivered(&mut self, worker: WorkerId, attempt: AttemptId, error: &DeliveryError) {
        let message = format!("the output cannot be had from the worker: {error}");
        let failure = Failure::new(FailureKind::Host, "output-missing", message);
        self.attempt_ended(worker, attempt, AttemptOutcome::Failed(failure));
    }
}
