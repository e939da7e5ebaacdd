//! The client against the daemon, and against daemons that misbehave.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use dmail_authent::line::Quoting;
use dmail_core::{
    Account, Action, Info, Origin, Rejection, RejectionKind, Secret, Service, Username,
};
use dmail_net::{Limits, Shutdown};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::*;
use crate::{Config, Server};

mod proofs;

/// Knows everybody, by one password; `slow` waits for the gate.
struct Base {
    password: Mutex<Vec<u8>>,
    gate: Semaphore,
    asked: AtomicUsize,
    by_address: AtomicBool,
    judges: Proofs,
}

#[async_trait]
impl Authenticator for Base {
    async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        match request.user.as_str() {
            "slow" => drop(self.gate.acquire().await.expect("never closed")),
            "down" => return Err(Unavailable::new(UnavailableKind::Overloaded, "no room")),
            "nobody" => return Ok(Verdict::Rejected(Rejection::unknown_user(&request.user))),
            "held" => {
                let held = Rejection::new(RejectionKind::OnHold, "mailstatus hold");
                return Ok(Verdict::Rejected(held.telling("this account is on hold")));
            }
            _ => {}
        }
        Ok(match &request.purpose {
            dmail_core::Purpose::Check(secret)
                if secret.expose() != *self.password.lock().expect("no panic") =>
            {
                Verdict::Rejected(Rejection::not_verified(&request.user))
            }
            purpose if !proofs::judge(purpose) => {
                Verdict::Rejected(Rejection::not_verified(&request.user))
            }
            _ => Verdict::accepted(Account::named(request.user.clone())),
        })
    }

    async fn change(&self, change: &Change) -> Result<Outcome, Unavailable> {
        if let Action::Set { secret: Some(secret), .. } = &change.action {
            *self.password.lock().expect("no panic") = secret.expose().to_vec();
        }
        Ok(Outcome::Done("changed".into()))
    }

    async fn search(&self, search: &Search) -> Result<SearchOutcome, Unavailable> {
        let hit = |name: &str| dmail_core::Hit { user: user(name), info: Info::default() };
        let hits = ["ann", "bob"].map(hit).into_iter().take(search.max.unwrap_or(9)).collect();
        Ok(SearchOutcome::Found(dmail_core::Found { hits, scanned: 7 }))
    }

    fn proofs(&self) -> Proofs {
        self.judges
    }

    fn sees_address(&self) -> bool {
        self.by_address.load(Ordering::SeqCst)
    }
}

async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        sleep(Duration::from_millis(2)).await;
    }
}

struct Daemon {
    base: Arc<Base>,
    address: std::net::SocketAddr,
    shutdown: Shutdown,
    running: tokio::task::JoinHandle<()>,
}

impl Daemon {
    fn start(address: &str, secret: Option<&[u8]>) -> Self {
        Self::judging(address, secret, Proofs::default())
    }

    /// The same, with a user base that can judge these proofs.
    fn judging(address: &str, secret: Option<&[u8]>, judges: Proofs) -> Self {
        let listener = dmail_net::bind(address.parse().expect("an address")).expect("a port");
        let address = listener.local_addr().expect("bound");
        let base = Arc::new(Base {
            password: Mutex::new(b"old".to_vec()),
            gate: Semaphore::new(0),
            asked: AtomicUsize::new(0),
            by_address: AtomicBool::new(false),
            judges,
        });
        let config = Config {
            allow: Arc::new(|_| true),
            changes: Arc::new(|_| true),
            limits: Limits { connections: 100, per_client: 100 },
            idle: Duration::from_secs(10),
            outstanding: 100,
            plain: true,
            quoting: Quoting::default(),
            secret: secret.map(Secret::new),
        };
        let server = Server::new(config, Arc::clone(&base) as _);
        let shutdown = Shutdown::new();
        let running = tokio::spawn(server.serve_tcp(listener, None, shutdown.clone()));
        Self { base, address, shutdown, running }
    }

    /// Waits until the first question has reached the base.
    async fn asked(&self) {
        until("it is asked", || self.base.asked.load(Ordering::SeqCst) > 0).await;
    }

    async fn stop(self) {
        assert_eq!(self.shutdown.drain(Duration::from_secs(5)).await, 0);
        self.running.await.expect("no panic");
    }
}

