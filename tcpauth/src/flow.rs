//! The bytes of one connection: all that is there is read at once, and all
//! answers leave in one write.
//!
//! An idle connection holds no buffers: what arrives is read into a buffer of
//! the thread, and only what cannot be used at once is kept.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use dmail_core::framing::{Ending, Frame, LineFault, LineFramer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How much is read at a time.
const READ_BYTES: usize = 32 * 1024;
/// An output buffer that grew beyond this is given back once it is sent.
const KEPT_OUTPUT_BYTES: usize = 4096;

thread_local! {
    /// Where the bytes of whoever is read right now arrive.
    static ARRIVAL: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into_boxed_slice());
}

/// A stream seen as lines in and lines out.
pub(crate) struct Flow<S> {
    stream: S,
    framer: LineFramer,
    /// Arrived and not used: `input[used..]`.
    input: Vec<u8>,
    used: usize,
    /// To be sent: `output[sent..]`.
    output: Vec<u8>,
    sent: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Flow<S> {
    /// Lines of at most `max_line` bytes.
    pub(crate) fn new(stream: S, max_line: usize) -> Self {
        Self {
            stream,
            framer: LineFramer::new(max_line, Ending::LfOrCrLf),
            input: Vec::new(),
            used: 0,
            output: Vec::new(),
            sent: 0,
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
            Frame::Line(line) => take(Ok(line), &mut self.output),
            Frame::Refused(fault) => take(Err(fault), &mut self.output),
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
        &mut self.output
    }

    /// How many bytes are still to be sent.
    pub(crate) fn unsent(&self) -> usize {
        self.output.len() - self.sent
    }

    /// Sends the output. Ready when all of it has left.
    pub(crate) fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.output.len() {
            let stream = Pin::new(&mut self.stream);
            match ready!(stream.poll_write(context, &self.output[self.sent..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.sent += count,
            }
        }
        if self.sent > 0 {
            // Questions of a client pass through here, too, with passwords.
            self.output.fill(0);
            self.output.clear();
            self.sent = 0;
            if self.output.capacity() > KEPT_OUTPUT_BYTES {
                self.output = Vec::new();
            }
        }
        // TLS keeps records of its own.
        Pin::new(&mut self.stream).poll_flush(context)
    }

    /// Reads what is there. `Ok(0)` is the end.
    pub(crate) fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.used > 0 {
            self.input[..self.used].fill(0);
            self.input.drain(..self.used);
            self.used = 0;
        }
        let (stream, input) = (&mut self.stream, &mut self.input);
        ARRIVAL.with_borrow_mut(|arrival| {
            let mut buffer = ReadBuf::new(arrival);
            ready!(Pin::new(stream).poll_read(context, &mut buffer))?;
            let count = buffer.filled().len();
            input.extend_from_slice(buffer.filled());
            buffer.filled_mut().fill(0);
            Poll::Ready(Ok(count))
        })
    }

    /// Says that nothing more will come.
    pub(crate) fn poll_close(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
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
