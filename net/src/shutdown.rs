//! Stopping: no new sessions, running ones finish, and all of it bounded.

use std::time::Duration;

use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// One server process's way to stop. Clones share the state.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    asked: CancellationToken,
    sessions: TaskTracker,
}

impl Shutdown {
    /// A process that runs.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the server was asked to stop.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.asked.is_cancelled()
    }

    /// A part of the process that can be stopped alone, and is stopped with the
    /// whole. [`drain`](Self::drain) of the whole waits for its sessions, too.
    #[must_use]
    pub fn part(&self) -> Self {
        Self { asked: self.asked.child_token(), sessions: self.sessions.clone() }
    }

    /// Asks to stop, and waits for nothing.
    pub fn ask(&self) {
        self.asked.cancel();
    }

    /// Waits until the server is asked to stop.
    pub fn asked(&self) -> WaitForCancellationFuture<'_> {
        self.asked.cancelled()
    }

    /// How many sessions are running.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// Something that [`drain`](Self::drain) waits for until it is dropped.
    pub(crate) fn hold(&self) -> TaskTrackerToken {
        self.sessions.token()
    }

    /// Runs a session that [`drain`](Self::drain) waits for.
    pub fn spawn_session(&self, session: impl Future<Output = ()> + Send + 'static) {
        self.sessions.spawn(session);
    }

    /// Asks everybody to stop and waits for the running sessions, `patience`
    /// at most. Returns how many were still running then.
    pub async fn drain(&self, patience: Duration) -> usize {
        self.asked.cancel();
        self.sessions.close();
        let _ = tokio::time::timeout(patience, self.sessions.wait()).await;
        self.sessions.len()
    }
}
