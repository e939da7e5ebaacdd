//! Load: clients that repeat their operation for a while, each as soon as its
//! last one is answered.

use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::failure::{Failure, Wrong};
use crate::measure::{Histogram, Meter, Server};

/// How long one operation may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// A client that got this many wrong answers has nothing left to measure.
const TOO_MANY: u64 = 20;

/// One of several clients that work at the same time.
pub(crate) trait Client: Send + 'static {
    /// Operations that one call makes, for those too short to be timed alone.
    const BATCH: u32 = 1;

    /// Makes one operation, or one batch, and checks its answer. After an
    /// error the next call starts afresh.
    fn operate(&mut self) -> impl Future<Output = Result<(), Wrong>> + Send;
}

/// What was counted.
#[derive(Debug)]
pub(crate) struct Tally {
    /// How long the right operations took.
    pub(crate) latency: Histogram,
    /// How many were wrong.
    pub(crate) errors: u64,
    /// What was wrong with the first of them.
    pub(crate) first_error: Option<Wrong>,
}

/// One stretch of load, measured.
#[derive(Debug)]
pub(crate) struct Sample {
    /// What was counted.
    pub(crate) tally: Tally,
    /// How long it lasted.
    pub(crate) elapsed: Duration,
    /// Processor time of the client, where it can be told from the server's.
    pub(crate) client_cpu: Option<Duration>,
    /// Processor time of the server.
    pub(crate) server_cpu: Duration,
    /// How many processors somebody else kept busy meanwhile.
    pub(crate) other_cores: f64,
}

impl Tally {
    /// Nothing yet.
    pub(crate) fn new() -> Self {
        Self { latency: Histogram::new(), errors: 0, first_error: None }
    }

    /// Counts one call that made `batch` operations.
    fn count(&mut self, result: Result<(), Wrong>, took: Duration, batch: u32) {
        match result {
            Ok(()) => self.latency.record(took / batch, batch),
            Err(wrong) => {
                self.errors += 1;
                self.first_error.get_or_insert(wrong);
            }
        }
    }

    /// Adds what another client has counted.
    pub(crate) fn merge(&mut self, other: Self) {
        self.latency.merge(&other.latency);
        self.errors += other.errors;
        self.first_error = self.first_error.take().or(other.first_error);
    }
}

/// Lets all clients work for `time`.
pub(crate) async fn drive<C: Client>(clients: Vec<C>, time: Duration, server: &Server) -> Sample {
    let meter = Meter::start(server);
    let end = Instant::now() + time;
    let working: JoinSet<Tally> = clients.into_iter().map(|client| work(client, end)).collect();
    let mut total = Tally::new();
    working.join_all().await.into_iter().for_each(|tally| total.merge(tally));
    meter.finish(total)
}

async fn work<C: Client>(mut client: C, end: Instant) -> Tally {
    let mut tally = Tally::new();
    let mut started = Instant::now();
    while started < end && tally.errors < TOO_MANY {
        let result = match timeout(PATIENCE, client.operate()).await {
            Ok(result) => result,
            Err(_) => Err(Wrong(format!("no answer within {PATIENCE:?}"))),
        };
        tally.count(result, started.elapsed(), C::BATCH);
        if C::BATCH > 1 {
            // A batch never waits, so the other tasks would never run.
            tokio::task::yield_now().await;
        }
        started = Instant::now();
    }
    tally
}

/// Repeats a blocking operation in this thread for `time`.
pub(crate) fn repeat(time: Duration, mut operate: impl FnMut() -> Result<(), Wrong>) -> Tally {
    let mut tally = Tally::new();
    let mut started = Instant::now();
    let end = started + time;
    while started < end && tally.errors < TOO_MANY {
        let result = operate();
        tally.count(result, started.elapsed(), 1);
        started = Instant::now();
    }
    tally
}

/// A runtime with one thread: a client that costs as little as it can.
pub(crate) fn one_thread() -> Result<Runtime, Failure> {
    Builder::new_current_thread().enable_all().build().map_err(Failure::system("start the runtime"))
}
