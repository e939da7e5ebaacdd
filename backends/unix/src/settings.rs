//! `unixauth.ini`.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dmail_core::config::Severity::Error;
use dmail_core::config::Unset::{Nothing, Value};
use dmail_core::config::value::{Fault, Kind, below_home, boolean, number, seconds, word};
use dmail_core::config::{self, ConfigError, Diagnostic, Given, Loaded, Vocabulary};

use crate::pam;

dmail_core::settings! {
    title: "Passwords";
    /// How a password is verified.
    pub struct PasswordSettings {
        /// Who verifies passwords. `pam`: the PAM library, with the rules of
        /// `pam_service`. `shadow`: the helper itself, with the hashes of
        /// `/etc/shadow` (or of NIS). `auto`: `pam` if the library and the rules
        /// are there, else `shadow`; the log says which.
        method: Method = one("method", word(&Method::WORDS)),
            default: Value("auto"), example: "method pam";

        /// The rules that PAM goes by: a file of this name in `/etc/pam.d`.
        pam_service: String = one("pam_service", service()),
            default: Value("dmail"), example: "pam_service dovecot";
    }
}

dmail_core::settings! {
    title: "Accounts";
    /// Which accounts are mail users. To all others, mail and logins are as to
    /// somebody who is not there. An account with the number 0 (root), 65534 or
    /// 65535 (nobody) never is one.
    pub struct AccountSettings {
        /// The lowest user number of a mail user. Below are the accounts of the
        /// system's own services; old systems count people from 500.
        min_uid: u32 = one("min_uid", number(1..=u32::MAX - 1)),
            default: Value("1000"), example: "min_uid 500";

        /// The highest user number of a mail user.
        max_uid: u32 = one("max_uid", number(1..=u32::MAX - 1)),
            default: Value("4294967294"), example: "max_uid 59999";

        /// Whether a login needs a shell that `/etc/shells` lists. Without, an
        /// account with the shell `/usr/sbin/nologin` is one for mail only. Mail
        /// is taken in for both.
        need_shell: bool = one("need_shell", boolean()),
            default: Value("false"), example: "need_shell true";

        /// The drop file of each user, from the home folder on. The home
        /// folders must lie below a `drop_root` of dmail.conf.
        drop_path: Option<PathBuf> = optional("drop_path", below_home()),
            default: Nothing("drop files are where dmail.conf says"),
            example: "drop_path ~/mbox";
    }
}

dmail_core::settings! {
    title: "Helpers";
    /// Passwords and accounts are looked at by helpers, which are processes of
    /// their own: what hangs there holds up nothing else.
    pub struct HelperSettings {
        /// How many passwords are verified at a time, by one helper each. (Two
        /// more helpers answer the questions that come without a password.)
        helpers: usize = one("helpers", number(1..=256)),
            default: Value("4"), example: "helpers 8";

        /// How long one answer may take. A helper that takes longer is replaced,
        /// and the client is told to try again later.
        timeout: Duration = one("timeout", seconds(1..=600)),
            default: Value("10"), example: "timeout 20";

        /// How many questions may wait for a free helper, for as long as
        /// `timeout` each. Those beyond are told to try again later.
        queue: usize = one("queue", number(1..=1_000_000)),
            default: Value("1000"), example: "queue 200";
    }
}

/// Everything that `unixauth.ini` says.
#[derive(Debug, Clone)]
pub struct UnixSettings {
    /// How a password is verified.
    pub password: PasswordSettings,
    /// Which accounts are mail users.
    pub accounts: AccountSettings,
    /// The helpers.
    pub helpers: HelperSettings,
}

/// The vocabulary of `unixauth.ini`.
pub const VOCABULARY: Vocabulary = Vocabulary {
    file: "unixauth.ini",
    introduction: include_str!("introduction.md"),
    groups: &[PasswordSettings::GROUP, AccountSettings::GROUP, HelperSettings::GROUP],
    not_used: &[],
};

/// Who verifies passwords.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// PAM if it can, else the shadow passwords.
    Auto,
    /// The PAM library.
    Pam,
    /// The shadow passwords.
    Shadow,
}

impl Method {
    const WORDS: [(&'static str, Self); 3] =
        [("auto", Self::Auto), ("pam", Self::Pam), ("shadow", Self::Shadow)];

    /// What this word means, if anything.
    #[must_use]
    pub fn of_name(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(name, _)| *name == word).map(|(_, method)| *method)
    }

    /// The word in the file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Pam => "pam",
            Self::Shadow => "shadow",
        }
    }
}

