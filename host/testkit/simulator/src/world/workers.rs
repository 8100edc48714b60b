//! What workers do, by their own will and when they are told.

use wfhost_workflow::run::AttemptOutcome;
use wfhost_workflow::{Attempt, Failure, FailureKind, Name, TaskId, WorkerId};

use super::{Happening, World};
use crate::fault::Fault;
use crate::node::{Direction, Message};
use crate::worker::{HEARTBEAT_MS, Worker};
use crate::workload;

impl World {
    pub(super) fn join(&mut self, slots: u32) {
        let id = WorkerId(self.workers.len() as u64);
        let worker = Worker::new(id, slots);
        let hello = worker.hello();
        self.workers.push(worker);
        self.send(Direction::FromWorker(id), &hello);
        self.after(HEARTBEAT_MS, Happening::Beat { worker: id });
    }

    pub(super) fn beat(&mut self, id: WorkerId) {
        let Some(worker) = self.workers.get(id.0 as usize).filter(|worker| worker.alive) else {
            return;
        };
        let id = worker.id;
        self.send(Direction::FromWorker(id), &Message::Heartbeat);
        if self.faults.strikes(Fault::Bogus, &mut self.random) {
            self.send_bogus(id);
        }
        self.after(HEARTBEAT_MS, Happening::Beat { worker: id });
    }

    /// A result, failure or loss of some attempt, whether there is one or not.
    pub(super) fn send_bogus(&mut self, id: WorkerId) {
        let task = self.notable_task();
        let Some(step) = self.node.as_ref().and_then(|node| node.step_of(task)) else { return };
        // Numbers that were given out: a worker cannot make up the token of another.
        let (floor, newest) = self.ledger.attempts();
        let base = if self.random.bool() { floor.0 } else { 0 };
        let attempt = Attempt(base + self.random.u32(1..3)).min(newest);
        let outcome = match self.random.u8(..3) {
            0 => self.result(step, task, attempt),
            1 => AttemptOutcome::Failed(workload::failure(&mut self.random)),
            _ => AttemptOutcome::Lost { reason: "bogus".to_owned(), worker: None },
        };
        self.send(Direction::FromWorker(id), &Message::Ended { task, attempt, outcome });
    }

    pub(super) fn at_worker(&mut self, id: WorkerId, message: &Message) {
        let Some(worker) = self.workers.get_mut(id.0 as usize).filter(|worker| worker.alive) else {
            return;
        };
        match *message {
            Message::Dispatch { ref step, task, attempt } => {
                self.executions += 1;
                let number = self.executions;
                worker.executions.insert(number, (step.clone(), task, attempt));
                if self.faults.strikes(Fault::WorkerDies, &mut self.random) {
                    return self.die(id);
                }
                if !self.faults.strikes(Fault::Hang, &mut self.random) {
                    let work = self.random.u64(1..200);
                    self.after(work, Happening::Execution { worker: id, number });
                }
            }
            Message::Cancel { task, attempt } => {
                // Also of an attempt that it does not have: the end may have got lost.
                worker.stop(task, attempt);
                let failure = Failure::new(FailureKind::Host, "cancelled", "made up");
                let outcome = AttemptOutcome::Failed(failure);
                let ended = Message::Ended { task, attempt, outcome };
                self.send(Direction::FromWorker(id), &ended);
            }
            Message::Rejoin => {
                let hello = worker.hello();
                self.send(Direction::FromWorker(id), &hello);
            }
            Message::Hello { .. } | Message::Heartbeat | Message::Gone | Message::Ended { .. } => {}
        }
    }

    pub(super) fn die(&mut self, id: WorkerId) {
        let worker = &mut self.workers[id.0 as usize];
        worker.alive = false;
        let slots = worker.slots;
        // A broken link is noticed at once; a machine that is off only by its silence.
        if self.random.bool() {
            self.send(Direction::FromWorker(id), &Message::Gone);
        }
        let pause = self.random.u64(50..1000);
        self.after(pause, Happening::Join { slots });
    }

    pub(super) fn execution_ends(&mut self, id: WorkerId, number: u64) {
        let Some(worker) = self.workers.get_mut(id.0 as usize).filter(|worker| worker.alive) else {
            return;
        };
        let Some((step, task, attempt)) = worker.executions.remove(&number) else { return };
        let outcome = if self.faults.strikes(Fault::StepFails, &mut self.random) {
            AttemptOutcome::Failed(workload::failure(&mut self.random))
        } else {
            self.result(step, task, attempt)
        };
        self.send(Direction::FromWorker(id), &Message::Ended { task, attempt, outcome });
    }

    pub(super) fn result(&mut self, step: Name, task: TaskId, attempt: Attempt) -> AttemptOutcome {
        let output = workload::answer(task, attempt, self.random.u64(..));
        self.ledger.was_given(step, task, attempt, output.clone());
        AttemptOutcome::Succeeded { output, kv: Vec::new() }
    }
}
