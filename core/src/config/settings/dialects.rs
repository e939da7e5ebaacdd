//! Dialects: how other servers ask.

use super::super::dialect::{DialectLine, dialect};
use super::super::table::Unset::{Nothing, Value};
use super::super::value::number;

crate::settings! {
    title: "Dialects";
    /// Other mail servers ask the same gateway, each in its own way: Postfix,
    /// Exim, Dovecot, Cyrus, Courier. `docs/dialects.md` has the table of them
    /// all.
    pub struct DialectSettings {
        /// A dialect, and where it is served: `dialect NAME ADDRESS`, then
        /// options as words such as `mode=660`. The address is
        /// `unix:FILE`, whose mode is `600` unless `mode=` says otherwise, or
        /// `address:port`. The names: `auth-http`, `auth-policy`,
        /// `authdaemon`, `dovecot-auth`, `dovecot-master`, `dovecot-userdb`,
        /// `http`, `policy`, `saslauthd`,
        /// `socketmap`, `tcp-table`, `tcpauth`.
        dialects: Vec<DialectLine> = many("dialect", dialect()),
            default: Nothing("no other server can ask"),
            example: "dialect dovecot-auth unix:/var/spool/postfix/private/dmail mode=660 group=postfix";

        /// How many connections there may be at the same time, for each of
        /// these lines.
        max_connections: usize = one("dialect_max_connections", number(1..=1_000_000)),
            default: Value("1000"), example: "dialect_max_connections 5000";
    }
}
