//! Lookup tables for mail servers: one map name for each thing that a server
//! may want to know of an address, whichever protocol asks.
//!
//! | map | key | value | for Postfix' |
//! |---|---|---|---|
//! | `vdomain` | a domain | `OK` if it is ours | `virtual_mailbox_domains` |
//! | `transport` | a domain or an address of ours | the configured transport | `transport_maps` |
//! | `vmailbox` | an address | the drop file, without the first `/` | `virtual_mailbox_maps` |
//! | `valias` | an address | where its mail is forwarded to, a comma list | `virtual_alias_maps` |
//! | `sender_login` | an address | the login name that may send as it | `smtpd_sender_login_maps` |
//! | `quota` | an address | the quota of the account | |
//!
//! Servers ask for more than whole addresses (`@domain`, a bare `user`): such
//! keys are not found. Of `user+extension@domain` they ask as it is, and Postfix
//! asks these tables no second time: if there is no such user, it is `user`.

use dmail_core::{
    Account, AuthRequest, Domain, DropPath, Origin, RejectionKind, Service, Unavailable, Username,
    Verdict,
};

use crate::extension::without_extension;

/// What the tables know without asking anybody.
#[derive(Debug, Clone, Default)]
pub struct Tables {
    /// Our mail domains.
    pub domains: Vec<Domain>,
    /// How mail for our domains travels, as `transport_maps` takes it.
    pub transport: Option<String>,
}

/// Addresses in one value of `valias`: Postfix expands an address to a thousand.
const MAX_ADDRESSES: usize = 1_000;

/// A key of a map that the gateway has to be asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    map: Map,
    /// An address in one of our domains: the key, or what it is without its
    /// extension.
    address: Username,
    /// Whether the key has an extension beside that.
    is_extended: bool,
}

/// A map of which the gateway knows the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Map {
    /// Address to drop file.
    Mailbox,
    /// Address to forwarding addresses.
    Alias,
    /// Address to login name.
    SenderLogin,
    /// Address to quota.
    Quota,
}

/// What becomes of a key.
#[derive(Debug)]
pub enum Lookup {
    /// The value is known.
    Known(Value),
    /// The gateway has to be asked.
    Ask(Query, AuthRequest),
}

/// What comes of the answer to a question.
#[derive(Debug)]
pub enum Told {
    /// The value.
    Value(Value),
    /// The gateway has to be asked about the address without its extension.
    Ask(Query, AuthRequest),
}

/// The answer of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// The value.
    Found(String),
    /// There is none.
    NotFound,
    /// Nobody knows now.
    Later,
    /// There is no such map.
    NoSuchMap,
}

impl Tables {
    /// Looks `key` up in the map called `name`.
    #[must_use]
    pub fn look_up(&self, name: &str, key: &str) -> Lookup {
        let map = match name {
            "vdomain" => return Lookup::Known(self.vdomain(key)),
            "transport" => return Lookup::Known(self.transport(key)),
            "vmailbox" => Map::Mailbox,
            "valias" => Map::Alias,
            "sender_login" => Map::SenderLogin,
            "quota" => Map::Quota,
            _ => return Lookup::Known(Value::NoSuchMap),
        };
        let whole = key.rsplit_once('@').is_some_and(|(local, _)| !local.is_empty());
        match Username::parse(key.as_bytes()) {
            Ok(user) if whole && self.is_ours(user.split_domain().1) => {
                let query = Query { map, address: user, is_extended: false };
                let request = query.request();
                Lookup::Ask(query, request)
            }
            _ => Lookup::Known(Value::NotFound),
        }
    }

    fn vdomain(&self, key: &str) -> Value {
        if self.is_ours(Some(key)) { Value::Found("OK".into()) } else { Value::NotFound }
    }

    fn transport(&self, key: &str) -> Value {
        let domain = key.rsplit_once('@').map_or(key, |(_, domain)| domain);
        match &self.transport {
            Some(transport) if self.is_ours(Some(domain)) => Value::Found(transport.clone()),
            _ => Value::NotFound,
        }
    }

