//! The gateway without names and guesses: what a daemon puts in front of its
//! source. Its clients are gateways themselves, which have mapped the name and
//! count the guesses.
//!
//! ```text
//!   request ──▶ cache ──▶ flight ──▶ source
//!                 ▲ forgets             │
//!                 └──── changed ◀───────┤
//!        watchers ◀──── changed ◀───────┘ after the cache
//! ```

use std::pin::Pin;
use std::sync::{Arc, Weak};

use async_trait::async_trait;
use dmail_core::{
    Account, AuthRequest, Authenticator, CacheStatus, Change, Outcome, Proofs, Search,
    SearchOutcome, TokenIssuer, Unavailable, Username, Verdict, Watcher,
};

use crate::cache::{Cache, CacheConfig};
use crate::flight::Flight;

/// Cache and flight in front of one source.
pub struct Unmapped {
    cache: Arc<Cache>,
    /// Who hears of changes first, and tells them.
    flight: Arc<Flight>,
    source: Arc<dyn Authenticator>,
}

impl Unmapped {
    /// Stacks the layers upon `source`.
    #[must_use]
    pub fn new(source: Arc<dyn Authenticator>, config: CacheConfig) -> Arc<Self> {
        let flight = Arc::new(Flight::new(Arc::clone(&source), config.by_address));
        let cache = Arc::new(Cache::new(Arc::clone(&flight) as _, config));
        let watcher: Weak<Cache> = Arc::downgrade(&cache);
        flight.watch(watcher);
        Arc::new(Self { cache, flight, source })
    }

    /// Forgets a user who was changed elsewhere; nobody is told.
    pub fn forget(&self, user: &Username) {
        self.flight.forget(user);
        self.cache.changed(user);
    }

    /// Asks everything again that is remembered now; nobody is told.
    pub fn forget_all(&self) {
        self.flight.forget_all();
        self.cache.lost_track();
    }
}

#[async_trait]
impl Authenticator for Unmapped {
    // Written out, so that the inner future is handed on as it is: as an
    // `async fn` it would be boxed once more for each login.
    fn authenticate<'life0, 'life1, 'async_trait>(
        &'life0 self,
        request: &'life1 AuthRequest,
    ) -> Pin<Box<dyn Future<Output = Result<Verdict, Unavailable>> + Send + 'async_trait>>
    where
        'life0: 'async_trait,
        'life1: 'async_trait,
        Self: 'async_trait,
    {
        self.cache.authenticate(request)
    }

    fn recall(&self, request: &AuthRequest) -> Option<Arc<Account>> {
        if request.trace.is_some() { None } else { self.cache.recall(request) }
    }

    async fn change(&self, change: &Change) -> Result<Outcome, Unavailable> {
        self.cache.change(change).await
    }

    async fn search(&self, search: &Search) -> Result<SearchOutcome, Unavailable> {
        self.cache.search(search).await
    }

    fn forget_users(&self, mask: &str) -> usize {
        self.cache.forget_users(mask)
    }

    fn cache_status(&self, reset: bool) -> CacheStatus {
        self.cache.cache_status(reset)
    }

    /// By the time that a watcher hears of a change of the source's, the cache
    /// has forgotten the user.
    fn watch(&self, watcher: Weak<dyn Watcher>) {
        self.flight.watch(watcher);
    }

    fn proofs(&self) -> Proofs {
        self.source.proofs()
    }

    fn token_issuer(&self) -> Option<Arc<TokenIssuer>> {
        self.source.token_issuer()
    }

    fn sees_address(&self) -> bool {
        self.source.sees_address()
    }

    async fn close(&self) {
        self.source.close().await;
    }
}
