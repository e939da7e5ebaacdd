//! A service on its sockets: who may connect, how many, and for how long.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use dmail_net::{Limits, Peer, Policy, Shutdown, Slots, UnixListener, UnixStream};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::conversation::{Conversation, End};
use crate::message::Request;
use crate::response::{Response, Status};

/// How long a client may take over its TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// What a client reads for which there is no place.
const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n\
    Content-Length: 0\r\nConnection: close\r\n\r\n";

/// Decides by a client's address.
pub type ByAddress = Arc<dyn Fn(IpAddr) -> bool + Send + Sync>;

/// What is asked in requests, and what they are answered.
pub trait Service: Send + Sync + 'static {
    /// What a request asks the gateway.
    type Question: Send;

    /// The name of the dialect, as the configuration and the log have it.
    fn name(&self) -> &'static str;

    /// Understands a request, or answers it without asking anybody. The bytes
    /// of the request are wiped after this.
    ///
    /// # Errors
    ///
    /// The answer.
    fn read(&self, request: &Request<'_>) -> Result<Self::Question, Response>;

    /// Asks, and answers.
    fn answer(&self, question: Self::Question) -> impl Future<Output = Response> + Send;

    /// The answer to a request that is none, in the form that the service has
    /// for errors. `why` is fit for the client.
    fn refuse(&self, status: Status, why: &str) -> Response;
}

/// Settings of a server.
#[derive(Clone)]
pub struct Config {
    /// Who may connect over TCP; everybody else is closed without a word. For
    /// a unix socket, the permissions of its file decide.
    pub allow: ByAddress,
    /// How many connections at once.
    pub limits: Limits,
    /// A connection without a request is closed after this.
    pub idle: Duration,
    /// How long a request may take to arrive.
    pub arrival: Duration,
    /// How long a client may take to accept a response.
    pub send: Duration,
    /// Longest body of a request, in bytes.
    pub max_body: usize,
}

impl Default for Config {
    /// For everybody; the limits are those of a busy site.
    fn default() -> Self {
        Self {
            allow: Arc::new(|_| true),
            limits: Limits { connections: 10_000, per_client: 10_000 },
            idle: Duration::from_secs(75),
            arrival: Duration::from_secs(10),
            send: Duration::from_secs(10),
            max_body: 64 * 1024,
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { limits, idle, .. } = self;
        f.debug_struct("Config").field("limits", limits).field("idle", idle).finish_non_exhaustive()
    }
}

/// A service on its sockets.
#[derive(Debug)]
pub struct Server<S> {
    service: S,
    config: Config,
    slots: Slots,
}

impl<S: Service> Server<S> {
    /// A server of this service.
    #[must_use]
    pub fn new(service: S, config: Config) -> Arc<Self> {
        Arc::new(Self { service, slots: Slots::new(config.limits), config })
    }

    /// Serves TCP, with TLS if there is an acceptor, until the server is asked
    /// to stop.
    pub async fn serve_tcp(
        self: Arc<Self>,
        listener: TcpListener,
        tls: Option<TlsAcceptor>,
        shutdown: Shutdown,
    ) {
        let (policy, stop) = (self.policy(), shutdown.clone());
        dmail_net::serve(listener, policy, shutdown, move |stream, peer| {
            Arc::clone(&self).tcp_session(stream, peer, tls.clone(), stop.clone())
        })
        .await;
    }

    /// Serves a unix socket until the server is asked to stop.
    pub async fn serve_unix(self: Arc<Self>, listener: UnixListener, shutdown: Shutdown) {
        let (policy, stop) = (self.policy(), shutdown.clone());
        dmail_net::serve(listener, policy, shutdown, move |stream: UnixStream, ()| {
            Arc::clone(&self).session(stream, None, stop.clone())
        })
        .await;
    }

    fn policy(&self) -> Policy {
        Policy {
            service: self.service.name(),
            slots: self.slots.clone(),
            busy: BUSY,
            allow: Arc::clone(&self.config.allow),
        }
    }

    async fn tcp_session(
        self: Arc<Self>,
        stream: TcpStream,
        peer: Peer,
        tls: Option<TlsAcceptor>,
        stop: Shutdown,
    ) {
        let client = peer.client_ip();
        let Some(tls) = tls else {
            return self.session(stream, Some(client), stop).await;
        };
        match tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await {
            Ok(Ok(stream)) => self.session(stream, Some(client), stop).await,
            Ok(Err(error)) => {
                tracing::info!(service = self.service.name(), %client, %error, "no TLS connection");
            }
            Err(_) => {
                let service = self.service.name();
                tracing::info!(service, %client, error = "timeout", "no TLS connection");
            }
        }
    }

    async fn session<T>(self: Arc<Self>, stream: T, client: Option<IpAddr>, stop: Shutdown)
    where
        T: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let end = Conversation::new(stream, &self.service, &self.config).run(&stop).await;
        let service = self.service.name();
        let client = client.map_or("local".to_owned(), |client| client.to_string());
        match end {
            End::Done => tracing::debug!(service, client, "client left"),
            end => tracing::info!(service, client, reason = %end, "connection ended"),
        }
    }
}
