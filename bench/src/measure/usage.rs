//! Processor time of both sides and of everybody else, over a stretch of time.

use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};

use super::processes::{cpu_time, machine_busy};
use crate::load::{Sample, Tally};

/// Where the work is done that is measured.
#[derive(Debug, Clone)]
pub(crate) enum Server {
    /// In this process; the client's share of it is nothing.
    Own,
    /// In these processes; this one is the client.
    Processes(Vec<u32>),
}

/// Runs while the load does.
#[derive(Debug)]
pub(crate) struct Meter {
    server: Server,
    started: Instant,
    before: Usage,
}

/// Processor time so far.
#[derive(Debug, Clone, Copy)]
struct Usage {
    own: Duration,
    server: Duration,
    machine: Duration,
}

impl Meter {
    /// Begins to measure.
    pub(crate) fn start(server: &Server) -> Self {
        Self { server: server.clone(), before: Usage::now(server), started: Instant::now() }
    }

    /// Ends the measurement of what `tally` has counted.
    pub(crate) fn finish(self, tally: Tally) -> Sample {
        let elapsed = self.started.elapsed();
        let after = Usage::now(&self.server);
        let own = after.own.saturating_sub(self.before.own);
        let server = after.server.saturating_sub(self.before.server);
        let machine = after.machine.saturating_sub(self.before.machine);
        let others = machine.saturating_sub(own + server);
        let (client_cpu, server_cpu) = match self.server {
            Server::Own => (None, own),
            Server::Processes(_) => (Some(own), server),
        };
        let other_cores = others.as_secs_f64() / elapsed.as_secs_f64();
        Sample { tally, elapsed, client_cpu, server_cpu, other_cores }
    }
}

impl Usage {
    fn now(server: &Server) -> Self {
        let server = match server {
            Server::Own => Duration::ZERO,
            Server::Processes(pids) => cpu_time(pids),
        };
        Self { own: own_cpu_time(), server, machine: machine_busy() }
    }
}

/// Processor time of this process, all threads.
fn own_cpu_time() -> Duration {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else {
        return Duration::ZERO;
    };
    let times = [usage.user_time(), usage.system_time()];
    let micros: i64 = times.iter().map(|time| time.tv_sec() * 1_000_000 + time.tv_usec()).sum();
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}
