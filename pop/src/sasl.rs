//! Who logs in: the names that POP3 takes, and the SASL mechanism PLAIN.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dmail_core::{NameError, Secret, Username};
use memchr::memchr;
use zeroize::Zeroizing;

use crate::error::Error;

/// Longest user name of a login, in bytes, with the domain: the original's
/// limit.
pub(crate) const MAX_NAME_BYTES: usize = 78;

/// The name of a login, or why nobody can have it. The client is told neither:
/// such a login is refused like a wrong password.
pub type LoginName = Result<Username, UnusableLogin>;

/// Why no user base is asked about a login. It depends on what the client
/// sent and on nothing else, so that it tells nothing about who exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnusableLogin {
    /// The client wants to act for somebody else (RFC 4616 section 2).
    #[error("the authorization identity is not the user")]
    ForeignIdentity,
    /// No user can have this name.
    #[error("user name: {0}")]
    Name(#[from] NameError),
    /// The password is empty.
    #[error("the password is empty")]
    NoPassword,
}

/// Parses the name of a login.
///
/// # Errors
///
/// Says why no user can have it.
pub(crate) fn login_name(bytes: &[u8]) -> LoginName {
    if bytes.len() > MAX_NAME_BYTES {
        return Err(NameError::TooLong { max: MAX_NAME_BYTES }.into());
    }
    Ok(Username::parse(bytes)?)
}

/// What AUTH PLAIN brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Who logs in.
    pub user: LoginName,
    /// The password.
    pub secret: Secret,
}

impl Credentials {
    /// Decodes the base64 of `message = [authzid] NUL authcid NUL passwd`
    /// (RFC 4616 section 2). An `authzid` must be the user.
    ///
    /// # Errors
    ///
    /// [`Error::Base64`], or [`Error::Sasl`] if there are not exactly two NULs.
    pub fn decode(base64: &[u8]) -> Result<Self, Error> {
        // Room for all of it, so that no copy stays behind when it grows.
        let mut message = Zeroizing::new(Vec::with_capacity(base64.len()));
        STANDARD.decode_vec(base64, &mut message).map_err(|_| Error::Base64)?;
        let (identity, rest) = split_nul(&message)?;
        let (name, password) = split_nul(rest)?;
        if memchr(0, password).is_some() {
            return Err(Error::Sasl);
        }
        let user = if identity.is_empty() || identity == name {
            login_name(name)
        } else {
            Err(UnusableLogin::ForeignIdentity)
        };
        Ok(Self { user, secret: Secret::new(password) })
    }
}

/// What stands before the first NUL, and after it.
fn split_nul(bytes: &[u8]) -> Result<(&[u8], &[u8]), Error> {
    let at = memchr(0, bytes).ok_or(Error::Sasl)?;
    Ok((&bytes[..at], &bytes[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks what `message` decodes to: a user and a password, or the error.
    fn check(message: &str, expected: Result<(Result<&str, UnusableLogin>, &str), Error>) {
        let found = Credentials::decode(STANDARD.encode(message).as_bytes());
        let expected = expected.map(|(user, password)| Credentials {
            user: user.map(|name| Username::parse(name.as_bytes()).expect("a name")),
            secret: Secret::new(password.as_bytes()),
        });
        assert_eq!(found, expected, "{message:?}");
    }

    #[test]
    fn plain_is_parsed_exactly() {
        let empty = UnusableLogin::Name(NameError::Empty);
        check("\0bob\0pw", Ok((Ok("bob"), "pw")));
        check("bob\0bob\0pw", Ok((Ok("bob"), "pw")));
        check("\0bob\0two words", Ok((Ok("bob"), "two words")));
        check("\0bob\0pw\n", Ok((Ok("bob"), "pw\n")));
        check("\0bob\0", Ok((Ok("bob"), "")));
        check("\0\0pw", Ok((Err(empty), "pw")));
        check("root\0bob\0pw", Ok((Err(UnusableLogin::ForeignIdentity), "pw")));
        check("", Err(Error::Sasl));
        check("bob", Err(Error::Sasl));
        check("bob\0pw", Err(Error::Sasl));
        check("\0bob\0pw\0", Err(Error::Sasl));
        check("\0bob\0right\0junk", Err(Error::Sasl));
    }

    #[test]
    fn base64_is_parsed_exactly() {
        for bad in ["AGJvYgBwdw", "AGJvYgBwdw=", "AGJvYgBwdx==", "AGJv YgBwdw==", "=", "*"] {
            assert_eq!(Credentials::decode(bad.as_bytes()), Err(Error::Base64), "{bad}");
        }
    }

    #[test]
    fn a_name_of_a_login_has_78_bytes_at_most() {
        assert!(login_name(&[b'a'; 78]).is_ok());
        assert_eq!(
            login_name(&[b'a'; 79]),
            Err(UnusableLogin::Name(NameError::TooLong { max: 78 }))
        );
    }
}