/// Reads `file`. One that is not there is as good as an empty one.
///
/// # Errors
///
/// All that is wrong with it.
pub fn read(file: &Path) -> Result<(UnixSettings, Vec<Diagnostic>), ConfigError> {
    load(file).into_result()
}

/// All that is wrong with `file`.
#[must_use]
pub fn check(file: &Path) -> Vec<Diagnostic> {
    load(file).diagnostics
}

fn load(file: &Path) -> Loaded<UnixSettings> {
    let mut text = |path: &Path| match std::fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && path == file => Ok(String::new()),
        read => config::text(read?),
    };
    config::load_with(file, &mut text, &VOCABULARY, UnixSettings::build)
}

impl UnixSettings {
    fn build(given: &mut Given<'_>) -> Option<Self> {
        let password = PasswordSettings::build(given);
        let accounts = AccountSettings::build(given);
        let helpers = HelperSettings::build(given);
        if let Some(accounts) = &accounts
            && given.are_sound(&["min_uid", "max_uid"])
            && accounts.min_uid > accounts.max_uid
        {
            let message = "`min_uid` is more than `max_uid`: nobody would be a mail user";
            given.report(Error, &["max_uid", "min_uid"], message, "for example: min_uid 1000");
        }
        if let Some(password) = &password
            && given.are_sound(&["method", "pam_service"])
            && password.method == Method::Pam
            && pam::service_file(&password.pam_service).is_none()
        {
            let service = &password.pam_service;
            let message = format!("there are no rules for `pam_service {service}`");
            let help = format!("make the file /etc/pam.d/{service}, see docs/unixauth.md");
            given.report(Error, &["pam_service", "method"], &message, &help);
        }
        Some(Self { password: password?, accounts: accounts?, helpers: helpers? })
    }
}

/// The name of a PAM service: a file name, never a path.
fn service() -> Kind<String> {
    Kind::new("the name of a file in /etc/pam.d", |value| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        match value.text.char_indices().find(|(at, c)| !allowed(*c) || (*at == 0 && *c == '.')) {
            Some((at, c)) => Err(Fault::part(at..at + c.len_utf8(), "not part of such a name")),
            None => Ok(value.text.to_owned()),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load_text(text: &str) -> Loaded<UnixSettings> {
        let text = text.to_owned();
        let file = Path::new("unixauth.ini");
        config::load_with(file, &mut |_| Ok(text.clone()), &VOCABULARY, UnixSettings::build)
    }

    #[test]
    fn a_file_that_is_not_there_is_all_defaults() {
        let home = tempfile::tempdir().expect("a directory");
        let (settings, diagnostics) =
            read(&home.path().join("unixauth.ini")).expect("the defaults");
        assert!(diagnostics.is_empty());
        assert_eq!(settings.password.method, Method::Auto);
        assert_eq!((settings.accounts.min_uid, settings.accounts.drop_path), (1000, None));
        assert_eq!(settings.helpers.timeout, Duration::from_secs(10));
    }

    #[test]
    fn mistakes_are_told_apart() {
        let rows = [
            ("method pom", "did you mean `pam`?"),
            ("pam_service ../passwd", "not part of such a name"),
            ("pam_service login/x", "not part of such a name"),
            ("drop_path /var/mail", "drop files elsewhere are for `drop_path` of dmail.conf"),
            ("drop_path ~/../root/mbox", "not the path of a file"),
            ("drop_path ~/Mail/", "not the path of a file"),
            ("drop_path ~/", "not the path of a file"),
            ("drop_path ~/my mail", "a path has no blanks"),
            ("min_uid 0", "less than 1"),
            ("min_uid 2000\nmax_uid 1999", "nobody would be a mail user"),
            ("method pam\npam_service no-such-service", "there are no rules for"),
        ];
        for (text, expected) in rows {
            let loaded = load_text(text);
            let told = config::render_all(&loaded.diagnostics, false);
            assert!(loaded.settings.is_none() && told.contains(expected), "{text}: {told}");
        }
    }

    #[test]
    fn a_drop_file_may_lie_in_the_home_folder() {
        let settings = load_text("drop_path ~/Mail/inbox").settings.expect("settings");
        assert_eq!(settings.accounts.drop_path.as_deref(), Some(Path::new("Mail/inbox")));
    }

    #[test]
    fn the_documentation_is_the_manual() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/unixauth.ini.md");
        let manual = config::manual_markdown(&VOCABULARY);
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&file, &manual).expect("docs can be written");
        }
        let written = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(written == manual, "run the tests with UPDATE_DOCS=1, and commit {file:?}");
    }
}
