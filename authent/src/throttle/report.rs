//! What is counted, for the administrator: to see, and to forget.

use std::fmt;
use std::time::Duration;

use dmail_core::Username;
use ipnet::IpNet;

use super::Throttle;
use super::failures::Failures;
use super::table::Table;

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

    /// Forgets everybody's wrong passwords; returns of how many users,
    /// addresses and networks.
    pub fn clear_all(&self) -> usize {
        self.users.retain(|_, _| false)
            + self.addresses.retain(|_, _| false)
            + self.networks.retain(|_, _| false)
    }

    /// Forgets a user's wrong passwords; the name is as the source knows it.
    /// Returns whether there were any.
    pub fn clear_user(&self, user: &Username) -> bool {
        self.users.retain(|known, _| known != user) > 0
    }

    /// Forgets what was tried from a network, from what is in it, and from the
    /// networks around it. Returns how many of them there were.
    pub fn clear_network(&self, network: IpNet) -> usize {
        let apart = |known: &IpNet| !known.contains(&network) && !network.contains(known);
        self.addresses.retain(|known, _| apart(known))
            + self.networks.retain(|known, _| apart(known))
    }
}
