//! Who may connect over the network: answers libzmq's questions, and knows the lists.
//!
//! libzmq asks once a connection, at its handshake. So who is taken off a list afterwards is
//! refused by [`Guard::role`], which is asked for every message.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::keys::{KeyError, KeyList, PublicKey, read_list};
use crate::socket::{ZapQuestion, ZapSocket};
use crate::{Error, Hub, Seldom, Waker, clock};

/// How often the files of the lists are looked at; also how late the thread ends.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Refusals that are written to the log.
static REFUSALS: Seldom = Seldom::new(5);

/// What a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Take steps.
    Worker,
    /// Ask and start.
    Client,
}

/// The files that say who may connect. A key is in one of them at most.
#[derive(Debug, Clone, Default)]
pub struct KeyFiles {
    /// Keys of workers.
    pub workers: Option<PathBuf>,
    /// Keys of clients.
    pub clients: Option<PathBuf>,
}

#[derive(Debug, Default)]
struct Lists {
    workers: KeyList,
    clients: KeyList,
}

impl Lists {
    fn read(files: &KeyFiles) -> Result<Self, KeyError> {
        let read = |path: &Option<PathBuf>| path.as_deref().map(read_list).transpose();
        let (workers, clients) = (read(&files.workers)?, read(&files.clients)?);
        let lists =
            Self { workers: workers.unwrap_or_default(), clients: clients.unwrap_or_default() };
        match lists.workers.keys().find(|key| lists.clients.contains_key(key)) {
            Some(both) => Err(KeyError::Content {
                path: files.clients.clone().unwrap_or_default(),
                line: 1,
                problem: format!("the key {both} is also in the list of workers"),
            }),
            None => Ok(lists),
        }
    }
}

/// The lists as they are now; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    lists: Arc<RwLock<Lists>>,
}

impl Guard {
    /// What this key may do now.
    #[must_use]
    pub fn role(&self, key: &PublicKey) -> Option<Role> {
        let lists = self.lists.read().unwrap_or_else(PoisonError::into_inner);
        if lists.workers.contains_key(key) {
            Some(Role::Worker)
        } else {
            lists.clients.contains_key(key).then_some(Role::Client)
        }
    }

    /// The name beside the key, for people; empty if there is none.
    #[must_use]
    pub fn name(&self, key: &PublicKey) -> String {
        let lists = self.lists.read().unwrap_or_else(PoisonError::into_inner);
        lists.workers.get(key).or_else(|| lists.clients.get(key)).cloned().unwrap_or_default()
    }
}

/// The thread that answers; ends when this is dropped.
pub(crate) struct Doorkeeper {
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Doorkeeper {
    /// Reads the lists and answers from now on. `changed` is rung, and the flag is set, when the
    /// lists have changed. Must be started before anything is bound: libzmq lets everybody in
    /// while there is nobody to be asked.
    pub(crate) fn start(
        hub: &Hub,
        files: KeyFiles,
        changed: Waker,
    ) -> Result<(Self, Guard, Arc<AtomicBool>), Error> {
        let lists = Lists::read(&files).map_err(Error::Keys)?;
        let guard = Guard { lists: Arc::new(RwLock::new(lists)) };
        let socket = ZapSocket::bind(hub)?;
        let (stopped, flag) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let watch = Watch { seen: stamps(&files), files, guard: guard.clone() };
        let door = Door { socket, watch };
        let (seen, set) = (Arc::clone(&stopped), Arc::clone(&flag));
        let thread = thread::Builder::new()
            .name("wfhost-keys".to_owned())
            .spawn(move || {
                door.keep(&seen, &|| {
                    set.store(true, Ordering::SeqCst);
                    changed.wake();
                });
            })
            .map_err(|source| Error::system("start a thread", source))?;
        Ok((Self { stopped, thread: Some(thread) }, guard, flag))
    }
}

impl Drop for Doorkeeper {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            // It holds a socket, which has to go before the hub does.
            let _panicked = thread.join();
        }
    }
}

struct Door {
    socket: ZapSocket,
    watch: Watch,
}

