//! `courierauth.ini`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use dmail_core::config::Unset::{Nothing, Value};
use dmail_core::config::value::{below_home, boolean, number, path, seconds};
use dmail_core::config::{self, ConfigError, Diagnostic, Loaded, Vocabulary};

dmail_core::settings! {
    title: "The socket";
    /// The user base of `authent_method courier`: the authdaemond of Courier on
    /// this machine.
    pub struct CourierSettings {
        /// The socket of authdaemond.
        socket: PathBuf = one("socket", path()),
            default: Value("/run/courier/authdaemon/socket"),
            example: "socket /var/spool/authdaemon/socket";

        /// How long an answer may take. After that the client is told to try
        /// again later.
        timeout: Duration = one("timeout", seconds(1..=600)),
            default: Value("10"), example: "timeout 20";

        /// How many questions are put at a time at most, each over a connection
        /// of its own. Courier answers as many as it has `daemons`.
        number: usize = one("number", number(1..=1000)),
            default: Value("5"), example: "number 20";

        /// How many questions may wait until one can be put, each of them as
        /// long as `timeout`. Those beyond are told to try again later.
        queue: usize = one("queue", number(0..=1_000_000)),
            default: Value("1000"), example: "queue 200";

        /// Whether authdaemond is told the client's address, and may decide by
        /// it. What is remembered of its answer then holds for that address
        /// alone. Versions before 0.71 do not know it, and refuse every login.
        send_ip: bool = one("send_ip", boolean()),
            default: Value("false"), example: "send_ip true";

        /// Whether authdaemond may answer for another name than it was asked
        /// about, which is then the user's. If not, such an answer is a fault;
        /// upper and lower case may always differ.
        other_names: bool = one("other_names", boolean()),
            default: Value("false"), example: "other_names true";

        /// The drop file of each user, from the home folder on. The home
        /// folders must lie below a `drop_root` of dmail.conf.
        drop_path: Option<PathBuf> = optional("drop_path", below_home()),
            default: Nothing("drop files are where dmail.conf says"),
            example: "drop_path ~/mbox";
    }
}

/// The vocabulary of `courierauth.ini`.
pub const VOCABULARY: Vocabulary = Vocabulary {
    file: "courierauth.ini",
    introduction: include_str!("introduction.md"),
    groups: &[CourierSettings::GROUP],
    not_used: &[],
};

/// Reads `file`. One that is not there is as good as an empty one.
///
/// # Errors
///
/// All that is wrong with it.
pub fn read(file: &Path) -> Result<(CourierSettings, Vec<Diagnostic>), ConfigError> {
    load(file).into_result()
}

/// All that is wrong with `file`.
#[must_use]
pub fn check(file: &Path) -> Vec<Diagnostic> {
    load(file).diagnostics
}

fn load(file: &Path) -> Loaded<CourierSettings> {
    let mut text = |path: &Path| match std::fs::read(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && path == file => {
            Ok(String::new())
        }
        read => config::text(read?),
    };
    config::load_with(file, &mut text, &VOCABULARY, CourierSettings::build)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_is_the_manual() {
        crate::manual::is_documented("courierauth.ini.md", &VOCABULARY);
    }
}
