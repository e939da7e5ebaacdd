//! Settings that several of these user bases have.

use std::path::PathBuf;
use std::time::Duration;

use dmail_core::config::Unset::{Nothing, Value};
use dmail_core::config::value::{below_home, boolean, number, seconds};

dmail_core::settings! {
    title: "Waiting";
    /// How long a login waits, and how many wait at a time.
    pub struct WaitSettings {
        /// How long an answer may take. After that the client is told to try
        /// again later.
        timeout: Duration = one("timeout", seconds(1..=600)),
            default: Value("10"), example: "timeout 20";

        /// How many questions may wait until one can be put, each of them as
        /// long as `timeout`. Those beyond are told to try again later.
        queue: usize = one("queue", number(0..=1_000_000)),
            default: Value("1000"), example: "queue 200";
    }
}

dmail_core::settings! {
    title: "Accounts";
    /// What is made of the accounts of the other server.
    pub struct AccountSettings {
        /// Whether the other server may answer for another name than it was
        /// asked about, which is then the user's. If not, such an answer is a
        /// fault; upper and lower case may always differ.
        other_names: bool = one("other_names", boolean()),
            default: Value("false"), example: "other_names true";

        /// The drop file of each user, from the home folder on that the other
        /// server says. The home folders must lie below a `drop_root` of
        /// dmail.conf.
        drop_path: Option<PathBuf> = optional("drop_path", below_home()),
            default: Nothing("drop files are where dmail.conf says"),
            example: "drop_path ~/mbox";
    }
}
