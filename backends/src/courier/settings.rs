//! `courierauth.ini`.

use std::path::{Path, PathBuf};

use dmail_core::config::Unset::Value;
use dmail_core::config::value::{boolean, number, path};
use dmail_core::config::{Given, Loaded, Vocabulary};

use crate::foreign::{AccountSettings, WaitSettings};
use crate::ini;

dmail_core::settings! {
    title: "The socket";
    /// The user base of `authent_method courier`: the authdaemond of Courier on
    /// this machine.
    pub struct DaemonSettings {
        /// The socket of authdaemond.
        socket: PathBuf = one("socket", path()),
            default: Value("/run/courier/authdaemon/socket"),
            example: "socket /var/spool/authdaemon/socket";

        /// How many questions are put at a time at most, each over a connection
        /// of its own. Courier answers as many as it has `daemons`.
        number: usize = one("number", number(1..=1000)),
            default: Value("5"), example: "number 20";

        /// Whether authdaemond is told the client's address, and may decide by
        /// it. What is remembered of its answer then holds for that address
        /// alone. Versions before 0.71 do not know it, and refuse every login.
        send_ip: bool = one("send_ip", boolean()),
            default: Value("false"), example: "send_ip true";
    }
}

/// The vocabulary of `courierauth.ini`.
pub const VOCABULARY: Vocabulary = Vocabulary {
    file: "courierauth.ini",
    introduction: include_str!("introduction.md"),
    groups: &[DaemonSettings::GROUP, WaitSettings::GROUP, AccountSettings::GROUP],
    not_used: &[],
};

/// What `courierauth.ini` says.
#[derive(Debug, Clone)]
pub struct CourierSettings {
    /// Where it is asked, and how.
    pub daemon: DaemonSettings,
    /// How long a login waits.
    pub wait: WaitSettings,
    /// What is made of its accounts.
    pub accounts: AccountSettings,
}

/// Reads `file`. One that is not there is as good as an empty one.
#[must_use]
pub fn load(file: &Path) -> Loaded<CourierSettings> {
    ini::load_if_there(file, &VOCABULARY, build)
}

fn build(given: &mut Given<'_>) -> Option<CourierSettings> {
    let daemon = DaemonSettings::build(given);
    let wait = WaitSettings::build(given);
    let accounts = AccountSettings::build(given);
    Some(CourierSettings { daemon: daemon?, wait: wait?, accounts: accounts? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_is_the_manual() {
        crate::manual::is_documented("courierauth.ini.md", &VOCABULARY);
    }
}
