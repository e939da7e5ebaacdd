//! Connections to the servers: the first server that is up is asked.
//!
//! ```text
//!   lease ─▶ host 1 up? ─yes─▶ place free? ─▶ idle connection, or a new one
//!              │ no               │ no: wait, bounded in number and time
//!              ▼                  ▼
//!            host 2 …          Full
//! ```
//!
//! Each host has a keeper, a task that tries one that is down again and again
//! and opens what is to be kept open. So no question waits for a server that
//! is known to be down, and the first one is asked again as soon as it is up.
//!
//! A connection goes back only when its last answer was read to the end. One
//! whose user has left in the middle is closed.

mod connection;
mod host;
mod options;

use std::sync::Arc;

use tokio::time::Instant;

pub(crate) use connection::{Connection, Query, Rows};
pub(crate) use host::Lease;
use host::{Host, Limits};
pub use options::OptionsError;

use crate::settings::Settings;
use crate::trouble::Trouble;

/// What a connection is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// A question, which any server can answer.
    Read,
    /// A change.
    Write,
}

/// The servers.
pub(crate) struct Pool {
    hosts: Vec<Arc<Host>>,
    write_any: bool,
}

impl Pool {
    /// Prepares the pool and starts the keepers; nothing is connected yet.
    pub(crate) fn new(settings: &Settings, queries: Arc<[Query]>) -> Result<Self, OptionsError> {
        let connections = &settings.connections;
        let limits = Limits {
            max: connections.max,
            min: connections.min,
            queue: connections.queue,
            wait: connections.wait,
            connect: connections.connect,
            idle: connections.idle,
        };
        let hosts = settings.server.servers.iter().map(|address| {
            let options = options::options(settings, address)?;
            Ok(Host::start(address.to_string(), options, Arc::clone(&queries), limits))
        });
        let hosts = hosts.collect::<Result<Vec<_>, OptionsError>>()?;
        Ok(Self { hosts, write_any: connections.write_any })
    }

    /// A connection to the first host that is up.
    pub(crate) async fn lease(&self, access: Access, deadline: Instant) -> Result<Lease, Trouble> {
        let candidates = match access {
            Access::Write if !self.write_any => &self.hosts[..1],
            _ => &self.hosts[..],
        };
        let mut troubles: Vec<Trouble> = Vec::new();
        for host in candidates {
            match host.lease(deadline).await {
                Ok(lease) => return Ok(lease),
                Err(trouble) => troubles.push(trouble),
            }
        }
        Err(combined(troubles))
    }
}

/// Several hosts' troubles as one: of the kind of the first.
fn combined(troubles: Vec<Trouble>) -> Trouble {
    let mut troubles = troubles.into_iter();
    let first = troubles.next().unwrap_or_else(|| Trouble::Fault("there is no server".into()));
    troubles.fold(first, |all, next| all.and(&next))
}