/// Writes down what it hears.
#[derive(Default)]
struct Recorder(Mutex<Vec<String>>);

impl Recorder {
    fn heard(&self) -> Vec<String> {
        self.0.lock().expect("no panic").clone()
    }

    async fn until(&self, what: &str, condition: impl Fn(&[String]) -> bool) {
        until(what, || condition(&self.heard())).await;
    }
}

impl Watcher for Recorder {
    fn changed(&self, user: &Username) {
        self.0.lock().expect("no panic").push(user.to_string());
    }

    fn lost_track(&self) {
        self.0.lock().expect("no panic").push("lost".into());
    }
}

fn user(name: &str) -> Username {
    Username::parse(name.as_bytes()).expect("a name")
}

fn check(name: &str, secret: &[u8]) -> AuthRequest {
    AuthRequest::check(user(name), Secret::new(secret), Origin::local(Service::Pop3))
}

fn set(name: &str, secret: &[u8]) -> Change {
    let action = Action::Set { secret: Some(Secret::new(secret)), info: None };
    Change { user: user(name), action, origin: Origin::local(Service::Admin) }
}

fn config(servers: &[std::net::SocketAddr]) -> ClientConfig {
    let endpoint = |address: &std::net::SocketAddr| Endpoint::Tcp {
        host: address.ip().to_string(),
        port: address.port(),
    };
    ClientConfig {
        servers: servers.iter().map(endpoint).collect(),
        versions: Versions::Any,
        timeout: Duration::from_secs(5),
        connect_timeout: Duration::from_secs(1),
        heartbeat: Duration::from_secs(1),
        recheck_after: Duration::from_secs(60),
        by_address: true,
        outstanding: 1000,
        plain_connections: 2,
        quoting: Quoting::default(),
        tls: None,
        secret: None,
        peer: false,
    }
}

fn is_accepted(verdict: &Result<Verdict, Unavailable>) -> bool {
    matches!(verdict, Ok(Verdict::Accepted(_)))
}

#[tokio::test]
async fn every_question_has_its_answer_in_both_versions() {
    for versions in [Versions::Second, Versions::First] {
        let daemon = Daemon::start("127.0.0.1:0", None);
        let client = Client::start(ClientConfig { versions, ..config(&[daemon.address]) });
        assert!(is_accepted(&client.authenticate(&check("bob", b"old")).await));
        let kind = |verdict| match verdict {
            Ok(Verdict::Rejected(rejection)) => rejection.kind,
            other => panic!("{other:?}"),
        };
        let wrong = kind(client.authenticate(&check("bob", b"new")).await);
        assert_eq!(wrong, RejectionKind::NotVerified);
        let nobody = kind(client.authenticate(&check("nobody", b"old")).await);
        let origin = Origin::local(Service::Smtp);
        let lookup = client.authenticate(&AuthRequest::lookup(user("nobody"), origin)).await;
        assert_eq!(kind(lookup), RejectionKind::UnknownUser);
        let down = client.authenticate(&check("down", b"x")).await.expect_err("no verdict");
        let search = Search { pattern: "*".into(), from: 0, max: Some(2), origin };
        match client.search(&search).await.expect("an answer") {
            SearchOutcome::Found(found) => {
                assert_eq!((found.hits.len(), found.scanned), (2, 7));
            }
            SearchOutcome::Refused(no) => panic!("{no:?}"),
        }
        match versions {
            // The kind is carried, not guessed.
            Versions::Second => {
                assert_eq!(nobody, RejectionKind::UnknownUser);
                assert_eq!(down.kind, UnavailableKind::Overloaded);
                // Any byte is.
                *daemon.base.password.lock().expect("no panic") = b"a \n\0\xff%".to_vec();
                assert!(is_accepted(&client.authenticate(&check("bob", b"a \n\0\xff%")).await));
            }
            _ => {
                assert_eq!(nobody, RejectionKind::NotVerified);
                assert_eq!(down.kind, UnavailableKind::Dead);
                let bad = kind(client.authenticate(&check("bob", b"a b")).await);
                assert_eq!(bad, RejectionKind::BadInput);
            }
        }
        drop(client);
        daemon.stop().await;
    }
}

