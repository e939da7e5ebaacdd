//! Who logs in: the messages of SASL mechanisms, and the dialogue of each
//! ([`Exchange`]). Without any IO, and without any key.
//!
//! | mechanism | the gateway is asked |
//! |---|---|
//! | PLAIN (RFC 4616), LOGIN | to check a password |
//! | CRAM-MD5 (RFC 2195) | to judge a proof |
//! | SCRAM-SHA-1, SCRAM-SHA-256 (RFC 5802, 7677), and -PLUS | for a salt, then to judge a proof |
//! | OAUTHBEARER (RFC 7628), XOAUTH2 | to judge a token |
//!
//! What it is not: it does not know how a protocol wraps the messages, nor what
//! a client reads when a login fails. These differ from protocol to protocol.

mod exchange;
mod mechanism;
mod scram;
mod token;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use memchr::memchr;
use zeroize::Zeroizing;

use crate::{NameError, Secret, Username};

pub use exchange::{Exchange, Terms, Turn};
pub use mechanism::Mechanism;
pub use scram::Binding;

/// A user name and a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Who logs in.
    pub user: LoginName,
    /// The password.
    pub secret: Secret,
}

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

/// Why a response cannot be read. The text of each is fit for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It is not base64, or not in its one canonical form.
    #[error("this is not base64")]
    Base64,
    /// It does not follow the mechanism.
    #[error("the response does not follow the mechanism")]
    Message,
}

/// Why a login fails by itself. The texts are for the log: what they tell apart,
/// the client must not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// No user base can be asked about it.
    #[error(transparent)]
    Unusable(#[from] UnusableLogin),
    /// A message cannot be read.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// SCRAM: it binds to TLS and its mechanism does not, or the other way round.
    #[error("the channel binding does not fit the mechanism")]
    Binding,
    /// SCRAM: the client believes that no mechanism with a binding was offered.
    #[error("the client was not shown the mechanisms that bind to TLS: who stands in between?")]
    Downgraded,
    /// SCRAM: it binds to a TLS connection that nobody has told of.
    #[error("the TLS connection that the login is bound to is not told")]
    NoChannel,
    /// SCRAM: it was made for another TLS connection.
    #[error("the login is bound to another TLS connection: who stands in between?")]
    OtherChannel,
    /// There is a message that nobody has waited for.
    #[error("the login was over")]
    Over,
}

impl Credentials {
    /// The parts that a user base can be asked about.
    ///
    /// # Errors
    ///
    /// Says why there is none to ask.
    pub fn usable(self) -> Result<(Username, Secret), UnusableLogin> {
        let user = self.user?;
        // An LDAP server lets everybody in who has no password.
        if self.secret.is_empty() {
            return Err(UnusableLogin::NoPassword);
        }
        Ok((user, self.secret))
    }
}

/// Decodes a client's response, which may be or hold a password.
///
/// # Errors
///
/// [`Malformed::Base64`].
pub fn decode(base64: &[u8]) -> Result<Secret, Malformed> {
    // Room for all of it, so that no copy stays behind when it grows.
    let mut response = Zeroizing::new(Vec::with_capacity(base64.len()));
    STANDARD.decode_vec(base64, &mut response).map_err(|_| Malformed::Base64)?;
    Ok(Secret::new(response.as_slice()))
}

/// Parses `message = [authzid] NUL authcid NUL passwd` (RFC 4616 section 2).
/// An `authzid` must be the user, whose name has `max_name_bytes` at most.
///
/// # Errors
///
/// [`Malformed::Message`] if there are not exactly two NULs.
pub fn plain(message: &[u8], max_name_bytes: usize) -> Result<Credentials, Malformed> {
    let (identity, rest) = split_nul(message)?;
    let (name, password) = split_nul(rest)?;
    if memchr(0, password).is_some() {
        return Err(Malformed::Message);
    }
    let user = if identity.is_empty() || identity == name {
        login_name(name, max_name_bytes)
    } else {
        Err(UnusableLogin::ForeignIdentity)
    };
    Ok(Credentials { user, secret: Secret::new(password) })
}

