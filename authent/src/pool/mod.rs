//! A pool of child modules: programs that answer the line protocol on their
//! standard input and output (`authent_process`).
//!
//! ```text
//!   ask ──▶ queue (FIFO, bounded length and age) ──▶ an idle child ──▶ its reply
//!                                                        │ any fault: killed
//!   slot (one per child): spawn ─▶ idle ─▶ … ─▶ gone ─▶ pause ─▶ spawn
//! ```
//!
//! The contract with a child, which has no request ids to tell answers apart:
//!
//! - One request is outstanding on one child. Whoever asks holds the child's
//!   pipes; dropping them, for whatever reason, kills the child. So a request
//!   that was given up takes its child with it, and a late reply has no reader.
//! - A child that answers late, twice, unasked, for another user, with garbage
//!   or without end is killed with its process group and reaped.
//! - A request is asked once more elsewhere only if its child went away before
//!   any byte of an answer.
//! - Trouble is [`Unavailable`], never a wrong password.

mod child;
mod config;
mod recent;
mod slot;
mod source;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dmail_core::{Unavailable, UnavailableKind};
use tokio::sync::{AcquireError, Semaphore, SemaphorePermit, TryAcquireError, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use zeroize::Zeroizing;

pub use config::PoolConfig;

use crate::line::{DataLine, Fault, NotCarriable, Reply, Request, Status};
use child::{AskError, Child};

/// How long children have to leave after `exit`.
const EXIT_PATIENCE: Duration = Duration::from_secs(2);

/// The pool. Its children run until [`shutdown`](Pool::shutdown), or until it
/// is dropped.
#[derive(Debug)]
pub struct Pool {
    shared: Arc<Shared>,
    slots: Mutex<JoinSet<()>>,
}

/// What the askers and the slots share.
#[derive(Debug)]
struct Shared {
    config: PoolConfig,
    /// Children that wait for a question; as many as `ready` has permits.
    idle: Mutex<VecDeque<Child>>,
    /// FIFO: whoever waits longest gets the next child.
    ready: Semaphore,
    /// Requests that wait for a child.
    waiting: AtomicUsize,
    /// The latest question ran into `authent_timeout`, and no child has answered
    /// any since: whoever still waits then waits for a module that hangs.
    silent: AtomicBool,
    /// How many slots pause because their children answer nothing.
    failing: watch::Sender<usize>,
}

/// Why the pool has no answer.
#[derive(Debug)]
enum PoolError {
    /// The request cannot be written; no child saw it.
    NotCarriable(NotCarriable),
    Unavailable(Unavailable),
}

impl Pool {
    /// Starts the children. Must be called within a tokio runtime.
    #[must_use]
    pub fn start(config: PoolConfig) -> Self {
        let number = config.number.max(1);
        let shared = Arc::new(Shared {
            config,
            idle: Mutex::new(VecDeque::with_capacity(number)),
            ready: Semaphore::new(0),
            waiting: AtomicUsize::new(0),
            silent: AtomicBool::new(false),
            failing: watch::Sender::new(0),
        });
        let mut slots = JoinSet::new();
        for slot in 0..number {
            slots.spawn(slot::run(slot, Arc::clone(&shared)));
        }
        Self { shared, slots: Mutex::new(slots) }
    }

    /// Says `exit` to the children, waits a little, and kills those that stay.
    /// Requests that still wait become unavailable.
    pub async fn shutdown(&self) {
        self.shared.ready.close();
        let idle = std::mem::take(&mut *self.shared.idle());
        let leaving: JoinSet<()> =
            idle.into_iter().map(|child| child.exit(EXIT_PATIENCE)).collect();
        leaving.join_all().await;
        let mut slots = std::mem::take(&mut *lock(&self.slots));
        // A slot ends when its child is reaped; aborting one kills its child.
        let _ = timeout(EXIT_PATIENCE, async { while slots.join_next().await.is_some() {} }).await;
    }

    /// How many children wait for a question right now.
    #[must_use]
    pub fn idle_children(&self) -> usize {
        self.shared.ready.available_permits()
    }

    /// Asks a child and lets `read` make sense of its answer. If `read` finds
    /// a fault, the child goes.
    async fn ask<T>(
        &self,
        request: &Request,
        data_lines: usize,
        read: impl FnOnce(Reply, Vec<DataLine>) -> Result<T, Fault>,
    ) -> Result<T, PoolError> {
        let shared = &*self.shared;
        let mut line = Zeroizing::new(Vec::with_capacity(128));
        request.write(&mut line, shared.config.quoting).map_err(PoolError::NotCarriable)?;
        let mut lost_one = false;
        loop {
            let mut child = shared.next_child().await?;
            let asked = child.ask(&line, request.secret(), data_lines);
            let fault = match timeout(shared.config.timeout, asked).await {
                Ok(Ok((mut reply, data))) => {
                    shared.silent.store(false, Ordering::Relaxed);
                    if let (Status::Err | Status::Dead, Some(secret)) =
                        (reply.status, request.secret())
                    {
                        reply.text = recent::hide(&reply.text, secret, shared.config.quoting);
                    }
                    if reply.status == Status::Dead {
                        shared.give_back(child);
                        return Err(unavailable(UnavailableKind::Dead, reply.text));
                    }
                    match read(reply, data) {
                        Ok(answer) => {
                            shared.give_back(child);
                            return Ok(answer);
                        }
                        Err(fault) => fault,
                    }
                }
                Ok(Err(AskError::Stale(why))) => {
                    child.kill(why);
                    continue;
                }
                Ok(Err(AskError::GoneBeforeAnswer)) if !lost_one => {
                    lost_one = true;
                    child.kill("ended before it answered; another one is asked");
                    continue;
                }
                Ok(Err(AskError::GoneBeforeAnswer)) => {
                    child.kill("ended before it answered");
                    return Err(unavailable(
                        UnavailableKind::Dead,
                        "two modules ended before they answered",
                    ));
                }
                Ok(Err(AskError::GoneInAnswer)) => Fault::Cut,
                Ok(Err(AskError::Broken(fault))) => fault,
                Err(_) => {
                    shared.silent.store(true, Ordering::Relaxed);
                    child.kill("gave no answer within authent_timeout");
                    return Err(unavailable(
                        UnavailableKind::Timeout,
                        "the module gave no answer within authent_timeout",
                    ));
                }
            };
            child.kill(fault.to_string());
            return Err(unavailable(UnavailableKind::Fault, format!("the module sent {fault}")));
        }
    }
}

impl Shared {
    /// The child that has been idle longest, or the next one to become idle.
    async fn next_child(&self) -> Result<Child, Unavailable> {
        loop {
            let permit = match self.ready.try_acquire() {
                Ok(permit) => permit,
                Err(TryAcquireError::Closed) => return Err(shutting_down()),
                Err(TryAcquireError::NoPermits) => self.queue().await?,
            };
            permit.forget();
            match self.idle().pop_front() {
                Some(child) if !child.is_gone() => return Ok(child),
                // Its slot knows already that it is gone.
                _ => {}
            }
        }
    }

    /// Waits in the queue.
    async fn queue(&self) -> Result<SemaphorePermit<'_>, Unavailable> {
        let _place = Place::take(self)?;
        let mut failing = self.failing.subscribe();
        let hopeless = failing.wait_for(|failing| *failing >= self.config.number.max(1));
        tokio::select! {
            biased;
            permit = timeout(self.config.queue_age, self.ready.acquire()) => match permit {
                Ok(Ok(permit)) => Ok(permit),
                Ok(Err(AcquireError { .. })) => Err(shutting_down()),
                Err(_) => Err(Unavailable::new(
                    self.why_full(),
                    "waited longer than authent_queue_age for a module, see authent_number",
                )),
            },
            _ = hopeless => Err(Unavailable::new(
                UnavailableKind::Dead,
                "no module stays alive, see authent_process and what it writes to the log",
            )),
        }
    }

    /// Why there is no free child: all of them hang, or they have much to do.
    fn why_full(&self) -> UnavailableKind {
        match self.silent.load(Ordering::Relaxed) {
            true => UnavailableKind::Timeout,
            false => UnavailableKind::Overloaded,
        }
    }

    /// Puts a child where the next question finds it.
    fn give_back(&self, child: Child) {
        // A closed pool drops it, which ends it.
        if !self.ready.is_closed() {
            self.idle().push_back(child);
            self.ready.add_permits(1);
        }
    }

    /// Lets go of the pipes of children that ended while they were idle: it may
    /// be long until somebody asks.
    fn forget_gone(&self) {
        let mut idle = self.idle();
        idle.retain(|child| {
            // Without a permit, somebody is about to take one from the queue.
            let Some(permit) = child.is_gone().then(|| self.ready.try_acquire().ok()).flatten()
            else {
                return true;
            };
            permit.forget();
            false
        });
    }

    fn idle(&self) -> MutexGuard<'_, VecDeque<Child>> {
        lock(&self.idle)
    }
}

