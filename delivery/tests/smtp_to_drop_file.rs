//! Real clients of a real SMTP service, whose mail ends in real drop files.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dmail_core::{
    Account, AuthRequest, Authenticator, DropName, DropPath, Rejection, Unavailable, Verdict,
};
use dmail_delivery::LocalDelivery;
use dmail_net::Shutdown;
use dmail_smtp::{Config, Server, run};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// Knows bob, ann, and whoever has a drop file or directory already.
struct Users(PathBuf);

#[async_trait]
impl Authenticator for Users {
    async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        let (local, _) = request.user.split_domain();
        let path = DropName::parse(local).map(|name| self.0.join(name.as_str()));
        let known = |path: &PathBuf| ["bob", "ann"].contains(&local) || path.exists();
        match path.ok().filter(known) {
            Some(path) => Ok(Verdict::accepted(Account {
                drop: DropPath::File(path),
                ..Account::named(request.user.clone())
            })),
            None => Ok(Verdict::Rejected(Rejection::unknown_user(&request.user))),
        }
    }
}

/// A service on a port of its own.
struct Service {
    home: tempfile::TempDir,
    address: std::net::SocketAddr,
    shutdown: Shutdown,
}

impl Service {
    async fn start(config: Config) -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let delivery = LocalDelivery::new(dmail_delivery::Config {
            mail_roots: vec![home.path().to_owned()],
            ..dmail_delivery::Config::default()
        });
        let gateway = Arc::new(Users(home.path().to_owned()));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let server = Arc::new(Server::new(config, gateway, Arc::new(delivery)));
        let shutdown = Shutdown::new();
        tokio::spawn(run(listener, server, shutdown.clone()));
        Self { home, address, shutdown }
    }

    async fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.address).await.expect("a service");
        let mut client = Client(BufReader::new(stream));
        assert!(client.reply().await.starts_with("220 "));
        client
    }

    fn mailbox(&self, name: &str) -> String {
        fs::read_to_string(self.home.path().join(name)).unwrap_or_default()
    }
}

struct Client(BufReader<TcpStream>);

impl Client {
    async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.expect("a server that listens");
    }

    /// The last line of the next reply.
    async fn reply(&mut self) -> String {
        let mut line = String::new();
        loop {
            line.clear();
            self.0.read_line(&mut line).await.expect("ASCII");
            if line.as_bytes().get(3) != Some(&b'-') {
                return line;
            }
        }
    }

    async fn say(&mut self, line: &str) -> String {
        self.send(&format!("{line}\r\n")).await;
        self.reply().await
    }

    /// Everything up to DATA, for these recipients, in one piece.
    async fn begin(&mut self, recipients: &[&str]) {
        let rcpts: String =
            recipients.iter().map(|name| format!("RCPT TO:<{name}@localhost>\r\n")).collect();
        self.send(&format!("EHLO c\r\nMAIL FROM:<x@far.example>\r\n{rcpts}DATA\r\n")).await;
        for _ in 0..recipients.len() + 2 {
            assert!(self.reply().await.starts_with("250 "));
        }
        assert!(self.reply().await.starts_with("354 "));
    }

    async fn closed(&mut self) -> String {
        let mut rest = String::new();
        self.0.read_to_string(&mut rest).await.expect("ASCII");
        rest
    }
}

#[tokio::test]
async fn what_was_acknowledged_is_in_every_mailbox() {
    let service = Service::start(Config::default()).await;
    let mut client = service.connect().await;
    client.begin(&["bob", "ann"]).await;
    let done = client.say("Subject: hi\r\n\r\nFrom here\r\n..\r\n.").await;
    assert!(done.starts_with("250 2.0.0 Command DATA Processed mail data Ok, id "), "{done}");
    for name in ["bob", "ann"] {
        let text = service.mailbox(name);
        assert!(text.starts_with("From x@far.example "), "{text}");
        assert!(text.contains("\nReturn-Path: <x@far.example>\nReceived: from c ([127.0.0.1])\n"));
        assert!(text.contains(" with ESMTP id ") && !text.contains("for <"), "{text}");
        assert!(text.ends_with("\nSubject: hi\n\n>From here\n.\n\n"), "{text}");
    }
    client.begin(&["bob"]).await;
    client.say("Subject: two\r\n.").await;
    assert!(service.mailbox("bob").contains("\n\tfor <bob@localhost>;\n"));
    assert!(client.say("QUIT").await.starts_with("221 "));
    assert_eq!(client.closed().await, "");
}

