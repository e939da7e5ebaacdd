//! The one trait of the gateway.

use std::pin::Pin;
use std::sync::{Arc, Weak};

use async_trait::async_trait;

use crate::{
    Account, AuthRequest, Change, Outcome, Proofs, Records, Rejection, Search, SearchOutcome,
    TokenIssuer, Username, Verdict,
};

/// Anything that can answer "who is this?": one user base, a pool of child
/// modules, a cache in front of either, or the whole gateway.
///
/// Each layer of the gateway is an `Authenticator` around another one and
/// knows only the trait beneath it.
#[async_trait]
pub trait Authenticator: Send + Sync {
    /// Answers a `check` or a `lookup`.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] means that nobody could decide. It is never a wrong
    /// password: that is an answer, [`Verdict::Rejected`].
    async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable>;

    /// What can be answered at once: the account, if memory alone may accept
    /// this request and nobody has to be asked or waited for. `None` says
    /// nothing; [`authenticate`](Authenticator::authenticate) then does.
    ///
    /// A server whose clients ask much asks this first, for a future costs more
    /// than most answers. Whatever an acceptance means to a layer (a guess that
    /// was right), it means here, too. An explained request has no short cut,
    /// and nothing is remembered of salts and proofs.
    fn recall(&self, request: &AuthRequest) -> Option<Arc<Account>> {
        let _ = request;
        None
    }

    /// Makes a `set` or a `del`. When it returns [`Outcome::Done`], the change
    /// is on disk (or acknowledged by the base that keeps it).
    ///
    /// # Errors
    ///
    /// [`Unavailable`] if the source could not be asked; whether the change
    /// was made is then unknown.
    async fn change(&self, change: &Change) -> Result<Outcome, Unavailable> {
        let _ = change;
        Ok(Outcome::Refused(Rejection::unsupported()))
    }

    /// Lists users.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] if the source could not be asked.
    async fn search(&self, search: &Search) -> Result<SearchOutcome, Unavailable> {
        let _ = search;
        Ok(SearchOutcome::Refused(Rejection::unsupported()))
    }

    /// Tells `watcher` from now on of changes that are made elsewhere, if this
    /// source hears of any. A layer passes it on to what is beneath.
    fn watch(&self, watcher: Weak<dyn Watcher>) {
        let _ = watcher;
    }

    /// Drops what is remembered of the users that `mask` is about: a name, or
    /// one with the wildcards `*` and `?`. They are asked about anew, also by
    /// whoever waits for an answer now. Returns how many were remembered.
    fn forget_users(&self, mask: &str) -> usize {
        let _ = mask;
        0
    }

    /// How many users are remembered, and how often that was the answer. With
    /// `reset`, answers are counted from 0 after that. A layer passes on what is
    /// beneath.
    fn cache_status(&self, reset: bool) -> CacheStatus {
        let _ = reset;
        CacheStatus::default()
    }

    /// The records themselves, if this source can hand them out and take them
    /// in with their stored passwords (`dmail authent export` and `import`).
    fn records(&self) -> Option<&dyn Records> {
        None
    }

    /// Whether the answer may depend on the client's address. What is
    /// remembered of it then holds for that address only.
    fn sees_address(&self) -> bool {
        false
    }

    /// What it can judge: passwords, if it does not say otherwise. A layer
    /// passes on what is beneath.
    fn proofs(&self) -> Proofs {
        Proofs::default()
    }

    /// Where the tokens come from that it judges, if it does. A
    /// layer passes on what is beneath.
    fn token_issuer(&self) -> Option<Arc<TokenIssuer>> {
        None
    }

    /// Ends in peace what runs for this source: asks child modules to leave.
    /// Questions that come later are unavailable.
    async fn close(&self) {}
}

/// Whoever remembers answers of a source, and must hear of changes that were
/// not made through it: the cache.
pub trait Watcher: Send + Sync {
    /// The record of this user was changed or removed: nothing that is
    /// remembered of it holds any more. The name is as this side asked it.
    fn changed(&self, user: &Username);

