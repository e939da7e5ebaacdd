//! curl: sends and reads.

use std::net::SocketAddr;
use std::process::Command;

use crate::program::{Said, run};

/// Sends a message with CR LF line ends.
#[must_use]
pub fn send(smtp: SocketAddr, from: &str, recipients: &[&str], message: &[u8]) -> Said {
    let mut curl = curl();
    curl.arg(format!("smtp://{smtp}/client.example")).args(["--mail-from", from]);
    for recipient in recipients {
        curl.args(["--mail-rcpt", recipient]);
    }
    curl.args(["--upload-file", "-"]);
    run(curl, message)
}

/// Logs in by SMTP AUTH and asks for help.
#[must_use]
pub fn log_in(smtp: SocketAddr, user: &str, password: &str) -> Said {
    let mut curl = curl();
    curl.args(["--config", "-", "--request", "HELP"]).arg(format!("smtp://{smtp}/"));
    run(curl, login(user, password))
}

/// Reads `what` by POP3: a number is a message, and nothing is the list.
#[must_use]
pub fn read(pop: SocketAddr, user: &str, password: &str, what: &str) -> Said {
    let mut curl = curl();
    curl.args(["--config", "-"]).arg(format!("pop3://{pop}/{what}"));
    run(curl, login(user, password))
}

/// Logs in by a token, with `OAUTHBEARER` or `XOAUTH2`, at an address such as
/// `imap://host:port/`, and changes nothing there. The dialogue is on standard
/// error.
#[must_use]
pub fn show_token(url: &str, mechanism: &str, user: &str, token: &str) -> Said {
    let mut curl = curl();
    curl.args(["--verbose", "--config", "-", url]);
    // By POP3, it takes every reply for one of many lines: it may list.
    if !url.starts_with("pop3:") {
        curl.args(["--request", "NOOP"]);
    }
    let options = format!("login-options = \"AUTH={mechanism}\"\n");
    run(curl, format!("user = \"{user}\"\noauth2-bearer = \"{token}\"\n{options}"))
}

fn curl() -> Command {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--max-time", "30"]);
    curl
}

fn login(user: &str, password: &str) -> String {
    format!("user = \"{user}:{password}\"\n")
}
