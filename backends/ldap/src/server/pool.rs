//! The two pools of a server. Connections are opened when they are needed and
//! kept while they are sound; whether they are is seen here, without a question
//! to the server.

use std::sync::Arc;

use deadpool::managed::{
    Manager, Metrics, Object, PoolError, QueueMode, RecycleError, RecycleResult, TimeoutType,
    Timeouts,
};
use deadpool::{Runtime, managed};
use tokio::sync::OnceCell;
use tokio::time::{self, Instant};

use super::search::Searcher;
use crate::config::{Address, Link};
use crate::schema::{NameFault, Schema};
use crate::trouble::{Trouble, TroubleKind};
use crate::wire::connection::Connection;

/// A pool of connections.
pub(crate) type Pool<M> = managed::Pool<M>;

/// A connection on loan. Given back in the middle of a question, it is closed
/// when it is next looked at.
pub(crate) type Lease<M> = Object<M>;

/// What opens the connections of a pool.
pub(crate) trait Opens: Manager<Error = Trouble> {}

impl Opens for Binds {}
impl Opens for Searches {}

/// Opens connections that users' passwords are tried on.
pub(crate) struct Binds {
    address: Arc<Address>,
    link: Arc<Link>,
}

/// Opens connections that search and change.
pub(crate) struct Searches {
    address: Arc<Address>,
    link: Arc<Link>,
    /// What the server knows; asked once, by the first connection.
    pub(crate) schema: OnceCell<Schema>,
}

pub(super) fn binds(address: &Arc<Address>, link: &Arc<Link>) -> Pool<Binds> {
    let manager = Binds { address: Arc::clone(address), link: Arc::clone(link) };
    build(manager, link)
}

pub(super) fn searches(address: &Arc<Address>, link: &Arc<Link>) -> Pool<Searches> {
    let (address, link) = (Arc::clone(address), Arc::clone(link));
    let limits = Arc::clone(&link);
    build(Searches { address, link, schema: OnceCell::new() }, &limits)
}

fn build<M: Manager>(manager: M, link: &Link) -> Pool<M> {
    Pool::builder(manager)
        .max_size(link.connections)
        // The last one used first: the others grow old, and are closed.
        .queue_mode(QueueMode::Lifo)
        .runtime(Runtime::Tokio1)
        .build()
        .expect("a pool with a runtime")
}

/// A connection that is free, or a new one, within `deadline`.
pub(super) async fn lease<M: Opens>(
    pool: &Pool<M>,
    queue: usize,
    deadline: Instant,
) -> Result<Lease<M>, Trouble> {
    let status = pool.status();
    if status.waiting >= queue {
        let detail = format!("{queue} questions wait for a connection already (ldap_queue)");
        return Err(Trouble::new(TroubleKind::Overloaded, detail));
    }
    let left = deadline.saturating_duration_since(Instant::now());
    let timeouts = Timeouts { wait: Some(left), create: Some(left), recycle: None };
    let max = status.max_size;
    pool.timeout_get(&timeouts).await.map_err(|error| match error {
        PoolError::Backend(trouble) => trouble,
        PoolError::Timeout(TimeoutType::Wait) => Trouble::new(
            TroubleKind::Overloaded,
            format!("all {max} connections are in use, for too long (ldap_connections)"),
        ),
        PoolError::Timeout(_) => {
            Trouble::new(TroubleKind::Timeout, "no connection in time (ldap_timeout)")
        }
        other => Trouble::fault(other.to_string()),
    })
}

/// Whether this connection was used before: then its server may have closed it
/// at any time since, which says nothing about the server.
pub(super) fn was_kept<M: Opens>(lease: &Lease<M>) -> bool {
    Object::metrics(lease).recycle_count > 0
}

fn judge(sound: bool, metrics: &Metrics, link: &Link) -> RecycleResult<Trouble> {
    match sound && metrics.last_used() < link.idle {
        true => Ok(()),
        false => Err(RecycleError::message("not sound, or idle for too long")),
    }
}

impl Manager for Binds {
    type Type = Connection;
    type Error = Trouble;

    async fn create(&self) -> Result<Connection, Trouble> {
        let opened = Connection::open(&self.address, &self.link).await;
        opened.map_err(|error| Trouble::down(format!("cannot connect: {error}")))
    }

    async fn recycle(&self, kept: &mut Connection, metrics: &Metrics) -> RecycleResult<Trouble> {
        judge(kept.is_sound(), metrics, &self.link)
    }
}

impl Manager for Searches {
    type Type = Searcher;
    type Error = Trouble;

    async fn create(&self) -> Result<Searcher, Trouble> {
        let mut searcher = Searcher::open(&self.address, &self.link).await?;
        self.learn_schema(&mut searcher).await;
        Ok(searcher)
    }

    async fn recycle(&self, kept: &mut Searcher, metrics: &Metrics) -> RecycleResult<Trouble> {
        judge(kept.is_sound(), metrics, &self.link)
    }
}

impl Searches {
    /// Asks once which attributes there are, and warns of settings that name
    /// others. A server that does not tell is no reason for anything.
    async fn learn_schema(&self, searcher: &mut Searcher) {
        if self.schema.initialized() {
            return;
        }
        let server = self.address.url.as_str();
        // A part of the time, so that a slow schema costs no login.
        let schema = match time::timeout(self.link.timeout / 2, searcher.schema()).await {
            Ok(Ok(schema)) => schema,
            Ok(Err(trouble)) => {
                tracing::debug!(server, reason = %trouble.detail, "no schema from the LDAP server");
                Schema::default()
            }
            Err(_) => return,
        };
        if self.schema.set(schema).is_err() {
            return;
        }
        let Some(schema) = self.schema.get() else { return };
        for attribute in &self.link.expected {
            match schema.fault(attribute) {
                Some(NameFault::Unknown) => {
                    tracing::warn!(server, attribute, "the LDAP directory knows no such attribute");
                }
                Some(NameFault::Alias(usual)) => {
                    let write = usual;
                    tracing::warn!(
                        server,
                        attribute,
                        write,
                        "the LDAP directory calls it otherwise"
                    );
                }
                None => {}
            }
        }
    }
}
