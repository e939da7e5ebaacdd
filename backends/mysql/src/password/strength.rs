//! Whether a stored password is weaker than one that would be written now.

use dmail_schemes::Scheme;

/// Whether the text `stored`, which a right password was found behind, is
/// weaker than what `scheme` writes: of a weaker scheme, or cheaper to guess in
/// the same. Judged by the text's first letters alone.
pub(crate) fn is_weaker(stored: &str, scheme: Scheme) -> bool {
    strength(stored) < strength_written(scheme)
}

/// Rank of the scheme, and its cost within it.
type Strength = (u8, u64);

/// What [`dmail_schemes::hash`] writes.
fn strength_written(scheme: Scheme) -> Strength {
    match scheme {
        Scheme::Argon2id => (8, 19_456 * 2),
        Scheme::Yescrypt => (7, 0),
        Scheme::Bcrypt => (6, 10),
        Scheme::Sha512Crypt => (5, 50_000),
        Scheme::Sha256Crypt => (4, 50_000),
        Scheme::Ssha512 => (3, 0),
        Scheme::Ssha256 => (2, 0),
        Scheme::Ssha => (1, 0),
    }
}

fn strength(stored: &str) -> Strength {
    let (tag, text) = match stored.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
        Some((tag, rest)) => (tag.to_ascii_uppercase(), rest),
        None => (String::new(), stored),
    };
    match tag.as_str() {
        "SSHA512" => return (3, 0),
        "SSHA256" => return (2, 0),
        "SSHA" => return (1, 0),
        _ => {}
    }
    let mut parts = text.split('$').skip(1);
    let id = parts.next().unwrap_or_default();
    match id {
        "argon2id" => (8, argon2_cost(text)),
        "y" | "gy" | "7" => (7, 0),
        "2a" | "2b" | "2y" => (6, parts.next().and_then(|cost| cost.parse().ok()).unwrap_or(0)),
        "6" => (5, rounds(parts.next())),
        "5" => (4, rounds(parts.next())),
        _ => (0, 0),
    }
}

/// Memory in KiB times passes.
fn argon2_cost(text: &str) -> u64 {
    let parameter = |name: &str| {
        let after = text.split(['$', ',']).find_map(|part| part.strip_prefix(name));
        after.and_then(|number| number.parse::<u64>().ok()).unwrap_or(0)
    };
    parameter("m=").saturating_mul(parameter("t="))
}

/// SHA-crypt says its rounds, unless they are 5,000.
fn rounds(part: Option<&str>) -> u64 {
    let said = part.and_then(|part| part.strip_prefix("rounds="));
    said.and_then(|rounds| rounds.parse().ok()).unwrap_or(5_000)
}

#[cfg(test)]
mod tests {
    use dmail_core::Secret;

    use super::*;

    #[test]
    fn what_is_written_now_is_not_weaker_than_itself() {
        for scheme in Scheme::ALL {
            let stored = dmail_schemes::hash(scheme, &Secret::new(*b"x")).expect("a hash");
            assert!(!is_weaker(&stored, scheme), "{scheme}");
            assert_eq!(strength(&stored).0, strength_written(scheme).0, "{scheme}");
        }
    }

    #[test]
    fn old_schemes_and_low_costs_are_weaker() {
        let rows = [
            ("*opensesame", Scheme::Ssha, true),
            ("{PLAIN}x", Scheme::Ssha, true),
            ("$1$salt$hash", Scheme::Sha256Crypt, true),
            ("{SSHA}xxxx", Scheme::Argon2id, true),
            ("$6$salt$hash", Scheme::Sha512Crypt, true),
            ("$6$rounds=60000$salt$hash", Scheme::Sha512Crypt, false),
            ("{CRYPT}$2y$05$x", Scheme::Bcrypt, true),
            ("$2b$12$x", Scheme::Bcrypt, false),
            ("$argon2id$v=19$m=4096,t=3,p=1$s$h", Scheme::Argon2id, true),
            ("$argon2id$v=19$m=4096,t=3,p=1$s$h", Scheme::Bcrypt, false),
        ];
        for (stored, scheme, expected) in rows {
            assert_eq!(is_weaker(stored, scheme), expected, "{stored} {scheme}");
        }
    }
}
