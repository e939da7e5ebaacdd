//! One connection: carries lines to the session and does what its steps say.

use std::sync::Arc;
use std::time::Duration;

use dmail_core::framing::Ending;
use dmail_net::{Connection, ReadError, Shutdown, WriteError};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use crate::command::MAX_LINE_BYTES;
use crate::content::Decoder;
use crate::error::Error;
use crate::message::Message;
use crate::server::Server;
use crate::session::{Closing, Session, Step};
use crate::spool::Spool;

/// Replies that wait for more lines of a pipelining client, in bytes.
const OUTPUT_BYTES: usize = 16 * 1024;
/// What a client may send of a message that is too large before it is cut off,
/// as a multiple of the largest message.
const OVERRUN: u64 = 2;

/// A session and the connection that it is held over.
pub(crate) struct Conversation<S> {
    connection: Connection<S>,
    session: Session,
    server: Arc<Server>,
    shutdown: Shutdown,
}

/// How a conversation ended, for the log.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("{0}")]
    Closed(Closing),
    #[error("{0}")]
    Read(#[from] ReadError),
    #[error("{0}")]
    Write(#[from] WriteError),
}

impl<S: AsyncRead + AsyncWrite + Unpin> Conversation<S> {
    pub(crate) fn new(
        stream: S,
        session: Session,
        server: Arc<Server>,
        shutdown: Shutdown,
    ) -> Self {
        let connection = Connection::new(stream, MAX_LINE_BYTES, Ending::CrLf);
        Self { connection, session, server, shutdown }
    }

    /// Serves the client until one of both has enough.
    pub(crate) async fn run(mut self) {
        self.session.greet(self.connection.output());
        let end = loop {
            if let Err(end) = self.turn().await {
                break end;
            }
        };
        if let End::Read(error) = &end {
            self.take_leave(error).await;
        }
        tracing::debug!(service = "smtp", reason = %end, "connection closed");
        self.connection.close().await;
    }

    /// One line of the client, and all that follows from it.
    async fn turn(&mut self) -> Result<(), End> {
        let mut step = self.listen().await?;
        loop {
            step = match step {
                Step::Listen => return Ok(()),
                Step::Pause(pause) => {
                    tokio::time::sleep(pause).await;
                    return Ok(());
                }
                Step::Ask(request) => {
                    let answer = self.server.gateway.authenticate(&request).await;
                    self.session.answered(answer, self.connection.output())
                }
                Step::Receive => {
                    self.flush().await?;
                    // Large and rare: it must not make every connection large.
                    let message = Box::pin(self.receive()).await?;
                    let stamp = self.server.stamp();
                    self.session.received(message, stamp, self.connection.output())
                }
                Step::Deliver(envelope, message) => {
                    let result = self.server.delivery.deliver(*envelope, message).await;
                    self.session.delivered(result, self.connection.output())
                }
                Step::Close(closing) => {
                    self.flush().await?;
                    return Err(End::Closed(closing));
                }
            };
        }
    }

    /// Reads the next line. Replies wait for it if it has arrived already, so
    /// that a pipelined group is answered in one piece (RFC 2920).
    async fn listen(&mut self) -> Result<Step, End> {
        if !self.connection.has_line() || self.connection.output().len() >= OUTPUT_BYTES {
            self.flush().await?;
        }
        let stop = (!self.session.in_transaction()).then_some(&self.shutdown);
        let frame = self.connection.line(self.server.config.command_timeout, stop).await?;
        let command = self.session.read(frame);
        Ok(self.session.act(command, self.connection.output()))
    }

    /// Reads the content of a message up to the end of data. The inner error
    /// is for the session: the connection is still in step then.
    async fn receive(&mut self) -> Result<Result<Message, Error>, End> {
        let config = &self.server.config;
        let mut decoder = Decoder::new(config.max_message_size);
        let mut spool = Spool::new(Arc::clone(config));
        let (started, mut arrived) = (Instant::now(), 0);
        loop {
            let used = decoder.decode(self.connection.buffered(), spool.tail());
            self.connection.consume(used);
            arrived += used as u64;
            if decoder.is_ended() {
                break;
            }
            if decoder.is_faulty() {
                spool.discard();
                if arrived > config.max_message_size.saturating_mul(OVERRUN) {
                    return Ok(Err(Error::TooMany("bytes of a message that is refused")));
                }
            }
            spool.settle().await;
            self.connection.fill(self.data_deadline(started, arrived), None).await?;
        }
        if let Err(fault) = decoder.check() {
            return Ok(Err(Error::Content(fault)));
        }
        Ok(spool.finish().await.map_err(|error| {
            let text = &error.detail;
            tracing::error!(
                service = "smtp",
                reason = error.kind.to_string(),
                ?text,
                "message not received"
            );
            Error::Delivery(error.kind)
        }))
    }

    /// When more content must have come: soon, and fast enough in all.
    fn data_deadline(&self, started: Instant, arrived: u64) -> Instant {
        let config = &self.server.config;
        let due = Duration::from_secs(arrived / config.min_data_rate.max(1));
        (Instant::now() + config.data_timeout).min(started + config.data_timeout + due)
    }

    /// Tells a client that is still there why the server goes.
    async fn take_leave(&mut self, end: &ReadError) {
        let error = match end {
            ReadError::Stopping => Error::Stopping,
            ReadError::Timeout => Error::Timeout,
            ReadError::Closed | ReadError::Io(_) => return,
        };
        self.session.interrupt(error, self.connection.output());
        // Whether it still listens or not, this was the last of it.
        let _ = self.flush().await;
    }

    async fn flush(&mut self) -> Result<(), WriteError> {
        self.connection.flush(self.server.config.write_timeout).await
    }
}

#[cfg(test)]
mod tests;
