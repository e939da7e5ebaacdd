//! A connection of a unix socket, which asks to be woken only if it has to
//! wait.
//!
//! A client of saslauthd's kind has said all it has to say when it is accepted,
//! and its answer is the end. It costs an accept, a read, a write and a close;
//! to be told by the runtime when there is something to read would cost as much
//! again.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream as StdStream;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream as Watched;

/// One end of a connection.
#[derive(Debug)]
pub struct UnixStream {
    socket: Socket,
}

#[derive(Debug)]
enum Socket {
    /// The runtime does not know it yet. What has arrived is read once: who
    /// sends more than that takes turns with others, as the runtime sees fit.
    New { stream: StdStream, was_read: bool },
    /// The runtime wakes whoever waits for it.
    Watched(Watched),
    /// It could not be watched.
    Lost,
}

impl UnixStream {
    /// A connection that is in non-blocking mode.
    pub(super) fn new(stream: StdStream) -> Self {
        Self { socket: Socket::New { stream, was_read: false } }
    }

    /// The user that the client ran as when it connected, if the system says so.
    #[must_use]
    pub fn uid(&self) -> Option<u32> {
        let credentials = match &self.socket {
            Socket::New { stream, .. } => rustix::net::sockopt::socket_peercred(stream),
            Socket::Watched(stream) => rustix::net::sockopt::socket_peercred(stream),
            Socket::Lost => return None,
        };
        credentials.ok().map(|peer| peer.uid.as_raw())
    }

    /// Writes some words that are the last ones.
    pub(super) fn dismiss(&self, words: &[u8]) {
        if let Socket::New { stream, .. } = &self.socket {
            // The socket is new, so its buffer is empty: this cannot block.
            let _ = (&*stream).write(words);
        }
    }

    /// Has the runtime watch the connection, which it must do from now on.
    fn watched(&mut self) -> io::Result<Pin<&mut Watched>> {
        if let Socket::New { .. } = self.socket
            && let Socket::New { stream, .. } = std::mem::replace(&mut self.socket, Socket::Lost)
        {
            self.socket = Socket::Watched(Watched::from_std(stream)?);
        }
        match &mut self.socket {
            Socket::Watched(stream) => Ok(Pin::new(stream)),
            Socket::New { .. } | Socket::Lost => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

impl TryFrom<StdStream> for UnixStream {
    type Error = io::Error;

    fn try_from(stream: StdStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self::new(stream))
    }
}

/// What came of an attempt, unless it would have had to wait.
fn at_once(outcome: io::Result<usize>) -> Option<io::Result<usize>> {
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
        Err(error) if error.kind() == io::ErrorKind::Interrupted => None,
        outcome => Some(outcome),
    }
}

impl AsyncRead for UnixStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Socket::New { stream, was_read: was_read @ false } = &mut self.socket {
            *was_read = true;
            if let Some(outcome) = at_once(stream.read(buffer.initialize_unfilled())) {
                buffer.advance(outcome?);
                return Poll::Ready(Ok(()));
            }
        }
        self.watched()?.poll_read(context, buffer)
    }
}

impl AsyncWrite for UnixStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Socket::New { stream, .. } = &mut self.socket
            && let Some(outcome) = at_once(stream.write(bytes))
        {
            return Poll::Ready(outcome);
        }
        self.watched()?.poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Nothing is buffered, so there is nothing to wait for.
        if let Socket::New { stream, .. } = &self.socket {
            return Poll::Ready(stream.shutdown(std::net::Shutdown::Write));
        }
        ready!(self.watched()?.poll_shutdown(context))?;
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn pair() -> (UnixStream, StdStream) {
        let (ours, theirs) = StdStream::pair().expect("a pair");
        (ours.try_into().expect("a setting"), theirs)
    }

    fn is_watched(stream: &UnixStream) -> bool {
        matches!(stream.socket, Socket::Watched(_))
    }

    #[tokio::test]
    async fn who_has_said_all_is_answered_without_waiting() {
        let (mut ours, mut theirs) = pair();
        theirs.write_all(b"question").expect("room");
        let mut question = [0; 16];
        assert_eq!(ours.read(&mut question).await.expect("it is there"), 8);
        ours.write_all(b"answer").await.expect("room");
        ours.shutdown().await.expect("it is open");
        assert!(!is_watched(&ours));
        let mut answer = String::new();
        theirs.read_to_string(&mut answer).expect("it was sent");
        assert_eq!(answer, "answer");
    }

    #[tokio::test]
    async fn who_has_more_to_say_is_waited_for() {
        let (mut ours, mut theirs) = pair();
        theirs.write_all(b"one").expect("room");
        let mut bytes = [0; 16];
        assert_eq!(ours.read(&mut bytes).await.expect("it is there"), 3);
        let waiting = tokio::spawn(async move {
            let count = ours.read(&mut bytes).await.expect("it comes");
            (is_watched(&ours), count)
        });
        tokio::task::yield_now().await;
        theirs.write_all(b"two, too").expect("room");
        assert_eq!(waiting.await.expect("no panic"), (true, 8));
    }

    #[tokio::test]
    async fn who_does_not_read_is_waited_for() {
        let (mut ours, mut theirs) = pair();
        let much = vec![b'x'; 4 << 20];
        let reading = std::thread::spawn(move || {
            let mut all = Vec::new();
            theirs.read_to_end(&mut all).expect("it comes");
            all.len()
        });
        ours.write_all(&much).await.expect("it is read");
        assert!(is_watched(&ours));
        drop(ours);
        assert_eq!(reading.join().expect("no panic"), much.len());
    }
}
