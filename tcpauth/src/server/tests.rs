//! The daemon over real sockets, in one process.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use dmail_core::{Account, AuthRequest, Change, Outcome, Purpose, Rejection, Unavailable, Verdict};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::sync::Semaphore;

use super::*;

const NONCE: &str = "00112233445566778899aabbccddeeff";

/// Knows everybody, by the password `s3cret`; `slow` waits for the gate.
struct Base {
    gate: Semaphore,
    changes: AtomicUsize,
}

#[async_trait]
impl Authenticator for Base {
    async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        if request.user.as_str() == "slow" {
            let _permit = self.gate.acquire().await.expect("never closed");
        }
        if request.user.as_str() == "broken" {
            tokio::task::yield_now().await;
            unreachable!("this user base is broken");
        }
        Ok(match &request.purpose {
            Purpose::Check(secret) if secret.expose() != b"s3cret" => {
                Verdict::Rejected(Rejection::not_verified(&request.user))
            }
            _ => Verdict::accepted(Account::named(request.user.clone())),
        })
    }

    async fn change(&self, change: &Change) -> Result<Outcome, Unavailable> {
        self.changes.fetch_add(1, Ordering::SeqCst);
        Ok(Outcome::Done(format!("{} changed", change.user)))
    }
}

struct Daemon {
    server: Arc<Server>,
    base: Arc<Base>,
    address: std::net::SocketAddr,
    shutdown: Shutdown,
    running: tokio::task::JoinHandle<()>,
}

fn config() -> Config {
    Config {
        allow: Arc::new(|address| address.is_loopback()),
        changes: Arc::new(|address| address.is_loopback()),
        limits: Limits { connections: 10, per_client: 10 },
        idle: Duration::from_secs(10),
        outstanding: 100,
        plain: true,
        quoting: Quoting::default(),
        secret: None,
    }
}

fn start(config: Config) -> Daemon {
    let listener = dmail_net::bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
    let address = listener.local_addr().expect("bound");
    let base = Arc::new(Base { gate: Semaphore::new(0), changes: AtomicUsize::new(0) });
    let server = Server::new(config, Arc::clone(&base) as _);
    let shutdown = Shutdown::new();
    let running = tokio::spawn(Arc::clone(&server).serve_tcp(listener, None, shutdown.clone()));
    Daemon { server, base, address, shutdown, running }
}

impl Daemon {
    /// What it answers to `input`, up to the end.
    async fn talk(&self, input: &str) -> String {
        let mut client = TcpStream::connect(self.address).await.expect("it listens");
        client.write_all(input.as_bytes()).await.expect("it reads");
        let mut output = Vec::new();
        // A client that is not allowed may see a reset instead of an end.
        let _ = client.read_to_end(&mut output).await;
        String::from_utf8_lossy(&output).into_owned()
    }

    async fn connect(&self) -> Wire {
        let stream = TcpStream::connect(self.address).await.expect("it listens");
        Wire(BufReader::new(stream))
    }

    /// A client of the second version that has been welcomed.
    async fn greeted(&self) -> Wire {
        let mut client = self.connect().await;
        let welcome = client.ask(&format!("dmail 2 heartbeat=2 nonce={NONCE}")).await;
        assert!(welcome.starts_with("+OK dmail 2 nonce="), "{welcome}");
        client
    }

    async fn stop(self) {
        assert_eq!(self.shutdown.drain(Duration::from_secs(5)).await, 0);
        self.running.await.expect("no panic");
    }
}

struct Wire(BufReader<TcpStream>);

impl Wire {
    async fn say(&mut self, line: &str) {
        self.0.write_all(format!("{line}\n").as_bytes()).await.expect("it reads");
    }

    async fn hear(&mut self) -> String {
        let mut line = String::new();
        let heard = tokio::time::timeout(Duration::from_secs(5), self.0.read_line(&mut line));
        heard.await.expect("in time").expect("a line");
        line.trim_end().to_owned()
    }

    async fn ask(&mut self, line: &str) -> String {
        self.say(line).await;
        self.hear().await
    }
}

