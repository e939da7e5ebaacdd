//! Servers that die, hang and come back: never a wrong password.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use dmail_core::{RejectionKind, UnavailableKind};
use dmail_tests::peer::slapd::{self, LdapOptions, Slapd};
use dmail_tests::wait;

use crate::kit::{self, BY_DN, BY_UID, Came, Source};

const DEAD: Came = Came::Nothing(UnavailableKind::Dead);

/// Two directories whose passwords tell which one has answered.
fn pair() -> (Slapd, Slapd) {
    let one = |password: &str| {
        let entries = slapd::user("ann", password, "");
        Slapd::start(&LdapOptions { entries, ..LdapOptions::default() })
    };
    (one("first"), one("second"))
}

#[tokio::test]
async fn the_next_server_is_asked_and_the_first_one_again_when_it_is_well() {
    for mode in [BY_UID, BY_DN] {
        let (mut first, second) = pair();
        let source = kit::reader(&[first.url(), second.url()], mode).await;
        assert_eq!(source.check("ann", "first").await, Came::Yes, "{mode}");
        first.kill();
        assert_eq!(source.check("ann", "second").await, Came::Yes, "{mode}at once");
        assert_eq!(source.check("ann", "second").await, Came::Yes, "{mode}");
        first.restart();
        source.until("the first one is asked again", "ann", "first", Came::Yes).await;
    }
}

#[tokio::test]
async fn a_server_that_hangs_costs_one_deadline_and_the_next_one_answers() {
    for mode in [BY_UID, BY_DN] {
        let (first, second) = pair();
        let settings = format!("{mode}ldap_timeout 1\n");
        let source = kit::reader(&[first.url(), second.url()], &settings).await;
        assert_eq!(source.check("ann", "first").await, Came::Yes);
        first.pause();
        let start = Instant::now();
        assert_eq!(source.check("ann", "second").await, Came::Yes, "{mode}");
        assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
        let start = Instant::now();
        assert_eq!(source.check("ann", "second").await, Came::Yes, "{mode}");
        assert!(start.elapsed() < Duration::from_millis(900), "it is left alone now");
        first.resume();
        source.until("the first one is asked again", "ann", "first", Came::Yes).await;
    }
}

#[tokio::test]
async fn one_server_that_hangs_is_a_timeout_within_the_deadline() {
    for mode in [BY_UID, BY_DN] {
        let slapd = Slapd::with_users(1);
        let source = kit::reader(&[slapd.url()], &format!("{mode}ldap_timeout 1\n")).await;
        assert_eq!(source.check("user0", "secret0").await, Came::Yes);
        slapd.pause();
        let start = Instant::now();
        let timeout = Came::Nothing(UnavailableKind::Timeout);
        assert_eq!(source.check("user0", "secret0").await, timeout, "{mode}");
        assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
        let start = Instant::now();
        assert_eq!(source.check("user0", "secret0").await, timeout, "{mode}known to be down");
        assert!(start.elapsed() < Duration::from_millis(900), "{:?}", start.elapsed());
        slapd.resume();
        source.until("it answers again", "user0", "secret0", Came::Yes).await;
    }
}

/// Asks without end, and counts the answers.
struct Load {
    stop: AtomicBool,
    yes: AtomicUsize,
    unavailable: AtomicUsize,
    lies: AtomicUsize,
}

