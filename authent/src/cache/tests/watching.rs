//! What the cache does with news of changes that were made elsewhere.

use super::*;

fn lookup() -> AuthRequest {
    AuthRequest::lookup(bob(), Origin::local(Service::Smtp))
}

#[tokio::test(start_paused = true)]
async fn a_user_who_was_changed_elsewhere_is_asked_about_at_once() {
    let rows = [
        ("bob", "bob", FROM_SOURCE),
        ("bob", "Bob", FROM_SOURCE),
        ("bob", "ann", FROM_MEMORY),
        ("bob", "bob@corp.example", FROM_MEMORY),
        // The source has a name of its own for the one that is asked for.
        ("Bob@Corp.example", "bob", FROM_SOURCE),
        ("Bob@Corp.example", "bob@corp.example", FROM_SOURCE),
        ("Bob@Corp.example", "ann@corp.example", FROM_MEMORY),
    ];
    for (called, changed, asked) in rows {
        let bench = Bench::new(&["s"], CacheConfig::default());
        *bench.base.name.lock().expect("no panic") = Some(name(called));
        bench.check("s").await;
        assert_eq!(bench.check("s").await, (YES, FROM_MEMORY), "{called}");
        bench.cache.changed(&name(changed));
        assert_eq!(bench.ask(lookup()).await, (YES, asked), "{called}, {changed}");
        assert_eq!(bench.check("s").await, (YES, asked), "{called}, {changed}");
        assert_eq!(bench.check("s").await, (YES, FROM_MEMORY), "and it is known again");
    }
}

/// Where no mapping folds the names, as in a daemon.
#[tokio::test(start_paused = true)]
async fn a_user_is_forgotten_in_every_spelling_that_was_asked_for() {
    let bench = Bench::new(&["s"], CacheConfig::default());
    let spelled = || AuthRequest { user: name("BOB"), ..check("s", None) };
    for (changed, asked) in [("ann", FROM_MEMORY), ("bob", FROM_SOURCE), ("Bob", FROM_SOURCE)] {
        bench.ask(spelled()).await;
        bench.cache.changed(&name(changed));
        assert_eq!(bench.ask(spelled()).await, (YES, asked), "{changed}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_was_asked_for_before_the_change_is_not_remembered() {
    let rows = [
        ("bob", "bob", FROM_SOURCE),
        ("bob", "BOB", FROM_SOURCE),
        ("bob", "ann", FROM_MEMORY),
        ("Bob@Corp.example", "bob@corp.example", FROM_SOURCE),
    ];
    for (called, changed, asked) in rows {
        let bench = Bench::new(&["s"], CacheConfig::default());
        let question = bench.asking("s");
        bench.cache.changed(&name(changed));
        bench.cache.remember(&bob(), &Account::named(name(called)), &question);
        assert_eq!(bench.check("s").await, (YES, asked), "{called}, {changed}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_user_who_was_changed_gets_no_grace() {
    let bench = Bench::new(&["s"], CacheConfig::default());
    bench.check("s").await;
    bench.cache.changed(&bob());
    bench.base.go_down(Some(UnavailableKind::Dead));
    assert_eq!(bench.check("s").await, (LATER, FROM_SOURCE));
}

#[tokio::test(start_paused = true)]
async fn when_changes_may_have_been_missed_everybody_is_asked_about_once_more() {
    let bench = Bench::new(&["main", "app"], CacheConfig::default());
    for _ in 0..2 {
        bench.check("main").await;
        bench.check("app").await;
    }
    bench.cache.lost_track();
    for from in [FROM_SOURCE, FROM_MEMORY] {
        assert_eq!(bench.check("main").await, (YES, from));
        assert_eq!(bench.check("app").await, (YES, from));
    }
    bench.cache.lost_track();
    assert_eq!(bench.ask(lookup()).await, (YES, FROM_SOURCE));
    assert_eq!(bench.ask(lookup()).await, (YES, FROM_MEMORY));
    assert_eq!(bench.check("main").await, (YES, FROM_SOURCE), "a lookup proves no password");
}

#[tokio::test(start_paused = true)]
async fn what_was_missed_does_not_end_grace() {
    let bench = Bench::new(&["s"], CacheConfig::default());
    bench.check("s").await;
    bench.cache.lost_track();
    bench.base.go_down(Some(UnavailableKind::Dead));
    assert_eq!(bench.check("s").await, (YES, FROM_SOURCE), "grace");
    bench.base.go_down(None);
    bench.base.change_to(&["new"]);
    assert_eq!(bench.check("s").await, (NO, FROM_SOURCE));
    bench.base.go_down(Some(UnavailableKind::Dead));
    assert_eq!(bench.check("s").await, (LATER, FROM_SOURCE), "it failed since");
}

#[tokio::test(start_paused = true)]
async fn losing_track_does_not_clear_a_suspect() {
    let bench = Bench::new(&["old"], CacheConfig::default());
    bench.check("old").await;
    bench.base.change_to(&["new"]);
    bench.check("new").await;
    bench.cache.lost_track();
    bench.base.go_down(Some(UnavailableKind::Dead));
    assert_eq!(bench.check("new").await, (YES, FROM_SOURCE), "grace");
    assert_eq!(bench.check("old").await, (LATER, FROM_SOURCE));
}

#[tokio::test(start_paused = true)]
async fn an_answer_on_its_way_while_track_was_lost_is_not_fresh() {
    let bench = Bench::new(&["s"], CacheConfig::default());
    let question = bench.asking("s");
    bench.cache.lost_track();
    bench.cache.remember(&bob(), &Account::named(bob()), &question);
    bench.base.go_down(Some(UnavailableKind::Dead));
    assert_eq!(bench.check("s").await, (YES, FROM_SOURCE), "grace");
    bench.base.go_down(None);
    assert_eq!(bench.check("s").await, (YES, FROM_SOURCE));
    assert_eq!(bench.check("s").await, (YES, FROM_MEMORY));
}