    fn is_ours(&self, domain: Option<&str>) -> bool {
        let domain = domain.and_then(|domain| Domain::parse(domain).ok());
        domain.is_some_and(|domain| self.domains.contains(&domain))
    }
}

impl Query {
    /// The question for the gateway.
    fn request(&self) -> AuthRequest {
        // Who may send need not take mail now.
        let service = match self.map {
            Map::SenderLogin => Service::Line,
            Map::Mailbox | Map::Alias | Map::Quota => Service::Smtp,
        };
        AuthRequest::lookup(self.address.clone(), Origin::local(service))
    }

    /// What comes of the gateway's answer.
    #[must_use]
    pub fn answered(&self, verdict: &Result<Verdict, Unavailable>) -> Told {
        if let Ok(Verdict::Rejected(rejection)) = verdict
            && let RejectionKind::UnknownUser | RejectionKind::NotVerified = rejection.kind
            && let Some(address) = without_extension(&self.address)
        {
            let plain = Self { map: self.map, address, is_extended: true };
            let request = plain.request();
            return Told::Ask(plain, request);
        }
        Told::Value(self.value(verdict))
    }

    /// The value that a verdict stands for.
    fn value(&self, verdict: &Result<Verdict, Unavailable>) -> Value {
        match verdict {
            Ok(Verdict::Accepted(account)) => self.of(account),
            Ok(Verdict::Rejected(rejection)) => match rejection.kind {
                RejectionKind::UnknownUser
                | RejectionKind::NotVerified
                | RejectionKind::NotAllowed
                | RejectionKind::Disabled
                | RejectionKind::BadInput => Value::NotFound,
                // To say "no such user" would bounce mail.
                RejectionKind::OnHold | RejectionKind::Throttled | RejectionKind::Unsupported => {
                    Value::Later
                }
            },
            Err(_) => Value::Later,
        }
    }

    fn of(&self, account: &Account) -> Value {
        let found = match self.map {
            Map::Mailbox => match &account.drop {
                DropPath::File(path) => {
                    path.to_str().map(|path| path.trim_start_matches('/').to_owned())
                }
                DropPath::Config => None,
            },
            Map::Alias => {
                let forward = account.info.forward().and_then(|list| self.addresses(list));
                // Whoever delivers may not know of extensions.
                forward.or_else(|| self.is_extended.then(|| self.address.to_string()))
            }
            Map::SenderLogin => Some(account.name.to_string()),
            Map::Quota => account.info.get("quota").map(str::to_owned),
        };
        found.map_or(Value::NotFound, Value::Found)
    }

    /// The addresses of a comma list of forwards. `$user` is the mailbox
    /// itself, a name without a domain is in the same domain, and what is no
    /// address is left out. Nothing of a list with a program to run is used:
    /// its arguments may hold commas.
    fn addresses(&self, list: &str) -> Option<String> {
        if list.contains(['|', '"']) {
            return None;
        }
        let (_, domain) = self.address.split_domain();
        let address = |item: &str| match (item, item.contains('@')) {
            ("$user", _) => Some(self.address.to_string()),
            _ if item.is_empty() || item.contains(['\\', '/', ':', '$']) => None,
            (address, true) => Some(address.to_owned()),
            (name, false) => domain.map(|domain| format!("{name}@{domain}")),
        };
        let sound = |item: &&str| Username::parse(item.as_bytes()).is_ok();
        let items = list.split(',').map(str::trim).filter(sound).filter_map(address);
        let addresses: Vec<String> = items.take(MAX_ADDRESSES).collect();
        (!addresses.is_empty()).then(|| addresses.join(","))
    }
}

#[cfg(test)]
mod tests {
    use dmail_core::{Rejection, UnavailableKind};

    use super::*;

