//! Blocking work beside the event loop, bounded in width and in length.
//!
//! ```text
//!   run(work) ─▶ admitted? ──no──▶ Overloaded, at once
//!                  │ yes: wait for a place
//!                  ▼
//!               `width` jobs at a time on blocking threads
//! ```
//!
//! A lane is a limit, not a set of threads: all lanes share the runtime's
//! blocking pool, and an idle lane costs nothing.

use std::sync::Arc;

use dmail_core::{Unavailable, UnavailableKind};
use tokio::sync::{Semaphore, TryAcquireError};

/// A bounded way to blocking threads.
#[derive(Debug, Clone)]
pub struct Lane {
    name: &'static str,
    admitted: Arc<Semaphore>,
    running: Arc<Semaphore>,
}

impl Lane {
    /// A lane for `width` jobs at a time with room for `waiting` more. The
    /// name is for the log.
    #[must_use]
    pub fn new(name: &'static str, width: usize, waiting: usize) -> Self {
        let width = width.max(1);
        Self {
            name,
            admitted: Arc::new(Semaphore::new(width.saturating_add(waiting))),
            running: Arc::new(Semaphore::new(width)),
        }
    }

    /// Does `work` on a blocking thread. A job that runs already is finished
    /// even if the caller goes away, and holds its place until then.
    ///
    /// # Errors
    ///
    /// [`UnavailableKind::Overloaded`] if too many jobs wait already, and the
    /// like of it if the runtime stops or the job panics.
    pub async fn run<T, F>(&self, work: F) -> Result<T, Unavailable>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let admitted = match Arc::clone(&self.admitted).try_acquire_owned() {
            Ok(permit) => permit,
            Err(TryAcquireError::NoPermits) => return Err(self.overloaded()),
            Err(TryAcquireError::Closed) => return Err(self.stopped()),
        };
        let Ok(running) = Arc::clone(&self.running).acquire_owned().await else {
            return Err(self.stopped());
        };
        let job = tokio::task::spawn_blocking(move || {
            let _places = (admitted, running);
            work()
        });
        job.await.map_err(|error| {
            if error.is_panic() {
                let detail = format!("a job of the {} lane panicked", self.name);
                Unavailable::new(UnavailableKind::Fault, detail)
            } else {
                self.stopped()
            }
        })
    }

    fn overloaded(&self) -> Unavailable {
        let detail = format!("too many jobs wait in the {} lane", self.name);
        Unavailable::new(UnavailableKind::Overloaded, detail)
    }

    fn stopped(&self) -> Unavailable {
        let detail = format!("the {} lane has stopped", self.name);
        Unavailable::new(UnavailableKind::ShuttingDown, detail)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn a_full_lane_refuses_at_once_and_heals() {
        let lane = Lane::new("test", 1, 1);
        let (release, held) = mpsc::channel::<()>();
        let (started, mut running) = tokio::sync::mpsc::channel(1);
        let first = tokio::spawn({
            let lane = lane.clone();
            async move {
                let work = move || {
                    started.blocking_send(()).expect("the test listens");
                    held.recv().expect("a release");
                };
                lane.run(work).await
            }
        });
        running.recv().await.expect("the first job runs");
        let mut second = Box::pin(lane.run(|| 2));
        assert!(futures_poll(&mut second).await.is_none(), "it waits");
        let refused = lane.run(|| 3).await.expect_err("no room for a third");
        assert_eq!(refused.kind, UnavailableKind::Overloaded);
        release.send(()).expect("the first job listens");
        assert_eq!(second.await, Ok(2));
        assert_eq!(first.await.expect("no panic"), Ok(()));
        assert_eq!(lane.run(|| 4).await, Ok(4));
    }

    #[tokio::test]
    async fn a_panic_is_a_fault_and_gives_its_place_back() {
        let lane = Lane::new("test", 1, 0);
        for _ in 0..3 {
            let fault = lane.run(|| assert_eq!(1, 2, "on purpose")).await.expect_err("a panic");
            assert_eq!(fault.kind, UnavailableKind::Fault);
        }
        assert_eq!(lane.run(|| 1).await, Ok(1));
    }

    /// Polls once.
    async fn futures_poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
        std::future::poll_fn(|context| {
            std::task::Poll::Ready(match std::pin::Pin::new(&mut *future).poll(context) {
                std::task::Poll::Ready(value) => Some(value),
                std::task::Poll::Pending => None,
            })
        })
        .await
    }
}
