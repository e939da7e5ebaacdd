//! Who logs in: the names that POP3 takes, and AUTH PLAIN as POP3 brings it.

use dmail_core::sasl::{self, Credentials, LoginName};

use crate::error::Error;

/// Longest user name of a login, in bytes, with the domain: the original's
/// limit.
pub(crate) const MAX_NAME_BYTES: usize = 78;

/// Parses the name of a login.
///
/// # Errors
///
/// Says why no user can have it.
pub(crate) fn login_name(bytes: &[u8]) -> LoginName {
    sasl::login_name(bytes, MAX_NAME_BYTES)
}

/// Parses what AUTH PLAIN brings.
///
/// # Errors
///
/// [`Error::Sasl`].
pub(crate) fn plain(base64: &[u8]) -> Result<Credentials, Error> {
    Ok(sasl::plain(sasl::decode(base64)?.expose(), MAX_NAME_BYTES)?)
}

#[cfg(test)]
mod tests {
    use dmail_core::NameError;
    use dmail_core::sasl::{Malformed, UnusableLogin};

    use super::*;

    #[test]
    fn a_name_of_a_login_has_78_bytes_at_most() {
        assert!(login_name(&[b'a'; 78]).is_ok());
        assert_eq!(
            login_name(&[b'a'; 79]),
            Err(UnusableLogin::Name(NameError::TooLong { max: 78 }))
        );
    }

    #[test]
    fn the_limit_holds_for_auth_plain_too() {
        // base64 of NUL, "aaa" as often as it takes, NUL pw; then with one more.
        let user = |base64: String| plain(base64.as_bytes()).expect("credentials").user;
        let letters = "YWFh".repeat(25);
        assert!(user(format!("AGFh{letters}YQBwdw==")).is_ok());
        assert_eq!(
            user(format!("AGFh{letters}YWEAcHc=")),
            Err(UnusableLogin::Name(NameError::TooLong { max: 78 }))
        );
    }

    #[test]
    fn what_is_not_plain_is_the_mistake_that_it_is() {
        assert_eq!(plain(b"AGJvYgBwdw"), Err(Error::Sasl(Malformed::Base64)));
        assert_eq!(plain(b"*"), Err(Error::Sasl(Malformed::Base64)));
        assert_eq!(plain(b""), Err(Error::Sasl(Malformed::Message)));
        assert_eq!(plain(b"Ym9i"), Err(Error::Sasl(Malformed::Message)));
    }
}
