//! Stored passwords as other programs write them.
//!
//! | here | LDAP `userPassword` | Dovecot |
//! |---|---|---|
//! | `$6$…`, `$2y$…`, DES | `{CRYPT}$6$…` | `{CRYPT}$6$…` |
//! | `{BLF-CRYPT}$2y$…` and the like | `{CRYPT}$2y$…` | as it is |
//! | `$argon2id$…` | `{ARGON2}$argon2id$…` | `{ARGON2ID}$argon2id$…` |
//! | `{SSHA}…` and the like | as it is | as it is; `{MD5}` is `{LDAP-MD5}` |
//! | `*clear`, `{PLAIN}clear` | `{CLEARTEXT}clear` | `{PLAIN}clear`, `{PLAIN.b64}…` |
//! | `!…`: locked | `{CRYPT}!…` | `{CRYPT}!…` |
//!
//! A text without a `{TAG}` is clear text to a directory, and crypt to Dovecot.
//! A tag that nobody here knows is kept as it is: such a user is told to try
//! again later, as with any base, until the password is set anew.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dmail_core::Secret;
use zeroize::Zeroizing;

/// A value of `userPassword`. `None` if it is empty.
pub(super) fn from_ldap(value: &[u8]) -> Option<Secret> {
    match tag(value) {
        _ if value.is_empty() => None,
        Some((tag, rest)) => Some(common_tag(&tag, rest).unwrap_or_else(|| Secret::new(value))),
        None => Some(clear(value)),
    }
}

/// What to write as `userPassword`; `None` if directories have no form for it.
pub(super) fn to_ldap(stored: &Secret) -> Option<Zeroizing<Vec<u8>>> {
    let bytes = stored.expose();
    if let Some(clear) = clear_text(stored) {
        return Some(tagged("CLEARTEXT", clear));
    }
    let bare = without_tag(bytes);
    let bytes = bare.as_ref().map_or(bytes, Secret::expose);
    if bytes.starts_with(b"$argon2") {
        return Some(tagged("ARGON2", bytes));
    }
    match tag(bytes) {
        Some((tag, rest)) if tag == "SHA1" => Some(tagged("SHA", rest)),
        Some(_) => Some(Zeroizing::new(bytes.to_vec())),
        None => crypt(bytes),
    }
}

/// The password field of a passwd-file; `None` if it is empty, or `x`, which
/// means that it is elsewhere.
pub(super) fn from_dovecot(value: &[u8]) -> Option<Secret> {
    if value.is_empty() || value == b"x" {
        return None;
    }
    let Some((tag, rest)) = tag(value) else {
        // No crypt text starts so: the account is locked.
        return Some(match value.first() {
            Some(b'*') => Secret::new([b"!", value].concat()),
            _ => Secret::new(value),
        });
    };
    let (name, rest) = match decoded(&tag, rest) {
        Some((name, bytes)) => (name, bytes),
        None => (tag.as_str(), Zeroizing::new(rest.to_vec())),
    };
    let known = match name {
        "LDAP-MD5" => Some(Secret::new(tagged("MD5", &rest).to_vec())),
        "PLAIN-MD5" => digest("MD5", &rest, 16),
        "SHA" | "SHA1" | "SHA256" | "SHA512" | "SSHA" | "SSHA256" | "SSHA512" | "SMD5"
            if name.len() != tag.len() =>
        {
            Some(Secret::new(tagged(name, STANDARD.encode(&*rest).as_bytes()).to_vec()))
        }
        _ => common_tag(name, &rest),
    };
    known.or_else(|| Some(Secret::new(value)))
}

/// What to write into a passwd-file; `None` if Dovecot has no form for it.
pub(super) fn to_dovecot(stored: &Secret) -> Option<Zeroizing<Vec<u8>>> {
    let bytes = stored.expose();
    if let Some(clear) = clear_text(stored) {
        let plain = clear.iter().all(|byte| byte.is_ascii_graphic() && *byte != b':');
        return Some(match plain {
            true => tagged("PLAIN", clear),
            false => tagged("PLAIN.b64", STANDARD.encode(clear).as_bytes()),
        });
    }
    if bytes.contains(&b':') {
        return None;
    }
    // Dovecot has a tag for each of argon2's kinds, and none for all.
    let bare = without_tag(bytes).filter(|bare| bare.expose().starts_with(b"$argon2"));
    let bytes = bare.as_ref().map_or(bytes, Secret::expose);
    match tag(bytes) {
        Some((tag, rest)) if tag == "MD5" && !rest.starts_with(b"$") => {
            Some(tagged("LDAP-MD5", rest))
        }
        Some(_) => Some(Zeroizing::new(bytes.to_vec())),
        None if bytes.starts_with(b"$argon2id$") => Some(tagged("ARGON2ID", bytes)),
        None if bytes.starts_with(b"$argon2i$") => Some(tagged("ARGON2I", bytes)),
        None => crypt(bytes),
    }
}

