//! `dovecotauth.ini`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use dmail_core::config::Severity::Error;
use dmail_core::config::Unset::{Compulsory, Nothing, Value};
use dmail_core::config::value::{boolean, number, path, seconds};
use dmail_core::config::{Given, Loaded, Vocabulary};

use crate::foreign::AccountSettings;
use crate::ini;

dmail_core::settings! {
    title: "Sockets";
    /// The user base of `authent_method dovecot`: the auth service of a Dovecot
    /// on this machine. One connection to each socket carries all questions.
    pub struct SocketSettings {
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
    }
}

/// The vocabulary of `dovecotauth.ini`.
pub const VOCABULARY: Vocabulary = Vocabulary {
    file: "dovecotauth.ini",
    introduction: include_str!("introduction.md"),
    groups: &[SocketSettings::GROUP, AccountSettings::GROUP],
    not_used: &[],
};

/// What `dovecotauth.ini` says.
#[derive(Debug, Clone)]
pub struct DovecotSettings {
    /// Where it is asked, and how.
    pub sockets: SocketSettings,
    /// What is made of its accounts.
    pub accounts: AccountSettings,
}

/// Reads `file`.
#[must_use]
pub fn load(file: &Path) -> Loaded<DovecotSettings> {
    ini::load(file, &VOCABULARY, build)
}

fn build(given: &mut Given<'_>) -> Option<DovecotSettings> {
    let sockets = SocketSettings::build(given);
    let accounts = AccountSettings::build(given);
    let (sockets, accounts) = (sockets?, accounts?);
    if accounts.drop_path.is_some() && sockets.userdb_socket.is_none() {
        let message = "`drop_path` needs home folders, and only `userdb_socket` tells them";
        given.report(Error, &["drop_path"], message, "set `userdb_socket` too");
    }
    if sockets.userdb_socket.as_ref() == Some(&sockets.auth_socket) {
        let message = "`userdb_socket` is the same as `auth_socket`: Dovecot has two";
        let help = "name the one that Dovecot calls auth-userdb";
        given.report(Error, &["userdb_socket"], message, help);
    }
    Some(DovecotSettings { sockets, accounts })
}

#[cfg(test)]
mod tests {
    use dmail_core::config::Diagnostic;

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
            assert_eq!(load(&file).diagnostics.iter().any(Diagnostic::is_error), !sound, "{text}");
        }
    }
}
