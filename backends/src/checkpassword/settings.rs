//! `checkpasswordauth.ini`.

use std::path::{Path, PathBuf};

use dmail_core::config::Unset::{Compulsory, Nothing, Value};
use dmail_core::config::value::{CommandLine, below_home, boolean, command, number};
use dmail_core::config::{Given, Loaded, Vocabulary};

use crate::foreign::WaitSettings;
use crate::ini;

dmail_core::settings! {
    title: "The program";
    /// The user base of `authent_method checkpassword`: a program that is
    /// started for each login, and says by its exit code how it went.
    pub struct RunSettings {
        /// The program, and the words that it is to get before those of the
        /// program that it becomes. It is run directly and not by a shell. If it
        /// takes longer than `timeout`, it is killed with all that it started.
        program: CommandLine = one("program", command()),
            default: Compulsory, example: "program /usr/local/bin/checkpassword";

        /// How many run at a time at most.
        number: usize = one("number", number(1..=1000)),
            default: Value("8"), example: "number 20";

        /// Whether the program answers questions without a password, as
        /// Dovecot asks them: with `AUTHORIZED=1` in its environment. It says
        /// so by `AUTHORIZED=2` in the environment of the program that it
        /// becomes, or by the exit code 3 if there is no such user. Without
        /// that, nobody can be looked up here, and mail for local users is
        /// only taken if another user base looks them up.
        lookups: bool = one("lookups", boolean()),
            default: Value("false"), example: "lookups true";

        /// Whether the program is told the client's address, as `TCPREMOTEIP`,
        /// and may decide by it. What is remembered of its answer then holds
        /// for that address alone.
        send_ip: bool = one("send_ip", boolean()),
            default: Value("true"), example: "send_ip false";

        /// The drop file of each user, from the folder on that the program
        /// sets as `HOME`. The home folders must lie below a `drop_root` of
        /// dmail.conf.
        drop_path: Option<PathBuf> = optional("drop_path", below_home()),
            default: Nothing("drop files are where dmail.conf says"),
            example: "drop_path ~/mbox";
    }
}

/// The vocabulary of `checkpasswordauth.ini`.
pub const VOCABULARY: Vocabulary = Vocabulary {
    file: "checkpasswordauth.ini",
    introduction: include_str!("introduction.md"),
    groups: &[RunSettings::GROUP, WaitSettings::GROUP],
    not_used: &[],
};

/// What `checkpasswordauth.ini` says.
#[derive(Debug, Clone)]
pub struct CheckPasswordSettings {
    /// What is started, and how.
    pub run: RunSettings,
    /// How long a login waits.
    pub wait: WaitSettings,
}

/// Reads `file`.
#[must_use]
pub fn load(file: &Path) -> Loaded<CheckPasswordSettings> {
    ini::load(file, &VOCABULARY, build)
}

fn build(given: &mut Given<'_>) -> Option<CheckPasswordSettings> {
    let run = RunSettings::build(given);
    let wait = WaitSettings::build(given);
    Some(CheckPasswordSettings { run: run?, wait: wait? })
}

#[cfg(test)]
mod tests {
    use dmail_core::config::Diagnostic;

    use super::*;

    #[test]
    fn the_documentation_is_the_manual() {
        crate::manual::is_documented("checkpasswordauth.ini.md", &VOCABULARY);
    }

    #[test]
    fn the_program_has_to_be_named() {
        let home = tempfile::tempdir().expect("a directory");
        let file = home.path().join("checkpasswordauth.ini");
        std::fs::write(&file, "number 2\n").expect("written");
        assert!(load(&file).diagnostics.iter().any(Diagnostic::is_error));
        std::fs::write(&file, "program bin/check -x\n").expect("written");
        let (settings, _) = load(&file).into_result().expect("settings");
        assert_eq!(settings.run.program.program, home.path().join("bin/check"));
        assert_eq!(settings.run.number, 8);
    }
}
