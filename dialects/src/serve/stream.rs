//! What a conversation may run on.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use dmail_net::UnixStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, Stdin, Stdout};
use tokio::net::TcpStream;

/// A connection that can end in two ways.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Lets the end that follows be abnormal, if the stream knows of such an
    /// end.
    fn break_off(&self);

    /// Who is at the other end, for the log: an address, or a user of this
    /// machine. `None`: whoever has started this process.
    fn peer(&self) -> Option<String> {
        None
    }
}

impl Stream for TcpStream {
    /// The client gets a reset. Some look at nothing else before they write.
    fn break_off(&self) {
        // If it fails, the connection is gone already.
        let _ = self.set_zero_linger();
    }

    fn peer(&self) -> Option<String> {
        Some(self.peer_addr().ok()?.ip().to_canonical().to_string())
    }
}

impl Stream for UnixStream {
    /// Whoever writes to a closed unix socket notices at once.
    fn break_off(&self) {}

    fn peer(&self) -> Option<String> {
        Some(format!("local uid {}", self.uid()?))
    }
}

/// Standard input and output of a program that another one has started.
#[derive(Debug)]
pub struct Piped {
    input: Stdin,
    output: Stdout,
}

impl Piped {
    /// Those of this process.
    #[must_use]
    pub fn of_process() -> Self {
        Self { input: tokio::io::stdin(), output: tokio::io::stdout() }
    }
}

impl Stream for Piped {
    fn break_off(&self) {}
}

impl AsyncRead for Piped {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.input).poll_read(context, buffer)
    }
}

impl AsyncWrite for Piped {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.output).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.output).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.output).poll_shutdown(context)
    }
}
