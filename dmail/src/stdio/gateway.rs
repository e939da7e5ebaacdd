//! The running gateway, as these programs ask it.

use std::time::Duration;

use dmail_authent::line::Quoting;
use dmail_tcpauth::{Client, ClientConfig, Versions};
use tokio::runtime::Builder;

use super::options::Options;
use crate::failure::Failure;

/// Runs `work` to its end. Whoever still reads standard input then holds
/// nobody up: he may do so for ever.
pub(super) fn run<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::other("cannot start the runtime"))?;
    let result = runtime.block_on(work);
    runtime.shutdown_background();
    Ok(result)
}

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
