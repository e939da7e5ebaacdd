//! Which names reach the system's user base at all.

use dmail_core::Username;

/// Whether `user` looks like an account: letters, digits and `_ . - + @`, of
/// which the first is a letter, a digit or `_`.
///
/// Everything else (`:` and `/` before all) means something to a file or a
/// module on the way, and no account has it.
pub(crate) fn is_sane(user: &Username) -> bool {
    let name = user.as_str();
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.starts_with(plain) && name.chars().all(|c| plain(c) || matches!(c, '.' | '-' | '+' | '@'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_accounts_have_are_asked_about() {
        let rows = [
            ("bob", true),
            ("_bob", true),
            ("4711", true),
            ("abc_fred", true),
            ("ann.lee-2+x@corp.example", true),
            ("-rf", false),
            (".", false),
            ("+bob", false),
            ("@staff", false),
            ("bob:x", false),
            ("../bob", false),
            ("a/b", false),
            ("CORP\\bob", false),
            ("bob$", false),
            ("bob,ann", false),
            ("~bob", false),
            ("jos\u{e9}", false),
        ];
        for (name, expected) in rows {
            let user = Username::parse(name.as_bytes()).expect("a name");
            assert_eq!(is_sane(&user), expected, "{name}");
        }
    }
}
