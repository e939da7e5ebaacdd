use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::{io, pin::Pin};

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dmail_core::{Account, AuthRequest, Origin, Rejection, Unavailable, UnavailableKind, Verdict};
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex,
};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::*;
use crate::dovecot::auth::{self, AuthSession};
use crate::policy;
use crate::saslauthd::SaslauthdSession;

/// A gateway that knows what to do by the name of the user.
struct Base {
    /// One is taken for each answer to `slow`.
    gate: Semaphore,
    asked: AtomicUsize,
    origins: std::sync::Mutex<Vec<Origin>>,
}

impl Base {
    fn new() -> Arc<Self> {
        let (gate, asked) = (Semaphore::new(0), AtomicUsize::new(0));
        Arc::new(Self { gate, asked, origins: Default::default() })
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Authenticator for Base {
    async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.origins.lock().expect("no panic").push(request.origin);
        match request.user.as_str() {
            "bob" => Ok(Verdict::accepted(Account::named(request.user.clone()))),
            "dead" => Err(Unavailable::new(UnavailableKind::Dead, "down")),
            "fault" => panic!("a fault of the gateway"),
            "slow" => {
                self.gate.acquire().await.expect("open").forget();
                Ok(Verdict::accepted(Account::named(request.user.clone())))
            }
            _ => Ok(Verdict::Rejected(Rejection::not_verified(&request.user))),
        }
    }

    fn recall(&self, request: &AuthRequest) -> Option<Arc<Account>> {
        let known = request.user.as_str() == "known";
        known.then(|| Arc::new(Account::named(request.user.clone())))
    }
}

/// One end of a pipe, which notes how it was left.
struct Pipe {
    stream: DuplexStream,
    broken_off: Arc<AtomicUsize>,
}

impl Stream for Pipe {
    fn break_off(&self) {
        self.broken_off.fetch_add(1, Ordering::SeqCst);
    }
}

impl AsyncRead for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// A client, and the conversation that it is in.
struct Talk {
    base: Arc<Base>,
    client: DuplexStream,
    shutdown: Shutdown,
    broken_off: Arc<AtomicUsize>,
    end: JoinHandle<End>,
    started: Instant,
}

impl Talk {
    fn begin(session: impl Session + 'static, change: impl FnOnce(&mut Manners)) -> Self {
        let base = Base::new();
        let mut manners = Manners::new("test");
        change(&mut manners);
        let (client, stream) = duplex(1024);
        let broken_off = Arc::new(AtomicUsize::new(0));
        let pipe = Pipe { stream, broken_off: Arc::clone(&broken_off) };
        let shutdown = Shutdown::new();
        let (stop, gateway) = (shutdown.clone(), Arc::clone(&base));
        let end = tokio::spawn(async move {
            converse(Arc::new(manners), gateway, Box::new(session), pipe, &stop).await
        });
        Self { base, client, shutdown, broken_off, end, started: Instant::now() }
    }

    /// In Dovecot's dialect, past the greetings.
    async fn dovecot(tempfail: auth::Tempfail, change: impl FnOnce(&mut Manners)) -> Self {
        let config = auth::Config {
            tempfail,
            mechanisms: auth::PASSWORDS.into(),
            issuer: None,
            pid: 1,
            connection: 1,
            cookie: [0; 16],
            logins: None,
        };
        let mut talk = Self::begin(AuthSession::new(config), change);
        while !talk.line().await.starts_with("DONE") {}
        talk.say("VERSION\t1\t1\nCPID\t2\n").await;
        talk
    }

    async fn say(&mut self, text: &str) {
        self.client.write_all(text.as_bytes()).await.expect("it listens");
    }

    async fn log_in(&mut self, id: u32, user: &str) {
        let response = STANDARD.encode(format!("\0{user}\0pw"));
        self.say(&format!("AUTH\t{id}\tPLAIN\tservice=imap\tresp={response}\n")).await;
    }

    /// The next line, without its end.
    async fn line(&mut self) -> String {
        let mut line = Vec::new();
        loop {
            match self.client.read_u8().await {
                Ok(b'\n') => return String::from_utf8(line).expect("text"),
                Ok(byte) => line.push(byte),
                Err(_) => return format!("[end after {line:?}]"),
            }
        }
    }

    /// Waits until that many questions were asked.
    async fn asked(&self, count: usize) {
        while self.base.asked() < count {
            tokio::task::yield_now().await;
        }
    }

