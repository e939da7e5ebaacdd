//! One connection of the second version: many questions at once.
//!
//! ```text
//!   ask ──line──▶ unsent ──▶ the driver ──▶ daemon
//!    ▲                          │
//!    └── oneshot ◀── waiting ◀──┘ answers by their ids; pushes to the listener
//! ```
//!
//! Whoever asked may go away: the id stays in the table until its answer has
//! come. An answer with any other id is a fault, and ends the connection.

use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use dmail_core::{Evidence, Hit, Proofs, Purpose};
use tokio::sync::oneshot;
use tokio::time::{Instant, interval};

use super::lines::Lines;
use crate::wire::{Answer, Fault, Push, Question, ServerLine};

/// Hits of a search without `-max` that are taken.
const MOST_HITS: usize = 1_000_000;

/// The asking end of a connection. Clones share it.
#[derive(Clone)]
pub(super) struct Channel {
    shared: Arc<Shared>,
}

struct Shared {
    outstanding: usize,
    proofs: Proofs,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    last_id: u64,
    unsent: Vec<u8>,
    waiting: HashMap<u64, Waiting>,
    /// Set when no more questions are taken.
    closed: bool,
    driver: Option<Waker>,
}

struct Waiting {
    hits: Vec<Hit>,
    most: usize,
    reply: oneshot::Sender<(Vec<Hit>, Answer)>,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum AskError {
    /// Too many questions are under way: this one was not sent.
    #[error("too many questions are under way")]
    Busy,
    /// The connection is closed or closing: the question was not sent.
    #[error("the connection is closed")]
    Closed,
    /// The connection was lost: what became of the question is unknown.
    #[error("the connection was lost")]
    Lost,
    /// No line can hold the question.
    #[error(transparent)]
    NotCarried(#[from] crate::wire::NotCarried),
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    #[error("the daemon closed the connection")]
    Closed,
    #[error("the daemon is stopping")]
    Closing,
    #[error("the daemon broke the protocol: {0}")]
    Fault(#[from] Fault),
    #[error("connection broken: {0}")]
    Io(#[from] io::Error),
    #[error("the daemon says that we broke the protocol: {0}")]
    OurFault(String),
    #[error("nothing was heard of it")]
    Silent,
}

impl Channel {
    /// A channel that takes so many questions at a time, to a daemon that can
    /// judge these proofs.
    pub(super) fn new(outstanding: usize, proofs: Proofs) -> Self {
        Self { shared: Arc::new(Shared { outstanding, proofs, state: Mutex::default() }) }
    }

    /// Whether the daemon has a word for this question.
    pub(super) fn understands(&self, question: &Question) -> bool {
        let Question::Authenticate(request) = question else { return true };
        match &request.purpose {
            Purpose::Check(_) | Purpose::Lookup => true,
            Purpose::Salt(_) => self.shared.proofs.scram,
            Purpose::Prove(proof) => match proof.evidence {
                Evidence::CramMd5 { .. } => self.shared.proofs.cram_md5,
                Evidence::Scram { .. } => self.shared.proofs.scram,
                Evidence::Token(_) => false,
            },
        }
    }

    /// Asks, and waits for the answer; for a search with its hits.
    pub(super) async fn ask(&self, question: &Question) -> Result<(Vec<Hit>, Answer), AskError> {
        self.send(question)?.await.map_err(|_| AskError::Lost)
    }

    fn send(&self, question: &Question) -> Result<oneshot::Receiver<(Vec<Hit>, Answer)>, AskError> {
        let most = match question {
            Question::Search(search) => search.max.unwrap_or(MOST_HITS),
            _ => 0,
        };
        let mut state = self.shared.lock();
        if state.closed {
            return Err(AskError::Closed);
        }
        if state.waiting.len() >= self.shared.outstanding {
            return Err(AskError::Busy);
        }
        let id = state.last_id + 1;
        question.write(&mut state.unsent, id)?;
        state.last_id = id;
        let (reply, waiting) = oneshot::channel();
        state.waiting.insert(id, Waiting { hits: Vec::new(), most, reply });
        if let Some(driver) = state.driver.take() {
            drop(state);
            driver.wake();
        }
        Ok(waiting)
    }

    /// Moves lines in both directions until the connection ends; `pushed` gets
    /// what the daemon says unasked.
    pub(super) async fn drive(
        &self,
        mut lines: Lines,
        heartbeat: Duration,
        pushed: impl Fn(Push),
    ) -> Ended {
        let ended = self.run(&mut lines, heartbeat, pushed).await;
        self.close();
        ended
    }

    /// Takes no more questions; those that are under way are lost.
    pub(super) fn close(&self) {
        let mut state = self.shared.lock();
        state.closed = true;
        state.unsent.fill(0);
        state.unsent.clear();
        let abandoned = std::mem::take(&mut state.waiting);
        drop(state);
        drop(abandoned);
    }

    async fn run(&self, lines: &mut Lines, heartbeat: Duration, pushed: impl Fn(Push)) -> Ended {
        let mut heard = Instant::now();
        let mut clock = interval(heartbeat);
        clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let event = poll_fn(|context| self.poll_event(lines, &mut clock, context)).await;
            match event {
                Ok(Event::Arrived) => heard = Instant::now(),
                Ok(Event::Tick) if heard.elapsed() > heartbeat * 3 => return Ended::Silent,
                Ok(Event::Tick) => lines.output().extend_from_slice(b"ping\n"),
                Err(ended) => return ended,
            }
            loop {
                let read = lines.line(|line, _| match line {
                    Ok(line) => ServerLine::parse(line),
                    Err(_) => Err(Fault("a line too long, or with control characters")),
                });
                let closing = match read {
                    None => break,
                    Some(Err(fault)) => return fault.into(),
                    Some(Ok(ServerLine::Push(push))) => self.take_push(push, &pushed),
                    Some(Ok(ServerLine::Answer(id, answer))) => {
                        self.take_answer(id, answer).map_err(Ended::from)
                    }
                };
                if let Err(ended) = closing {
                    return ended;
                }
            }
            if self.shared.lock().has_finished() {
                return Ended::Closing;
            }
        }
    }

    fn poll_event(
        &self,
        lines: &mut Lines,
        clock: &mut tokio::time::Interval,
        context: &mut Context<'_>,
    ) -> Poll<Result<Event, Ended>> {
        self.shared.lock().hand_over(lines.output(), context.waker());
        if let Poll::Ready(Err(error)) = lines.poll_send(context) {
            return Poll::Ready(Err(error.into()));
        }
        match lines.poll_read(context)? {
            Poll::Ready(0) => return Poll::Ready(Err(Ended::Closed)),
            Poll::Ready(_) => return Poll::Ready(Ok(Event::Arrived)),
            Poll::Pending => {}
        }
        clock.poll_tick(context).map(|_| Ok(Event::Tick))
    }

    fn take_answer(&self, id: u64, answer: Answer) -> Result<(), Fault> {
        let mut state = self.shared.lock();
        let unknown = Fault("an answer that nobody asked for");
        if let Answer::Hit(hit) = answer {
            let waiting = state.waiting.get_mut(&id).ok_or(unknown)?;
            if waiting.hits.len() >= waiting.most {
                return Err(Fault("more hits than were asked for"));
            }
            waiting.hits.push(hit);
            return Ok(());
        }
        let waiting = state.waiting.remove(&id).ok_or(unknown)?;
        drop(state);
        // Whoever asked may have gone.
        let _ = waiting.reply.send((waiting.hits, answer));
        Ok(())
    }

    fn take_push(&self, push: Push, pushed: &impl Fn(Push)) -> Result<(), Ended> {
        match push {
            Push::Fault(why) => return Err(Ended::OurFault(why)),
            // What was asked is still answered.
            Push::Closing => self.shared.lock().closed = true,
            Push::Pong => {}
            push => pushed(push),
        }
        Ok(())
    }
}

/// What happened.
enum Event {
    Arrived,
    Tick,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Moves what is unsent to `output`; `driver` is woken when there is more.
    fn hand_over(&mut self, output: &mut Vec<u8>, driver: &Waker) {
        output.extend_from_slice(&self.unsent);
        self.unsent.fill(0);
        self.unsent.clear();
        if !self.driver.as_ref().is_some_and(|known| known.will_wake(driver)) {
            self.driver = Some(driver.clone());
        }
    }

    /// Whether a connection that takes no more questions has answered all.
    fn has_finished(&self) -> bool {
        self.closed && self.waiting.is_empty()
    }
}
