//! Checks, lookups and searches.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use dmail_core::{Search, SearchOutcome, Service, Watcher};
use tokio::time::Instant;

use super::super::policy::{After, Policy};
use super::super::*;
use super::base::{Base, ask, check, lookup, member, names, user};
use crate::cache::{Cache, CacheConfig};

fn two() -> (Arc<Base>, Arc<Base>) {
    (
        Base::with(&[("ann", "a1", ""), ("both", "b1", "")]),
        Base::with(&[("bob", "b2", ""), ("both", "b2", "")]),
    )
}

#[tokio::test]
async fn a_check_goes_to_the_first_source_that_has_the_user() {
    let (first, second) = two();
    let chain = Chain::new(vec![member("1", &first), member("2", &second)]);
    let rows = [
        (check("ann", "a1"), "yes ann", "check:ann", ""),
        (check("bob", "b2"), "yes bob", "check:bob lookup:bob", "check:bob"),
        (check("ann", "guess"), "no not-verified", "check:ann lookup:ann", ""),
        (check("both", "b2"), "no not-verified", "check:both lookup:both", ""),
        (
            check("nobody", "x"),
            "no unknown-user",
            "check:nobody lookup:nobody",
            "check:nobody lookup:nobody",
        ),
        (check("ann", ""), "no not-verified", "", ""),
        (lookup("ann"), "yes ann", "lookup:ann", ""),
        (lookup("bob"), "yes bob", "lookup:bob", "lookup:bob"),
        (lookup("nobody"), "no unknown-user", "lookup:nobody", "lookup:nobody"),
    ];
    for (request, expected, one, two) in rows {
        let what = format!("{} {:?}", request.user, request.purpose);
        assert_eq!(ask(&chain, request).await, expected, "{what}");
        assert_eq!((first.asked(), second.asked()), (one.into(), two.into()), "{what}");
    }
}

#[tokio::test]
async fn an_outage_makes_nobody_unknown_and_no_password_wrong() {
    let (first, second) = two();
    let fallback = |name, base| {
        let policy = Policy { unavailable: After::Next, ..Policy::default() };
        Member { policy, ..member(name, base) }
    };
    let strict = Chain::new(vec![member("1", &first), member("2", &second)]);
    let lenient = Chain::new(vec![fallback("1", &first), fallback("2", &second)]);
    let rows = [
        // Which one is down, the question, the answers of the two chains.
        (1, check("ann", "a1"), "later", "later"),
        (1, check("bob", "b2"), "later", "yes bob"),
        (1, check("bob", "guess"), "later", "no not-verified"),
        (1, lookup("nobody"), "later", "later"),
        (2, check("ann", "a1"), "yes ann", "yes ann"),
        (2, check("ann", "guess"), "no not-verified", "no not-verified"),
        (2, check("bob", "b2"), "later", "later"),
        (2, lookup("nobody"), "later", "later"),
    ];
    for (down, request, strictly, leniently) in rows {
        first.down.store(down == 1, Ordering::SeqCst);
        second.down.store(down == 2, Ordering::SeqCst);
        let what = format!("{down} down, {} {:?}", request.user, request.purpose);
        assert_eq!(ask(&strict, request.clone()).await, strictly, "{what}");
        assert_eq!(ask(&lenient, request).await, leniently, "{what}");
    }
    // The source goes down between the check and the lookup that would tell a
    // wrong password from an unknown user.
    first.down.store(false, Ordering::SeqCst);
    second.down.store(false, Ordering::SeqCst);
    first.half_down.store(true, Ordering::SeqCst);
    assert_eq!(ask(&lenient, check("both", "b2")).await, "later", "b2 may just have been wrong");
    assert_eq!(ask(&lenient, check("ann", "a1")).await, "yes ann");
}

#[tokio::test]
async fn a_source_without_lookup_cannot_say_that_a_user_is_unknown() {
    let (first, second) = two();
    let blind = || {
        let first = member("1", &first);
        Member { verbs: Verbs { lookup: None, ..first.verbs.clone() }, ..first }
    };
    let chain = Chain::new(vec![blind(), member("2", &second)]);
    assert_eq!(ask(&chain, check("bob", "b2")).await, "no not-verified");
    let policy = Policy { rejected: After::Next, unavailable: After::Next, ..Policy::default() };
    let both = vec![Member { policy, ..blind() }, Member { policy, ..member("2", &second) }];
    let chain = Chain::new(both);
    assert_eq!(ask(&chain, check("bob", "b2")).await, "yes bob");
    assert_eq!(ask(&chain, check("ann", "guess")).await, "no not-verified");
    second.down.store(true, Ordering::SeqCst);
    assert_eq!(ask(&chain, check("bob", "b2")).await, "later");
}

