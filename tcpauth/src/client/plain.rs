//! A daemon of the first version: a few connections, each with one question at
//! a time. One on which anything is odd is closed, so that a late answer has
//! no reader.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::{fmt, io};

use dmail_authent::line::{DataLine, Fault, NotCarriable, Reply, ReplyLine, Request};
use tokio::sync::Semaphore;

use super::config::{ClientConfig, Endpoint};
use super::dial;
use super::lines::{self, Lines};

/// `+DATA` lines that are taken for one question without `-max`.
const MOST_DATA: usize = 100_000;

/// Connections to one daemon.
pub(super) struct Plain {
    server: Endpoint,
    config: Arc<ClientConfig>,
    /// Those that carry no question now.
    idle: Mutex<Vec<Lines>>,
    places: Semaphore,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum PlainError {
    /// The question was not sent.
    #[error("{0}")]
    Connect(io::Error),
    /// The answer is none.
    #[error("the daemon broke the protocol: {0}")]
    Fault(#[from] Fault),
    /// What became of the question is unknown.
    #[error("the connection was lost: {0}")]
    Lost(io::Error),
    /// The question was not sent.
    #[error(transparent)]
    NotCarriable(#[from] NotCarriable),
}

impl Plain {
    /// Connections to `server`; the first of them is there.
    pub(super) fn new(server: Endpoint, config: Arc<ClientConfig>, first: Lines) -> Self {
        let places = Semaphore::new(config.plain_connections);
        Self { server, config, idle: Mutex::new(vec![first]), places }
    }

    /// Whether questions say where the user's client is.
    pub(super) fn tells_address(&self) -> bool {
        self.config.by_address
    }

    /// A connection that waits for a question. One on which something arrived
    /// meanwhile is closed: an end, or words that would be taken for the answer
    /// to the next question.
    async fn waiting(&self) -> Option<Lines> {
        loop {
            let lines = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut lines = lines?;
            let arrived = poll_fn(|context| Poll::Ready(lines.poll_read(context).is_ready()));
            if !arrived.await {
                return Some(lines);
            }
        }
    }

    /// Asks, and waits for the last line of the answer and the data before it.
    /// Cancelling it closes the connection.
    pub(super) async fn ask(
        &self,
        request: &Request,
    ) -> Result<(Vec<DataLine>, Reply), PlainError> {
        let mut line = Vec::new();
        request.write(&mut line, self.config.quoting)?;
        let _place = self.places.acquire().await.expect("it is never closed");
        let answer = match self.waiting().await {
            // The daemon may have closed it while nobody looked.
            Some(lines) => match self.exchange(lines, &line).await {
                Err(PlainError::Lost(_)) if !is_change(request) => self.anew(&line).await,
                answer => answer,
            },
            None => self.anew(&line).await,
        };
        line.fill(0);
        answer
    }

    async fn anew(&self, line: &[u8]) -> Result<(Vec<DataLine>, Reply), PlainError> {
        let lines = dial::connect(&self.server, &self.config).await;
        self.exchange(lines.map_err(PlainError::Connect)?, line).await
    }

    async fn exchange(
        &self,
        mut lines: Lines,
        line: &[u8],
    ) -> Result<(Vec<DataLine>, Reply), PlainError> {
        lines.output().extend_from_slice(line);
        lines::send(&mut lines).await.map_err(PlainError::Lost)?;
        let mut data = Vec::new();
        let reply = loop {
            let line = lines::next(&mut lines).await.map_err(PlainError::Lost)?;
            match ReplyLine::parse(&line)? {
                ReplyLine::Data(_) if data.len() == MOST_DATA => {
                    return Err(Fault::TooMuchData.into());
                }
                ReplyLine::Data(line) => data.push(line),
                ReplyLine::Final(reply) => break reply,
            }
        };
        // A second reply would be taken for the answer to the next question.
        if lines.in_line() {
            return Err(Fault::SecondReply.into());
        }
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(lines);
        Ok((data, reply))
    }
}

impl fmt::Debug for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plain").field("server", &self.server).finish_non_exhaustive()
    }
}

fn is_change(request: &Request) -> bool {
    matches!(request, Request::Set { .. } | Request::Del { .. })
}
