//! The running gateway, as these programs ask it.

use std::time::Duration;

use dmail_authent::line::Quoting;
use dmail_tcpauth::{Client, ClientConfig, Versions};

use super::options::Options;

/// Starts connecting to the gateway. Must be called within the runtime.
pub(super) fn connect(options: &Options, outstanding: usize) -> Client {
    Client::start(ClientConfig {
        servers: vec![options.socket.clone()],
        versions: Versions::Any,
        timeout: options.timeout,
        connect_timeout: options.timeout.min(Duration::from_secs(2)),
        heartbeat: Duration::from_secs(5),
        // Nothing is remembered here.
        recheck_after: Duration::from_secs(3600),
        outstanding,
        plain_connections: outstanding.min(4),
        quoting: Quoting::default(),
        tls: None,
        secret: None,
        by_address: true,
        peer: false,
    })
}
