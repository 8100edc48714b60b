//! The hostile guests that are measured, and how each is called.

use std::time::Duration;

use wfhost_plugin::Invocation;
use wfhost_testkit::hostile;

/// One guest and its attack.
pub(crate) struct Guest {
    pub(crate) name: &'static str,
    pub(crate) bytes: Box<dyn Fn() -> Vec<u8>>,
    pub(crate) what: What,
    pub(crate) timeout: Duration,
    pub(crate) set: fn(&mut Invocation),
}

/// What the attack does.
#[derive(Clone, Copy)]
pub(crate) enum What {
    Call,
    Load,
    Describe,
}

/// Timeout of guests that end at theirs.
const TIMEOUT: Duration = Duration::from_millis(200);

fn called(name: &'static str) -> Guest {
    Guest {
        name,
        bytes: Box::new(|| hostile::guest(name)),
        what: What::Call,
        timeout: TIMEOUT,
        set: |_| {},
    }
}

fn made(name: &'static str, what: What, bytes: fn() -> Vec<u8>) -> Guest {
    Guest { name, bytes: Box::new(bytes), what, timeout: TIMEOUT, set: |_| {} }
}

pub(crate) fn all() -> Vec<Guest> {
    let mut all: Vec<Guest> = [
        "spin",
        "recursion",
        "memory_bomb",
        "memories_bomb",
        "table_bomb",
        "handles",
        "large_line",
        "large_output",
        "log_flood",
        "stderr_flood",
        "progress_flood",
        "sleep",
        "no_json",
        "no_utf8",
        "bad_pointer",
        "trap",
        "exit",
    ]
    .map(called)
    .into();
    for name in ["describe_floods", "describe_lies"] {
        all.push(Guest { what: What::Describe, ..called(name) });
    }
    all.push(made("1,000 nested components", What::Load, || hostile::nested(1000)));
    all.push(made("1,000,000 functions", What::Load, || hostile::functions(1_000_000)));
    all
}
