//! `search`, and all records for an export: the table is read in pages, each
//! from the name after the last one on, so that no page costs more than another
//! one and nothing is locked.

use async_trait::async_trait;
use dmail_core::{
    DropPath, Found as List, Hit, Outcome, Records, Rejection, RejectionKind, Search,
    SearchOutcome, Unavailable, UserRecord, Username,
};
use mysql_async::Value;

use crate::names::Name;
use crate::pool::{Query, Rows};
use crate::row::{Found, Layout, name_of, text};
use crate::table::Table;
use crate::{Base, MySql};

/// Rows of one page.
const PAGE: usize = 1000;

/// Most users that one search returns; more are to be asked for in parts.
const MAX_HITS: usize = 100_000;

impl Base {
    /// Lists users.
    pub(crate) async fn search(&self, search: &Search) -> Result<SearchOutcome, Unavailable> {
        // One more than is allowed tells that there are too many.
        let max = search.max.unwrap_or(usize::MAX).min(MAX_HITS + 1);
        let found = if let Some(table) = &self.queries.table {
            self.search_table(table, search, max).await?
        } else if self.queries.search.is_some() {
            self.search_own(search, max).await?
        } else {
            return Ok(SearchOutcome::Refused(Rejection::unsupported()));
        };
        if found.hits.len() > MAX_HITS {
            let text = format!("more than {MAX_HITS} users match: use -from and -max");
            let rejection = Rejection::new(RejectionKind::BadInput, text);
            return Ok(SearchOutcome::Refused(rejection));
        }
        Ok(SearchOutcome::Found(found))
    }

    async fn search_table(
        &self,
        table: &Table,
        search: &Search,
        max: usize,
    ) -> Result<List, Unavailable> {
        let mut hits = Hits::new(search, max);
        let pattern = like(&self.pattern_of(search));
        let mut after: Option<Value> = None;
        while !hits.is_full() {
            let (query, values) = match after.take() {
                None => (&table.first_like, vec![pattern.as_str().into()]),
                Some(after) => (&table.next_like, vec![pattern.as_str().into(), after]),
            };
            let rows = self.page_of(query, values, PAGE).await?;
            after = last_name(&table.open_layout, &rows);
            let is_last = rows.rows.len() < PAGE;
            for row in rows.rows {
                self.look_at(&table.open_layout, row, &mut hits);
            }
            if is_last || after.is_none() {
                break;
            }
        }
        let counted =
            self.rows_within(self.settings.connections.list_timeout, &table.count, vec![]);
        let counted = counted.await.map_err(|trouble| self.blame(None, trouble))?;
        let count = counted.rows.first().and_then(|row| text(row.first()?.as_ref()?)?.parse().ok());
        Ok(List { hits: hits.taken, scanned: count.unwrap_or_default() })
    }

    async fn search_own(&self, search: &Search, max: usize) -> Result<List, Unavailable> {
        let Some(ask) = &self.queries.search else { return Ok(List::default()) };
        let pattern = like(&search.pattern);
        let values = ask.parameters.iter().map(|_| pattern.as_str().into()).collect();
        let limit = self.settings.connections.list_timeout;
        let rows = self.rows_within(limit, &ask.query, values).await;
        let rows = rows.map_err(|trouble| self.blame(ask.setting, trouble))?;
        let mut hits = Hits::new(search, max);
        let scanned = rows.rows.len();
        if scanned > 0 {
            let layout = self.own_layout(ask, Layout::by_name(&rows.columns))?;
            for row in rows.rows {
                self.look_at(&layout, row, &mut hits);
            }
        }
        Ok(List { hits: hits.taken, scanned })
    }

    /// Takes a row in if it is a hit. One that cannot be read is none: the user
    /// could not log in either.
    fn look_at(&self, layout: &Layout, row: Vec<Option<Value>>, hits: &mut Hits<'_>) {
        let Ok(found) = Found::read(layout, row) else { return };
        let Ok(user) = self.names.answered(&found.name, found.domain.as_deref()) else { return };
        hits.look_at(user, found);
    }

    /// The pattern as names in the table have it: without the domain of all.
    fn pattern_of(&self, search: &Search) -> String {
        match (&self.names.domain, search.pattern.contains('@')) {
            // The domain may be what matches, and is in no row.
            (Some(_), _) => "*".into(),
            (None, _) => search.pattern.clone(),
        }
    }