#[tokio::test]
async fn one_connection_carries_many_questions() {
    let daemon = Daemon::start("127.0.0.1:0", None);
    let client = Arc::new(Client::start(config(&[daemon.address])));
    let ask = |name: String| {
        let client = Arc::clone(&client);
        tokio::spawn(async move { client.authenticate(&check(&name, b"old")).await })
    };
    let slow = ask("slow".into());
    daemon.asked().await;
    let quick: Vec<_> = (0..100).map(|number| ask(format!("user{number}"))).collect();
    for answer in quick {
        assert!(is_accepted(&answer.await.expect("no panic")));
    }
    assert!(!slow.is_finished());
    daemon.base.gate.add_permits(1);
    assert!(is_accepted(&slow.await.expect("no panic")));
    assert_eq!(daemon.shutdown.sessions(), 1, "one connection");
    drop(client);
    daemon.stop().await;
}

#[tokio::test]
async fn the_next_daemon_answers_while_the_first_is_away() {
    let (first, second) = (Daemon::start("127.0.0.1:0", None), Daemon::start("127.0.0.1:0", None));
    let client = Client::start(config(&[first.address, second.address]));
    let recorder = Arc::new(Recorder::default());
    client.watch(Arc::downgrade(&recorder) as Weak<dyn Watcher>);
    assert!(is_accepted(&client.authenticate(&check("bob", b"old")).await));
    recorder.until("both are reached", |heard| heard.len() == 2).await;
    assert_eq!(second.base.asked.load(Ordering::SeqCst), 0);
    let address = first.address.to_string();
    first.stop().await;
    assert!(is_accepted(&client.authenticate(&check("bob", b"old")).await));
    assert_eq!(second.base.asked.load(Ordering::SeqCst), 1);
    // The first one is back, and is asked again.
    let first = Daemon::start(&address, None);
    recorder.until("the first is reached", |heard| heard.len() == 3).await;
    assert!(is_accepted(&client.authenticate(&check("bob", b"old")).await));
    assert_eq!(first.base.asked.load(Ordering::SeqCst), 1);
    assert_eq!(recorder.heard(), ["lost", "lost", "lost"], "it may have missed something");
    drop(client);
    first.stop().await;
    second.stop().await;
}

#[tokio::test]
async fn nobody_there_is_no_wrong_password() {
    let gone = Daemon::start("127.0.0.1:0", None);
    let address = gone.address;
    gone.stop().await;
    let client = Client::start(config(&[address, address]));
    let error = client.authenticate(&check("bob", b"old")).await.expect_err("no verdict");
    assert_eq!(error.kind, UnavailableKind::Dead);
    assert!(error.detail.contains(&address.to_string()), "{error}");
}

#[tokio::test]
async fn a_change_on_one_node_is_heard_by_all_and_by_those_who_were_cut_off() {
    let daemon = Daemon::start("127.0.0.1:0", Some(b"between us"));
    let secret = Some(Secret::new(*b"between us"));
    let with_secret = ClientConfig { secret, ..config(&[daemon.address]) };
    let nodes: Vec<_> = (0..3).map(|_| Client::start(with_secret.clone())).collect();
    let recorders: Vec<_> = (0..3).map(|_| Arc::new(Recorder::default())).collect();
    for (node, recorder) in nodes.iter().zip(&recorders) {
        node.watch(Arc::downgrade(recorder) as Weak<dyn Watcher>);
    }
    for recorder in &recorders {
        recorder.until("the daemon is reached", |heard| heard == ["lost"]).await;
    }
    assert_eq!(nodes[0].change(&set("bob", b"new")).await, Ok(Outcome::Done("changed".into())));
    for recorder in &recorders {
        recorder.until("bob was changed", |heard| heard == ["lost", "bob"]).await;
    }
    let old = nodes[1].authenticate(&check("bob", b"old")).await;
    assert!(matches!(old, Ok(Verdict::Rejected(_))));
    let stranger = Client::start(config(&[daemon.address]));
    let error = stranger.authenticate(&check("bob", b"new")).await.expect_err("no verdict");
    assert!(error.detail.contains("shared_secret"), "{error}");
    drop((nodes, stranger));
    daemon.stop().await;
}

#[tokio::test]
async fn while_changes_may_be_missed_everything_is_asked_again_and_again() {
    let daemon = Daemon::start("127.0.0.1:0", None);
    let gone = Daemon::start("127.0.0.1:0", None);
    let mut config = config(&[daemon.address, gone.address]);
    config.recheck_after = Duration::from_millis(50);
    gone.stop().await;
    let client = Client::start(config);
    let recorder = Arc::new(Recorder::default());
    client.watch(Arc::downgrade(&recorder) as Weak<dyn Watcher>);
    recorder.until("many rechecks", |heard| heard.len() > 5).await;
    drop(client);
    daemon.stop().await;
}

