//! Conversations over in-memory pipes, in paused time.

use std::sync::Mutex;

use async_trait::async_trait;
use dmail_core::{Account, AuthRequest, Authenticator, Unavailable, Verdict};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::JoinHandle;

use super::*;
use crate::config::{Config, SessionLimits};
use crate::delivery::{Deliver, DeliveryError, Envelope, Receipt};

/// Knows everybody.
struct Everybody;

#[async_trait]
impl Authenticator for Everybody {
    async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        Ok(Verdict::accepted(Account::named(request.user.clone())))
    }
}

/// Keeps the messages in memory: their text and the number of recipients.
#[derive(Default)]
struct Shelf(Mutex<Vec<(String, usize)>>);

#[async_trait]
impl Deliver for Shelf {
    async fn deliver(
        &self,
        envelope: Envelope,
        message: Message,
    ) -> Result<Receipt, DeliveryError> {
        let text = match message {
            Message::Memory(bytes) => String::from_utf8(bytes).expect("text"),
            Message::File { length, .. } => format!("a file of {length} bytes"),
        };
        self.0.lock().expect("sound").push((text, envelope.recipients.len()));
        Ok(Receipt { id: envelope.id })
    }
}

/// A client, and the server that it talks to.
struct Call {
    client: DuplexStream,
    shelf: Arc<Shelf>,
    shutdown: Shutdown,
    serving: JoinHandle<()>,
}

fn config() -> Config {
    Config {
        max_message_size: 10_000,
        memory_limit: 4096,
        session: SessionLimits { recipients: 3, ..SessionLimits::default() },
        ..Config::default()
    }
}

impl Call {
    fn new(config: Config) -> Self {
        let (client, stream) = tokio::io::duplex(64 * 1024);
        let shelf = Arc::new(Shelf::default());
        let gateway = Arc::new(Everybody);
        let server = Server::new(config, gateway, Arc::clone(&shelf) as Arc<dyn Deliver>);
        let loopback = std::net::IpAddr::from([127, 0, 0, 1]);
        let session = Session::new(Arc::clone(&server.config), loopback, loopback);
        let shutdown = Shutdown::new();
        let conversation = Conversation::new(stream, session, Arc::new(server), shutdown.clone());
        Self { client, shelf, shutdown, serving: tokio::spawn(conversation.run()) }
    }

    /// A call whose client has begun a transaction and sent DATA.
    async fn in_data(config: Config) -> Self {
        let mut call = Self::new(config);
        call.send("HELO c\r\nMAIL FROM:<>\r\nRCPT TO:<bob@localhost>\r\nDATA\r\n").await;
        call.expect_last("354 ").await;
        call
    }

    async fn send(&mut self, bytes: &str) {
        self.client.write_all(bytes.as_bytes()).await.expect("a server that listens");
    }

    /// What the server sends in one piece.
    async fn heard(&mut self) -> String {
        let mut piece = vec![0; 64 * 1024];
        let length = self.client.read(&mut piece).await.expect("a server that answers");
        String::from_utf8(piece[..length].to_vec()).expect("ASCII")
    }

    /// Reads until the last line so far starts with `expected`.
    async fn expect_last(&mut self, expected: &str) {
        let mut heard = String::new();
        while !heard.lines().last().is_some_and(|line| line.starts_with(expected)) {
            let piece = self.heard().await;
            assert!(!piece.is_empty(), "closed after {heard:?} instead of {expected:?}");
            heard.push_str(&piece);
        }
    }

    /// All that the server sends until it closes the connection.
    async fn rest(&mut self) -> String {
        let mut rest = String::new();
        self.client.read_to_string(&mut rest).await.expect("ASCII");
        rest
    }

    fn delivered(&self) -> Vec<(String, usize)> {
        self.shelf.0.lock().expect("sound").clone()
    }
}

