//! The hostile guests that are measured, and how each is called.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use wfhost_plugin::Invocation;
use wfhost_testkit::hostile;
use wfhost_workflow::{DirGrant, DirMode, Json, Limit, Limits};

/// One guest and its attack.
pub(crate) struct Guest {
    /// The words.
    pub(crate) what: &'static str,
    pub(crate) bytes: Box<dyn Fn() -> Vec<u8>>,
    pub(crate) attack: Attack,
    pub(crate) timeout: Duration,
    pub(crate) set: Set,
}

/// Makes an ordinary call the attack's.
pub(crate) type Set = Arc<dyn Fn(&mut Invocation) + Send + Sync>;

/// What is done with it.
#[derive(Clone, Copy)]
pub(crate) enum Attack {
    Call,
    Load,
    Describe,
}

/// Timeout of guests that end at theirs.
const TIMEOUT: Duration = Duration::from_millis(200);

const MIB: u64 = 1 << 20;

fn called(what: &'static str, name: &'static str) -> Guest {
    Guest {
        what,
        bytes: Box::new(|| hostile::guest(name)),
        attack: Attack::Call,
        timeout: TIMEOUT,
        set: Arc::new(|_| {}),
    }
}

fn described(what: &'static str, name: &'static str) -> Guest {
    Guest { attack: Attack::Describe, ..called(what, name) }
}

fn loaded(what: &'static str, bytes: fn() -> Vec<u8>) -> Guest {
    Guest { bytes: Box::new(bytes), attack: Attack::Load, ..called(what, "spin") }
}

/// A function of a component that knows nothing of this host: its input is an object.
fn function(what: &'static str, name: &'static str, function: &'static str) -> Guest {
    let set = move |invocation: &mut Invocation| {
        invocation.function = function.to_owned();
        invocation.input = Json::from_trusted("{}");
    };
    Guest { set: Arc::new(set), ..called(what, name) }
}

fn limited(what: &'static str, name: &'static str, limit: Limit, value: u64) -> Guest {
    let set = move |invocation: &mut Invocation| {
        invocation.limits = Limits::default().with(limit, value);
    };
    Guest { set: Arc::new(set), ..called(what, name) }
}

/// With `folder` granted, and a path as its input.
fn filed(
    what: &'static str,
    (name, function): (&'static str, &'static str),
    (folder, mode): (&Path, DirMode),
    path: &'static str,
) -> Guest {
    let host_path = folder.to_string_lossy().into_owned();
    let set = move |invocation: &mut Invocation| {
        let grant = DirGrant { host_path: host_path.clone(), guest_path: "/in".to_owned(), mode };
        invocation.function = function.to_owned();
        invocation.input = Json::from_value(&path.into());
        invocation.dirs = vec![grant];
        invocation.limits =
            Limits::default().with(Limit::Written, 4 * MIB).with(Limit::MadeFiles, 100);
    };
    Guest { set: Arc::new(set), ..called(what, name) }
}

/// All of them; `folder` is what some are granted.
pub(crate) fn all(folder: &Path) -> Vec<Guest> {
    [calls(), files(folder), components()].into_iter().flatten().collect()
}

fn calls() -> Vec<Guest> {
    vec![
        called("endless loop", "spin"),
        called("start function that loops", "start_spins"),
        called("loop when the host asks it for memory", "realloc_spins"),
        called("loop after its answer", "post_return_spins"),
        called("recursion", "recursion"),
        called("memory bomb", "memory_bomb"),
        called("memory bomb, every page written", "memory_touches"),
        limited("memory bomb over three memories", "memories_bomb", Limit::Memory, 5 * MIB),
        called("table bomb", "table_bomb"),
        called("handles of the host's", "handles"),
        function("handles of its own", "own_handles", "run"),
        called("huge argument list", "huge_list"),
        called("a million times the same timer", "polls"),
        called("100 MB output", "huge_output"),
        called("log flood", "log_flood"),
        called("stderr flood", "stderr_flood"),
        called("progress flood", "progress_flood"),
        called("sleeps past its deadline in a host call", "sleep"),
        called("wrong JSON", "no_json"),
        called("invalid UTF-8", "no_utf8"),
        called("a pointer that is not its own", "bad_pointer"),
        called("trap", "trap"),
        function("re-entrance", "reenters", "run"),
        function("trap in a destructor", "destructor_traps", "drops"),
        function("exports that vanish", "offers_one", "fetch-all"),
    ]
}

fn files(folder: &Path) -> Vec<Guest> {
    let read = (folder, DirMode::ReadOnly);
    let write = (folder, DirMode::ReadWrite);
    vec![
        filed("blocks in a file read (FIFO)", ("open", "read"), read, "fifo"),
        filed("outside by ..", ("open", "read"), read, "../secret"),
        filed("outside by an absolute path", ("open", "read"), read, "/etc/passwd"),
        filed("outside by a link", ("open", "read"), read, "link"),
        filed("outside by a race", ("races", "run"), read, "d"),
        filed("writes through a read-only grant", ("changes", "run"), read, "file"),
        filed("fills the disk: bytes", ("fills", "bytes"), write, "file"),
        filed("fills the disk: files", ("fills", "files"), write, "file"),
    ]
}

fn components() -> Vec<Guest> {
    vec![
        loaded("wrong types", || hostile::guest("wrong_types")),
        described("describe lies", "describe_lies"),
        described("describe loops", "describe_spins"),
        described("describe returns 1,000,000 schemas", "describe_floods"),
        described("schema with remote $ref", "describe_remote"),
        loaded("1,000 nested components", || hostile::nested(1000)),
        loaded("1,000,000 functions", || hostile::functions(1_000_000)),
    ]
}
