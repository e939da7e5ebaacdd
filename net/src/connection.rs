//! One connection: bounded lines in, replies out, each with a deadline.
//!
//! An idle connection holds no buffers. What arrives is read into a buffer of
//! the thread and only then copied into the connection's own, which is given
//! back when all of it was used.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use dmail_core::framing::{Ending, Frame, LineFault, LineFramer};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::{Instant, timeout_at};

use crate::Shutdown;

/// How much is read at a time.
const READ_BYTES: usize = 16 * 1024;
/// An output buffer that grew beyond this is given back once it is sent.
const KEPT_OUTPUT_BYTES: usize = 1024;

thread_local! {
    /// Where the bytes of whoever is read right now arrive.
    static ARRIVAL: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into_boxed_slice());
}

/// A byte stream seen as lines in and replies out.
#[derive(Debug)]
pub struct Connection<S> {
    stream: S,
    framer: LineFramer,
    /// Arrived and not yet used: `input[used..]`.
    input: Vec<u8>,
    used: usize,
    output: Vec<u8>,
}

/// Why there is no line.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The client closed the connection.
    #[error("connection closed")]
    Closed,
    /// The connection broke.
    #[error("connection broken: {0}")]
    Io(#[from] io::Error),
    /// The server was asked to stop while it waited for a new line.
    #[error("the server is stopping")]
    Stopping,
    /// The line did not arrive in time.
    #[error("timeout")]
    Timeout,
}

