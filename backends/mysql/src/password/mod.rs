//! How passwords are stored, and whether one is right. Nothing of this is left
//! to the server.
//!
//! | setting | `*` and 40 digits | other text that starts with `*` | all else |
//! |---|---|---|---|
//! | – | refused: which of two? | clear text, as NWAuth has it | by its scheme |
//! | `mysql_pwd_set` | PASSWORD() | locked if `*` alone, else refused | by its scheme |
//! | `unix_password` | locked | locked | by its scheme |
//! | `plain_password` | the password | the password | the password |

mod mysql;

use std::sync::Arc;

use dmail_core::{Proofs, Secret, Unavailable, UnavailableKind};
use dmail_schemes::hasher::Hasher;
use dmail_schemes::{Scheme, SchemeError, needs_rehash};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::SOURCE;
use crate::settings::PasswordSettings;

/// How the column holds passwords.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    MySql,
    Plain,
    Schemes,
    Unix,
}

impl Kind {
    /// The kind that the settings choose.
    pub(crate) fn of(settings: &PasswordSettings) -> Self {
        if settings.mysql_password {
            Self::MySql
        } else if settings.unix_password {
            Self::Unix
        } else if settings.plain_password {
            Self::Plain
        } else {
            Self::Schemes
        }
    }
}

/// Verifies and makes stored passwords.
#[derive(Clone)]
pub(crate) struct Passwords {
    kind: Kind,
    /// Whether new passwords are in the scheme even if the kind is another.
    rehash: bool,
    hasher: Hasher,
    /// What is compared when there is no such user: costs what a user costs.
    nobodys: Arc<str>,
}

impl Passwords {
    /// Blocks for the time of one hash.
    pub(crate) fn new(kind: Kind, scheme: Scheme, rehash: bool) -> Result<Self, SchemeError> {
        let scheme = if kind == Kind::Unix && !rehash { Scheme::Sha512Crypt } else { scheme };
        let nobodys = mysql::hash(&Secret::new(rand::random::<[u8; 16]>()));
        Ok(Self { kind, rehash, hasher: Hasher::new(scheme)?, nobodys: nobodys.as_str().into() })
    }

    /// Whether `secret` is the one behind `stored`; without it, the work of a
    /// check is done and the answer is no.
    ///
    /// # Errors
    ///
    /// If the stored text cannot be judged, or no core was free in time.
    pub(crate) async fn verify(
        &self,
        user: &str,
        stored: Option<Zeroizing<String>>,
        secret: &Secret,
    ) -> Result<bool, Unavailable> {
        match (self.kind, stored.as_deref().map(String::as_str)) {
            (Kind::Plain, stored) => {
                let right = stored.unwrap_or(&self.nobodys).as_bytes().ct_eq(secret.expose());
                return Ok(stored.is_some() && right.into());
            }
            (Kind::MySql, None) if !self.rehash => {
                let _ = mysql::verify(&self.nobodys, secret);
                return Ok(false);
            }
            (Kind::MySql, Some(text)) if mysql::is_old(text) => {
                let why = "holds the OLD_PASSWORD() of MySQL before 4.1, which many passwords \
                           fit: set a new one";
                return Err(fault(user, why));
            }
            (Kind::MySql, Some(text)) if mysql::is(text) => {
                return Ok(mysql::verify(text, secret));
            }
            (Kind::MySql, Some(text)) if text.starts_with('*') && text.len() > 1 => {
                return Err(fault(user, "is damaged: not what PASSWORD() makes"));
            }
            (Kind::Schemes, Some(text)) if mysql::is(text) => return Err(ambiguous(user)),
            // For a Unix password file, this is nobody's clear text.
            (Kind::Unix, Some(text)) if text.starts_with('*') => {
                return self.judged(user, Some(Zeroizing::new("!".into())), secret).await;
            }
            _ => {}
        }
        self.judged(user, stored, secret).await
    }

    async fn judged(
        &self,
        user: &str,
        stored: Option<Zeroizing<String>>,
        secret: &Secret,
    ) -> Result<bool, Unavailable> {
        let verified = self.hasher.verify(stored, secret.clone()).await?;
        verified.map_err(|error| error.unavailable(SOURCE, user))
    }