    fn query(map: Map) -> Query {
        let address = Username::parse(b"bob@corp.example").expect("an address");
        Query { map, address, is_extended: false }
    }

    fn tables() -> Tables {
        let domains = vec![Domain::parse("corp.example").expect("a domain")];
        Tables { domains, transport: Some("lmtp:inet:127.0.0.1:24".into()) }
    }

    #[test]
    fn some_keys_are_known_and_some_are_asked() {
        let found = |text: &str| Value::Found(text.into());
        let rows = [
            ("vdomain", "Corp.Example", found("OK")),
            ("vdomain", "other.example", Value::NotFound),
            ("vdomain", "bob@corp.example", Value::NotFound),
            ("transport", "corp.example", found("lmtp:inet:127.0.0.1:24")),
            ("transport", "bob@corp.example", found("lmtp:inet:127.0.0.1:24")),
            ("transport", "*", Value::NotFound),
            ("vmailbox", "@corp.example", Value::NotFound),
            ("vmailbox", "bob", Value::NotFound),
            ("vmailbox", "bob@other.example", Value::NotFound),
            ("vmailbox", "two words@corp.example", Value::NotFound),
            ("nonsense", "bob@corp.example", Value::NoSuchMap),
        ];
        for (map, key, expected) in rows {
            match tables().look_up(map, key) {
                Lookup::Known(value) => assert_eq!(value, expected, "{map} {key}"),
                Lookup::Ask(..) => panic!("{map} {key} is asked"),
            }
        }
        let asked = tables().look_up("valias", "Bob@Corp.Example");
        let Lookup::Ask(Query { map: Map::Alias, .. }, request) = asked else {
            panic!("{asked:?}")
        };
        assert_eq!(request.user.as_str(), "Bob@Corp.Example");
    }

    #[test]
    fn a_verdict_becomes_the_value_of_its_map() {
        let mut account = Account::named(Username::parse(b"bob").expect("a name"));
        account.drop = DropPath::File("/var/spool/mail/bob".into());
        account.info = r#"fwd="ann@x.example" quota="5000000""#.parse().expect("info");
        let accepted = Ok(Verdict::accepted(account.clone()));
        for (map, expected) in [
            (Map::Mailbox, "var/spool/mail/bob"),
            (Map::Alias, "ann@x.example"),
            (Map::SenderLogin, "bob"),
            (Map::Quota, "5000000"),
        ] {
            assert_eq!(query(map).value(&accepted), Value::Found(expected.into()), "{map:?}");
        }
        let unknown = Ok(Verdict::Rejected(Rejection::unknown_user(&account.name)));
        assert_eq!(query(Map::Mailbox).value(&unknown), Value::NotFound);
        let plain = Ok(Verdict::accepted(Account::named(account.name.clone())));
        let extended = Query { is_extended: true, ..query(Map::Alias) };
        assert_eq!(extended.value(&plain), Value::Found("bob@corp.example".into()));
        assert_eq!(query(Map::Alias).value(&plain), Value::NotFound);
        let dead = Err(Unavailable::new(UnavailableKind::Dead, "down"));
        assert_eq!(query(Map::Mailbox).value(&dead), Value::Later);
    }

    #[test]
    fn forwards_become_the_addresses_of_an_alias() {
        let many = vec!["a@x.example"; 2_000].join(",");
        for (forward, expected) in [
            ("ann@x.example", Some("ann@x.example")),
            ("ann@x.example, bob", Some("ann@x.example,bob@corp.example")),
            ("$user,ann@x.example", Some("bob@corp.example,ann@x.example")),
            ("|/bin/robot", None),
            ("|prog one,ann@x.example", None),
            ("/etc/passwd, :include:/x", None),
            (" , ", None),
            ("two words@x.example", None),
            (&many, Some(&many[..12 * MAX_ADDRESSES - 1])),
        ] {
            let found = query(Map::Alias).addresses(forward);
            assert_eq!(found.as_deref(), expected, "{forward}");
        }
    }
}
