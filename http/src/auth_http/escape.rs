//! The escapes of nginx: `%` and two digits, for a blank, `%` and the bytes
//! below it. All other bytes are themselves, `+` and those above 126 too.

use zeroize::Zeroizing;

/// Undoes the escapes. `None` if a `%` is not followed by two digits.
///
/// # Examples
///
/// ```
/// let bytes = dmail_http::auth_http::unescape(b"a+b%20c%25").expect("nginx writes this");
/// assert_eq!(*bytes, b"a+b c%");
/// ```
#[must_use]
pub fn unescape(value: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(value.len()));
    let mut rest = value.iter();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => digit(*rest.next()?)? << 4 | digit(*rest.next()?)?,
            other => *other,
        });
    }
    Some(bytes)
}

fn digit(byte: u8) -> Option<u8> {
    let value = char::from(byte).to_digit(16)?;
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What nginx writes.
    fn escape(bytes: &[u8]) -> Vec<u8> {
        let mut escaped = Vec::new();
        for byte in bytes {
            match byte {
                0..=b' ' | b'%' => escaped.extend_from_slice(format!("%{byte:02X}").as_bytes()),
                other => escaped.push(*other),
            }
        }
        escaped
    }

    #[test]
    fn values_are_read_as_nginx_writes_them() {
        let rows: [(&[u8], Option<&[u8]>); 9] = [
            (b"", Some(b"")),
            (b"opensesame", Some(b"opensesame")),
            (b"x%20y%25\xc3\xa9", Some(b"x y%\xc3\xa9")),
            (b"a+b", Some(b"a+b")),
            (b"%00%0a%0D", Some(b"\0\n\r")),
            (b"%", None),
            (b"a%2", None),
            (b"%+2", None),
            (b"%zz", None),
        ];
        for (value, expected) in rows {
            let found = unescape(value);
            assert_eq!(found.as_ref().map(|bytes| &bytes[..]), expected, "{value:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_nginx_escapes_is_read_again(bytes: Vec<u8>) {
            let read = unescape(&escape(&bytes)).expect("escaped");
            proptest::prop_assert_eq!(&read[..], &bytes[..]);
        }

        #[test]
        fn any_bytes_are_taken_without_a_panic(bytes: Vec<u8>) {
            if let Some(read) = unescape(&bytes) {
                proptest::prop_assert!(read.len() <= bytes.len());
            }
        }
    }
}
