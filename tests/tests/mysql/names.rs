//! Nobody is taken for somebody else.

use dmail_core::{Action, RejectionKind};

use super::{change, check, is_accepted, is_done, open, refusal, rejection, set};
use dmail_tests::peer::mariadb::MariaDb;

const FOLDING: &str = "
    CREATE DATABASE maildb CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;
    CREATE TABLE maildb.maildb (username VARCHAR(128) KEY, passwd VARCHAR(128), forward TEXT);
    INSERT INTO maildb.maildb VALUES ('straße', '{PLAIN}one', NULL), ('jäger', '{PLAIN}two', NULL),
        ('blank ', '{PLAIN}three', NULL), ('Upper', '{PLAIN}four', NULL);
    CREATE TABLE maildb.twice (username VARCHAR(128), passwd VARCHAR(128), forward TEXT);
    INSERT INTO maildb.twice VALUES ('bob', '{PLAIN}a', NULL), ('bob', '{PLAIN}b', NULL),
        ('Ann', '{PLAIN}c', NULL), ('ANN', '{PLAIN}c', NULL), ('eve', '{PLAIN}e', NULL),
        ('Eve', '{PLAIN}f', NULL);
    CREATE USER dmail@'%' IDENTIFIED BY 'opensesame';
    GRANT SELECT, INSERT, UPDATE, DELETE ON maildb.* TO dmail@'%';
";

#[tokio::test]
async fn a_collation_that_folds_lets_nobody_else_in() {
    let Some(server) = MariaDb::start(&[]) else { return };
    server.sql(FOLDING);
    let base = open(&server, "").await;
    // To the server, each of these is one of the rows.
    for (name, password) in [("strasse", "one"), ("jager", "two"), ("blank", "three")] {
        let sql = format!("SELECT COUNT(*) FROM maildb.maildb WHERE username='{name}'");
        assert_eq!(server.sql(&sql), "1", "{name}");
        assert_eq!(rejection(check(&base, name, password).await), RejectionKind::UnknownUser);
        let gone = refusal(change(&base, name, Action::Delete).await);
        assert!(gone.contains("does not exist"), "{gone}");
        // Nor can there be such a user beside the other one.
        assert!(refusal(set(&base, name, "mine", "").await).contains("another user's name"));
    }
    for (name, password) in [("straße", "one"), ("jäger", "two"), ("upper", "four")] {
        assert!(is_accepted(&check(&base, name, password).await), "{name}");
    }
    let exact = open(&server, "names_ignore_case false").await;
    assert_eq!(rejection(check(&exact, "upper", "four").await), RejectionKind::UnknownUser);
    assert!(is_accepted(&check(&exact, "Upper", "four").await));
    assert!(is_done(&change(&base, "upper", Action::Delete).await));
    assert_eq!(server.sql("SELECT COUNT(*) FROM maildb.maildb"), "3");
}

#[tokio::test]
async fn a_new_user_does_not_replace_another_one() {
    let Some(server) = MariaDb::start(&[]) else { return };
    server.sql(FOLDING);
    let base = open(&server, "use_sqlupdate false\nfield_forward forward").await;
    let refused = refusal(set(&base, "strasse", "mine", r#"fwd="me@a.example""#).await);
    assert!(refused.contains("another user's name"), "{refused}");
    assert!(is_accepted(&check(&base, "straße", "one").await), "still there");
    assert!(is_done(&set(&base, "straße", "mine", r#"fwd="me@a.example""#).await));
    assert!(is_accepted(&check(&base, "straße", "mine").await));
}

#[tokio::test]
async fn two_rows_of_one_name_let_nobody_in() {
    let Some(server) = MariaDb::start(&[]) else { return };
    server.sql(FOLDING);
    let base = open(&server, "mysql_mail_user_table twice").await;
    for (name, password) in [("bob", "a"), ("bob", "b"), ("ann", "c")] {
        assert_eq!(rejection(check(&base, name, password).await), RejectionKind::NotAllowed);
    }
    assert!(is_accepted(&check(&base, "eve", "e").await), "the one that is spelt so");
    assert!(is_accepted(&check(&base, "Eve", "f").await));
    assert!(refusal(set(&base, "bob", "x", "").await).contains("2 rows"));
    assert!(refusal(change(&base, "bob", Action::Delete).await).contains("2 rows"));
}

#[tokio::test]
async fn no_name_and_no_password_is_ever_part_of_a_statement() {
    let Some(server) = MariaDb::start(&[]) else { return };
    server.sql(FOLDING);
    let own = "query_check SELECT username, passwd AS password FROM maildb WHERE username = :user";
    for base in [open(&server, "").await, open(&server, own).await] {
        for name in [
            "'OR'1'='1",
            "upper'--",
            "upper'#",
            "x'UNION/**/SELECT/**/'x','{PLAIN}x',NULL--",
            "\\'OR/**/1=1--",
            "`",
            "%",
            "_____",
            ":user",
            "?",
        ] {
            assert_eq!(rejection(check(&base, name, "x").await), RejectionKind::UnknownUser);
            let verdict = check(&base, "upper", name).await;
            assert_eq!(rejection(verdict), RejectionKind::NotVerified, "{name}");
        }
    }
}
