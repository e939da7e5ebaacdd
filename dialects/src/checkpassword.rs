//! checkpassword: a login on descriptor 3, an answer in the exit code, an
//! account in the environment.
//!
//! ```text
//!   qmail-popup ─ fd 3: login NUL password NUL timestamp NUL ─▶ checkpassword PROGRAM …
//!                                                                     │ exit 1, 2, 111
//!                                 USER, HOME, SHELL in its environment ▼
//!                                                                 PROGRAM …
//! ```
//!
//! It is no conversation: one request, and a program that takes over. Both ends
//! of it are written here: whoever checks passwords reads a [`Request`], and
//! whoever has them checked writes one, and is handed a [`Reply`] by the program
//! that took over.

use dmail_core::Secret;
use memchr::memchr;
use zeroize::Zeroizing;

/// Longest request. The original takes 512 bytes; tokens are longer.
pub const MAX_REQUEST: usize = 8_192;
/// Longest [`Reply`].
pub const MAX_REPLY: usize = 16_384;

/// How a checkpassword program ends that does not become another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The password is wrong, or there is no such user.
    Refused = 1,
    /// The program was called in a wrong way.
    Misused = 2,
    /// There is no such user: to a question without a password only.
    Unknown = 3,
    /// Nobody can say now.
    Later = 111,
}

/// A login, or a question without a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The name, which is no more than bytes so far.
    pub login: Vec<u8>,
    /// The password; empty in a question without one.
    pub secret: Secret,
}

impl Request {
    /// Reads all that came on descriptor 3: two fields, and a third one that
    /// says nothing here. The NUL at the very end may be missing.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > MAX_REQUEST {
            return None;
        }
        let (login, rest) = split_nul(bytes)?;
        let (password, _timestamp) = split_nul(rest)?;
        Some(Self { login: login.to_vec(), secret: Secret::new(password) })
    }

    /// The bytes for descriptor 3. `None` if they cannot say it: a NUL in a
    /// field, or too many of them.
    #[must_use]
    pub fn bytes(&self) -> Option<Zeroizing<Vec<u8>>> {
        let (login, password) = (&self.login[..], self.secret.expose());
        let length = login.len() + password.len() + 3;
        if length > MAX_REQUEST || memchr(0, login).is_some() || memchr(0, password).is_some() {
            return None;
        }
        // Room for all of it, so that no copy stays behind when it grows.
        let mut bytes = Zeroizing::new(Vec::with_capacity(length));
        for field in [login, password, b""] {
            bytes.extend_from_slice(field);
            bytes.push(0);
        }
        Some(bytes)
    }
}

/// What the program that took over says of the account: the variables that it
/// found, in one record that cannot be taken for a part of itself.
///
/// ```text
///   USER=bob NUL HOME=/home/bob NUL uid=1000 NUL NUL
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reply {
    fields: Vec<(String, String)>,
}

impl Reply {
    /// Adds a variable, if a record can hold it.
    pub fn add(&mut self, name: &str, value: &str) {
        let sound = !name.is_empty() && !name.contains(['=', '\0']) && !value.contains('\0');
        if sound {
            self.fields.push((name.to_owned(), value.to_owned()));
        }
    }

    /// The value of a variable.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// All variables, in order.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The record.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (name, value) in &self.fields {
            bytes.extend_from_slice(format!("{name}={value}\0").as_bytes());
        }
        bytes.push(0);
        bytes
    }

    /// Whether `bytes` hold a whole record.
    #[must_use]
    pub fn is_whole(bytes: &[u8]) -> bool {
        bytes == [0] || bytes.ends_with(&[0, 0])
    }

    /// Reads a record; `None` if it is not whole, or not one.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > MAX_REPLY || !Self::is_whole(bytes) {
            return None;
        }
        let mut reply = Self::default();
        let mut rest = bytes;
        while let Some((field, after)) = split_nul(rest) {
            if field.is_empty() {
                // The end, and nothing may follow it.
                return after.is_empty().then_some(reply);
            }
            let (name, value) = std::str::from_utf8(field).ok()?.split_once('=')?;
            if name.is_empty() {
                return None;
            }
            reply.fields.push((name.to_owned(), value.to_owned()));
            rest = after;
        }
        None
    }
}

/// What stands before the first NUL, and after it.
fn split_nul(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = memchr(0, bytes)?;
    Some((&bytes[..at], &bytes[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_two_fields_and_whatever_follows() {
        type Row<'a> = (&'a [u8], Option<(&'a [u8], &'a [u8])>);
        let rows: &[Row<'_>] = &[
            (b"bob\0s3 cret\0<1.2@host>\0", Some((b"bob", b"s3 cret"))),
            (b"bob\0s3cret\0timestamp", Some((b"bob", b"s3cret"))),
            (b"bob\0s3cret\0\0more\0", Some((b"bob", b"s3cret"))),
            (b"bob\0\0\0", Some((b"bob", b""))),
            (b"bob\0s3cret\0", Some((b"bob", b"s3cret"))),
            (b"bob\0s3cret", None),
            (b"bob", None),
            (b"", None),
            (&[0; MAX_REQUEST + 1], None),
        ];
        for (bytes, expected) in rows {
            let found = Request::parse(bytes);
            let found = found.as_ref().map(|found| (&found.login[..], found.secret.expose()));
            assert_eq!(found, *expected, "{bytes:?}");
        }
    }

    #[test]
    fn what_a_request_cannot_say_is_not_written() {
        let request = |login: &[u8], password: &[u8]| Request {
            login: login.to_vec(),
            secret: Secret::new(password),
        };
        let bytes = request(b"bob", b"a b").bytes();
        assert_eq!(bytes.as_deref().map(Vec::as_slice), Some(&b"bob\0a b\0\0"[..]));
        assert_eq!(request(b"bob", b"a\0b").bytes(), None);
        assert_eq!(request(b"b\0b", b"a").bytes(), None);
        assert_eq!(request(b"bob", &[b'a'; MAX_REQUEST]).bytes(), None);
    }

    #[test]
    fn a_reply_is_whole_or_none() {
        let mut reply = Reply::default();
        assert_eq!(Reply::parse(&reply.bytes()), Some(reply.clone()));
        reply.add("USER", "bob");
        reply.add("HOME", "/home/a=b");
        reply.add("bad=name", "x");
        reply.add("worse", "a\0b");
        assert_eq!(reply.bytes(), b"USER=bob\0HOME=/home/a=b\0\0");
        assert_eq!((reply.get("HOME"), reply.get("worse")), (Some("/home/a=b"), None));
        for bad in [&b""[..], b"USER=bob", b"USER=bob\0", b"USER\0\0", b"=x\0\0", b"\0a=b\0\0"] {
            assert_eq!(Reply::parse(bad), None, "{bad:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_a_reply_is_written_as_it_was(bytes: Vec<u8>) {
            if let Some(reply) = Reply::parse(&bytes) {
                assert_eq!(reply.bytes(), bytes);
            }
            let _ = Request::parse(&bytes);
        }

        #[test]
        fn a_request_comes_back(login in "[^\0]{0,50}", password in "[^\0]{0,50}") {
            let secret = Secret::new(password.as_bytes());
            let request = Request { login: login.into_bytes(), secret };
            let bytes = request.bytes().expect("a short request");
            assert_eq!(Request::parse(&bytes), Some(request));
        }
    }
}
