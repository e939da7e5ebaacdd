//! How many connections a server takes, in all and from one client.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// How many connections at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From everybody together.
    pub connections: usize,
    /// From one client: an IPv4 address, or an IPv6 /64 network.
    pub per_client: usize,
}

/// Counts the connections of one server. Clones share the counters.
#[derive(Debug, Clone)]
pub struct Slots {
    limits: Limits,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_client: HashMap<IpAddr, usize>,
}

/// A place that a connection occupies; given back when dropped.
#[derive(Debug)]
pub struct Slot {
    client: Option<IpAddr>,
    taken: Arc<Mutex<Taken>>,
}

/// Which limit is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// This client has as many connections as it may.
    #[error("too many connections from this client")]
    Client,
    /// The server has as many as it may.
    #[error("too many connections")]
    Server,
}

impl Slots {
    /// Counters at zero.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, taken: Arc::default() }
    }

    /// Takes a place for a connection from `address`. One without an address
    /// (on a unix socket) counts among all only.
    ///
    /// # Errors
    ///
    /// Says which limit is reached.
    pub fn take(&self, address: impl Into<Option<IpAddr>>) -> Result<Slot, Refusal> {
        let client = address.into().map(client_of);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.all >= self.limits.connections {
            return Err(Refusal::Server);
        }
        if let Some(client) = client {
            let mine = taken.by_client.entry(client).or_default();
            if *mine >= self.limits.per_client {
                return Err(Refusal::Client);
            }
            *mine += 1;
        }
        taken.all += 1;
        Ok(Slot { client, taken: Arc::clone(&self.taken) })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all -= 1;
        if let Some(client) = self.client
            && let Some(mine) = taken.by_client.get_mut(&client)
        {
            *mine -= 1;
            if *mine == 0 {
                taken.by_client.remove(&client);
            }
        }
    }
}

/// Whom an address stands for: itself, or its /64, of which one IPv6 customer
/// has all addresses.
fn client_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_place_is_free_again_when_its_connection_ends() {
        let slots = Slots::new(Limits { connections: 3, per_client: 2 });
        let first = slots.take(ip("192.0.2.1")).expect("free");
        let _second = slots.take(ip("192.0.2.1")).expect("free");
        assert_eq!(slots.take(ip("192.0.2.1")).err(), Some(Refusal::Client));
        let _third = slots.take(ip("192.0.2.2")).expect("free");
        assert_eq!(slots.take(ip("192.0.2.3")).err(), Some(Refusal::Server));
        assert_eq!(slots.take(None).err(), Some(Refusal::Server));
        drop(first);
        assert!(slots.take(ip("192.0.2.3")).is_ok());
    }

    #[test]
    fn an_ipv6_network_is_one_client() {
        let slots = Slots::new(Limits { connections: 9, per_client: 1 });
        let _one = slots.take(ip("2001:db8::1")).expect("free");
        assert_eq!(slots.take(ip("2001:db8::2")).err(), Some(Refusal::Client));
        assert!(slots.take(ip("2001:db8:0:1::1")).is_ok());
        let _v4 = slots.take(ip("192.0.2.1")).expect("free");
        assert_eq!(slots.take(ip("::ffff:192.0.2.1")).err(), Some(Refusal::Client));
    }
}
