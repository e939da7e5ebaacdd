//! Statements of the site's own.

use dmail_core::{Action, Authenticator, DropPath, RejectionKind, Uid};

use super::{
    account, change, check, check_from, is_accepted, is_done, lookup, open, refusal, rejection,
    search, set,
};
use dmail_tests::peer::mariadb::MariaDb;

const POSTFIX_LIKE: &str = "
    CREATE DATABASE vmail CHARACTER SET utf8mb4;
    USE vmail;
    CREATE TABLE domains (id INT AUTO_INCREMENT KEY, name VARCHAR(200) UNIQUE);
    CREATE TABLE users (domain INT, local VARCHAR(64), hash TEXT, drop_file TEXT, owner INT,
        net VARCHAR(40), phone TEXT, PRIMARY KEY (domain, local));
    INSERT INTO domains VALUES (1, 'a.example'), (2, 'b.example');
    INSERT INTO users VALUES (1, 'bob', '{PLAIN}one', '/mail/a/bob', 1001, NULL, '+49'),
        (2, 'bob', '{PLAIN}two', NULL, NULL, '10.0.0.0', NULL);
    CREATE USER dmail@'%' IDENTIFIED BY 'opensesame';
    GRANT SELECT, INSERT, UPDATE, DELETE ON vmail.* TO dmail@'%';
";

const SETTINGS: &str = "
mysql_mail_user_db vmail
query_check SELECT u.local AS username, d.name AS domain, u.hash AS password, u.drop_file AS maildrop, u.owner AS uid, u.net AS mailmask, u.phone FROM users u JOIN domains d ON d.id = u.domain WHERE u.local = :local AND d.name = :domain
query_lookup SELECT u.local AS username, u.drop_file AS maildrop FROM users u JOIN domains d ON d.id = u.domain WHERE u.local = :local AND d.name = :domain
query_set INSERT INTO users (domain, local, hash, phone) SELECT id, :local, :password, :info_phone FROM domains WHERE name = :domain ON DUPLICATE KEY UPDATE hash = COALESCE(:password, hash), phone = IF(:set_info, :info_phone, phone)
query_del DELETE u FROM users u JOIN domains d ON d.id = u.domain WHERE u.local = :local AND d.name = :domain
query_search SELECT CONCAT(u.local, '@', d.name) AS username FROM users u JOIN domains d ON d.id = u.domain WHERE CONCAT(u.local, '@', d.name) LIKE :pattern ESCAPE '|'
";

#[tokio::test]
async fn tables_of_any_kind_can_be_asked_and_changed() {
    let Some(server) = MariaDb::start(&[]) else { return };
    server.sql(POSTFIX_LIKE);
    let base = open(&server, SETTINGS).await;
    let bob = account(check(&base, "bob@a.example", "one").await);
    assert_eq!(bob.name.as_str(), "bob@a.example");
    assert_eq!(bob.drop, DropPath::File("/mail/a/bob".into()));
    assert_eq!(bob.uid, Some(Uid::Number(1001)));
    assert_eq!(bob.info.to_string(), r#"phone="+49""#);
    assert_eq!(rejection(check(&base, "bob@a.example", "two").await), RejectionKind::NotVerified);
    assert_eq!(rejection(check(&base, "bob@c.example", "one").await), RejectionKind::UnknownUser);
    assert_eq!(rejection(check(&base, "bob", "one").await), RejectionKind::UnknownUser);
    let outside = check(&base, "bob@b.example", "two").await;
    assert_eq!(rejection(outside), RejectionKind::NotAllowed);
    assert!(is_accepted(&check_from(&base, "bob@b.example", "two", "10.1.2.3").await));
    assert!(is_accepted(&lookup(&base, "bob@b.example").await));
    assert_eq!(rejection(lookup(&base, "eve@b.example").await), RejectionKind::UnknownUser);
    assert!(base.sees_address());
    assert!(base.records().is_none());

    assert!(is_done(&set(&base, "eve@b.example", "s3cret", r#"phone="1""#).await));
    assert!(is_accepted(&check(&base, "eve@b.example", "s3cret").await));
    let keep = Action::Set { secret: None, info: r#"phone="2""#.parse().ok() };
    assert!(is_done(&change(&base, "eve@b.example", keep).await));
    let eve = account(check(&base, "eve@b.example", "s3cret").await);
    assert_eq!(eve.info.get("phone"), Some("2"));
    assert!(refusal(set(&base, "eve@c.example", "x", "").await).contains("does not exist"));
    assert_eq!(search(&base, "bob*", 0, 9).await.0, ["bob@a.example", "bob@b.example"]);
    assert_eq!(search(&base, "e_e", 0, 9).await.0.len(), 0);
    assert!(is_done(&change(&base, "eve@b.example", Action::Delete).await));
    assert!(refusal(change(&base, "eve@b.example", Action::Delete).await).contains("not exist"));

    let only = "mysql_mail_user_db vmail\nquery_check SELECT 'x' AS username, '' AS password";
    let base = open(&server, only).await;
    assert!(refusal(set(&base, "x", "y", "").await).contains("does not support"));
    assert_eq!(rejection(check(&base, "y", "z").await), RejectionKind::UnknownUser);
}
