//! Users who move into another source as they log in.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use dmail_core::{Action, Change, Origin, Secret, Service};

use super::super::*;
use super::base::{Base, ask, check, lookup, member, names, user};

struct Bench {
    new: Arc<Base>,
    old: Arc<Base>,
    chain: Arc<Chain>,
}

/// An old source with ann and bob, and a new one that they move to.
fn bench() -> Bench {
    let new = Base::with(&[]);
    let old = Base::with(&[("ann", "a", r#"name="Ann""#), ("bob", "b", "")]);
    let mut from = member("module 20", &old);
    from.migrate_to = Some(0);
    let chain = Arc::new(Chain::new(vec![member("module 10", &new), from]));
    Bench { new, old, chain }
}

#[tokio::test]
async fn a_login_at_the_old_source_moves_the_user() {
    let Bench { new, old, chain } = bench();
    assert_eq!(ask(&chain, check("ann", "guess")).await, "no not-verified");
    assert_eq!(ask(&chain, lookup("ann")).await, "yes ann name=\"Ann\"");
    assert_eq!(new.password("ann"), None, "neither a wrong password nor a lookup moves anybody");
    assert_eq!(ask(&chain, check("ann", "a")).await, "yes ann name=\"Ann\"");
    assert_eq!(new.password("ann").as_deref(), Some("a"));
    old.down.store(true, Ordering::SeqCst);
    assert_eq!(ask(&chain, check("ann", "a")).await, "yes ann name=\"Ann\"");
    assert_eq!(ask(&chain, check("ann", "guess")).await, "no not-verified");
    assert_eq!(ask(&chain, check("bob", "b")).await, "later", "he was not here in time");
}

#[tokio::test]
async fn whoever_is_in_the_new_source_stays_as_he_is() {
    let Bench { new, chain, .. } = bench();
    new.put("ann", "other", "");
    assert_eq!(ask(&chain, check("ann", "a")).await, "no not-verified");
    assert_eq!(new.password("ann").as_deref(), Some("other"));
}

#[tokio::test]
async fn names_decide_who_moves() {
    let new = Base::with(&[]);
    let old = Base::with(&[("ann", "a", ""), ("bob", "b", "")]);
    let mut into = member("module 10", &new);
    into.verbs.check = names("a*");
    into.verbs.lookup = names("a*");
    let mut from = member("module 20", &old);
    from.migrate_to = Some(0);
    let chain = Chain::new(vec![into, from]);
    for (name, password) in [("ann", "a"), ("bob", "b")] {
        assert_eq!(ask(&chain, check(name, password)).await, format!("yes {name}"));
    }
    assert_eq!((new.password("ann"), new.password("bob")), (Some("a".into()), None));
}

#[tokio::test]
async fn nobody_moves_to_another_mailbox() {
    let Bench { new, old, chain } = bench();
    *old.drop.lock().expect("no panic") = Some("/mail/old/ann");
    assert_eq!(ask(&chain, check("ann", "a")).await, "yes ann name=\"Ann\"");
    assert_eq!(new.password("ann"), None, "a set carries no drop path");
    new.asked();
    assert_eq!(ask(&chain, check("ann", "a")).await, "yes ann name=\"Ann\"");
    assert_eq!(new.asked(), "check:ann lookup:ann", "and it is not tried with every login");
}

#[tokio::test]
async fn a_new_source_that_fails_delays_and_breaks_nothing() {
    let Bench { new, chain, .. } = bench();
    new.half_down.store(true, Ordering::SeqCst);
    // What cannot be looked up may be a wrong password.
    assert_eq!(ask(&chain, check("ann", "a")).await, "later");
    new.half_down.store(false, Ordering::SeqCst);
    assert_eq!(ask(&chain, check("ann", "a")).await, "yes ann name=\"Ann\"");
    assert_eq!(new.password("ann").as_deref(), Some("a"), "an outage does not count as a failure");
}

#[tokio::test(start_paused = true)]
async fn a_login_does_not_wait_for_a_slow_move_and_the_move_is_not_seen_before_its_end() {
    let Bench { new, chain, .. } = bench();
    *new.takes.lock().expect("no panic") = Duration::from_secs(3);
    let started = tokio::time::Instant::now();
    assert_eq!(ask(&chain, check("ann", "a")).await, "yes ann name=\"Ann\"");
    // Check and lookup at the new source, and the patience of a login.
    assert_eq!(started.elapsed().as_secs(), 7);
    assert_eq!(new.password("ann"), None, "it is still on the way");
    tokio::time::sleep(Duration::from_millis(5500)).await;
    assert_eq!(new.password("ann").as_deref(), Some("a"), "it is there, and not yet verified");
    new.asked();
    assert_eq!(ask(&chain, lookup("ann")).await, "yes ann name=\"Ann\"");
    assert_eq!(new.asked(), "", "the old source answers until it is");
    tokio::time::sleep(Duration::from_secs(9)).await;
    new.asked();
    assert_eq!(ask(&chain, lookup("ann")).await, "yes ann name=\"Ann\"");
    assert_eq!(new.asked(), "lookup:ann");
}

#[tokio::test(start_paused = true)]
async fn a_password_that_was_changed_meanwhile_is_not_brought_back() {
    let Bench { new, old, chain } = bench();
    *old.takes.lock().expect("no panic") = Duration::from_secs(2);
    let login = tokio::spawn({
        let chain = Arc::clone(&chain);
        async move { ask(&chain, check("ann", "a")).await }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    *old.takes.lock().expect("no panic") = Duration::ZERO;
    let action = Action::Set { secret: Some(Secret::new(*b"changed")), info: None };
    let change = Change { user: user("ann"), action, origin: Origin::local(Service::Admin) };
    assert!(matches!(chain.change(&change).await, Ok(Outcome::Done(_))));
    // The old source had accepted the old password before the change.
    assert_eq!(login.await.expect("no panic"), "yes ann name=\"Ann\"");
    assert_eq!(new.password("ann"), None);
    assert_eq!(old.password("ann").as_deref(), Some("changed"));
    assert_eq!(ask(&chain, check("ann", "changed")).await, "yes ann name=\"Ann\"");
    assert_eq!(new.password("ann").as_deref(), Some("changed"));
}
