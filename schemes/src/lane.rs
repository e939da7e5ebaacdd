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
//! blocking pool, and an idle lane costs nothing. The exception is a *gentle*
//! lane, for work that takes all of a processor: it has threads of its own, of
//! a low priority, because a thread that was made gentle stays so.

use std::sync::Arc;

use dmail_core::{Unavailable, UnavailableKind};
use tokio::sync::{Semaphore, TryAcquireError, oneshot};

use crate::gentle::GentleThreads;

/// A bounded way to blocking threads.
#[derive(Debug, Clone)]
pub struct Lane {
    name: &'static str,
    admitted: Arc<Semaphore>,
    running: Arc<Semaphore>,
    /// Where the work is done, if not on the runtime's blocking threads.
    gentle: Option<GentleThreads>,
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
            gentle: None,
        }
    }

    /// The same, on `width` threads of its own, to which the event loop goes
    /// first: nine parts of a processor that both want, to one.
    #[must_use]
    pub fn gentle(name: &'static str, width: usize, waiting: usize) -> Self {
        let gentle = GentleThreads::start(name, width.max(1));
        Self { gentle: Some(gentle), ..Self::new(name, width, waiting) }
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
        let job = move || {
            let _places = (admitted, running);
            work()
        };
        match &self.gentle {
            None => tokio::task::spawn_blocking(job)
                .await
                .map_err(|error| if error.is_panic() { self.panicked() } else { self.stopped() }),
            Some(threads) => {
                let (done, result) = oneshot::channel();
                threads.run(Box::new(move || {
                    // Nobody may be waiting any more.
                    let _ = done.send(job());
                }));
                result.await.map_err(|_| self.panicked())
            }
        }
    }

    fn panicked(&self) -> Unavailable {
        let detail = format!("a job of the {} lane panicked", self.name);
        Unavailable::new(UnavailableKind::Fault, detail)
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
        for lane in [Lane::new("test", 1, 1), Lane::gentle("test", 1, 1)] {
            fill(lane).await;
        }
    }

    async fn fill(lane: Lane) {
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
        for lane in [Lane::new("test", 1, 0), Lane::gentle("test", 1, 0)] {
            for _ in 0..3 {
                let fault = lane.run(|| assert_eq!(1, 2, "on purpose")).await.expect_err("a panic");
                assert_eq!(fault.kind, UnavailableKind::Fault);
            }
            assert_eq!(lane.run(|| 1).await, Ok(1));
        }
    }

    #[tokio::test]
    async fn only_a_gentle_lane_works_at_a_low_priority() {
        let priority = || rustix::process::getpriority_process(None).expect("Linux");
        let usual = Lane::new("test", 1, 0).run(priority).await.expect("a thread");
        let gentle = Lane::gentle("test", 1, 0).run(priority).await.expect("a thread");
        assert!(gentle > usual || usual == 19, "{gentle} > {usual}");
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
