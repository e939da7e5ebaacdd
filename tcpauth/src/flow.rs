//! The lines of one connection, on top of its bytes.
//!
//! An idle connection holds no buffers: only what cannot be used at once is
//! kept.

use std::io;
use std::task::{Context, Poll};

use dmail_core::framing::{Ending, Frame, LineFault, LineFramer};
use tokio::io::{AsyncRead, AsyncWrite};

/// A stream seen as lines in and lines out.
pub(crate) struct Flow<S> {
    bytes: dmail_net::Flow<S>,
    framer: LineFramer,
    /// Arrived and not used: `input[used..]`.
    input: Vec<u8>,
    used: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Flow<S> {
    /// Lines of at most `max_line` bytes.
    pub(crate) fn new(stream: S, max_line: usize) -> Self {
        Self {
            bytes: dmail_net::Flow::new(stream),
            framer: LineFramer::new(max_line, Ending::LfOrCrLf),
            input: Vec::new(),
            used: 0,
        }
    }

    /// The next line that has arrived, given to `take` with the output; `None`
    /// if there is none.
    pub(crate) fn line<T>(
        &mut self,
        take: impl FnOnce(Result<&[u8], LineFault>, &mut Vec<u8>) -> T,
    ) -> Option<T> {
        let start = self.used;
        if start == self.input.len() {
            self.forget();
            return None;
        }
        let taken = self.framer.take(&self.input[start..]);
        self.used += taken.consumed;
        let taken = taken.frame.map(|frame| match frame {
            Frame::Line(line) => take(Ok(line), self.bytes.output()),
            Frame::Refused(fault) => take(Err(fault), self.bytes.output()),
        });
        if self.used == self.input.len() {
            self.forget();
        }
        taken
    }

    /// Whether a line has begun that has not ended.
    pub(crate) fn in_line(&self) -> bool {
        self.used < self.input.len() || self.framer.in_line()
    }

    /// Where answers are written to.
    pub(crate) fn output(&mut self) -> &mut Vec<u8> {
        self.bytes.output()
    }

    /// How many bytes are still to be sent.
    pub(crate) fn unsent(&self) -> usize {
        self.bytes.unsent()
    }

    /// Sends the output. Ready when all of it has left.
    pub(crate) fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.bytes.poll_send(context)
    }

    /// Reads what is there. `Ok(0)` is the end.
    pub(crate) fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.used > 0 {
            self.input[..self.used].fill(0);
            self.input.drain(..self.used);
            self.used = 0;
        }
        let input = &mut self.input;
        self.bytes.poll_read(context, |arrived| input.extend_from_slice(arrived))
    }

    /// Says that nothing more will come.
    pub(crate) fn poll_close(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.bytes.poll_close(context)
    }

    /// Wipes the input, all of which was used, and gives the buffer back.
    fn forget(&mut self) {
        if self.used > 0 {
            self.input.fill(0);
            self.input = Vec::new();
            self.used = 0;
        }
    }
}
