//! Who logs in: the SASL mechanisms PLAIN and LOGIN, without any IO.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dmail_core::{NameError, Secret, Username};
use memchr::memchr;
use zeroize::Zeroizing;

use crate::error::Error;

/// How far an exchange is: what the client's next response must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exchange {
    /// PLAIN: everything at once.
    Plain,
    /// LOGIN: the user name.
    LoginName,
    /// LOGIN: the password of this user.
    LoginPassword(LoginName),
}

/// What a response brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// The exchange goes on, with another challenge.
    Challenge(Exchange),
    /// It is complete.
    Complete(Credentials),
}

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

impl Exchange {
    /// The challenge that asks for the response, in base64. LOGIN is not
    /// standardised; clients want these two: `Username:` and `Password:`.
    #[must_use]
    pub fn challenge(&self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::LoginName => "VXNlcm5hbWU6",
            Self::LoginPassword(_) => "UGFzc3dvcmQ6",
        }
    }

    /// Takes the client's response: base64, or `*` to give up (RFC 4954
    /// section 4).
    ///
    /// # Errors
    ///
    /// [`Error::Cancelled`], [`Error::Base64`], or [`Error::Sasl`] if the
    /// response does not follow the mechanism.
    pub fn respond(self, base64: &[u8]) -> Result<Progress, Error> {
        if base64 == b"*" {
            return Err(Error::Cancelled);
        }
        // Room for all of it, so that no copy stays behind when it grows.
        let mut response = Zeroizing::new(Vec::with_capacity(base64.len()));
        STANDARD.decode_vec(base64, &mut response).map_err(|_| Error::Base64)?;
        match self {
            Self::Plain => plain(&response).map(Progress::Complete),
            Self::LoginName => {
                let user = Username::parse(&response).map_err(UnusableLogin::Name);
                Ok(Progress::Challenge(Self::LoginPassword(user)))
            }
            Self::LoginPassword(user) => {
                let secret = Secret::new(response.as_slice());
                Ok(Progress::Complete(Credentials { user, secret }))
            }
        }
    }
}

impl Credentials {
    /// The parts that a user base can be asked about.
    ///
    /// # Errors
    ///
    /// Says why there is none to ask.
    pub fn usable(self) -> Result<(Username, Secret), UnusableLogin> {
        let user = self.user?;
        if self.secret.is_empty() {
            return Err(UnusableLogin::NoPassword);
        }
        Ok((user, self.secret))
    }
}

/// `message = [authzid] NUL authcid NUL passwd` (RFC 4616 section 2). An
/// `authzid` must be the user.
fn plain(message: &[u8]) -> Result<Credentials, Error> {
    let (identity, rest) = split_nul(message)?;
    let (name, password) = split_nul(rest)?;
    if memchr(0, password).is_some() {
        return Err(Error::Sasl);
    }
    let user = if identity.is_empty() || identity == name {
        Username::parse(name).map_err(UnusableLogin::Name)
    } else {
        Err(UnusableLogin::ForeignIdentity)
    };
    Ok(Credentials { user, secret: Secret::new(password) })
}

/// What stands before the first NUL, and after it.
fn split_nul(bytes: &[u8]) -> Result<(&[u8], &[u8]), Error> {
    let at = memchr(0, bytes).ok_or(Error::Sasl)?;
    Ok((&bytes[..at], &bytes[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Expected<'a> = Result<(Result<&'a str, UnusableLogin>, &'a str), Error>;

    fn credentials(user: Result<&str, UnusableLogin>, password: &str) -> Credentials {
        let user = user.map(|name| Username::parse(name.as_bytes()).expect("a name"));
        Credentials { user, secret: Secret::new(password.as_bytes()) }
    }

    /// Checks what PLAIN makes of `message`: a user and a password, or the error.
    fn check_plain(message: &str, expected: Expected<'_>) {
        let found = Exchange::Plain.respond(STANDARD.encode(message).as_bytes());
        let expected = expected.map(|(user, password)| credentials(user, password));
        assert_eq!(found, expected.map(Progress::Complete), "{message:?}");
    }

    #[test]
    fn plain_is_parsed_exactly() {
        let forbidden = |at| UnusableLogin::Name(NameError::ForbiddenByte { at });
        check_plain("\0bob\0pw", Ok((Ok("bob"), "pw")));
        check_plain("bob\0bob\0pw", Ok((Ok("bob"), "pw")));
        check_plain("\0bob@corp.example\0two words", Ok((Ok("bob@corp.example"), "two words")));
        check_plain("\0bob\0pw\n", Ok((Ok("bob"), "pw\n")));
        check_plain("\0bob\0", Ok((Ok("bob"), "")));
        check_plain("\0\0pw", Ok((Err(UnusableLogin::Name(NameError::Empty)), "pw")));
        check_plain("\0bob\r\0pw", Ok((Err(forbidden(3)), "pw")));
        check_plain("root\0bob\0pw", Ok((Err(UnusableLogin::ForeignIdentity), "pw")));
        check_plain("", Err(Error::Sasl));
        check_plain("bob", Err(Error::Sasl));
        check_plain("bob\0pw", Err(Error::Sasl));
        check_plain("\0bob\0pw\0", Err(Error::Sasl));
        check_plain("\0bob\0right\0junk", Err(Error::Sasl));
    }

    #[test]
    fn login_asks_twice() {
        let asked = Exchange::LoginName.respond(b"Ym9i").expect("a name");
        let Progress::Challenge(exchange) = asked else { panic!("{asked:?}") };
        assert_eq!(exchange.challenge(), "UGFzc3dvcmQ6");
        let done = exchange.respond(b"cHc=");
        assert_eq!(done, Ok(Progress::Complete(credentials(Ok("bob"), "pw"))));
    }

    #[test]
    fn base64_is_parsed_exactly() {
        for bad in ["AGJvYgBwdw", "AGJvYgBwdw=", "AGJvYgBwdx==", "AGJv YgBwdw==", "=", "\u{fc}"] {
            assert_eq!(Exchange::Plain.respond(bad.as_bytes()), Err(Error::Base64), "{bad}");
        }
        assert_eq!(Exchange::LoginName.respond(b"*"), Err(Error::Cancelled));
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
            let _ = (Exchange::Plain.respond(&bytes), plain(&bytes));
        }
    }
}
