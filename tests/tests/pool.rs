//! The pool with real children, good and bad: every fault is survived, and no
//! answer reaches the wrong question.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dmail_authent::pool::{Pool, PoolConfig};
use dmail_core::{
    AuthRequest, Authenticator, Origin, Search, SearchOutcome, Secret, Service, Unavailable,
    UnavailableKind, Username, Verdict,
};
use dmail_tests::{module, wait};

fn config(mode: &str) -> PoolConfig {
    PoolConfig { timeout: Duration::from_secs(5), ..PoolConfig::new(module::command(mode)) }
}

fn user(name: &str) -> Username {
    Username::parse(name.as_bytes()).expect("a name")
}

async fn check(pool: &Pool, name: &str, password: &str) -> Result<Verdict, Unavailable> {
    let origin = Origin { client: "192.0.2.7".parse().ok(), ..Origin::local(Service::Pop3) };
    let secret = Secret::new(password.as_bytes());
    pool.authenticate(&AuthRequest::check(user(name), secret, origin)).await
}

async fn lookup(pool: &Pool, name: &str) -> Result<Verdict, Unavailable> {
    pool.authenticate(&AuthRequest::lookup(user(name), Origin::local(Service::Smtp))).await
}

fn is_accepted(verdict: &Result<Verdict, Unavailable>) -> bool {
    matches!(verdict, Ok(Verdict::Accepted(_)))
}

/// The children of this test process, which are all modules.
fn module_processes() -> Vec<(u32, char)> {
    wait::children_of(std::process::id())
}

#[tokio::test]
async fn a_good_module_answers_every_verb() {
    let dir = tempfile::tempdir().expect("a directory");
    let log = dir.path().join("requests");
    let pool = Pool::start(PoolConfig::new(module::logging_command("good", &log)));
    let Ok(Verdict::Accepted(account)) = check(&pool, "bob", "s3cret").await else {
        panic!("bob's password is s3cret");
    };
    assert_eq!(account.info.get("name"), Some("Bob"));
    let Ok(Verdict::Rejected(rejection)) = check(&pool, "bob", "guess").await else {
        panic!("bob's password is no guess");
    };
    assert_eq!(rejection.text, "bob password wrong or not a valid user");
    assert!(is_accepted(&lookup(&pool, "u7").await));
    assert!(matches!(lookup(&pool, "nobody").await, Ok(Verdict::Rejected(_))));
    let origin = Origin::local(Service::Admin);
    let search = Search { pattern: "*".into(), from: 0, max: Some(9), origin };
    let Ok(SearchOutcome::Found(found)) = pool.search(&search).await else {
        panic!("the module searches");
    };
    assert_eq!((found.hits.len(), found.scanned), (2, 1510));
    pool.shutdown().await;
    let requests = module::requests(&log);
    assert_eq!(requests[0], "check bob s3cret 192.0.2.7");
    let exits = requests.iter().filter(|line| *line == "exit").count();
    assert_eq!(exits, 2, "both children were asked to leave");
    assert_eq!(module_processes_of(&log), 0);
}

/// How many processes anywhere have the log in their command line.
fn module_processes_of(log: &Path) -> usize {
    wait::processes_with(&log.display().to_string())
}

/// Each kind of bad answer: what the asker gets, and that a pool of one child
/// answers the next question rightly.
#[tokio::test]
async fn every_fault_is_temporary_and_costs_the_child_only() {
    use UnavailableKind::{Dead, Fault, Timeout};
    let rows = [
        ("hang", Timeout),
        ("noflush", Timeout),
        ("crash", Dead), // two children in turn end without a word
        ("crashmid", Fault),
        ("garbage", Fault),
        ("binary", Fault),
        ("twice", Fault),
        ("overlong", Fault),
        ("endless", Fault),
        ("wronguser", Fault),
        ("escape", Fault),
        ("flood", Fault),
        ("dead", Dead),
    ];
    for (name, expected) in rows {
        // A timeout must leave room for the start of Python on a busy machine.
        let timeout = Duration::from_secs(if expected == Timeout { 3 } else { 30 });
        let pool = Pool::start(PoolConfig { number: 1, timeout, ..config("good") });
        assert!(is_accepted(&check(&pool, "bob", "s3cret").await), "before {name}");
        let verdict = check(&pool, name, "s3cret").await;
        assert_eq!(
            verdict.as_ref().map_err(|error| error.kind),
            Err(expected),
            "{name}: {verdict:?}"
        );
        let next = check(&pool, "u1", "p1").await;
        assert!(is_accepted(&next), "after {name}: {next:?}");
        let wrong = check(&pool, "u1", "p2").await;
        assert!(matches!(wrong, Ok(Verdict::Rejected(_))), "after {name}: {wrong:?}");
        pool.shutdown().await;
    }
}

