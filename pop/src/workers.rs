//! Work on mailboxes, off the event loop and bounded.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::error::MailboxTrouble;

/// A share of the runtime's blocking threads.
#[derive(Debug)]
pub(crate) struct Workers {
    places: Arc<Semaphore>,
    patience: Duration,
}

impl Workers {
    /// `places` jobs at once; a job waits for its place for `patience` at most.
    pub(crate) fn new(places: usize, patience: Duration) -> Self {
        Self { places: Arc::new(Semaphore::new(places)), patience }
    }

    /// Runs `job` on a blocking thread. It keeps its place until it ends, even
    /// if nobody waits for it any more.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> Result<T, MailboxTrouble> + Send + 'static,
    ) -> Result<T, MailboxTrouble> {
        let place = timeout(self.patience, Arc::clone(&self.places).acquire_owned())
            .await
            .map_err(|_| MailboxTrouble::NoTurn)?
            .expect("the semaphore is never closed");
        let work = tokio::task::spawn_blocking(move || {
            let result = job();
            drop(place);
            result
        });
        work.await.unwrap_or(Err(MailboxTrouble::Panicked))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_job_that_gets_no_place_in_time_is_not_done() {
        let workers = Workers::new(1, Duration::from_secs(1));
        let _taken = Arc::clone(&workers.places).acquire_owned().await.expect("open");
        let result = workers.run(|| Ok(())).await;
        assert!(matches!(result, Err(MailboxTrouble::NoTurn)), "{result:?}");
    }

    #[tokio::test]
    async fn a_job_that_panics_gives_its_place_back() {
        let workers = Workers::new(1, Duration::from_secs(60));
        let result = workers.run(|| -> Result<(), _> { panic!("as planned") }).await;
        assert!(matches!(result, Err(MailboxTrouble::Panicked)), "{result:?}");
        assert!(workers.run(|| Ok(())).await.is_ok());
    }
}
