//! What an operator reads, and what nobody may read. One test, alone in its
//! program, because the log is the program's.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use dmail_core::{
    Account, AuthRequest, Authenticator, Purpose, Rejection, Unavailable, UnavailableKind, Verdict,
};
use dmail_net::Shutdown;
use dmail_smtp::{
    Config, Deliver, DeliveryError, DeliveryErrorKind, Envelope, Message, Receipt, Server, run,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        let log = self.0.lock().expect("nobody panicked");
        String::from_utf8(log.clone()).expect("text")
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("nobody panicked").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Knows bob, whose password is `opensesame`; about down it cannot say.
struct Bob;

#[async_trait]
impl Authenticator for Bob {
    async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        let (user, _) = request.user.split_domain();
        let is_wrong =
            matches!(&request.purpose, Purpose::Check(secret) if secret.expose() != b"opensesame");
        match user {
            "down" => Err(Unavailable::new(UnavailableKind::Timeout, "no answer in 10 s")),
            "bob" if is_wrong => Ok(Verdict::Rejected(Rejection::not_verified(&request.user))),
            "bob" => Ok(Verdict::accepted(Account::named(request.user.clone()))),
            _ => Ok(Verdict::Rejected(Rejection::unknown_user(&request.user))),
        }
    }
}

/// Takes what comes from people, and nothing else.
struct PeopleOnly;

#[async_trait]
impl Deliver for PeopleOnly {
    async fn deliver(&self, envelope: Envelope, _: Message) -> Result<Receipt, DeliveryError> {
        match envelope.sender {
            Some(_) => Ok(Receipt { id: envelope.id }),
            None => Err(DeliveryError::new(DeliveryErrorKind::Full, "the disk is full")),
        }
    }
}

/// What the client says, in one piece.
const CLIENT: &str = concat!(
    "EHLO c\r\n",
    // base64 of: NUL bob NUL opensesam, then with the last letter
    "AUTH PLAIN AGJvYgBvcGVuc2VzYW0=\r\n",
    "AUTH PLAIN cm9vdABib2IAb3BlbnNlc2FtZQ==\r\n",
    "AUTH PLAIN AGRvd24Ab3BlbnNlc2FtZQ==\r\n",
    "AUTH LOGIN\r\nYm9i\r\nb3BlbnNlc2FtZQ==\r\n",
    "MAIL FROM:<x@far.example>\r\n",
    "RCPT TO:<\"no\\\"body\"@localhost>\r\n",
    "RCPT TO:<x@far.example>\r\n",
    "RCPT TO:<down@localhost>\r\n",
    "RCPT TO:<bob@localhost>\r\n",
    "DATA\r\nprivate words\r\n.\r\n",
    "MAIL FROM:<>\r\nRCPT TO:<bob@localhost>\r\nDATA\r\nprivate words\r\n.\r\n",
    "MAIL FROM:<>\r\nRCPT TO:<bob@localhost>\r\nDATA\r\nprivate\nwords\r\n.\r\n",
    "QUIT\r\n",
);

#[tokio::test]
async fn the_log_says_who_and_why_but_never_a_password_or_what_mail_says() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();

    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let server = Server::new(Config::default(), Arc::new(Bob), Arc::new(PeopleOnly));
    let shutdown = Shutdown::new();
    tokio::spawn(run(listener, Arc::new(server), shutdown.clone()));
    let mut client = TcpStream::connect(address).await.expect("a service");
    client.write_all(CLIENT.as_bytes()).await.expect("a service");
    let mut replies = String::new();
    client.read_to_string(&mut replies).await.expect("ASCII");
    shutdown.drain(Duration::from_secs(20)).await;

    let log = log.text();
    for parts in [
        &["login refused", "user=\"bob\"", "client=127.0.0.1", "reason=\"not-verified\""][..],
        &["login refused", "reason=\"bad-input\"", "authorization identity"],
        &["login refused", "user=\"down\"", "reason=\"timeout\"", "no answer in 10 s"],
        &["login ", "user=\"bob\"", "client=127.0.0.1"],
        &["recipient refused", r#"to="\"no\\\"body\"@localhost""#, "reason=\"unknown-user\""],
        &["recipient refused", "to=\"x@far.example\"", "reason=\"not-local\""],
        &["recipient refused", "to=\"down@localhost\"", "reason=\"timeout\""],
        &["INFO", "message accepted", "from=\"x@far.example\"", "rcpts=1 bytes=14"],
        &["WARN", "message not delivered", "reason=\"disk-full\"", "the disk is full"],
        &["message refused", "not part of a CR LF"],
    ] {
        let found = log.lines().any(|line| parts.iter().all(|part| line.contains(part)));
        assert!(found, "{parts:?} in\n{log}\nof\n{replies}");
    }
    for secret in ["opensesam", "b3BlbnNlc2Ft", "BvcGVuc2Vz", "private"] {
        assert!(!log.contains(secret), "{secret} in\n{log}");
    }
}
