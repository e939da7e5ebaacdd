//! Single flight: equal questions at the same time are asked once.
//!
//! Equal means the same user, the same purpose and the same secret (and the
//! same client address, where the source is told it). The question itself runs
//! in a task of its own, so it does not matter which of the askers goes away.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use dmail_core::{
    AuthRequest, Authenticator, Change, Outcome, Purpose, Search, SearchOutcome, Unavailable,
    UnavailableKind, Username, Verdict,
};
use tokio::sync::watch;

use crate::keyed::Tagger;

type Answer = Result<Verdict, Unavailable>;
type Running = Mutex<HashMap<Question, Arc<watch::Receiver<Option<Answer>>>>>;

/// Joins equal questions to the source beneath.
pub struct Flight {
    next: Arc<dyn Authenticator>,
    tagger: Tagger,
    /// Whether the source is told the client's address.
    by_address: bool,
    running: Arc<Running>,
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
        Self { next, tagger: Tagger::new(), by_address, running: Arc::default() }
    }

    fn question(&self, request: &AuthRequest) -> Question {
        let secret = match &request.purpose {
            Purpose::Check(secret) => Some(self.tagger.tag(secret, None).bits()),
            Purpose::Lookup => None,
        };
        let client = request.origin.client.filter(|_| self.by_address);
        Question { user: request.user.clone(), secret, client }
    }

    /// The answer that is under way to this question, which is asked now if
    /// nobody asked it yet.
    fn join(&self, request: &AuthRequest) -> watch::Receiver<Option<Answer>> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
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

/// Takes a question off the list when its answer is here, or its task died.
struct Landing {
    question: Question,
    flight: Arc<watch::Receiver<Option<Answer>>>,
    running: Arc<Running>,
}

impl Drop for Landing {
    fn drop(&mut self) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        // After a change another flight may stand in its place.
        if running.get(&self.question).is_some_and(|flight| Arc::ptr_eq(flight, &self.flight)) {
            running.remove(&self.question);
        }
    }
}

#[async_trait]
impl Authenticator for Flight {
    async fn authenticate(&self, request: &AuthRequest) -> Answer {
        let mut waiting = self.join(request);
        match waiting.wait_for(Option::is_some).await {
            Ok(answer) => answer.clone().expect("it was waited for"),
            Err(_) => Err(Unavailable::new(UnavailableKind::Fault, "the question was abandoned")),
        }
    }

    async fn change(&self, change: &Change) -> Result<Outcome, Unavailable> {
        let outcome = self.next.change(change).await;
        // What is under way may have been decided before the change.
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|question, _| question.user != change.user);
        outcome
    }

    async fn search(&self, search: &Search) -> Result<SearchOutcome, Unavailable> {
        self.next.search(search).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use dmail_core::{Account, Origin, Secret, Service};
    use tokio::sync::Semaphore;

    use super::*;

    /// Accepts everybody, once the gate is open.
    struct Gated {
        gate: Semaphore,
        asked: AtomicUsize,
    }

    #[async_trait]
    impl Authenticator for Gated {
        async fn authenticate(&self, request: &AuthRequest) -> Answer {
            self.asked.fetch_add(1, Ordering::SeqCst);
            let _permit = self.gate.acquire().await.expect("never closed");
            Ok(Verdict::accepted(Account::named(request.user.clone())))
        }
    }

    fn check(user: &str, secret: &str) -> AuthRequest {
        let user = Username::parse(user.as_bytes()).expect("a name");
        AuthRequest::check(user, Secret::new(secret.as_bytes()), Origin::local(Service::Pop3))
    }

    #[tokio::test]
    async fn a_hundred_equal_questions_are_asked_once() {
        let source = Arc::new(Gated { gate: Semaphore::new(0), asked: AtomicUsize::new(0) });
        let flight = Arc::new(Flight::new(source.clone(), true));
        let ask = |request: AuthRequest| {
            let flight = Arc::clone(&flight);
            tokio::spawn(async move { flight.authenticate(&request).await })
        };
        let mut asking: Vec<_> = (0..100).map(|_| ask(check("bob", "s"))).collect();
        // The first of them goes away; the others do not notice.
        tokio::task::yield_now().await;
        asking.remove(0).abort();
        asking.push(ask(check("bob", "another")));
        asking.push(ask(check("ann", "s")));
        while source.asked.load(Ordering::SeqCst) < 3 {
            tokio::task::yield_now().await;
        }
        source.gate.add_permits(1);
        for asked in asking {
            let verdict = asked.await.expect("no panic").expect("a verdict");
            assert!(matches!(verdict, Verdict::Accepted(_)));
        }
        assert_eq!(source.asked.load(Ordering::SeqCst), 3, "one for each different question");
        assert!(flight.running.lock().expect("no panic").is_empty());
    }
}