/// A place in the queue; left when dropped.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(shared: &'a Shared) -> Result<Self, Unavailable> {
        let before = shared.waiting.fetch_add(1, Ordering::Relaxed);
        let place = Self(&shared.waiting);
        if before < shared.config.queue_length {
            return Ok(place);
        }
        Err(Unavailable::new(
            shared.why_full(),
            format!(
                "{before} requests wait for a module already, see authent_number and authent_queue"
            ),
        ))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl From<Unavailable> for PoolError {
    fn from(unavailable: Unavailable) -> Self {
        Self::Unavailable(unavailable)
    }
}

fn unavailable(kind: UnavailableKind, detail: impl Into<String>) -> PoolError {
    PoolError::Unavailable(Unavailable::new(kind, detail))
}

fn shutting_down() -> Unavailable {
    Unavailable::new(UnavailableKind::ShuttingDown, "the server is going down")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use dmail_core::Username;

    use super::*;

    /// A pool of one child, which is this shell script.
    fn pool(script: &str, config: PoolConfig) -> Pool {
        let command = ["sh", "-c", script].map(Into::into).to_vec();
        Pool::start(PoolConfig { command, number: 1, ..config })
    }

    async fn lookup(pool: &Pool) -> Option<UnavailableKind> {
        let request = Request::Lookup { user: Username::parse(b"bob").expect("a name") };
        match pool.ask(&request, 0, |_, _| Ok(())).await {
            Err(PoolError::Unavailable(error)) => Some(error.kind),
            _ => None,
        }
    }

    #[tokio::test]
    async fn children_that_end_while_nobody_asks_leave_nothing_behind() {
        let dir = tempfile::tempdir().expect("a directory");
        let starts = dir.path().join("starts");
        let script = format!("echo started >> {}", starts.display());
        let pool = pool(&script, PoolConfig::new([""]));
        let started = || std::fs::read_to_string(&starts).map_or(0, |text| text.lines().count());
        while started() < 4 {
            assert!(pool.shared.idle().len() <= 1, "the pipes of the dead are closed");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(pool.idle_children() <= 1);
        pool.shutdown().await;
    }

    #[tokio::test]
    async fn whoever_waits_for_a_module_that_hangs_is_not_told_of_overload() {
        let patience = Duration::from_millis(200);
        let config = PoolConfig { timeout: patience, queue_age: patience, ..PoolConfig::new([""]) };
        let pool = pool("cat > /dev/null", config);
        assert_eq!(lookup(&pool).await, Some(UnavailableKind::Timeout));
        let asked = tokio::join!(lookup(&pool), lookup(&pool), lookup(&pool));
        let timeout = Some(UnavailableKind::Timeout);
        assert_eq!(asked, (timeout, timeout, timeout));
        pool.shutdown().await;
    }
}
