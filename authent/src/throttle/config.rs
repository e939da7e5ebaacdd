//! What the throttle is told, and what follows from it: which places a client
//! is counted for, and how long an answer waits.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// How many times as many guesses as one address a network around it may make.
const NETWORK_FACTOR: usize = 4;
/// One customer has at least this much of IPv6.
const IPV6_CUSTOMER: u8 = 64;

/// Whether a client is one of some.
pub type ClientFilter = Arc<dyn Fn(IpAddr) -> bool + Send + Sync>;

/// Settings of the throttle.
#[derive(Clone)]
pub struct ThrottleConfig {
    /// Distinct wrong passwords that cost no delay (`throttle_free`).
    pub free: usize,
    /// The delay of the first answer after those (`throttle_delay_first`); it
    /// doubles each time.
    pub first_delay: Duration,
    /// Longest delay of the answer to a wrong password (`throttle_delay_max`).
    /// Zero turns delays off.
    pub longest_delay: Duration,
    /// Distinct wrong passwords of one user, or from one address, after which
    /// the source is not asked (`throttle_failures`); four times as many from
    /// one network. 0 turns refusing off.
    pub refuse_after: usize,
    /// How long a wrong password counts (`throttle_window`).
    pub window: Duration,
    /// How long a login makes its address known for the user.
    pub known_for: Duration,
    /// Bits of an IPv4 address that are its network (`throttle_ipv4_prefix`).
    pub ipv4_prefix: u8,
    /// Bits of an IPv6 address that are its network (`throttle_ipv6_prefix`).
    pub ipv6_prefix: u8,
    /// Clients that are never counted or delayed (`throttle_except`).
    pub except: ClientFilter,
    /// Clients that many users log in through (`throttle_trust`): only the
    /// user is counted, never the address.
    pub trust: ClientFilter,
}

impl Default for ThrottleConfig {
    fn default() -> Self {
        Self {
            free: 3,
            first_delay: Duration::from_secs(2),
            longest_delay: Duration::from_secs(15),
            refuse_after: 30,
            window: Duration::from_secs(600),
            known_for: Duration::from_secs(12 * 60 * 60),
            ipv4_prefix: 24,
            ipv6_prefix: 48,
            except: Arc::new(|_| false),
            trust: Arc::new(|_| false),
        }
    }
}

impl fmt::Debug for ThrottleConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThrottleConfig")
            .field("free", &self.free)
            .field("longest_delay", &self.longest_delay)
            .field("refuse_after", &self.refuse_after)
            .field("window", &self.window)
            .finish_non_exhaustive()
    }
}

/// Which places a client's guesses are counted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Places {
    /// Where the client is: its IPv4 address, or its IPv6 /64.
    pub(super) own: Option<IpNet>,
    /// The same, if it is to blame.
    pub(super) address: Option<IpNet>,
    /// The network around it, if it is to blame and larger.
    pub(super) network: Option<IpNet>,
}

impl ThrottleConfig {
    /// Where a client with this address is counted.
    pub(super) fn places(&self, client: Option<IpAddr>) -> Places {
        let Some(client) = client.map(|client| client.to_canonical()) else {
            return Places { own: None, address: None, network: None };
        };
        let (whole, prefix) = match client {
            IpAddr::V4(_) => (32, self.ipv4_prefix.min(32)),
            IpAddr::V6(_) => (IPV6_CUSTOMER, self.ipv6_prefix.min(IPV6_CUSTOMER)),
        };
        let own = Some(network(client, whole));
        if (self.trust)(client) {
            return Places { own, address: None, network: None };
        }
        let around = (prefix < whole).then(|| network(client, prefix));
        Places { own, address: own, network: around }
    }

    /// How long the answer to the latest of so many wrong passwords waits.
    pub(super) fn delay(&self, failures: usize) -> Duration {
        match failures.saturating_sub(self.free) {
            0 => Duration::ZERO,
            over => {
                let doublings = u32::try_from(over - 1).unwrap_or(u32::MAX).min(20);
                (self.first_delay * (1 << doublings)).min(self.longest_delay)
            }
        }
    }

    /// Whether guesses are refused at all.
    pub(super) fn refuses(&self) -> bool {
        self.refuse_after != 0
    }

    /// How many guesses of a user, or from an address, are asked.
    pub(super) fn limit(&self) -> usize {
        if self.refuses() { self.refuse_after } else { usize::MAX }
    }

    /// The same for a network.
    pub(super) fn network_limit(&self) -> usize {
        self.limit().saturating_mul(NETWORK_FACTOR)
    }

    /// What so many wrong passwords from a network are for one of its
    /// addresses.
    pub(super) fn share(failures: usize) -> usize {
        failures / NETWORK_FACTOR
    }

    /// How many guesses are remembered of one user, address or network: those
    /// that it takes to refuse, or else to reach the longest delay.
    pub(super) fn kept(&self, limit: usize) -> usize {
        if self.refuses() { limit } else { (self.free + 8) * NETWORK_FACTOR }
    }
}

fn network(address: IpAddr, prefix: u8) -> IpNet {
    match address {
        IpAddr::V4(v4) => {
            IpNet::V4(Ipv4Net::new(v4, prefix).expect("a prefix of at most 32 bits").trunc())
        }
        IpAddr::V6(v6) => {
            IpNet::V6(Ipv6Net::new(v6, prefix).expect("a prefix of at most 64 bits").trunc())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_counted_for_its_address_and_for_the_network_around_it() {
        let config = ThrottleConfig {
            trust: Arc::new(|ip| ip.to_string() == "192.0.2.20"),
            ..ThrottleConfig::default()
        };
        let rows = [
            ("192.0.2.7", "192.0.2.7/32", "192.0.2.7/32", "192.0.2.0/24"),
            ("::ffff:192.0.2.7", "192.0.2.7/32", "192.0.2.7/32", "192.0.2.0/24"),
            ("192.0.2.20", "192.0.2.20/32", "", ""),
            ("2001:db8:1:2:3::4", "2001:db8:1:2::/64", "2001:db8:1:2::/64", "2001:db8:1::/48"),
            ("", "", "", ""),
        ];
        for (client, own, address, network) in rows {
            let net = |text: &str| text.parse::<IpNet>().ok();
            let expected = Places { own: net(own), address: net(address), network: net(network) };
            assert_eq!(config.places(client.parse().ok()), expected, "{client}");
        }
        let narrow = ThrottleConfig { ipv4_prefix: 32, ipv6_prefix: 64, ..config };
        for client in ["192.0.2.7", "2001:db8::1"] {
            assert_eq!(narrow.places(client.parse().ok()).network, None, "{client}");
        }
    }

    #[test]
    fn delays_double_up_to_the_longest() {
        let config = ThrottleConfig::default();
        let seconds: Vec<u64> = (1..10).map(|n| config.delay(n).as_secs()).collect();
        assert_eq!(seconds, [0, 0, 0, 2, 4, 8, 15, 15, 15]);
        assert_eq!(config.delay(usize::MAX), config.longest_delay);
        let never = ThrottleConfig { longest_delay: Duration::ZERO, ..config };
        assert_eq!(never.delay(20), Duration::ZERO);
    }
}
