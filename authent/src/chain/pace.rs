//! How long a member takes to deny a user.
//!
//! A chain that stops at a wrong password is faster than one that looks for an
//! unknown user in every source, and the difference would tell who exists. So
//! after an early "no" the chain waits as long as the members that it did not
//! ask would have taken: as long as one of their latest denials took.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How many denials are remembered.
const REMEMBERED: usize = 16;
/// A member that takes longer is in trouble, and nobody waits for trouble.
const LONGEST: Duration = Duration::from_secs(2);

/// The latest denials of one member.
#[derive(Debug, Default)]
pub(super) struct Pace(Mutex<Ring>);

#[derive(Debug, Default)]
struct Ring {
    took: Vec<Duration>,
    next: usize,
}

impl Pace {
    /// Remembers that a denial took so long.
    pub(super) fn remember(&self, took: Duration) {
        let mut ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (took, next) = (took.min(LONGEST), ring.next);
        match ring.took.get_mut(next) {
            Some(oldest) => *oldest = took,
            None => ring.took.push(took),
        }
        ring.next = (next + 1) % REMEMBERED;
    }

    /// As long as one of the latest took; nothing if there was none yet.
    pub(super) fn sample(&self) -> Duration {
        let ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match ring.took.len() {
            0 => Duration::ZERO,
            count => ring.took[rand::random_range(0..count)],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_latest_denials_count() {
        let pace = Pace::default();
        assert_eq!(pace.sample(), Duration::ZERO);
        pace.remember(Duration::from_secs(3600));
        assert_eq!(pace.sample(), LONGEST);
        for _ in 0..REMEMBERED {
            pace.remember(Duration::from_millis(5));
        }
        assert_eq!(pace.sample(), Duration::from_millis(5));
    }
}
