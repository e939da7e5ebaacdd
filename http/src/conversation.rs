//! One connection: requests in, responses out, one after the other, each with a
//! deadline. The only IO of a conversation.

use std::ops::ControlFlow;
use std::time::Duration;

use dmail_core::framing::Ending;
use dmail_net::{Connection, ReadError, Shutdown, WriteError};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use crate::message::{self, Fault, Progress};
use crate::response::{Response, Status};
use crate::server::{Config, Service};

/// How long, and for how many bytes, a client that sends on after the end is
/// listened to, so that it reads our last words instead of a reset.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 256 * 1024;

/// Why a conversation ended, for the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum End {
    /// As HTTP has it: the client wanted no more, or said nothing for long.
    #[error("done")]
    Done,
    /// The request could not be understood.
    #[error("{0}")]
    Fault(#[from] Fault),
    /// The request did not arrive whole, or not in time.
    #[error("in the middle of a request: {0}")]
    Cut(ReadError),
    /// The response could not be sent.
    #[error("{0}")]
    Write(#[from] WriteError),
}

/// A connection and the service that answers on it.
pub(crate) struct Conversation<'a, S, T> {
    connection: Connection<T>,
    service: &'a S,
    config: &'a Config,
}

/// A request that was read.
struct Read<Q> {
    /// What the service asks, or answers at once.
    question: Result<Q, Response>,
    keep_alive: bool,
    /// Whether its response has a body; that to a HEAD has none.
    has_body: bool,
}

/// What has arrived of a request.
enum Arrived<Q> {
    /// All of it, and how many bytes it took.
    Whole(Read<Q>, usize),
    /// Some of it, or nothing.
    Part {
        /// Whether the client waits for leave to send the rest.
        expects_continue: bool,
    },
}

impl<'a, S: Service, T: AsyncRead + AsyncWrite + Unpin> Conversation<'a, S, T> {
    pub(crate) fn new(stream: T, service: &'a S, config: &'a Config) -> Self {
        // Its lines are not used: HTTP's have a reader of their own.
        let connection = Connection::new(stream, message::MAX_HEAD, Ending::CrLf);
        Self { connection, service, config }
    }

    /// Answers requests until either side has had enough.
    pub(crate) async fn run(mut self, shutdown: &Shutdown) -> End {
        let end = self.exchange(shutdown).await;
        if matches!(end, End::Fault(_) | End::Cut(ReadError::Timeout)) {
            self.linger().await;
        }
        self.connection.close().await;
        end
    }

    async fn exchange(&mut self, shutdown: &Shutdown) -> End {
        loop {
            match self.wait_for_request(shutdown).await {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => return End::Done,
                Err(error) => return End::Write(error),
            }
            let read = match self.read().await {
                Ok(read) => read,
                Err(end) => return self.explain(end).await,
            };
            let response = match read.question {
                Ok(question) => self.service.answer(question).await,
                Err(response) => response,
            };
            let keep_alive = read.keep_alive && !shutdown.is_asked();
            response.write(self.connection.output(), keep_alive, read.has_body);
            // Responses to requests that have arrived already travel together.
            let is_last = !keep_alive || self.connection.buffered().is_empty();
            if is_last && let Err(error) = self.connection.flush(self.config.send).await {
                return End::Write(error);
            }
            if !keep_alive {
                return End::Done;
            }
        }
    }

    /// Waits until something of a request is there. Breaks if none will come.
    async fn wait_for_request(
        &mut self,
        shutdown: &Shutdown,
    ) -> Result<ControlFlow<()>, WriteError> {
        if !self.connection.buffered().is_empty() {
            return Ok(ControlFlow::Continue(()));
        }
        self.connection.flush(self.config.send).await?;
        let idle = Instant::now() + self.config.idle;
        Ok(match self.connection.fill(idle, Some(shutdown)).await {
            Ok(_) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        })
    }

    /// Reads one request. All of it has to arrive in time, however it is cut
    /// into pieces.
    async fn read(&mut self) -> Result<Read<S::Question>, End> {
        let deadline = Instant::now() + self.config.arrival;
        let mut continued = false;
        loop {
            let expects_continue = match self.understand()? {
                Arrived::Whole(read, used) => {
                    // What was used is wiped with it.
                    self.connection.consume(used);
                    return Ok(read);
                }
                Arrived::Part { expects_continue } => expects_continue,
            };
            if expects_continue && !continued {
                continued = true;
                self.connection.output().extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
            }
            // What is owed to the client goes first: it may wait for it.
            self.connection.flush(self.config.send).await?;
            self.connection.fill(deadline, None).await.map_err(End::Cut)?;
        }
    }

    /// Understands what has arrived so far.
    fn understand(&self) -> Result<Arrived<S::Question>, Fault> {
        Ok(match message::parse(self.connection.buffered(), self.config.max_body)? {
            Progress::More { expects_continue } => Arrived::Part { expects_continue },
            Progress::Whole(request, used) => {
                let keep_alive = request.keep_alive;
                // The answer to a HEAD has the headers of one to a GET.
                let has_body = request.method != "HEAD";
                let question = self.service.read(&request);
                Arrived::Whole(Read { question, keep_alive, has_body }, used)
            }
        })
    }

    /// Says why the connection ends, if anybody may still read it.
    async fn explain(&mut self, end: End) -> End {
        let response = match &end {
            End::Fault(fault) => self.service.refuse((*fault).into(), &fault.to_string()),
            End::Cut(ReadError::Timeout) => {
                self.service.refuse(Status::RequestTimeout, "the request did not arrive in time")
            }
            End::Done | End::Cut(_) | End::Write(_) => return end,
        };
        response.write(self.connection.output(), false, true);
        match self.connection.flush(self.config.send).await {
            Ok(()) => end,
            Err(error) => End::Write(error),
        }
    }

    async fn linger(&mut self) {
        self.connection.close().await;
        let deadline = Instant::now() + LINGER;
        let mut passed = 0;
        while passed < LINGER_BYTES {
            self.connection.discard_input();
            match self.connection.fill(deadline, None).await {
                Ok(bytes) => passed += bytes,
                Err(_) => return,
            }
        }
    }
}
