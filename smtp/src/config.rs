//! What can be set.

use std::collections::HashSet;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use dmail_core::{Domain, Username};
use dmail_net::Limits;

/// The settings of one SMTP service.
#[derive(Clone)]
pub struct Config {
    /// The name that the greeting gives; one line, no control characters.
    pub host_name: String,
    /// What the greeting says behind it (`smtp_welcome`); one line.
    pub welcome: String,
    /// The domains that have mailboxes here.
    pub local_domains: LocalDomains,
    /// Who gets the mail for `postmaster`, in all these domains (`sysadmin`).
    /// RFC 5321 section 4.5.1 demands somebody; without, it must be a user.
    pub postmaster: Option<Username>,
    /// Whether clients may log in although the connection is not encrypted.
    /// Clients on this machine always may.
    pub auth_without_tls: bool,
    /// Which client addresses may connect.
    pub allow: Arc<dyn Fn(IpAddr) -> bool + Send + Sync>,
    /// How many connections at once.
    pub limits: Limits,
    /// What one connection may do.
    pub session: SessionLimits,
    /// The largest message, in octets as SIZE counts them.
    pub max_message_size: u64,
    /// A message that is larger than this, in bytes, goes into a file while
    /// it is received.
    pub memory_limit: usize,
    /// Where these files are made. They have no names.
    pub work_path: PathBuf,
    /// How long a client may take over one command (`smtp_timeout`).
    pub command_timeout: Duration,
    /// How long the content may make no progress (`smtp_data_timeout`), and
    /// how long it may be slower than [`min_data_rate`](Self::min_data_rate).
    pub data_timeout: Duration,
    /// How fast the content must come, in bytes per second.
    pub min_data_rate: u64,
    /// How long a client may take to accept replies.
    pub write_timeout: Duration,
}

/// What one connection may do before it is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionLimits {
    /// Commands of all kinds.
    pub commands: u32,
    /// Commands that do nothing, such as NOOP and RSET, between two messages.
    pub idle_commands: u32,
    /// Mistakes. From half of them on, answers to more come after a pause.
    pub errors: u32,
    /// Recipients that are refused: more is a search for names. From half of
    /// them on, answers to more come after a pause.
    pub refused_recipients: u32,
    /// Messages.
    pub messages: u32,
    /// Recipients of one message. Those beyond are told to come back, and the
    /// message goes to the others.
    pub recipients: usize,
    /// How long a pause is.
    pub pause: Duration,
}

/// The domains that have mailboxes here. One of them is the main domain, whose
/// postmaster answers to the address `postmaster`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalDomains {
    main: Domain,
    all: HashSet<Domain>,
}

impl LocalDomains {
    /// The main domain and all others.
    pub fn new(main: Domain, others: impl IntoIterator<Item = Domain>) -> Self {
        let all = others.into_iter().chain([main.clone()]).collect();
        Self { main, all }
    }

    /// The main domain.
    #[must_use]
    pub fn main(&self) -> &Domain {
        &self.main
    }

    /// Whether `domain` has mailboxes here.
    #[must_use]
    pub fn contains(&self, domain: &Domain) -> bool {
        self.all.contains(domain)
    }
}

impl Default for LocalDomains {
    fn default() -> Self {
        Self::new(Domain::parse("localhost").expect("localhost is a domain"), [])
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            host_name: "localhost".to_owned(),
            welcome: "DSMTP ESMTP Server".to_owned(),
            local_domains: LocalDomains::default(),
            postmaster: None,
            auth_without_tls: false,
            allow: Arc::new(|_| true),
            limits: Limits { connections: 1000, per_client: 100 },
            session: SessionLimits::default(),
            max_message_size: 50 << 20,
            memory_limit: 64 << 10,
            work_path: std::env::temp_dir(),
            command_timeout: Duration::from_secs(300),
            data_timeout: Duration::from_secs(180),
            min_data_rate: 500,
            write_timeout: Duration::from_secs(60),
        }
    }
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self {
            commands: 100_000,
            idle_commands: 100,
            errors: 20,
            refused_recipients: 20,
            messages: 1000,
            recipients: 100,
            pause: Duration::from_secs(1),
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("host_name", &self.host_name)
            .field("local_domains", &self.local_domains)
            .field("auth_without_tls", &self.auth_without_tls)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_in_flight_on_every_connection_needs_little_memory() {
        let config = Config::default();
        assert!(config.limits.connections * config.memory_limit <= 64 << 20);
    }

    #[test]
    fn the_main_domain_is_local_too() {
        let [main, other, foreign] = ["corp.example", "b.example", "x.example"]
            .map(|name| Domain::parse(name).expect("a domain"));
        let domains = LocalDomains::new(main.clone(), [other.clone()]);
        assert!(domains.contains(&main) && domains.contains(&other));
        assert!(!domains.contains(&foreign));
    }
}
