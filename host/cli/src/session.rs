//! Whom a command asks: the process that holds the data folder, or itself.
//!
//! A folder that nobody holds is opened here and the same requests are answered in this
//! process; a command that only reads leaves it as it was. A question that meets a process which
//! is just ending is asked again, of whoever has the folder then.

mod local;
mod remote;
#[cfg(test)]
mod tests;
mod upload;

use std::fmt;
use std::time::{Duration, Instant};

use wfhost_transport::Coordinator;
use wfhost_transport::client::{Answer, Refusal, Request, RunView, ShownRun};
use wfhost_workflow::{Digest, Json, RunId};

use crate::clock;
use crate::data_folder::DataDir;
use crate::error::{CommandError, Result};
use crate::exit_code::ExitCode;

pub(crate) use local::{
    BundleOptions, Durability, Local, Network, ServeOptions, content_of, store_format,
};
pub(crate) use remote::Remote;

/// For how long a folder that is just being taken or left is tried again.
const OPEN_LIMIT: Duration = Duration::from_secs(5);
/// Between two tries.
const OPEN_PAUSE: Duration = Duration::from_millis(50);

/// Another process that holds the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) pid: u32,
    /// Its command line.
    pub(crate) command: String,
    /// On the network; what the others are is not known then.
    pub(crate) address: Option<String>,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.address {
            Some(address) => write!(f, "the server at {address}"),
            None => write!(f, "process {}", self.pid),
        }
    }
}

impl Holder {
    /// Whether it stays when no run is left; the others end with their own run.
    pub(crate) fn serves(&self) -> bool {
        self.address.is_some() || self.command.split(' ').any(|word| word == "serve")
    }

    /// Where its runs are: `in process 7`.
    pub(crate) fn place(&self) -> String {
        match &self.address {
            Some(address) => format!("at {address}"),
            None => format!("in {self}"),
        }
    }
}

/// What the command is going to do.
#[derive(Clone)]
pub(crate) enum Purpose {
    /// Ask, or change what is stored, without running any step.
    Ask,
    /// Ask the process that serves the folder, and nobody else: the folder is never taken.
    Reach,
    /// Run steps.
    Serve(ServeOptions),
}

/// Where requests go.
pub(crate) struct Session {
    whom: Whom,
    purpose: Purpose,
    place: Place,
}

/// Who is asked: also when it is asked again.
#[derive(Clone)]
enum Whom {
    Folder(DataDir),
    Server(Coordinator),
}

enum Place {
    /// The folder holds nothing yet, and stays like that; or the session is over.
    Empty,
    /// This process holds the folder.
    Local(Box<Local>),
    /// Another one does.
    Remote(Box<Remote>),
}

/// Why this process could not take the folder.
pub(crate) enum OpenError {
    /// Another process has it.
    Held(Holder),
    /// Anything else.
    Failed(CommandError),
}

impl Session {
    /// Takes the folder, or finds the process that has it.
    pub(crate) fn open(data: &DataDir, purpose: &Purpose) -> Result<Self> {
        let place = match purpose {
            Purpose::Ask if !data.is_used() => Place::Empty,
            Purpose::Reach => Place::Remote(Box::new(reach(data)?)),
            Purpose::Ask | Purpose::Serve(_) => {
                data.create()?;
                let started = clock::instant();
                open_with(
                    || Local::open(data, purpose).map(|local| Place::Local(Box::new(local))),
                    |holder| {
                        Remote::connect(data, holder).map(|remote| Place::Remote(Box::new(remote)))
                    },
                    || wait_again(started),
                )?
            }
        };
        Ok(Self { whom: Whom::Folder(data.clone()), purpose: purpose.clone(), place })
    }

    /// A server on the network.
    pub(crate) fn of_server(server: &Coordinator, purpose: &Purpose) -> Result<Self> {
        let place = Place::Remote(Box::new(Remote::server(server)?));
        Ok(Self { whom: Whom::Server(server.clone()), purpose: purpose.clone(), place })
    }

    /// The process that serves the folder now; never waits.
    pub(crate) fn reach_once(data: &DataDir) -> Result<Self> {
        let place = Place::Remote(Box::new(Remote::reach(data)?));
        Ok(Self { whom: Whom::Folder(data.clone()), purpose: Purpose::Reach, place })
    }

    /// Nobody is asked any more; gives what was asked before.
    pub(crate) fn leave(&mut self) -> Self {
        let place = std::mem::replace(&mut self.place, Place::Empty);
        Self { whom: self.whom.clone(), purpose: self.purpose.clone(), place }
    }

    /// Asks whoever has the folder now, after the one that had it is gone.
    pub(crate) fn reopen(&mut self) -> Result<()> {
        self.leave().close_at_once();
        *self = match &self.whom {
            Whom::Folder(data) => Self::open(data, &self.purpose)?,
            Whom::Server(server) => Self::of_server(server, &self.purpose)?,
        };
        Ok(())
    }