/// Why a reply could not be sent.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The connection broke.
    #[error("connection broken: {0}")]
    Io(#[from] io::Error),
    /// The client did not read it in time.
    #[error("timeout while sending")]
    Timeout,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// A connection whose lines have at most `max_line` bytes (CR LF not
    /// counted) and must end as `ending` says.
    pub fn new(stream: S, max_line: usize, ending: Ending) -> Self {
        Self {
            stream,
            framer: LineFramer::new(max_line, ending),
            input: Vec::new(),
            used: 0,
            output: Vec::new(),
        }
    }

    /// The next line. The whole line must arrive within `wait`, however it is
    /// cut into pieces. The frame's bytes are wiped at the next call.
    ///
    /// With `stop`, a request to stop the server ends the wait for a new line,
    /// unless some of it has arrived already.
    ///
    /// # Errors
    ///
    /// If the client is gone or silent, or the server stops.
    pub async fn line(
        &mut self,
        wait: Duration,
        stop: Option<&Shutdown>,
    ) -> Result<Frame<'_>, ReadError> {
        let deadline = Instant::now() + wait;
        let (start, length) = loop {
            if let Some(found) = self.take_line() {
                break found;
            }
            let stop = stop.filter(|_| !self.framer.in_line());
            self.fill(deadline, stop).await?;
        };
        Ok(match length {
            Ok(length) => Frame::Line(&self.input[start..start + length]),
            Err(fault) => Frame::Refused(fault),
        })
    }

    /// Whether a whole line has arrived already, so that its reply can travel
    /// together with the one before (RFC 2920).
    #[must_use]
    pub fn has_line(&self) -> bool {
        self.buffered().contains(&b'\n')
    }

    /// What has arrived and is not used yet, for content that is not lines.
    #[must_use]
    pub fn buffered(&self) -> &[u8] {
        &self.input[self.used..]
    }

    /// Marks `count` bytes of [`buffered`](Self::buffered) as used.
    pub fn consume(&mut self, count: usize) {
        self.used = (self.used + count).min(self.input.len());
        self.release();
    }

    /// Forgets what has arrived and was not used. STARTTLS needs it.
    pub fn discard_input(&mut self) {
        self.consume(self.buffered().len());
    }

    /// Waits until more bytes have arrived and returns how many.
    ///
    /// # Errors
    ///
    /// If the client is gone or silent until `deadline`, or the server stops
    /// (only with `stop`).
    pub async fn fill(
        &mut self,
        deadline: Instant,
        stop: Option<&Shutdown>,
    ) -> Result<usize, ReadError> {
        self.release();
        let arrived = timeout_at(deadline, self.arrive());
        let count = match stop {
            None => arrived.await,
            Some(shutdown) => tokio::select! {
                biased;
                count = arrived => count,
                () = shutdown.asked() => return Err(ReadError::Stopping),
            },
        };
        match count {
            Err(_) => Err(ReadError::Timeout),
            Ok(Ok(0)) => Err(ReadError::Closed),
            Ok(Ok(count)) => Ok(count),
            Ok(Err(error)) => Err(ReadError::Io(error)),
        }
    }

    /// Where replies are written to; [`flush`](Self::flush) sends them.
    pub fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// Sends what was written to [`output`](Self::output).
    ///
    /// # Errors
    ///
    /// If the client is gone, or does not take all of it within `wait`.
    pub async fn flush(&mut self, wait: Duration) -> Result<(), WriteError> {
        if self.output.is_empty() {
            return Ok(());
        }
        let deadline = Instant::now() + wait;
        let sent = timeout_at(deadline, self.stream.write_all(&self.output)).await;
        self.output.clear();
        if self.output.capacity() > KEPT_OUTPUT_BYTES {
            self.output = Vec::new();
        }
        match sent {
            Err(_) => Err(WriteError::Timeout),
            Ok(sent) => Ok(sent?),
        }
    }

    /// Tells the client that nothing more will come.
    pub async fn close(&mut self) {
        let _ = tokio::time::timeout(Duration::from_secs(1), self.stream.shutdown()).await;
    }

    /// Finds the next line in the input and marks it as used: where it starts,
    /// and how long it is or what is wrong with it.
    fn take_line(&mut self) -> Option<(usize, Result<usize, LineFault>)> {
        self.release();
        let start = self.used;
        let taken = self.framer.take(&self.input[start..]);
        self.used += taken.consumed;
        taken.frame.map(|frame| match frame {
            Frame::Line(line) => (start, Ok(line.len())),
            Frame::Refused(fault) => (start, Err(fault)),
        })
    }

    /// Wipes the used part of the input, which may hold passwords, and gives
    /// the buffer back when nothing else is in it.
    fn release(&mut self) {
        if self.used == 0 {
            return;
        }
        if self.used == self.input.len() {
            self.input.fill(0);
            self.input = Vec::new();
            self.used = 0;
        } else {
            self.input[..self.used].fill(0);
        }
    }

    /// Moves what the stream has into the input.
    async fn arrive(&mut self) -> io::Result<usize> {
        if self.used > 0 {
            self.input.drain(..self.used);
            self.used = 0;
        }
        let (stream, input) = (&mut self.stream, &mut self.input);
        poll_fn(|context| {
            ARRIVAL.with_borrow_mut(|arrival| {
                let mut buffer = ReadBuf::new(arrival);
                match Pin::new(&mut *stream).poll_read(context, &mut buffer) {
                    Poll::Pending => Poll::Pending,
                    Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                    Poll::Ready(Ok(())) => {
                        let count = buffer.filled().len();
                        input.extend_from_slice(buffer.filled());
                        buffer.filled_mut().fill(0);
                        Poll::Ready(Ok(count))
                    }
                }
            })
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    const WAIT: Duration = Duration::from_secs(5);

    fn pair() -> (tokio::io::DuplexStream, Connection<tokio::io::DuplexStream>) {
        let (client, server) = tokio::io::duplex(64 * 1024);
        (client, Connection::new(server, 16, Ending::CrLf))
    }

    #[tokio::test(start_paused = true)]
    async fn lines_are_read_in_step_and_an_idle_connection_holds_no_buffer() {
        let (mut client, mut connection) = pair();
        client.write_all(b"NOOP\r\n12345678901234567890\r\nQUIT\r\n").await.expect("room");
        assert_eq!(connection.line(WAIT, None).await.expect("a line"), Frame::Line(b"NOOP"));
        assert!(connection.has_line());
        let refused = connection.line(WAIT, None).await.expect("a line");
        assert_eq!(refused, Frame::Refused(LineFault::TooLong));
        assert_eq!(connection.line(WAIT, None).await.expect("a line"), Frame::Line(b"QUIT"));
        assert!(matches!(connection.line(WAIT, None).await, Err(ReadError::Timeout)));
        assert_eq!((connection.input.capacity(), connection.output.capacity()), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_that_dribbles_in_does_not_extend_its_deadline() {
        let (mut client, mut connection) = pair();
        let dribble = tokio::spawn(async move {
            for _ in 0..12 {
                client.write_all(b"x").await.expect("room");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            client
        });
        assert!(matches!(connection.line(WAIT, None).await, Err(ReadError::Timeout)));
        drop(dribble);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_ends_the_wait_for_a_new_line_only() {
        let (mut client, mut connection) = pair();
        let shutdown = Shutdown::new();
        client.write_all(b"NO").await.expect("room");
        let line = connection.line(WAIT, Some(&shutdown));
        let finish = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            shutdown.drain(Duration::ZERO).await;
            client.write_all(b"OP\r\n").await.expect("room");
        };
        let (line, ()) = tokio::join!(line, finish);
        assert_eq!(line.expect("the line that had begun"), Frame::Line(b"NOOP"));
        let next = connection.line(WAIT, Some(&shutdown)).await;
        assert!(matches!(next, Err(ReadError::Stopping)), "{next:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_never_reads_is_given_up() {
        let (_client, server) = tokio::io::duplex(16);
        let mut connection = Connection::new(server, 16, Ending::CrLf);
        connection.output().extend_from_slice(&[b'x'; 64]);
        assert!(matches!(connection.flush(WAIT).await, Err(WriteError::Timeout)));
    }
}
