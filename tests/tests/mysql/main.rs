//! MySQL tables as user bases, on a real MariaDB.

mod faults;
mod hosts;
mod names;
mod own;
mod passwords;
mod program;
mod table;

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use dmail_core::{
    Account, Action, AuthRequest, Authenticator, Change, Info, Origin, Outcome, RejectionKind,
    Search, SearchOutcome, Secret, Service, Unavailable, Username, Verdict,
};
use dmail_mysql::{MySql, OpenError};
use dmail_tests::peer::mariadb::MariaDb;

/// The table as the original's manual has it, and an account that owns it.
const ORIGINAL: &str = "
    CREATE DATABASE maildb CHARACTER SET latin1;
    USE maildb;
    CREATE TABLE maildb (
        username CHAR(128) BINARY NOT NULL DEFAULT '' PRIMARY KEY,
        passwd CHAR(128) DEFAULT '*' NOT NULL,
        forward CHAR(255),
        quota CHAR(20),
        mailmask CHAR(18) DEFAULT '0.0.0.0' NOT NULL,
        maildrop CHAR(255),
        full_name CHAR(80),
        last_seen CHAR(20) DEFAULT 'never' NOT NULL);
    INSERT INTO maildb (username, passwd, full_name)
        SELECT CONCAT('u', seq), PASSWORD(CONCAT('p', seq)), CONCAT('User ', seq)
        FROM seq_1_to_10000;
    CREATE USER dmail@'%' IDENTIFIED BY 'opensesame';
    GRANT SELECT, INSERT, UPDATE, DELETE ON *.* TO dmail@'%';
";

/// The settings that suit [`ORIGINAL`].
const SETTINGS: &str = "
    field_quota quota
    field_mailmask mailmask
    field_maildrop maildrop
    mysql_pwd_set true
    mysql_mail_uid 99
    info_fields full_name name
";

/// A server with the original's table.
fn original(options: &[&str]) -> Option<MariaDb> {
    let server = MariaDb::start(options)?;
    server.sql(ORIGINAL);
    Some(server)
}

/// Opens the base in `server`, with further settings.
async fn try_open(server: &MariaDb, settings: &str) -> Result<MySql, OpenError> {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let file = server.folder().join(format!("mysqlauth{number}.ini"));
    let mut text = settings.to_owned();
    for (name, default) in [
        ("mysql_server", server.address().to_string()),
        ("mysql_login", "dmail".into()),
        ("mysql_password", "opensesame".into()),
    ] {
        if !settings.contains(&format!("{name} ")) {
            text.push_str(&format!("\n{name} {default}"));
        }
    }
    fs::write(&file, text).expect("room for it");
    dmail_mysql::open(&file).await
}

/// The same for settings that are right.
async fn open(server: &MariaDb, settings: &str) -> MySql {
    match try_open(server, settings).await {
        Ok(base) => base,
        Err(error) => panic!("{error}"),
    }
}

fn user(name: &str) -> Username {
    Username::parse(name.as_bytes()).expect("a name")
}

async fn check_from(
    base: &MySql,
    name: &str,
    password: &str,
    client: &str,
) -> Result<Verdict, Unavailable> {
    let origin = Origin { client: client.parse().ok(), ..Origin::local(Service::Pop3) };
    let secret = Secret::new(password.as_bytes());
    base.authenticate(&AuthRequest::check(user(name), secret, origin)).await
}

async fn check(base: &MySql, name: &str, password: &str) -> Result<Verdict, Unavailable> {
    check_from(base, name, password, "192.0.2.7").await
}

async fn lookup(base: &MySql, name: &str) -> Result<Verdict, Unavailable> {
    base.authenticate(&AuthRequest::lookup(user(name), Origin::local(Service::Smtp))).await
}

async fn change(base: &MySql, name: &str, action: Action) -> Result<Outcome, Unavailable> {
    let origin = Origin::local(Service::Admin);
    base.change(&Change { user: user(name), action, origin }).await
}

async fn set(base: &MySql, name: &str, password: &str, info: &str) -> Result<Outcome, Unavailable> {
    let info: Info = info.parse().expect("info");
    let secret = Some(Secret::new(password.as_bytes()));
    change(base, name, Action::Set { secret, info: Some(info) }).await
}

async fn search(base: &MySql, pattern: &str, from: usize, max: usize) -> (Vec<String>, usize) {
    let origin = Origin::local(Service::Admin);
    let search = Search { pattern: pattern.into(), from, max: Some(max), origin };
    match base.search(&search).await {
        Ok(SearchOutcome::Found(found)) => {
            let names = found.hits.iter().map(|hit| hit.user.to_string());
            (names.collect(), found.scanned)
        }
        other => panic!("{pattern}: {other:?}"),
    }
}

fn is_accepted(verdict: &Result<Verdict, Unavailable>) -> bool {
    matches!(verdict, Ok(Verdict::Accepted(_)))
}

fn account(verdict: Result<Verdict, Unavailable>) -> Account {
    match verdict {
        Ok(Verdict::Accepted(account)) => (*account).clone(),
        other => panic!("{other:?}"),
    }
}

fn rejection(verdict: Result<Verdict, Unavailable>) -> RejectionKind {
    match verdict {
        Ok(Verdict::Rejected(rejection)) => rejection.kind,
        other => panic!("{other:?}"),
    }
}

fn is_done(outcome: &Result<Outcome, Unavailable>) -> bool {
    matches!(outcome, Ok(Outcome::Done(_)))
}

fn refusal(outcome: Result<Outcome, Unavailable>) -> String {
    match outcome {
        Ok(Outcome::Refused(rejection)) => rejection.text,
        other => panic!("{other:?}"),
    }
}
