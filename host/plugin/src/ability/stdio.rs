//! Standard output and error of a guest: whole lines become log lines.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

use crate::ability::LogLevel;
use crate::ability::log::LogPipe;
use crate::limits::OverLimit;

/// A longer line is passed on in parts.
const LINE_BYTES_MAX: usize = 8 << 10;
/// What a guest may write at once.
const WRITE_BYTES_MAX: usize = 64 << 10;

/// One of the two streams; its clones share the line that is being written.
#[derive(Clone)]
pub(crate) struct LineStream(Arc<Line>);

impl LineStream {
    pub(crate) fn new(log: Arc<LogPipe>, level: LogLevel) -> Self {
        Self(Arc::new(Line { log, level, begun: Mutex::new(Vec::new()) }))
    }
}

struct Line {
    log: Arc<LogPipe>,
    level: LogLevel,
    begun: Mutex<Vec<u8>>,
}

impl Line {
    fn write(&self, bytes: &[u8]) -> Result<(), OverLimit> {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            for part in part.chunks(LINE_BYTES_MAX) {
                begun.extend_from_slice(part);
                if begun.ends_with(b"\n") || begun.len() >= LINE_BYTES_MAX {
                    self.emit(&std::mem::take(&mut *begun))?;
                }
            }
        }
        Ok(())
    }

    fn emit(&self, line: &[u8]) -> Result<(), OverLimit> {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        self.log.write(self.level, String::from_utf8_lossy(line).into_owned(), Vec::new())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let rest = std::mem::take(self.begun.get_mut().unwrap_or_else(PoisonError::into_inner));
        if !rest.is_empty() {
            // The attempt is over: a line beyond its limit is only dropped.
            let _dropped = self.emit(&rest);
        }
    }
}

impl IsTerminal for LineStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for LineStream {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[wasmtime_wasi::async_trait]
impl OutputStream for LineStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.0.write(&bytes).map_err(|over| StreamError::Trap(over.into()))
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES_MAX)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for LineStream {
    async fn ready(&mut self) {}
}

impl AsyncWrite for LineStream {
    fn poll_write(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Poll::Ready(self.0.write(bytes).map(|()| bytes.len()).map_err(std::io::Error::other))
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
