//! Accepting line-protocol clients, and answering them.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use dmail_authent::helper::{self, Manners};
use dmail_authent::line::{MAX_REQUEST_BYTES, Quoting, Reply, Request};
use dmail_core::Authenticator;
use dmail_core::framing::{Ending, Frame};
use dmail_net::{Connection, Limits, Peer, Policy, Shutdown, Slots};
use tokio::net::{TcpListener, TcpStream};

/// How long a client may take to read a reply.
const WRITE_PATIENCE: Duration = Duration::from_secs(10);

/// Settings of the daemon.
#[derive(Clone)]
pub struct Config {
    /// Who may connect; everybody else is closed without a word.
    pub allow: Arc<dyn Fn(IpAddr) -> bool + Send + Sync>,
    /// How many connections at once.
    pub limits: Limits,
    /// A client that says nothing for so long is closed.
    pub idle: Duration,
    /// How arguments are written.
    pub quoting: Quoting,
}

/// The daemon.
pub struct Server {
    config: Config,
    manners: Manners,
    gateway: Arc<dyn Authenticator>,
}

impl Server {
    /// A daemon that asks `gateway`.
    #[must_use]
    pub fn new(config: Config, gateway: Arc<dyn Authenticator>) -> Self {
        let version = concat!("dmail tcpauth ", env!("CARGO_PKG_VERSION")).to_owned();
        let manners = Manners { version, quoting: config.quoting, changes: false };
        Self { config, manners, gateway }
    }

    /// Serves `listener` until the server is asked to stop.
    pub async fn run(self: Arc<Self>, listener: TcpListener, shutdown: Shutdown) {
        let policy = Policy {
            service: "tcpauth",
            slots: Slots::new(self.config.limits),
            busy: b"-DEAD too many connections\n",
            allow: Arc::clone(&self.config.allow),
        };
        let stop = shutdown.clone();
        dmail_net::serve(listener, policy, shutdown, move |stream, peer| {
            Arc::clone(&self).session(stream, peer, stop.clone())
        })
        .await;
    }

    /// Answers one client. Requests that arrive together are answered in one
    /// write, in their order.
    async fn session(self: Arc<Self>, stream: TcpStream, peer: Peer, stop: Shutdown) {
        let mut connection = Connection::new(stream, MAX_REQUEST_BYTES, Ending::LfOrCrLf);
        tracing::debug!(client = %peer.client, "tcpauth client connected");
        loop {
            let request = match connection.line(self.config.idle, Some(&stop)).await {
                Ok(Frame::Line(line)) => Request::parse(line, self.config.quoting),
                Ok(Frame::Refused(fault)) => {
                    Reply::err(fault.to_string()).write(connection.output());
                    if !connection.has_line() && connection.flush(WRITE_PATIENCE).await.is_err() {
                        return;
                    }
                    continue;
                }
                Err(reason) => {
                    tracing::debug!(client = %peer.client, %reason, "tcpauth client left");
                    return;
                }
            };
            let last = request == Ok(Request::Exit);
            match request {
                Ok(request) => {
                    let gateway = &*self.gateway;
                    helper::answer(request, gateway, &self.manners, connection.output()).await;
                }
                Err(error) => Reply::err(error.to_string()).write(connection.output()),
            }
            let send = last || !connection.has_line();
            if (send && connection.flush(WRITE_PATIENCE).await.is_err()) || last {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use dmail_core::{Account, AuthRequest, Unavailable, Verdict};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// Knows everybody.
    struct Base;

    #[async_trait]
    impl Authenticator for Base {
        async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
            Ok(Verdict::accepted(Account::named(request.user.clone())))
        }
    }

    /// What a daemon that allows `allow` answers to `input`.
    async fn talk(allow: fn(IpAddr) -> bool, input: &[u8]) -> String {
        let listener = dmail_net::bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
        let address = listener.local_addr().expect("bound");
        let config = Config {
            allow: Arc::new(allow),
            limits: Limits { connections: 10, per_client: 10 },
            idle: Duration::from_secs(10),
            quoting: Quoting::default(),
        };
        let shutdown = Shutdown::new();
        let server = Arc::new(Server::new(config, Arc::new(Base)));
        let running = tokio::spawn(server.run(listener, shutdown.clone()));
        let mut client = TcpStream::connect(address).await.expect("it listens");
        client.write_all(input).await.expect("it reads");
        let mut output = String::new();
        // A client that is not allowed may see a reset instead of an end.
        let _ = client.read_to_string(&mut output).await;
        shutdown.drain(Duration::from_secs(5)).await;
        running.await.expect("no panic");
        output
    }

    #[tokio::test]
    async fn requests_that_arrive_together_are_answered_in_order() {
        let output =
            talk(|ip| ip.is_loopback(), b"check bob x 192.0.2.1\nlookup ann\nset a b\nexit\n");
        let expected =
            "+OK bob config\n+OK ann config\n-ERR changes are not allowed here\n+OK goodbye\n";
        assert_eq!(output.await, expected);
    }

    #[tokio::test]
    async fn a_stranger_is_closed_without_a_word() {
        assert_eq!(talk(|_| false, b"check bob x\n").await, "");
    }
}
