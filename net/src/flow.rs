//! The bytes of one connection: all that is there is read at once, and all
//! that is to be said leaves in one write.
//!
//! It holds no buffer while nothing is said: what arrives does so in a buffer
//! of the thread, and whoever reads keeps what cannot be used at once.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How much is read at a time.
const READ_BYTES: usize = 32 * 1024;
/// An output buffer that grew beyond this is given back once it is sent.
const KEPT_OUTPUT_BYTES: usize = 4096;

thread_local! {
    /// Where the bytes of whoever is read right now arrive.
    static ARRIVAL: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into_boxed_slice());
}

/// A stream, and what is still to be sent on it.
#[derive(Debug)]
pub struct Flow<S> {
    stream: S,
    /// To be sent: `output[sent..]`.
    output: Vec<u8>,
    sent: usize,
}

impl<S> Flow<S> {
    /// Nothing was sent yet.
    pub fn new(stream: S) -> Self {
        Self { stream, output: Vec::new(), sent: 0 }
    }

    /// Where answers are written to.
    pub fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// How many bytes are still to be sent.
    #[must_use]
    pub fn unsent(&self) -> usize {
        self.output.len() - self.sent
    }

    /// The stream, for what only it can do.
    #[must_use]
    pub fn stream(&self) -> &S {
        &self.stream
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Flow<S> {
    /// Sends the output. Ready when all of it has left.
    ///
    /// # Errors
    ///
    /// The connection's.
    pub fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
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

    /// Reads what is there and shows it to `take`, which copies what it wants:
    /// nothing is left of it afterwards. `Ok(0)` is the end.
    ///
    /// # Errors
    ///
    /// The connection's.
    pub fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        take: impl FnOnce(&[u8]),
    ) -> Poll<io::Result<usize>> {
        let stream = &mut self.stream;
        ARRIVAL.with_borrow_mut(|arrival| {
            let mut buffer = ReadBuf::new(arrival);
            ready!(Pin::new(stream).poll_read(context, &mut buffer))?;
            let count = buffer.filled().len();
            take(buffer.filled());
            buffer.filled_mut().fill(0);
            Poll::Ready(Ok(count))
        })
    }

    /// Says that nothing more will come.
    ///
    /// # Errors
    ///
    /// The connection's.
    pub fn poll_close(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