    /// Who serves the requests, if it is another process.
    pub(crate) fn holder(&self) -> Option<&Holder> {
        match &self.place {
            Place::Empty | Place::Local(_) => None,
            Place::Remote(remote) => Some(remote.holder()),
        }
    }

    /// What this process holds, if it holds the folder.
    pub(crate) fn local(&self) -> Option<&Local> {
        match &self.place {
            Place::Local(local) => Some(local),
            Place::Empty | Place::Remote(_) => None,
        }
    }

    /// Whether the runs stop when this process does.
    pub(crate) fn is_local(&self) -> bool {
        matches!(self.place, Place::Local(_))
    }

    /// Puts contents where a run that is started will find them.
    pub(crate) fn store(&mut self, contents: &[(Digest, &[u8])]) -> Result<()> {
        let stored = match &self.place {
            Place::Local(local) => local.store(contents),
            Place::Empty | Place::Remote(_) => upload::upload(self, contents),
        };
        stored.map_err(|error| error.context("could not store the workflow"))
    }

    /// Gives the folder back; nothing is under way.
    pub(crate) fn close_at_once(self) {
        self.close(Duration::ZERO);
    }

    /// Gives the folder back; attempts under way get at most `limit` to end.
    pub(crate) fn close(self, limit: Duration) {
        match self.place {
            Place::Empty | Place::Remote(_) => {}
            Place::Local(local) => local.close(limit),
        }
    }

    fn request_once(&mut self, request: Request) -> Result<Answer> {
        match &mut self.place {
            Place::Empty => Ok(answer_of_nothing(&request)),
            Place::Local(local) => local.request(request),
            Place::Remote(remote) => remote.request(request),
        }
    }

    /// Asks until there is an answer or the time is over.
    fn read(&mut self, request: &Request) -> Result<Answer> {
        let started = clock::instant();
        loop {
            match self.request_once(request.clone()) {
                Err(error)
                    if error.code == ExitCode::Unreachable
                        && !self.is_local()
                        && wait_again(started) =>
                {
                    while let Err(error) = self.reopen() {
                        if error.code != ExitCode::Unreachable || !wait_again(started) {
                            return Err(error);
                        }
                    }
                }
                Ok(Answer::Refused(Refusal::Unavailable(_))) if wait_again(started) => {}
                result => return result,
            }
        }
    }
}

/// Waits for a process that has the folder and not yet its socket; not where there is none.
fn reach(data: &DataDir) -> Result<Remote> {
    let started = clock::instant();
    loop {
        match Remote::reach(data) {
            Err(_) if data.seems_held() && wait_again(started) => {}
            result => {
                return result.map_err(|error| {
                    error.hint(format!(
                        "`wfhost serve --data {0}` serves it; `wfhost run FILE` needs nobody else",
                        data.path().display()
                    ))
                });
            }
        }
    }
}

/// Whether a request changes nothing, or the second time nothing more, so that it can be asked again. Not those that wait: whoever
/// follows a run has its own way to go on.
const fn is_read(request: &Request) -> bool {
    match request {
        Request::Has { .. }
        | Request::Get { .. }
        | Request::Bundles
        | Request::Bundle { .. }
        | Request::List { .. }
        | Request::Find { .. }
        | Request::Show { .. }
        | Request::Events { .. }
        | Request::Logs { .. }
        | Request::Output { .. }
        | Request::Workers
        | Request::Prefetch { .. }
        | Request::Pool => true,
        Request::Start(_)
        | Request::StartDeployed(_)
        | Request::Deploy(_)
        | Request::ChangeBundle { .. }
        | Request::Put { .. }
        | Request::Retry { .. }
        | Request::Release { .. }
        | Request::DrainWorker { .. }
        | Request::RemoveWorker { .. }
        | Request::Scale { .. }
        | Request::Resume { .. }
        | Request::Cancel { .. }
        | Request::Remove { .. }
        | Request::Await { .. }
        | Request::Watch { .. } => false,
    }
}

fn wait_again(started: Instant) -> bool {
    let again = started.elapsed() < OPEN_LIMIT;
    if again {
        std::thread::sleep(OPEN_PAUSE);
    }
    again
}

/// A holder may be leaving while it is asked, or have the lock but not yet its socket: both
/// ways are tried in turn while `again` says so.
fn open_with<T>(
    mut take: impl FnMut() -> Result<T, OpenError>,
    mut connect: impl FnMut(&Holder) -> Result<T>,
    mut again: impl FnMut() -> bool,
) -> Result<T> {
    loop {
        let holder = match take() {
            Ok(session) => return Ok(session),
            Err(OpenError::Failed(error)) => return Err(error),
            Err(OpenError::Held(holder)) => holder,
        };
        let error = match connect(&holder) {
            Ok(session) => return Ok(session),
            Err(error) => error,
        };
        if !again() {
            return Err(error
                .context(format!(
                    "process {} (`{}`) holds the data folder",
                    holder.pid, holder.command
                ))
                .hint("end that process, or use another data folder with `--data PATH`"));
        }
    }
}