/// A daemon of the second version that answers by a script: line by line, what
/// the client must say, and what it is told.
async fn scripted(script: &'static [(&'static str, &'static str)]) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.expect("a client");
            tokio::spawn(follow(stream, script));
        }
    });
    address
}

async fn follow(stream: TcpStream, script: &'static [(&'static str, &'static str)]) {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    let mut steps = script.iter();
    while let Ok(1..) = stream.read_line(&mut line).await {
        if line != "ping\n" {
            let Some((expected, answer)) = steps.next() else { return };
            assert!(line.starts_with(expected), "{line}");
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
        line.clear();
    }
}

const WELCOME: (&str, &str) = ("dmail 2", "+OK dmail 2 nonce=00112233445566778899aabbccddeeff\n");

#[tokio::test]
async fn what_no_daemon_says_is_never_a_verdict() {
    let rows: &[&[(&str, &str)]] = &[
        &[WELCOME, ("1 check", "2 ok bob - - -\n")],
        &[WELCOME, ("1 check", "1 ok eve - - -\n")],
        &[WELCOME, ("1 check", "1 ok bob ../bob - -\n")],
        &[WELCOME, ("1 check", "1 done bob\n")],
        &[WELCOME, ("1 check", "1 no because you%20say\n")],
        &[WELCOME, ("1 check", "+OK bob config\n")],
        &[WELCOME, ("1 check", "fault what\n")],
        &[("dmail 2", "+OK dmail 9 nonce=00\n")],
        &[("dmail 2", "-DEAD too many connections\n")],
    ];
    for row in rows {
        let address = scripted(row).await;
        let mut config = config(&[address]);
        config.timeout = Duration::from_secs(2);
        let client = Client::start(config);
        let error = client.authenticate(&check("bob", b"old")).await.expect_err("no verdict");
        assert_ne!(error.kind, UnavailableKind::Overloaded, "{row:?}");
    }
}

#[tokio::test]
async fn a_late_answer_is_not_taken_for_another_one() {
    const SCRIPT: &[(&str, &str)] = &[
        WELCOME,
        ("1 check bob", ""),
        ("2 check ann wrong", "1 ok bob - - -\n2 no not-verified wrong\n"),
    ];
    let address = scripted(SCRIPT).await;
    let mut config = config(&[address]);
    config.timeout = Duration::from_millis(300);
    config.heartbeat = Duration::from_secs(9);
    let client = Client::start(config);
    let late = client.authenticate(&check("bob", b"old")).await.expect_err("too late");
    assert_eq!(late.kind, UnavailableKind::Timeout);
    let ann = client.authenticate(&check("ann", b"wrong")).await;
    assert!(matches!(ann, Ok(Verdict::Rejected(_))), "{ann:?}");
}

#[tokio::test]
async fn a_change_that_may_have_been_made_is_not_made_twice() {
    // It closes after the first line.
    let address = scripted(&[WELCOME, ("1 set bob new - - - admin", "fault closed\n")]).await;
    let second = Daemon::start("127.0.0.1:0", None);
    let client = Client::start(config(&[address, second.address]));
    let error = client.change(&set("bob", b"new")).await.expect_err("who knows");
    assert!(error.detail.contains("unknown"), "{error}");
    assert_eq!(*second.base.password.lock().expect("no panic"), b"old");
    drop(client);
    second.stop().await;
}

#[tokio::test]
async fn a_daemon_that_is_silent_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let silent = listener.local_addr().expect("bound");
    let second = Daemon::start("127.0.0.1:0", None);
    let client = Client::start(config(&[silent, second.address]));
    assert!(is_accepted(&client.authenticate(&check("bob", b"old")).await));
    drop(client);
    second.stop().await;
}

#[tokio::test]
async fn why_an_account_cannot_be_used_arrives_with_its_kind() {
    let daemon = Daemon::start("127.0.0.1:0", None);
    let client = Client::start(config(&[daemon.address]));
    let held = Rejection::new(RejectionKind::OnHold, "mailstatus hold");
    let held = held.telling("this account is on hold");
    let verdict = client.authenticate(&check("held", b"old")).await;
    assert_eq!(verdict, Ok(Verdict::Rejected(held)));
    drop(client);
    daemon.stop().await;
}

