//! What the pool is told.

use std::collections::HashSet;
use std::ffi::OsString;
use std::time::Duration;

use dmail_core::Domain;

use crate::line::{MAX_REPLY_BYTES, Quoting};

/// Settings of one pool of children.
#[derive(Debug, Clone)]
pub struct PoolConfig {
    /// The module's program and its arguments (`authent_process`).
    pub command: Vec<OsString>,
    /// A program, with arguments, that sets limits on itself and then becomes
    /// the module whose command line follows. Empty: the module is started
    /// directly.
    pub launcher: Vec<OsString>,
    /// How many children (`authent_number`).
    pub number: usize,
    /// How long one question may take (`authent_timeout`). A child that takes
    /// longer is killed.
    pub timeout: Duration,
    /// How many requests may wait for a child (`authent_queue`).
    pub queue_length: usize,
    /// How long a request may wait for a child (`authent_queue_age`).
    pub queue_age: Duration,
    /// Longest reply line (`authent_reply_max`), in bytes.
    pub max_reply: usize,
    /// How arguments are written (`authent_utf8`, `authent_quote`).
    pub quoting: Quoting,
    /// Whether `check` tells the client's address (`authent_send_ip`).
    pub send_address: bool,
    /// Domains that a module may append to, or leave off, the name in its
    /// reply. Any other difference but case is a fault.
    pub domains: HashSet<Domain>,
}

impl PoolConfig {
    /// The original's defaults, for this command line.
    #[must_use]
    pub fn new<W: Into<OsString>>(command: impl IntoIterator<Item = W>) -> Self {
        Self {
            command: command.into_iter().map(Into::into).collect(),
            launcher: Vec::new(),
            number: 2,
            timeout: Duration::from_secs(10),
            queue_length: 1000,
            queue_age: Duration::from_secs(10),
            max_reply: MAX_REPLY_BYTES,
            quoting: Quoting::default(),
            send_address: true,
            domains: HashSet::new(),
        }
    }
}