    /// Reads to the end, and says why it ended and after how many seconds.
    async fn end(mut self) -> (String, String, u64) {
        let mut rest = Vec::new();
        let _ = self.client.read_to_end(&mut rest).await;
        let end = self.end.await.expect("no panic");
        let seconds = self.started.elapsed().as_secs();
        (String::from_utf8(rest).expect("text"), end.to_string(), seconds)
    }
}

fn saslauthd_request(user: &str) -> Vec<u8> {
    let fields = [user, "pw", "imap", ""].map(str::as_bytes);
    let counted = |field: &[u8]| {
        let length = u16::try_from(field.len()).expect("short");
        [&length.to_be_bytes()[..], field].concat()
    };
    fields.map(counted).concat()
}

#[tokio::test(start_paused = true)]
async fn a_slow_question_stops_no_other() {
    let mut talk = Talk::dovecot(auth::Tempfail::Code, |_| ()).await;
    talk.log_in(1, "slow").await;
    talk.log_in(2, "bob").await;
    talk.log_in(3, "known").await;
    talk.log_in(4, "nobody").await;
    assert_eq!(talk.line().await, "OK\t2\tuser=bob");
    assert_eq!(talk.line().await, "OK\t3\tuser=known");
    assert_eq!(talk.line().await, "FAIL\t4");
    talk.base.gate.add_permits(1);
    assert_eq!(talk.line().await, "OK\t1\tuser=slow");
    assert_eq!(talk.base.asked(), 3, "what is known is not asked");
}

#[tokio::test(start_paused = true)]
async fn what_follows_from_an_answer_is_asked_whenever_the_answer_comes() {
    // Without an extension each of them is a user, whom the next question is about.
    let senders = ["known+x", "slow+x", "bob+x", "dead+x"];
    for login in ["known", "bob", "slow"] {
        let rules = policy::Rules {
            limits: policy::Limits::default(),
            sender: dmail_core::config::SenderRule::Own,
            domains: Vec::new(),
        };
        let policy = policy::Policy::new(rules, Box::new(|_, _| Ok(())));
        let mut talk = Talk::begin(policy::PolicySession::new(Arc::new(policy)), |_| ());
        talk.base.gate.add_permits(8);
        for sender in senders {
            talk.say(&format!(
                "request=smtpd_access_policy\nprotocol_state=RCPT\nsasl_username={login}\n\
                 sender={sender}\n\n"
            ))
            .await;
        }
        for sender in &senders[..3] {
            let own = sender.strip_suffix("+x") == Some(login);
            let action = talk.line().await;
            assert_eq!(action == "action=DUNNO", own, "{login} as {sender}: {action}");
            assert_eq!(talk.line().await, "");
        }
        assert_eq!(talk.end().await, (String::new(), "all is said".into(), 0), "{login}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_gateway_learns_which_dialect_asks_and_for_which_service() {
    let mut talk =
        Talk::dovecot(auth::Tempfail::Code, |manners| manners.service = Some(Service::Web)).await;
    talk.say(&format!("AUTH\t1\tPLAIN\tservice=x\tresp={}\n", STANDARD.encode("\0bob\0pw"))).await;
    talk.line().await;
    talk.say(&format!(
        "AUTH\t2\tPLAIN\tservice=smtp\trip=192.0.2.7\tresp={}\n",
        STANDARD.encode("\0bob\0pw")
    ))
    .await;
    talk.line().await;
    let origins = talk.base.origins.lock().expect("no panic").clone();
    assert_eq!(origins[0], Origin { dialect: Some("test"), ..Origin::local(Service::Web) });
    assert_eq!(origins[1].service, Service::Smtp, "what is told beats what is supposed");
    assert_eq!(origins[1].client, Some(IpAddr::from([192, 0, 2, 7])));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_too_late_is_a_temporary_failure_in_time() {
    let mut talk = Talk::dovecot(auth::Tempfail::Code, |_| ()).await;
    talk.log_in(1, "slow").await;
    assert_eq!(talk.line().await, "FAIL\t1\tcode=temp_fail");
    assert_eq!(talk.started.elapsed().as_secs(), 9);
    talk.log_in(2, "bob").await;
    assert_eq!(talk.line().await, "OK\t2\tuser=bob");
}

#[tokio::test(start_paused = true)]
async fn where_there_is_no_word_for_it_a_temporary_failure_breaks_off() {
    let mut talk = Talk::dovecot(auth::Tempfail::Close, |_| ()).await;
    talk.log_in(1, "dead").await;
    let broken_off = Arc::clone(&talk.broken_off);
    assert_eq!(talk.end().await, (String::new(), "nobody could decide".into(), 0));
    assert_eq!(broken_off.load(Ordering::SeqCst), 1);

    let mut talk = Talk::begin(SaslauthdSession::new(), |_| ());
    talk.client.write_all(&saslauthd_request("dead")).await.expect("it listens");
    assert_eq!(talk.end().await, (String::new(), "all is said".into(), 0));
}

#[tokio::test(start_paused = true)]
async fn a_fault_of_ours_ends_the_connection() {
    let mut talk = Talk::dovecot(auth::Tempfail::Code, |_| ()).await;
    talk.log_in(1, "slow").await;
    talk.log_in(2, "slow").await;
    talk.asked(2).await;
    // A question that goes wrong at once takes the conversation with it.
    talk.log_in(3, "fault").await;
    let mut rest = Vec::new();
    let _ = talk.client.read_to_end(&mut rest).await;
    assert_eq!(rest, b"", "nobody is told anything");
    assert!(talk.end.await.is_err());
}

#[tokio::test(start_paused = true)]
async fn half_a_request_is_not_waited_for_long() {
    let request = saslauthd_request("bob");
    let mut talk = Talk::begin(SaslauthdSession::new(), |_| ());
    talk.client.write_all(&request[..9]).await.expect("it listens");
    let end = "half a request, and nothing more".to_owned();
    assert_eq!(talk.end().await, (String::new(), end, 10));

    let mut talk = Talk::begin(SaslauthdSession::new(), |_| ());
    for byte in &request {
        talk.client.write_all(&[*byte]).await.expect("it listens");
    }
    assert_eq!(talk.end().await.0, "\0\u{2}OK");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_drips_does_not_hold_its_place_longer() {
    let mut talk = Talk::begin(SaslauthdSession::new(), |_| ());
    for byte in &saslauthd_request("bob") {
        if talk.client.write_all(&[*byte]).await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
    let (text, end, _) = talk.end().await;
    assert_eq!((text.as_str(), end.as_str()), ("", "half a request, and nothing more"));
}

#[tokio::test(start_paused = true)]
async fn a_client_may_be_silent_for_as_long_as_its_kind_is() {
    let talk = Talk::begin(SaslauthdSession::new(), |_| ());
    let silent = || "nothing was heard of the client".to_owned();
    assert_eq!(talk.end().await, (String::new(), silent(), 30));

    let talk = Talk::dovecot(auth::Tempfail::Code, |_| ()).await;
    assert_eq!(talk.end().await, (String::new(), silent(), 3600));

    let mut talk = Talk::dovecot(auth::Tempfail::Code, |manners| {
        *manners = Manners::of_program("test");
    })
    .await;
    tokio::time::sleep(Duration::from_secs(365 * 86_400)).await;
    talk.log_in(1, "bob").await;
    assert_eq!(talk.line().await, "OK\t1\tuser=bob");
}

#[tokio::test(start_paused = true)]
async fn no_more_is_taken_than_may_be_under_way() {
    let mut talk = Talk::dovecot(auth::Tempfail::Code, |manners| manners.outstanding = 2).await;
    for id in 1..=5 {
        talk.log_in(id, "slow").await;
    }
    talk.asked(2).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(talk.base.asked(), 2);
    talk.base.gate.add_permits(5);
    let mut answers = Vec::new();
    for _ in 1..=5 {
        answers.push(talk.line().await);
    }
    answers.sort();
    let expected: Vec<_> = (1..=5).map(|id| format!("OK\t{id}\tuser=slow")).collect();
    assert_eq!(answers, expected);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_cut_off_and_costs_little_until_then() {
    let mut talk = Talk::dovecot(auth::Tempfail::Code, |_| ()).await;
    let response = STANDARD.encode("\0bob\0pw");
    let mut sent = 0;
    // Until the conversation takes no more.
    let flood = async {
        for id in 1.. {
            let line = format!("AUTH\t{id}\tPLAIN\tresp={response}\n");
            if talk.client.write_all(line.as_bytes()).await.is_err() {
                return;
            }
            sent += 1;
        }
    };
    let _ = tokio::time::timeout(Duration::from_secs(60), flood).await;
    assert!(sent > 1_000, "{sent}");
    assert!(sent < 30_000, "{sent} requests were taken of a client that reads nothing");
    let (_, end, seconds) = talk.end().await;
    assert_eq!(end, "the client was not reading");
    assert!((10..=60).contains(&seconds), "{seconds}");
}

#[tokio::test(start_paused = true)]
async fn requests_that_had_to_wait_for_room_are_answered() {
    let mut talk = Talk::dovecot(auth::Tempfail::Code, |_| ()).await;
    let response = STANDARD.encode("\0bob\0pw");
    let (mut reader, mut writer) = tokio::io::split(&mut talk.client);
    let write = async {
        for id in 1..=40_000 {
            let line = format!("AUTH\t{id}\tPLAIN\tresp={response}\n");
            writer.write_all(line.as_bytes()).await.expect("it listens");
        }
    };
    let read = async {
        // Only when the other side has much to say.
        tokio::time::sleep(Duration::from_secs(5)).await;
        let (mut lines, mut buffer) = (0, vec![0; 4096]);
        while lines < 40_000 {
            let count = reader.read(&mut buffer).await.expect("it talks");
            assert!(count > 0, "the end after {lines} answers");
            lines += buffer[..count].iter().filter(|byte| **byte == b'\n').count();
        }
    };
    let both = async { tokio::join!(write, read) };
    tokio::time::timeout(Duration::from_secs(60), both).await.expect("all were answered");
}

#[tokio::test(start_paused = true)]
async fn what_breaks_the_protocol_ends_the_connection_after_what_was_asked_before() {
    let mut talk = Talk::dovecot(auth::Tempfail::Code, |_| ()).await;
    talk.log_in(1, "slow").await;
    talk.say("AUTH\tone\tPLAIN\n").await;
    talk.log_in(2, "bob").await;
    talk.asked(1).await;
    talk.base.gate.add_permits(1);
    let (text, end, _) = talk.end().await;
    assert_eq!((text.as_str(), end.as_str()), ("OK\t1\tuser=slow\n", "AUTH without id"));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_has_said_all_still_gets_its_answers() {
    let mut talk = Talk::dovecot(auth::Tempfail::Code, |_| ()).await;
    talk.log_in(1, "slow").await;
    talk.asked(1).await;
    let (mut reader, mut writer) = tokio::io::split(talk.client);
    writer.shutdown().await.expect("open");
    talk.base.gate.add_permits(1);
    let mut rest = String::new();
    reader.read_to_string(&mut rest).await.expect("text");
    assert_eq!(rest, "OK\t1\tuser=slow\n");
    assert!(matches!(talk.end.await, Ok(End::Closed)));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_stops_answers_what_was_asked() {
    let mut talk = Talk::dovecot(auth::Tempfail::Code, |_| ()).await;
    talk.log_in(1, "slow").await;
    talk.asked(1).await;
    talk.shutdown.ask();
    tokio::time::sleep(Duration::from_secs(5)).await;
    talk.base.gate.add_permits(1);
    let (text, end, seconds) = talk.end().await;
    assert_eq!((text.as_str(), end.as_str()), ("OK\t1\tuser=slow\n", "the server is stopping"));
    assert_eq!(seconds, 5);

    let mut talk = Talk::begin(SaslauthdSession::new(), |_| ());
    talk.client.write_all(&saslauthd_request("bob")[..9]).await.expect("it listens");
    tokio::task::yield_now().await;
    talk.shutdown.ask();
    assert_eq!(talk.end().await.2, 1, "the rest of a request is waited for a moment");
}

#[tokio::test]
async fn a_broken_off_tcp_connection_is_reset() {
    let listener = dmail_net::bind(([127, 0, 0, 1], 0).into()).expect("a port");
    let address = listener.local_addr().expect("bound");
    let new_session: NewSession = Box::new(|| {
        Box::new(AuthSession::new(auth::Config {
            tempfail: auth::Tempfail::Close,
            mechanisms: auth::PASSWORDS.into(),
            issuer: None,
            pid: 1,
            connection: 1,
            cookie: [0; 16],
            logins: None,
        }))
    });
    let limits = Limits { connections: 1, per_client: 1 };
    let allow: ByAddress = Arc::new(|_| true);
    let server = Server::new(Manners::new("test"), limits, allow, Base::new(), new_session);
    let shutdown = Shutdown::new();
    tokio::spawn(server.serve_tcp(listener, shutdown.clone()));
    let mut client = TcpStream::connect(address).await.expect("it listens");
    let response = STANDARD.encode("\0dead\0pw");
    let text = format!("VERSION\t1\t1\nAUTH\t1\tPLAIN\tresp={response}\n");
    client.write_all(text.as_bytes()).await.expect("it listens");
    let mut said = Vec::new();
    let end = client.read_to_end(&mut said).await;
    assert_eq!(end.expect_err("reset").kind(), io::ErrorKind::ConnectionReset);

    // The place is free again, for one client at a time.
    let mut second = loop {
        let mut second = TcpStream::connect(address).await.expect("it listens");
        if second.read_u8().await.is_ok() {
            break second;
        }
    };
    let mut third = TcpStream::connect(address).await.expect("it listens");
    assert!(third.read_u8().await.is_err(), "no place for it");
    second.write_all(b"VERSION\t2\t0\n").await.expect("it listens");
    assert!(second.read_to_end(&mut said).await.is_ok(), "an end in peace");
    assert_eq!(shutdown.drain(Duration::from_secs(5)).await, 0);
}
