//! Questions that come in our own protocol, signed and logged like those of
//! every other dialect.

use std::sync::{Arc, Weak};

use async_trait::async_trait;
use dmail_core::{
    Account, AuthRequest, Authenticator, CacheStatus, Change, Origin, Outcome, Proofs, Search,
    SearchOutcome, TokenIssuer, Unavailable, Verdict, Watcher,
};
use dmail_net::log;

/// The gateway, for programs that leave no log of their own that its operator
/// reads.
pub(super) struct Noted {
    gateway: Arc<dyn Authenticator>,
    dialect: &'static str,
}

impl Noted {
    /// Whoever does not say in which dialect it was asked itself, asks in this
    /// one.
    pub(super) fn new(gateway: Arc<dyn Authenticator>, dialect: &'static str) -> Self {
        Self { gateway, dialect }
    }

    fn signed(&self, origin: Origin) -> Origin {
        Origin { dialect: origin.dialect.or(Some(self.dialect)), ..origin }
    }

    fn signed_request(&self, request: &AuthRequest) -> AuthRequest {
        AuthRequest { origin: self.signed(request.origin), ..request.clone() }
    }
}

#[async_trait]
impl Authenticator for Noted {
    async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        let request = self.signed_request(request);
        let answer = self.gateway.authenticate(&request).await;
        log::answered(&request, &answer);
        answer
    }

    fn recall(&self, request: &AuthRequest) -> Option<Arc<Account>> {
        let account = self.gateway.recall(request)?;
        let answer = Ok(Verdict::Accepted(Arc::clone(&account)));
        log::answered(&self.signed_request(request), &answer);
        Some(account)
    }

    async fn change(&self, change: &Change) -> Result<Outcome, Unavailable> {
        let change = Change { origin: self.signed(change.origin), ..change.clone() };
        let outcome = self.gateway.change(&change).await;
        log::changed(&change, &outcome);
        outcome
    }

    async fn search(&self, search: &Search) -> Result<SearchOutcome, Unavailable> {
        let search = Search { origin: self.signed(search.origin), ..search.clone() };
        self.gateway.search(&search).await
    }

    fn proofs(&self) -> Proofs {
        self.gateway.proofs()
    }

    fn token_issuer(&self) -> Option<Arc<TokenIssuer>> {
        self.gateway.token_issuer()
    }

    fn forget_users(&self, mask: &str) -> usize {
        self.gateway.forget_users(mask)
    }

    fn cache_status(&self, reset: bool) -> CacheStatus {
        self.gateway.cache_status(reset)
    }

    fn sees_address(&self) -> bool {
        self.gateway.sees_address()
    }

    fn watch(&self, watcher: Weak<dyn Watcher>) {
        self.gateway.watch(watcher);
    }
}
