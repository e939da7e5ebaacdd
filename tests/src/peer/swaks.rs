//! swaks, the SMTP transaction tester.

use std::net::SocketAddr;
use std::process::Command;

use crate::program::{Said, run};

/// Sends a message; `more` are further options.
#[must_use]
pub fn send(smtp: SocketAddr, recipients: &str, subject: &str, more: &[&str]) -> Said {
    let mut swaks = Command::new("swaks");
    swaks
        .args(["--server", &smtp.ip().to_string(), "--port", &smtp.port().to_string()])
        .args(["--from", "swaks@far.example", "--to", recipients])
        .args(["--header", &format!("Subject: {subject}"), "--helo", "swaks.example"])
        .args(["--timeout", "30", "--body", "sent by swaks"])
        .args(more);
    run(swaks, "")
}

/// Logs in with this SASL mechanism and leaves.
#[must_use]
pub fn log_in(smtp: SocketAddr, mechanism: &str, user: &str, password: &str) -> Said {
    let more = ["--auth", mechanism, "--auth-user", user, "--auth-password", password];
    let login = [&more[..], &["--quit-after", "AUTH"]].concat();
    send(smtp, "nobody@corp.example", "", &login)
}
