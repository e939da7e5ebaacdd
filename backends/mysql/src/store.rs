//! Rows of the original's table are added, changed and removed.

use async_trait::async_trait;
use mysql_async::Value;

use crate::ask::Work;
use crate::names::Name;
use crate::pool::Connection;
use crate::row::{Wanted, name_of};
use crate::settings::Column;
use crate::table::{Assignment, Table, by_name, exactly};
use crate::trouble::Trouble;

/// A column and its new value; `None` stands for the column's default.
pub(crate) type Written<'a> = (&'a Column, Option<String>);

/// Changes the row of a name, or adds one.
pub(crate) struct Store<'a> {
    pub(crate) table: &'a Table,
    pub(crate) name: &'a Name<'a>,
    pub(crate) ignore_case: bool,
    pub(crate) written: &'a [Written<'a>],
    /// What only a row that is added gets.
    pub(crate) initial: &'a [Written<'a>],
    pub(crate) may_add: bool,
    /// Whether a row that is there is replaced, all columns of it.
    pub(crate) replace: bool,
}

/// How storing a row went.
pub(crate) enum Stored {
    /// It is there.
    Done,
    /// So many rows have this name.
    Many(usize),
    /// There is no such row, and none may be added.
    Nobody,
}

#[async_trait]
impl Work for Store<'_> {
    type Output = Stored;

    async fn run(&self, connection: &mut Connection) -> Result<Stored, Trouble> {
        let stored = self.store(connection).await;
        match stored {
            // Somebody else has added the user since we looked.
            Err(Trouble::Duplicate(_)) => self.store(connection).await,
            stored => stored,
        }
    }
}

impl Store<'_> {
    async fn store(&self, connection: &mut Connection) -> Result<Stored, Trouble> {
        let row = match find(connection, self.table, self.name, self.ignore_case).await? {
            Ok(row) => row,
            Err(count) => return Ok(Stored::Many(count)),
        };
        let found = match row {
            None if !self.may_add => 0,
            Some(_) if self.written.is_empty() => 1,
            Some(row) if !self.replace => {
                let text = self.table.update(&assignments(self.written));
                let values = values(self.written).chain(exactly(&row)).collect();
                connection.execute(&text, values).await?
            }
            row => {
                let username = &self.table.columns().username;
                let mut columns = vec![Assignment { column: username, is_default: false }];
                let initial = if row.is_none() { self.initial } else { &[] };
                columns.extend(assignments(self.written));
                columns.extend(assignments(initial));
                let name = Value::from(row.as_deref().unwrap_or(&self.name.whole));
                let values = values(self.written).chain(values(initial));
                let values = std::iter::once(name).chain(values).collect();
                // Without a row of exactly this name, REPLACE would remove that
                // of a user whose name the collation takes for the same.
                let replace = self.replace && row.is_some();
                connection.execute(&self.table.insert(&columns, replace), values).await?
            }
        };
        Ok(if found > 0 { Stored::Done } else { Stored::Nobody })
    }
}

fn assignments<'a>(written: &'a [Written<'a>]) -> Vec<Assignment<'a>> {
    let written = written.iter();
    written.map(|(column, value)| Assignment { column, is_default: value.is_none() }).collect()
}

fn values(written: &[Written<'_>]) -> impl Iterator<Item = Value> {
    written.iter().filter_map(|(_, value)| value.as_deref().map(Value::from))
}

/// Removes the row of a name; says how many it removed.
pub(crate) struct Delete<'a> {
    pub(crate) table: &'a Table,
    pub(crate) name: &'a Name<'a>,
    pub(crate) ignore_case: bool,
}

#[async_trait]
impl Work for Delete<'_> {
    type Output = u64;

    async fn run(&self, connection: &mut Connection) -> Result<u64, Trouble> {
        match find(connection, self.table, self.name, self.ignore_case).await? {
            Ok(Some(row)) => connection.execute(&self.table.delete(), exactly(&row).to_vec()).await,
            Ok(None) => Ok(0),
            Err(count) => Err(Trouble::Value(format!("{count} rows have this name"))),
        }
    }
}

/// What the row of this name spells it like; the inner error is the number of
/// rows, if there are several.
async fn find(
    connection: &mut Connection,
    table: &Table,
    name: &Name<'_>,
    ignore_case: bool,
) -> Result<Result<Option<String>, usize>, Trouble> {
    let rows = connection.rows(&table.lookup.query, by_name(name)).await?;
    let wanted = Wanted { name: &name.whole, parts: None, ignore_case };
    let rows = wanted.of(&table.open_layout, rows);
    if rows.len() > 1 {
        return Ok(Err(rows.len()));
    }
    Ok(Ok(rows.first().and_then(|row| name_of(&table.open_layout, row))))
}