impl Door {
    fn keep(mut self, stopped: &AtomicBool, changed: &dyn Fn()) {
        let mut look_at = clock::now() + LOOK_EVERY;
        while !stopped.load(Ordering::SeqCst) {
            let wait = look_at.saturating_duration_since(clock::now());
            match self.socket.question(wait.min(LOOK_EVERY)) {
                Ok(Some(question)) => self.answer(&question),
                Ok(None) => {}
                Err(error) => {
                    // Nobody is let in any more: who is in stays.
                    tracing::error!(%error, "new connections can no longer be checked");
                    return;
                }
            }
            if clock::now() >= look_at {
                look_at = clock::now() + LOOK_EVERY;
                if self.watch.reload() {
                    changed();
                }
            }
        }
    }

    fn answer(&mut self, question: &ZapQuestion) {
        let known = question.key.and_then(|key| Some((key, self.watch.guard.role(&key)?)));
        let by_key = known.map(|(key, role)| match role {
            Role::Worker => format!("w{key}"),
            Role::Client => format!("c{key}"),
        });
        let user = by_key
            .or_else(|| question.user.filter(|user| is_let_in(*user)).map(|_| LOCAL.to_owned()));
        if user.is_none() {
            note_refusal(question);
        }
        if let Err(error) = self.socket.answer(question, user.as_deref()) {
            tracing::warn!(%error, "a connection could not be answered");
        }
    }
}

/// What messages of this user's own processes are marked with.
const LOCAL: &str = "local";

/// This process's own user, and the one who may do anything here.
fn is_let_in(user: u32) -> bool {
    user == 0 || user == rustix::process::geteuid().as_raw()
}

/// What tells that a file was changed: a list is often replaced by renaming.
type Stamp = Option<(u64, i64, i64, u64)>;

fn stamps(files: &KeyFiles) -> [Stamp; 2] {
    [&files.workers, &files.clients].map(|path| {
        let meta = fs::metadata(path.as_deref()?).ok()?;
        Some((meta.ino(), meta.mtime(), meta.mtime_nsec(), meta.size()))
    })
}

struct Watch {
    files: KeyFiles,
    seen: [Stamp; 2],
    guard: Guard,
}

impl Watch {
    /// Reads the lists again if their files have changed; says whether they were taken. Lists
    /// that cannot be read leave everything as it is.
    fn reload(&mut self) -> bool {
        let now = stamps(&self.files);
        if now == self.seen {
            return false;
        }
        self.seen = now;
        match Lists::read(&self.files) {
            Ok(lists) => {
                let (workers, clients) = (lists.workers.len(), lists.clients.len());
                tracing::info!(workers, clients, "the lists of keys were read again");
                *self.guard.lists.write().unwrap_or_else(PoisonError::into_inner) = lists;
                true
            }
            Err(error) => {
                tracing::error!(%error, "the lists of keys stay as they were");
                false
            }
        }
    }
}

/// Strangers may knock as often as they like; the log holds a few of them.
fn note_refusal(question: &ZapQuestion) {
    if let Some(left_out) = REFUSALS.may() {
        let key = question.key.map_or_else(|| "none".to_owned(), |key| key.to_string());
        let (address, mechanism) = (&question.address, &question.mechanism);
        tracing::warn!(%address, %mechanism, %key, left_out, "a connection was refused: its key is in no list, or it is another user's");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_user_is_not_let_in() {
        let own = rustix::process::geteuid().as_raw();
        assert!(is_let_in(own) && is_let_in(0) && !is_let_in(own + 1));
    }

    #[test]
    fn a_key_in_both_lists_is_refused_and_bad_lists_change_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let write = |name: &str, text: &str| {
            fs::write(path(name), text).unwrap();
            fs::set_permissions(path(name), std::os::unix::fs::PermissionsExt::from_mode(0o600))
                .unwrap();
        };
        let files = KeyFiles { workers: Some(path("w")), clients: Some(path("c")) };
        let key: PublicKey = "01".repeat(32).parse().unwrap();
        write("w", &key.to_string());
        write("c", &key.to_string());
        assert!(matches!(Lists::read(&files), Err(KeyError::Content { .. })));
        write("c", "");
        let lists = RwLock::new(Lists::read(&files).unwrap());
        let guard = Guard { lists: Arc::new(lists) };
        let mut watch = Watch { seen: stamps(&files), files, guard: guard.clone() };
        assert_eq!(guard.role(&key), Some(Role::Worker));
        write("w", "nonsense");
        assert!(!watch.reload());
        assert_eq!(guard.role(&key), Some(Role::Worker));
        write("w", "# nobody");
        assert!(watch.reload());
        assert_eq!(guard.role(&key), None);
    }
}
