//! Takes attempts from a coordinator, runs them, and reports how they ended.
//!
//! One thread owns the link and all bookkeeping; attempts are tasks on a tokio runtime and reach
//! the thread by a channel. Every attempt that is dispatched is reported exactly once, also when
//! it is stopped, panics, or its component cannot be had. Knows nothing of runs or workflows.

mod attempt;
mod clock;
mod component_folder;
mod content;
mod directories;
mod end;
mod executor;
mod fetch;
mod handle;
mod hearing;
mod origin;
mod outbox;
mod plugin_executor;
mod prefetch;
mod report;
mod sink;
mod untaken;
mod worker;

pub use component_folder::ComponentFolder;
pub use content::{COMPONENT_BYTES_MAX, ContentSource, Contents};
pub use directories::Directories;
pub use executor::{BoxFuture, Executor, FnExecutor, Job};
pub use handle::{Ending, StillRunning, WorkerHandle};
pub use origin::Trusting;
pub use plugin_executor::PluginExecutor;
pub use sink::AttemptSink;
pub use wfhost_plugin::Completion;
pub use worker::{News, Options, StartError, Worker};
