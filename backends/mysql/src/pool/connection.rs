//! One connection and the statements that were prepared on it.

use std::sync::Arc;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Column, Conn, Opts, Params, Statement, Value};
use tokio::time::Instant;

use crate::trouble::Trouble;

/// Most rows that one question may return. More than one is a mistake already,
/// and a list is asked for in pages.
const MAX_ROWS: usize = 10_000;

/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// A statement that is prepared once per connection.
#[derive(Debug, Clone)]
pub(crate) struct Query {
    /// Its place among all queries.
    pub(crate) id: usize,
    /// The text, with `?` for each value.
    pub(crate) text: String,
}

/// What a question returned.
pub(crate) struct Rows {
    /// The columns' names.
    pub(crate) columns: Arc<[Column]>,
    /// A value per column; `None` stands for a value that was taken.
    pub(crate) rows: Vec<Vec<Option<Value>>>,
}

/// A connection to a server.
pub(crate) struct Connection {
    conn: Conn,
    prepared: Vec<Option<Statement>>,
    /// Since when nobody has used it.
    pub(super) idle_since: Instant,
    /// Whether it has been idle since it was made: it may be dead by now.
    pub(super) reused: bool,
    has_changed: bool,
}

impl Connection {
    /// Connects, logs in, and sets the session up.
    pub(super) async fn open(options: &Opts, queries: usize) -> Result<Self, Trouble> {
        let conn = Conn::new(options.clone()).await.map_err(|error| Trouble::of(&error))?;
        let prepared = vec![None; queries];
        Ok(Self { conn, prepared, idle_since: Instant::now(), reused: false, has_changed: false })
    }

    /// The statement of `query`, prepared now if it was not before.
    pub(crate) async fn prepare(&mut self, query: &Query) -> Result<Statement, Trouble> {
        if let Some(Some(statement)) = self.prepared.get(query.id) {
            return Ok(statement.clone());
        }
        let statement =
            self.conn.prep(query.text.as_str()).await.map_err(|error| Trouble::of(&error))?;
        if let Some(place) = self.prepared.get_mut(query.id) {
            *place = Some(statement.clone());
        }
        Ok(statement)
    }

    /// Asks a question.
    pub(crate) async fn rows(
        &mut self,
        query: &Query,
        values: Vec<Value>,
    ) -> Result<Rows, Trouble> {
        let statement = self.prepare(query).await?;
        let asked = self.conn.exec_iter(&statement, positional(values)).await;
        let mut result = asked.map_err(|error| Trouble::of(&error))?;
        let columns = result.columns().unwrap_or_default();
        let mut rows = Vec::new();
        while let Some(row) = result.next().await.map_err(|error| Trouble::of(&error))? {
            if rows.len() == MAX_ROWS {
                return Err(Trouble::Fault(format!("more than {MAX_ROWS} rows were returned")));
            }
            rows.push(row.unwrap_raw());
        }
        result.drop_result().await.map_err(|error| Trouble::of(&error))?;
        Ok(Rows { columns, rows })
    }

    /// Has the server judge a statement that may never be used.
    pub(crate) async fn prepare_once(&mut self, text: &str) -> Result<(), Trouble> {
        let statement = self.conn.prep(text).await.map_err(|error| Trouble::of(&error))?;
        self.conn.close(statement).await.map_err(|error| Trouble::of(&error))
    }

    /// Makes a change with a statement made for it; says how many rows it found.
    pub(crate) async fn execute(&mut self, text: &str, values: Vec<Value>) -> Result<u64, Trouble> {
        let statement = self.conn.prep(text).await.map_err(|error| Trouble::of(&error))?;
        self.has_changed = true;
        let done = self.conn.exec_drop(&statement, positional(values)).await;
        done.map_err(|error| Trouble::of(&error))?;
        Ok(self.conn.affected_rows())
    }

    /// Prepares for a change: a connection that has been idle may be dead.
    pub(super) async fn begin(&mut self) -> Result<(), Trouble> {
        self.has_changed = false;
        match self.reused {
            true => self.conn.ping().await.map_err(|error| Trouble::of(&error)),
            false => Ok(()),
        }
    }

    /// Whether a change was sent since [`begin`](Self::begin), so that it may
    /// have been made.
    pub(crate) fn has_changed(&self) -> bool {
        self.has_changed
    }

    /// Leaves, without waiting for it. The library's own way would read the
    /// rest of an answer first, however long the server takes over it.
    pub(super) fn leave(self) {
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(tokio::time::timeout(GOODBYE, self.conn.disconnect()));
        }
    }
}

fn positional(values: Vec<Value>) -> Params {
    if values.is_empty() { Params::Empty } else { Params::Positional(values) }
}