/// Crypt text, if that is what a tag is in front of.
fn without_tag(bytes: &[u8]) -> Option<Secret> {
    match tag(bytes)? {
        (tag, rest) if tag == "MD5" && rest.starts_with(b"$1$") => Some(Secret::new(rest)),
        (tag, rest) => common_tag(&tag, rest),
    }
}

/// The tags that mean the same to everybody.
fn common_tag(tag: &str, rest: &[u8]) -> Option<Secret> {
    match tag {
        "PLAIN" | "CLEAR" | "CLEARTEXT" => Some(clear(rest)),
        "CRYPT" if rest.starts_with(b"*") => Some(Secret::new([b"!", rest].concat())),
        "CRYPT" if rest.starts_with(b"!") => Some(Secret::new(rest)),
        "CRYPT" | "ARGON2" | "ARGON2I" | "ARGON2ID" | "BLF-CRYPT" | "SHA256-CRYPT"
        | "SHA512-CRYPT" | "MD5-CRYPT" | "DES-CRYPT"
            if is_crypt(rest) =>
        {
            Some(Secret::new(rest))
        }
        _ => None,
    }
}

/// `{TAG.b64}` and `{TAG.hex}`: the tag without its ending, and the bytes.
fn decoded<'a>(tag: &'a str, rest: &[u8]) -> Option<(&'a str, Zeroizing<Vec<u8>>)> {
    let (name, coding) = tag.split_once('.')?;
    let bytes = match coding {
        "B64" | "BASE64" => STANDARD.decode(rest).ok()?,
        "HEX" => unhex(rest)?,
        _ => return None,
    };
    Some((name, Zeroizing::new(bytes)))
}

/// A digest that is given in hexadecimal.
fn digest(tag: &str, hex: &[u8], len: usize) -> Option<Secret> {
    let bytes = unhex(hex).filter(|bytes| bytes.len() == len)?;
    Some(Secret::new(tagged(tag, STANDARD.encode(bytes).as_bytes()).to_vec()))
}

fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.chunks(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

/// `{TAG}rest`, the tag in capitals.
fn tag(bytes: &[u8]) -> Option<(String, &[u8])> {
    let inner = bytes.strip_prefix(b"{")?;
    let end = memchr::memchr(b'}', inner)?;
    let (tag, rest) = (&inner[..end], &inner[end + 1..]);
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._/".contains(byte);
    let name = std::str::from_utf8(tag).ok()?;
    (!tag.is_empty() && tag.iter().all(plain)).then(|| (name.to_ascii_uppercase(), rest))
}

fn tagged(tag: &str, rest: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new([b"{", tag.as_bytes(), b"}", rest].concat())
}

fn clear(text: &[u8]) -> Secret {
    Secret::new(tagged("PLAIN", text).to_vec())
}

fn clear_text(stored: &Secret) -> Option<&[u8]> {
    let text = std::str::from_utf8(stored.expose()).ok()?;
    dmail_schemes::clear_text(text).map(str::as_bytes)
}

fn crypt(bytes: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    (bytes.starts_with(b"!") || is_crypt(bytes)).then(|| tagged("CRYPT", bytes))
}

/// Whether it is text that crypt(3), or argon2, would know.
fn is_crypt(bytes: &[u8]) -> bool {
    let text = std::str::from_utf8(bytes).ok();
    !bytes.starts_with(b"{")
        && !bytes.starts_with(b"*")
        && !bytes.is_empty()
        && text.is_some_and(|text| dmail_schemes::recognise(text).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: Option<Zeroizing<Vec<u8>>>) -> Option<String> {
        bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    fn secret(secret: Option<Secret>) -> Option<String> {
        secret.map(|secret| String::from_utf8_lossy(secret.expose()).into_owned())
    }

    #[test]
    fn stored_forms_go_out_and_come_back() {
        // Here, in a directory, in a passwd-file, and what comes back.
        let rows = [
            ("$6$s$h", Some("{CRYPT}$6$s$h"), Some("{CRYPT}$6$s$h"), "$6$s$h"),
            (
                "rEK1ecacw.7.c",
                Some("{CRYPT}rEK1ecacw.7.c"),
                Some("{CRYPT}rEK1ecacw.7.c"),
                "rEK1ecacw.7.c",
            ),
            (
                "$argon2id$v=19$x",
                Some("{ARGON2}$argon2id$v=19$x"),
                Some("{ARGON2ID}$argon2id$v=19$x"),
                "$argon2id$v=19$x",
            ),
            ("{SSHA}QUJD", Some("{SSHA}QUJD"), Some("{SSHA}QUJD"), "{SSHA}QUJD"),
            ("{MD5}QUJD", Some("{MD5}QUJD"), Some("{LDAP-MD5}QUJD"), "{MD5}QUJD"),
            ("*clear", Some("{CLEARTEXT}clear"), Some("{PLAIN}clear"), "{PLAIN}clear"),
            ("{plain}a:b", Some("{CLEARTEXT}a:b"), Some("{PLAIN.b64}YTpi"), "{PLAIN}a:b"),
            ("!$6$s$h", Some("{CRYPT}!$6$s$h"), Some("{CRYPT}!$6$s$h"), "!$6$s$h"),
            ("{SASL}bob@R", Some("{SASL}bob@R"), Some("{SASL}bob@R"), "{SASL}bob@R"),
            (
                "{BLF-CRYPT}$2y$05$x",
                Some("{CRYPT}$2y$05$x"),
                Some("{BLF-CRYPT}$2y$05$x"),
                "$2y$05$x",
            ),
            ("{sha512-crypt}$6$s$h", Some("{CRYPT}$6$s$h"), Some("{sha512-crypt}$6$s$h"), "$6$s$h"),
            (
                "{ARGON2ID}$argon2id$v=19$x",
                Some("{ARGON2}$argon2id$v=19$x"),
                Some("{ARGON2ID}$argon2id$v=19$x"),
                "$argon2id$v=19$x",
            ),
            (
                "{ARGON2}$argon2i$v=19$x",
                Some("{ARGON2}$argon2i$v=19$x"),
                Some("{ARGON2I}$argon2i$v=19$x"),
                "$argon2i$v=19$x",
            ),
        ];
        for (stored, ldap, dovecot, back) in rows {
            let stored = Secret::new(stored.as_bytes());
            let (to_ldap, to_dovecot) = (to_ldap(&stored), to_dovecot(&stored));
            assert_eq!(text(to_ldap.clone()).as_deref(), ldap);
            assert_eq!(text(to_dovecot.clone()).as_deref(), dovecot);
            assert_eq!(secret(from_ldap(&to_ldap.expect("a form"))).as_deref(), Some(back));
            assert_eq!(secret(from_dovecot(&to_dovecot.expect("a form"))).as_deref(), Some(back));
        }
        for (stored, ldap) in [("{MD5}$1$s$h", "{CRYPT}$1$s$h"), ("{SHA1}QUJD", "{SHA}QUJD")] {
            assert_eq!(text(to_ldap(&Secret::new(stored.as_bytes()))).as_deref(), Some(ldap));
        }
        // The reversible hash of old NWAuth versions means nothing to others.
        let old = Secret::new(*b"qrQ\\Wd");
        assert_eq!((text(to_ldap(&old)), text(to_dovecot(&old))), (None, None));
    }

    #[test]
    fn what_others_write_is_read() {
        let ldap = [
            ("", None),
            ("secret", Some("{PLAIN}secret")),
            ("{crypt}$1$s$h", Some("$1$s$h")),
            ("{CRYPT}*", Some("!*")),
            ("{not a tag", Some("{PLAIN}{not a tag")),
        ];
        for (value, expected) in ldap {
            assert_eq!(secret(from_ldap(value.as_bytes())).as_deref(), expected, "{value}");
        }
        let dovecot = [
            ("", None),
            ("x", None),
            ("*", Some("!*")),
            ("*LK*", Some("!*LK*")),
            ("!!", Some("!!")),
            ("$6$s$h", Some("$6$s$h")),
            ("{SHA512-CRYPT}$6$s$h", Some("$6$s$h")),
            ("{BLF-CRYPT}$2y$05$x", Some("$2y$05$x")),
            ("{PLAIN-MD5}00112233445566778899aabbccddeeff", Some("{MD5}ABEiM0RVZneImaq7zN3u/w==")),
            ("{SHA256.HEX}414243", Some("{SHA256}QUJD")),
            ("{SCRAM-SHA-256}4096,x,y", Some("{SCRAM-SHA-256}4096,x,y")),
        ];
        for (value, expected) in dovecot {
            assert_eq!(secret(from_dovecot(value.as_bytes())).as_deref(), expected, "{value}");
        }
    }
}
