//! One time for every "no".
//!
//! A user whose password is stored in a slow scheme takes longer to refuse than
//! one in a quick scheme, or than nobody. So that the time does not tell who
//! is there, no "no" is told before the slowest one of the last minutes would
//! have been: each waits until then, counted from the question. The slowest,
//! and not a percentile: a few users with an old scheme would be beyond any.
//!
//! Times are rounded up to [`STEP`], so that the small differences of the same
//! work disappear as well. Longer ones than [`LONGEST`] are a source in
//! trouble and not a password; nobody else waits for those. What is left: the
//! first "no" of the slowest scheme after a quiet time is seen as such once.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Times are multiples of this.
const STEP: Duration = Duration::from_millis(10);
/// Answers that took longer are left alone.
const LONGEST: Duration = Duration::from_secs(1);
/// The slowest "no" counts for one of these at least, and for two at most.
const PERIOD: Duration = Duration::from_secs(300);

/// How long a "no" takes lately.
pub(super) struct Pace(Mutex<Recent>);

struct Recent {
    since: Instant,
    /// The slowest one since then.
    slowest: Duration,
    /// The slowest one of the period before.
    before: Duration,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Recent {
            since: Instant::now(),
            slowest: Duration::ZERO,
            before: Duration::ZERO,
        }))
    }

    /// Notes that the source said no at `now` to a question of `start`, and
    /// returns when that may be told.
    pub(super) fn note(&self, start: Instant, now: Instant) -> Instant {
        let took = rounded(now.saturating_duration_since(start));
        let usual = self.recent(now, |recent| {
            if took <= LONGEST {
                recent.slowest = recent.slowest.max(took);
            }
            recent.slowest.max(recent.before)
        });
        start + took.max(usual)
    }

    /// When a "no" may be told that needed no source.
    pub(super) fn due(&self, start: Instant, now: Instant) -> Instant {
        start + self.recent(now, |recent| recent.slowest.max(recent.before))
    }

    fn recent<R>(&self, now: Instant, work: impl FnOnce(&mut Recent) -> R) -> R {
        let mut recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let age = now.saturating_duration_since(recent.since);
        if age >= PERIOD {
            let before = if age < 2 * PERIOD { recent.slowest } else { Duration::ZERO };
            *recent = Recent { since: now, slowest: Duration::ZERO, before };
        }
        work(&mut recent)
    }
}

/// Up to the next step.
fn rounded(took: Duration) -> Duration {
    let step = STEP.as_micros() as u64;
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX / 2);
    Duration::from_micros(micros.div_ceil(step).max(1) * step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn every_no_takes_as_long_as_the_slowest_one_lately() {
        let pace = Pace::new();
        let ms = Duration::from_millis;
        let rows = [
            // (seconds of pause before, milliseconds it took, told after)
            (0, 25, 30),
            (0, 3, 30),
            (0, 250, 250),
            (0, 3, 250),
            (0, 1700, 1700),
            (0, 25, 250),
            (299, 25, 250),
            (299, 25, 250),
            (302, 25, 30),
            (1000, 1, 10),
        ];
        for (pause, took, told) in rows {
            tokio::time::advance(Duration::from_secs(pause)).await;
            let start = Instant::now();
            let due = pace.note(start, start + ms(took));
            assert_eq!(due - start, ms(told), "{pause} s later, {took} ms");
            if took < 1000 {
                assert_eq!(pace.due(start, start) - start, ms(told), "a refusal, too");
            }
        }
    }
}