#[tokio::test]
async fn a_second_reply_that_comes_late_is_nobodys_answer() {
    let dir = tempfile::tempdir().expect("a directory");
    let log = dir.path().join("requests");
    let config = PoolConfig { number: 1, ..PoolConfig::new(module::logging_command("good", &log)) };
    let pool = Pool::start(config);
    for _ in 0..5 {
        assert!(is_accepted(&lookup(&pool, "later").await));
        // The stray "+OK bob" comes while somebody else is asked about.
        let verdict = check(&pool, "u1", "wrong").await;
        assert!(!is_accepted(&verdict), "{verdict:?}");
    }
    for _ in 0..5 {
        let said_twice =
            || module::requests(&log).iter().filter(|line| *line == "said it twice").count();
        let before = said_twice();
        assert!(is_accepted(&lookup(&pool, "later").await));
        wait::until_async("the stray reply is there", || said_twice() > before).await;
        // It is older than the question about bob, so it is no answer to it.
        let verdict = check(&pool, "bob", "wrong").await;
        assert!(matches!(verdict, Ok(Verdict::Rejected(_))), "{verdict:?}");
    }
    pool.shutdown().await;
}

#[tokio::test]
async fn a_question_that_is_given_up_takes_its_child_along() {
    let pool = Pool::start(PoolConfig { number: 1, ..config("good") });
    assert!(is_accepted(&check(&pool, "bob", "s3cret").await));
    let given_up = tokio::time::timeout(Duration::from_millis(50), check(&pool, "slow", "x")).await;
    assert!(given_up.is_err(), "it takes 300 ms");
    // Its late answer belongs to a child that is gone.
    let verdict = lookup(&pool, "nobody").await;
    assert!(matches!(verdict, Ok(Verdict::Rejected(_))), "{verdict:?}");
    pool.shutdown().await;
}

#[tokio::test]
async fn a_hang_holds_up_one_child_only() {
    let pool = Arc::new(Pool::start(PoolConfig { number: 2, ..config("good") }));
    let hanging = {
        let pool = Arc::clone(&pool);
        tokio::spawn(async move { check(&pool, "hang", "x").await })
    };
    for _ in 0..50 {
        assert!(is_accepted(&check(&pool, "bob", "s3cret").await));
    }
    assert!(!hanging.is_finished(), "the hanging one is still asked");
    hanging.abort();
    pool.shutdown().await;
}

#[tokio::test]
async fn the_queue_has_a_length_and_an_age() {
    let bounded = PoolConfig {
        number: 1,
        queue_length: 3,
        queue_age: Duration::from_millis(200),
        ..config("good")
    };
    let pool = Arc::new(Pool::start(bounded));
    assert!(is_accepted(&check(&pool, "bob", "s3cret").await));
    let ask = |name: &'static str| {
        let pool = Arc::clone(&pool);
        tokio::spawn(async move { check(&pool, name, "s3cret").await })
    };
    let hanging = ask("hang");
    wait::until_async("the child is busy", || pool.idle_children() == 0).await;
    let waiting: Vec<_> = (0..6).map(|_| ask("bob")).collect();
    for asked in waiting {
        let verdict = asked.await.expect("no panic");
        let kind = verdict.map_err(|error| error.kind);
        assert_eq!(kind, Err(UnavailableKind::Overloaded));
    }
    hanging.abort();
    pool.shutdown().await;
}

#[tokio::test]
async fn a_module_that_never_stays_alive_is_reported_and_not_hammered() {
    let pool = Pool::start(config("dies"));
    let verdict = check(&pool, "bob", "s3cret").await;
    assert_eq!(verdict.map_err(|error| error.kind), Err(UnavailableKind::Dead));
    pool.shutdown().await;

    // One that greets spoils its first answer, whichever comes first.
    let pool = Pool::start(config("banner"));
    for _ in 0..3 {
        let verdict = check(&pool, "bob", "s3cret").await;
        assert!(verdict.is_err(), "{verdict:?}");
    }
    pool.shutdown().await;

    let missing = PoolConfig::new(["/nonexistent/module"]);
    let pool = Pool::start(missing);
    let verdict = check(&pool, "bob", "s3cret").await;
    assert_eq!(verdict.map_err(|error| error.kind), Err(UnavailableKind::Dead));
    pool.shutdown().await;
}

#[tokio::test]
async fn a_module_that_ignores_exit_is_killed_with_all_it_started() {
    for mode in ["stays", "forks"] {
        let dir = tempfile::tempdir().expect("a directory");
        let log = dir.path().join("requests");
        let pool = Pool::start(PoolConfig {
            number: 2,
            ..PoolConfig::new(module::logging_command(mode, &log))
        });
        assert!(is_accepted(&check(&pool, "bob", "s3cret").await));
        pool.shutdown().await;
        wait::until_async("no module is left", || module_processes_of(&log) == 0).await;
    }
}

#[tokio::test]
async fn fifty_faults_leave_no_zombie_and_no_descriptor() {
    let pool = Pool::start(PoolConfig { number: 3, ..config("good") });
    assert!(is_accepted(&check(&pool, "bob", "s3cret").await));
    wait::until_async("all children are there", || pool.idle_children() == 3).await;
    let files = wait::open_files(std::process::id());
    let bad =
        ["crashmid", "garbage", "twice", "overlong", "wronguser", "escape", "flood", "binary"];
    for round in 0..50 {
        let _ = check(&pool, bad[round % bad.len()], "x").await;
        if round % 10 == 0 {
            assert!(is_accepted(&check(&pool, "u5", "p5").await), "round {round}");
        }
    }
    wait::until_async("all children are there again", || pool.idle_children() == 3).await;
    wait::until_async("no zombie is left", || {
        module_processes().iter().all(|(_, state)| *state != 'Z')
    })
    .await;
    wait::until_async("no descriptor is left", || wait::open_files(std::process::id()) <= files)
        .await;
    pool.shutdown().await;
}
