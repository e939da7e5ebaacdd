//! Folders, the log, and what all servers share.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::super::table::Unset::{Compulsory, SameAs, Value};
use super::super::value::{milliseconds, number, path, seconds, word};

crate::settings! {
    title: "Folders, log and common limits";
    /// These hold for all servers.
    pub struct ServerSettings {
        /// The folder for the files that the servers work with. Only the user
        /// that the servers run as should be able to read it.
        work_path: PathBuf = one("work_path", path()),
            default: Compulsory, example: "work_path /var/spool/dmail";

        /// The folder that DSMTP is installed in. Here it is only the default
        /// of `nwauth_path`, as it was in the original.
        dsmtp_path: PathBuf = one("dsmtp_path", path()),
            default: SameAs("work_path"), example: "dsmtp_path /usr/local/dmail";

        /// The folder for the log files.
        log_path: PathBuf = one("log_path", path()),
            default: SameAs("work_path"), example: "log_path /var/log/dmail";

        /// How much is logged. Each level includes those before it: `error`,
        /// `warn`, `info`, `debug`. No level logs a password.
        log_level: LogLevel = one("log_level", word(&LogLevel::WORDS)),
            default: Value("info"), example: "log_level debug";

        /// How long a line of the log may wait for others, in milliseconds:
        /// lines of the same moment are written together. Warnings and errors
        /// take all that waits along at once. Only a server that is killed, or
        /// a machine that stops, loses what has not been written. With 0, a
        /// login is in the log before its client hears of it.
        log_delay: Duration = one("log_delay", milliseconds(0..=1000)),
            default: Value("20"), example: "log_delay 0";

        /// How many connections one client address may have open at the same
        /// time, for each service. 0 is no limit. A host of web mail or a
        /// large network behind one address needs many.
        max_connections_per_ip: usize = one("max_connections_per_ip", number(0..=1_000_000)),
            default: Value("100"), example: "max_connections_per_ip 500";

        /// How many commands of one session may fail before the server hangs
        /// up.
        max_errors: usize = one("max_errors", number(1..=10_000)),
            default: Value("20"), example: "max_errors 10";

        /// How many commands one session may send, so that none lasts for
        /// ever. A client that collects and deletes 10,000 messages sends
        /// some 20,000.
        max_commands: usize = one("max_commands", number(100..=100_000_000)),
            default: Value("100000"), example: "max_commands 50000";

        /// How long sessions may go on when the servers are asked to stop.
        /// Those that have not ended by then are cut off.
        drain_timeout: Duration = one("drain_timeout", seconds(0..=3600)),
            default: Value("30"), example: "drain_timeout 10";
    }
}

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// What needs somebody to act.
    Error,
    /// And what may need it.
    Warn,
    /// And what was done: logins, deliveries.
    Info,
    /// And how it was done.
    Debug,
}

impl LogLevel {
    /// The levels by their words.
    pub const WORDS: [(&'static str, Self); 4] = [
        ("error", Self::Error),
        ("warn", Self::Warn),
        ("info", Self::Info),
        ("debug", Self::Debug),
    ];

    /// The word in the file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
