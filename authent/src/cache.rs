//! The cache of successful answers. It can only say yes.
//!
//! An entry remembers a user's account and the keyed hashes of the passwords
//! that the source has verified, never a password and never the source's own
//! stored hash. What is asked of the source, and why:
//!
//! | the password | the source is asked |
//! |---|---|
//! | verified, *fresh* (`authent_cache_fresh`) | no: answered from memory |
//! | verified, within its *life* (`authent_cache_life`) | yes; memory serves only while the source cannot answer |
//! | verified, but another one was verified for the first time since | yes, always: it may have been changed |
//! | verified, but rejected at another address since, or while it was asked | yes, always |
//! | not known | yes, always: a wrong password always reaches the source |
//!
//! So a changed password works at once, and from then on the old one does not.
//! Several passwords that stay valid side by side (app passwords) settle after
//! one question each. A password that the source rejects is forgotten; `-ERR`
//! and `-DEAD` are never stored.
//!
//! Proofs of a password are none of its business: a proof is good for one
//! conversation, and the keys that judge it stay where they are.
//!
//! A change that is heard of, our own or one that the source tells of, drops
//! the user at once, and an answer that was asked for before it is not
//! remembered after it. When changes may have been missed, nothing is fresh any
//! more: each user is asked about once more, and memory serves only while the
//! source cannot answer.

mod changes;
mod memory;
mod packed;
mod table;

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use dmail_core::pattern::wildcard_match;
use dmail_core::{
    Account, AuthRequest, Authenticator, CacheStatus, Change, Outcome, Proofs, Purpose,
    RejectionKind, Search, SearchOutcome, TokenIssuer, Unavailable, UnavailableKind, Username,
    Verdict, Watcher,
};
use tokio::time::Instant;

use crate::keyed::Tagger;
use changes::{Asked, Changes};
use memory::{Arrived, Memory, Moment, Proof, Recall};
use table::{Table, Uses};

/// Settings of the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheConfig {
    /// How many users are remembered (`authent_cache`). 0 turns the cache off.
    pub users: u64,
    /// How long memory answers alone at most (`authent_cache_fresh`): up to a
    /// fifth less, so that entries of one moment do not expire in one moment.
    pub fresh: Duration,
    /// How long memory may answer while the source cannot (`authent_cache_life`).
    pub life: Duration,
    /// Whether it then does (`authent_grace`).
    pub grace: bool,
    /// Whether the source is told the client's address and may decide by it. A
    /// password then counts as verified for one address only.
    pub by_address: bool,
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self {
            users: 1000,
            fresh: Duration::from_secs(300),
            life: Duration::from_secs(12 * 60 * 60),
            grace: true,
            by_address: false,
        }
    }
}

/// Remembers the successful answers of the source beneath.
pub struct Cache {
    next: Arc<dyn Authenticator>,
    config: CacheConfig,
    tagger: Tagger,
    users: Table<Memory>,
    changes: Changes,
    /// Whether a user was ever asked for, or called by the source, by another
    /// name than the one in lower case.
    renamed: AtomicBool,
    /// Questions that went to the source.
    misses: AtomicU64,
    /// For the addresses of clients.
    spread: RandomState,
    started: Instant,
}

/// A question that goes to the source now.
struct Question {
    proof: Option<Proof>,
    at: Moment,
    after: Asked,
}

impl Cache {
    /// In front of `next`.
    #[must_use]
    pub fn new(next: Arc<dyn Authenticator>, config: CacheConfig) -> Self {
        Self {
            next,
            config,
            tagger: Tagger::new(),
            users: Table::new(config.users),
            changes: Changes::new(),
            renamed: AtomicBool::new(false),
            misses: AtomicU64::new(0),
            spread: RandomState::new(),
            started: Instant::now(),
        }
    }

    /// In front of `next`, so that what `old` remembers can be taken over.
    #[must_use]
    pub fn succeeding(old: &Self, next: Arc<dyn Authenticator>, config: CacheConfig) -> Self {
        Self {
            tagger: old.tagger.clone(),
            spread: old.spread.clone(),
            started: old.started,
            ..Self::new(next, config)
        }
    }