    /// Changes may have been missed: everything remembered until now has to be
    /// asked again before it counts.
    fn lost_track(&self);
}

/// How well a cache serves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheStatus {
    /// Questions that it has answered.
    pub hits: u64,
    /// Questions for which the source was asked, wrong passwords among them.
    /// Proofs and tokens are not: no memory answers them.
    pub misses: u64,
    /// Users that it remembers.
    pub users: u64,
    /// How many it has room for (`authent_cache`).
    pub room: u64,
}

/// A shared authenticator is one, too.
#[async_trait]
impl<A: Authenticator + ?Sized> Authenticator for Arc<A> {
    // Written out, so that the inner future is handed on as it is: as an
    // `async fn` it would be boxed once more, by each layer for each login.
    fn authenticate<'life0, 'life1, 'async_trait>(
        &'life0 self,
        request: &'life1 AuthRequest,
    ) -> Pin<Box<dyn Future<Output = Result<Verdict, Unavailable>> + Send + 'async_trait>>
    where
        'life0: 'async_trait,
        'life1: 'async_trait,
        Self: 'async_trait,
    {
        (**self).authenticate(request)
    }

    fn recall(&self, request: &AuthRequest) -> Option<Arc<Account>> {
        (**self).recall(request)
    }

    async fn change(&self, change: &Change) -> Result<Outcome, Unavailable> {
        (**self).change(change).await
    }

    async fn search(&self, search: &Search) -> Result<SearchOutcome, Unavailable> {
        (**self).search(search).await
    }

    fn watch(&self, watcher: Weak<dyn Watcher>) {
        (**self).watch(watcher);
    }

    fn forget_users(&self, mask: &str) -> usize {
        (**self).forget_users(mask)
    }

    fn cache_status(&self, reset: bool) -> CacheStatus {
        (**self).cache_status(reset)
    }

    fn records(&self) -> Option<&dyn Records> {
        (**self).records()
    }

    fn sees_address(&self) -> bool {
        (**self).sees_address()
    }

    fn proofs(&self) -> Proofs {
        (**self).proofs()
    }

    fn token_issuer(&self) -> Option<Arc<TokenIssuer>> {
        (**self).token_issuer()
    }

    async fn close(&self) {
        (**self).close().await;
    }
}

/// Nobody could decide. Every protocol turns this into "try again later",
/// none into "wrong password".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {detail}")]
pub struct Unavailable {
    /// What kind of trouble, for statistics and for the log's reason id.
    pub kind: UnavailableKind,
    /// One line for the log, naming the source and, where one helps, the
    /// setting to change. Never holds a secret.
    pub detail: String,
}

impl Unavailable {
    /// An `Unavailable` of this kind with one line for the log.
    pub fn new(kind: UnavailableKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }
}

/// Why nobody could decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{}", self.id())]
pub enum UnavailableKind {
    /// The source itself says that it cannot answer now (`-DEAD`, a lost connection).
    Dead,
    /// The source broke the contract: garbage, a second reply, the wrong name, an early end.
    Fault,
    /// Too many requests wait already, or this one waited too long.
    Overloaded,
    /// The source answers, but what it holds of this user cannot be judged, for
    /// instance a password in an unknown scheme. It may be a new one, so an
    /// older answer is none.
    Record,
    /// The server is going down.
    ShuttingDown,
    /// No answer within the deadline (`authent_timeout`).
    Timeout,
}

impl UnavailableKind {
    /// All kinds.
    pub const ALL: [Self; 6] = [
        Self::Dead,
        Self::Fault,
        Self::Overloaded,
        Self::Record,
        Self::ShuttingDown,
        Self::Timeout,
    ];

    /// The reason id of the log: stable, one word.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Dead => "source-down",
            Self::Fault => "source-fault",
            Self::Overloaded => "overloaded",
            Self::Record => "record-unusable",
            Self::ShuttingDown => "shutting-down",
            Self::Timeout => "timeout",
        }
    }

    /// The kind with this reason id.
    #[must_use]
    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.id() == id)
    }
}
