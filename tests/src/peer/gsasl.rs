//! GNU SASL's client.

use std::net::SocketAddr;
use std::process::Command;

use crate::program::{Said, run};

/// Logs in over SMTP with this SASL mechanism and leaves. It says
/// `server trusted` if the server has shown that it knows the password, too.
#[must_use]
pub fn log_in(smtp: SocketAddr, mechanism: &str, user: &str, password: &str) -> Said {
    let mut gsasl = Command::new("gsasl");
    gsasl
        .args(["--smtp", "--no-starttls", "--no-cb", "--mechanism", mechanism])
        .args(["--authentication-id", user, "--authorization-id", user, "--password", password])
        .args([&smtp.ip().to_string(), &smtp.port().to_string()]);
    run(gsasl, "")
}
