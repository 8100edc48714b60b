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
                if begun.ends_with(b"\n") {
                    self.emit(&std::mem::take(&mut *begun))?;
                } else if begun.len() >= LINE_BYTES_MAX {
                    let whole = begun.len() - unfinished(&begun);
                    let rest = begun.split_off(whole);
                    self.emit(&std::mem::replace(&mut *begun, rest))?;
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

/// How many bytes at the end are the beginning of a character whose rest is yet to come.
fn unfinished(bytes: &[u8]) -> usize {
    let tail = &bytes[bytes.len().saturating_sub(3)..];
    let lead = tail.iter().rposition(|byte| !(0x80..0xc0).contains(byte));
    let Some(begun) = lead.map(|at| &tail[at..]) else { return 0 };
    match std::str::from_utf8(begun) {
        Err(error) if error.error_len().is_none() => begun.len(),
        Ok(_) | Err(_) => 0,
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

#[cfg(test)]
mod tests {
    use wfhost_workflow::{Limit, Limits};

    use super::*;
    use crate::ability::StepSink;

    #[derive(Default)]
    struct Kept(Mutex<Vec<String>>);

    impl StepSink for Kept {
        fn log(&self, _level: LogLevel, message: String, _fields: Vec<(String, String)>) {
            self.0.lock().unwrap().push(message);
        }

        fn progress(&self, _done: u64, _total: u64, _message: String) {}
    }

    fn lines(writes: &[&[u8]]) -> Vec<String> {
        let kept = Arc::new(Kept::default());
        let limits = Limits::default().with(Limit::Log, u64::MAX);
        let pipe = Arc::new(LogPipe::new(Arc::clone(&kept) as Arc<dyn StepSink>, &limits, false));
        let stream = LineStream::new(pipe, LogLevel::Info);
        writes.iter().for_each(|bytes| stream.0.write(bytes).unwrap());
        drop(stream);
        let lines = kept.0.lock().unwrap();
        lines.clone()
    }

    #[test]
    fn characters_that_come_in_parts_are_whole() {
        assert_eq!(lines(&[b"a\xe6", b"\xbc", b"\xa2b\n"]), ["a\u{6f22}b"]);
        let long = [&vec![b'x'; LINE_BYTES_MAX - 1][..], "漢字".as_bytes(), b"\n"].concat();
        let all = lines(&[&long]).concat();
        assert!(all.ends_with("x漢字") && !all.contains('\u{fffd}'));
    }

    #[test]
    fn what_is_no_text_is_replaced() {
        assert_eq!(
            lines(&[b"a\xffb\n", b"\xe6\n", b"\xe6\xbc"]),
            ["a\u{fffd}b", "\u{fffd}", "\u{fffd}"]
        );
        let bytes = vec![0x80; 3 * LINE_BYTES_MAX];
        assert_eq!(lines(&[&bytes]).concat(), "\u{fffd}".repeat(bytes.len()));
    }
}
