//! Account states and access lists: what a right password is not enough for.
//!
//! ```text
//!   check ──▶ in clear text? ──▶ throttle, cache, source ──▶ Rejected: passed on, whatever the state
//!                 │                                      └──▶ Accepted ──▶ state ──▶ groups ──▶ Accepted
//!                 └──▶ Rejected                                              └─────────┴──────▶ Rejected
//! ```
//!
//! The layer stands above the cache and decides anew at each request, from the
//! account's info fields as they are remembered: an address or a service is
//! never part of a remembered answer. It speaks only after the password was
//! right, so a guesser learns no state; and it stands above the throttle, so
//! the right password of a closed account is no guess.
//!
//! A password that others could read on its way is refused before anything is
//! asked: nothing is learned of the account, and no guess is counted.
//!
//! A `lookup` by SMTP asks where mail goes: the state decides whether any is
//! taken. Lookups of others are answered as they are, and so is everything
//! that the administrator asks.

mod rules;

use std::sync::Arc;

use async_trait::async_trait;
use dmail_core::config::{AccessGroup, StateRule};
use dmail_core::pattern::AddressList;
use dmail_core::{
    Account, AuthRequest, Authenticator, CacheStatus, Change, Origin, Outcome, Proofs, Purpose,
    Rejection, Search, SearchOutcome, Service, TokenIssuer, Unavailable, Verdict, Watcher,
};

use rules::Rules;

/// Settings of the layer, as dmail.conf has them.
#[derive(Debug, Clone, Default)]
pub struct AccessConfig {
    /// States that mean something else than usual (`account_state`).
    pub states: Vec<StateRule>,
    /// The access groups (`access_group`).
    pub groups: Vec<AccessGroup>,
    /// The groups of users without a `mailaccess` (`access_default`). None:
    /// they may log in from everywhere.
    pub default_groups: Option<Vec<String>>,
    /// Who may log in with a password or token that others can read on its way
    /// (`access_plaintext`). None: everybody.
    pub plaintext: Option<AddressList>,
}

/// Obeys account states and access lists, above the layers beneath.
pub struct Access {
    next: Arc<dyn Authenticator>,
    rules: Rules,
}

impl Access {
    /// In front of `next`.
    #[must_use]
    pub fn new(next: Arc<dyn Authenticator>, config: AccessConfig) -> Self {
        Self { next, rules: Rules::new(config) }
    }

    /// Whether a user who has shown that this is his account may use it there:
    /// its state and its access list.
    ///
    /// # Errors
    ///
    /// Says why not.
    pub fn admit(&self, account: &Account, origin: &Origin) -> Result<(), Rejection> {
        self.rules.login(account, origin)
    }

    /// Whether a password or token may come as this one does. The administrator's may.
    fn admit_password(&self, request: &AuthRequest) -> Result<(), Rejection> {
        if !request.purpose.tells_secret() || request.origin.service == Service::Admin {
            return Ok(());
        }
        self.rules.password(&request.user, &request.origin)
    }

    /// Whether an account that the source knows may be used for this request.
    fn judge(&self, request: &AuthRequest, account: &Account) -> Result<(), Rejection> {
        let verdict = match (&request.purpose, request.origin.service) {
            (Purpose::Lookup, Service::Smtp | Service::Admin) => self.rules.mail(account),
            (Purpose::Lookup | Purpose::Salt(_), _) => return Ok(()),
            (Purpose::Check(_) | Purpose::Prove(_), _) => self.admit(account, &request.origin),
        };
        let is_admin = request.origin.service == Service::Admin;
        request.note("access", || match &verdict {
            Ok(()) => "neither the state nor the access list is against it".into(),
            Err(rejection) if is_admin => {
                format!("the administrator is not limited; others: {}", rejection.text)
            }
            Err(rejection) => format!("refused: {}", rejection.text),
        });
        if is_admin { Ok(()) } else { verdict }
    }
}

#[async_trait]
impl Authenticator for Access {
    async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        if let Err(rejection) = self.admit_password(request) {
            request.note("access", || format!("refused: {}", rejection.text));
            return Ok(Verdict::Rejected(rejection));
        }
        match self.next.authenticate(request).await? {
            Verdict::Accepted(account) => Ok(match self.judge(request, &account) {
                Ok(()) => Verdict::Accepted(account),
                Err(rejection) => Verdict::Rejected(rejection),
            }),
            rejected @ Verdict::Rejected(_) => Ok(rejected),
        }
    }

    fn recall(&self, request: &AuthRequest) -> Option<Arc<Account>> {
        self.admit_password(request).ok()?;
        self.next.recall(request).filter(|account| self.judge(request, account).is_ok())
    }

    async fn change(&self, change: &Change) -> Result<Outcome, Unavailable> {
        self.next.change(change).await
    }

    async fn search(&self, search: &Search) -> Result<SearchOutcome, Unavailable> {
        self.next.search(search).await
    }

    fn forget_users(&self, mask: &str) -> usize {
        self.next.forget_users(mask)
    }

    fn cache_status(&self, reset: bool) -> CacheStatus {
        self.next.cache_status(reset)
    }

    fn watch(&self, watcher: std::sync::Weak<dyn Watcher>) {
        self.next.watch(watcher);
    }

    fn proofs(&self) -> Proofs {
        self.next.proofs()
    }

    fn token_issuer(&self) -> Option<Arc<TokenIssuer>> {
        self.next.token_issuer()
    }
}

#[cfg(test)]
mod tests;
