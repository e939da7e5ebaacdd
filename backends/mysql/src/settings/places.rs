//! Where settings stand.

use dmail_core::config::{Given, Place};

/// Where settings stand, for messages of the server about them.
#[derive(Debug, Clone, Default)]
pub struct Places(Vec<(&'static str, Place)>);

impl Places {
    pub(super) fn of(given: &Given<'_>) -> Self {
        let places =
            |name: &'static str| given.places(name).into_iter().map(move |place| (name, place));
        Self(NAMED_TO_THE_SERVER.into_iter().flat_map(places).collect())
    }

    /// The setting `name` and where its last line is; without one, its
    /// default is meant.
    #[must_use]
    pub fn blame(&self, name: &str) -> String {
        match self.0.iter().rev().find(|(known, _)| *known == name) {
            Some((_, place)) => format!("{} ({}:{})", name, place.file.display(), place.line),
            None => format!("{name} (its default)"),
        }
    }

    /// The line of `info_fields` that starts with `column`.
    #[must_use]
    pub fn blame_info(&self, column: &str) -> String {
        let says = |place: &Place| {
            place.text[place.span.clone()].split_whitespace().next() == Some(column)
        };
        match self.0.iter().find(|(name, place)| *name == "info_fields" && says(place)) {
            Some((name, place)) => format!("{} ({}:{})", name, place.file.display(), place.line),
            None => self.blame("info_fields"),
        }
    }
}

/// Settings whose values the server is told.
const NAMED_TO_THE_SERVER: [&str; 16] = [
    "mysql_server",
    "mysql_mail_user_db",
    "mysql_mail_user_table",
    "field_username",
    "field_password",
    "field_forward",
    "field_quota",
    "field_mailmask",
    "field_maildrop",
    "field_uid",
    "info_fields",
    "query_check",
    "query_lookup",
    "query_set",
    "query_del",
    "query_search",
];