#[tokio::test]
async fn names_decide_who_is_asked_and_the_answer_is_about_the_name_that_was_asked() {
    let here = Base::with(&[("ann", "a", "")]);
    let there = Base::with(&[("ann", "t", ""), ("abc_bob", "x", "")]);
    let mut one = member("1", &here);
    one.verbs.check = names("*@a.example");
    one.verbs.lookup = names("*@a.example");
    one.affix.suffix = "@a.example".into();
    let mut two = member("2", &there);
    two.verbs.lookup = names("*,!*@*");
    let chain = Chain::new(vec![one, two]);
    assert_eq!(ask(&chain, check("ann@A.Example", "a")).await, "yes ann@A.Example");
    assert_eq!(ask(&chain, check("ann", "t")).await, "yes ann");
    assert_eq!(ask(&chain, lookup("ann@a.example")).await, "yes ann@a.example");
    assert_eq!(
        (here.asked().as_str(), there.asked().as_str()),
        ("check:ann lookup:ann", "check:ann")
    );
    assert_eq!(ask(&chain, lookup("ann@b.example")).await, "no unknown-user", "nobody is asked");
    assert_eq!(ask(&chain, check("ann@b.example", "t")).await, "no not-verified");
}

#[tokio::test]
async fn one_source_verifies_and_another_says_who_it_is() {
    let verifier = Base::with(&[("ann", "a", r#"x="not this""#), ("eve", "e", "")]);
    let people = Base::with(&[("ann", "", r#"name="Ann""#)]);
    let mut who = member("people", &people);
    who.verbs.check = None;
    let verify = Member { role: Role::Verify, ..member("pam", &verifier) };
    let chain = Chain::new(vec![who, verify]);
    assert_eq!(ask(&chain, check("ann", "a")).await, "yes ann name=\"Ann\"");
    assert_eq!(ask(&chain, check("ann", "guess")).await, "no not-verified");
    assert_eq!(ask(&chain, check("eve", "e")).await, "no unknown-user", "she has no account");
    assert_eq!(ask(&chain, lookup("ann")).await, "yes ann name=\"Ann\"");
    assert_eq!(ask(&chain, lookup("eve")).await, "no unknown-user");
    people.down.store(true, Ordering::SeqCst);
    assert_eq!(ask(&chain, check("ann", "a")).await, "later", "and not without a mailbox");
}

#[tokio::test]
async fn fields_of_a_third_source_are_merged() {
    let base = Base::with(&[("ann", "a", r#"name="Ann" quota="1""#), ("bob", "b", "")]);
    let more = Base::with(&[("ann", "", r#"quota="9" mailstatus="ok" phone="5""#)]);
    let merge = |fields, unavailable| {
        let policy = Policy { unavailable, ..Policy::default() };
        let merge = Member { role: Role::Merge(fields), policy, ..member("more", &more) };
        Chain::new(vec![member("base", &base), merge])
    };
    let all = merge(Fields::All, After::Next);
    let expected = "yes ann name=\"Ann\" quota=\"9\" mailstatus=\"ok\" phone=\"5\"";
    assert_eq!(ask(&all, check("ann", "a")).await, expected);
    assert_eq!(ask(&all, check("ann", "guess")).await, "no not-verified");
    assert_eq!(ask(&all, lookup("bob")).await, "yes bob");
    assert_eq!(ask(&all, lookup("nobody")).await, "no unknown-user");
    let some = merge(Fields::Named(vec!["mailstatus".into()]), After::Stop);
    let expected = "yes ann name=\"Ann\" quota=\"1\" mailstatus=\"ok\"";
    assert_eq!(ask(&some, lookup("ann")).await, expected);
    more.down.store(true, Ordering::SeqCst);
    assert_eq!(ask(&some, lookup("ann")).await, "later", "the account may be suspended");
    assert_eq!(ask(&all, lookup("ann")).await, "yes ann name=\"Ann\" quota=\"1\"");
}

#[tokio::test(start_paused = true)]
async fn a_source_has_a_deadline() {
    let (first, second) = two();
    *first.takes.lock().expect("no panic") = Duration::from_secs(3600);
    let policy = Policy { unavailable: After::Next, ..Policy::default() };
    let timeout = Duration::from_secs(5);
    let chain =
        Chain::new(vec![Member { policy, timeout, ..member("1", &first) }, member("2", &second)]);
    let started = Instant::now();
    assert_eq!(ask(&chain, check("bob", "b2")).await, "yes bob");
    assert_eq!(started.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_password_takes_as_long_as_an_unknown_user() {
    let (first, second) = two();
    for base in [&first, &second] {
        *base.takes.lock().expect("no panic") = Duration::from_millis(40);
    }
    let chain = Chain::new(vec![member("1", &first), member("2", &second)]);
    let mut times = Vec::new();
    for name in ["nobody", "ann", "bob", "both", "nobody"] {
        let started = Instant::now();
        ask(&chain, check(name, "guess")).await;
        times.push(started.elapsed().as_millis() / 10);
    }
    assert_eq!(times, [16; 5]);
    let started = Instant::now();
    ask(&chain, check("ann", "a1")).await;
    assert_eq!(started.elapsed().as_millis() / 10, 4, "a right password waits for nobody");
}

#[tokio::test]
async fn a_search_lists_each_user_once_in_the_order_of_the_chain() {
    let one = Base::with(&[("ann", "", r#"from="1""#), ("zoe", "", "")]);
    let two = Base::with(&[("ANN", "", r#"from="2""#), ("bob", "", ""), ("cat", "", "")]);
    let three = Base::with(&[("bob", "", ""), ("dan", "", "")]);
    let mut stripped = member("3", &three);
    stripped.affix.suffix = "@a".into();
    let chain = Chain::new(vec![member("1", &one), member("2", &two), stripped]);
    let rows: &[(&str, usize, Option<usize>, &str)] = &[
        ("*", 0, None, "ann zoe bob cat bob@a dan@a"),
        ("*", 1, Some(3), "zoe bob cat"),
        ("*", 4, Some(9), "bob@a dan@a"),
        ("*", 0, Some(0), ""),
        ("b*", 0, None, "bob bob@a"),
        ("*@a", 0, None, "bob@a dan@a"),
        ("an", 0, Some(9), "ann dan@a"),
        ("nobody", 0, Some(9), ""),
    ];
    for (pattern, from, max, expected) in rows {
        let origin = dmail_core::Origin::local(Service::Admin);
        let search = Search { pattern: (*pattern).into(), from: *from, max: *max, origin };
        let Ok(SearchOutcome::Found(found)) = chain.search(&search).await else {
            panic!("{pattern} is searched");
        };
        let names: Vec<_> = found.hits.iter().map(|hit| hit.user.as_str()).collect();
        assert_eq!(names.join(" "), *expected, "{pattern} {from} {max:?}");
        assert!(found.hits.iter().all(|hit| hit.info.get("from") != Some("2")));
    }
    two.down.store(true, Ordering::SeqCst);
    let origin = dmail_core::Origin::local(Service::Admin);
    let search = Search { pattern: "*".into(), from: 0, max: None, origin };
    assert!(chain.search(&search).await.is_err(), "half a list looks like a whole one");
}

#[tokio::test]
async fn a_list_is_read_in_pages_where_many_users_are_not_of_the_member() {
    let many: Vec<String> = (0..2500).map(|n| format!("u{n:04}")).collect();
    let users: Vec<_> = many.iter().map(|name| (&**name, "", "")).collect();
    let base = Base::with(&users);
    let mut last = member("1", &base);
    last.verbs.search = names("u2*");
    let chain = Chain::new(vec![last]);
    let origin = dmail_core::Origin::local(Service::Admin);
    let search = Search { pattern: "u".into(), from: 0, max: Some(5), origin };
    let Ok(SearchOutcome::Found(found)) = chain.search(&search).await else { panic!("a list") };
    let names: Vec<_> = found.hits.iter().map(|hit| hit.user.as_str()).collect();
    assert_eq!(names, ["u2000", "u2001", "u2002", "u2003", "u2004"]);
}

/// Collects what it is told.
#[derive(Default)]
struct Listener(std::sync::Mutex<Vec<String>>);

impl Watcher for Listener {
    fn changed(&self, user: &dmail_core::Username) {
        self.0.lock().expect("no panic").push(user.to_string());
    }

    fn lost_track(&self) {
        self.0.lock().expect("no panic").push("?".into());
    }
}

#[tokio::test]
async fn changes_elsewhere_are_told_under_the_names_of_the_chain() {
    let (first, second) = two();
    let mut stripped = member("1", &first);
    stripped.affix.suffix = "@a".into();
    let chain = Chain::new(vec![stripped, member("2", &second)]);
    let listener = Arc::new(Listener::default());
    let weak: Weak<Listener> = Arc::downgrade(&listener);
    chain.watch(weak);
    for base in [&first, &second] {
        let watcher = base.watcher.lock().expect("no panic").clone().expect("it is watched");
        let watcher = watcher.upgrade().expect("it is there");
        watcher.changed(&user("bob"));
        watcher.lost_track();
    }
    assert_eq!(*listener.0.lock().expect("no panic"), ["bob", "bob@a", "?", "bob", "?"]);
}

#[tokio::test(start_paused = true)]
async fn the_cache_helps_out_while_a_chain_is_unavailable() {
    let (first, second) = two();
    let chain = Arc::new(Chain::new(vec![member("1", &first), member("2", &second)]));
    let cache = Cache::new(chain, CacheConfig::default());
    let accepts = async |name: &str, password: &str| {
        cache
            .authenticate(&check(name, password))
            .await
            .map(|verdict| matches!(verdict, Verdict::Accepted(_)))
    };
    assert_eq!(accepts("bob", "b2").await, Ok(true));
    second.down.store(true, Ordering::SeqCst);
    tokio::time::advance(Duration::from_secs(3600)).await;
    assert_eq!(accepts("bob", "b2").await, Ok(true), "verified an hour ago");
    assert!(accepts("bob", "guess").await.is_err(), "nobody can say that it is wrong");
    assert_eq!(accepts("ann", "guess").await, Ok(false), "the first source can");
}
