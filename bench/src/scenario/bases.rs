//! User bases on servers of others, uncached: binds at a directory, and rows of
//! a table; each beside a client that knows the one request and nothing else.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dmail_backends::SourceSettings;
use dmail_backends::nwauth::NwAuthConfig;
use dmail_core::{Authenticator, Verdict};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Statement};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::gateway::request;
use crate::contest::{Effort, hold};
use crate::failure::{Failure, Wrong};
use crate::load::{Client, Sample, drive, one_thread};
use crate::measure::Server;
use crate::peer::{MariaDb, Slapd};
use crate::program::{PASSWORD, folder};
use crate::report::{Report, Target, Wanted};

const CONNECTIONS: usize = 10;
const USERS: usize = 10_000;
/// Our rates as a part of the bare clients': 40,000 of slapd's 56,000 binds in
/// a second, and 35,000 of mariadbd's 52,000 rows, on the machine that the
/// targets were set on.
const LDAP: Wanted = Wanted::AtLeast(0.71);
const SQL: Wanted = Wanted::AtLeast(0.67);

pub(super) fn ldap(effort: Effort, report: &mut Report) -> Result<(), Failure> {
    report.table("LDAP: binds, nothing cached, 10 connections");
    let Some(slapd) = Slapd::start(USERS)? else {
        report.note("Skipped: slapd is not installed.");
        return Ok(());
    };
    let home = folder()?;
    let settings = format!(
        "ldap_server {}\nldap_mode bind_dn\nldap_user_dn uid=%n,ou=people,dc=bench\n\
         ldap_connections {CONNECTIONS}\n",
        slapd.url()
    );
    let file = written(home.path(), "ldapauth.ini", &settings)?;
    let server = Server::Processes(vec![slapd.pid()]);
    let contest = hold(
        effort,
        |time| ask("ldap", &file, &server, time),
        |time| {
            one_thread()?.block_on(async {
                let mut binders = Vec::new();
                for first in firsts() {
                    let stream = UnixStream::connect(&slapd.socket).await;
                    let stream = stream.map_err(Failure::system("connect to slapd"))?;
                    binders.push(Binder { stream, user: first, message: Vec::new() });
                }
                Ok(drive(binders, time, &server).await)
            })
        },
    )?;
    report.contest("ldap, bind_dn", "bare: the same bind, written by hand", &contest);
    let found = contest.rate_ratio;
    report.target(Target { what: "ldap: rate, part of the bare one", found, wanted: LDAP });
    report.note("Server: slapd. Client: this process, and with it the source.");
    Ok(())
}

pub(super) fn sql(effort: Effort, report: &mut Report) -> Result<(), Failure> {
    report.table("SQL: users of a table, nothing cached, 10 connections");
    let Some(mariadb) = MariaDb::start(USERS)? else {
        report.note("Skipped: MariaDB is not installed.");
        return Ok(());
    };
    let home = folder()?;
    let settings = format!(
        "mysql_server {}\nmysql_login {}\nmysql_mail_user_db {}\n\
         query_check SELECT username, passwd AS password FROM users WHERE username = :user\n\
         mysql_connections {CONNECTIONS}\n",
        mariadb.socket.display(),
        crate::peer::LOGIN,
        crate::peer::DATABASE,
    );
    let file = written(home.path(), "mysqlauth.ini", &settings)?;
    let server = Server::Processes(vec![mariadb.pid()]);
    let contest = hold(
        effort,
        |time| ask("mysql", &file, &server, time),
        |time| {
            one_thread()?.block_on(async {
                let mut selectors = Vec::new();
                for first in firsts() {
                    let selector = Selector::connect(&mariadb, first).await;
                    let failed = |error| Failure::Program(format!("mariadbd: {error}"));
                    selectors.push(selector.map_err(failed)?);
                }
                Ok(drive(selectors, time, &server).await)
            })
        },
    )?;
    report.contest("mysql", "bare: a prepared statement, one row", &contest);
    let found = contest.rate_ratio;
    report.target(Target { what: "sql: rate, part of the bare one", found, wanted: SQL });
    report.note("Server: mariadbd. Client: this process, and with it the source.");
    Ok(())
}

