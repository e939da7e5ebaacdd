//! One client: its lines, the questions that are under way for it, and what
//! it is told.
//!
//! ```text
//!   lines ──▶ question ──asked once, at once──▶ ready: its answer is written
//!                                └──▶ pending: a task; its answer is written when it comes
//! ```
//!
//! Most answers come from memory, so a question costs no task. In the first
//! version the next line waits for the answer to the one before; in the second
//! one, answers carry ids and overtake each other.

mod first;
mod line;
mod second;

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep, sleep};

use super::hub::{Listening, Notice, Seat};
use super::{Client, HANDSHAKE, Server};
use crate::flow::Flow;
use crate::wire::{self, Push};
use line::{Next, Phase, read};

/// How long a client may take to read what it is sent.
const WRITE_PATIENCE: Duration = Duration::from_secs(10);
/// How often the clock is looked at, at most.
const TICK: Duration = Duration::from_secs(5);
/// How long a client that was told `closing` may stay without a question.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Output beyond which no more questions are read.
const MUCH_OUTPUT: usize = 256 * 1024;

/// Why a session ended, for the log.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    #[error("a question was abandoned")]
    Abandoned,
    #[error("the client closed the connection")]
    Closed,
    #[error("it was not reading")]
    CutOff,
    #[error("connection broken: {0}")]
    Io(#[from] io::Error),
    #[error("the session is over")]
    Over,
    #[error("nothing was heard of it")]
    Silent,
    #[error("the server is stopping")]
    Stopping,
}

/// What happened.
enum Event {
    Answer(Vec<u8>),
    Arrived,
    Notice(Notice),
    Tick,
}