/// Whatever answers requests.
pub(crate) trait Requests {
    /// One request, one answer. Blocks at most as long as the request says, and a little more.
    fn request(&mut self, request: Request) -> Result<Answer>;

    /// For requests that are answered with `Done`.
    fn done(&mut self, request: Request) -> Result<()> {
        match self.request(request)? {
            Answer::Done => Ok(()),
            other => Err(unexpected(other)),
        }
    }

    /// For `List` and `Find`.
    fn runs(&mut self, request: Request) -> Result<Vec<ShownRun>> {
        match self.request(request)? {
            Answer::Runs(runs) => Ok(runs),
            other => Err(unexpected(other)),
        }
    }

    /// For `Show` and `Watch`.
    fn view(&mut self, request: Request) -> Result<RunView> {
        match self.request(request)? {
            Answer::Run(view) => Ok(*view),
            other => Err(unexpected(other)),
        }
    }

    /// For `Output`.
    fn output(&mut self, run: RunId, step: Option<String>) -> Result<Json> {
        match self.request(Request::Output { run, step })? {
            Answer::Output(json) => Ok(json),
            other => Err(unexpected(other)),
        }
    }

    /// The run that `prefix` means: the beginning of its id, or `latest`.
    fn find(&mut self, prefix: &str) -> Result<RunId> {
        let latest = prefix.eq_ignore_ascii_case("latest");
        let prefix = if latest { "latest".to_owned() } else { prefix.to_ascii_uppercase() };
        if !latest && !prefix.chars().all(|c| c.is_ascii_alphanumeric()) {
            return Err(not_found(&prefix));
        }
        let found = self.runs(Request::Find { prefix: prefix.clone() })?;
        match found.as_slice() {
            [] if latest => Err(CommandError::usage("there is no run yet")
                .hint("`wfhost run FILE` starts one; `--data` names another data folder")),
            [] => Err(not_found(&prefix)),
            [run] => Ok(run.summary.run),
            several => Err(CommandError::usage(format!(
                "`{prefix}` is the beginning of more than one run id"
            ))
            .hint(format!(
                "did you mean {}?",
                several
                    .iter()
                    .map(|run| format!("{} ({})", run.summary.run, run.summary.workflow))
                    .collect::<Vec<_>>()
                    .join(" or ")
            ))),
        }
    }
}

fn not_found(prefix: &str) -> CommandError {
    CommandError::usage(format!("no run begins with `{prefix}`"))
        .hint("`wfhost runs list --all` shows all of them")
}

/// What an answer means that does not belong to its request.
pub(crate) fn unexpected(answer: Answer) -> CommandError {
    match answer {
        Answer::Refused(refusal) => CommandError::from(refusal),
        Answer::Done
        | Answer::Missing { .. }
        | Answer::Received { .. }
        | Answer::Workers(_)
        | Answer::Pool(_)
        | Answer::Prefetched(_)
        | Answer::Part { .. }
        | Answer::Started(_)
        | Answer::Bundle(_)
        | Answer::Bundles(_)
        | Answer::Runs(_)
        | Answer::Run(_)
        | Answer::Events { .. }
        | Answer::Logs { .. }
        | Answer::Output(_)
        | Answer::Ended { .. } => CommandError::unreachable(
            "the answer does not belong to the request",
        )
        .hint("is the process that holds the data folder another version? see `wfhost --version`"),
    }
}

impl Requests for Session {
    fn request(&mut self, request: Request) -> Result<Answer> {
        match self.purpose {
            Purpose::Ask if is_read(&request) => self.read(&request),
            Purpose::Ask | Purpose::Reach | Purpose::Serve(_) => self.request_once(request),
        }
    }
}

fn answer_of_nothing(request: &Request) -> Answer {
    match request {
        Request::List { .. } | Request::Find { .. } => Answer::Runs(Vec::new()),
        Request::Prefetch { .. } => Answer::Prefetched(Vec::new()),
        Request::Bundles => Answer::Bundles(Vec::new()),
        Request::Start(_)
        | Request::StartDeployed(_)
        | Request::Get { .. }
        | Request::Deploy(_)
        | Request::ChangeBundle { .. }
        | Request::Bundle { .. }
        | Request::Has { .. }
        | Request::Put { .. }
        | Request::Retry { .. }
        | Request::Release { .. }
        | Request::Workers
        | Request::Pool
        | Request::DrainWorker { .. }
        | Request::RemoveWorker { .. }
        | Request::Scale { .. }
        | Request::Resume { .. }
        | Request::Cancel { .. }
        | Request::Show { .. }
        | Request::Events { .. }
        | Request::Logs { .. }
        | Request::Output { .. }
        | Request::Remove { .. }
        | Request::Await { .. }
        | Request::Watch { .. } => {
            Answer::Refused(Refusal::NotFound("there is no run yet".to_owned()))
        }
    }
}