fn firsts() -> impl Iterator<Item = usize> {
    (0..CONNECTIONS).map(|connection| connection * USERS / CONNECTIONS)
}

fn written(home: &Path, name: &str, settings: &str) -> Result<PathBuf, Failure> {
    let file = home.join(name);
    fs::write(&file, settings).map_err(Failure::system("write settings"))?;
    Ok(file)
}

/// One turn of our source, newly opened.
fn ask(name: &str, file: &Path, server: &Server, time: Duration) -> Result<Sample, Failure> {
    one_thread()?.block_on(async {
        let kind = dmail_backends::source(name).expect("it is one of ours");
        let settings = SourceSettings {
            file: file.to_owned(),
            launcher: Vec::new(),
            nwauth: NwAuthConfig::new(""),
        };
        let source = (kind.open)(&settings).await;
        let source = source.map_err(|error| Failure::Program(error.to_string()))?;
        let asker = |user| Asker { source: Arc::clone(&source), user };
        Ok(drive(firsts().map(asker).collect(), time, server).await)
    })
}

/// Asks the source about one user after the other.
struct Asker {
    source: Arc<dyn Authenticator>,
    user: usize,
}

impl Client for Asker {
    async fn operate(&mut self) -> Result<(), Wrong> {
        self.user = (self.user + 1) % USERS;
        let request = request(self.user).map_err(|error| Wrong(error.to_string()))?;
        match self.source.authenticate(&request).await {
            Ok(Verdict::Accepted(_)) => Ok(()),
            other => Err(Wrong(format!("{other:?}"))),
        }
    }
}

/// Binds, by hand (RFC 4511 section 4.2; all lengths fit in one byte).
struct Binder {
    stream: UnixStream,
    user: usize,
    message: Vec<u8>,
}

impl Client for Binder {
    async fn operate(&mut self) -> Result<(), Wrong> {
        self.user = (self.user + 1) % USERS;
        let dn = format!("uid=test{},ou=people,dc=bench", self.user);
        let (dn, password) = (dn.as_bytes(), PASSWORD.as_bytes());
        let bind = 3 + 2 + dn.len() + 2 + password.len();
        self.message.clear();
        self.message.extend([0x30, (3 + 2 + bind) as u8, 2, 1, 1, 0x60, bind as u8, 2, 1, 3]);
        self.message.extend([4, dn.len() as u8]);
        self.message.extend(dn);
        self.message.extend([0x80, password.len() as u8]);
        self.message.extend(password);
        self.stream.write_all(&self.message).await?;
        self.message.clear();
        while self.message.len() < 2 || self.message.len() < 2 + usize::from(self.message[1]) {
            if self.stream.read_buf(&mut self.message).await? == 0 {
                return Err(Wrong("slapd has closed".to_owned()));
            }
        }
        // Message, id, bind response, result code: 0 is success.
        match self.message[5..] {
            [0x61, _, 0x0a, 1, 0, ..] => Ok(()),
            _ => Err(Wrong(self.message.escape_ascii().to_string())),
        }
    }
}

/// Reads one row after the other.
struct Selector {
    connection: Conn,
    statement: Statement,
    user: usize,
}

impl Selector {
    async fn connect(mariadb: &MariaDb, user: usize) -> Result<Self, mysql_async::Error> {
        let mut connection = mariadb.connect().await?;
        let statement = connection.prep("SELECT passwd FROM users WHERE username = ?").await?;
        Ok(Self { connection, statement, user })
    }
}

impl Client for Selector {
    async fn operate(&mut self) -> Result<(), Wrong> {
        self.user = (self.user + 1) % USERS;
        let user = format!("test{}", self.user);
        let row = self.connection.exec_first::<String, _, _>(&self.statement, (user,)).await;
        match row {
            Ok(Some(stored)) if stored.ends_with(PASSWORD) => Ok(()),
            other => Err(Wrong(format!("{other:?}"))),
        }
    }
}
