//! One server of the directory: its two pools of connections, and whether it
//! is well.
//!
//! ```text
//!   Servers ─first that is well─▶ Server ─┬─▶ pool of wire::Connection   users' binds
//!      ▲                            │     └─▶ pool of Searcher           searches, changes
//!      └── probe, until it answers ─┘ down
//! ```

mod pool;
mod probe;
pub(crate) mod search;
mod servers;

use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use dmail_core::Secret;
use tokio::time::{self, Instant};

use crate::config::{Address, Link};
use crate::entry::Entry;
use crate::schema::NameFault;
use crate::trouble::{Trouble, TroubleKind};
use crate::wire::bind::Answer;
use pool::{Binds, Pool};
use search::Query;

pub(crate) use pool::{Lease, Searches};
pub(crate) use servers::Servers;

/// How often a question is asked again because the connection that was kept
/// for it had died meanwhile, which says nothing about the server.
const STALE_CONNECTIONS: usize = 3;

/// A server.
pub(crate) struct Server {
    address: Arc<Address>,
    link: Arc<Link>,
    binds: Pool<Binds>,
    searches: Pool<Searches>,
    /// How many questions each of the pools has brought answers to.
    bound: AtomicU64,
    searched: AtomicU64,
    down: AtomicBool,
    /// What was the matter with it last.
    last: Mutex<Option<Trouble>>,
}

impl Server {
    fn new(address: Address, link: &Arc<Link>) -> Arc<Self> {
        let address = Arc::new(address);
        Arc::new(Self {
            binds: pool::binds(&address, link),
            searches: pool::searches(&address, link),
            address,
            link: Arc::clone(link),
            bound: AtomicU64::new(0),
            searched: AtomicU64::new(0),
            down: AtomicBool::new(false),
            last: Mutex::new(None),
        })
    }

    /// What it is called in logs.
    pub(crate) fn name(&self) -> &str {
        &self.address.url
    }

    /// When a question that is asked now is to be answered.
    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.link.timeout
    }

    /// Binds as a user.
    pub(crate) async fn bind(
        &self,
        dn: &str,
        password: &Secret,
        deadline: Instant,
    ) -> Result<Answer, Trouble> {
        // Without a name or a password, a bind succeeds and proves nothing.
        if dn.is_empty() || password.is_empty() {
            return Err(Trouble::fault("a bind without a name or a password is never tried"));
        }
        let mut attempt = 0;
        loop {
            let mut lease = self.lease(&self.binds, deadline).await?;
            attempt += 1;
            let error = match self.wait(&self.bound, deadline, lease.bind(dn, password)).await? {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if !pool::was_kept(&lease) || attempt >= STALE_CONNECTIONS {
                return Err(Trouble::down(format!("a bind: {error}")));
            }
        }
    }

    /// The entries that fit, but not more than it takes to know that there is
    /// more than one.
    pub(crate) async fn find(
        &self,
        query: Query<'_>,
        deadline: Instant,
    ) -> Result<Vec<Entry>, Trouble> {
        let mut attempt = 0;
        loop {
            let mut lease = self.searcher(deadline).await?;
            attempt += 1;
            let trouble = match self.wait(&self.searched, deadline, lease.find(query)).await? {
                Ok(entries) => return Ok(entries),
                Err(trouble) => trouble,
            };
            let is_stale = pool::was_kept(&lease) && !lease.is_sound();
            if !is_stale || attempt >= STALE_CONNECTIONS {
                return Err(trouble);
            }
        }
    }

    /// A connection for searches and changes.
    pub(crate) async fn searcher(&self, deadline: Instant) -> Result<Lease<Searches>, Trouble> {
        self.lease(&self.searches, deadline).await
    }

    /// Waits until `deadline` for what a connection for changes is asked.
    pub(crate) async fn step<T>(
        &self,
        deadline: Instant,
        question: impl Future<Output = Result<T, Trouble>>,
    ) -> Result<T, Trouble> {
        self.wait(&self.searched, deadline, question).await?
    }

    /// Waits for an answer. If there is none, but `answered` says that others
    /// have got theirs meanwhile, the server is well and the question is not:
    /// an entry that lies on a server behind it, or a search without an index.
    async fn wait<T, E>(
        &self,
        answered: &AtomicU64,
        deadline: Instant,
        question: impl Future<Output = Result<T, E>>,
    ) -> Result<Result<T, E>, Trouble> {
        let before = answered.load(Ordering::Relaxed);
        let answer = time::timeout_at(deadline, question).await;
        if let Ok(Ok(_)) = &answer {
            answered.fetch_add(1, Ordering::Relaxed);
        }
        answer.map_err(|_| match answered.load(Ordering::Relaxed) == before {
            true => self.silent(),
            false => Trouble { kind: TroubleKind::Slow, ..self.silent() },
        })
    }

    /// What is wrong with the name of an attribute, if the server has told
    /// which ones it knows.
    pub(crate) fn attribute_fault(&self, name: &str) -> Option<String> {
        let schema = self.searches.manager().schema.get()?;
        Some(match schema.fault(name)? {
            NameFault::Unknown => format!("the directory knows no attribute {name}"),
            NameFault::Alias(usual) => format!("the directory calls attribute {name} {usual}"),
        })
    }

    async fn lease<M: pool::Opens>(
        &self,
        pool: &Pool<M>,
        deadline: Instant,
    ) -> Result<Lease<M>, Trouble> {
        pool::lease(pool, self.link.queue, deadline).await
    }

    fn silent(&self) -> Trouble {
        let limit = self.link.timeout.as_secs();
        Trouble::new(TroubleKind::Timeout, format!("no answer within {limit} s (ldap_timeout)"))
    }

    fn is_down(&self) -> bool {
        self.down.load(Ordering::Relaxed)
    }

    /// Remembers what was the matter, and leaves the server alone until it is
    /// well if that is what it needs.
    pub(crate) fn failed(self: &Arc<Self>, trouble: &Trouble) {
        self.remember(trouble);
        if trouble.is_down() && !self.down.swap(true, Ordering::Relaxed) {
            tracing::warn!(server = self.name(), reason = %trouble.detail, "LDAP server is down");
            self.binds.retain(|_, _| false);
            self.searches.retain(|_, _| false);
            probe::start(self);
        }
    }

    fn recovered(&self) {
        self.down.store(false, Ordering::Relaxed);
        tracing::info!(server = self.name(), "LDAP server is well again");
    }

    fn remember(&self, trouble: &Trouble) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some(trouble.clone());
    }

    fn last_trouble(&self) -> Option<Trouble> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
