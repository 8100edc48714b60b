//! Asks a coordinator as any client does, by the protocol itself: thousands of runs are not
//! thousands of processes.

use std::time::Duration;

use wfhost_transport::client::{Answer, Refusal, Request, ShownRun, ShownWorker};
use wfhost_transport::codec::CHUNK_BYTES;
use wfhost_transport::{ClientLink, Error, Hub, Target};
use wfhost_workflow::run::RunStatus;
use wfhost_workflow::{Digest, Revision, RunId};

use crate::clock;
use crate::failure::{Doing as _, Failure, Result};
use crate::history::{Counted, Happened, Journal, Task, View};

/// For one answer.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// For a coordinator that is being started again.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(10);

/// Records and runs in one answer.
const PAGE: u32 = 500;

/// A connection to a coordinator, made anew whenever it is lost.
pub(crate) struct Client {
    hub: Hub,
    target: Target,
    link: Option<ClientLink>,
}

impl Client {
    pub(crate) fn new(target: Target) -> Self {
        Self { hub: Hub::new(), target, link: None }
    }

    /// Asks once; nothing is known of the request after an error.
    pub(crate) fn ask_once(&mut self, request: &Request) -> std::result::Result<Answer, Error> {
        let link = match &mut self.link {
            Some(link) => link,
            None => self.link.insert(ClientLink::connect(&self.hub, self.target.clone())?),
        };
        let answer = link.request(request, ANSWER_MAX);
        if answer.is_err() {
            self.link = None;
        }
        answer
    }

    /// Asks until there is an answer: of requests that may be repeated.
    pub(crate) fn ask(&mut self, request: &Request) -> Result<Answer> {
        let began = clock::now();
        loop {
            let why = match self.ask_once(request) {
                Ok(Answer::Refused(Refusal::Unavailable(why) | Refusal::Store(why))) => why,
                Ok(answer) => return Ok(answer),
                Err(error) => error.to_string(),
            };
            if began.elapsed() > PATIENCE {
                return Err(Failure::new(format!("no answer to {request:?}: {why}")));
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Sends what the coordinator lacks.
    pub(crate) fn upload(&mut self, contents: &[&[u8]]) -> Result<()> {
        for content in contents {
            let (digest, total) = (Digest::of(content), content.len() as u64);
            let has = self.ask(&Request::Has { digests: vec![digest] })?;
            if matches!(has, Answer::Missing { digests } if digests.is_empty()) {
                continue;
            }
            let mut offset = 0;
            while offset < total {
                let rest = content.get(offset as usize..).unwrap_or_default();
                let bytes = rest[..rest.len().min(CHUNK_BYTES as usize)].to_vec();
                match self.ask(&Request::Put { digest, offset, total, bytes })? {
                    Answer::Received { next } => offset = next,
                    other => return Err(unexpected(&other)),
                }
            }
        }
        Ok(())
    }

    /// A run's whole journal; `None`: there is no such run.
    pub(crate) fn journal(&mut self, run: RunId) -> Result<Option<Journal>> {
        let (mut journal, mut after) = (Journal::new(), Revision(0));
        loop {
            match self.ask(&Request::Events { run, after, limit: PAGE })? {
                Answer::Events { events, next } => {
                    journal.extend(events.into_iter().map(happened));
                    match next {
                        Some(next) => after = next,
                        None => return Ok(Some(journal)),
                    }
                }
                Answer::Refused(Refusal::NotFound(_)) => return Ok(None),
                other => return Err(unexpected(&other)),
            }
        }
    }

    pub(crate) fn view(&mut self, run: RunId) -> Result<View> {
        let Answer::Run(view) = self.ask(&Request::Show { run })? else {
            return Err(Failure::new(format!("run {run} cannot be shown")));
        };
        let steps = view.steps.into_iter().map(|step| {
            let state = serde_json::to_value(step.state).unwrap_or_default();
            (step.name, state.as_str().unwrap_or_default().to_owned(), step.items)
        });
        let status = serde_json::to_value(view.run.status).unwrap_or_default();
        Ok(View {
            status: status.as_str().unwrap_or_default().to_owned(),
            output: view.output.map(|output| output.to_value()),
            steps: steps.collect(),
        })
    }

    /// Every run, the newest first.
    pub(crate) fn list(&mut self) -> Result<Vec<ShownRun>> {
        let (mut all, mut before) = (Vec::new(), None);
        loop {
            let request = Request::List { before, limit: PAGE, status: Vec::new() };
            match self.ask(&request)? {
                Answer::Runs(page) if page.is_empty() => return Ok(all),
                Answer::Runs(page) => {
                    before = page.last().map(|run| run.summary.run);
                    all.extend(page);
                }
                other => return Err(unexpected(&other)),
            }
        }
    }

    pub(crate) fn workers(&mut self) -> Result<Vec<ShownWorker>> {
        match self.ask(&Request::Workers)? {
            Answer::Workers(workers) => Ok(workers),
            other => Err(unexpected(&other)),
        }
    }

    /// The worker of this name as soon as it is as wanted.
    pub(crate) fn worker_when(
        &mut self,
        name: &str,
        limit: Duration,
        mut is: impl FnMut(Option<&ShownWorker>) -> bool,
    ) -> Result<()> {
        let found = clock::until(limit, || match self.workers() {
            Ok(workers) => is(workers.iter().find(|it| it.name == name)).then_some(Ok(())),
            Err(error) => Some(Err(error)),
        });
        found.doing(format_args!("wait for worker {name} to be as wanted"))?
    }
}

/// Of a list.
pub(crate) fn counted(runs: &[ShownRun]) -> Counted {
    let of = |status| runs.iter().filter(|run| run.summary.status == status).count();
    Counted {
        running: of(RunStatus::Running),
        succeeded: of(RunStatus::Succeeded),
        failed: of(RunStatus::Failed),
        cancelled: of(RunStatus::Cancelled),
        ..Counted::default()
    }
}

fn happened(event: wfhost_transport::client::ShownEvent) -> Happened {
    let value = event.details.get("output").or_else(|| event.details.get("input"));
    Happened {
        revision: event.revision.0,
        task: event.step.map(|step| Task { step, index: event.index }),
        attempt: event.attempt,
        value: value.map(|value| value.to_value().to_string()),
        again: event.details.contains_key("retry-at"),
        name: event.event,
    }
}

pub(crate) fn unexpected(answer: &Answer) -> Failure {
    match answer {
        Answer::Refused(refusal) => Failure::new(format!("refused: {refusal}")),
        other => Failure::new(format!("an answer that does not fit: {other:?}")),
    }
}
