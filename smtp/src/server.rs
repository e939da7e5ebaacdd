//! The service: who may connect, and what all its sessions share.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use dmail_core::Authenticator;
use dmail_net::{Peer, Policy, Shutdown, Slots, serve};
use tokio::net::TcpListener;

use crate::config::Config;
use crate::conversation::Conversation;
use crate::delivery::{Deliver, MessageId};
use crate::session::{Session, Stamp};

/// What a client reads for which there is no place.
const BUSY: &[u8] = b"421 4.3.2 too many connections, please try again later\r\n";

/// One SMTP service, on any number of listeners.
pub struct Server {
    pub(crate) config: Arc<Config>,
    pub(crate) gateway: Arc<dyn Authenticator>,
    pub(crate) delivery: Arc<dyn Deliver>,
    slots: Slots,
    messages: AtomicU64,
}

impl Server {
    /// A service that takes mail for whom `gateway` knows, and hands it to
    /// `delivery`.
    #[must_use]
    pub fn new(
        config: Config,
        gateway: Arc<dyn Authenticator>,
        delivery: Arc<dyn Deliver>,
    ) -> Self {
        Self {
            slots: Slots::new(config.limits),
            config: Arc::new(config),
            gateway,
            delivery,
            messages: AtomicU64::new(0),
        }
    }

    /// A name and a time for a message that has arrived now.
    pub(crate) fn stamp(&self) -> Stamp {
        let received_at = SystemTime::now();
        let count = self.messages.fetch_add(1, Ordering::Relaxed);
        Stamp { id: MessageId::new(received_at, std::process::id(), count), received_at }
    }

    fn policy(&self) -> Policy {
        Policy {
            service: "smtp",
            slots: self.slots.clone(),
            busy: BUSY,
            allow: Arc::clone(&self.config.allow),
        }
    }

    /// The session of a client that has just connected.
    fn session(&self, peer: Peer) -> Session {
        Session::new(Arc::clone(&self.config), peer.client_ip(), peer.local_ip())
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("config", &self.config).finish_non_exhaustive()
    }
}

/// Serves SMTP on `listener` until the server is asked to stop. Transactions
/// that are open then may finish; `shutdown` waits for them.
pub async fn run(listener: TcpListener, server: Arc<Server>, shutdown: Shutdown) {
    let stop = shutdown.clone();
    serve(listener, server.policy(), shutdown, move |stream, peer| {
        let session = server.session(peer);
        Conversation::new(stream, session, Arc::clone(&server), stop.clone()).run()
    })
    .await;
}
