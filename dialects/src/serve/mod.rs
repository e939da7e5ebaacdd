//! Sessions on real connections: the one part of this crate that does IO.
//!
//! ```text
//!   net::serve ──▶ Conversation (one for each client) ◀──▶ Session
//!                       │        ▲
//!                    questions   │ answers, in any order
//!                       ▼        │
//!                        the gateway
//! ```
//!
//! A dialect is given a [`Server`]: how its sessions are made, whom they ask
//! and how long everything may take.

mod asking;
mod clock;
mod conversation;
mod end;
mod input;
mod refusals;
mod stream;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use dmail_core::{Authenticator, Service};
use dmail_net::{Limits, Peer, Policy, Shutdown, Slots, UnixListener, UnixStream};
use tokio::net::{TcpListener, TcpStream};

use crate::Session;
use conversation::Conversation;
use refusals::Refusals;

pub use end::End;
pub use stream::{Piped, Stream};

/// How the clients of a dialect are treated.
#[derive(Clone)]
pub struct Manners {
    /// The name of the dialect, for the log and for the gateway.
    pub dialect: &'static str,
    /// The service that a request counts for which names none that we know.
    pub service: Option<Service>,
    /// How long an answer may take. After that nobody has decided, and the
    /// client is told so in time.
    pub timeout: Duration,
    /// How long a client may take until it says anything.
    pub first_words: Option<Duration>,
    /// How long it may say nothing after that.
    pub idle: Option<Duration>,
    /// How many questions of one connection may be under way. No more is read
    /// until some of them are answered.
    pub outstanding: usize,
}

impl Manners {
    /// Manners for programs that stay connected while they run, as mail
    /// servers do. To be changed field by field.
    #[must_use]
    pub fn new(dialect: &'static str) -> Self {
        Self {
            dialect,
            service: None,
            timeout: Duration::from_secs(9),
            first_words: Some(Duration::from_secs(30)),
            // Longer than any mail server leaves a connection unused that it
            // means to use again.
            idle: Some(Duration::from_secs(3600)),
            outstanding: 1_000,
        }
    }

    /// Manners for a program that another one has started and talks to on
    /// standard input and output, whenever it wants.
    #[must_use]
    pub fn of_program(dialect: &'static str) -> Self {
        Self { first_words: None, idle: None, ..Self::new(dialect) }
    }
}

impl fmt::Debug for Manners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Manners").field("dialect", &self.dialect).finish_non_exhaustive()
    }
}

/// Makes the session of a new connection.
pub type NewSession = Box<dyn Fn() -> Box<dyn Session> + Send + Sync>;

/// Decides by a client's address.
pub type ByAddress = Arc<dyn Fn(IpAddr) -> bool + Send + Sync>;

/// One dialect as it is served in one place.
pub struct Server {
    manners: Arc<Manners>,
    slots: Slots,
    allow: ByAddress,
    gateway: Arc<dyn Authenticator>,
    new_session: NewSession,
    refusals: Arc<Refusals>,
}

impl Server {
    /// Serves sessions of `new_session`, which ask `gateway`. `allow` says who
    /// may connect over TCP; everybody else is closed without a word.
    pub fn new(
        manners: Manners,
        limits: Limits,
        allow: ByAddress,
        gateway: Arc<dyn Authenticator>,
        new_session: NewSession,
    ) -> Arc<Self> {
        let slots = Slots::new(limits);
        let refusals = Arc::new(Refusals::new(manners.dialect));
        Arc::new(Self { manners: Arc::new(manners), slots, allow, gateway, new_session, refusals })
    }

    /// Serves TCP until the server is asked to stop.
    pub async fn serve_tcp(self: Arc<Self>, listener: TcpListener, shutdown: Shutdown) {
        let policy = self.policy();
        let stop = shutdown.clone();
        dmail_net::serve(listener, policy, shutdown, move |stream: TcpStream, _: Peer| {
            Arc::clone(&self).talk(stream, stop.clone())
        })
        .await;
    }

    /// Serves a unix socket until the server is asked to stop.
    pub async fn serve_unix(self: Arc<Self>, listener: UnixListener, shutdown: Shutdown) {
        let policy = self.policy();
        let stop = shutdown.clone();
        dmail_net::serve(listener, policy, shutdown, move |stream: UnixStream, ()| {
            Arc::clone(&self).talk(stream, stop.clone())
        })
        .await;
    }

    async fn talk<S: Stream>(self: Arc<Self>, stream: S, shutdown: Shutdown) {
        let session = (self.new_session)();
        let dialect = self.manners.dialect;
        tracing::debug!(dialect, server = stream.peer(), "connected");
        let (manners, gateway) = (Arc::clone(&self.manners), Arc::clone(&self.gateway));
        let refusals = Arc::clone(&self.refusals);
        let mut conversation = Conversation::new(manners, gateway, session, refusals, stream);
        let end = conversation.run(&shutdown).await;
        let server = || conversation.peer();
        match end {
            End::Broken(reason) => {
                tracing::info!(dialect, server = server(), reason, "connection ended");
            }
            end => tracing::debug!(dialect, server = server(), reason = %end, "connection ended"),
        }
    }

    fn policy(&self) -> Policy {
        Policy {
            service: self.manners.dialect,
            slots: self.slots.clone(),
            // To be cut off is "try again later" to all clients but Dovecot up
            // to 2.3.21, and there is no word for it that all dialects have.
            busy: b"",
            allow: Arc::clone(&self.allow),
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("manners", &self.manners).finish_non_exhaustive()
    }
}

/// Runs one session on one stream to its end, and says why it ended. What was
/// asked before the server is asked to stop is still answered.
pub async fn converse<S: Stream>(
    manners: Arc<Manners>,
    gateway: Arc<dyn Authenticator>,
    session: Box<dyn Session>,
    stream: S,
    shutdown: &Shutdown,
) -> End {
    let refusals = Arc::new(Refusals::new(manners.dialect));
    Conversation::new(manners, gateway, session, refusals, stream).run(shutdown).await
}

#[cfg(test)]
mod tests;
