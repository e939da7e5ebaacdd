//! The service: who may connect, and what all its sessions share.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use dmail_core::{Authenticator, Origin, Service, Transport};
use dmail_net::{Peer, Policy, Shutdown, Slots, serve};
use tokio::net::TcpListener;

use crate::config::Config;
use crate::conversation::Conversation;
use crate::session::Session;
use crate::workers::Workers;

/// What a client reads for which there is no place.
const BUSY: &[u8] = b"-ERR [SYS/TEMP] too many connections, please try again later\r\n";

/// One POP3 service, on any number of listeners.
pub struct Server {
    pub(crate) config: Config,
    pub(crate) gateway: Arc<dyn Authenticator>,
    /// Those that open and change mailboxes, and may wait for a lock, have
    /// their own places: they must not keep others from reading.
    pub(crate) openers: Workers,
    pub(crate) readers: Workers,
    slots: Slots,
}

impl Server {
    /// A service that lets in whom `gateway` accepts. An account that it
    /// returns must say which drop file is the user's.
    #[must_use]
    pub fn new(config: Config, gateway: Arc<dyn Authenticator>) -> Self {
        Self {
            openers: Workers::new(config.openers, config.turn_timeout),
            readers: Workers::new(config.readers, config.turn_timeout),
            slots: Slots::new(config.limits),
            config,
            gateway,
        }
    }

    fn policy(&self) -> Policy {
        Policy {
            service: "pop3",
            slots: self.slots.clone(),
            busy: BUSY,
            allow: Arc::clone(&self.config.user_ip_address),
        }
    }

    /// The session of a client that has just connected.
    fn session(&self, peer: Peer) -> Session<dmail_mailbox::Mailbox> {
        let client = peer.client_ip();
        let origin = Origin {
            client: Some(client),
            local: Some(peer.local_ip()),
            transport: Transport::Insecure,
            ..Origin::local(Service::Pop3)
        };
        Session::new(origin, self.allows_login(client), self.config.session)
    }

    /// Whether a password may travel in clear: this machine's own network
    /// cannot be listened to from outside.
    fn allows_login(&self, client: IpAddr) -> bool {
        self.config.login_without_tls || client.is_loopback()
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("config", &self.config).finish_non_exhaustive()
    }
}

/// Serves POP3 on `listener` until the server is asked to stop. Users who are
/// logged in then may finish; `shutdown` waits for them.
pub async fn run(listener: TcpListener, server: Arc<Server>, shutdown: Shutdown) {
    let stop = shutdown.clone();
    serve(listener, server.policy(), shutdown, move |stream, peer| {
        let session = server.session(peer);
        Conversation::new(stream, session, Arc::clone(&server), stop.clone()).run(peer)
    })
    .await;
}
