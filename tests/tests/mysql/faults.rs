//! Trouble of the server is never a wrong password, and passes.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use dmail_core::{RejectionKind, Unavailable, UnavailableKind, Verdict};
use dmail_mysql::MySql;
use dmail_tests::peer::mariadb::MariaDb;
use dmail_tests::process::Process;
use dmail_tests::wait;
use nix::sys::signal::Signal;
use tokio::task::JoinSet;

use super::{SETTINGS, check, is_accepted, is_done, open, original, rejection, set};

/// Quick to give up.
const IMPATIENT: &str = "\nmysql_timeout 2\nmysql_connect_timeout 1\nmysql_wait 1\n";

async fn impatient(server: &MariaDb) -> MySql {
    open(server, &format!("{SETTINGS}{IMPATIENT}")).await
}

/// Waits until a right password is right again.
async fn recovered(base: &MySql) {
    wait::until_answered("it is back", async || is_accepted(&check(base, "u1", "p1").await)).await;
    assert_eq!(rejection(check(base, "u1", "wrong").await), RejectionKind::NotVerified);
}

#[tokio::test]
async fn a_question_does_not_wait_longer_for_a_connection_than_for_its_answer() {
    // It takes connections and never says a word.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let folder = tempfile::tempdir().expect("a directory");
    let file = folder.path().join("mysqlauth.ini");
    let address = silent.local_addr().expect("bound");
    let settings = format!(
        "{SETTINGS}\nmysql_server {address}\nmysql_login dmail\nmysql_password opensesame\n\
         mysql_timeout 1\nmysql_connect_timeout 60\n"
    );
    std::fs::write(&file, settings).expect("room for it");
    let patience = Duration::from_secs(20);
    let opened = tokio::time::timeout(patience, dmail_mysql::open(&file)).await.expect("in time");
    let base = opened.expect("a server that does not answer is no reason");
    let asked = tokio::time::timeout(patience, check(&base, "u1", "p1")).await.expect("in time");
    assert_eq!(asked.expect_err("nobody answers").kind, UnavailableKind::Timeout);
}

/// A client of the server that runs `sql` until it is dropped, and has got as
/// far as `SLEEP`.
fn session(server: &MariaDb, sql: &str) -> Process {
    let mut client = Command::new("mariadb");
    let socket = format!("--socket={}", server.socket().display());
    client.args(["--no-defaults", "-u", "root", &socket, "-e"]);
    client.arg(format!("{sql}; SELECT SLEEP(600)"));
    let process = Process::start(client, server.folder());
    wait::until("the session sleeps", || {
        let sleeping = "SELECT COUNT(*) FROM information_schema.processlist \
                        WHERE info LIKE 'SELECT SLEEP(600)%'";
        server.sql(sleeping) != "0"
    });
    process
}

/// Ends what [`session`] has started.
fn end(server: &MariaDb, session: Process) {
    session.kill();
    let ids = server
        .sql("SELECT id FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP(600)%'");
    for id in ids.lines() {
        // It may have ended by itself.
        let _ = server.ask(&format!("KILL {id}"));
    }
}

/// Ten clients with right passwords, until they are told to stop.
struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    clients: JoinSet<Vec<Result<Verdict, Unavailable>>>,
}