#[tokio::test(start_paused = true)]
async fn a_pipelined_group_is_answered_in_one_piece() {
    let mut call = Call::new(config());
    assert_eq!(call.heard().await, "220 localhost DSMTP ESMTP Server\r\n");
    let rcpts = "RCPT TO:<a@localhost>\r\nRCPT TO:<b@localhost>\r\nRCPT TO:<c@far.example>\r\n";
    call.send(&format!("HELO c\r\nMAIL FROM:<>\r\n{rcpts}DATA\r\n")).await;
    let codes: Vec<String> = call.heard().await.lines().map(|line| line[..3].to_owned()).collect();
    assert_eq!(codes, ["250", "250", "250", "250", "550", "354"]);
    call.send("one\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<a@localhost>\r\nDATA\r\n").await;
    call.expect_last("354 ").await;
    call.send("two\r\n.\r\nQUIT\r\n").await;
    let rest = call.rest().await;
    assert_eq!(rest.lines().count(), 2, "{rest}");
    assert_eq!(call.delivered(), [("one\n".to_owned(), 2), ("two\n".to_owned(), 1)]);
}

#[tokio::test(start_paused = true)]
async fn content_may_come_byte_by_byte_and_with_the_next_command() {
    let mut call = Call::in_data(config()).await;
    for byte in "a\r\n..b\r\n.\r\nNOO".chars() {
        call.send(&byte.to_string()).await;
        tokio::task::yield_now().await;
    }
    call.send("P\r\n").await;
    call.expect_last("250 2.0.0 Command NOOP").await;
    assert_eq!(call.delivered(), [("a\n.b\n".to_owned(), 1)]);
}

#[tokio::test]
async fn a_large_message_goes_into_a_file() {
    let mut call = Call::in_data(Config { max_message_size: 100_000, ..config() }).await;
    call.send(&format!("{}.\r\n", "0123456\r\n".repeat(5000))).await;
    call.expect_last("250 2.0.0 Command DATA").await;
    assert_eq!(call.delivered(), [("a file of 40000 bytes".to_owned(), 1)]);
}

