//! Sets and deletions.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use dmail_core::{Action, Change, Origin, Secret, Service};

use super::super::*;
use super::base::{Base, member, names, user};

async fn change(chain: &Chain, name: &str, action: Action) -> String {
    let change = Change { user: user(name), action, origin: Origin::local(Service::Admin) };
    match chain.change(&change).await {
        Ok(Outcome::Done(text)) => text,
        Ok(Outcome::Refused(no)) => format!("no {}", no.kind.id()),
        Err(_) => "later".into(),
    }
}

fn set(password: &str) -> Action {
    Action::Set { secret: Some(Secret::new(password.as_bytes())), info: None }
}

struct Bench {
    first: Arc<Base>,
    second: Arc<Base>,
    chain: Chain,
}

/// Two sources, the second of which takes new users. Ann is in the first, bob
/// in the second, and cat in both.
fn bench() -> Bench {
    let first = Base::with(&[("ann", "1", ""), ("cat", "1", "")]);
    let second = Base::with(&[("bob", "2", ""), ("cat", "2", "")]);
    let mut two = member("module 20", &second);
    two.verbs.set = names("*,!root").map(|list| (list, Creates::NewUsers));
    two.verbs.del = names("*");
    let chain = Chain::new(vec![member("module 10", &first), two]);
    Bench { first, second, chain }
}

#[tokio::test(start_paused = true)]
async fn a_change_does_not_wait_for_another_one_without_end() {
    let Bench { first, chain, .. } = bench();
    let chain = Arc::new(chain);
    // Each member may take ten seconds over each question.
    *first.takes.lock().expect("no panic") = Duration::from_secs(9);
    let slow = tokio::spawn({
        let chain = Arc::clone(&chain);
        async move { change(&chain, "cat", set("slow")).await }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let started = tokio::time::Instant::now();
    let late =
        Change { user: user("CAT"), action: set("late"), origin: Origin::local(Service::Admin) };
    let error = chain.change(&late).await.expect_err("it is not its turn");
    assert_eq!(error.kind, UnavailableKind::Overloaded);
    assert_eq!(started.elapsed().as_secs(), 10);
    assert_eq!(slow.await.expect("no panic"), "cat done");
    assert_eq!(first.password("cat").as_deref(), Some("slow"));
}

#[tokio::test]
async fn a_password_is_set_wherever_the_user_is() {
    let Bench { first, second, chain } = bench();
    let rows = [
        ("ann", "ann done", Some("new"), None),
        ("bob", "bob done", None, Some("new")),
        ("cat", "cat done", Some("new"), Some("new")),
        ("dan", "dan done", None, Some("new")),
        ("root", "no unknown-user", None, None),
    ];
    for (name, expected, one, two) in rows {
        assert_eq!(change(&chain, name, set("new")).await, expected);
        let passwords = (first.password(name), second.password(name));
        assert_eq!(passwords, (one.map(Into::into), two.map(Into::into)), "{name}");
    }
    let keep = Action::Set { secret: None, info: None };
    assert_eq!(change(&chain, "eve", keep).await, "no unknown-user");
}

#[tokio::test]
async fn a_change_is_made_where_it_is_allowed() {
    let Bench { first, second, chain } = bench();
    assert_eq!(change(&chain, "bob", Action::Delete).await, "bob done");
    assert_eq!(change(&chain, "cat", Action::Delete).await, "cat done; still in module 10");
    assert_eq!(change(&chain, "ann", Action::Delete).await, "no unknown-user");
    assert_eq!((first.password("cat"), second.password("cat")), (Some("1".into()), None));
    let mut fixed = member("module 10", &first);
    fixed.verbs.set = None;
    let chain = Chain::new(vec![fixed]);
    assert_eq!(change(&chain, "ann", set("new")).await, "no not-allowed");
    assert_eq!(change(&chain, "ann", Action::Delete).await, "no not-allowed");
}

#[tokio::test]
async fn a_change_that_may_be_half_made_is_not_acknowledged() {
    let Bench { first, second, chain } = bench();
    second.down.store(true, Ordering::SeqCst);
    assert_eq!(change(&chain, "cat", set("new")).await, "later");
    assert_eq!(first.password("cat").as_deref(), Some("1"), "all are asked before one is changed");
    assert_eq!(change(&chain, "ann", set("new")).await, "later", "she may be there, too");
}

#[tokio::test]
async fn names_are_stripped_for_changes_too() {
    let base = Base::with(&[("ann", "1", "")]);
    let mut stripped = member("module 10", &base);
    stripped.affix.suffix = "@a".into();
    let chain = Chain::new(vec![stripped]);
    assert_eq!(change(&chain, "ann@a", set("new")).await, "ann done");
    assert_eq!(base.password("ann").as_deref(), Some("new"));
}