impl Load {
    fn start(base: &MySql) -> Self {
        let (stop, answered) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let mut clients = JoinSet::new();
        for client in 1..=10 {
            let (base, stop, answered) = (base.clone(), Arc::clone(&stop), Arc::clone(&answered));
            clients.spawn(async move {
                let mut others = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let verdict = check(&base, &format!("u{client}"), &format!("p{client}")).await;
                    match is_accepted(&verdict) {
                        true => _ = answered.fetch_add(1, Ordering::Relaxed),
                        false => others.push(verdict),
                    }
                    tokio::task::yield_now().await;
                }
                others
            });
        }
        Self { stop, answered, clients }
    }

    async fn goes_on(&self) {
        let before = self.answered.load(Ordering::Relaxed);
        let more = || self.answered.load(Ordering::Relaxed) > before + 100;
        wait::until_async("logins succeed", more).await;
    }

    /// How many were told to try again later. Nobody was told anything else.
    async fn end(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        let others: Vec<_> = self.clients.join_all().await.into_iter().flatten().collect();
        for other in &others {
            assert!(other.is_err(), "the password was right: {other:?}");
        }
        others.len()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_and_comes_back_is_an_interruption() {
    let Some(mut server) = original(&[]) else { return };
    let base = impatient(&server).await;
    let load = Load::start(&base);
    load.goes_on().await;
    server.kill();
    let down = Instant::now();
    assert!(check(&base, "u1", "wrong").await.is_err(), "nobody knows");
    assert!(down.elapsed() < Duration::from_secs(2), "and that is said at once");
    server.restart();
    load.goes_on().await;
    assert!(load.end().await > 0);
    recovered(&base).await;
}

#[tokio::test]
async fn a_server_that_is_not_there_at_the_start_is_asked_as_soon_as_it_is() {
    let Some(mut server) = original(&[]) else { return };
    server.kill();
    let base = impatient(&server).await;
    let unavailable = check(&base, "u1", "p1").await.expect_err("it is down");
    assert_eq!(unavailable.kind, UnavailableKind::Dead);
    assert!(unavailable.detail.contains(&server.address().to_string()), "{unavailable}");
    server.restart();
    recovered(&base).await;
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up_in_time() {
    let Some(server) = original(&[]) else { return };
    let base = impatient(&server).await;
    assert!(is_accepted(&check(&base, "u1", "p1").await));
    server.process().signal(Signal::SIGSTOP);
    let stat = format!("/proc/{}/stat", server.process().pid());
    let stopped = || std::fs::read_to_string(&stat).is_ok_and(|stat| stat.contains(") T "));
    wait::until("it has stopped", stopped);
    for _ in 0..3 {
        let asked = Instant::now();
        assert!(check(&base, "u1", "p1").await.is_err());
        assert!(asked.elapsed() < Duration::from_millis(2500), "{:?}", asked.elapsed());
    }
    server.process().signal(Signal::SIGCONT);
    recovered(&base).await;
}

#[tokio::test]
async fn a_locked_table_is_no_wrong_password() {
    let Some(server) = original(&[]) else { return };
    let base = impatient(&server).await;
    let lock = session(&server, "LOCK TABLES maildb.maildb WRITE");
    let asked = Instant::now();
    assert!(check(&base, "u1", "p1").await.is_err());
    assert!(set(&base, "u1", "new", "").await.is_err());
    assert!(asked.elapsed() < Duration::from_secs(6), "{:?}", asked.elapsed());
    end(&server, lock);
    recovered(&base).await;
    // A row that somebody else is changing can be read, and not be changed.
    let lock = session(&server, "BEGIN; UPDATE maildb.maildb SET quota='1' WHERE username='u1'");
    assert!(is_accepted(&check(&base, "u1", "p1").await));
    let unavailable = set(&base, "u1", "new", "").await.expect_err("it is locked");
    assert_eq!(unavailable.kind, UnavailableKind::Timeout, "{unavailable}");
    end(&server, lock);
    assert!(is_done(&set(&base, "u1", "p1", "").await));
    recovered(&base).await;
}

#[tokio::test]
async fn whoever_leaves_in_the_middle_leaves_nothing_behind() {
    let Some(server) = original(&[]) else { return };
    let base = open(&server, &format!("{SETTINGS}\nmysql_connections 1")).await;
    for n in 1..200 {
        // Dropped at any moment of it.
        let patience = Duration::from_micros(n * 7);
        let _ = tokio::time::timeout(patience, check(&base, "u1", "p1")).await;
        let name = format!("u{n}");
        let found = super::account(check(&base, &name, &format!("p{n}")).await);
        assert_eq!(found.name.as_str(), name, "an answer of its own");
    }
}

#[tokio::test]
async fn a_connection_that_the_server_has_closed_costs_nothing() {
    let Some(server) = original(&[]) else { return };
    let base = impatient(&server).await;
    for _ in 0..5 {
        let verdict = check(&base, "u1", "p1").await;
        assert!(is_accepted(&verdict), "{verdict:?}");
        server.sql("KILL USER dmail");
        let verdict = check(&base, "u1", "p1").await;
        assert!(is_accepted(&verdict), "{verdict:?}");
        server.sql("KILL USER dmail");
        let outcome = set(&base, "u1", "p1", "").await;
        assert!(is_done(&outcome), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_server_without_room_answers_those_that_it_has() {
    let Some(server) = original(&["--max-connections=10"]) else { return };
    let base = impatient(&server).await;
    assert!(is_accepted(&check(&base, "u1", "p1").await));
    let hog = format!("{SETTINGS}\nmysql_connections_min 10");
    let hog = open(&server, &hog).await;
    let count = "SELECT COUNT(*) FROM information_schema.processlist WHERE user='dmail'";
    wait::until_async("it is full", || server.try_sql(count).as_deref() == Some("10")).await;
    // Ten at a time, with one connection.
    let mut logins = JoinSet::new();
    for n in 1..=10 {
        let base = base.clone();
        logins.spawn(async move { check(&base, &format!("u{n}"), &format!("p{n}")).await });
    }
    for verdict in logins.join_all().await {
        assert!(is_accepted(&verdict), "{verdict:?}");
    }
    let late = impatient(&server).await;
    let unavailable = check(&late, "u1", "p1").await.expect_err("there is no room");
    assert!(unavailable.detail.contains("Too many connections"), "{unavailable}");
    drop(hog);
    recovered(&late).await;
}

#[tokio::test]
async fn a_read_only_server_answers_and_refuses_changes() {
    let Some(server) = original(&[]) else { return };
    let base = impatient(&server).await;
    server.sql("SET GLOBAL read_only = 1");
    assert!(is_accepted(&check(&base, "u1", "p1").await));
    let unavailable = set(&base, "u1", "new", "").await.expect_err("nothing was changed");
    assert!(unavailable.detail.contains("read-only"), "{unavailable}");
    server.sql("SET GLOBAL read_only = 0");
    assert!(is_done(&set(&base, "u1", "new", "").await));
}

#[tokio::test]
async fn a_table_that_goes_away_is_no_wrong_password() {
    let Some(server) = original(&[]) else { return };
    let base = impatient(&server).await;
    assert!(is_accepted(&check(&base, "u1", "p1").await));
    server.sql("RENAME TABLE maildb.maildb TO maildb.gone");
    let unavailable = check(&base, "u1", "p1").await.expect_err("there is no table");
    assert!(unavailable.detail.contains("mysql_mail_user_table"), "{unavailable}");
    server.sql("RENAME TABLE maildb.gone TO maildb.maildb");
    recovered(&base).await;
    server.sql("ALTER TABLE maildb.maildb ADD COLUMN early INT FIRST");
    recovered(&base).await;
}
