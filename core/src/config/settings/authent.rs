//! The gateway: who answers questions about users, how long an answer is
//! remembered, and what happens to those who guess.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::super::table::Unset::{Compulsory, Nothing, Value};
use super::super::value::{Fault, Kind, addresses, boolean, number, path, seconds, word};
use crate::pattern::AddressList;

crate::settings! {
    title: "Authentication";
    /// Every login and every local recipient is a question to one user base.
    /// SIGHUP makes a running server read these settings again, with those of
    /// the module, the cache, the throttle, access, NWAuth, and the user base's
    /// own file. All others take effect at a restart.
    pub struct AuthentSettings {
        /// Who knows the users. `nwauth`: the NWAuth files. `ldap`, `mysql`:
        /// such a server. `unix_user`: this machine. `dnauth`: the file
        /// `users.dat` of DNews. `tcpauth`: a `tcpauthsvr` on another machine.
        /// `checkpassword`: a program of that interface. `dovecot`, `courier`:
        /// the auth service of such a server. `oauth2`: tokens, which another
        /// one of these has the accounts for. `multi`: several of these, each
        /// with rules of its own. `external`: the module that `authent_process`
        /// starts.
        method: AuthentMethod = one("authent_method", method()),
            default: Compulsory, example: "authent_method nwauth";

        /// The file with the settings of the user base itself; `nwauth` has
        /// them here.
        ini: Option<PathBuf> = optional("authent_ini", path()),
            default: Nothing("`ldapauth.ini`, `mysqlauth.ini` … beside dmail.conf, else in `dsmtp_path`"),
            example: "authent_ini /etc/dmail/ldapauth.ini";
    }
}

crate::settings! {
    title: "Remembered answers";
    /// Only good passwords are remembered, never bad ones, and never the
    /// password itself. A password that is not remembered always reaches the
    /// user base, so a changed one works at once.
    pub struct CacheSettings {
        /// How many users are remembered. 0 turns it off.
        entries: u64 = one("authent_cache", number(0..=100_000_000)),
            default: Value("1000"), example: "authent_cache 20000";

        /// How long an answer is good without asking again. An old password
        /// that was changed behind our back works no longer than this.
        fresh: Duration = one("authent_cache_fresh", seconds(0..=86400)),
            default: Value("300"), example: "authent_cache_fresh 1m";

        /// How long an answer is kept to help out while the user base cannot
        /// answer.
        life: Duration = one("authent_cache_life", seconds(0..=2_592_000)),
            default: Value("43200"), example: "authent_cache_life 1d";

        /// Whether answers that are not fresh any more help out at all while
        /// the user base cannot answer.
        grace: bool = one("authent_grace", boolean()),
            default: Value("true"), example: "authent_grace false";
    }
}

crate::settings! {
    title: "Throttling";
    /// A client that tries many different passwords is slowed down, and then
    /// refused for a while. One wrong password again and again is a phone with
    /// an old setting, and is not counted again. Wrong passwords are counted
    /// for the user, for the client's address and for the network around it.
    /// Whoever logged in from an address within the last twelve hours still
    /// gets in from there, whatever others try. What is counted is shown, and
    /// forgotten, by `dmail throttle`.
    pub struct ThrottleSettings {
        /// How many different wrong passwords cost no delay: typing errors.
        free: u32 = one("throttle_free", number(0..=1000)),
            default: Value("3"), example: "throttle_free 5";

        /// The delay of the answer to the first wrong password beyond
        /// `throttle_free`. It doubles with each one after that.
        delay_first: Duration = one("throttle_delay_first", seconds(0..=60)),
            default: Value("2"), example: "throttle_delay_first 1";

        /// The longest that the answer to a wrong password is delayed. Guesses
        /// that come at the same time from one address wait in line; those
        /// that would wait more than twice as long as this are refused. 0
        /// never delays.
        delay_max: Duration = one("throttle_delay_max", seconds(0..=60)),
            default: Value("15"), example: "throttle_delay_max 5";

        /// How many different wrong passwords may be tried within
        /// `throttle_window` for one user, or from one address (IPv6: one
        /// `/64`), before it is refused unasked; from one network, four times
        /// as many. 0 never refuses.
        failures: u32 = one("throttle_failures", number(0..=1000)),
            default: Value("30"), example: "throttle_failures 10";

        /// The time after which a wrong password is forgotten.
        window: Duration = one("throttle_window", seconds(1..=86400)),
            default: Value("600"), example: "throttle_window 1h";

        /// How many bits of an IPv4 address are its network. 32 counts single
        /// addresses only.
        ipv4_prefix: u8 = one("throttle_ipv4_prefix", number(8..=32)),
            default: Value("24"), example: "throttle_ipv4_prefix 28";

        /// How many bits of an IPv6 address are its network. 64 counts single
        /// customers only, for each has a `/64` at least.
        ipv6_prefix: u8 = one("throttle_ipv6_prefix", number(16..=64)),
            default: Value("48"), example: "throttle_ipv6_prefix 56";

        /// Clients that are never counted, slowed down or refused. All items
        /// without `!` are spared, but for those with `!`.
        except: Vec<AddressList> = many("throttle_except", addresses()),
            default: Nothing("nobody is spared"), example: "throttle_except 127.0.0.1,192.0.2.0/28";

        /// Hosts that many users log in through, such as web mail or a front
        /// end of ours. Wrong passwords from there count for the user, but
        /// never against the host.
        trust: Vec<AddressList> = many("throttle_trust", addresses()),
            default: Nothing("no host is trusted so"), example: "throttle_trust 192.0.2.20";
    }
}

