//! OAuth 2.0 tokens as logins (OAUTHBEARER, XOAUTH2): whose is this token, and
//! is it good?
//!
//! ```text
//!   oauth2.ini ─▶ config ─▶ source::OAuth2
//!                              │ is it a signed one (JWT), and are there keys?
//!                        yes ──┴── no
//!                         │         │
//!            jws: what is signed   introspection: the issuer is asked (RFC 7662),
//!            keys: by whom            memory: and not again for a while
//!              files, or remote:    │
//!              the issuer's list    │
//!                         └────┬────┘
//!                       claims::Rules   issuer, audience, scope, time, user
//!                              ▼
//!                  is it the user who shows it? (the gateway's own mapping)
//! ```
//!
//! It knows tokens and no users: who the user is, with account and state, the
//! chain asks others (`role verify` in multiauth.ini).
//!
//! Three rules. **A key says how it is used:** the algorithm that a token names
//! is looked up in the key, never the other way round, so neither `none` nor a
//! public key taken for a shared secret gets anywhere. **Who cannot judge does
//! not:** without a key or an answer of the issuer, a token is neither right nor
//! wrong. **A token is a password:** it stands in no message, and the memory of
//! good ones holds keyed hashes.
//!
//! The issuer is asked by hyper's client, and signatures are checked by
//! aws-lc-rs, which TLS is on as well. What is around a signature (three parts in
//! base64, a few members of JSON) is read here. A library for it would have to know
//! all algorithms of the setting `algorithms`, to look at a key before it is used
//! (its size, its curve, whether the point is on it), to tell a token that is signed
//! in a way of its own from a text that is no token, and to take the time from us;
//! jsonwebtoken (11.1), the most used one, does none of these.

mod claims;
mod config;
#[doc(hidden)]
pub mod fuzzing;
mod introspection;
mod jws;
mod keys;
mod memory;
mod remote;
mod source;
mod web;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use dmail_core::Authenticator;
use dmail_core::config::ConfigError;

pub use config::{VOCABULARY, check};

/// The word in `authent_method`.
pub const NAME: &str = "oauth2";

/// Opens what the file describes. Must be called within the runtime. An issuer
/// that does not answer now is no error: tokens cannot be judged until it does.
///
/// # Errors
///
/// If the file is wrong, or a file with keys or certificates that it names.
pub fn open(file: &Path) -> Result<Arc<dyn Authenticator>, ConfigError> {
    let (config, warnings) = config::load(file).into_result()?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    Ok(Arc::new(source::OAuth2::new(config)))
}