    /// Takes over what `old` remembers, whom this one succeeds. The source is
    /// asked about everybody once more.
    pub fn take_over(&self, old: &Self) {
        if old.renamed.load(Ordering::SeqCst) {
            self.renamed.store(true, Ordering::SeqCst);
        }
        old.users.retain(|user, known| {
            // It was one when it was put there.
            if let Ok(user) = Username::parse(user) {
                self.users.put(&user, |own| {
                    Some(own.unwrap_or_else(|| {
                        let mut taken = std::mem::take(known);
                        taken.grow_stale();
                        taken
                    }))
                });
            }
            false
        });
    }

    /// What a check proves; `None` for a lookup.
    fn proof(&self, request: &AuthRequest) -> Option<Proof> {
        let Purpose::Check(secret) = &request.purpose else { return None };
        let client = request.origin.client.filter(|_| self.config.by_address);
        Some(Proof {
            password: self.tagger.tag(secret),
            client: client.map_or(0, |client| self.spread.hash_one(client.to_canonical())),
        })
    }

    /// What a question that is asked now must be compared with later.
    fn question(&self, proof: Option<Proof>) -> Question {
        Question { proof, at: self.now(), after: self.changes.asked() }
    }

    fn now(&self) -> Moment {
        Moment(self.started.elapsed().as_nanos() as u64)
    }

    fn remembered(&self, user: &Username, question: &Question) -> Recall {
        let (proof, life) = (question.proof.as_ref(), self.config.life);
        let fresh = self.jittered_fresh(proof);
        let known = |known: &Memory| known.recall(user, proof, question.at, life, fresh);
        let is_hit = |recall: &Recall| matches!(recall, Recall::Fresh(_));
        self.users.read(user, known, is_hit).unwrap_or(Recall::Nothing)
    }

    /// `fresh` or up to a fifth less, always the same for one password.
    fn jittered_fresh(&self, proof: Option<&Proof>) -> Duration {
        let part = proof.map_or(128, |proof| (proof.password.bits() & 255) as u32);
        self.config.fresh * (205 + part / 5) / 256
    }

    /// Remembers an acceptance, unless the user was changed meanwhile.
    fn remember(&self, user: &Username, account: &Account, question: &Question) {
        if account.name != *user || user.as_str().bytes().any(|byte| byte.is_ascii_uppercase()) {
            self.renamed.store(true, Ordering::SeqCst);
        }
        self.users.put(user, |known| {
            // Under the lock that a change needs to drop the user: it has
            // either been counted by now, or drops what is put here.
            let changed = |name| self.changes.changed_since(question.after, name);
            if changed(user) || changed(&account.name) {
                return None;
            }
            let mut memory = known.unwrap_or_default();
            let stale = self.changes.lost_track_since(question.after);
            let is_rejected =
                |proof: Proof| self.changes.rejected_since(question.after, user, proof.password);
            let rejected = question.proof.is_some_and(is_rejected);
            let arrived = Arrived { now: self.now(), asked: question.at, stale, rejected };
            memory.seen(user, account, &arrived);
            if let Some(proof) = question.proof {
                memory.verified(proof, &arrived);
            }
            Some(memory)
        });
    }

    /// Forgets a password that the source rejects now, or a user it denies. An
    /// answer that is still on its way was given before, for all we know.
    fn reject(&self, user: &Username, proof: Option<&Proof>) {
        match proof {
            Some(proof) => {
                self.changes.rejected(user, proof.password);
                self.users.change(user, |known| known.rejected(proof));
            }
            None => {
                self.changes.changed(user);
                self.users.remove(user);
            }
        }
    }

    /// The answer while the source has none: memory's, within its life.
    fn serve_grace(
        &self,
        request: &AuthRequest,
        recall: Recall,
        error: Unavailable,
    ) -> Result<Verdict, Unavailable> {
        // An overloaded source is slowed down, not absent: whoever is served
        // from memory then would never see a changed password under load. And a
        // record that cannot be judged may hold a new password.
        let absent = matches!(
            error.kind,
            UnavailableKind::Dead | UnavailableKind::Fault | UnavailableKind::Timeout
        );
        match recall {
            Recall::Aged(account, age) if self.config.grace && absent => {
                let (user, age) = (&request.user, age.as_secs());
                tracing::warn!(%user, age, %error, "source unavailable, accepted from memory");
                request.note("cache", || {
                    format!("the source is unavailable: served, verified {age} s ago")
                });
                Ok(Verdict::Accepted(account))
            }
            _ => Err(error),
        }
    }
}

/// A change that is under way, until this is dropped.
struct Changing<'a>(&'a Cache, &'a Username);

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        self.0.changed(self.1);
    }
}

