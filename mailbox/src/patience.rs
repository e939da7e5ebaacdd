//! How to wait for somebody who cannot wake us.

use std::time::{Duration, Instant};

const FIRST_PAUSE: Duration = Duration::from_micros(500);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// Short pauses that grow, up to a deadline. A lock that is given back soon is
/// noticed soon, and one that is not costs twenty looks a second.
#[derive(Debug)]
pub(crate) struct Patience {
    started: Instant,
    deadline: Instant,
    next: Duration,
}

impl Patience {
    /// Waits for `limit` in all, from now on.
    pub(crate) fn new(limit: Duration) -> Self {
        let started = Instant::now();
        // A limit that the clock cannot express is as good as a day.
        let deadline = started.checked_add(limit).unwrap_or(started + Duration::from_secs(86_400));
        Self { started, deadline, next: FIRST_PAUSE }
    }

    /// When it ends.
    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// How long it has lasted.
    pub(crate) fn waited(&self) -> Duration {
        self.started.elapsed()
    }

    /// Short pauses again, because this is a new wait under the old deadline.
    pub(crate) fn renew(&mut self) {
        self.next = FIRST_PAUSE;
    }

    /// Sleeps for the next pause; false, at once, when the time is up.
    pub(crate) fn pause(&mut self) -> bool {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        std::thread::sleep(self.next.min(left));
        self.next = (self.next * 2).min(LONGEST_PAUSE);
        true
    }
}
