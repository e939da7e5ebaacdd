//! PASSWORD() of MySQL 4.1 and later: `*` and the SHA-1 of the SHA-1, in 40
//! hexadecimal digits. Its predecessor, 16 digits, is only recognised.

use std::fmt::Write;

use dmail_core::Secret;
use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Whether `text` has the form.
pub(super) fn is(text: &str) -> bool {
    let Some(digits) = text.strip_prefix('*') else { return false };
    digits.len() == 40 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether `text` is what OLD_PASSWORD() made.
pub(super) fn is_old(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether `secret` is the one behind `text`, which has the form.
pub(super) fn verify(text: &str, secret: &Secret) -> bool {
    let expected = Zeroizing::new(text.to_ascii_uppercase());
    hash(secret).as_bytes().ct_eq(expected.as_bytes()).into()
}

/// The text for `secret`.
pub(super) fn hash(secret: &Secret) -> Zeroizing<String> {
    let digest = Sha1::digest(Sha1::digest(secret.expose()));
    let mut text = Zeroizing::new(String::with_capacity(41));
    text.push('*');
    for byte in digest {
        write!(text, "{byte:02X}").expect("a String takes everything");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_the_server_makes() {
        // SELECT PASSWORD('geheim')
        let text = hash(&Secret::new(*b"mypass"));
        assert_eq!(*text, "*6C8989366EAF75BB670AD8EA7A7FC1176A95CEF4");
        assert!(verify(&text.to_ascii_lowercase(), &Secret::new(*b"mypass")));
        assert!(!verify(&text, &Secret::new(*b"mypasS")));
        assert!(is(&text) && !is(&text[1..]) && !is("*6C89"));
        assert!(is_old("6f8c114b58f2ce9e") && !is_old(&text));
    }
}
