//! The gateway: the layers, put together. The one public constructor.

use std::pin::Pin;
use std::sync::{Arc, Weak};

use async_trait::async_trait;
use dmail_core::{
    Account, Advice, AuthRequest, Authenticator, CacheStatus, Change, Guess, Guesses, Origin,
    Outcome, Proofs, Rejection, Search, SearchOutcome, TokenIssuer, Unavailable, Username, Verdict,
    Watcher,
};

use crate::access::{Access, AccessConfig};
use crate::cache::{Cache, CacheConfig};
use crate::flight::Flight;
use crate::mapping::{Domains, Mapping};
use crate::throttle::{Throttle, ThrottleConfig};

/// Everything that the layers are told.
#[derive(Debug, Clone)]
pub struct GatewayConfig {
    /// For the mapping.
    pub domains: Domains,
    /// For the account states and access lists.
    pub access: AccessConfig,
    /// For the throttle.
    pub throttle: ThrottleConfig,
    /// For the cache. Its `by_address` holds for the flight, too.
    pub cache: CacheConfig,
}

/// The whole gateway in front of one source.
pub struct Gateway {
    top: Mapping,
    access: Arc<Access>,
    throttle: Arc<Throttle>,
    cache: Arc<Cache>,
    /// Who hears of changes first.
    flight: Arc<Flight>,
}

impl Gateway {
    /// Stacks the layers upon `source`.
    #[must_use]
    pub fn new(source: Arc<dyn Authenticator>, config: GatewayConfig) -> Self {
        Self::stack(source, config, None)
    }

    /// The same, in place of `old`. It goes on counting wrong passwords where
    /// `old` is.
    #[must_use]
    pub fn succeeding(old: &Self, source: Arc<dyn Authenticator>, config: GatewayConfig) -> Self {
        Self::stack(source, config, Some(old))
    }

    fn stack(source: Arc<dyn Authenticator>, config: GatewayConfig, old: Option<&Self>) -> Self {
        let flight = Arc::new(Flight::new(source, config.cache.by_address));
        let below = Arc::clone(&flight) as Arc<dyn Authenticator>;
        let cache = Arc::new(match old {
            None => Cache::new(below, config.cache),
            Some(old) => Cache::succeeding(&old.cache, below, config.cache),
        });
        let watcher: Weak<Cache> = Arc::downgrade(&cache);
        flight.watch(watcher);
        let below = Arc::clone(&cache) as Arc<dyn Authenticator>;
        let throttle = Arc::new(match old {
            None => Throttle::new(below, config.throttle),
            Some(old) => Throttle::succeeding(&old.throttle, below, config.throttle),
        });
        let below = Arc::clone(&throttle) as Arc<dyn Authenticator>;
        let access = Arc::new(Access::new(below, config.access));
        let top = Mapping::new(Arc::clone(&access) as _, config.domains);
        Self { top, access, throttle, cache, flight }
    }

    /// Takes over what `old` remembers, whom this one succeeds in front of the
    /// same user base. Everybody is asked about once more; until then it helps
    /// out while the source cannot answer.
    pub fn take_over(&self, old: &Self) {
        self.cache.take_over(&old.cache);
    }

    /// Forgets what is remembered of a user, by the name that a client gives:
    /// the record was changed, and not through this gateway.
    pub fn forget(&self, user: &Username) {
        if let Some(user) = self.canonical(user) {
            self.flight.forget(&user);
            self.cache.changed(&user);
        }
    }

    /// The throttle, to show and to forget what it counts.
    #[must_use]
    pub fn throttle(&self) -> &Throttle {
        &self.throttle
    }

    /// Whether a user who has shown elsewhere that this is his account may use
    /// it there: its state and its access list.
    ///
    /// # Errors
    ///
    /// Says why not, and what the user may read.
    pub fn admit(&self, account: &Account, origin: &Origin) -> Result<(), Rejection> {
        self.access.admit(account, origin)
    }

    /// The name that the layers beneath the mapping know a user by. `None` if
    /// it is nobody's here.
    #[must_use]
    pub fn canonical(&self, user: &Username) -> Option<Username> {
        self.top.canonical(user)
    }

    fn as_source_knows(&self, guess: &Guess) -> Guess {
        let user = self.top.canonical_from(&guess.user, &guess.origin);
        Guess { user: user.unwrap_or_else(|| guess.user.to_lowercase()), ..guess.clone() }
    }
}

/// Logins that another server judges, counted with those that are judged here.
/// A name that is nobody's here may be somebody's there.
impl Guesses for Gateway {
    fn weigh(&self, guess: &Guess) -> Advice {
        self.throttle.weigh(&self.as_source_knows(guess))
    }

    fn note(&self, guess: &Guess, right: bool) {
        self.throttle.note(&self.as_source_knows(guess), right);
    }
}

#[async_trait]
impl Authenticator for Gateway {
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
        self.top.authenticate(request)
    }

    fn recall(&self, request: &AuthRequest) -> Option<Arc<Account>> {
        if request.trace.is_some() { None } else { self.top.recall(request) }
    }

    async fn change(&self, change: &Change) -> Result<Outcome, Unavailable> {
        self.top.change(change).await
    }

    async fn search(&self, search: &Search) -> Result<SearchOutcome, Unavailable> {
        self.top.search(search).await
    }

    fn proofs(&self) -> Proofs {
        self.top.proofs()
    }

    fn token_issuer(&self) -> Option<Arc<TokenIssuer>> {
        self.top.token_issuer()
    }

    fn forget_users(&self, mask: &str) -> usize {
        self.top.forget_users(mask)
    }

    fn cache_status(&self, reset: bool) -> CacheStatus {
        self.top.cache_status(reset)
    }

    /// The throttle and the access lists judge by address.
    fn sees_address(&self) -> bool {
        true
    }

    /// The names that are told are the canonical ones, and the gateway itself
    /// has forgotten the user by then.
    fn watch(&self, watcher: Weak<dyn Watcher>) {
        self.flight.watch(watcher);
    }
}
