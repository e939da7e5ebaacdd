//! How long a connection is waited for: until the client says anything, until
//! it ends what it began to say, until it reads what it was sent.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use super::end::End;

/// How long the rest of a request may take that has begun.
const HALF_REQUEST: Duration = Duration::from_secs(10);
/// How long a client may take to read what it is sent.
const WRITE_PATIENCE: Duration = Duration::from_secs(10);
/// How long nobody looks at a clock that waits for nothing.
const LONG: Duration = Duration::from_secs(30 * 86_400);
/// How long a client is listened to that is told to leave.
pub(super) const LAST_WORDS: Duration = Duration::from_secs(1);

/// The deadlines of one connection. One timer serves them all: it may ring too
/// early, and then there is nothing to do.
pub(super) struct Clock {
    /// When the client was heard of.
    heard: Instant,
    /// How long it may be silent.
    patience: Option<Duration>,
    /// Since when a request has begun that has not ended.
    half: Option<Instant>,
    /// Since when the client has not read what it was sent.
    stuck: Option<Instant>,
    /// Whether the client is told to leave.
    leaving: bool,
    timer: Pin<Box<Sleep>>,
}

impl Clock {
    /// A client of which nothing was heard, and which may be silent for so long.
    pub(super) fn new(patience: Option<Duration>) -> Self {
        let heard = Instant::now();
        let timer = Box::pin(sleep_until(heard + patience.unwrap_or(LONG)));
        Self { heard, patience, half: None, stuck: None, leaving: false, timer }
    }

    /// The client was heard of. It may be silent for so long now.
    pub(super) fn heard(&mut self, patience: Option<Duration>) {
        self.heard = Instant::now();
        self.patience = patience;
    }

    /// All was sent, or the client has to read before more is.
    pub(super) fn sent(&mut self, all: bool) {
        if all {
            self.stuck = None;
        } else if self.stuck.is_none() {
            self.stuck = Some(Instant::now());
            self.ring_within(WRITE_PATIENCE);
        }
    }

    /// What was said last is the beginning of a request. It is a new one if
    /// those before it have been taken.
    pub(super) fn began(&mut self, new: bool) {
        if new || self.half.is_none() {
            self.half = Some(self.heard);
            self.ring_within(HALF_REQUEST);
        }
    }

    /// No request is waited for to end.
    pub(super) fn ended(&mut self) {
        self.half = None;
    }

    /// The client is told to leave.
    pub(super) fn leave(&mut self) {
        self.leaving = true;
        self.ring_within(LAST_WORDS);
    }

    /// Ready when it is time to [`look`](Self::look).
    pub(super) fn poll_ring(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.timer.as_mut().poll(context)
    }

    /// Whether there is still time. While the client waits for us it need not
    /// say anything.
    pub(super) fn look(&mut self, waits_for_us: bool) -> Result<(), End> {
        let now = Instant::now();
        if self.stuck.is_some_and(|since| now >= since + WRITE_PATIENCE) {
            return Err(End::Deaf);
        }
        if self.half.is_some_and(|since| now >= since + HALF_REQUEST) {
            return Err(End::Half);
        }
        if waits_for_us {
            self.heard = now;
        } else if self.leaving {
            return Err(End::Stopping);
        } else if self.patience.is_some_and(|patience| now >= self.heard + patience) {
            return Err(End::Silent);
        }
        let deadlines = [
            Some(self.patience.map_or(now + LONG, |patience| self.heard + patience)),
            self.half.map(|since| since + HALF_REQUEST),
            self.stuck.map(|since| since + WRITE_PATIENCE),
            self.leaving.then(|| now + LAST_WORDS),
        ];
        if let Some(next) = deadlines.into_iter().flatten().min() {
            self.timer.as_mut().reset(next);
        }
        Ok(())
    }

    /// Rings no later than after this time.
    fn ring_within(&mut self, time: Duration) {
        let deadline = Instant::now() + time;
        if deadline < self.timer.deadline() {
            self.timer.as_mut().reset(deadline);
        }
    }
}
