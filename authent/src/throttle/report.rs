//! What is counted, for the administrator: to see, and to forget.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use dmail_core::bounded::Table;
use dmail_core::{NameError, Username};
use ipnet::IpNet;

use super::Throttle;
use super::failures::Failures;

/// Whose wrong passwords are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// A user's, from wherever.
    User,
    /// Those from one address, or one IPv6 `/64`.
    Address,
    /// Those from the network around it.
    Network,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::User => "user",
            Self::Address => "address",
            Self::Network => "network",
        })
    }
}

/// One user, address or network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// The name, as the source knows it.
    User(Username),
    /// An address, or an IPv6 `/64`.
    Address(IpNet),
    /// A network.
    Network(IpNet),
}

impl Subject {
    /// What it is.
    #[must_use]
    pub fn scope(&self) -> Scope {
        match self {
            Self::User(_) => Scope::User,
            Self::Address(_) => Scope::Address,
            Self::Network(_) => Scope::Network,
        }
    }
}

/// The name, the address or the network alone.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => user.fmt(f),
            Self::Address(net) if net.prefix_len() == net.max_prefix_len() => net.addr().fmt(f),
            Self::Address(net) | Self::Network(net) => net.fmt(f),
        }
    }
}

/// What is counted of somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// Of whom.
    pub subject: Subject,
    /// Distinct wrong passwords within the window.
    pub failures: usize,
    /// How many are allowed; `None`: any number.
    pub limit: Option<usize>,
    /// When the last of them is forgotten.
    pub forgotten_in: Duration,
}

impl Counted {
    /// Whether new guesses are refused now.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.limit.is_some_and(|limit| self.failures >= limit)
    }
}

/// Whose wrong passwords are to be forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Everybody's.
    All,
    /// Those from a network, from what is in it, and from the networks around
    /// it. An address is a network.
    Network(IpNet),
    /// A user's.
    User(Username),
}

impl Target {
    /// Reads `all`, an address, a network, or a user name. `user:NAME` is a
    /// name whatever it looks like.
    ///
    /// # Errors
    ///
    /// If it is neither of them.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if let Some(name) = text.strip_prefix("user:") {
            return Username::parse(name.as_bytes()).map(Self::User);
        }
        if text == "all" {
            return Ok(Self::All);
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Network(address.to_canonical().into()));
        }
        if let Ok(network) = text.parse::<IpNet>() {
            return Ok(Self::Network(network.trunc()));
        }
        Username::parse(text.as_bytes()).map(Self::User)
    }
}

impl Throttle {
    /// All that is counted, the worst first.
    #[must_use]
    pub fn list(&self) -> Vec<Counted> {
        let (limit, network_limit) = (self.config.limit(), self.config.network_limit());
        let mut found = Vec::new();
        self.collect(&self.users, limit, Subject::User, &mut found);
        self.collect(&self.addresses, limit, |net: IpNet| Subject::Address(net), &mut found);
        self.collect(&self.networks, network_limit, |net: IpNet| Subject::Network(net), &mut found);
        found.sort_by_cached_key(|counted| {
            (std::cmp::Reverse(counted.failures), counted.subject.to_string())
        });
        found
    }

    fn collect<K: std::hash::Hash + Eq + Clone>(
        &self,
        table: &Table<K, Failures>,
        limit: usize,
        subject: impl Fn(K) -> Subject,
        found: &mut Vec<Counted>,
    ) {
        let window = self.config.window;
        let limit = (limit != usize::MAX).then_some(limit);
        table.retain(|key, failures| {
            failures.expire(window);
            if let Some(forgotten_in) = failures.forgotten_in(window) {
                let (subject, failures) = (subject(key.clone()), failures.count());
                found.push(Counted { subject, failures, limit, forgotten_in });
            }
            true
        });
    }

    /// Forgets wrong passwords; returns of how many users, addresses and
    /// networks. A user's name is the one that the source knows.
    pub fn clear(&self, target: &Target) -> usize {
        match target {
            Target::All => {
                self.users.retain(|_, _| false)
                    + self.addresses.retain(|_, _| false)
                    + self.networks.retain(|_, _| false)
            }
            Target::Network(network) => {
                let apart = |known: &IpNet| !known.contains(network) && !network.contains(known);
                self.addresses.retain(|known, _| apart(known))
                    + self.networks.retain(|known, _| apart(known))
            }
            Target::User(user) => self.users.retain(|known, _| known != user),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_forget_is_everything_a_network_or_a_user() {
        let name = |text: &str| Target::User(Username::parse(text.as_bytes()).expect("a name"));
        let network = |text: &str| Target::Network(text.parse().expect("a network"));
        let rows = [
            ("all", Target::All),
            ("192.0.2.7", network("192.0.2.7/32")),
            ("::ffff:192.0.2.7", network("192.0.2.7/32")),
            ("192.0.2.7/24", network("192.0.2.0/24")),
            ("2001:db8::/48", network("2001:db8::/48")),
            ("bob", name("bob")),
            ("bob@corp.example", name("bob@corp.example")),
            ("user:all", name("all")),
        ];
        for (text, expected) in rows {
            assert_eq!(Target::parse(text), Ok(expected), "{text}");
        }
        assert!(Target::parse("two words").is_err());
    }
}
