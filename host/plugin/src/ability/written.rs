//! What a guest writes into its granted directories, counted before it is written.
//!
//! A directory has no room of its own: a guest that fills it fills the disk of the host. So
//! every function of WASI that makes a file or makes one longer passes here first. What is
//! deleted again is not given back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemView as _};
use wasmtime_wasi::p2::bindings::filesystem::types::{ErrorCode, HostDescriptor as _, PathFlags};
use wasmtime_wasi::p2::{
    DynOutputStream, FsResult, OutputStream, Pollable, StreamError, StreamResult,
};
use wfhost_workflow::{Limit, Limits};

use crate::ability::files::TYPES;
use crate::limits::OverLimit;
use crate::state::AttemptState;

/// What an attempt has written so far.
pub(crate) struct Written {
    bytes: AtomicU64,
    bytes_max: u64,
    files: AtomicU64,
    files_max: u64,
}

impl Written {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            bytes: AtomicU64::new(0),
            bytes_max: limits[Limit::Written],
            files: AtomicU64::new(0),
            files_max: limits[Limit::MadeFiles],
        }
    }

    /// Before `more` bytes are written.
    fn count(&self, more: u64) -> Result<(), OverLimit> {
        let before = self.bytes.fetch_add(more, Ordering::Relaxed);
        if before.saturating_add(more) <= self.bytes_max {
            return Ok(());
        }
        let what = "the step writes on and on into its directories";
        Err(OverLimit::new(Limit::Written, self.bytes_max, what))
    }

    /// Before a file, a directory or a link is made.
    pub(crate) fn count_file(&self) -> Result<(), OverLimit> {
        if self.files.fetch_add(1, Ordering::Relaxed) < self.files_max {
            return Ok(());
        }
        let what = "the step makes more and more files in its directories";
        Err(OverLimit::new(Limit::MadeFiles, self.files_max, what))
    }
}

/// Puts the counting before what wasmtime-wasi has linked.
pub(crate) fn link(linker: &mut Linker<AttemptState>) -> wasmtime::Result<()> {
    link_writes(linker)?;
    link_making(linker)
}

fn link_writes(linker: &mut Linker<AttemptState>) -> wasmtime::Result<()> {
    let mut types = linker.instance(TYPES)?;
    types.func_wrap_async(
        "[method]descriptor.write",
        |mut store, (file, bytes, at): (Resource<Descriptor>, Vec<u8>, u64)| {
            Box::new(async move {
                let state = store.data_mut();
                state.written.count(bytes.len() as u64)?;
                Ok((answer(state.filesystem().write(file, bytes, at).await)?,))
            })
        },
    )?;
    types.func_wrap_async(
        "[method]descriptor.set-size",
        |mut store, (file, size): (Resource<Descriptor>, u64)| {
            Box::new(async move {
                let state = store.data_mut();
                if let Descriptor::File(file) = state.table.get(&file)? {
                    // A file whose length is unknown counts as empty.
                    let len = file.file.metadata().map_or(0, |metadata| metadata.len());
                    state.written.count(size.saturating_sub(len))?;
                }
                Ok((answer(state.filesystem().set_size(file, size).await)?,))
            })
        },
    )?;
    types.func_wrap(
        "[method]descriptor.write-via-stream",
        |mut store, (file, at): (Resource<Descriptor>, u64)| {
            let state = store.data_mut();
            let stream = answer(state.filesystem().write_via_stream(file, at))?;
            Ok((counted(state, stream)?,))
        },
    )?;
    types.func_wrap(
        "[method]descriptor.append-via-stream",
        |mut store, (file,): (Resource<Descriptor>,)| {
            let state = store.data_mut();
            let stream = answer(state.filesystem().append_via_stream(file))?;
            Ok((counted(state, stream)?,))
        },
    )
}

fn link_making(linker: &mut Linker<AttemptState>) -> wasmtime::Result<()> {
    let mut types = linker.instance(TYPES)?;
    types.func_wrap_async(
        "[method]descriptor.create-directory-at",
        |mut store, (dir, path): (Resource<Descriptor>, String)| {
            Box::new(async move {
                let state = store.data_mut();
                state.written.count_file()?;
                Ok((answer(state.filesystem().create_directory_at(dir, path).await)?,))
            })
        },
    )?;
    types.func_wrap_async(
        "[method]descriptor.link-at",
        |mut store, (dir, flags, old, to, new): (_, PathFlags, String, _, String)| {
            Box::new(async move {
                let state = store.data_mut();
                state.written.count_file()?;
                let linked = state.filesystem().link_at(dir, flags, old, to, new).await;
                Ok((answer(linked)?,))
            })
        },
    )?;
    types.func_wrap_async(
        "[method]descriptor.symlink-at",
        |mut store, (dir, old, new): (Resource<Descriptor>, String, String)| {
            Box::new(async move {
                let state = store.data_mut();
                state.written.count_file()?;
                Ok((answer(state.filesystem().symlink_at(dir, old, new).await)?,))
            })
        },
    )
}

/// An error that the guest sees, or one that ends it.
fn answer<T>(result: FsResult<T>) -> wasmtime::Result<Result<T, ErrorCode>> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(error) => Ok(Err(error.downcast()?)),
    }
}

type Opened = Result<Resource<DynOutputStream>, ErrorCode>;

/// The same stream, counted.
fn counted(state: &mut AttemptState, stream: Opened) -> wasmtime::Result<Opened> {
    let stream = match stream {
        Ok(stream) => state.table.delete(stream)?,
        Err(code) => return Ok(Err(code)),
    };
    let counted: DynOutputStream =
        Box::new(Counted { stream, written: Arc::clone(&state.written) });
    Ok(Ok(state.table.push(counted)?))
}

struct Counted {
    stream: DynOutputStream,
    written: Arc<Written>,
}

impl Counted {
    fn count(&self, bytes: &Bytes) -> StreamResult<()> {
        self.written.count(bytes.len() as u64).map_err(|over| StreamError::Trap(over.into()))
    }
}

#[wasmtime_wasi::async_trait]
impl OutputStream for Counted {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.count(&bytes)?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.stream.flush()
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.stream.check_write()
    }

    async fn blocking_write_and_flush(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.count(&bytes)?;
        self.stream.blocking_write_and_flush(bytes).await
    }

    async fn cancel(&mut self) {
        self.stream.cancel().await;
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Counted {
    async fn ready(&mut self) {
        self.stream.ready().await;
    }
}
