//! Who shares an answer with whom.

use std::sync::atomic::{AtomicUsize, Ordering};

use dmail_core::{Account, Origin, Secret, Service};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

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

fn name(text: &str) -> Username {
    Username::parse(text.as_bytes()).expect("a name")
}

fn check(user: &str, secret: &str) -> AuthRequest {
    AuthRequest::check(name(user), Secret::new(secret.as_bytes()), Origin::local(Service::Pop3))
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
    assert!(flight.running.questions().is_empty());
}

/// Asks in a task of its own, and returns when the source has been asked so
/// often.
async fn ask(
    flight: &Arc<Flight>,
    source: &Gated,
    request: AuthRequest,
    times: usize,
) -> JoinHandle<Answer> {
    let flight = Arc::clone(flight);
    let asking = tokio::spawn(async move { flight.authenticate(&request).await });
    // A question that joins another one is not heard of, but has its turn.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(source.asked.load(Ordering::SeqCst), times);
    asking
}

#[tokio::test]
async fn nobody_joins_a_question_that_was_asked_before_a_change() {
    type News = fn(&Running);
    let rows: [(&str, News, usize); 5] = [
        ("nothing", |_| {}, 1),
        ("another user", |running| running.changed(&name("ann")), 1),
        ("the user", |running| running.changed(&name("bob")), 2),
        ("the user by the source's name", |running| running.changed(&name("Bob@corp.example")), 2),
        ("track lost", |running| running.lost_track(), 2),
    ];
    for (row, news, times) in rows {
        let source = Arc::new(Gated { gate: Semaphore::new(0), asked: AtomicUsize::new(0) });
        let flight = Arc::new(Flight::new(source.clone(), false));
        let before = ask(&flight, &source, check("bob", "s"), 1).await;
        news(&flight.running);
        let after = ask(&flight, &source, check("bob", "s"), times).await;
        // A third one joins the second.
        let third = ask(&flight, &source, check("bob", "s"), times).await;
        source.gate.add_permits(2);
        for asked in [before, after, third] {
            assert!(asked.await.expect("no panic").is_ok(), "{row}");
        }
        assert!(flight.running.questions().is_empty(), "{row}");
    }
}

/// Writes down what it hears, and whether questions could still be joined then.
struct Above {
    flight: Weak<Running>,
    heard: Mutex<Vec<String>>,
}

impl Above {
    fn hear(&self, news: String) {
        let running = self.flight.upgrade().expect("it is there");
        assert!(running.questions().is_empty(), "the flight lets go first");
        self.heard.lock().expect("no panic").push(news);
    }
}

impl Watcher for Above {
    fn changed(&self, user: &Username) {
        self.hear(format!("changed {user}"));
    }

    fn lost_track(&self) {
        self.hear("lost track".into());
    }
}

#[tokio::test]
async fn news_goes_up_after_the_questions_were_let_go() {
    let source = Arc::new(Gated { gate: Semaphore::new(0), asked: AtomicUsize::new(0) });
    let flight = Arc::new(Flight::new(source.clone(), false));
    let above = |flight: &Flight| {
        let flight = Arc::downgrade(&flight.running);
        Arc::new(Above { flight, heard: Mutex::default() })
    };
    let (gone, stays) = (above(&flight), above(&flight));
    for watcher in [&gone, &stays] {
        let watcher: Weak<Above> = Arc::downgrade(watcher);
        flight.watch(watcher);
    }
    drop(gone);
    for _ in 0..2 {
        drop(ask(&flight, &source, check("bob", "s"), 1).await);
        flight.running.changed(&name("bob"));
        source.asked.store(0, Ordering::SeqCst);
    }
    drop(ask(&flight, &source, check("ann", "s"), 1).await);
    flight.running.lost_track();
    let heard = stays.heard.lock().expect("no panic");
    assert_eq!(*heard, ["changed bob", "changed bob", "lost track"]);
}