/// Parses the name of a login, which has `max_bytes` at most. No limit is
/// wider than [`Username::MAX_BYTES`].
///
/// # Errors
///
/// Says why no user can have it.
pub fn login_name(bytes: &[u8], max_bytes: usize) -> LoginName {
    if bytes.len() > max_bytes {
        return Err(NameError::TooLong { max: max_bytes }.into());
    }
    Ok(Username::parse(bytes)?)
}

/// What stands before the first NUL, and after it.
fn split_nul(bytes: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let at = memchr(0, bytes).ok_or(Malformed::Message)?;
    Ok((&bytes[..at], &bytes[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(user: Result<&str, UnusableLogin>, password: &str) -> Credentials {
        let user = user.map(|name| Username::parse(name.as_bytes()).expect("a name"));
        Credentials { user, secret: Secret::new(password.as_bytes()) }
    }

    /// Checks what PLAIN makes of `message` on its way through base64: a user
    /// and a password, or the error.
    fn check(message: &str, expected: Result<(Result<&str, UnusableLogin>, &str), Malformed>) {
        let response = decode(STANDARD.encode(message).as_bytes()).expect("base64");
        let found = plain(response.expose(), Username::MAX_BYTES);
        let expected = expected.map(|(user, password)| credentials(user, password));
        assert_eq!(found, expected, "{message:?}");
    }

    #[test]
    fn plain_is_parsed_exactly() {
        let forbidden = |at| UnusableLogin::Name(NameError::ForbiddenByte { at });
        check("\0bob\0pw", Ok((Ok("bob"), "pw")));
        check("bob\0bob\0pw", Ok((Ok("bob"), "pw")));
        check("\0bob\0two words", Ok((Ok("bob"), "two words")));
        check("\0bob@corp.example\0two words", Ok((Ok("bob@corp.example"), "two words")));
        check("\0bob\0pw\n", Ok((Ok("bob"), "pw\n")));
        check("\0bob\0", Ok((Ok("bob"), "")));
        check("\0\0pw", Ok((Err(UnusableLogin::Name(NameError::Empty)), "pw")));
        check("\0bob\r\0pw", Ok((Err(forbidden(3)), "pw")));
        check("root\0bob\0pw", Ok((Err(UnusableLogin::ForeignIdentity), "pw")));
        check("", Err(Malformed::Message));
        check("bob", Err(Malformed::Message));
        check("bob\0pw", Err(Malformed::Message));
        check("\0bob\0pw\0", Err(Malformed::Message));
        check("\0bob\0right\0junk", Err(Malformed::Message));
    }

    #[test]
    fn base64_is_parsed_exactly() {
        let rows =
            ["AGJvYgBwdw", "AGJvYgBwdw=", "AGJvYgBwdx==", "AGJv YgBwdw==", "=", "*", "\u{fc}"];
        for bad in rows {
            assert_eq!(decode(bad.as_bytes()), Err(Malformed::Base64), "{bad}");
        }
    }

    #[test]
    fn a_name_is_held_to_the_limit_of_the_protocol() {
        let too_long = |max| UnusableLogin::Name(NameError::TooLong { max });
        assert_eq!(plain(b"\0bob\0pw", 3), Ok(credentials(Ok("bob"), "pw")));
        assert_eq!(plain(b"\0bob\0pw", 2), Ok(credentials(Err(too_long(2)), "pw")));
        assert!(login_name(&[b'a'; 255], usize::MAX).is_ok());
        assert_eq!(login_name(&[b'a'; 256], usize::MAX), Err(too_long(255)));
    }

    #[test]
    fn nobody_is_asked_about_a_login_that_cannot_be_right() {
        assert_eq!(credentials(Ok("bob"), "").usable(), Err(UnusableLogin::NoPassword));
        let foreign = credentials(Err(UnusableLogin::ForeignIdentity), "pw");
        assert_eq!(foreign.usable(), Err(UnusableLogin::ForeignIdentity));
        assert!(credentials(Ok("bob"), "pw").usable().is_ok());
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_taken_without_a_panic(bytes: Vec<u8>) {
            let _ = (decode(&bytes), plain(&bytes, Username::MAX_BYTES));
        }
    }
}
