//! Threads that step back for everybody else.
//!
//! A flood of guesses keeps every processor busy with hashes. Whoever is
//! answered from memory meanwhile must not wait in line with them, so hashes
//! are computed at a low priority. On an idle machine they are as fast as ever.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// The nice value (setpriority(2)): a tenth of the weight of other threads.
const NICE: i32 = 10;

type Job = Box<dyn FnOnce() + Send>;

/// Threads that do one job after the other. They end when the last clone is
/// dropped and all jobs are done.
#[derive(Clone)]
pub(crate) struct GentleThreads {
    jobs: Sender<Job>,
}

impl GentleThreads {
    /// Starts `number` threads, whose name is for `ps` and `top`.
    pub(crate) fn start(name: &str, number: usize) -> Self {
        let (sender, jobs) = channel();
        let jobs = Arc::new(Mutex::new(jobs));
        for _ in 0..number {
            let jobs = Arc::clone(&jobs);
            let started = thread::Builder::new().name(name.to_owned()).spawn(move || work(&jobs));
            if let Err(error) = started {
                tracing::error!(%error, threads = name, "a thread cannot be started");
            }
        }
        Self { jobs: sender }
    }

    /// Has the job done, after those that were brought before.
    pub(crate) fn run(&self, job: Job) {
        // Without any thread, the job is dropped, and with it the promise of
        // its result.
        let _ = self.jobs.send(job);
    }
}

impl fmt::Debug for GentleThreads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GentleThreads").finish_non_exhaustive()
    }
}

fn work(jobs: &Mutex<Receiver<Job>>) {
    // On Linux this is about the thread that asks.
    if let Err(error) = rustix::process::nice(NICE) {
        tracing::warn!(%error, "passwords are hashed at the priority of everything else");
    }
    loop {
        // One waits in the channel, the others for the lock.
        let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { return };
        // Whoever waits for the result learns of a panic by not getting one.
        let _ = catch_unwind(AssertUnwindSafe(job));
    }
}
