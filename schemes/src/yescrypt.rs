//! What a yescrypt or scrypt text costs, read from its parameters, and the
//! setting that new yescrypt passwords are written under.
//!
//! The hash itself is libcrypt's work. The parameters are numbers of variable
//! length in the alphabet `./0-9A-Za-z`:
//!
//! ```text
//!   $y$ j9T $ salt $ hash       flavour j, log2(N) 9, r T [, which others follow, p, t …]
//!   $7$ C U.... /.... salt $…   log2(N) one digit, r five, p five
//! ```

use dmail_core::Secret;

use super::SchemeError;
use super::libcrypt::{self, Kind};

/// 16 MiB, about 15 ms: libcrypt's own default.
const SETTING: &str = "$y$j9T$";

/// Most memory, times the passes over it, that one check may take.
const MAX_BYTES: u128 = 256 << 20;

pub(super) fn hash(secret: &Secret) -> Result<String, SchemeError> {
    let salt: [u8; 16] = rand::random();
    let setting = format!("{SETTING}{}", encode(&salt));
    libcrypt::hash(Kind::Yescrypt, &setting, secret)
}

/// Refuses a text whose parameters ask for too much, or do not read.
pub(super) fn check_cost(kind: Kind, text: &str) -> Result<(), SchemeError> {
    let scheme = kind.name();
    let bytes = match kind {
        Kind::Scrypt => scrypt_bytes(text),
        _ => yescrypt_bytes(text),
    };
    match bytes {
        None => Err(SchemeError::Malformed { scheme }),
        Some(bytes) if bytes > MAX_BYTES => {
            Err(SchemeError::TooCostly { scheme, limit: "more than 256 MiB of memory to fill" })
        }
        Some(_) => Ok(()),
    }
}

/// Whether a `$y$` text fills less memory than a new text would.
pub(super) fn is_cheap(text: &str) -> bool {
    yescrypt_bytes(text).is_some_and(|bytes| Some(bytes) < yescrypt_bytes(SETTING))
}

/// Bytes to fill for `$y$` and `$gy$`: 128·N·r, by p lanes and t more passes.
fn yescrypt_bytes(text: &str) -> Option<u128> {
    let mut digits = text.split('$').nth(2)?.bytes();
    let _flavour = number(&mut digits, 0)?;
    let log2_n = number(&mut digits, 1)?;
    let r = number(&mut digits, 1)?;
    let (mut p, mut t) = (1, 0);
    if digits.len() > 0 {
        let have = number(&mut digits, 1)?;
        if have & 1 != 0 {
            p = number(&mut digits, 2)?;
        }
        if have & 2 != 0 {
            t = number(&mut digits, 1)?;
        }
    }
    bytes_to_fill(log2_n, r, p, t)
}

/// Bytes to fill for `$7$`.
fn scrypt_bytes(text: &str) -> Option<u128> {
    let mut digits = text.get(3..14)?.bytes();
    let log2_n = digit(digits.next()?)?;
    let r = fixed(&mut digits)?;
    let p = fixed(&mut digits)?;
    bytes_to_fill(log2_n, r, p, 0)
}

fn bytes_to_fill(log2_n: u32, r: u32, p: u32, t: u32) -> Option<u128> {
    let n = 1_u128.checked_shl(log2_n)?;
    [u128::from(r), u128::from(p), u128::from(t) + 1]
        .into_iter()
        .try_fold(128 * n.min(1 << 64), u128::checked_mul)
}

/// A number of five digits of six bits, the lowest first.
fn fixed(digits: &mut impl Iterator<Item = u8>) -> Option<u32> {
    (0..5).try_fold(0, |value, place| Some(value | digit(digits.next()?)? << (6 * place)))
}

/// A number of variable length that counts from `min`. The first digit says
/// how many follow: 0-47 none, then half of the remaining values one, half of
/// the rest two, and so on.
fn number(digits: &mut impl Iterator<Item = u8>, min: u32) -> Option<u32> {
    let first = digit(digits.next()?)?;
    let (mut start, mut end, mut more) = (0, 47, 0);
    let mut value = min;
    while first > end {
        value = value.checked_add((end + 1 - start) << (6 * more))?;
        start = end + 1;
        end = start + (62 - end) / 2;
        more += 1;
        if more > 4 {
            return None;
        }
    }
    value = value.checked_add((first - start) << (6 * more))?;
    for place in (0..more).rev() {
        value = value.checked_add(digit(digits.next()?)? << (6 * place))?;
    }
    Some(value)
}

const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

fn digit(byte: u8) -> Option<u32> {
    let at = memchr::memchr(byte, ALPHABET)?;
    u32::try_from(at).ok()
}

/// Bytes in the alphabet, three to four characters, the lowest bits first.
fn encode(bytes: &[u8]) -> String {
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let value = group.iter().rev().fold(0_usize, |value, byte| value << 8 | usize::from(*byte));
        for place in 0..=group.len() {
            text.push(char::from(ALPHABET[value >> (6 * place) & 63]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_as_libcrypt_reads_them() {
        let rows = [
            ("$y$j9T$salt$hash", Some(16 << 20)),
            ("$y$j75$salt$hash", Some(1 << 20)),
            ("$y$jFT$salt$hash", Some(1 << 30)),
            ("$gy$j9T$salt$hash", Some(16 << 20)),
            ("$y$j$salt$hash", None),
            ("$y$$salt$hash", None),
            ("$y$j!T$salt$hash", None),
        ];
        for (text, expected) in rows {
            assert_eq!(yescrypt_bytes(text), expected, "{text}");
        }
        assert_eq!(scrypt_bytes("$7$CU..../....salt$hash"), Some(64 << 20));
        assert_eq!(scrypt_bytes("$7$CU...."), None);
    }
}
