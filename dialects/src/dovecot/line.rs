//! Lines of fields that are separated by tabs, and the escapes in them.

use std::borrow::Cow;

/// Longest line that Dovecot's own clients send to an auth service.
pub(super) const MAX_AUTH_LINE: usize = 16_384;
/// The byte that starts an escape.
const ESCAPE: u8 = 1;

/// Appends `value` so that it is one field: `^A0` NUL, `^A1` ^A, `^At` tab,
/// `^Ar` CR, `^An` LF.
pub fn put_escaped(out: &mut Vec<u8>, value: &[u8]) {
    for byte in value {
        let code = match byte {
            0 => b'0',
            1 => b'1',
            b'\t' => b't',
            b'\r' => b'r',
            b'\n' => b'n',
            plain => {
                out.push(*plain);
                continue;
            }
        };
        out.extend_from_slice(&[ESCAPE, code]);
    }
}

/// The value that a field stands for. An unknown escape is its second byte; a
/// lonely one at the end is dropped, as Dovecot does it.
#[must_use]
pub fn unescape(field: &[u8]) -> Cow<'_, [u8]> {
    if !field.contains(&ESCAPE) {
        return field.into();
    }
    let mut value = Vec::with_capacity(field.len());
    let mut bytes = field.iter();
    while let Some(byte) = bytes.next() {
        if *byte != ESCAPE {
            value.push(*byte);
            continue;
        }
        match bytes.next() {
            Some(b'0') => value.push(0),
            Some(b'1') => value.push(ESCAPE),
            Some(b't') => value.push(b'\t'),
            Some(b'r') => value.push(b'\r'),
            Some(b'n') => value.push(b'\n'),
            Some(other) => value.push(*other),
            None => {}
        }
    }
    value.into()
}

/// The fields of a line.
pub fn fields(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| *byte == b'\t')
}

/// A decimal number that is not 0, as ids are.
#[must_use]
pub fn id(field: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(field).ok()?;
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|id| digits && *id != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_those_of_dovecot() {
        let mut out = Vec::new();
        put_escaped(&mut out, b"a\tb\nc\rd\0e\x01f");
        assert_eq!(out, b"a\x01tb\x01nc\x01rd\x010e\x011f");
        assert_eq!(unescape(b"a\x01xb\x01"), &b"axb"[..]);
        assert!(matches!(unescape(b"plain"), Cow::Borrowed(b"plain")));
    }

    #[test]
    fn an_id_is_a_number_but_not_0() {
        for (text, expected) in [("1", Some(1)), ("4294967295", Some(u32::MAX)), ("007", Some(7))] {
            assert_eq!(id(text.as_bytes()), expected, "{text}");
        }
        for bad in ["", "0", "+1", "-1", "4294967296", "1x", " 1"] {
            assert_eq!(id(bad.as_bytes()), None, "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_value_comes_back(value: Vec<u8>) {
            let mut out = Vec::new();
            put_escaped(&mut out, &value);
            assert!(!out.iter().any(|byte| b"\0\t\r\n".contains(byte)));
            assert_eq!(&*unescape(&out), &value[..]);
        }
    }
}