#[tokio::test]
async fn who_remembers_answers_for_all_addresses_does_not_ask_a_daemon_that_decides_by_them() {
    let daemon = Daemon::start("127.0.0.1:0", None);
    daemon.base.by_address.store(true, Ordering::SeqCst);
    let careless = ClientConfig { by_address: false, ..config(&[daemon.address]) };
    let client = Client::start(careless.clone());
    assert!(!client.sees_address());
    let error = client.authenticate(&check("bob", b"old")).await.expect_err("no verdict");
    assert!(error.detail.contains("by_address false"), "{error}");
    assert_eq!(daemon.base.asked.load(Ordering::SeqCst), 0);
    // It may listen to it, as another daemon.
    let peer = Client::start(ClientConfig { peer: true, ..careless });
    assert!(is_accepted(&peer.authenticate(&check("bob", b"old")).await));
    let careful = Client::start(config(&[daemon.address]));
    assert!(careful.sees_address());
    assert!(is_accepted(&careful.authenticate(&check("bob", b"old")).await));
    drop((client, peer, careful));
    daemon.stop().await;
}

#[tokio::test]
async fn a_client_that_is_closed_keeps_nobody_waiting() {
    let daemon = Daemon::start("127.0.0.1:0", None);
    let config = ClientConfig { timeout: Duration::from_secs(60), ..config(&[daemon.address]) };
    let client = Arc::new(Client::start(config));
    let slow = tokio::spawn({
        let client = Arc::clone(&client);
        async move { client.authenticate(&check("slow", b"old")).await }
    });
    daemon.asked().await;
    client.close().await;
    let lost = tokio::time::timeout(Duration::from_secs(10), slow).await.expect("in time");
    lost.expect("no panic").expect_err("nobody knows");
    let late = client.authenticate(&check("bob", b"old")).await.expect_err("too late");
    assert_eq!(late.kind, UnavailableKind::ShuttingDown);
    daemon.base.gate.add_permits(1);
    daemon.stop().await;
}

#[tokio::test]
async fn what_an_old_daemon_said_unasked_is_not_the_answer_to_the_next_question() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    // What arrives here was said later, so what was said before is there, too.
    let marks = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let mut mark =
        TcpStream::connect(marks.local_addr().expect("bound")).await.expect("it is there");
    let (mut marks, _) = marks.accept().await.expect("a mark");
    let (answered, mut hears) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.expect("a client");
            let mut stream = BufReader::new(stream);
            let mut line = String::new();
            while let Ok(1..) = stream.read_line(&mut line).await {
                stream.write_all(b"+OK bob config\n").await.expect("it reads");
                stream.flush().await.expect("it reads");
                line.clear();
                hears.recv().await.expect("the test runs");
                // As a daemon that has enough of an idle client.
                stream.write_all(b"-ERR idle for too long\n").await.expect("it reads");
                mark.write_all(b".").await.expect("the test runs");
            }
        }
    });
    let mut config = config(&[address]);
    config.versions = Versions::First;
    config.heartbeat = Duration::from_secs(60);
    let client = Client::start(config);
    for _ in 0..3 {
        let verdict = client.authenticate(&check("bob", b"old")).await;
        assert!(is_accepted(&verdict), "{verdict:?}");
        answered.send(()).expect("the daemon runs");
        assert_eq!(marks.read_u8().await.expect("it said more"), b'.');
    }
}

#[tokio::test]
async fn a_daemon_with_too_many_questions_is_overloaded_and_not_absent() {
    let daemon = Daemon::start("127.0.0.1:0", None);
    let config = ClientConfig { outstanding: 1, ..config(&[daemon.address]) };
    let client = Arc::new(Client::start(config));
    let slow = tokio::spawn({
        let client = Arc::clone(&client);
        async move { client.authenticate(&check("slow", b"old")).await }
    });
    daemon.asked().await;
    let error = client.authenticate(&check("bob", b"old")).await.expect_err("no room");
    assert_eq!(error.kind, UnavailableKind::Overloaded);
    daemon.base.gate.add_permits(1);
    assert!(is_accepted(&slow.await.expect("no panic")));
    drop(client);
    daemon.stop().await;
}
