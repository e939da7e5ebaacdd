//! Who logs in: the exchange of AUTH with the SASL mechanisms PLAIN and LOGIN,
//! without any IO.

use dmail_core::Username;
use dmail_core::sasl::{self, Credentials, LoginName};

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
    /// [`Error::Cancelled`] or [`Error::Sasl`].
    pub fn respond(self, base64: &[u8]) -> Result<Progress, Error> {
        if base64 == b"*" {
            return Err(Error::Cancelled);
        }
        let response = sasl::decode(base64)?;
        match self {
            Self::Plain => {
                let credentials = sasl::plain(response.expose(), Username::MAX_BYTES)?;
                Ok(Progress::Complete(credentials))
            }
            Self::LoginName => {
                let user = sasl::login_name(response.expose(), Username::MAX_BYTES);
                Ok(Progress::Challenge(Self::LoginPassword(user)))
            }
            Self::LoginPassword(user) => {
                Ok(Progress::Complete(Credentials { user, secret: response }))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use dmail_core::sasl::{Malformed, UnusableLogin};
    use dmail_core::{NameError, Secret};

    use super::*;

    fn complete(user: LoginName, password: &str) -> Result<Progress, Error> {
        Ok(Progress::Complete(Credentials { user, secret: Secret::new(password.as_bytes()) }))
    }

    fn bob() -> LoginName {
        Ok(Username::parse(b"bob").expect("a name"))
    }

    #[test]
    fn plain_brings_everything_at_once() {
        assert_eq!(Exchange::Plain.respond(b"AGJvYgBwdw=="), complete(bob(), "pw"));
        assert_eq!(Exchange::Plain.respond(b""), Err(Error::Sasl(Malformed::Message)));
        assert_eq!(Exchange::Plain.respond(b"Ym9i"), Err(Error::Sasl(Malformed::Message)));
    }

    #[test]
    fn login_asks_twice() {
        let asked = Exchange::LoginName.respond(b"Ym9i").expect("a name");
        let Progress::Challenge(exchange) = asked else { panic!("{asked:?}") };
        assert_eq!(exchange.challenge(), "UGFzc3dvcmQ6");
        assert_eq!(exchange.respond(b"cHc="), complete(bob(), "pw"));
    }

    #[test]
    fn login_asks_for_the_password_of_a_name_that_nobody_can_have() {
        let unusable = Err(UnusableLogin::Name(NameError::Empty));
        let asked = Progress::Challenge(Exchange::LoginPassword(unusable));
        assert_eq!(Exchange::LoginName.respond(b""), Ok(asked));
    }

    #[test]
    fn a_response_is_base64_or_gives_up() {
        let password = Exchange::LoginPassword(bob());
        for exchange in [Exchange::Plain, Exchange::LoginName, password] {
            let respond = |response| exchange.clone().respond(response);
            assert_eq!(respond(b"AGJvYgBwdw"), Err(Error::Sasl(Malformed::Base64)), "{exchange:?}");
            assert_eq!(respond(b"*"), Err(Error::Cancelled), "{exchange:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_taken_without_a_panic(bytes: Vec<u8>) {
            let _ = Exchange::Plain.respond(&bytes);
        }
    }
}
