//! Names of servers to addresses, which is all that nginx takes.
//!
//! An address is remembered for a minute, and for as long as the name cannot be
//! resolved again. Few names are asked for at a time, none for long.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use dmail_core::Domain;
use dmail_core::config::{Host, RemoteServer};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

/// How long an address is not asked for again.
const FRESH: Duration = Duration::from_secs(60);
/// How long a name is not asked for again that could not be resolved.
const FAILED: Duration = Duration::from_secs(5);
/// How long a login waits for an address.
const PATIENCE: Duration = Duration::from_secs(5);
/// Names that are asked for at a time.
const AT_ONCE: usize = 8;
/// Names that are remembered.
const REMEMBERED: usize = 4096;

/// Resolves names, and remembers them.
#[derive(Debug)]
pub(super) struct Resolver {
    known: Mutex<HashMap<Domain, Known>>,
    turns: Semaphore,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    address: Option<IpAddr>,
    until: Instant,
}

/// Why a name has no address.
#[derive(Debug, thiserror::Error)]
#[error("the name of the server {name} cannot be resolved: {why}")]
pub(super) struct Unresolved {
    name: String,
    why: String,
}

impl Resolver {
    pub(super) fn new() -> Self {
        Self { known: Mutex::default(), turns: Semaphore::new(AT_ONCE) }
    }

    /// The address and port of a server.
    pub(super) async fn address(&self, backend: &RemoteServer) -> Result<SocketAddr, Unresolved> {
        let port = backend.port.unwrap_or_default();
        let address = match &backend.host {
            Host::Address(address) => *address,
            Host::Name(name) => self.resolve(name).await?,
        };
        Ok(SocketAddr::new(address, port))
    }

    async fn resolve(&self, name: &Domain) -> Result<IpAddr, Unresolved> {
        let remembered = self.lock().get(name).copied();
        let fresh = remembered.filter(|known| Instant::now() < known.until);
        let failed = |why: String| Unresolved { name: name.to_string(), why };
        if let Some(known) = fresh {
            return known.address.ok_or_else(|| failed("it failed a moment ago".into()));
        }
        let (answer, stays) = match timeout(PATIENCE, self.look_up(name)).await {
            Ok(Ok(address)) => (Ok(address), FRESH),
            Ok(Err(why)) => (Err(why), FAILED),
            Err(_) => (Err(format!("no answer within {} seconds", PATIENCE.as_secs())), FAILED),
        };
        let stale = remembered.and_then(|known| known.address);
        let address = answer.as_ref().ok().copied().or(stale);
        self.remember(name, Known { address, until: Instant::now() + stays });
        address.ok_or_else(|| failed(answer.err().unwrap_or_default()))
    }

    async fn look_up(&self, name: &Domain) -> Result<IpAddr, String> {
        let _turn = self.turns.acquire().await.map_err(|error| error.to_string())?;
        let found = tokio::net::lookup_host((name.as_str(), 0)).await;
        let mut found = found.map_err(|error| error.to_string())?;
        found.next().map(|address| address.ip()).ok_or_else(|| "it has no address".into())
    }

    fn remember(&self, name: &Domain, known: Known) {
        let mut names = self.lock();
        if names.len() >= REMEMBERED && !names.contains_key(name) {
            let now = Instant::now();
            names.retain(|_, known| now < known.until);
            if names.len() >= REMEMBERED {
                names.clear();
            }
        }
        names.insert(name.clone(), known);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Domain, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backend(text: &str) -> RemoteServer {
        text.parse().expect("a server")
    }

    #[tokio::test]
    async fn an_address_is_itself_and_a_name_is_resolved() {
        let resolver = Resolver::new();
        let address = resolver.address(&backend("192.0.2.1:110")).await.expect("an address");
        assert_eq!(address, "192.0.2.1:110".parse().expect("an address"));
        let address = resolver.address(&backend("localhost:110")).await.expect("it is in hosts");
        assert!(address.ip().is_loopback() && address.port() == 110, "{address}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_known_serves_on_while_a_name_cannot_be_resolved() {
        let resolver = Resolver::new();
        let name = Domain::parse("store2.invalid").expect("a name");
        let address = Some(IpAddr::from([192, 0, 2, 1]));
        resolver.remember(&name, Known { address, until: Instant::now() });
        let found = resolver.address(&backend("store2.invalid:143")).await.expect("known");
        assert_eq!(found.ip(), IpAddr::from([192, 0, 2, 1]));
        let unknown = resolver.address(&backend("store3.invalid:143")).await;
        assert!(unknown.is_err(), "{unknown:?}");
    }

    #[test]
    fn the_names_of_many_accounts_do_not_fill_the_memory() {
        let resolver = Resolver::new();
        let until = Instant::now() + FRESH;
        for number in 0..3 * REMEMBERED {
            let name = Domain::parse(&format!("store{number}.invalid")).expect("a name");
            resolver.remember(&name, Known { address: None, until });
        }
        assert!(resolver.lock().len() <= REMEMBERED);
    }
}
