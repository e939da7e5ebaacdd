//! A connection that binds and does nothing else.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use dmail_core::Secret;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};
use zeroize::Zeroizing;

use super::ber::Lack;
use super::bind::{self, Answer};
use super::stream::Stream;
use crate::config::{Address, Link, Transport};

/// A connection to a server, on which one bind follows the other. A bind ends
/// what the one before it has proved (RFC 4511 section 4.2.1).
pub(crate) struct Connection {
    stream: Stream,
    received: Vec<u8>,
    last_id: u32,
    /// An operation is under way, or was given up half-way: the next answer
    /// would be to a question that nobody remembers.
    busy: bool,
    ppolicy: bool,
}

impl Connection {
    /// Connects, and turns the connection into TLS if that is wanted.
    pub(crate) async fn open(address: &Address, link: &Link) -> io::Result<Self> {
        let connection = Self {
            stream: Stream::connect(&address.transport, link).await?,
            received: Vec::with_capacity(512),
            last_id: 0,
            busy: false,
            ppolicy: link.ppolicy,
        };
        match &address.transport {
            Transport::Tcp { host, tls: false, .. } if link.starttls => {
                connection.start_tls(host, link).await
            }
            _ => Ok(connection),
        }
    }

    async fn start_tls(mut self, host: &str, link: &Link) -> io::Result<Self> {
        let mut question = Vec::new();
        bind::put_starttls(&mut question, self.next_id());
        let answer = self.ask(&question).await?;
        if answer.code != 0 {
            let Answer { code, text, .. } = answer;
            return Err(io::Error::other(format!("StartTLS is refused: code {code} {text:?}")));
        }
        // Whatever was sent in clear behind the answer was not the server's.
        if !self.received.is_empty() {
            return Err(io::Error::other("bytes between the answer to StartTLS and TLS"));
        }
        let stream = self.stream.into_tls(host, link).await?;
        Ok(Self { stream, ..self })
    }

    /// Binds as `dn`. An error means that nothing is known, and that this
    /// connection is of no use any more.
    pub(crate) async fn bind(&mut self, dn: &str, password: &Secret) -> io::Result<Answer> {
        // Room for all of it: a growing vector would leave copies behind.
        let room = dn.len() + password.expose().len() + 128;
        let mut question = Zeroizing::new(Vec::with_capacity(room));
        let id = self.next_id();
        bind::put_bind(&mut question, id, dn.as_bytes(), password.expose(), self.ppolicy);
        self.ask(&question).await
    }

    /// Whether another question can be asked: nothing is under way, and the
    /// server has neither hung up nor said anything unasked. Costs no system
    /// call unless the event loop has seen something arrive.
    pub(crate) fn is_sound(&mut self) -> bool {
        if self.busy || !self.received.is_empty() {
            return false;
        }
        let mut byte = [0];
        let mut context = Context::from_waker(Waker::noop());
        let read = Pin::new(&mut self.stream).poll_read(&mut context, &mut ReadBuf::new(&mut byte));
        matches!(read, Poll::Pending)
    }

    fn next_id(&mut self) -> u32 {
        // 1 to 2^31 - 1 (RFC 4511 section 4.1.1.1).
        self.last_id = self.last_id % 0x7fff_ffff + 1;
        self.last_id
    }

    /// One question, one answer. If this future is dropped, the connection
    /// stays busy, and is not asked again.
    async fn ask(&mut self, question: &[u8]) -> io::Result<Answer> {
        self.busy = true;
        self.stream.write_all(question).await?;
        self.stream.flush().await?;
        let answer = self.answer().await?;
        if answer.id == 0 {
            let Answer { code, text, .. } = answer;
            return Err(io::Error::other(format!("the server hangs up: code {code} {text:?}")));
        }
        if answer.id != self.last_id {
            return Err(io::Error::other("an answer to something that was not asked"));
        }
        self.busy = false;
        Ok(answer)
    }

    async fn answer(&mut self) -> io::Result<Answer> {
        loop {
            match bind::read(&self.received) {
                Ok((answer, length)) => {
                    self.received.drain(..length);
                    return Ok(answer);
                }
                Err(Lack::Garbage) => return Err(io::Error::other("this is not LDAP")),
                Err(Lack::More) => {}
            }
            if self.stream.read_buf(&mut self.received).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}