#[async_trait]
impl Authenticator for Cache {
    async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        if self.config.users == 0 || !request.purpose.is_repeatable() {
            return self.next.authenticate(request).await;
        }
        let user = &request.user;
        let question = self.question(self.proof(request));
        let recall = self.remembered(user, &question);
        if let Recall::Fresh(account) = recall {
            request.note("cache", || "hit, fresh".into());
            return Ok(Verdict::Accepted(account));
        }
        request.note("cache", || match &recall {
            Recall::Aged(_, age) => {
                format!("verified {} s ago, the source is asked again", age.as_secs())
            }
            _ => "miss, the source is asked".into(),
        });
        self.misses.fetch_add(1, Ordering::Relaxed);
        match self.next.authenticate(request).await {
            Ok(Verdict::Accepted(account)) => {
                self.remember(user, &account, &question);
                Ok(Verdict::Accepted(account))
            }
            Ok(Verdict::Rejected(rejection)) => {
                let gone =
                    matches!(rejection.kind, RejectionKind::UnknownUser | RejectionKind::Disabled);
                // Whoever is gone has no other password, either.
                self.reject(user, question.proof.as_ref().filter(|_| !gone));
                Ok(Verdict::Rejected(rejection))
            }
            Err(error) => self.serve_grace(request, recall, error),
        }
    }

    fn recall(&self, request: &AuthRequest) -> Option<Arc<Account>> {
        if self.config.users == 0 || !request.purpose.is_repeatable() {
            return None;
        }
        match self.remembered(&request.user, &self.question(self.proof(request))) {
            Recall::Fresh(account) => Some(account),
            Recall::Aged(..) | Recall::Nothing => None,
        }
    }

    async fn change(&self, change: &Change) -> Result<Outcome, Unavailable> {
        // Before, so that what is verified from now on is not kept; after, so
        // that what was verified during the change is not, either. Also if
        // nobody waits for the outcome any more: the source may have made it.
        self.changed(&change.user);
        let _after = Changing(self, &change.user);
        self.next.change(change).await
    }

    async fn search(&self, search: &Search) -> Result<SearchOutcome, Unavailable> {
        self.next.search(search).await
    }

    fn proofs(&self) -> Proofs {
        self.next.proofs()
    }

    fn token_issuer(&self) -> Option<Arc<TokenIssuer>> {
        self.next.token_issuer()
    }

    fn forget_users(&self, mask: &str) -> usize {
        // Nobody is to join a question that was asked before.
        let beneath = self.next.forget_users(mask);
        // What is under way now is asked about once more before it counts.
        self.changes.lost_track();
        let (mask, mut count) = (mask.to_ascii_lowercase(), 0);
        let user = Username::parse(mask.as_bytes()).ok();
        self.users.retain(|asked, known| {
            let fits = wildcard_match(mask.as_bytes(), &asked.to_ascii_lowercase())
                || user.as_ref().is_some_and(|user| known.is_named(user));
            count += usize::from(fits);
            !fits
        });
        count.max(beneath)
    }

    fn cache_status(&self, reset: bool) -> CacheStatus {
        let misses = match reset {
            true => self.misses.swap(0, Ordering::Relaxed),
            false => self.misses.load(Ordering::Relaxed),
        };
        let Uses { users, hits } = self.users.uses(reset);
        CacheStatus { hits, misses, users, room: self.config.users }
    }

    fn watch(&self, watcher: Weak<dyn Watcher>) {
        self.next.watch(watcher);
    }
}

impl Watcher for Cache {
    /// Drops the user, by the name that is asked for and by the one that the
    /// source gives.
    fn changed(&self, user: &Username) {
        self.changes.changed(user);
        self.users.remove(user);
        // A gateway asks in lower case, whoever else spells it how.
        self.users.remove(&user.to_lowercase());
        if self.renamed.load(Ordering::SeqCst) {
            // All users: a millisecond for 100,000.
            let name = user.as_str().as_bytes();
            let is_same = |asked: &[u8]| asked.eq_ignore_ascii_case(name);
            self.users.retain(|asked, known| !is_same(asked) && !known.is_named(user));
        }
    }

    fn lost_track(&self) {
        self.changes.lost_track();
        self.users.retain(|_, known| {
            known.grow_stale();
            true
        });
    }
}

#[cfg(test)]
mod tests;
