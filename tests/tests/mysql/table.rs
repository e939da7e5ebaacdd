//! The original's table.

use dmail_core::{Action, Authenticator, DropPath, Outcome, RejectionKind, Uid};
use dmail_core::{Secret, UserRecord};

use super::{
    SETTINGS, account, change, check, check_from, is_accepted, is_done, lookup, open, original,
    refusal, rejection, search, set, try_open, user,
};

#[tokio::test]
async fn the_table_of_the_original_works_unchanged() {
    let Some(server) = original(&[]) else { return };
    let base = open(&server, SETTINGS).await;
    for n in [1, 77, 10_000] {
        let (name, password) = (format!("u{n}"), format!("p{n}"));
        assert!(is_accepted(&check(&base, &name, &password).await), "{name}");
        assert_eq!(rejection(check(&base, &name, "wrong").await), RejectionKind::NotVerified);
    }
    assert_eq!(rejection(check(&base, "nobody", "p1").await), RejectionKind::UnknownUser);
    assert_eq!(rejection(lookup(&base, "nobody").await), RejectionKind::UnknownUser);

    server.sql(
        "UPDATE maildb.maildb SET forward='ann@far.example', quota='100k',
         maildrop='/mail/u2.drp' WHERE username='u2';
         UPDATE maildb.maildb SET mailmask='192.0.2.0' WHERE username='u3';
         UPDATE maildb.maildb SET mailmask='nonsense' WHERE username='u4';
         UPDATE maildb.maildb SET full_name='two\\nlines' WHERE username='u5';
         UPDATE maildb.maildb SET maildrop='../etc/passwd' WHERE username='u6';",
    );
    let found = account(lookup(&base, "u2").await);
    assert_eq!(found.drop, DropPath::File("/mail/u2.drp".into()));
    assert_eq!(found.uid, Some(Uid::Number(99)));
    let expected = r#"fwd="ann@far.example" quota="100k" name="User 2""#;
    assert_eq!(found.info.to_string(), expected);

    assert!(is_accepted(&check_from(&base, "u3", "p3", "192.0.2.200").await));
    let outside = check_from(&base, "u3", "p3", "198.51.100.1").await;
    assert_eq!(rejection(outside), RejectionKind::NotAllowed);
    let guess = check_from(&base, "u3", "guess", "198.51.100.1").await;
    assert_eq!(rejection(guess), RejectionKind::NotVerified, "a guess learns nothing");
    assert!(base.sees_address());
    assert!(check(&base, "u4", "p4").await.is_err(), "nobody knows what was meant");

    let without = account(check(&base, "u5", "p5").await);
    assert_eq!(without.info.get("name"), None);
    assert!(check(&base, "u6", "p6").await.is_err(), "no path out of the mail folder");
}