    async fn page_of(
        &self,
        query: &Query,
        mut values: Vec<Value>,
        limit: usize,
    ) -> Result<Rows, Unavailable> {
        values.push(u64::try_from(limit).unwrap_or(u64::MAX).into());
        let within = self.settings.connections.list_timeout;
        let rows = self.rows_within(within, query, values).await;
        Ok(rows.map_err(|trouble| self.blame(None, trouble))?)
    }

    fn record(&self, layout: &Layout, row: Vec<Option<Value>>) -> Option<UserRecord> {
        let name = name_of(layout, &row).unwrap_or_default();
        let left_out = |why: &dyn std::fmt::Display| {
            tracing::warn!(user = ?name, %why, "the row is left out");
        };
        let mut found = Found::read(layout, row).map_err(|bad| left_out(&bad)).ok()?;
        let user = self.names.answered(&found.name, None).map_err(|bad| left_out(&bad)).ok()?;
        let stored = found.stored.take();
        Some(UserRecord {
            user,
            stored: stored.and_then(|stored| self.passwords.exported(stored)),
            drop: found.drop,
            uid: found.uid,
            info: found.info,
        })
    }
}

/// The hits of a search so far.
struct Hits<'a> {
    search: &'a Search,
    skipped: usize,
    max: usize,
    taken: Vec<Hit>,
}

impl<'a> Hits<'a> {
    fn new(search: &'a Search, max: usize) -> Self {
        Self { search, skipped: 0, max, taken: Vec::new() }
    }

    fn is_full(&self) -> bool {
        self.taken.len() >= self.max
    }

    fn look_at(&mut self, user: Username, found: Found) {
        if self.is_full() || !self.search.matches(user.as_str()) {
            return;
        }
        if self.skipped < self.search.from {
            self.skipped += 1;
            return;
        }
        self.taken.push(Hit { user, info: found.info });
    }
}

/// A pattern of the `search` verb as one of LIKE, with `|` as the escape.
fn like(pattern: &str) -> String {
    let wild = pattern.contains(['*', '?']);
    let mut like = String::with_capacity(pattern.len() + 2);
    if !wild {
        like.push('%');
    }
    for c in pattern.chars() {
        match c {
            '*' => like.push('%'),
            '?' => like.push('_'),
            '%' | '_' | '|' => like.extend(['|', c]),
            c => like.push(c),
        }
    }
    if !wild {
        like.push('%');
    }
    like
}

fn last_name(layout: &Layout, rows: &Rows) -> Option<Value> {
    rows.rows.last()?.get(layout.username)?.clone()
}

#[async_trait]
impl Records for MySql {
    async fn page(
        &self,
        after: Option<&Username>,
        limit: usize,
    ) -> Result<Vec<UserRecord>, Unavailable> {
        let base = &self.0;
        let Some(table) = &base.queries.table else { return Ok(Vec::new()) };
        let limit = limit.clamp(1, PAGE);
        let named: Option<Name<'_>> = after.map(|after| base.names.asked(after));
        let mut after = named.map(|name| Value::from(name.whole.as_ref()));
        // An empty page means the end, so one of bad rows only is not given out.
        loop {
            let (query, values) = match after.take() {
                None => (&table.first, vec![]),
                Some(after) => (&table.next, vec![after]),
            };
            let rows = base.page_of(query, values, limit).await?;
            after = last_name(&table.layout, &rows);
            let is_last = rows.rows.len() < limit;
            let row = |row| base.record(&table.layout, row);
            let records: Vec<UserRecord> = rows.rows.into_iter().filter_map(row).collect();
            if !records.is_empty() || is_last || after.is_none() {
                return Ok(records);
            }
        }
    }

    async fn put(&self, record: &UserRecord) -> Result<Outcome, Unavailable> {
        if let DropPath::File(path) = &record.drop
            && path.to_str().is_none()
        {
            let text = "the name of the drop file is not UTF-8";
            let rejection = Rejection::new(RejectionKind::BadInput, text);
            return Ok(Outcome::Refused(rejection));
        }
        self.0.put_record(record).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_means_the_same_to_the_server() {
        let rows = [
            ("bob", "%bob%"),
            ("b*b?", "b%b_"),
            ("100%_|", "%100|%|_||%"),
            ("*_*", "%|_%"),
            ("'; DROP", "%'; DROP%"),
        ];
        for (pattern, expected) in rows {
            assert_eq!(like(pattern), expected);
        }
    }
}
