//! What a connection is told about its server, and how it is treated.

use std::sync::Arc;

use dmail_core::TokenIssuer;
use dmail_core::sasl::Mechanism;

use super::super::logins::{Cookie, Logins};

/// The mechanisms of every user base.
pub const PASSWORDS: [Mechanism; 2] = [Mechanism::Plain, Mechanism::Login];

/// How nobody's decision is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tempfail {
    /// As the client's version lets hope that it understands.
    #[default]
    ByVersion,
    /// The connection is cut. Postfix and Exim then say 454 and 435; to
    /// `FAIL … code=temp_fail` they say 535, "wrong password". For clients that
    /// have one request at a time.
    Close,
    /// `FAIL … code=temp_fail`, which Dovecot's own processes understand. They
    /// take a connection that is cut for wrong passwords (up to 2.3.21).
    Code,
}

impl Tempfail {
    /// Whether a client of this minor version is told in words. Postfix, Exim
    /// and others that are satisfied with less say 0 or 1, Dovecot says 2
    /// since 2.3.
    pub(super) fn is_in_words(self, minor: Option<u32>) -> bool {
        match self {
            Self::ByVersion => minor.is_some_and(|minor| minor >= 2),
            Self::Close => false,
            Self::Code => true,
        }
    }
}

/// What a connection is told about its server.
#[derive(Debug, Clone)]
pub struct Config {
    /// How nobody's decision is told.
    pub tempfail: Tempfail,
    /// The mechanisms that are offered, in this order: [`PASSWORDS`], and
    /// others that the user base can judge ([`Mechanism::is_served_by`]).
    pub mechanisms: Arc<[Mechanism]>,
    /// Where tokens come from, if any are judged.
    pub issuer: Option<Arc<TokenIssuer>>,
    /// The server's process.
    pub pid: u32,
    /// The number of this connection, unlike that of any other.
    pub connection: u32,
    /// Random bytes, with which a master connection names this one.
    pub cookie: Cookie,
    /// Where logins wait for the mail process that takes them up, if there is
    /// a master connection for it.
    pub logins: Option<Arc<Logins>>,
}