#[tokio::test]
async fn set_del_and_search_change_what_they_say_and_nothing_else() {
    let Some(server) = original(&[]) else { return };
    let base = open(&server, SETTINGS).await;
    let row = |name: &str| {
        let sql = "SELECT IFNULL(forward,'NULL'), IFNULL(full_name,'NULL'), last_seen, mailmask";
        server.sql(&format!("{sql} FROM maildb.maildb WHERE username='{name}'"))
    };
    assert!(is_done(&set(&base, "new", "s3cret", r#"name="New" fwd="a@b.example""#).await));
    assert!(is_accepted(&check(&base, "new", "s3cret").await));
    assert_eq!(row("new"), "a@b.example\tNew\tnever\t0.0.0.0");
    // A new password alone; then info alone, which replaces all fields.
    server.sql("UPDATE maildb.maildb SET last_seen='today' WHERE username='new'");
    let secret = Some(Secret::new(*b"other"));
    assert!(is_done(&change(&base, "new", Action::Set { secret, info: None }).await));
    assert_eq!(row("new"), "a@b.example\tNew\ttoday\t0.0.0.0");
    let info = r#"name="Newer""#.parse().ok();
    assert!(is_done(&change(&base, "new", Action::Set { secret: None, info }).await));
    assert_eq!(row("new"), "NULL\tNewer\ttoday\t0.0.0.0");
    assert!(is_accepted(&check(&base, "new", "other").await));

    let nothing = Action::Set { secret: None, info: None };
    assert!(is_done(&change(&base, "new", nothing.clone()).await));
    assert!(refusal(change(&base, "nobody", nothing).await).contains("does not exist"));
    let unknown = set(&base, "new", "x", r#"shoe="9""#).await;
    assert!(refusal(unknown).contains("info_fields COLUMN shoe"));
    let long = format!("quota=\"{}\"", "9".repeat(21));
    assert!(refusal(set(&base, "new", "x", &long).await).contains("quota"));

    // REPLACE, on request: all other columns get their defaults.
    let replacing = open(&server, &format!("{SETTINGS}\nuse_sqlupdate false")).await;
    assert!(is_done(&set(&replacing, "new", "third", r#"name="N""#).await));
    assert_eq!(row("new"), "NULL\tN\tnever\t0.0.0.0");

    assert!(is_done(&change(&base, "new", Action::Delete).await));
    assert!(refusal(change(&base, "new", Action::Delete).await).contains("does not exist"));

    server.sql("INSERT INTO maildb.maildb (username) VALUES ('a_b'), ('aXb'), ('100%'), ('U_B')");
    assert_eq!(
        search(&base, "u999", 0, 9).await.0,
        ["u999", "u9990", "u9991", "u9992", "u9993", "u9994", "u9995", "u9996", "u9997"]
    );
    assert_eq!(
        search(&base, "u99?", 2, 3).await,
        (vec!["u992".into(), "u993".into(), "u994".into()], 10_004)
    );
    assert_eq!(search(&base, "a_b", 0, 9).await.0, ["a_b"]);
    assert_eq!(search(&base, "%", 0, 9).await.0, ["100%"]);
    assert_eq!(search(&base, "*_b", 0, 9).await.0, ["U_B", "a_b"]);
    assert_eq!(search(&base, "*", 9_999, 100).await.0.len(), 5);
    assert!(search(&base, "' OR 1=1 -- ", 0, 9).await.0.is_empty());
}

#[tokio::test]
async fn all_records_can_be_read_and_put_into_another_table() {
    let Some(server) = original(&[]) else { return };
    server.sql(
        "CREATE TABLE maildb.other LIKE maildb.maildb;
         UPDATE maildb.maildb SET passwd='{SSHA}abc', maildrop='/m/u7' WHERE username='u7';
         INSERT INTO maildb.maildb (username) VALUES ('two words')",
    );
    let base = open(&server, SETTINGS).await;
    let settings = SETTINGS.replace("mysql_pwd_set true", "mysql_mail_user_table other");
    let other = open(&server, &settings).await;
    let (from, to) = (base.records().expect("records"), other.records().expect("records"));
    let mut after = None;
    let mut records: Vec<UserRecord> = Vec::new();
    loop {
        let page = from.page(after.as_ref(), 700).await.expect("a page");
        let Some(last) = page.last() else { break };
        after = Some(last.user.clone());
        records.extend(page);
    }
    assert_eq!(records.len(), 10_000, "all but the one that nobody can ask for");
    let seven = records.iter().find(|record| record.user == user("u7")).expect("u7");
    assert_eq!(seven.stored.as_ref().map(Secret::expose), Some(&b"{SSHA}abc"[..]));
    for record in [&records[0], seven, seven] {
        assert!(matches!(to.put(record).await, Ok(Outcome::Done(_))));
    }
    assert_eq!(account(lookup(&other, "u7").await).drop, DropPath::File("/m/u7".into()));
    let stored = "SELECT passwd FROM maildb.other ORDER BY username DESC LIMIT 1";
    assert_eq!(server.sql(stored), "{SSHA}abc");
    // Without a stored password, the present one stays, and a new user has none.
    let moved =
        UserRecord { stored: None, drop: DropPath::File("/m/moved".into()), ..seven.clone() };
    let fresh = UserRecord { user: user("fresh"), ..moved.clone() };
    for record in [&moved, &fresh, &fresh] {
        assert!(matches!(to.put(record).await, Ok(Outcome::Done(_))));
        let DropPath::File(path) = account(lookup(&other, record.user.as_str()).await).drop else {
            panic!("{} has no drop file", record.user);
        };
        assert_eq!(path.to_str(), Some("/m/moved"));
    }
    assert_eq!(server.sql(stored), "{SSHA}abc");
    let locked = check(&other, "fresh", "!").await;
    assert_eq!(rejection(locked), RejectionKind::NotVerified);
    assert_eq!(server.sql("SELECT passwd FROM maildb.other WHERE username='fresh'"), "!");
}

#[tokio::test]
async fn what_the_server_does_not_have_is_told_with_file_and_line() {
    let Some(server) = original(&[]) else { return };
    let rows = [
        ("field_quota quotta", "field_quota (", ":1): Unknown column 'quotta'"),
        ("\ninfo_fields nick nick", "info_fields (", ":2): Unknown column 'nick'"),
        ("mysql_mail_user_table users", "mysql_mail_user_table (", "doesn't exist"),
        ("mysql_mail_user_db users", "mysql_mail_user_db (", "users"),
        ("mysql_login nobody", "mysql_login, mysql_password: ", "Access denied"),
        ("query_check SELECT nick AS username FROM maildb", "query_check (", "'nick'"),
        ("query_check SELEKT :user", "query_check (", ":1): You have an error in your SQL syntax"),
        (
            "query_check SELECT username FROM maildb WHERE username=:user",
            "query_check (",
            "no column `password`",
        ),
        (
            "query_check SELECT username, passwd AS password FROM maildb WHERE username = :user\n\
          query_set UPDATE maildb SET pw = :password",
            "query_set (",
            ":2): Unknown column 'pw'",
        ),
    ];
    for (settings, one, two) in rows {
        let said = match try_open(&server, settings).await {
            Ok(_) => panic!("{settings} was taken"),
            Err(error) => error.to_string(),
        };
        assert!(said.contains(one) && said.contains(two), "{settings}: {said}");
    }
    // A login that may only read is enough for logins.
    server.sql(
        "CREATE USER reader@'%' IDENTIFIED BY 'opensesame';
                GRANT SELECT ON maildb.* TO reader@'%'",
    );
    let base = open(&server, &format!("{SETTINGS}\nmysql_login reader")).await;
    assert!(is_accepted(&check(&base, "u1", "p1").await));
    assert!(set(&base, "u1", "x", "").await.is_err());
}