/// The state of one connection.
pub(super) struct Session<S> {
    server: Arc<Server>,
    client: Client,
    seat: Seat,
    flow: Flow<S>,
    phase: Phase,
    /// Questions whose answers were not there at once.
    asked: JoinSet<Vec<u8>>,
    /// A client that is silent for so long has gone.
    patience: Duration,
    heard: Instant,
    /// Since when the client has not read what it was sent.
    stuck: Option<Instant>,
    clock: Pin<Box<Sleep>>,
    stopping: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Session<S> {
    pub(super) fn new(server: Arc<Server>, client: Client, stream: S) -> Self {
        // Who has proved nothing yet does not hold a place for long.
        let patience = match server.answers_first_version(&client) {
            true => server.config.idle,
            false => server.config.idle.min(HANDSHAKE),
        };
        Self {
            seat: server.hub.seat(),
            client,
            flow: Flow::new(stream, wire::MAX_LINE_BYTES),
            phase: Phase::New,
            asked: JoinSet::new(),
            patience,
            heard: Instant::now(),
            stuck: None,
            clock: Box::pin(sleep(TICK.min(patience / 2))),
            stopping: false,
            server,
        }
    }

    /// Serves the client until one of the two has enough.
    pub(super) async fn run(mut self) -> End {
        loop {
            match self.serve().await {
                Ok(()) => {}
                Err(end) => {
                    let close = poll_fn(|context| self.flow.poll_close(context));
                    let _ = tokio::time::timeout(LAST_WORDS, close).await;
                    return end;
                }
            }
        }
    }

    async fn serve(&mut self) -> Result<(), End> {
        self.read_lines().await;
        if self.may_leave() {
            return Err(if self.stopping { End::Stopping } else { End::Over });
        }
        match poll_fn(|context| self.poll_event(context)).await? {
            Event::Answer(answer) => self.flow.output().extend_from_slice(&answer),
            Event::Arrived => {}
            Event::Notice(Notice::Line(line)) => self.flow.output().extend_from_slice(&line),
            Event::Notice(Notice::Stop) => self.stop(),
            Event::Tick => self.look_at_clock()?,
        }
        Ok(())
    }

    /// What comes first: sending, then what is to be said, then what is asked.
    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Result<Event, End>> {
        match self.flow.poll_send(context)? {
            Poll::Ready(()) => self.stuck = None,
            Poll::Pending => {
                self.stuck.get_or_insert_with(Instant::now);
            }
        }
        if matches!(self.phase, Phase::Over) && self.flow.unsent() == 0 {
            return Poll::Ready(Err(End::Over));
        }
        // Lines for a client that does not read stay in its queue, whose end
        // cuts it off.
        if self.flow.unsent() < MUCH_OUTPUT {
            match self.seat.notices.poll_recv(context) {
                Poll::Ready(Some(notice)) => return Poll::Ready(Ok(Event::Notice(notice))),
                Poll::Ready(None) => return Poll::Ready(Err(End::CutOff)),
                Poll::Pending => {}
            }
        }
        if !self.asked.is_empty()
            && let Poll::Ready(Some(answer)) = self.asked.poll_join_next(context)
        {
            // A task that panicked has been reported. Without its answer, the
            // next one would be taken for it in the first version.
            return Poll::Ready(answer.map(Event::Answer).map_err(|_| End::Abandoned));
        }
        if self.takes_lines() {
            match self.flow.poll_read(context)? {
                Poll::Ready(0) => return Poll::Ready(Err(End::Closed)),
                Poll::Ready(_) => return Poll::Ready(Ok(Event::Arrived)),
                Poll::Pending => {}
            }
        }
        self.clock.as_mut().poll(context).map(|()| Ok(Event::Tick))
    }

    /// Whether the next line is taken: not while too many answers are due.
    fn takes_lines(&self) -> bool {
        let due = match self.phase {
            Phase::Second(_) => self.server.config.outstanding,
            Phase::Over => 0,
            _ => 1,
        };
        self.asked.len() < due && self.flow.unsent() < MUCH_OUTPUT
    }

    /// Takes the lines that have arrived, as far as their turn has come.
    async fn read_lines(&mut self) {
        let mut arrived = None;
        while self.takes_lines() {
            let (server, client, phase) = (&self.server, &self.client, &mut self.phase);
            let read = self.flow.line(|line, out| read(server, client, phase, line, out));
            let Some(next) = read else { return };
            self.heard = *arrived.get_or_insert_with(Instant::now);
            match next {
                Next::Ask(mut answer) => {
                    let first = poll_fn(|context| Poll::Ready(answer.as_mut().poll(context)));
                    match first.await {
                        Poll::Ready(answer) => self.flow.output().extend_from_slice(&answer),
                        Poll::Pending => {
                            self.asked.spawn(answer);
                        }
                    }
                }
                Next::Begin(greeting) => {
                    self.patience = greeting.heartbeat * 3;
                    self.phase = Phase::Second(0);
                    let listening = if greeting.peer { Listening::Peer } else { Listening::All };
                    self.seat.listen(listening);
                    if self.stopping {
                        Push::Closing.write(self.flow.output());
                    }
                    self.look_sooner();
                }
                Next::Said => {}
            }
        }
    }

    /// Whether the session of a server that stops has nothing left to do.
    fn may_leave(&self) -> bool {
        let idle = self.asked.is_empty() && self.flow.unsent() == 0 && !self.flow.in_line();
        match self.phase {
            Phase::Second(_) => false, // The client has been told, and leaves by itself.
            _ => self.stopping && idle,
        }
    }

    fn stop(&mut self) {
        self.stopping = true;
        if matches!(self.phase, Phase::Second(_)) {
            Push::Closing.write(self.flow.output());
        }
        self.look_sooner();
    }

    fn look_at_clock(&mut self) -> Result<(), End> {
        let now = Instant::now();
        if self.stuck.is_some_and(|since| now - since > WRITE_PATIENCE) {
            return Err(End::CutOff);
        }
        let silent = now - self.heard;
        if self.asked.is_empty() && (silent > self.patience) {
            return Err(End::Silent);
        }
        if self.stopping && self.asked.is_empty() && silent > LAST_WORDS {
            return Err(End::Stopping);
        }
        // A `ping` may be among the lines that are not read now. Without an
        // answer to it, a slow user base would look like a dead daemon.
        if matches!(self.phase, Phase::Second(_)) && !self.asked.is_empty() && !self.takes_lines() {
            Push::Pong.write(self.flow.output());
        }
        self.look_sooner();
        Ok(())
    }

    /// Sets the clock by what is waited for now.
    fn look_sooner(&mut self) {
        let pause = if self.stopping { LAST_WORDS / 4 } else { TICK.min(self.patience / 3) };
        self.clock.as_mut().reset(Instant::now() + pause);
    }
}
