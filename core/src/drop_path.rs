//! Where a drop file lies below its base: the directories of `hash_spool`.

use std::path::{Path, PathBuf};

use crate::DropName;

/// How drop files are spread over directories (`hash_spool`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum HashSpool {
    /// 0: all in one directory.
    #[default]
    Flat,
    /// 1: 26 directories, by a letter that is computed from the name.
    OneLetter,
    /// 2: two levels, by the first and the second letter of the name.
    TwoLetters,
}

impl HashSpool {
    /// The scheme of this number in dmail.conf.
    #[must_use]
    pub fn from_number(number: u64) -> Option<Self> {
        match number {
            0 => Some(Self::Flat),
            1 => Some(Self::OneLetter),
            2 => Some(Self::TwoLetters),
            _ => None,
        }
    }
}

/// The path of the drop file `file` below `base`, its directories made from
/// the user's own name `user` (without the prefix of a virtual domain, which
/// would put a whole domain into one directory).
///
/// Upper case does not matter to the directories. Anything but a letter or a
/// digit, and a second letter that is not there, counts as `_`.
#[must_use]
pub fn drop_path(base: &Path, scheme: HashSpool, user: &DropName, file: &DropName) -> PathBuf {
    let mut path = PathBuf::with_capacity(base.as_os_str().len() + file.as_str().len() + 6);
    path.push(base);
    match scheme {
        HashSpool::Flat => {}
        HashSpool::OneLetter => path.push(computed_letter(user.as_str()).encode_utf8(&mut [0; 4])),
        HashSpool::TwoLetters => {
            let mut letters = user.as_str().chars().map(directory_letter);
            for _ in 0..2 {
                path.push(letters.next().unwrap_or('_').encode_utf8(&mut [0; 4]));
            }
        }
    }
    path.push(file.as_str());
    path
}

/// Whether a directory may be one that [`drop_path`] made up: these are the
/// only ones that delivery creates, so that a base which is not mounted is
/// noticed instead of being replaced by an empty one.
#[must_use]
pub fn is_hash_directory(directory: &Path) -> bool {
    let name = directory.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.chars().count() == 1)
}

/// The directory that a letter of a name stands for.
fn directory_letter(letter: char) -> char {
    if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '_' }
}

/// The directory of scheme 1: FNV-1a of the name in lower case, as a letter.
/// The original's function is not known, so a spool of its scheme 1 has to be
/// moved over once.
fn computed_letter(name: &str) -> char {
    let hash = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0193)
    });
    char::from(b'a' + (hash % 26) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directories_come_from_the_name() {
        let rows = [
            (0, "shaun", "/m/shaun"),
            (1, "shaun", "/m/i/shaun"),
            (2, "shaun", "/m/s/h/shaun"),
            (2, "Shaun", "/m/s/h/Shaun"),
            (2, "x", "/m/x/_/x"),
            (2, "a.b", "/m/a/_/a.b"),
        ];
        for (scheme, name, expected) in rows {
            let scheme = HashSpool::from_number(scheme).expect("a scheme");
            let name = DropName::parse(name).expect("a name");
            assert_eq!(drop_path(Path::new("/m"), scheme, &name, &name), Path::new(expected));
        }
        assert_eq!(HashSpool::from_number(3), None);
    }

    #[test]
    fn only_directories_of_one_letter_are_made() {
        let rows = [("/m/s/h", true), ("/m/_", true), ("/var/mail", false), ("/", false)];
        for (directory, expected) in rows {
            assert_eq!(is_hash_directory(Path::new(directory)), expected, "{directory}");
        }
    }

    #[test]
    fn a_prefix_does_not_choose_the_directory() {
        let (user, file) = (DropName::parse("bob"), DropName::parse("dom1_bob"));
        let (user, file) = (user.expect("a name"), file.expect("a name"));
        let path = drop_path(Path::new("/m"), HashSpool::TwoLetters, &user, &file);
        assert_eq!(path, Path::new("/m/b/o/dom1_bob"));
    }
}
