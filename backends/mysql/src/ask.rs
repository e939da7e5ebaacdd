//! Asking a server: the deadline, the second attempt, and whose fault it is.

use std::time::Duration;

use async_trait::async_trait;
use mysql_async::Value;
use tokio::time::{Instant, timeout_at};

use crate::Base;
use crate::pool::{Access, Connection, Query, Rows};
use crate::settings::{Column, Settings};
use crate::trouble::Trouble;

/// Work on one connection.
#[async_trait]
pub(crate) trait Work: Sync {
    type Output: Send;

    async fn run(&self, connection: &mut Connection) -> Result<Self::Output, Trouble>;
}

/// One statement; says how many rows it found.
pub(crate) struct Execute<'a> {
    pub(crate) text: &'a str,
    pub(crate) values: Vec<Value>,
}

#[async_trait]
impl Work for Execute<'_> {
    type Output = u64;

    async fn run(&self, connection: &mut Connection) -> Result<u64, Trouble> {
        connection.execute(self.text, self.values.clone()).await
    }
}

/// How often something is tried that a dead connection has kept from happening:
/// the connections of a server that went down die one by one.
const ATTEMPTS: usize = 3;

impl Base {
    /// Asks a question, again if the connection turns out to be dead.
    pub(crate) async fn rows(&self, query: &Query, values: Vec<Value>) -> Result<Rows, Trouble> {
        self.rows_within(self.timeout, query, values).await
    }

    /// The same within another time.
    pub(crate) async fn rows_within(
        &self,
        limit: Duration,
        query: &Query,
        values: Vec<Value>,
    ) -> Result<Rows, Trouble> {
        let deadline = Instant::now() + limit;
        let mut attempt = 1;
        loop {
            let mut lease = self.pool.lease(Access::Read, deadline).await?;
            let asked = timeout_at(deadline, lease.connection().rows(query, values.clone())).await;
            let asked = asked.map_err(|_| too_slow())?;
            lease.end(asked.as_ref().err());
            match asked {
                Err(Trouble::Lost(_) | Trouble::Rolled(_)) if attempt < ATTEMPTS => attempt += 1,
                asked => return asked,
            }
        }
    }

    /// Makes a change with `work`, again only if nothing of it can have been
    /// done: nothing was sent, or the server says that it has undone it.
    pub(crate) async fn work<W: Work>(&self, work: &W) -> Result<W::Output, Trouble> {
        let deadline = Instant::now() + self.timeout;
        let mut attempt = 1;
        loop {
            let mut lease = self.pool.lease(Access::Write, deadline).await?;
            let done = timeout_at(deadline, async {
                lease.begin().await?;
                work.run(lease.connection()).await
            });
            let done = done.await.map_err(|_| too_slow())?;
            let undone = match &done {
                Err(Trouble::Lost(_)) => !lease.connection().has_changed(),
                Err(Trouble::Rolled(_)) => true,
                _ => false,
            };
            lease.end(done.as_ref().err());
            if !undone || attempt == ATTEMPTS {
                return done;
            }
            attempt += 1;
        }
    }

    /// The trouble with the setting that is to blame for it, if one is.
    pub(crate) fn blame(&self, setting: Option<&'static str>, trouble: Trouble) -> Trouble {
        let Trouble::Setting(text) = &trouble else { return trouble };
        let whose = match setting {
            Some(setting) => self.settings.places.blame(setting),
            None => guilty(&self.settings, text),
        };
        Trouble::Setting(format!("{whose}: {text}"))
    }
}

fn too_slow() -> Trouble {
    Trouble::Slow("no answer in time (mysql_timeout)".into())
}

/// The setting that names what the server's message says it does not have.
fn guilty(settings: &Settings, message: &str) -> String {
    let (table, places) = (&settings.table, &settings.places);
    let says = |code: u16| message.contains(&format!("({code})"));
    if says(1044) || says(1049) {
        return places.blame("mysql_mail_user_db");
    }
    if says(1045) || says(1698) {
        return "mysql_login, mysql_password".into();
    }
    if says(1146) || says(1142) {
        return places.blame("mysql_mail_user_table");
    }
    let named = |column: &Column| message.contains(&format!("'{}'", column.0));
    let columns = [
        ("field_username", Some(&table.username)),
        ("field_password", Some(&table.password)),
        ("field_forward", table.forward.as_ref()),
        ("field_quota", table.quota.as_ref()),
        ("field_mailmask", table.mailmask.as_ref()),
        ("field_maildrop", table.maildrop.as_ref()),
        ("field_uid", table.uid.as_ref()),
    ];
    if let Some((setting, _)) = columns.iter().find(|(_, column)| column.is_some_and(named)) {
        return places.blame(setting);
    }
    match table.info_fields.iter().find(|field| named(&field.column)) {
        Some(field) => places.blame_info(&field.column.0),
        None => places.blame("mysql_mail_user_table"),
    }
}
