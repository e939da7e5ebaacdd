//! The queue of this process's own threads before one drop file.
//!
//! Dot locks and record locks can only be polled. Threads of one process need
//! not: they wait here, and are woken when it is their turn.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

static QUEUES: LazyLock<Mutex<HashMap<PathBuf, Queue>>> = LazyLock::new(Mutex::default);

/// Exists as long as somebody has the turn, or is about to take it.
#[derive(Default)]
struct Queue {
    waiting: usize,
    /// The turn was given back, and no waiter has taken it yet.
    free: bool,
    freed: Arc<Condvar>,
}

/// The right to lock one drop file; given back when dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    path: PathBuf,
}

impl Turn {
    /// Waits for the turn at `path`; none if `deadline` comes first.
    pub(crate) fn take(path: &Path, deadline: Instant) -> Option<Self> {
        let turn = || Self { path: path.to_owned() };
        let mut queues = queues();
        let Some(queue) = queues.get_mut(path) else {
            queues.insert(path.to_owned(), Queue::default());
            return Some(turn());
        };
        queue.waiting += 1;
        let freed = Arc::clone(&queue.freed);
        loop {
            let queue = queues.get_mut(path).expect("a queue with a waiter stays");
            let left = deadline.saturating_duration_since(Instant::now());
            if queue.free || left.is_zero() {
                queue.waiting -= 1;
                return std::mem::take(&mut queue.free).then(turn);
            }
            let woken = freed.wait_timeout(queues, left);
            queues = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut queues = queues();
        match queues.get_mut(&self.path) {
            Some(queue) if queue.waiting > 0 => {
                queue.free = true;
                queue.freed.notify_one();
            }
            _ => drop(queues.remove(&self.path)),
        }
    }
}

/// The table is whole even if a thread died holding it: every change is a
/// single step.
fn queues() -> MutexGuard<'static, HashMap<PathBuf, Queue>> {
    QUEUES.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(20)
    }

    #[test]
    fn one_thread_at_a_time_has_the_turn() {
        let path = Path::new("/turns/one");
        let inside = Mutex::new(());
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let _turn = Turn::take(path, soon()).expect("a turn");
                        let _alone = inside.try_lock().expect("nobody else");
                    }
                });
            }
        });
        assert!(!queues().contains_key(path), "nothing is left behind");
    }

    #[test]
    fn whoever_waits_too_long_goes_away_and_the_next_is_served() {
        let path = Path::new("/turns/two");
        let first = Turn::take(path, soon()).expect("a turn");
        assert!(Turn::take(path, Instant::now()).is_none());
        assert!(Turn::take(Path::new("/turns/three"), Instant::now()).is_some());
        std::thread::scope(|scope| {
            let next = scope.spawn(|| Turn::take(path, soon()).is_some());
            drop(first);
            assert!(next.join().expect("no panic"));
        });
    }
}
