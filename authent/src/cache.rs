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
//! | verified, but rejected at another address since | yes, always |
//! | not known | yes, always: a wrong password always reaches the source |
//!
//! So a changed password works at once, and from then on the old one does not.
//! Several passwords that stay valid side by side (app passwords) settle after
//! one question each. A password that the source rejects is forgotten; `-ERR`
//! and `-DEAD` are never stored; our own `set` and `del` drop the entry.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use dmail_core::{
    Account, AuthRequest, Authenticator, Change, Outcome, Purpose, Search, SearchOutcome,
    Unavailable, UnavailableKind, Username, Verdict,
};
use tokio::time::Instant;

use crate::keyed::{Tag, Tagger};

/// How many verified passwords are remembered for one user.
const SECRETS: usize = 8;
/// Counters of changes; users share them by hash.
const GENERATIONS: usize = 256;

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
    entries: moka::sync::Cache<Username, Arc<Entry>>,
    generations: Box<[AtomicU64]>,
    spread: RandomState,
}

/// What is remembered of one user.
struct Entry(Mutex<Memory>);

struct Memory {
    account: Arc<Account>,
    /// When a lookup or check last brought the account.
    seen: Instant,
    /// Verified passwords, the latest last.
    secrets: Vec<Verified>,
}

struct Verified {
    /// Of the password, and of the client's address where that matters.
    tag: Tag,
    /// Of the password alone.
    password: Tag,
    at: Instant,
    /// Another password was verified for the first time since, or this one was
    /// rejected at another address.
    suspect: bool,
}

/// When a question was asked, and after which change of the user.
struct Asked {
    at: Instant,
    generation: u64,
}

/// What memory says about a request.
enum Recall {
    /// Fresh: no need to ask.
    Fresh(Arc<Account>),
    /// Verified once, but the source must be asked; with its age.
    Aged(Arc<Account>, Duration),
    Nothing,
}

impl Cache {
    /// In front of `next`.
    #[must_use]
    pub fn new(next: Arc<dyn Authenticator>, config: CacheConfig) -> Self {
        Self {
            next,
            config,
            tagger: Tagger::new(),
            entries: moka::sync::Cache::builder().max_capacity(config.users).build(),
            generations: (0..GENERATIONS).map(|_| AtomicU64::new(0)).collect(),
            spread: RandomState::new(),
        }
    }

    /// Forgets one user.
    pub fn forget(&self, user: &Username) {
        self.generation(user).fetch_add(1, Ordering::SeqCst);
        self.entries.invalidate(user);
    }

    /// Forgets everybody.
    pub fn clear(&self) {
        for generation in &self.generations {
            generation.fetch_add(1, Ordering::SeqCst);
        }
        self.entries.invalidate_all();
    }

    /// The tag of a check's secret; `None` for a lookup.
    fn tag(&self, request: &AuthRequest) -> Option<Tag> {
        match &request.purpose {
            Purpose::Check(secret) => {
                let client = request.origin.client.filter(|_| self.config.by_address);
                Some(self.tagger.tag(secret, client))
            }
            Purpose::Lookup => None,
        }
    }

    /// The tag of a check's secret, wherever it comes from.
    fn password(&self, request: &AuthRequest) -> Option<Tag> {
        match &request.purpose {
            Purpose::Check(secret) => Some(self.tagger.tag(secret, None)),
            Purpose::Lookup => None,
        }
    }

    fn recall(&self, user: &Username, tag: Option<Tag>) -> Recall {
        let Some(entry) = self.entries.get(user) else {
            return Recall::Nothing;
        };
        let memory = entry.lock();
        let (at, suspect) = match tag {
            None => (memory.seen, false),
            Some(tag) => match memory.secrets.iter().find(|secret| secret.tag == tag) {
                Some(secret) => (secret.at, secret.suspect),
                None => return Recall::Nothing,
            },
        };
        let age = at.elapsed();
        let account = Arc::clone(&memory.account);
        if suspect || age >= self.config.life {
            Recall::Nothing
        } else if age < self.jittered_fresh(tag) {
            Recall::Fresh(account)
        } else {
            Recall::Aged(account, age)
        }
    }

    /// `fresh` or up to a fifth less, always the same for one tag.
    fn jittered_fresh(&self, tag: Option<Tag>) -> Duration {
        let part = tag.map_or(128, |tag| (tag.bits() & 255) as u32);
        self.config.fresh * (205 + part / 5) / 256
    }

