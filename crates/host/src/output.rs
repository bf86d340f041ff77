//! A component's output as log lines.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::{
    async_trait,
    cli::{IsTerminal, StdoutStream},
    p2::{OutputStream, Pollable, StreamResult},
};

/// The longest piece of a line. The host logs longer lines in pieces, so that an endless line cannot fill the memory.
const MAX_LINE_BYTES: usize = 8 * 1024;

/// The source of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Stdout,
    Stderr,
}

/// One of an instance's two outputs. Clones share the output.
#[derive(Clone)]
pub(crate) struct Output(Arc<Lines>);

struct Lines {
    component: String,
    source: Source,
    unfinished: Mutex<Vec<u8>>,
}

impl Output {
    pub(crate) fn new(component: &str, source: Source) -> Self {
        Self(Arc::new(Lines { component: component.to_owned(), source, unfinished: Mutex::default() }))
    }
}

impl Lines {
    fn write(&self, bytes: &[u8]) {
        let mut unfinished = self.unfinished.lock().unwrap_or_else(PoisonError::into_inner);
        split(&mut unfinished, bytes, |line| self.log(line));
    }

    fn log(&self, line: &[u8]) {
        let (component, line) = (&self.component, String::from_utf8_lossy(line));
        match self.source {
            Source::Stdout => tracing::info!(target: "rollcall_host::guest", %component, "{line}"),
            Source::Stderr => tracing::warn!(target: "rollcall_host::guest", %component, "{line}"),
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        let unfinished = std::mem::take(self.unfinished.get_mut().unwrap_or_else(PoisonError::into_inner));
        if !unfinished.is_empty() {
            self.log(&unfinished);
        }
    }
}

/// Logs each finished or overlong line, and keeps the rest.
fn split(unfinished: &mut Vec<u8>, bytes: &[u8], mut line: impl FnMut(&[u8])) {
    for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
        for piece in piece.chunks(MAX_LINE_BYTES) {
            if unfinished.len() + piece.len() > MAX_LINE_BYTES {
                line(unfinished);
                unfinished.clear();
            }
            unfinished.extend_from_slice(piece);
        }
        if let Some(finished) = unfinished.strip_suffix(b"\n") {
            line(finished);
            unfinished.clear();
        }
    }
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {}
}

impl OutputStream for Output {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.0.write(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(MAX_LINE_BYTES)
    }
}

impl AsyncWrite for Output {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.write(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(writes: &[&[u8]]) -> (Vec<String>, usize) {
        let mut unfinished = Vec::new();
        let mut lines = Vec::new();
        for bytes in writes {
            split(&mut unfinished, bytes, |line| lines.push(String::from_utf8_lossy(line).into_owned()));
        }
        (lines, unfinished.len())
    }

    #[test]
    fn lines_are_put_together_from_pieces() {
        let (lines, left) = lines(&[b"one\ntw", b"o\n\nthr"]);
        assert_eq!(lines, ["one", "two", ""]);
        assert_eq!(left, 3);
    }

    #[test]
    fn a_line_without_end_is_cut_into_pieces() {
        let long = vec![b'x'; 3 * MAX_LINE_BYTES + 10];
        let (lines, left) = lines(&[&long]);
        assert_eq!(lines.iter().map(String::len).collect::<Vec<_>>(), [MAX_LINE_BYTES; 3]);
        assert_eq!(left, 10);
    }
}
