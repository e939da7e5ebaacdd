//! Looking for passwords where none may be.

use std::fs;
use std::path::Path;

use crate::base64;

/// All forms of the passwords that must not be found: as they are, and in
/// base64 as clients send them for `user`.
#[must_use]
pub fn forms(user: &str, passwords: &[&str]) -> Vec<String> {
    let of_one = |password: &&str| {
        [password.to_string(), base64::encode(password), base64::plain(user, password)]
    };
    passwords.iter().flat_map(of_one).collect()
}

/// Fails if a file below `folder` holds one of `forms`.
///
/// # Panics
///
/// If one does.
pub fn assert_no_file_holds(folder: &Path, forms: &[String]) {
    for entry in fs::read_dir(folder).expect("a directory").flatten() {
        let path = entry.path();
        if path.is_dir() {
            assert_no_file_holds(&path, forms);
        } else {
            assert_holds_none(&path, &fs::read(&path).unwrap_or_default(), forms);
        }
    }
}

/// Fails if `content`, which is that of `path`, holds one of `forms`.
///
/// # Panics
///
/// If it does.
pub fn assert_holds_none(path: &Path, content: &[u8], forms: &[String]) {
    let content = String::from_utf8_lossy(content);
    for form in forms {
        let found = content.lines().find(|line| line.contains(form));
        assert_eq!(found, None, "{form} is in {}", path.display());
    }
}
