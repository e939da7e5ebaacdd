//! What an import says of each user, and in the end.

/// What happened to one user, or would happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The line of the file, from 1; 0 if there is none.
    pub line: u64,
    /// The name, as far as it is known.
    pub user: String,
    /// What.
    pub kind: EventKind,
}

/// The kinds of [`Event`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventKind {
    /// A new user.
    Added,
    /// A user who has something else now: what.
    Changed(&'static str),
    /// Nothing to do.
    Same,
    /// A conflict: the present record stays; what would have changed.
    Skipped(&'static str),
    /// Not a user at all.
    NoUser(String),
    /// Not taken in, and why.
    Refused(String),
    /// Taken in, but for this.
    Note(String),
}

/// How many of each there were.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// New users.
    pub added: u64,
    /// Replaced records.
    pub changed: u64,
    /// Nothing to do.
    pub same: u64,
    /// Conflicts that were left alone.
    pub skipped: u64,
    /// Entries that are about no user.
    pub no_users: u64,
    /// Users who were not taken in.
    pub refused: u64,
    /// Users of whom something was left out or is worth knowing.
    pub noted: u64,
    /// A conflict ended it.
    pub stopped: bool,
}
