//! `dnauth.ini`.

use std::io;
use std::path::{Path, PathBuf};

use dmail_core::config::Severity::Error;
use dmail_core::config::Unset::{Nothing, Value};
use dmail_core::config::value::{path, word};
use dmail_core::config::{Given, Loaded, Vocabulary};

use crate::ini;

/// The usual name of the file with the users.
const USERS: &str = "users.dat";

dmail_core::settings! {
    title: "Users";
    /// The user base of `authent_method dnauth`: the file in which DNews keeps
    /// its users. It is never written.
    pub struct DnAuthSettings {
        /// The file with the users.
        users_file: Option<PathBuf> = optional("users_file", path()),
            default: Nothing("`users.dat` in the folder that `dnews_conf` leads to, \
                              else beside `dnauth.ini`"),
            example: "users_file /usr/local/dnews/users.dat";

        /// The configuration of DNews, whose line `config` names the folder of
        /// `users.dat`.
        dnews_conf: Option<PathBuf> = optional("dnews_conf", path()),
            default: Nothing("not looked at"), example: "dnews_conf /etc/dnews.conf";

        /// What the passwords are. `clear`: the passwords themselves. `hashed`:
        /// hashes, in any scheme that NWAuth reads. `either`: what begins with
        /// `$` or `{` is a hash, anything else a password.
        passwords: Passwords = one("passwords", word(&Passwords::WORDS)),
            default: Value("either"), example: "passwords hashed";
    }
}

/// The vocabulary of `dnauth.ini`.
pub const VOCABULARY: Vocabulary = Vocabulary {
    file: "dnauth.ini",
    introduction: include_str!("introduction.md"),
    groups: &[DnAuthSettings::GROUP],
    not_used: &[],
};

/// What the second field of a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passwords {
    /// The password itself.
    Clear,
    /// A hash if it looks like one, else the password.
    Either,
    /// A hash.
    Hashed,
}

impl Passwords {
    const WORDS: [(&'static str, Self); 3] =
        [("clear", Self::Clear), ("hashed", Self::Hashed), ("either", Self::Either)];
}

/// Reads `file`. One that is not there is as good as an empty one.
#[must_use]
pub fn load(file: &Path) -> Loaded<DnAuthSettings> {
    ini::load_if_there(file, &VOCABULARY, build)
}

fn build(given: &mut Given<'_>) -> Option<DnAuthSettings> {
    let settings = DnAuthSettings::build(given);
    if given.is_set("users_file") && given.is_set("dnews_conf") {
        let message = "`users_file` and `dnews_conf` both say where the users are";
        given.report(Error, &["dnews_conf"], message, "take one of the two lines away");
    }
    settings
}

impl DnAuthSettings {
    /// The file with the users, for settings that were read from `file`.
    ///
    /// # Errors
    ///
    /// If `dnews_conf` cannot be read, or names no folder.
    pub fn users(&self, file: &Path) -> io::Result<PathBuf> {
        match (&self.users_file, &self.dnews_conf) {
            (Some(users), _) => Ok(users.clone()),
            (None, None) => Ok(file.with_file_name(USERS)),
            (None, Some(dnews)) => {
                let text = String::from_utf8_lossy(&std::fs::read(dnews)?).into_owned();
                let missing = || io::Error::other("it has no line `config FOLDER`");
                Ok(dnews.with_file_name(config_folder(&text).ok_or_else(missing)?).join(USERS))
            }
        }
    }
}

/// What the first `config` line of dnews.conf says.
fn config_folder(text: &str) -> Option<&str> {
    let mut settings = text.lines().filter_map(|line| line.trim().split_once(char::is_whitespace));
    settings.find(|(name, _)| name.eq_ignore_ascii_case("config")).map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users(text: &str) -> Option<PathBuf> {
        let home = tempfile::tempdir().expect("a directory");
        let file = home.path().join("dnauth.ini");
        std::fs::write(&file, text).expect("written");
        let dnews = "# dnews\nspool /var/spool/dnews\nCONFIG  /usr/local/dnews \nconfig /other\n";
        std::fs::write(home.path().join("dnews.conf"), dnews).expect("written");
        std::fs::write(home.path().join("empty.conf"), "config\n").expect("written");
        let (settings, _) = load(&file).into_result().ok()?;
        let users = settings.users(&file).ok()?;
        Some(users.strip_prefix(home.path()).map(Path::to_owned).unwrap_or(users))
    }

    #[test]
    fn the_file_is_named_or_found() {
        let rows = [
            ("", Some("users.dat")),
            ("users_file u.txt", Some("u.txt")),
            ("users_file /x/u.txt", Some("/x/u.txt")),
            ("dnews_conf dnews.conf", Some("/usr/local/dnews/users.dat")),
            ("dnews_conf empty.conf", None),
            ("dnews_conf missing.conf", None),
            ("users_file u.txt\ndnews_conf dnews.conf", None),
            ("passwords plain", None),
        ];
        for (text, expected) in rows {
            assert_eq!(users(text).as_deref(), expected.map(Path::new), "{text}");
        }
    }

    #[test]
    fn the_documentation_is_the_manual() {
        crate::manual::is_documented("dnauth.ini.md", &VOCABULARY);
    }
}
