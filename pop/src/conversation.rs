//! One connection: carries lines to the session and does what its steps say.

use std::sync::Arc;

use dmail_core::framing::Ending;
use dmail_mailbox::Mailbox;
use dmail_net::{Connection, Peer, ReadError, Shutdown, WriteError};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use crate::command::MAX_LINE_BYTES;
use crate::error::{Error, MailboxTrouble};
use crate::open::open;
use crate::server::Server;
use crate::session::{Closing, OUTPUT_BYTES, Session, Step};
use crate::transfer::{Next, Piece, Transfer};

/// A session and the connection that it is held over.
pub(crate) struct Conversation<S> {
    connection: Connection<S>,
    session: Session<Mailbox>,
    server: Arc<Server>,
    shutdown: Shutdown,
    login_by: Instant,
}

/// How a conversation ended, for the log.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("{}", .0.id())]
    Closed(Closing),
    #[error("{0}")]
    Read(#[from] ReadError),
    #[error("{0}")]
    Write(#[from] WriteError),
    /// In the middle of a message: only a cut tells the client, because
    /// everything that it could be told would be part of the message.
    #[error("unreadable message")]
    Unreadable,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Conversation<S> {
    pub(crate) fn new(
        stream: S,
        session: Session<Mailbox>,
        server: Arc<Server>,
        shutdown: Shutdown,
    ) -> Self {
        Self {
            connection: Connection::new(stream, MAX_LINE_BYTES, Ending::CrLf),
            login_by: Instant::now() + server.config.login_timeout,
            session,
            server,
            shutdown,
        }
    }

    /// Serves the client until one of both has enough.
    pub(crate) async fn run(mut self, peer: Peer) {
        let host_name = &self.server.config.host_name;
        self.session.greet(host_name, self.connection.output());
        let end = loop {
            if let Err(end) = self.turn().await {
                break end;
            }
        };
        let tally = self.session.tally();
        tracing::info!(
            service = "pop3",
            user = tally.user.as_ref().map(tracing::field::debug),
            client = %peer.client_ip(),
            retrieved = tally.retrieved,
            deleted = tally.deleted,
            octets = tally.octets,
            reason = %end,
            "session ended"
        );
        // The mailbox is free again before the client can know.
        drop(self.session);
        self.connection.close().await;
    }

    /// One line of the client, and all that follows from it.
    async fn turn(&mut self) -> Result<(), End> {
        let mut step = self.listen().await?;
        loop {
            step = match step {
                Step::Listen => return Ok(()),
                Step::Resume => {
                    self.flush().await?;
                    self.session.resume(self.connection.output())
                }
                Step::Ask(request) => {
                    let answer = self.server.gateway.authenticate(&request).await;
                    self.session.answered(answer, self.connection.output())
                }
                Step::Open(account) => {
                    let policy = self.server.config.lock;
                    let opening = self.server.openers.run(move || open(&account, &policy));
                    let mailbox = opening.await.map_err(|trouble| self.blame(&trouble));
                    self.session.opened(mailbox, self.connection.output())
                }
                Step::Name(mailbox) => {
                    let naming = self.server.readers.run(move || Ok(mailbox.uids()?));
                    let uids = naming.await.map_err(|trouble| self.blame(&trouble));
                    self.session.named(uids, self.connection.output())
                }
                Step::Send { mailbox, index, lines } => {
                    let transfer = Transfer::new(mailbox.reader(index), lines);
                    drop(mailbox);
                    self.send(transfer).await?
                }
                Step::Commit { mailbox, deleted } => {
                    let result = self.commit(mailbox, deleted).await;
                    self.session.committed(result, self.connection.output())
                }
                Step::Close(closing) => {
                    self.flush().await?;
                    return Err(End::Closed(closing));
                }
            };
        }
    }

    /// Reads the next line. Replies wait for it if it has arrived already.
    async fn listen(&mut self) -> Result<Step<Mailbox>, End> {
        if !self.connection.has_line() || self.connection.output().len() >= OUTPUT_BYTES {
            self.flush().await?;
            // A client may be silent for long; its connection keeps no buffer.
            *self.connection.output() = Vec::new();
        }
        let config = &self.server.config;
        let (wait, stop) = if self.session.is_logged_in() {
            (config.idle_timeout, None)
        } else {
            let wait = self.login_by.saturating_duration_since(Instant::now());
            (wait, Some(&self.shutdown))
        };
        let input = match self.connection.line(wait, stop).await {
            Ok(frame) => self.session.read(frame),
            Err(ReadError::Stopping) => {
                self.session.stop(self.connection.output());
                self.flush().await?;
                return Err(ReadError::Stopping.into());
            }
            Err(error) => return Err(error.into()),
        };
        Ok(self.session.act(input, self.connection.output()))
    }

    /// Sends a message. While one piece travels, the next is read.
    async fn send(&mut self, transfer: Box<Transfer>) -> Result<Step<Mailbox>, End> {
        let mut piece = match self.read_on(transfer).await {
            Ok(piece) => piece,
            Err(trouble) => {
                let error = self.blame(&trouble);
                return Ok(self.session.unsent(error, self.connection.output()));
            }
        };
        loop {
            let output = self.connection.output();
            if output.is_empty() {
                *output = piece.bytes;
            } else {
                output.extend_from_slice(&piece.bytes);
            }
            let transfer = match piece.next {
                Next::Done(octets) => return Ok(self.session.sent(octets)),
                Next::More(transfer) => transfer,
            };
            let wait = self.server.config.write_timeout;
            let reading = self.server.readers.run(move || transfer.piece());
            let (flushed, read) = tokio::join!(self.connection.flush(wait), reading);
            flushed?;
            piece = read.map_err(|trouble| {
                self.blame(&trouble);
                End::Unreadable
            })?;
        }
    }

    async fn read_on(&self, transfer: Box<Transfer>) -> Result<Piece, MailboxTrouble> {
        self.server.readers.run(move || transfer.piece()).await
    }

    /// Removes the marked messages. The client must not believe that they are
    /// gone, or that some are, when none is.
    async fn commit(&self, mailbox: Arc<Mailbox>, deleted: Vec<bool>) -> Result<(), Error> {
        let commit = move || {
            let mailbox = Arc::into_inner(mailbox).expect("the session gave its only handle");
            Ok(mailbox.commit(&deleted)?)
        };
        self.server.openers.run(commit).await.map_err(|trouble| {
            self.blame(&trouble);
            Error::NotRemoved
        })
    }

    async fn flush(&mut self) -> Result<(), WriteError> {
        self.connection.flush(self.server.config.write_timeout).await
    }

    /// Logs trouble with a mailbox, and says what the client is told.
    fn blame(&self, trouble: &MailboxTrouble) -> Error {
        let error = Error::from(trouble);
        let user = self.session.user().map(tracing::field::debug);
        if error == Error::InUse {
            tracing::debug!(service = "pop3", user, "mailbox in use");
        } else {
            tracing::warn!(service = "pop3", user, %trouble, "mailbox trouble");
        }
        error
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use dmail_core::{
        AuthRequest, Authenticator, Origin, Service, Unavailable, UnavailableKind, Verdict,
    };
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::config::{Config, SessionLimits};

    struct Nobody;

    #[async_trait]
    impl Authenticator for Nobody {
        async fn authenticate(&self, _: &AuthRequest) -> Result<Verdict, Unavailable> {
            Err(Unavailable::new(UnavailableKind::Dead, "nobody is here"))
        }
    }

    /// Thousands of clients are logged in and idle, so a connection's future
    /// must stay small.
    #[tokio::test]
    async fn a_conversation_costs_less_than_two_kilobytes() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let stream = TcpStream::connect(address).await.expect("listening");
        let server = Arc::new(Server::new(Config::default(), Arc::new(Nobody)));
        let session = Session::new(Origin::local(Service::Pop3), true, SessionLimits::default());
        let conversation = Conversation::new(stream, session, server, Shutdown::new());
        let peer = Peer { client: address, local: address };
        let size = std::mem::size_of_val(&conversation.run(peer));
        assert!(size < 2048, "{size} bytes");
    }
}
