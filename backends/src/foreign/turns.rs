//! So many questions at a time, so many more in line, and nobody waits for
//! ever.

use std::time::Duration;

use dmail_core::{Unavailable, UnavailableKind};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::WaitSettings;

/// The places for questions to one source.
pub(crate) struct Turns {
    source: &'static str,
    /// Those who have a place or may wait for one.
    admitted: Semaphore,
    places: Semaphore,
    patience: Duration,
}

/// A place. Whoever drops it lets the next one in.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    _place: SemaphorePermit<'a>,
    _admitted: SemaphorePermit<'a>,
}

impl Turns {
    /// `number` places, and room for as many more as may wait.
    pub(crate) fn new(source: &'static str, number: usize, wait: &WaitSettings) -> Self {
        let admitted = Semaphore::new(number + wait.queue);
        Self { source, admitted, places: Semaphore::new(number), patience: wait.timeout }
    }

    /// Waits for a place.
    pub(crate) async fn take(&self) -> Result<Turn<'_>, Unavailable> {
        let full = |why: &str| {
            let text = format!("{}: {why}: see `number` and `queue`", self.source);
            Unavailable::new(UnavailableKind::Overloaded, text)
        };
        let _admitted = self.admitted.try_acquire().map_err(|error| match error {
            tokio::sync::TryAcquireError::NoPermits => full("too many questions wait already"),
            tokio::sync::TryAcquireError::Closed => self.closed(),
        })?;
        match timeout(self.patience, self.places.acquire()).await {
            Ok(Ok(_place)) => Ok(Turn { _place, _admitted }),
            Ok(Err(_)) => Err(self.closed()),
            Err(_) => Err(full("a question waited too long for a place")),
        }
    }

    /// Lets nobody in any more.
    pub(crate) fn close(&self) {
        self.admitted.close();
        self.places.close();
    }

    fn closed(&self) -> Unavailable {
        Unavailable::new(UnavailableKind::ShuttingDown, format!("{} is closed", self.source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn whoever_finds_no_place_is_told_so() {
        let wait = WaitSettings { timeout: Duration::from_secs(5), queue: 1 };
        let turns = Turns::new("test", 1, &wait);
        let first = turns.take().await.expect("a place");
        let (second, third) = tokio::join!(turns.take(), turns.take());
        let kind = |turn: Result<Turn<'_>, Unavailable>| turn.err().map(|error| error.kind);
        // The second waited in vain, the third was not even let in.
        assert_eq!(kind(second), Some(UnavailableKind::Overloaded));
        assert_eq!(kind(third), Some(UnavailableKind::Overloaded));
        drop(first);
        assert!(turns.take().await.is_ok());
        turns.close();
        assert_eq!(kind(turns.take().await), Some(UnavailableKind::ShuttingDown));
    }
}