#[tokio::test]
async fn requests_that_arrive_together_are_answered_in_order() {
    let daemon = start(Config { changes: Arc::new(|_| false), ..config() });
    let output = daemon
        .talk(
            "check bob s3cret 192.0.2.1\ncheck bob x\nlookup ann\nset a b\nwhat\nexit\nlookup x\n",
        )
        .await;
    let expected = "+OK bob config\n-ERR bob password wrong or not a valid user\n\
                    +OK ann config\n-ERR changes are not allowed here\n\
                    -ERR unknown command, try help\n+OK goodbye\n";
    assert_eq!(output, expected);
    daemon.stop().await;
}

#[tokio::test]
async fn a_stranger_is_closed_without_a_word() {
    let daemon = start(Config { allow: Arc::new(|_| false), ..config() });
    assert_eq!(daemon.talk("check bob x\n").await, "");
    daemon.stop().await;
}

#[tokio::test]
async fn a_slow_question_holds_back_no_other() {
    let daemon = start(config());
    let mut client = daemon.greeted().await;
    client.say("1 check slow s3cret - - pop3").await;
    assert_eq!(client.ask("2 check bob s3cret - - pop3").await, "2 ok bob - - -");
    assert_eq!(client.ask("ping").await, "pong");
    daemon.base.gate.add_permits(1);
    assert_eq!(client.hear().await, "1 ok slow - - -");
    let no = "3 no not-verified bob%20password%20wrong%20or%20not%20a%20valid%20user";
    assert_eq!(client.ask("3 check bob x - - pop3").await, no);
    assert!(client.ask("4 check bob % - - pop3").await.starts_with("4 no not-verified "));
    assert!(client.ask("5 lookup a%20b - - pop3").await.starts_with("5 no bad-input "));
    drop(client);
    daemon.stop().await;
}

#[tokio::test]
async fn a_daemon_that_reads_no_more_questions_still_says_that_it_is_there() {
    let daemon = start(Config { outstanding: 1, ..config() });
    let mut client = daemon.connect().await;
    client.ask(&format!("dmail 2 heartbeat=1 nonce={NONCE}")).await;
    client.say("1 check slow s3cret - - pop3\nping").await;
    assert_eq!(client.hear().await, "pong", "by itself: the ping is not read");
    assert_eq!(client.hear().await, "pong");
    daemon.base.gate.add_permits(1);
    while client.hear().await != "1 ok slow - - -" {}
    assert_eq!(client.hear().await, "pong", "to the ping");
    drop(client);
    daemon.stop().await;
}

#[tokio::test]
async fn no_answer_takes_the_place_of_one_that_was_lost() {
    let daemon = start(config());
    assert_eq!(daemon.talk("check broken s3cret\ncheck bob s3cret\n").await, "");
    let mut client = daemon.greeted().await;
    client.say("1 check broken s3cret - - pop3").await;
    assert_eq!(client.hear().await, "", "closed, so that nobody waits for it");
    daemon.stop().await;
}

#[tokio::test]
async fn in_the_first_version_a_slow_answer_keeps_its_place() {
    let daemon = start(config());
    let mut client = daemon.connect().await;
    client.say("lookup slow\nlookup bob").await;
    daemon.base.gate.add_permits(1);
    assert_eq!(client.hear().await, "+OK slow config");
    assert_eq!(client.hear().await, "+OK bob config");
    drop(client);
    daemon.stop().await;
}

#[tokio::test]
async fn what_breaks_the_protocol_ends_the_connection() {
    let daemon = start(config());
    for line in ["1 lookup bob - -", "what", "0 lookup bob - - pop3", "dmail 2"] {
        let mut client = daemon.greeted().await;
        let fault = client.ask(line).await;
        assert!(fault.starts_with("fault "), "{line}: {fault}");
        assert_eq!(client.hear().await, "", "closed");
    }
    let mut client = daemon.greeted().await;
    assert_eq!(client.ask("7 lookup bob - - pop3").await, "7 ok bob - - -");
    let again = client.ask("7 lookup bob - - pop3").await;
    assert_eq!(again, "fault an%20id%20that%20does%20not%20rise");
    let mut client = daemon.connect().await;
    assert!(client.ask("dmail 1 heartbeat=2 nonce=00").await.starts_with("-DEAD "));
    daemon.stop().await;
}

