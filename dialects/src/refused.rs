//! Logins that a session refuses without asking the gateway, and what is logged
//! of them.

use std::fmt::Display;

use dmail_core::sasl::{Credentials, login_name};
use dmail_core::{AuthRequest, Origin, RejectionKind, Secret, UnavailableKind, Username};

/// A login that a session has refused itself. The client reads that it failed,
/// and no more; whoever looks for the reason finds this in the log. Nothing of
/// it is secret.
#[derive(Debug)]
pub struct Refused {
    /// Who logs in, if that was told and there could be such a user.
    pub user: Option<Username>,
    /// Who asks, and from where.
    pub origin: Origin,
    /// The id of the kind, as of a rejection.
    pub reason: &'static str,
    /// What is wrong, for the log.
    pub text: String,
}

impl Refused {
    /// A login that no user base can be asked about.
    pub(crate) fn new(origin: Origin, user: Option<Username>, why: impl Display) -> Box<Self> {
        Box::new(Self { user, origin, reason: RejectionKind::BadInput.id(), text: why.to_string() })
    }

    /// A login for which there is no room now.
    pub(crate) fn for_now(origin: Origin, why: impl Display) -> Box<Self> {
        let (reason, text) = (UnavailableKind::Overloaded.id(), why.to_string());
        Box::new(Self { user: None, origin, reason, text })
    }
}

/// The question whether `secret` is the password of the user called `name`.
///
/// # Errors
///
/// No user can have this name, or the password is empty.
pub(crate) fn check(
    name: &[u8],
    secret: Secret,
    origin: Origin,
) -> Result<AuthRequest, Box<Refused>> {
    let (user, secret) = usable(name, secret, origin)?;
    Ok(AuthRequest::check(user, secret, origin))
}

/// The user called `name`, and the password.
///
/// # Errors
///
/// As of [`check`].
pub(crate) fn usable(
    name: &[u8],
    secret: Secret,
    origin: Origin,
) -> Result<(Username, Secret), Box<Refused>> {
    let user = login_name(name, Username::MAX_BYTES);
    let named = if secret.is_empty() { user.clone().ok() } else { None };
    (Credentials { user, secret }).usable().map_err(|why| Refused::new(origin, named, why))
}
