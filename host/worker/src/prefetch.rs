//! Components that are made ready before a step wants them: one after the other, in no slot.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::task::AbortHandle;
use wfhost_transport::message::{PREFETCH_ERROR_BYTES_MAX, PREFETCH_MAX};
use wfhost_workflow::{Digest, Failure};

use crate::attempt::{Surroundings, catch_panic};
use crate::report::Report;

/// What waits and what is under way.
#[derive(Default)]
pub(crate) struct Prefetches {
    waiting: VecDeque<Digest>,
    running: Option<(Digest, AbortHandle)>,
}

impl Prefetches {
    /// Puts a component at the end, unless it is there already. Over the bound it is left out: it
    /// is asked for again.
    pub(crate) fn want(&mut self, component: Digest) {
        let is_running = self.running.as_ref().is_some_and(|(running, _)| *running == component);
        if !is_running && self.waiting.len() < PREFETCH_MAX && !self.waiting.contains(&component) {
            self.waiting.push_back(component);
        }
    }

    /// Begins the next one, if none is under way. Its end is a [`Report::Prefetched`].
    pub(crate) fn begin(&mut self, runtime: &tokio::runtime::Handle, surroundings: &Surroundings) {
        if self.running.is_some() {
            return;
        }
        let Some(component) = self.waiting.pop_front() else { return };
        let executor = Arc::clone(&surroundings.executor);
        let (contents, reports) = (surroundings.contents.clone(), surroundings.reports.clone());
        let task = async move {
            let making = async { executor.prefetch(component, contents).await };
            let error = match catch_panic(making).await {
                Ok(Ok(())) => None,
                Ok(Err(failure)) => Some(shown(failure)),
                Err(panic) => {
                    Some(bounded(format!("the worker failed while it made it ready: {panic}")))
                }
            };
            reports.send(Report::Prefetched { component, error });
        };
        self.running = Some((component, runtime.spawn(task).abort_handle()));
    }

    /// One is over.
    pub(crate) fn ended(&mut self, component: Digest) {
        self.running.take_if(|(running, _)| *running == component);
    }

    /// Gives up all of it: the worker leaves.
    pub(crate) fn give_up(&mut self) {
        self.waiting.clear();
        if let Some((_, running)) = self.running.take() {
            running.abort();
        }
    }
}

fn shown(failure: Failure) -> String {
    bounded(failure.message)
}

fn bounded(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(PREFETCH_ERROR_BYTES_MAX));
    text
}
