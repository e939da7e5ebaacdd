//! A POP3 service on a free port with one user, and a client that talks to it.

#![allow(dead_code, reason = "each test program uses its part")]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dmail_core::{
    Account, AuthRequest, Authenticator, DropPath, Info, Purpose, Rejection, Unavailable,
    UnavailableKind, Verdict,
};
use dmail_net::Shutdown;
use dmail_pop::{Config, Server};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// Everybody but "down" is let in with the password "two words".
struct Users {
    spool: PathBuf,
}

#[async_trait]
impl Authenticator for Users {
    async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        let user = request.user.clone();
        if user.as_str() == "down" {
            return Err(Unavailable::new(UnavailableKind::Dead, "as planned"));
        }
        match &request.purpose {
            Purpose::Check(secret) if secret.expose() == b"two words" => {
                Ok(Verdict::accepted(Account {
                    drop: DropPath::File(self.spool.join(user.as_str())),
                    name: user,
                    uid: None,
                    info: Info::default(),
                }))
            }
            _ => Ok(Verdict::Rejected(Rejection::not_verified(&user))),
        }
    }
}

/// A running service; its mailboxes are files in a directory of its own.
pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    pub(crate) shutdown: Shutdown,
    spool: TempDir,
}

impl Service {
    pub(crate) async fn start(config: Config) -> Self {
        let spool = tempfile::tempdir().expect("a directory");
        let users = Users { spool: spool.path().to_owned() };
        let listener = dmail_net::bind(([127, 0, 0, 1], 0).into()).expect("a free port");
        let address = listener.local_addr().expect("bound");
        let shutdown = Shutdown::new();
        let server = Arc::new(Server::new(config, Arc::new(users)));
        tokio::spawn(dmail_pop::run(listener, server, shutdown.clone()));
        Self { address, shutdown, spool }
    }

    /// With these messages, given with LF line ends, in the mailbox of "bob".
    pub(crate) async fn with_mail(config: Config, messages: &[&str]) -> Self {
        let service = Self::start(config).await;
        for message in messages {
            service.deliver(message);
        }
        service
    }

    pub(crate) fn drop_file(&self, user: &str) -> PathBuf {
        self.spool.path().join(user)
    }

    /// As another program would do it.
    pub(crate) fn deliver(&self, message: &str) {
        use std::io::Write;
        let mut file = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(self.drop_file("bob"))
            .expect("ours");
        write!(file, "From a@b Sat Dec 26 09:37:48 1998\n{message}\n").expect("room");
    }

    /// What is in the mailbox of "bob".
    pub(crate) fn mail(&self) -> String {
        std::fs::read_to_string(self.drop_file("bob")).expect("a mailbox")
    }

    pub(crate) async fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.address).await.expect("listening");
        let mut client = Client::new(stream);
        assert!(client.line().await.starts_with("+OK "), "a greeting");
        client
    }

    pub(crate) async fn log_in(&self) -> Client {
        let mut client = self.connect().await;
        assert_eq!(client.say("USER bob").await, "+OK now the password");
        let reply = client.say("PASS two words").await;
        assert!(reply.starts_with("+OK bob has "), "{reply}");
        client
    }
}

/// A client that reads what it is told to.
pub(crate) struct Client(BufReader<TcpStream>);

impl Client {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self(BufReader::new(stream))
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).await.expect("connected");
    }

    /// The next line, without its end; empty at the end of the stream.
    pub(crate) async fn line(&mut self) -> String {
        let mut line = Vec::new();
        let read = self.0.read_until(b'\n', &mut line);
        tokio::time::timeout(PATIENCE, read).await.expect("an answer in time").expect("connected");
        let line = String::from_utf8(line).expect("text");
        line.strip_suffix("\r\n").unwrap_or_default().to_owned()
    }

    /// Sends a command and returns the status line.
    pub(crate) async fn say(&mut self, command: &str) -> String {
        self.send(format!("{command}\r\n").as_bytes()).await;
        self.line().await
    }

    /// The lines up to the dot, as they are on the wire.
    pub(crate) async fn lines(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            match self.line().await.as_str() {
                "." => return lines,
                line => lines.push(line.to_owned()),
            }
        }
    }

    /// Everything until the server closes the connection.
    pub(crate) async fn rest(&mut self) -> String {
        let mut rest = String::new();
        let read = self.0.read_to_string(&mut rest);
        tokio::time::timeout(PATIENCE, read)
            .await
            .expect("a closed connection in time")
            .expect("an orderly end");
        rest
    }
}
