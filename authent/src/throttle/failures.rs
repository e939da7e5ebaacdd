//! The guesses of one user, one address or one network.

use std::time::Duration;

use dmail_core::bounded::Entry;
use tokio::time::Instant;

/// The distinct guesses within the window, the oldest first; and for an
/// address, when its last answer is due.
#[derive(Debug, Default)]
pub(super) struct Failures {
    guesses: Vec<Guess>,
    /// Guesses that came later are answered after this.
    pub(super) line: Option<Instant>,
}

/// One password tried for one user.
#[derive(Debug)]
struct Guess {
    tag: u64,
    at: Instant,
    /// Questions about it that are under way.
    asking: u32,
    /// Whether the source has said no to it.
    wrong: bool,
}

/// How many guesses may be counted.
#[derive(Debug, Clone, Copy)]
pub(super) enum Room {
    /// So many, and no more.
    UpTo(usize),
    /// Any number, of which the latest are remembered.
    Latest(usize),
}

/// There is no room for one guess more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full {
    /// Some of those that take the room may still turn out to be right.
    pub(super) undecided: bool,
}

impl Failures {
    /// Counts a guess that is about to be asked. Returns how many there are
    /// now, and whether this one is new. If there is no room for a new one, it
    /// leaves no trace: others that are under way must not be driven out by it.
    pub(super) fn begin(
        &mut self,
        tag: u64,
        window: Duration,
        room: Room,
    ) -> Result<(usize, bool), Full> {
        self.expire(window);
        if let Some(guess) = self.guesses.iter_mut().find(|guess| guess.tag == tag) {
            guess.asking += 1;
            return Ok((self.guesses.len(), false));
        }
        match room {
            Room::UpTo(limit) if self.guesses.len() >= limit => {
                return Err(Full { undecided: self.has_undecided_beside(tag) });
            }
            Room::Latest(kept) if self.guesses.len() >= kept => drop(self.guesses.remove(0)),
            Room::UpTo(_) | Room::Latest(_) => {}
        }
        self.guesses.push(Guess { tag, at: Instant::now(), asking: 1, wrong: false });
        Ok((self.guesses.len(), true))
    }

    /// Whether the source has yet to answer to another guess, which may be
    /// right.
    pub(super) fn has_undecided_beside(&self, tag: u64) -> bool {
        self.guesses.iter().any(|guess| guess.tag != tag && guess.asking > 0 && !guess.wrong)
    }

    /// Takes a guess back that was not answered, unless it counts anyway.
    pub(super) fn undo(&mut self, tag: u64) {
        if let Some(at) = self.position(tag) {
            let guess = &mut self.guesses[at];
            guess.asking = guess.asking.saturating_sub(1);
            if guess.asking == 0 && !guess.wrong {
                self.guesses.remove(at);
            }
        }
    }

    /// The guess was wrong: it counts from now on.
    pub(super) fn wrong(&mut self, tag: u64) {
        let now = Instant::now();
        let (asking, known) = match self.position(tag) {
            Some(at) => {
                let old = self.guesses.remove(at);
                (old.asking.saturating_sub(1), if old.wrong { old.at } else { now })
            }
            None => (0, now),
        };
        let at = self.guesses.partition_point(|guess| guess.at <= known);
        self.guesses.insert(at, Guess { tag, at: known, asking, wrong: true });
    }

    /// The guess was the right password: it never counts again.
    pub(super) fn forget(&mut self, tag: u64) {
        self.guesses.retain(|guess| guess.tag != tag);
    }

    /// Forgets guesses that are older than the window.
    pub(super) fn expire(&mut self, window: Duration) {
        self.guesses.retain(|guess| guess.asking > 0 || guess.at.elapsed() < window);
    }

    /// How many guesses there are.
    pub(super) fn count(&self) -> usize {
        self.guesses.len()
    }

    /// How many guesses were wrong, and whether this one was among them.
    pub(super) fn count_wrong(&self, tag: u64) -> (usize, bool) {
        let wrong = self.guesses.iter().filter(|guess| guess.wrong);
        (wrong.clone().count(), wrong.clone().any(|guess| guess.tag == tag))
    }

    /// When the last of those that were wrong is forgotten; `None` if none was.
    pub(super) fn forgotten_in(&self, window: Duration) -> Option<Duration> {
        let last = self.guesses.iter().rev().find(|guess| guess.wrong)?;
        Some(window.saturating_sub(last.at.elapsed()))
    }

    fn position(&self, tag: u64) -> Option<usize> {
        self.guesses.iter().position(|guess| guess.tag == tag)
    }
}

impl Entry for Failures {
    type Worth = (usize, Option<Instant>);

    fn is_empty(&self) -> bool {
        self.guesses.is_empty() && self.line.is_none_or(|line| line <= Instant::now())
    }

    /// Whoever guessed more is remembered longer, so that a flood of others
    /// does not wash the count away.
    fn worth(&self) -> Self::Worth {
        (self.guesses.len(), self.guesses.last().map(|guess| guess.at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(600);
    const ROOM: Room = Room::UpTo(2);

    #[tokio::test(start_paused = true)]
    async fn a_guess_counts_once_while_it_is_asked_and_when_it_was_wrong() {
        let mut failures = Failures::default();
        assert_eq!(failures.begin(1, WINDOW, ROOM), Ok((1, true)));
        assert_eq!(failures.begin(1, WINDOW, ROOM), Ok((1, false)), "the same twice at once");
        assert_eq!(failures.begin(2, WINDOW, ROOM), Ok((2, true)));
        let full = |undecided| Err(Full { undecided });
        assert_eq!(failures.begin(3, WINDOW, ROOM), full(true), "no room");
        assert_eq!(failures.begin(2, WINDOW, ROOM), Ok((2, false)), "not driven out");
        failures.undo(2);
        failures.undo(2);
        failures.wrong(1);
        failures.undo(1);
        assert_eq!((failures.count(), failures.is_empty()), (1, false));
        tokio::time::advance(WINDOW / 2).await;
        // Once more the same: it is forgotten when it would have been anyway.
        failures.begin(1, WINDOW, ROOM).expect("room");
        failures.wrong(1);
        assert_eq!(failures.forgotten_in(WINDOW), Some(WINDOW / 2));
        tokio::time::advance(WINDOW / 2).await;
        failures.expire(WINDOW);
        assert!(failures.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_right_password_and_an_unanswered_one_leave_nothing() {
        let mut failures = Failures::default();
        for tag in [1, 2, 3] {
            failures.begin(tag, WINDOW, Room::Latest(9)).expect("room");
        }
        failures.wrong(1);
        failures.forget(1);
        failures.undo(2);
        failures.forget(3);
        assert!(failures.is_empty());
    }
}