#[tokio::test(start_paused = true)]
async fn smuggled_mail_is_not_taken() {
    let smuggled = "MAIL FROM:<x@y.example>\r\nRCPT TO:<bob@localhost>\r\nDATA\r\nevil\r\n.\r\n";
    for end in ["\n.\n", "\n.\r\n", "\r.\r", "\r\n.\r", "\r\n.\n", "\r\r\n.\r\r\n", "\0\n.\r\n"] {
        let mut call = Call::in_data(config()).await;
        call.send(&format!("good{end}{smuggled}NOOP\r\n")).await;
        call.expect_last("250 2.0.0 Command NOOP").await;
        assert_eq!(call.delivered(), [], "{end:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_tail_of_a_line_that_is_too_long_is_no_command() {
    let mut call = Call::new(config());
    let line = format!("NOOP {}\r\n", "MAIL FROM:<x@y> QUIT ".repeat(1000));
    call.send(&format!("{line}NOOP \0\r\n")).await;
    call.expect_last("500 5.5.2 line holds a NUL byte").await;
    call.send("HELO c\r\n").await;
    assert_eq!(call.heard().await, "250 Hello c ([127.0.0.1])\r\n");
}

#[tokio::test(start_paused = true)]
async fn nothing_behind_a_bare_line_end_is_run() {
    for line in ["RCPT TO:<x\nVRFY x\r\n", "RCPT TO:<x\rVRFY x\r\n", "NOOP\n", "NOOP\r\r\n"] {
        let mut call = Call::new(config());
        call.send(&format!("{line}VRFY x\r\n")).await;
        let rest = call.rest().await;
        let lines: Vec<&str> = rest.lines().skip(1).collect();
        assert_eq!(lines, ["500 5.5.2 line does not end in CR LF"], "{line:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_too_large_is_refused_at_its_end_and_endless_ones_are_cut_off() {
    let mut call = Call::in_data(config()).await;
    call.send(&format!("{}.\r\nNOOP\r\n", "0123456\r\n".repeat(1200))).await;
    let (refused, noop) = ("552 5.3.4", "250 2.0.0 Command NOOP");
    let heard = call.heard().await;
    let lines: Vec<&str> = heard.lines().collect();
    assert!(lines[0].starts_with(refused) && lines[1].starts_with(noop), "{heard}");

    let mut call = Call::in_data(config()).await;
    call.send(&"0123456\r\n".repeat(4000)).await;
    assert!(call.rest().await.starts_with("421 4.7.0 too many bytes"));
    assert_eq!(call.delivered(), []);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_gone_or_silent_has_sent_nothing() {
    for silent in [true, false] {
        let mut call = Call::in_data(config()).await;
        call.send("half a mess").await;
        if silent {
            assert!(call.rest().await.starts_with("421 4.4.2 timeout"));
        } else {
            call.client.shutdown().await.expect("open");
            assert_eq!(call.rest().await, "");
        }
        assert_eq!(call.delivered(), []);
        call.serving.await.expect("no panic");
    }
}

#[tokio::test(start_paused = true)]
async fn dribbled_content_is_given_up() {
    let mut call = Call::in_data(config()).await;
    let started = Instant::now();
    // One byte a second never meets the deadline of a block.
    while call.client.write_all(b"x").await.is_ok() && started.elapsed().as_secs() < 1000 {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!((179..182).contains(&started.elapsed().as_secs()), "{:?}", started.elapsed());
    assert_eq!(call.delivered(), []);
}

#[tokio::test(start_paused = true)]
async fn an_idle_client_is_told_to_leave() {
    let mut call = Call::new(config());
    call.send("HELO c\r\n").await;
    let started = Instant::now();
    let rest = call.rest().await;
    assert_eq!(rest.lines().last(), Some("421 4.4.2 timeout, closing transmission channel"));
    assert_eq!(started.elapsed().as_secs(), 300);
}

#[tokio::test(start_paused = true)]
async fn names_that_are_guessed_are_answered_late() {
    let mut config = config();
    config.session.refused_recipients = 4;
    let mut call = Call::new(config);
    let guesses = "RCPT TO:<x@far.example>\r\n".repeat(9);
    let started = Instant::now();
    call.send(&format!("HELO c\r\nMAIL FROM:<>\r\n{guesses}")).await;
    let rest = call.rest().await;
    assert!(
        rest.ends_with("421 4.7.0 too many refused recipients, closing transmission channel\r\n")
    );
    assert_eq!(rest.matches("550 5.7.1").count(), 4);
    assert_eq!(started.elapsed().as_secs(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_stops_ends_idle_sessions_and_lets_transactions_finish() {
    let mut idle = Call::new(config());
    idle.send("HELO c\r\n").await;
    idle.expect_last("250 ").await;
    idle.shutdown.drain(Duration::ZERO).await;
    assert!(idle.rest().await.starts_with("421 4.3.2 service not available"));

    let mut busy = Call::in_data(config()).await;
    busy.shutdown.drain(Duration::ZERO).await;
    busy.send("last\r\n").await;
    busy.send(".\r\n").await;
    let rest = busy.rest().await;
    let lines: Vec<&str> = rest.lines().collect();
    assert!(lines[0].starts_with("250 2.0.0 ") && lines[1].starts_with("421 4.3.2"), "{rest}");
    assert_eq!(busy.delivered(), [("last\n".to_owned(), 1)]);
}

/// Many servers keep connections open between messages, so a connection's
/// future must stay small.
#[test]
fn a_conversation_costs_less_than_two_kilobytes() {
    let (_client, stream) = tokio::io::duplex(64);
    let server = Server::new(config(), Arc::new(Everybody), Arc::new(Shelf::default()));
    let loopback = std::net::IpAddr::from([127, 0, 0, 1]);
    let session = Session::new(Arc::clone(&server.config), loopback, loopback);
    let conversation = Conversation::new(stream, session, Arc::new(server), Shutdown::new());
    let size = std::mem::size_of_val(&conversation.run());
    assert!(size < 2048, "{size} bytes");
}
