//! One server: how many connections to it there are, and whether it is up.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use mysql_async::Opts;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

use super::connection::{Connection, Query};
use crate::trouble::Trouble;

/// The first wait before a host that is down is tried again, and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// Bounds of one host's connections.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) max: usize,
    pub(super) min: usize,
    pub(super) queue: usize,
    pub(super) wait: Duration,
    pub(super) connect: Duration,
    pub(super) idle: Duration,
}

/// A server.
pub(super) struct Host {
    name: String,
    options: Opts,
    queries: Arc<[Query]>,
    limits: Limits,
    /// Everybody who has a connection or waits for one.
    admitted: Arc<Semaphore>,
    /// Everybody who has one.
    places: Arc<Semaphore>,
    idle: Mutex<Vec<Connection>>,
    /// Somebody has given a connection back.
    returned: Notify,
    open: AtomicUsize,
    /// Why it is down, if it is.
    down: Mutex<Option<Trouble>>,
    /// An answer did not come: the keeper is to look.
    suspected: AtomicBool,
    /// Calls the keeper.
    call: Arc<Notify>,
}

impl Host {
    /// A host with its keeper.
    pub(super) fn start(
        name: String,
        options: Opts,
        queries: Arc<[Query]>,
        limits: Limits,
    ) -> Arc<Self> {
        let call = Arc::new(Notify::new());
        let host = Arc::new(Self {
            name,
            options,
            queries,
            limits,
            admitted: Arc::new(Semaphore::new(limits.max.saturating_add(limits.queue))),
            places: Arc::new(Semaphore::new(limits.max)),
            idle: Mutex::default(),
            returned: Notify::new(),
            open: AtomicUsize::new(0),
            down: Mutex::default(),
            suspected: AtomicBool::new(false),
            call: Arc::clone(&call),
        });
        tokio::spawn(keep(Arc::downgrade(&host), call));
        host
    }

    /// A connection, if the host is up.
    pub(super) async fn lease(self: &Arc<Self>, deadline: Instant) -> Result<Lease, Trouble> {
        if let Some(why) = &*lock(&self.down) {
            return Err(why.clone().about(&format!("{} is down", self.name)));
        }
        let full = |why| Trouble::Full(format!("{}: {why}", self.name));
        let admitted = Arc::clone(&self.admitted).try_acquire_owned();
        let admitted = admitted.map_err(|_| full("too many questions wait (mysql_queue)"))?;
        let patience = deadline.min(Instant::now() + self.limits.wait);
        let place = timeout_at(patience, Arc::clone(&self.places).acquire_owned()).await;
        let Ok(Ok(place)) = place else {
            // Whoever has the connections may be waiting for a dead server.
            self.suspect();
            return Err(full("no connection became free in time (mysql_wait)"));
        };
        let connection = match self.take_idle() {
            Some(connection) => connection,
            None => match timeout_at(deadline, self.open_or_wait(patience)).await {
                Ok(connection) => connection?,
                Err(_) => {
                    // Whether it is down is not for this question to say.
                    self.suspect();
                    let why = "no connection before the answer was due (mysql_timeout)";
                    return Err(Trouble::Slow(format!("{}: {why}", self.name)));
                }
            },
        };
        let places = (admitted, place);
        Ok(Lease { host: Arc::clone(self), connection: Some(connection), _places: places })
    }

    /// A new connection; if the server has no room for another one, one of ours
    /// that becomes free until `patience` ends.
    async fn open_or_wait(&self, patience: Instant) -> Result<Connection, Trouble> {
        let full = match self.open().await {
            Ok(connection) => return Ok(connection),
            Err(full @ Trouble::Full(_)) => full,
            Err(trouble) => {
                self.went_down(&trouble);
                return Err(trouble.about(&self.name));
            }
        };
        while self.open.load(Ordering::SeqCst) > 0 {
            let returned = self.returned.notified();
            if let Some(connection) = self.take_idle() {
                return Ok(connection);
            }
            if timeout_at(patience, returned).await.is_err() {
                break;
            }
        }
        Err(full.about(&self.name))
    }

    /// A new connection. One that is refused or cut is tried once more at
    /// once, before it makes the host one that is down.
    async fn open(&self) -> Result<Connection, Trouble> {
        match self.open_once().await {
            Err(Trouble::Lost(_)) => self.open_once().await,
            opened => opened,
        }
    }

    async fn open_once(&self) -> Result<Connection, Trouble> {
        let opening = Connection::open(&self.options, self.queries.len());
        let opened = timeout(self.limits.connect, opening).await;
        let connection = opened.unwrap_or_else(|_| {
            Err(Trouble::Slow("no connection in time (mysql_connect_timeout)".into()))
        })?;
        self.open.fetch_add(1, Ordering::SeqCst);
        Ok(connection)
    }

    fn take_idle(&self) -> Option<Connection> {
        let mut idle = lock(&self.idle);
        let connection = idle.pop()?;
        if connection.idle_since.elapsed() < self.limits.idle {
            return Some(connection);
        }
        // All others have been idle for longer.
        let all = std::mem::take(&mut *idle);
        drop(idle);
        self.close(all.into_iter().chain([connection]));
        None
    }