#[tokio::test]
async fn a_change_is_told_to_every_client_before_it_is_acknowledged() {
    let secret = Some(Secret::new(*b"between us"));
    let daemon = start(Config { secret, ..config() });
    let mut clients = Vec::new();
    for role in ["", "", " role=peer"] {
        let mut client = daemon.connect().await;
        let greeting = format!("dmail 2 heartbeat=2 nonce={NONCE}{role}");
        let welcome = client.ask(&greeting).await;
        let welcome = crate::wire::Welcome::parse(welcome.as_bytes()).expect("a welcome");
        assert!(welcome.prove);
        let own = crate::wire::Greeting::parse(greeting.as_bytes()).expect("a greeting").nonce;
        let prover = crate::wire::Prover::new(&Secret::new(*b"between us"), own, welcome.nonce);
        let proof = prover.proof(crate::wire::Side::Client);
        let answer = client.ask(&format!("prove {proof}")).await;
        assert_eq!(answer, format!("+OK {}", prover.proof(crate::wire::Side::Server)));
        clients.push(client);
    }
    clients[0].say("1 set bob n%20ew - - - admin").await;
    assert_eq!(clients[0].hear().await, "changed bob");
    assert_eq!(clients[0].hear().await, "1 done bob%20changed");
    assert_eq!(clients[1].hear().await, "changed bob");
    assert_eq!(clients[2].hear().await, "changed bob");
    daemon.server.heard_of(&Username::parse(b"ann").expect("a name"));
    assert_eq!(clients[1].hear().await, "changed ann");
    assert_eq!(clients[2].ask("ping").await, "pong", "and nothing of ann");
    assert_eq!(daemon.base.changes.load(Ordering::SeqCst), 1);
    // Without the secret: nothing at all, and never a "no".
    let refused = daemon.talk("check bob s3cret\n").await;
    assert!(refused.starts_with("-DEAD "), "{refused}");
    let mut client = daemon.connect().await;
    client.ask(&format!("dmail 2 heartbeat=2 nonce={NONCE}")).await;
    assert_eq!(client.ask("prove 00").await, "-DEAD wrong shared secret");
    drop(clients);
    daemon.stop().await;
}

#[tokio::test]
async fn an_address_alone_is_no_credential_for_a_change() {
    let daemon = start(config());
    let mut client = daemon.greeted().await;
    let answer = client.ask("1 del bob - - admin").await;
    assert_eq!(answer, "1 no not-allowed changes%20are%20not%20allowed%20here");
    assert_eq!(daemon.base.changes.load(Ordering::SeqCst), 0);
    drop(client);
    daemon.stop().await;
}

#[tokio::test]
async fn a_daemon_that_stops_says_so_and_answers_what_it_was_asked() {
    let daemon = start(config());
    let (mut second, mut first) = (daemon.greeted().await, daemon.connect().await);
    second.say("1 lookup slow - - pop3").await;
    assert_eq!(first.ask("lookup bob").await, "+OK bob config");
    let draining = tokio::spawn({
        let shutdown = daemon.shutdown.clone();
        async move { shutdown.drain(Duration::from_secs(5)).await }
    });
    assert_eq!(second.hear().await, "closing");
    assert_eq!(first.hear().await, "", "closed");
    daemon.base.gate.add_permits(1);
    assert_eq!(second.hear().await, "1 ok slow - - -");
    drop(second);
    assert_eq!(draining.await.expect("no panic"), 0);
    daemon.running.await.expect("no panic");
}

#[tokio::test]
async fn who_proves_nothing_is_not_waited_for_as_long_as_a_client() {
    let secret = Some(Secret::new(*b"between us"));
    let daemon = start(Config { secret, idle: Duration::from_secs(3600), ..config() });
    let silent = tokio::time::timeout(Duration::from_secs(25), daemon.talk(""));
    let greeting = format!("dmail 2 heartbeat=3600 nonce={NONCE}\n");
    let unproved = tokio::time::timeout(Duration::from_secs(25), daemon.talk(&greeting));
    let (silent, unproved) = tokio::join!(silent, unproved);
    assert_eq!(silent.expect("closed in time"), "");
    assert!(unproved.expect("closed in time").ends_with(" prove\n"));
    daemon.stop().await;
}

#[tokio::test]
async fn a_client_that_is_not_heard_of_is_closed() {
    let daemon = start(Config { idle: Duration::from_millis(300), ..config() });
    let mut client = daemon.connect().await;
    client.say("half a li").await;
    assert_eq!(client.hear().await.split(' ').next(), Some("-ERR"));
    client.0.write_all(b"half").await.expect("it reads");
    assert_eq!(client.hear().await, "", "closed");
    daemon.stop().await;
}
