//! Why a stored password could not be judged, or a new one not be stored.

use dmail_core::{Unavailable, UnavailableKind};

/// Nothing is known about the secret: the stored text is at fault, or this
/// machine. Never holds the stored text, which would help an attacker.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemeError {
    /// The text has the form of this scheme, but its inside does not read.
    #[error("the stored password is damaged: not a {scheme} text")]
    Malformed {
        /// The scheme.
        scheme: &'static str,
    },
    /// The library failed: no memory, or the scheme is compiled out of it.
    #[error("{scheme} failed on this machine (memory, or a system library without it)")]
    Machine {
        /// The scheme.
        scheme: &'static str,
    },
    /// What NWAuth wrote up to 3.0b. It can be turned back into passwords, and
    /// many passwords fit one hash, so a match would prove nothing.
    #[error(
        "the password is stored in the old reversible NWAuth hash (or an unknown form): set a new one"
    )]
    OldNwauth,
    /// The new secret does not fit the scheme.
    #[error("{scheme} cannot hold this password: {why}")]
    Secret {
        /// The scheme.
        scheme: &'static str,
        /// What does not fit.
        why: &'static str,
    },
    /// Checking it would take too much time or memory.
    #[error("the stored {scheme} password costs too much: {limit}")]
    TooCostly {
        /// The scheme.
        scheme: &'static str,
        /// The limit that it passes.
        limit: &'static str,
    },
    /// A prefix that nobody here knows.
    #[error("the password is stored in an unknown scheme, {prefix:?}")]
    Unknown {
        /// The `{TAG}` or `$id$` alone.
        prefix: String,
    },
}

impl SchemeError {
    /// "Nobody could decide", for the log: whose stored password, in which base.
    #[must_use]
    pub fn unavailable(&self, source: &str, user: &str) -> Unavailable {
        let kind = match self {
            Self::Machine { .. } => UnavailableKind::Dead,
            _ => UnavailableKind::Record,
        };
        Unavailable::new(kind, format!("{source}: user {user}: {self}"))
    }
}
