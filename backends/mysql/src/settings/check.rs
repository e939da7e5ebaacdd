//! Contradictions between settings.

use dmail_core::config::{Given, Severity};

use super::{Address, ConnectionSettings, PasswordSettings, ServerSettings, StatementSettings};

pub(super) fn server(server: &ServerSettings, given: &mut Given<'_>) {
    if server.tls_cert.is_some() != server.tls_key.is_some() {
        let names = ["mysql_tls_cert", "mysql_tls_key"];
        let message = "`mysql_tls_cert` and `mysql_tls_key` need each other";
        given.report(Severity::Error, &names, message, "set both, or neither");
    }
    if !server.tls && given.is_set("mysql_tls_ca") {
        let message = "`mysql_tls_ca` has no effect without TLS";
        given.report(Severity::Warning, &["mysql_tls_ca"], message, "set: mysql_tls true");
    }
    let remote = |address: &Address| !address.is_local();
    if !server.tls && server.servers.iter().any(remote) {
        let message = "passwords' hashes cross the network in the clear";
        given.report(Severity::Warning, &["mysql_server"], message, "set: mysql_tls true");
    }
}

pub(super) fn passwords(
    password: &PasswordSettings,
    statements: &StatementSettings,
    given: &mut Given<'_>,
) {
    let kinds = [
        ("mysql_pwd_set", password.mysql_password),
        ("unix_password", password.unix_password),
        ("plain_password", password.plain_password),
    ];
    let set: Vec<&str> = kinds.iter().filter(|(_, on)| *on).map(|(name, _)| *name).collect();
    if set.len() > 1 {
        let message = format!("{} cannot be true at once", set.join(" and "));
        given.report(Severity::Error, &set[1..], &message, "keep the one that the table has");
    }
    if password.rehash && password.plain_password {
        let message = "`rehash` needs stored passwords that say how they are stored";
        let help = "store them as {PLAIN}password, and take plain_password out";
        given.report(Severity::Error, &["rehash"], message, help);
    }
    if password.rehash && statements.are_given() {
        let message = "`rehash` works on the table, and statements of your own replace it";
        given.report(Severity::Error, &["rehash"], message, "take one of them out");
    }
}

pub(super) fn statements(statements: &StatementSettings, given: &mut Given<'_>) {
    if statements.are_given() && statements.check.is_none() && statements.lookup.is_none() {
        let names = ["query_set", "query_del", "query_search"];
        let message = "with statements of your own there is no table, and nobody could log in";
        given.report(Severity::Error, &names, message, "add query_check");
    }
}

pub(super) fn connections(connections: &ConnectionSettings, given: &mut Given<'_>) {
    if connections.min > connections.max {
        let names = ["mysql_connections_min", "mysql_connections"];
        let message = "more connections are kept than there may be";
        given.report(Severity::Error, &names, message, "raise mysql_connections");
    }
    if connections.timeout <= connections.connect {
        let names = ["mysql_timeout", "mysql_connect_timeout"];
        let message =
            "a question ends before a connection is given up, so no second server is asked";
        given.report(Severity::Warning, &names, message, "raise mysql_timeout");
    }
}
