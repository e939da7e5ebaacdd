//! Looks after a server that is down until it answers.

use std::sync::{Arc, Weak};
use std::time::Duration;

use dmail_core::Secret;
use tokio::time;

use super::Server;
use super::search::identified;
use crate::trouble::Trouble;
use crate::wire::connection::Connection;

/// The first pause; each one after it is twice as long, up to `ldap_retry_max`.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Starts to look after `server`. Ends when it is well, or nobody needs it.
pub(super) fn start(server: &Arc<Server>) {
    tokio::spawn(look_after(Arc::downgrade(server)));
}

async fn look_after(server: Weak<Server>) {
    let mut pause = FIRST_PAUSE;
    loop {
        // Many gateways may have lost the same server in the same moment.
        time::sleep(pause.mul_f64(rand::random_range(0.5..=1.0))).await;
        let Some(server) = server.upgrade() else { return };
        match time::timeout(server.link.timeout, is_well(&server)).await {
            Ok(Ok(())) => return server.recovered(),
            Ok(Err(trouble)) => server.remember(&trouble),
            Err(_) => server.remember(&server.silent()),
        }
        pause = (pause * 2).min(server.link.retry_max);
    }
}

/// A server that accepts connections may still hang, so it has to answer; and
/// to us, if we have a name.
async fn is_well(server: &Server) -> Result<(), Trouble> {
    let opened = Connection::open(&server.address, &server.link).await;
    let mut connection =
        opened.map_err(|error| Trouble::down(format!("cannot connect: {error}")))?;
    let nobody = Secret::new([]);
    let (dn, password) = match &server.link.identity {
        Some(identity) => (identity.dn.as_str(), &identity.password),
        None => ("", &nobody),
    };
    let answer = connection.bind(dn, password).await;
    let answer = answer.map_err(|error| Trouble::down(format!("a bind: {error}")))?;
    match (&server.link.identity, answer.code) {
        (Some(_), code) => identified(code, &answer.text),
        (None, code @ (51 | 52)) => Err(Trouble::result("a bind", code, &answer.text)),
        (None, _) => Ok(()),
    }
}
