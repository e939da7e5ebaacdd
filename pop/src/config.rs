//! What can be set.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use dmail_mailbox::LockPolicy;
use dmail_net::Limits;

/// The settings of one POP3 service.
#[derive(Clone)]
pub struct Config {
    /// The name that the greeting gives; one line, no control characters.
    pub host_name: String,
    /// Whether clients may log in although the connection is not encrypted.
    /// Clients on this machine always may.
    pub login_without_tls: bool,
    /// Which client addresses may connect (`user_ip_address`).
    pub user_ip_address: Arc<dyn Fn(IpAddr) -> bool + Send + Sync>,
    /// How many connections at once.
    pub limits: Limits,
    /// What one connection may get wrong.
    pub session: SessionLimits,
    /// How long a connection may take to log in, all attempts together.
    pub login_timeout: Duration,
    /// How long a client that is logged in may be silent (`pop_timeout`). RFC
    /// 1939 section 3 wants ten minutes at least. Nothing is deleted then.
    pub idle_timeout: Duration,
    /// How long a client may take to accept up to 64 KB of a reply.
    pub write_timeout: Duration,
    /// How the mailbox is locked while it is opened and changed.
    pub lock: LockPolicy,
    /// How many mailboxes may be opened or changed at the same moment. Each
    /// keeps a thread, also while it waits for a lock.
    pub openers: usize,
    /// How many mailboxes may be read from at the same moment.
    pub readers: usize,
    /// How long work on a mailbox may wait for its turn.
    pub turn_timeout: Duration,
}

/// What one connection may get wrong before it is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionLimits {
    /// Logins that failed, whatever the reason.
    pub failed_logins: u16,
    /// Mistakes before the login.
    pub mistakes_before_login: u16,
    /// Mistakes in all.
    pub mistakes: u16,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            host_name: "localhost".to_owned(),
            login_without_tls: false,
            user_ip_address: Arc::new(|_| true),
            limits: Limits { connections: 10_000, per_client: 100 },
            session: SessionLimits::default(),
            login_timeout: Duration::from_secs(3 * 60),
            idle_timeout: Duration::from_secs(10 * 60),
            write_timeout: Duration::from_secs(2 * 60),
            lock: LockPolicy::default(),
            openers: 64,
            readers: 32,
            turn_timeout: Duration::from_secs(10),
        }
    }
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self { failed_logins: 3, mistakes_before_login: 5, mistakes: 20 }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("host_name", &self.host_name)
            .field("login_without_tls", &self.login_without_tls)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
