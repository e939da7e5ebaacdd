//! Accepting connections within limits, until the server is asked to stop.
//!
//! [`serve`] serves any kind of socket; [`Incoming`] is what it must know of
//! one. Here is TCP; `unix.rs` has the other kind.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::{Shutdown, Slots};

/// Connections that the kernel keeps for us while we are busy.
pub(crate) const BACKLOG: u32 = 1024;
/// Pauses after an accept that failed, for instance for want of descriptors.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Both ends of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Where the client connected from.
    pub client: SocketAddr,
    /// Where it connected to.
    pub local: SocketAddr,
}

impl Peer {
    /// The client's address. An IPv4 client of an IPv6 socket is one of IPv4.
    #[must_use]
    pub fn client_ip(&self) -> IpAddr {
        self.client.ip().to_canonical()
    }

    /// Our own address that the client chose, in the same form.
    #[must_use]
    pub fn local_ip(&self) -> IpAddr {
        self.local.ip().to_canonical()
    }
}

/// Whom a listener takes, and what it says to the others.
#[derive(Clone)]
pub struct Policy {
    /// Name of the service in the log.
    pub service: &'static str,
    /// The counters; listeners of one service share them.
    pub slots: Slots,
    /// Sent to a client that finds no place, before the connection is closed.
    pub busy: &'static [u8],
    /// Whether a client at this address may connect at all. A client that may
    /// not is closed without a word.
    pub allow: Arc<dyn Fn(IpAddr) -> bool + Send + Sync>,
}

impl std::fmt::Debug for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Policy").field("service", &self.service).finish_non_exhaustive()
    }
}

/// A socket that clients connect to.
pub trait Incoming: Send + Sync {
    /// A connection.
    type Stream: Send + 'static;
    /// What the session learns of its client.
    type Peer;

    /// Whether a session begins before the next connection is taken, in the task
    /// that takes them, so on one processor: for those that mostly have their
    /// question there, and their answer at once.
    const AT_ONCE: bool = false;

    /// The next connection, and the address that it comes from, if it has one.
    fn accept(&self)
    -> impl Future<Output = io::Result<(Self::Stream, Option<SocketAddr>)>> + Send;

    /// Makes a connection ready for its session. `None` if the client has gone
    /// already.
    fn prepare(stream: &Self::Stream, client: Option<SocketAddr>) -> Option<Self::Peer>;

    /// Sends some words to a connection that is closed then.
    fn dismiss(stream: &Self::Stream, words: &[u8]);
}

impl Incoming for TcpListener {
    type Stream = TcpStream;
    type Peer = Peer;

    async fn accept(&self) -> io::Result<(TcpStream, Option<SocketAddr>)> {
        let (stream, client) = TcpListener::accept(self).await?;
        Ok((stream, Some(client)))
    }

    fn prepare(stream: &TcpStream, client: Option<SocketAddr>) -> Option<Peer> {
        // Small replies wait for nobody.
        let _ = stream.set_nodelay(true);
        Some(Peer { client: client?, local: stream.local_addr().ok()? })
    }

    fn dismiss(stream: &TcpStream, words: &[u8]) {
        // The socket is new, so its buffer is empty: this cannot block.
        let _ = stream.try_write(words);
    }
}

/// Opens a listening socket.
///
/// # Errors
///
/// The system's, for instance that the port is busy.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // A restart must not wait for the old connections' TIME_WAIT.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Takes connections and runs `session` for each, until the server is asked to
/// stop. The sessions go on after that; [`Shutdown::drain`] waits for them.
pub async fn serve<L, S, F>(listener: L, policy: Policy, shutdown: Shutdown, session: S)
where
    L: Incoming,
    S: Fn(L::Stream, L::Peer) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let mut pause = FIRST_PAUSE;
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.asked() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, client)) => {
                pause = FIRST_PAUSE;
                admit::<L, S, F>(stream, client, &policy, &shutdown, &session).await;
            }
            Err(error) => {
                let service = policy.service;
                tracing::warn!(service, %error, "cannot accept a connection; trying again");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

/// Starts the session of one connection, or says why not. A client without an
/// address has passed the permissions of a file instead.
async fn admit<L, S, F>(
    stream: L::Stream,
    client: Option<SocketAddr>,
    policy: &Policy,
    shutdown: &Shutdown,
    session: &S,
) where
    L: Incoming,
    S: Fn(L::Stream, L::Peer) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let service = policy.service;
    let address = client.map(|client| client.ip().to_canonical());
    let shown = || address.map_or("local".to_owned(), |address| address.to_string());
    if address.is_some_and(|address| !(policy.allow)(address)) {
        tracing::info!(service, client = %shown(), reason = "address", "connection refused");
        return;
    }
    let slot = match policy.slots.take(address) {
        Ok(slot) => slot,
        Err(refusal) => {
            tracing::info!(service, client = %shown(), reason = %refusal, "connection refused");
            L::dismiss(&stream, policy.busy);
            return;
        }
    };
    let Some(peer) = L::prepare(&stream, client) else {
        return;
    };
    let session = session(stream, peer);
    let session = async move {
        session.await;
        drop(slot);
    };
    if !L::AT_ONCE {
        return shutdown.spawn_session(session);
    }
    let _held = shutdown.hold();
    let mut session = Box::pin(session);
    if begins(session.as_mut()).await {
        shutdown.spawn_session(session);
    }
}

/// Begins a session, and says whether there is more to it. One that panics has
/// ended, and takes nobody with it.
async fn begins(mut session: Pin<&mut (impl Future<Output = ()> + Send)>) -> bool {
    poll_fn(|context| {
        let polled = catch_unwind(AssertUnwindSafe(|| session.as_mut().poll(context)));
        Poll::Ready(matches!(polled, Ok(Poll::Pending)))
    })
    .await
}