    fn put_idle(&self, mut connection: Connection) {
        connection.idle_since = Instant::now();
        connection.reused = true;
        lock(&self.idle).push(connection);
        self.returned.notify_one();
    }

    fn close(&self, connections: impl IntoIterator<Item = Connection>) {
        for connection in connections {
            self.open.fetch_sub(1, Ordering::SeqCst);
            connection.leave();
        }
    }

    /// Lets the keeper find out whether the host is up.
    fn suspect(&self) {
        self.suspected.store(true, Ordering::SeqCst);
        self.call.notify_one();
    }

    fn went_down(&self, trouble: &Trouble) {
        let before = lock(&self.down).replace(trouble.clone());
        let idle = std::mem::take(&mut *lock(&self.idle));
        self.close(idle);
        if before.is_none() {
            tracing::warn!(server = %self.name, error = %trouble, "the MySQL server is down");
            self.call.notify_one();
        }
    }

    fn came_up(&self) {
        if lock(&self.down).take().is_some() {
            tracing::info!(server = %self.name, "the MySQL server is up again");
        }
    }

    /// Looks after the host once. Says whether it is up.
    async fn look_after(&self) -> bool {
        let is_down = lock(&self.down).is_some();
        if is_down || self.suspected.swap(false, Ordering::SeqCst) {
            return match self.open().await {
                Ok(connection) => {
                    self.came_up();
                    if self.open.load(Ordering::SeqCst) > self.limits.max {
                        self.close([connection]);
                    } else {
                        self.put_idle(connection);
                    }
                    true
                }
                // A server without room for more answers those that it has.
                Err(Trouble::Full(_)) if !is_down => true,
                Err(trouble) => {
                    self.went_down(&trouble);
                    false
                }
            };
        }
        self.close_old();
        while self.open.load(Ordering::SeqCst) < self.limits.min {
            match self.open().await {
                Ok(connection) => self.put_idle(connection),
                Err(Trouble::Full(_)) => break,
                Err(trouble) => {
                    self.went_down(&trouble);
                    return false;
                }
            }
        }
        true
    }

    /// Closes connections that have been idle for too long.
    fn close_old(&self) {
        let mut idle = lock(&self.idle);
        let is_old = |connection: &Connection| connection.idle_since.elapsed() >= self.limits.idle;
        let fresh = idle.iter().position(|connection| !is_old(connection)).unwrap_or(idle.len());
        let old: Vec<Connection> = idle.drain(..fresh).collect();
        drop(idle);
        self.close(old);
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let idle = std::mem::take(&mut *lock(&self.idle));
        self.close(idle);
        self.call.notify_one();
    }
}

/// The keeper: ends with its host.
async fn keep(host: Weak<Host>, call: Arc<Notify>) {
    let mut failures = 0;
    loop {
        let Some(kept) = host.upgrade() else { return };
        let idle = kept.limits.idle;
        failures = if kept.look_after().await { 0 } else { failures + 1 };
        drop(kept);
        if failures > 0 {
            tokio::time::sleep(backoff(failures)).await;
        } else {
            // Called, or time to look for connections that are too old.
            let _ = timeout(idle / 2, call.notified()).await;
        }
    }
}

/// Doubles from the first wait to the longest, each with up to a half less, so
/// that many gateways do not come back at the same moment.
fn backoff(failures: u32) -> Duration {
    let (first, longest) = BACKOFF;
    let wait = first.saturating_mul(1 << (failures - 1).min(10)).min(longest);
    wait.mul_f64(rand::random_range(0.5..=1.0))
}

/// A connection that somebody uses. If it is not given back, it is closed.
pub(crate) struct Lease {
    host: Arc<Host>,
    connection: Option<Connection>,
    _places: (OwnedSemaphorePermit, OwnedSemaphorePermit),
}

impl Lease {
    /// The connection.
    pub(crate) fn connection(&mut self) -> &mut Connection {
        self.connection.as_mut().expect("a lease has its connection until it ends")
    }

    /// Makes sure that the connection lives, for what cannot be said twice.
    pub(crate) async fn begin(&mut self) -> Result<(), Trouble> {
        self.connection().begin().await
    }

    /// Gives the connection back, if `trouble` allows.
    pub(crate) fn end(mut self, trouble: Option<&Trouble>) {
        if trouble.is_none_or(Trouble::spares_connection)
            && let Some(connection) = self.connection.take()
        {
            self.host.put_idle(connection);
        }
        if let Some(Trouble::Lost(_)) = trouble {
            // One has died, so the others that were idle have, most likely.
            let idle = std::mem::take(&mut *lock(&self.host.idle));
            self.host.close(idle);
            self.host.suspect();
        }
    }
}

impl Drop for Lease {
    /// Whoever used it has gone away in the middle, or ran out of time.
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.host.close([connection]);
            self.host.suspect();
        }
    }
}

/// The state behind a lock is a list or a text, sound at any moment.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
