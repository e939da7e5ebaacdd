//! What a client is made from.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use dmail_authent::line::Quoting;
use dmail_core::Secret;

/// Where a daemon is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// A machine, by name or address, and a port.
    Tcp {
        /// The name or address, without brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// A unix socket of this machine.
    Unix(PathBuf),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Which version of the wire is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versions {
    /// The second, and the first one with a daemon that knows no other.
    Any,
    /// The first one only.
    First,
    /// The second one only.
    Second,
}

/// TLS, as the client wants it.
#[derive(Clone)]
pub struct TlsConfig {
    /// Whom it trusts, and who it is.
    pub config: Arc<rustls::ClientConfig>,
    /// The name that the daemon's certificate must have; `None` for the host
    /// in its address.
    pub name: Option<String>,
}

impl fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConfig").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Settings of the client.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// The daemons, in the order in which they are asked.
    pub servers: Vec<Endpoint>,
    /// Which version is spoken.
    pub versions: Versions,
    /// How long a question may take, all daemons together.
    pub timeout: Duration,
    /// How long a connection may take to be made, greeting included.
    pub connect_timeout: Duration,
    /// How often a line is sent at least. A daemon that is silent for three
    /// times as long is given up.
    pub heartbeat: Duration,
    /// While changes may be missed, how often all that is remembered has to be
    /// asked again.
    pub recheck_after: Duration,
    /// How many questions may be under way to one daemon.
    pub outstanding: usize,
    /// How many connections there are to a daemon of the first version, each
    /// of which carries one question at a time.
    pub plain_connections: usize,
    /// How arguments are written to a daemon of the first version.
    pub quoting: Quoting,
    /// TLS, for daemons that are asked over TCP.
    pub tls: Option<TlsConfig>,
    /// What both sides prove to know.
    pub secret: Option<Secret>,
    /// Whether the daemons may decide by the address of the user's client. If
    /// not, one that says that it does is not asked.
    pub by_address: bool,
    /// Whether this is a daemon that listens to others of its kind.
    pub peer: bool,
}
