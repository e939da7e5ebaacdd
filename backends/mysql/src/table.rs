//! The statements for the original's table.

use crate::names::Name;
use crate::pool::Query;
use crate::queries::{Ask, Numbered};
use crate::row::Layout;
use crate::settings::{Column, TableSettings};
use crate::statement::Parameter;

/// The original's table, as it is asked and changed.
pub(crate) struct Table {
    pub(crate) check: Ask,
    pub(crate) lookup: Ask,
    /// Whole rows, from the first name on.
    pub(crate) first: Query,
    /// Whole rows, from the one after a name on.
    pub(crate) next: Query,
    /// The same two without passwords, for names like a pattern.
    pub(crate) first_like: Query,
    pub(crate) next_like: Query,
    /// How many users there are.
    pub(crate) count: Query,
    pub(crate) layout: Layout,
    /// The layout of rows without a password.
    pub(crate) open_layout: Layout,
    columns: TableSettings,
    name: String,
}

impl Table {
    /// The statements for the table of these settings.
    pub(crate) fn new(settings: &TableSettings, numbered: &mut Numbered) -> Self {
        let (layout, all) = columns(settings, true);
        let (open_layout, open) = columns(settings, false);
        let (table, user) = (settings.table.quoted(), settings.username.quoted());
        let like =
            format!("CONVERT({user} USING utf8mb4) COLLATE utf8mb4_general_ci LIKE ? ESCAPE '|'");
        let one = |query, layout: &Layout| Ask {
            query,
            parameters: vec![Parameter::User],
            layout: Some(layout.clone()),
            setting: None,
            for_check: layout.password.is_some(),
        };
        let from = |columns: &str| format!("SELECT {columns} FROM {table}");
        let order = format!("ORDER BY {user} LIMIT ?");
        let (all, open) = (from(&all), from(&open));
        Self {
            check: one(numbered.add(format!("{all} WHERE {user} = ?")), &layout),
            lookup: one(numbered.add(format!("{open} WHERE {user} = ?")), &open_layout),
            first: numbered.add(format!("{all} {order}")),
            next: numbered.add(format!("{all} WHERE {user} > ? {order}")),
            first_like: numbered.add(format!("{open} WHERE {like} {order}")),
            next_like: numbered.add(format!("{open} WHERE {like} AND {user} > ? {order}")),
            count: numbered.add(from("COUNT(*)")),
            layout,
            open_layout,
            columns: settings.clone(),
            name: table,
        }
    }

    /// Changes columns of the row with exactly this name. Values: the columns',
    /// then [`exactly`]'s.
    pub(crate) fn update(&self, assignments: &[Assignment<'_>]) -> String {
        let set: Vec<String> = assignments.iter().map(Assignment::set).collect();
        let exact = self.exact();
        format!("UPDATE {} SET {} WHERE {exact}", self.name, set.join(", "))
    }

    /// Adds a row, or replaces the one with the same name.
    pub(crate) fn insert(&self, assignments: &[Assignment<'_>], replace: bool) -> String {
        let verb = if replace { "REPLACE" } else { "INSERT" };
        let names: Vec<String> = assignments.iter().map(|one| one.column.quoted()).collect();
        let values: Vec<&str> = assignments.iter().map(Assignment::value).collect();
        let (names, values) = (names.join(", "), values.join(", "));
        format!("{verb} INTO {} ({names}) VALUES ({values})", self.name)
    }

    /// Stores a password anew if it is still the one that was checked. Values:
    /// the new one, [`exactly`]'s, the old one.
    pub(crate) fn rehash(&self) -> String {
        let (exact, password) = (self.exact(), self.columns.password.quoted());
        format!(
            "UPDATE {} SET {password} = ? WHERE {exact} AND {}",
            self.name,
            same_bytes(&password)
        )
    }

    /// Removes the row with exactly this name.
    pub(crate) fn delete(&self) -> String {
        format!("DELETE FROM {} WHERE {}", self.name, self.exact())
    }

    /// The settings that name columns.
    pub(crate) fn columns(&self) -> &TableSettings {
        &self.columns
    }

    /// The first comparison finds the row by the index, the second one is not
    /// fooled by the column's collation.
    fn exact(&self) -> String {
        let user = self.columns.username.quoted();
        format!("{user} = ? AND {}", same_bytes(&user))
    }
}

fn same_bytes(column: &str) -> String {
    format!("CAST(CONVERT({column} USING utf8mb4) AS BINARY) = CAST(? AS BINARY)")
}

/// The values of the name in statements that change its row.
pub(crate) fn exactly(name: &str) -> [mysql_async::Value; 2] {
    [name.into(), name.into()]
}

/// A column and what is written to it: a value, or its default.
pub(crate) struct Assignment<'a> {
    pub(crate) column: &'a Column,
    pub(crate) is_default: bool,
}

impl Assignment<'_> {
    fn value(&self) -> &'static str {
        if self.is_default { "DEFAULT" } else { "?" }
    }

    fn set(&self) -> String {
        format!("{} = {}", self.column.quoted(), self.value())
    }
}

/// The columns of a row, and where each one is.
fn columns(settings: &TableSettings, with_password: bool) -> (Layout, String) {
    let mut names = vec![settings.username.quoted()];
    let mut add = |column: Option<&Column>| {
        names.push(column?.quoted());
        Some(names.len() - 1)
    };
    let layout = Layout {
        username: 0,
        domain: None,
        password: add(Some(&settings.password).filter(|_| with_password)),
        forward: add(settings.forward.as_ref()),
        quota: add(settings.quota.as_ref()),
        mailmask: add(settings.mailmask.as_ref().filter(|_| with_password)),
        maildrop: add(settings.maildrop.as_ref()),
        uid: add(settings.uid.as_ref()),
        info: settings
            .info_fields
            .iter()
            .filter_map(|field| Some((add(Some(&field.column))?, field.label.clone())))
            .collect(),
    };
    (layout, names.join(", "))
}

/// A name as the only value of a statement.
pub(crate) fn by_name(name: &Name<'_>) -> Vec<mysql_async::Value> {
    vec![name.whole.as_ref().into()]
}
