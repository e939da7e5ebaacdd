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

use std::sync::{Arc, Mutex, PoisonError, Weak};

use async_trait::async_trait;
use dmail_core::{
    AuthRequest, Authenticator, Change, Outcome, Search, SearchOutcome, Unavailable, Username,
    Verdict, Watcher,
};

use crate::cache::{Cache, CacheConfig};
use crate::flight::Flight;

/// Cache and flight in front of one source.
pub struct Unmapped {
    cache: Cache,
    watchers: Mutex<Vec<Weak<dyn Watcher>>>,
}

impl Unmapped {
    /// Stacks the layers upon `source`.
    #[must_use]
    pub fn new(source: Arc<dyn Authenticator>, config: CacheConfig) -> Arc<Self> {
        let flight = Arc::new(Flight::new(Arc::clone(&source), config.by_address));
        let cache = Cache::new(flight, config);
        let gateway = Arc::new(Self { cache, watchers: Mutex::default() });
        source.watch(Arc::downgrade(&gateway) as Weak<dyn Watcher>);
        gateway
    }

    /// Forgets a user who was changed elsewhere; nobody is told.
    pub fn forget(&self, user: &Username) {
        self.cache.forget(user);
    }

    /// Asks everything again that is remembered now; nobody is told.
    pub fn forget_all(&self) {
        self.cache.clear();
    }

    fn tell(&self, tell: impl Fn(&dyn Watcher)) {
        let watchers = self.watchers.lock().unwrap_or_else(PoisonError::into_inner).clone();
        watchers.iter().filter_map(Weak::upgrade).for_each(|watcher| tell(&*watcher));
    }
}

#[async_trait]
impl Authenticator for Unmapped {
    async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        self.cache.authenticate(request).await
    }

    async fn change(&self, change: &Change) -> Result<Outcome, Unavailable> {
        self.cache.change(change).await
    }

    async fn search(&self, search: &Search) -> Result<SearchOutcome, Unavailable> {
        self.cache.search(search).await
    }

    /// By the time that a watcher hears of a change, the cache has forgotten
    /// the user.
    fn watch(&self, watcher: Weak<dyn Watcher>) {
        self.watchers.lock().unwrap_or_else(PoisonError::into_inner).push(watcher);
    }
}

/// What the source hears of.
impl Watcher for Unmapped {
    fn changed(&self, user: &Username) {
        self.forget(user);
        self.tell(|watcher| watcher.changed(user));
    }

    fn lost_track(&self) {
        self.forget_all();
        self.tell(|watcher| watcher.lost_track());
    }
}
