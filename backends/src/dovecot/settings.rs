//! `dovecotauth.ini`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use dmail_core::config::Severity::Error;
use dmail_core::config::Unset::{Compulsory, Nothing, Value};
use dmail_core::config::value::{below_home, boolean, number, path, seconds};
use dmail_core::config::{self, ConfigError, Diagnostic, Given, Loaded, Vocabulary};

dmail_core::settings! {
    title: "Sockets";
    /// The user base of `authent_method dovecot`: the auth service of a Dovecot
    /// on this machine. One connection to each socket carries all questions.
    pub struct DovecotSettings {
        /// The socket that passwords are checked over: a `unix_listener` of
        /// Dovecot's `service auth`, as Postfix uses one.
        auth_socket: PathBuf = one("auth_socket", path()),
            default: Compulsory, example: "auth_socket /run/dovecot/auth-client";

        /// The socket that users are looked up over, and where each login
        /// learns its user's home folder and number. Without it, nobody can be
        /// looked up here, and mail for local users is only taken if another
        /// user base looks them up.
        userdb_socket: Option<PathBuf> = optional("userdb_socket", path()),
            default: Nothing("nobody is looked up"),
            example: "userdb_socket /run/dovecot/auth-userdb";

        /// How long an answer may take. After that the client is told to try
        /// again later. Dovecot itself delays a "no" by two seconds.
        timeout: Duration = one("timeout", seconds(1..=600)),
            default: Value("10"), example: "timeout 20";

        /// How many questions may be under way over each socket. Those beyond
        /// are told to try again later.
        outstanding: usize = one("outstanding", number(1..=1_000_000)),
            default: Value("1000"), example: "outstanding 200";

        /// Whether Dovecot is told the client's address, and may decide by it
        /// (`allow_nets`). What is remembered of its answer then holds for that
        /// address alone.
        send_ip: bool = one("send_ip", boolean()),
            default: Value("true"), example: "send_ip false";

        /// Whether Dovecot is told that the password came over a safe
        /// connection. It checks no password otherwise, unless it has
        /// `disable_plaintext_auth no` (`auth_allow_cleartext yes`). Which
        /// connections are safe enough is decided by our own servers.
        secured: bool = one("secured", boolean()),
            default: Value("true"), example: "secured false";

        /// Whether Dovecot may answer for another name than it was asked about,
        /// which is then the user's. If not, such an answer is a fault; upper
        /// and lower case may always differ.
        other_names: bool = one("other_names", boolean()),
            default: Value("false"), example: "other_names true";

        /// The drop file of each user, from the home folder on that Dovecot
        /// says. The home folders must lie below a `drop_root` of dmail.conf.
        drop_path: Option<PathBuf> = optional("drop_path", below_home()),
            default: Nothing("drop files are where dmail.conf says"),
            example: "drop_path ~/mbox";
    }
}

/// The vocabulary of `dovecotauth.ini`.
pub const VOCABULARY: Vocabulary = Vocabulary {
    file: "dovecotauth.ini",
    introduction: include_str!("introduction.md"),
    groups: &[DovecotSettings::GROUP],
    not_used: &[],
};

/// Reads `file`.
///
/// # Errors
///
/// All that is wrong with it.
pub fn read(file: &Path) -> Result<(DovecotSettings, Vec<Diagnostic>), ConfigError> {
    load(file).into_result()
}

/// All that is wrong with `file`.
#[must_use]
pub fn check(file: &Path) -> Vec<Diagnostic> {
    load(file).diagnostics
}

fn load(file: &Path) -> Loaded<DovecotSettings> {
    let mut text = |path: &Path| config::text(std::fs::read(path)?);
    config::load_with(file, &mut text, &VOCABULARY, build)
}

fn build(given: &mut Given<'_>) -> Option<DovecotSettings> {
    let settings = DovecotSettings::build(given)?;
    if settings.drop_path.is_some() && settings.userdb_socket.is_none() {
        let message = "`drop_path` needs home folders, and only `userdb_socket` tells them";
        given.report(Error, &["drop_path"], message, "set `userdb_socket` too");
    }
    if settings.userdb_socket.as_ref() == Some(&settings.auth_socket) {
        let message = "`userdb_socket` is the same as `auth_socket`: Dovecot has two";
        let help = "name the one that Dovecot calls auth-userdb";
        given.report(Error, &["userdb_socket"], message, help);
    }
    Some(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_is_the_manual() {
        crate::manual::is_documented("dovecotauth.ini.md", &VOCABULARY);
    }

    #[test]
    fn settings_that_contradict_each_other_are_told() {
        let home = tempfile::tempdir().expect("a directory");
        let file = home.path().join("dovecotauth.ini");
        let rows = [
            ("auth_socket a\nuserdb_socket b\ndrop_path ~/mbox", true),
            ("auth_socket a", true),
            ("userdb_socket b", false),
            ("auth_socket a\ndrop_path ~/mbox", false),
            ("auth_socket a\nuserdb_socket a", false),
        ];
        for (text, sound) in rows {
            std::fs::write(&file, text).expect("written");
            assert_eq!(check(&file).iter().any(Diagnostic::is_error), !sound, "{text}");
        }
    }
}