    /// The text to store for `secret`.
    ///
    /// # Errors
    ///
    /// The outer one if no core was free in time, the inner one if the scheme
    /// cannot hold the secret.
    pub(crate) async fn hash(
        &self,
        secret: &Secret,
    ) -> Result<Result<Zeroizing<String>, SchemeError>, Unavailable> {
        match self.kind {
            Kind::MySql if !self.rehash => Ok(Ok(mysql::hash(secret))),
            Kind::Plain => Ok(match std::str::from_utf8(secret.expose()) {
                Ok(text) => Ok(Zeroizing::new(text.to_owned())),
                Err(_) => Err(SchemeError::Secret { scheme: "plain", why: "it is not UTF-8" }),
            }),
            _ => Ok(self.hasher.hash(secret.clone()).await?.map(Zeroizing::new)),
        }
    }

    /// The proofs that may be found right in such a column.
    pub(crate) fn proofs(&self) -> Proofs {
        match self.kind {
            Kind::Plain => Proofs { scram: false, ..Proofs::STORED },
            Kind::MySql | Kind::Schemes | Kind::Unix => Proofs::STORED,
        }
    }

    /// The text that a proof is judged by, as all bases write it. One of
    /// MySQL's own is good for no proof, like that of a locked account.
    ///
    /// # Errors
    ///
    /// If the stored text cannot be judged.
    pub(crate) fn provable(
        &self,
        user: &str,
        stored: Zeroizing<String>,
    ) -> Result<Zeroizing<String>, Unavailable> {
        if self.kind == Kind::Schemes && mysql::is(&stored) {
            return Err(ambiguous(user));
        }
        let text = self.exported(stored);
        let text = text.as_ref().and_then(|text| std::str::from_utf8(text.expose()).ok());
        Ok(Zeroizing::new(text.unwrap_or("!").to_owned()))
    }

    /// Whether the text that a right password was found behind should be
    /// stored anew.
    pub(crate) fn is_due(&self, stored: &str) -> bool {
        self.rehash && (self.is_mysql(stored) || needs_rehash(stored, self.hasher.scheme()))
    }

    fn is_mysql(&self, stored: &str) -> bool {
        self.kind == Kind::MySql && mysql::is(stored)
    }

    /// The stored text as all bases write it, to be handed out. `None` if
    /// there is no such form.
    pub(crate) fn exported(&self, stored: Zeroizing<String>) -> Option<Secret> {
        let text = match self.kind {
            Kind::Plain => Zeroizing::new(format!("{{PLAIN}}{}", *stored)),
            Kind::Unix if stored.starts_with('*') => Zeroizing::new("!".into()),
            Kind::MySql if stored.starts_with('*') => return None,
            _ => stored,
        };
        Some(Secret::new(text.as_bytes()))
    }

    /// What to store for a text that [`exported`](Self::exported) made, here or
    /// elsewhere. Text that would mean something else in this column is refused.
    pub(crate) fn imported(&self, stored: &str) -> Result<Zeroizing<String>, &'static str> {
        let clear = dmail_schemes::clear_text(stored);
        match (self.kind, clear) {
            (Kind::Plain, Some(clear)) => Ok(Zeroizing::new(clear.to_owned())),
            (Kind::Plain, None) => Err("a hashed password does not fit a column of clear ones"),
            (Kind::MySql, Some(clear)) if !self.rehash => {
                Ok(mysql::hash(&Secret::new(clear.as_bytes())))
            }
            (Kind::MySql | Kind::Unix, Some(clear)) => {
                Ok(Zeroizing::new(format!("{{PLAIN}}{clear}")))
            }
            _ => Ok(Zeroizing::new(stored.to_owned())),
        }
    }
}

fn ambiguous(user: &str) -> Unavailable {
    let why = "may be MySQL's PASSWORD() or clear text: say mysql_pwd_set true, or \
               store {PLAIN}password";
    fault(user, why)
}

fn fault(user: &str, why: &str) -> Unavailable {
    let detail = format!("{SOURCE}: user {user}: the password column {why}");
    Unavailable::new(UnavailableKind::Record, detail)
}

#[cfg(test)]
mod tests;
