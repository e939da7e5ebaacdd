//! The mechanisms that there are.

use std::fmt;

use crate::{Proofs, ScramHash};

/// A SASL mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mechanism {
    /// RFC 2195. Only where passwords are stored in clear text.
    CramMd5,
    /// Name and password, each asked for. An old draft, in wide use.
    Login,
    /// RFC 7628: an OAuth 2.0 token.
    OAuthBearer,
    /// RFC 4616.
    Plain,
    /// RFC 5802 and 7677.
    Scram(ScramHash),
    /// The same, bound to the TLS connection (RFC 5929, 9266).
    ScramPlus(ScramHash),
    /// What Google had before RFC 7628.
    XOAuth2,
}

impl Mechanism {
    /// All mechanisms, the best one first.
    pub const ALL: [Self; 9] = [
        Self::ScramPlus(ScramHash::Sha256),
        Self::ScramPlus(ScramHash::Sha1),
        Self::Scram(ScramHash::Sha256),
        Self::Scram(ScramHash::Sha1),
        Self::OAuthBearer,
        Self::XOAuth2,
        Self::CramMd5,
        Self::Plain,
        Self::Login,
    ];

    /// The registered name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CramMd5 => "CRAM-MD5",
            Self::Login => "LOGIN",
            Self::OAuthBearer => "OAUTHBEARER",
            Self::Plain => "PLAIN",
            Self::Scram(hash) => hash.name(),
            Self::ScramPlus(ScramHash::Sha1) => "SCRAM-SHA-1-PLUS",
            Self::ScramPlus(ScramHash::Sha256) => "SCRAM-SHA-256-PLUS",
            Self::XOAuth2 => "XOAUTH2",
        }
    }

    /// The mechanism of this name, in either case.
    #[must_use]
    pub fn parse(name: &[u8]) -> Option<Self> {
        let same = |mechanism: &Self| mechanism.name().as_bytes().eq_ignore_ascii_case(name);
        Self::ALL.into_iter().find(same)
    }

    /// Whether the password itself (or a token that is as good) crosses the
    /// wire.
    #[must_use]
    pub fn tells_password(self) -> bool {
        matches!(self, Self::Login | Self::OAuthBearer | Self::Plain | Self::XOAuth2)
    }

    /// Whether it is bound to the TLS connection beneath.
    #[must_use]
    pub fn is_bound(self) -> bool {
        matches!(self, Self::ScramPlus(_))
    }

    /// Whether a user base that can judge `proofs` can serve it.
    #[must_use]
    pub fn is_served_by(self, proofs: Proofs) -> bool {
        match self {
            Self::CramMd5 => proofs.cram_md5,
            Self::Login | Self::Plain => proofs.password,
            Self::OAuthBearer | Self::XOAuth2 => proofs.token,
            Self::Scram(_) | Self::ScramPlus(_) => proofs.scram,
        }
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mechanism_is_found_by_its_name() {
        for mechanism in Mechanism::ALL {
            assert_eq!(Mechanism::parse(mechanism.name().as_bytes()), Some(mechanism));
            let lower = mechanism.name().to_ascii_lowercase();
            assert_eq!(Mechanism::parse(lower.as_bytes()), Some(mechanism));
        }
        for unknown in ["", "PLAI", "SCRAM-SHA-512", "PLAIN "] {
            assert_eq!(Mechanism::parse(unknown.as_bytes()), None, "{unknown}");
        }
    }

    #[test]
    fn what_a_source_can_judge_decides_what_is_offered() {
        let served = |proofs| -> String {
            let served = Mechanism::ALL.into_iter().filter(|m| m.is_served_by(proofs));
            served.map(Mechanism::name).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(served(Proofs::default()), "PLAIN LOGIN");
        assert_eq!(served(Proofs::TOKENS), "OAUTHBEARER XOAUTH2");
        assert_eq!(served(Proofs::NONE), "");
        let token = Proofs { token: true, ..Proofs::default() };
        assert_eq!(served(token), "OAUTHBEARER XOAUTH2 PLAIN LOGIN");
        let stored = "SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS SCRAM-SHA-256 SCRAM-SHA-1 CRAM-MD5 \
                      PLAIN LOGIN";
        assert_eq!(served(Proofs::STORED), stored);
    }
}