#[tokio::test]
async fn clients_at_the_same_time_lose_nothing() {
    let service = Service::start(Config::default()).await;
    let mut tasks = Vec::new();
    for number in 0..20 {
        let mut client = service.connect().await;
        tasks.push(tokio::spawn(async move {
            client.begin(&["bob", "ann"]).await;
            client.say(&format!("N: <{number}>\r\n.")).await
        }));
    }
    for task in tasks {
        assert!(task.await.expect("no panic").starts_with("250 "));
    }
    for name in ["bob", "ann"] {
        let text = service.mailbox(name);
        for number in 0..20 {
            assert_eq!(text.matches(&format!("\nN: <{number}>\n\n")).count(), 1, "{name}");
        }
    }
}

#[tokio::test]
async fn a_large_message_is_stored_whole_and_a_too_large_one_not_at_all() {
    let config = Config { max_message_size: 2_000_000, ..Config::default() };
    let service = Service::start(config).await;
    let mut client = service.connect().await;
    client.begin(&["bob"]).await;
    let line = "0123456789012345678901234567890123456789\r\n";
    let body = line.repeat(40_000);
    assert!(client.say(&format!("A: b\r\n\r\n{body}.")).await.starts_with("250 "));
    let text = service.mailbox("bob");
    assert!(text.ends_with(&format!("\nA: b\n\n{}\n", body.replace('\r', ""))));

    client.begin(&["ann"]).await;
    let body = line.repeat(50_000);
    assert!(client.say(&format!("{body}.")).await.starts_with("552 5.3.4 "));
    assert!(client.say("NOOP").await.starts_with("250 "), "in step");
    assert_eq!(service.mailbox("ann"), "");
}

#[tokio::test]
async fn a_client_that_is_cut_off_has_sent_nothing() {
    let service = Service::start(Config::default()).await;
    let mut client = service.connect().await;
    client.begin(&["bob"]).await;
    client.send("Subject: half\r\n\r\nof it\r\n.\r").await;
    drop(client);
    // The session is over when nothing is left to wait for.
    assert_eq!(service.shutdown.drain(Duration::from_secs(10)).await, 0);
    assert_eq!(service.mailbox("bob"), "");
}

#[tokio::test]
async fn a_mailbox_that_cannot_be_used_is_refused_and_the_next_one_works() {
    let service = Service::start(Config::default()).await;
    fs::create_dir(service.home.path().join("folder")).expect("a directory");
    let mut client = service.connect().await;
    client.begin(&["bob", "folder"]).await;
    let refused = client.say("Subject: x\r\n.").await;
    assert_eq!(refused, "554 5.3.0 the mailbox cannot be used\r\n");
    assert_eq!(service.mailbox("bob"), "");
    client.begin(&["bob"]).await;
    assert!(client.say("Subject: x\r\n.").await.starts_with("250 "));
}

#[tokio::test]
async fn a_server_that_drains_finishes_what_it_began() {
    let service = Service::start(Config::default()).await;
    let mut idle = service.connect().await;
    let mut busy = service.connect().await;
    busy.begin(&["bob"]).await;
    let shutdown = service.shutdown.clone();
    let draining = tokio::spawn(async move { shutdown.drain(Duration::from_secs(10)).await });
    assert!(idle.closed().await.starts_with("421 4.3.2 "));
    assert!(busy.say("Subject: last\r\n.").await.starts_with("250 "));
    assert!(busy.closed().await.starts_with("421 4.3.2 "));
    assert_eq!(draining.await.expect("no panic"), 0);
    assert!(service.mailbox("bob").contains("Subject: last"));
    assert!(TcpStream::connect(service.address).await.is_err(), "no new sessions");
}
