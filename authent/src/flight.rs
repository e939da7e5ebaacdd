//! Single flight: equal questions at the same time are asked once.
//!
//! Equal means the same user, the same purpose and the same secret (and the
//! same client address, where the source is told it). The question itself runs
//! in a task of its own, so it does not matter which of the askers goes away.
//!
//! ```text
//!   asker ─┐                    ┌─▶ the cache drops the user
//!   asker ─┴▶ flight ─▶ source ─┤ "bob was changed"
//!   asker ──▶ flight ─▶ source ─┘─▶ the first question is left to those who wait for it
//! ```
//!
//! Whoever asks after a change never gets an answer that was asked for before
//! it. So the flight hears of changes first, and tells the cache then.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use async_trait::async_trait;
use dmail_core::{
    AuthRequest, Authenticator, CacheStatus, Change, Outcome, Proofs, Purpose, Search,
    SearchOutcome, TokenIssuer, Unavailable, UnavailableKind, Username, Verdict, Watcher,
};
use tokio::sync::watch;

use crate::keyed::Tagger;

type Answer = Result<Verdict, Unavailable>;
type Waiting = Arc<watch::Receiver<Option<Answer>>>;

/// Joins equal questions to the source beneath.
pub struct Flight {
    next: Arc<dyn Authenticator>,
    tagger: Tagger,
    /// Whether the source is told the client's address.
    by_address: bool,
    running: Arc<Running>,
}

/// The questions that are under way and may be joined.
#[derive(Default)]
struct Running {
    questions: Mutex<HashMap<Question, Waiting>>,
    /// Who is told of changes after the questions were let go.
    watchers: Mutex<Vec<Weak<dyn Watcher>>>,
}

/// What makes two questions equal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Question {
    user: Username,
    /// The keyed hash of the secret; `None` for a lookup.
    secret: Option<u128>,
    client: Option<IpAddr>,
}

impl Flight {
    /// In front of `next`. With `by_address`, questions from different client
    /// addresses are different.
    #[must_use]
    pub fn new(next: Arc<dyn Authenticator>, by_address: bool) -> Self {
        let running = Arc::new(Running::default());
        let watcher: Weak<Running> = Arc::downgrade(&running);
        next.watch(watcher);
        Self { next, tagger: Tagger::new(), by_address, running }
    }

    /// Questions about this user are asked anew from now on; nobody is told.
    pub(crate) fn forget(&self, user: &Username) {
        self.running.let_go(user);
    }

    /// All questions are asked anew from now on; nobody is told.
    pub(crate) fn forget_all(&self) {
        self.running.questions().clear();
    }

    fn question(&self, request: &AuthRequest) -> Question {
        let secret = match &request.purpose {
            Purpose::Check(secret) => Some(self.tagger.tag(secret).bits()),
            Purpose::Lookup | Purpose::Prove(_) | Purpose::Salt(_) => None,
        };
        let client = request.origin.client.filter(|_| self.by_address);
        Question { user: request.user.clone(), secret, client }
    }

    /// The answer that is under way to this question, which is asked now if
    /// nobody asked it yet.
    fn join(&self, request: &AuthRequest) -> watch::Receiver<Option<Answer>> {
        let mut running = self.running.questions();
        match running.entry(self.question(request)) {
            Entry::Occupied(entry) => {
                request.note("flight", || "the same question is under way, waiting for it".into());
                watch::Receiver::clone(entry.get())
            }
            Entry::Vacant(entry) => {
                let (answer, waiting) = watch::channel(None);
                let flight = Arc::new(waiting.clone());
                let landing = Landing {
                    question: entry.key().clone(),
                    flight: Arc::clone(&flight),
                    running: Arc::clone(&self.running),
                };
                entry.insert(flight);
                let (next, request) = (Arc::clone(&self.next), request.clone());
                tokio::spawn(async move {
                    let verdict = next.authenticate(&request).await;
                    // Whoever comes from now on asks anew.
                    drop(landing);
                    let _ = answer.send(Some(verdict));
                });
                waiting
            }
        }
    }
}

impl Running {
    fn questions(&self) -> MutexGuard<'_, HashMap<Question, Waiting>> {
        self.questions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watchers(&self) -> MutexGuard<'_, Vec<Weak<dyn Watcher>>> {
        self.watchers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on, questions about this user are asked anew.
    fn let_go(&self, user: &Username) {
        // The source may know the user with or without the domain, and in any
        // case. One question too many does no harm.
        let (name, _) = user.split_domain();
        self.questions().retain(|question, _| {
            let (known, _) = question.user.split_domain();
            !known.eq_ignore_ascii_case(name)
        });
    }

    fn tell(&self, news: impl Fn(&dyn Watcher)) {
        // Not under the lock: a watcher may do as it likes.
        let watchers: Vec<_> = self.watchers().iter().filter_map(Weak::upgrade).collect();
        watchers.iter().for_each(|watcher| news(&**watcher));
    }
}

/// News from elsewhere than the source goes the same way.
impl Watcher for Flight {
    fn changed(&self, user: &Username) {
        self.running.changed(user);
    }

    fn lost_track(&self) {
        self.running.lost_track();
    }
}

impl Watcher for Running {
    fn changed(&self, user: &Username) {
        self.let_go(user);
        self.tell(|watcher| watcher.changed(user));
    }

    fn lost_track(&self) {
        self.questions().clear();
        self.tell(|watcher| watcher.lost_track());
    }
}

/// Takes a question off the list when its answer is here, or its task died.
struct Landing {
    question: Question,
    flight: Waiting,
    running: Arc<Running>,
}

impl Drop for Landing {
    fn drop(&mut self) {
        let mut running = self.running.questions();
        // After a change another flight may stand in its place.
        if running.get(&self.question).is_some_and(|flight| Arc::ptr_eq(flight, &self.flight)) {
            running.remove(&self.question);
        }
    }
}

/// A change that is under way, until this is dropped.
struct Changing<'a>(&'a Running, &'a Username);

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        self.0.let_go(self.1);
    }
}

#[async_trait]
impl Authenticator for Flight {
    async fn authenticate(&self, request: &AuthRequest) -> Answer {
        // No two proofs are equal, and the answer to one belongs to its asker.
        if !request.purpose.is_repeatable() {
            return self.next.authenticate(request).await;
        }
        let mut waiting = self.join(request);
        match waiting.wait_for(Option::is_some).await {
            Ok(answer) => answer.clone().expect("it was waited for"),
            Err(_) => Err(Unavailable::new(UnavailableKind::Fault, "the question was abandoned")),
        }
    }

    async fn change(&self, change: &Change) -> Result<Outcome, Unavailable> {
        // What is under way then may have been decided before the change, also
        // if nobody waits for its outcome any more.
        let _after = Changing(&self.running, &change.user);
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
        self.forget_all();
        self.next.forget_users(mask)
    }

    fn cache_status(&self, reset: bool) -> CacheStatus {
        self.next.cache_status(reset)
    }

    fn watch(&self, watcher: Weak<dyn Watcher>) {
        let mut watchers = self.running.watchers();
        watchers.retain(|known| known.strong_count() > 0);
        watchers.push(watcher);
    }
}

#[cfg(test)]
mod tests;
