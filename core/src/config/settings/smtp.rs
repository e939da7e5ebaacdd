//! DSMTP, the SMTP server.

use std::net::IpAddr;
use std::time::Duration;

use super::super::table::Unset::{Nothing, Value};
use super::super::value::{Listen, addresses, boolean, listen, number, seconds, text, user};
use crate::Username;
use crate::pattern::AddressList;

crate::settings! {
    title: "DSMTP";
    /// The server that takes mail.
    pub struct SmtpSettings {
        /// The port that DSMTP listens on: a number for all addresses of this
        /// machine, or `address:port` for one.
        ports: Vec<Listen> = many("smtp_port", listen("smtp_port")),
            default: Value("25"), example: "smtp_port 192.0.2.7:25";

        /// The text of the greeting, after the name of the main domain.
        welcome: String = one("smtp_welcome", text(400)),
            default: Value("ESMTP dmail"), example: "smtp_welcome ESMTP no junk please";

        /// The user who gets the mail for `postmaster`, in all domains, as
        /// `user@domain`. Other mail servers write there when something is
        /// wrong, so somebody should read it.
        sysadmin: Option<Username> = optional("sysadmin", user()),
            default: Nothing("a user named `postmaster`, if there is one"),
            example: "sysadmin ann@corp.example";

        /// Whether clients on other machines may log in before the connection
        /// is encrypted, so that anybody in between can read the password.
        /// Clients on this machine always may.
        auth_plaintext: bool = one("smtp_auth_plaintext", boolean()),
            default: Value("false"), example: "smtp_auth_plaintext true";

        /// Clients that are not talked to. All items without `!` are banned,
        /// but for those with `!`.
        ban_ip: Vec<AddressList> = many("ban_ip", addresses()),
            default: Nothing("nobody is banned"), example: "ban_ip 203.0.113.0/24,!203.0.113.9";

        /// How many recipients one message may have. RFC 5321 asks for 100 at
        /// least.
        max_rcpts: usize = one("max_rcpts", number(1..=100_000)),
            default: Value("100"), example: "max_rcpts 500";

        /// How many clients may be connected at the same time.
        max_connections: usize = one("smtp_max_connections", number(1..=1_000_000)),
            default: Value("1000"), example: "smtp_max_connections 200";

        /// How long a client may take over one command. RFC 5321 asks for 300
        /// seconds at least.
        timeout: Duration = one("smtp_timeout", seconds(1..=3600)),
            default: Value("300"), example: "smtp_timeout 600";

        /// How long the text of a message may make no progress. RFC 5321 asks
        /// for 180 seconds at least.
        data_timeout: Duration = one("smtp_data_timeout", seconds(1..=3600)),
            default: Value("180"), example: "smtp_data_timeout 300";
    }
}

impl SmtpSettings {
    /// Whether `client` is not talked to.
    #[must_use]
    pub fn bans(&self, client: IpAddr) -> bool {
        self.ban_ip.iter().any(|list| list.includes(client))
    }
}