impl ThrottleSettings {
    /// Whether `client` is never slowed down or refused.
    #[must_use]
    pub fn spares(&self, client: IpAddr) -> bool {
        self.except.iter().any(|list| list.includes(client))
    }

    /// Whether many users log in through `client`, so that it is not blamed
    /// for any of them.
    #[must_use]
    pub fn trusts(&self, client: IpAddr) -> bool {
        self.trust.iter().any(|list| list.includes(client))
    }
}

/// Who knows the users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthentMethod {
    /// A checkpassword program.
    Checkpassword,
    /// Courier's authdaemond.
    Courier,
    /// The file of DNews.
    Dnauth,
    /// Dovecot's auth service.
    Dovecot,
    /// A module: a program that speaks the line protocol.
    External,
    /// An LDAP directory.
    Ldap,
    /// Several sources and their rules.
    Multi,
    /// A table of a MySQL or MariaDB server.
    Mysql,
    /// The NWAuth files, in this process.
    Nwauth,
    /// OAuth 2.0 tokens.
    Oauth2,
    /// The daemon of another machine.
    Tcpauth,
    /// The users of the operating system.
    UnixUser,
}

impl AuthentMethod {
    const WORDS: [(&'static str, Self); 12] = [
        ("nwauth", Self::Nwauth),
        ("ldap", Self::Ldap),
        ("mysql", Self::Mysql),
        ("unix_user", Self::UnixUser),
        ("dnauth", Self::Dnauth),
        ("tcpauth", Self::Tcpauth),
        ("checkpassword", Self::Checkpassword),
        ("dovecot", Self::Dovecot),
        ("courier", Self::Courier),
        ("oauth2", Self::Oauth2),
        ("multi", Self::Multi),
        ("external", Self::External),
    ];

    /// The word in the file.
    #[must_use]
    pub fn name(self) -> &'static str {
        let word = Self::WORDS.iter().find(|(_, method)| *method == self);
        word.expect("every method has its word").0
    }
}

/// The methods, and a clear word on those of the original that are not here.
fn method() -> Kind<AuthentMethod> {
    let known = word(&AuthentMethod::WORDS);
    let expects = known.expects.clone();
    Kind::new(expects, move |value| match value.text {
        "nt_user" => Err(Fault::whole(value.text, "asks Windows, and this is Unix")),
        _ => known.read(value),
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::value::testing::{read, refuses};
    use super::*;

    #[test]
    fn a_method_that_is_missing_here_says_why() {
        let kind = method();
        assert_eq!(read(&kind, "external"), Ok(AuthentMethod::External));
        assert_eq!(read(&kind, "unix_user"), Ok(AuthentMethod::UnixUser));
        refuses(&kind, "nt_user", 0..7, "asks Windows, and this is Unix");
        refuses(&kind, "odbc", 0..4, "not one of the words known here");
    }
}