impl Load {
    async fn ask(&self, source: &Source, number: usize) {
        let (name, password) = (format!("user{number}"), format!("secret{number}"));
        while !self.stop.load(Ordering::Relaxed) {
            let count = match source.check(&name, &password).await {
                Came::Yes => &self.yes,
                Came::Nothing(_) => {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    &self.unavailable
                }
                Came::No(_) => &self.lies,
            };
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_under_load_makes_no_password_wrong() {
    for mode in [BY_UID, BY_DN] {
        let mut slapd = Slapd::with_users(100);
        let source =
            Arc::new(kit::reader(&[slapd.url()], &format!("{mode}ldap_retry_max 1\n")).await);
        let load = Arc::new(Load {
            stop: AtomicBool::new(false),
            yes: AtomicUsize::new(0),
            unavailable: AtomicUsize::new(0),
            lies: AtomicUsize::new(0),
        });
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..20 {
            let (source, load) = (Arc::clone(&source), Arc::clone(&load));
            tasks.spawn(async move { load.ask(&source, number).await });
        }
        for _ in 0..3 {
            let more = load.yes.load(Ordering::Relaxed) + 500;
            wait::until_async("it answers", || load.yes.load(Ordering::Relaxed) > more).await;
            let more = load.unavailable.load(Ordering::Relaxed) + 50;
            slapd.kill();
            wait::until_async("it is missed", || load.unavailable.load(Ordering::Relaxed) > more)
                .await;
            slapd.restart();
        }
        let more = load.yes.load(Ordering::Relaxed) + 500;
        wait::until_async("it answers", || load.yes.load(Ordering::Relaxed) > more).await;
        load.stop.store(true, Ordering::Relaxed);
        tasks.join_all().await;
        assert_eq!(load.lies.load(Ordering::Relaxed), 0, "{mode}");
    }
}

#[tokio::test]
async fn a_connection_that_died_while_idle_is_not_noticed() {
    for mode in [BY_UID, BY_DN] {
        let mut slapd = Slapd::with_users(1);
        let source = kit::reader(&[slapd.url()], mode).await;
        assert_eq!(source.check("user0", "secret0").await, Came::Yes);
        slapd.kill();
        slapd.restart();
        assert_eq!(source.check("user0", "secret0").await, Came::Yes, "{mode}");
    }
}

#[tokio::test]
async fn a_directory_that_refuses_us_says_nothing_about_users() {
    let slapd = Slapd::with_users(1);
    let settings = format!(
        "ldap_server {}\nldap_base dc=corp,dc=example\nldap_search_name uid\n\
         ldap_bind_dn cn=reader,ou=services,dc=corp,dc=example\nldap_bind_password outdated\n",
        slapd.url()
    );
    let source = kit::open_as_written(&settings).await;
    let trouble = source.trouble("user0", "secret0").await;
    assert!(trouble.detail.contains("ldap_bind_dn"), "{trouble}");
    assert!(!trouble.detail.contains("outdated"), "{trouble}");
}

#[tokio::test]
async fn a_search_is_never_made_as_the_user_who_was_bound_last() {
    let slapd = Slapd::with_users(2);
    // Only the reader may see anybody.
    let source = kit::reader(&[slapd.url()], &format!("{BY_UID}ldap_connections 1\n")).await;
    for _ in 0..10 {
        assert_eq!(source.check("user0", "secret0").await, Came::Yes);
        assert_eq!(source.check("user1", "secret1").await, Came::Yes);
        assert_eq!(source.check("user1", "secret0").await, Came::No(RejectionKind::NotVerified));
        assert_eq!(source.lookup("user1").await, Came::Yes);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_would_wait_for_too_long_are_told_at_once() {
    let slapd = Slapd::with_users(1);
    let settings = format!("{BY_DN}ldap_connections 1\nldap_queue 2\nldap_timeout 2\n");
    let source = Arc::new(kit::reader(&[slapd.url()], &settings).await);
    assert_eq!(source.check("user0", "secret0").await, Came::Yes);
    slapd.pause();
    let mut tasks = tokio::task::JoinSet::new();
    let start = Instant::now();
    for _ in 0..10 {
        let source = Arc::clone(&source);
        tasks.spawn(async move { source.check("user0", "secret0").await });
    }
    let first = tasks.join_next().await.expect("a task").expect("an answer");
    assert_eq!(first, Came::Nothing(UnavailableKind::Overloaded));
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    let rest = tasks.join_all().await;
    assert!(rest.iter().all(|came| matches!(came, Came::Nothing(_))), "{rest:?}");
    slapd.resume();
    source.until("it answers again", "user0", "secret0", Came::Yes).await;
}

/// A question that nobody waits for any more leaves its connection unfit: the
/// answer that comes late must not be taken for the next one's.
#[tokio::test]
async fn a_question_that_was_given_up_leaves_no_answer_behind() {
    for mode in [BY_UID, BY_DN] {
        let slapd = Slapd::with_users(2);
        let source = kit::reader(&[slapd.url()], &format!("{mode}ldap_connections 1\n")).await;
        assert_eq!(source.check("user0", "secret0").await, Came::Yes);
        slapd.pause();
        let patience = Duration::from_millis(50);
        let given_up = tokio::time::timeout(patience, source.check("user0", "secret0")).await;
        assert!(given_up.is_err(), "it hangs");
        slapd.resume();
        for _ in 0..20 {
            let wrong = source.check("user1", "secret0").await;
            assert_eq!(wrong, Came::No(RejectionKind::NotVerified), "{mode}");
        }
        assert_eq!(source.check("user1", "secret1").await, Came::Yes);
    }
}

#[tokio::test]
async fn no_server_at_all_is_unavailable_at_once() {
    let mut slapd = Slapd::with_users(1);
    let source = kit::reader(&[slapd.url()], BY_DN).await;
    slapd.kill();
    for _ in 0..5 {
        assert_eq!(source.check("user0", "secret0").await, DEAD);
    }
    slapd.restart();
    source.until("it answers", "user0", "secret0", Came::Yes).await;
}

/// A copy that was not filled yet, or a rule that hides everything from us: the
/// users may be there.
#[tokio::test]
async fn a_base_that_is_not_there_says_nothing_about_users() {
    let branch = "dn: ou=branch,dc=corp,dc=example\nobjectClass: organizationalUnit\n\n";
    let ann = slapd::user("ann", "second", "").replace("ou=people", "ou=branch");
    let entries = format!("{branch}{ann}");
    let second = Slapd::start(&LdapOptions { entries, ..LdapOptions::default() });
    let first = Slapd::with_users(1);
    let settings = |servers: &str| {
        format!("{servers}ldap_base ou=branch,dc=corp,dc=example\nldap_search_name uid\n")
    };
    let source = kit::open_as_written(&settings(&format!("ldap_server {}\n", first.url()))).await;
    let trouble = source.trouble("ann", "second").await;
    assert!(trouble.detail.contains("ldap_base"), "{trouble}");
    assert_eq!(source.lookup("ann").await, DEAD, "mail for her is not sent back");
    let both = format!("ldap_server {}\nldap_server {}\n", first.url(), second.url());
    let source = kit::open_as_written(&settings(&both)).await;
    assert_eq!(source.check("ann", "second").await, Came::Yes);
    assert_eq!(source.lookup("ann").await, Came::Yes);
    assert_eq!(source.lookup("bob").await, Came::No(RejectionKind::UnknownUser));
}

/// The entries of one branch are another server's, which hangs: whoever asks
/// for them must not close the directory to everybody else.
#[tokio::test]
async fn one_question_without_an_answer_takes_no_server_away_from_the_others() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = silent.local_addr().expect("it is bound").port();
    let global = format!(
        "moduleload back_ldap\ndatabase ldap\nsuffix \"ou=far,dc=corp,dc=example\"\n\
         uri ldap://127.0.0.1:{port}\n"
    );
    let slapd = Slapd::start(&LdapOptions { users: 1, global, ..LdapOptions::default() });
    let settings =
        "ldap_mode bind_dn\nldap_user_dn uid=%n,ou=%d,dc=corp,dc=example\nldap_timeout 1\n";
    let source = Arc::new(kit::reader(&[slapd.url()], settings).await);
    assert_eq!(source.check("user0@people", "secret0").await, Came::Yes);
    let stuck = tokio::spawn({
        let source = Arc::clone(&source);
        async move { source.check("ann@far", "guess").await }
    });
    let mut after = 0;
    while after < 50 {
        after += usize::from(stuck.is_finished());
        assert_eq!(source.check("user0@people", "secret0").await, Came::Yes);
    }
    let timeout = Came::Nothing(UnavailableKind::Timeout);
    assert_eq!(stuck.await.expect("no panic"), timeout);
}
