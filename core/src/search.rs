//! The `search` verb: listing users.

use crate::{Info, Origin, Rejection, Username};

/// A question for a list of users.
#[derive(Debug, Clone)]
pub struct Search {
    /// With `*` or `?` a wildcard for the whole name; without, any name that
    /// contains this text. Case does not matter.
    pub pattern: String,
    /// How many hits to skip (`-from n`; 0 skips none).
    pub from: usize,
    /// How many hits to return at most (`-max m`).
    pub max: Option<usize>,
    /// Who asks.
    pub origin: Origin,
}

impl Search {
    /// Whether `name` is a hit.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let pattern = self.pattern.to_ascii_lowercase();
        let name = name.to_ascii_lowercase();
        if pattern.contains(['*', '?']) {
            crate::pattern::wildcard_match(pattern.as_bytes(), name.as_bytes())
        } else {
            name.contains(&pattern)
        }
    }
}

/// How a [`Search`] went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SearchOutcome {
    /// The list.
    Found(Found),
    /// The source does not search, or refuses this search.
    Refused(Rejection),
}

/// The users that a search found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// The hits, after `from` and `max`.
    pub hits: Vec<Hit>,
    /// How many records were looked at ("out of").
    pub scanned: usize,
}

/// One user in the answer to a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// The name.
    pub user: Username,
    /// The info fields.
    pub info: Info,
}