    /// Remembers an acceptance, unless the user was changed meanwhile.
    fn remember(
        &self,
        request: &AuthRequest,
        tag: Option<Tag>,
        account: &Arc<Account>,
        asked: &Asked,
    ) {
        let user = &request.user;
        let fresh_entry = || Arc::new(Entry(Mutex::new(Memory::of(account))));
        let entry = self.entries.get_with_by_ref(user, fresh_entry);
        let mut memory = entry.lock();
        if self.generation(user).load(Ordering::SeqCst) != asked.generation {
            drop(memory);
            self.entries.invalidate(user);
            return;
        }
        memory.account = Arc::clone(account);
        memory.seen = Instant::now();
        if let (Some(tag), Some(password)) = (tag, self.password(request)) {
            memory.verified(tag, password, asked.at);
        }
    }

    /// Forgets a password that the source rejects now, or a user it denies.
    fn reject(&self, request: &AuthRequest, tag: Option<Tag>) {
        let user = &request.user;
        let Some(entry) = self.entries.get(user) else { return };
        match (tag, self.password(request)) {
            (Some(tag), Some(password)) => entry.lock().rejected(tag, password),
            _ => self.entries.invalidate(user),
        }
    }

    /// What a question that is asked now must be compared with later.
    fn asking(&self, user: &Username) -> Asked {
        Asked { at: Instant::now(), generation: self.generation(user).load(Ordering::SeqCst) }
    }

    fn generation(&self, user: &Username) -> &AtomicU64 {
        let place = self.spread.hash_one(user) as usize % GENERATIONS;
        &self.generations[place]
    }

    /// The answer while the source has none: memory's, within its life.
    fn serve_grace(
        &self,
        request: &AuthRequest,
        recall: Recall,
        error: Unavailable,
    ) -> Result<Verdict, Unavailable> {
        // An overloaded source is slowed down, not absent: whoever is served
        // from memory then would never see a changed password under load.
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

impl Entry {
    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    fn of(account: &Arc<Account>) -> Self {
        Self { account: Arc::clone(account), seen: Instant::now(), secrets: Vec::with_capacity(1) }
    }

    /// The source has verified this password, which it was asked about at
    /// `asked`. If another one was verified meanwhile, nobody knows which of
    /// the two questions the source decided first.
    fn verified(&mut self, tag: Tag, password: Tag, asked: Instant) {
        let others = |other: &Verified| other.password != password;
        let suspect = self.secrets.iter().any(|other| others(other) && other.at > asked);
        // A password that is known, from whatever address, replaced no other.
        if self.secrets.iter().all(others) {
            self.secrets.iter_mut().for_each(|secret| secret.suspect = true);
        }
        self.secrets.retain(|secret| secret.tag != tag);
        if self.secrets.len() == SECRETS {
            self.secrets.remove(0);
        }
        self.secrets.push(Verified { tag, password, at: Instant::now(), suspect });
    }

    /// The source has rejected this password. From other addresses it may
    /// still be good, but nobody but the source can say so.
    fn rejected(&mut self, tag: Tag, password: Tag) {
        self.secrets.retain(|secret| secret.tag != tag);
        let same = self.secrets.iter_mut().filter(|secret| secret.password == password);
        same.for_each(|secret| secret.suspect = true);
    }
}

#[async_trait]
impl Authenticator for Cache {
    async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        if self.config.users == 0 {
            return self.next.authenticate(request).await;
        }
        let user = &request.user;
        let tag = self.tag(request);
        let recall = self.recall(user, tag);
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
        let asked = self.asking(user);
        match self.next.authenticate(request).await {
            Ok(Verdict::Accepted(account)) => {
                self.remember(request, tag, &account, &asked);
                Ok(Verdict::Accepted(account))
            }
            Ok(Verdict::Rejected(rejection)) => {
                self.reject(request, tag);
                Ok(Verdict::Rejected(rejection))
            }
            Err(error) => self.serve_grace(request, recall, error),
        }
    }

    async fn change(&self, change: &Change) -> Result<Outcome, Unavailable> {
        // Before, so that what is verified from now on is not kept; after, so
        // that what was verified during the change is not, either.
        self.forget(&change.user);
        let outcome = self.next.change(change).await;
        self.forget(&change.user);
        outcome
    }

    async fn search(&self, search: &Search) -> Result<SearchOutcome, Unavailable> {
        self.next.search(search).await
    }
}

#[cfg(test)]
mod tests;
