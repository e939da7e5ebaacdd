//! The daemon: other machines ask one gateway.
//!
//! ```text
//!   TCP, TLS, unix socket ──▶ session (one for each client) ──▶ gateway
//!                                │          ▲
//!                              set, del     │ "changed bob"
//!                                └──▶ hub ──┘  to every client
//! ```

mod hub;
mod session;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use dmail_authent::helper::Manners;
use dmail_authent::line::Quoting;
use dmail_core::{Authenticator, Secret, Username, Watcher};
use dmail_net::{Limits, Peer, Policy, Shutdown, Slots, UnixListener, UnixStream};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use hub::{Hub, Relay};
use session::Session;

/// How long a client may take over its TLS handshake, and over its greeting and
/// proof if it can only speak the second version.
const HANDSHAKE: Duration = Duration::from_secs(if cfg!(test) { 2 } else { 10 });

/// Decides by a client's address.
pub type ByAddress = Arc<dyn Fn(IpAddr) -> bool + Send + Sync>;

/// Settings of the daemon.
#[derive(Clone)]
pub struct Config {
    /// Who may connect over TCP; everybody else is closed without a word. For
    /// a unix socket, the permissions of its file decide.
    pub allow: ByAddress,
    /// Who may `set` and `del`, if it has shown that it is who it should be: by
    /// the shared secret, a client certificate, or a unix socket. A client on a
    /// unix socket counts as 127.0.0.1.
    pub changes: ByAddress,
    /// How many connections at once.
    pub limits: Limits,
    /// A client of the first version that says nothing for so long is closed.
    pub idle: Duration,
    /// How many questions of one connection may be under way.
    pub outstanding: usize,
    /// Whether clients of the first version are answered.
    pub plain: bool,
    /// How those write arguments.
    pub quoting: Quoting,
    /// What clients over TCP must prove to know. Those of the first version
    /// cannot, and are not answered then.
    pub secret: Option<Secret>,
}

/// The daemon.
pub struct Server {
    config: Config,
    slots: Slots,
    manners: Arc<Manners>,
    changing_manners: Arc<Manners>,
    gateway: Arc<dyn Authenticator>,
    relay: Arc<Relay>,
    hub: Arc<Hub>,
}

/// Who is at the other end.
#[derive(Debug, Clone, Copy)]
struct Client {
    /// `None` on a unix socket.
    address: Option<IpAddr>,
    /// The user that it runs as, on a unix socket.
    uid: Option<u32>,
    /// Whether it has shown a certificate that we trust.
    certified: bool,
}

impl Client {
    fn is_local(&self) -> bool {
        self.address.is_none()
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.address, self.uid) {
            (Some(address), _) => write!(f, "{address}"),
            (None, Some(uid)) => write!(f, "local uid {uid}"),
            (None, None) => f.write_str("local"),
        }
    }
}

impl Server {
    /// A daemon that asks `gateway`. A change that was acknowledged is told to
    /// all clients.
    #[must_use]
    pub fn new(config: Config, gateway: Arc<dyn Authenticator>) -> Arc<Self> {
        let version = concat!("dmail tcpauth ", env!("CARGO_PKG_VERSION")).to_owned();
        let manners = Manners { version, quoting: config.quoting, changes: false };
        let hub = Arc::new(Hub::default());
        Arc::new(Self {
            slots: Slots::new(config.limits),
            changing_manners: Arc::new(Manners { changes: true, ..manners.clone() }),
            manners: Arc::new(manners),
            relay: Arc::new(Relay { gateway: Arc::clone(&gateway), hub: Arc::clone(&hub) }),
            gateway,
            hub,
            config,
        })
    }

    /// Serves TCP, with TLS if there is an acceptor, until the server is asked
    /// to stop.
    pub async fn serve_tcp(
        self: Arc<Self>,
        listener: TcpListener,
        tls: Option<TlsAcceptor>,
        shutdown: Shutdown,
    ) {
        let policy = self.policy();
        let hub = Arc::clone(&self.hub);
        dmail_net::serve(listener, policy, shutdown, move |stream, peer| {
            Arc::clone(&self).tcp_session(stream, peer, tls.clone())
        })
        .await;
        hub.stop();
    }

    /// Serves a unix socket until the server is asked to stop.
    pub async fn serve_unix(self: Arc<Self>, listener: UnixListener, shutdown: Shutdown) {
        let policy = self.policy();
        let hub = Arc::clone(&self.hub);
        dmail_net::serve(listener, policy, shutdown, move |stream: UnixStream, ()| {
            let client = Client { address: None, uid: stream.uid(), certified: false };
            Arc::clone(&self).session(stream, client)
        })
        .await;
        hub.stop();
    }

    /// Tells clients of a change that another daemon of the same user base has
    /// made. It has told the others itself, so daemons are not told again.
    pub fn heard_of(&self, user: &Username) {
        self.hub.changed(user, false);
    }

    fn policy(&self) -> Policy {
        Policy {
            service: "tcpauth",
            slots: self.slots.clone(),
            busy: b"-DEAD too many connections\n",
            allow: Arc::clone(&self.config.allow),
        }
    }

    async fn tcp_session(self: Arc<Self>, stream: TcpStream, peer: Peer, tls: Option<TlsAcceptor>) {
        let address = peer.client_ip();
        let client = Client { address: Some(address), uid: None, certified: false };
        let Some(tls) = tls else {
            return self.session(stream, client).await;
        };
        match tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await {
            Ok(Ok(stream)) => {
                let certified = stream.get_ref().1.peer_certificates().is_some();
                self.session(stream, Client { certified, ..client }).await;
            }
            Ok(Err(error)) => tracing::info!(client = %address, %error, "no TLS connection"),
            Err(_) => tracing::info!(client = %address, error = "timeout", "no TLS connection"),
        }
    }

    async fn session<S>(self: Arc<Self>, stream: S, client: Client)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        tracing::debug!(client = %client, "tcpauth client connected");
        let end = Session::new(self, client, stream).run().await;
        tracing::debug!(client = %client, reason = %end, "tcpauth client left");
    }

    /// Whether `client` is answered in the first version, which proves nothing.
    fn answers_first_version(&self, client: &Client) -> bool {
        self.config.plain && (self.config.secret.is_none() || client.is_local())
    }

    /// Whether `client` may `set` and `del`. Over TCP an address alone is no
    /// credential: a client that got here has proved the secret if there is one.
    fn may_change(&self, client: &Client) -> bool {
        let known = client.is_local() || client.certified || self.config.secret.is_some();
        let local = IpAddr::from([127, 0, 0, 1]);
        known && (self.config.changes)(client.address.unwrap_or(local))
    }
}

/// What the gateway's source hears of is passed on to the clients.
impl Watcher for Server {
    fn changed(&self, user: &Username) {
        self.hub.changed(user, false);
    }

    fn lost_track(&self) {
        self.hub.lost_track();
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
