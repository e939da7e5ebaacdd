//! Which mail domains are ours.

use super::super::table::Unset::{Compulsory, Nothing, Value};
use super::super::value::{boolean, domain, separator};
use super::super::vdomain::{VirtualDomain, vdomain};
use crate::Domain;

crate::settings! {
    title: "Domains";
    /// Mail for a domain that is neither a `host_domain` nor a `vdomain` is not
    /// for users of this machine.
    pub struct DomainSettings {
        /// A domain whose users are the users of this machine. The first is
        /// the main domain, and should be the public one and not the name of
        /// the machine; the others are other names for it, so that `bob` is
        /// the same user in all of them.
        host_domains: Vec<Domain> = many("host_domain", domain()),
            default: Compulsory, example: "host_domain corp.example";

        /// A domain with users of its own:
        /// `vdomain <prefix> <address or suffix> <domain> <drop path>`.
        ///
        /// With an address, the users are those who connect to that address of
        /// this machine. With a suffix, such as `/abc` or `@abc.example`, they
        /// are those whose login name ends in it; the suffix is cut off. The
        /// user `fred` is `abc_fred` in the user base, or `fred@abc.example`
        /// if `authent_domain` is true.
        ///
        /// The prefix differs from domain to domain and does not hold the
        /// `vdomain_separator`. Several lines with the same prefix, domain and
        /// drop path give one domain several addresses or suffixes.
        vdomains: Vec<VirtualDomain> = many("vdomain", vdomain()),
            default: Nothing("no virtual domains"),
            example: "vdomain abc 192.0.2.7 abc.example /var/spool/mail/abc";

        /// What stands between the prefix of a virtual domain and the name of
        /// a user.
        vdomain_separator: char = one("vdomain_separator", separator()),
            default: Value("_"), example: "vdomain_separator -";

        /// Whether the user base knows users as `user@domain`. If not, users
        /// of the main domain have no domain there, and those of a virtual
        /// domain have its prefix.
        authent_domain: bool = one("authent_domain", boolean()),
            default: Value("false"), example: "authent_domain true";
    }
}
