//! Where a drop file lies below its base directory (`hash_spool`).
//!
//! Only names that were parsed become part of a path, so no path built here
//! can leave the base.

use std::path::{Path, PathBuf};

use dmail_core::DropName;

/// How drop files are spread over directories.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum HashSpool {
    /// 0: all in the base directory, `base/shaun`.
    #[default]
    None,
    /// 1: one directory with a computed letter, `base/c/shaun`.
    ///
    /// The letter is `a` plus the 32-bit FNV-1a hash of the name modulo 26. The
    /// original's function was never published: a spool that it hashed this
    /// way has to be moved once.
    Letter,
    /// 2: the first letter, then the second, `base/s/h/shaun`.
    ///
    /// A name of one letter has `_` as its second; so has a name whose second
    /// letter is a dot, which cannot name a directory.
    TwoLetters,
}

impl HashSpool {
    /// The scheme with this number in dmail.conf.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::None),
            1 => Some(Self::Letter),
            2 => Some(Self::TwoLetters),
            _ => None,
        }
    }
}

/// The drop file of `name` below `base`. Directories are chosen by the name in
/// lower case (ASCII); the file keeps the name as it is.
#[must_use]
pub fn drop_path(base: &Path, scheme: HashSpool, name: &DropName) -> PathBuf {
    let mut path = base.to_path_buf();
    let lower = name.as_str().to_ascii_lowercase();
    match scheme {
        HashSpool::None => {}
        HashSpool::Letter => path.push(computed_letter(&lower)),
        HashSpool::TwoLetters => {
            let mut letters = lower.chars();
            for _ in 0..2 {
                let letter = letters.next().filter(|letter| *letter != '.');
                path.push(letter.unwrap_or('_').to_string());
            }
        }
    }
    path.push(name.as_str());
    path
}

/// Whether a directory may be one that [`drop_path`] made up: these are the
/// only ones that delivery creates, so that a base which is not mounted is
/// noticed instead of being replaced by an empty one.
pub(crate) fn is_hash_directory(directory: &Path) -> bool {
    directory
        .file_name()
        .and_then(|name| name.to_str())
        .is_some_and(|name| name.chars().count() == 1)
}

fn computed_letter(lower: &str) -> String {
    const OFFSET_BASIS: u32 = 0x811c_9dc5;
    const PRIME: u32 = 0x0100_0193;
    let hash =
        lower.bytes().fold(OFFSET_BASIS, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(PRIME));
    char::from(b'a' + (hash % 26) as u8).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scheme_spreads_names_its_own_way() {
        use HashSpool::{Letter, None, TwoLetters};
        let rows = [
            (None, "shaun", "/m/shaun"),
            (None, "Shaun", "/m/Shaun"),
            (TwoLetters, "shaun", "/m/s/h/shaun"),
            (TwoLetters, "SHaun", "/m/s/h/SHaun"),
            (TwoLetters, "x", "/m/x/_/x"),
            (TwoLetters, "a.b", "/m/a/_/a.b"),
            (TwoLetters, "abc_fred", "/m/a/b/abc_fred"),
            (TwoLetters, "\u{e9}ric", "/m/\u{e9}/r/\u{e9}ric"),
            (Letter, "shaun", "/m/i/shaun"),
            (Letter, "SHAUN", "/m/i/SHAUN"),
            (Letter, "bob", "/m/o/bob"),
        ];
        for (scheme, name, expected) in rows {
            let name = DropName::parse(name).expect("a drop name");
            let path = drop_path(Path::new("/m"), scheme, &name);
            assert_eq!(path, Path::new(expected), "{scheme:?} {name:?}");
        }
    }

    #[test]
    fn only_directories_of_one_letter_are_made() {
        for (directory, expected) in [
            ("/m/s/h", true),
            ("/m/_", true),
            ("/m/\u{e9}", true),
            ("/var/mail", false),
            ("/", false),
        ] {
            assert_eq!(is_hash_directory(Path::new(directory)), expected);
        }
    }
}
