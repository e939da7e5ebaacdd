//! Several servers, and the ways to talk to one.

use dmail_core::Info;
use dmail_tests::wait;
use std::time::Instant;

use super::{SETTINGS, account, check, is_accepted, is_done, lookup, open, original, set};
use dmail_mysql::MySql;

async fn name_of_one(base: &MySql) -> Option<String> {
    let verdict = lookup(base, "u1").await;
    let info = |info: &Info| info.get("name").map(str::to_owned);
    is_accepted(&verdict).then(|| info(&account(verdict).info)).flatten()
}

async fn until_it_is(base: &MySql, name: &str) {
    let deadline = Instant::now() + wait::PATIENCE;
    while name_of_one(base).await.as_deref() != Some(name) {
        assert!(Instant::now() < deadline, "{name} never answered");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_second_server_helps_out_until_the_first_one_is_back() {
    let (Some(mut first), Some(second)) = (original(&[]), original(&[])) else { return };
    second.sql("UPDATE maildb.maildb SET full_name='Second' WHERE username='u1'");
    let servers = format!("mysql_server {},{}", first.address(), second.address());
    let base = open(&first, &format!("{SETTINGS}\n{servers}\nmysql_connect_timeout 1")).await;
    assert_eq!(name_of_one(&base).await.as_deref(), Some("User 1"));
    first.kill();
    for n in 1..50 {
        let verdict = check(&base, &format!("u{n}"), &format!("p{n}")).await;
        assert!(is_accepted(&verdict), "{verdict:?}");
    }
    assert_eq!(name_of_one(&base).await.as_deref(), Some("Second"));
    // The second one may be a copy: what is written to it would be lost.
    let refused = set(&base, "u1", "new", "").await.expect_err("the first one is down");
    assert!(refused.detail.contains(&first.address().to_string()), "{refused}");
    assert!(is_accepted(&check(&base, "u1", "p1").await));
    first.restart();
    until_it_is(&base, "User 1").await;
    assert!(is_done(&set(&base, "u1", "new", "").await));

    let base = open(&first, &format!("{SETTINGS}\n{servers}\nmysql_write_any true")).await;
    first.kill();
    assert!(is_done(&set(&base, "u2", "new", "").await), "a cluster takes it anywhere");
    assert!(is_accepted(&check(&base, "u2", "new").await));
}

#[tokio::test]
async fn tls_is_only_spoken_with_the_right_server() {
    let (Some(server), Some(other)) = (original(&[]), original(&[])) else { return };
    server.sql("ALTER USER dmail@'%' REQUIRE SSL");
    let port = server.address().port();
    let tls = |ca: &std::path::Path, host: &str| {
        let ca = ca.display();
        format!("{SETTINGS}\nmysql_tls true\nmysql_tls_ca {ca}\nmysql_server {host}:{port}")
    };
    for host in ["localhost", "127.0.0.1"] {
        let base = open(&server, &tls(&server.authority(), host)).await;
        assert!(is_accepted(&check(&base, "u1", "p1").await), "{host}");
    }
    // Somebody else's authority; another name than the certificate's; none at all.
    for (ca, host) in [(other.authority(), "localhost"), (server.authority(), "127.0.0.2")] {
        let base = open(&server, &tls(&ca, host)).await;
        let unavailable = check(&base, "u1", "p1").await.expect_err("it is not trusted");
        let said = unavailable.detail.to_lowercase();
        assert!(said.contains("certificate") || said.contains("refused"), "{said}");
    }
    let plain = super::try_open(&server, SETTINGS).await;
    assert!(plain.is_err(), "the account insists on TLS");
    let missing = super::try_open(&server, &tls("/nowhere.pem".as_ref(), "localhost")).await;
    let said = missing.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(said.contains("mysql_tls_ca") && said.contains("/nowhere.pem"), "{said}");
}

#[tokio::test]
async fn a_socket_and_ed25519_serve_as_well() {
    let Some(server) = original(&[]) else { return };
    let socket = format!("{SETTINGS}\nmysql_server {}", server.socket().display());
    let base = open(&server, &socket).await;
    assert!(is_accepted(&check(&base, "u1", "p1").await));
    server.sql(
        "INSTALL SONAME 'auth_ed25519';
         CREATE USER ed@'%' IDENTIFIED VIA ed25519 USING PASSWORD('elliptic');
         GRANT SELECT ON maildb.* TO ed@'%'",
    );
    let ed = format!("{SETTINGS}\nmysql_login ed\nmysql_password elliptic");
    let base = open(&server, &ed).await;
    assert!(is_accepted(&check(&base, "u1", "p1").await));
}
