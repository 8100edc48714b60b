//! How components are compiled.

use std::ffi::OsString;
use std::path::PathBuf;

use wfhost_workflow::DurationMs;

use crate::cache::CacheOptions;

/// Where and within which bounds components are compiled.
#[derive(Debug, Clone)]
pub struct CompileOptions {
    /// What compiles, as a process of its own; without it, threads of this one do, which the
    /// bounds below do not hold.
    pub program: Option<CompilerProgram>,
    /// What a compiler may allocate.
    pub memory_bytes: u64,
    /// How long it may take, waiting for a processor included.
    pub wall: DurationMs,
    /// How much processor time it may take.
    pub cpu: DurationMs,
    /// How much it gives way to everything else: 0 to 19.
    pub nice: u8,
    /// Compilers at once; more components wait.
    pub at_once: usize,
    /// Threads of each compiler; without it, as many as processors.
    pub threads: Option<usize>,
    /// What is made is kept there.
    pub cache: Option<CacheOptions>,
}

/// A program that does nothing but [`crate::compile::serve`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompilerProgram {
    /// Its file.
    pub program: PathBuf,
    /// What makes it do that.
    pub arguments: Vec<OsString>,
}

impl Default for CompileOptions {
    /// In this process, without a cache.
    fn default() -> Self {
        Self {
            program: None,
            memory_bytes: 4 << 30,
            wall: DurationMs::from_secs(10 * 60),
            cpu: DurationMs::from_secs(4 * 60),
            nice: 19,
            at_once: 2,
            threads: None,
            cache: None,
        }
    }
}
