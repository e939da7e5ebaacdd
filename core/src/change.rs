//! Changes of the user base: the `set` and `del` verbs.

use crate::{Info, Origin, Rejection, Secret, Username};

/// A change of one user's record.
#[derive(Debug, Clone)]
pub struct Change {
    /// Whose record.
    pub user: Username,
    /// What to do with it.
    pub action: Action,
    /// Who asks.
    pub origin: Origin,
}

/// What a [`Change`] does.
#[derive(Debug, Clone)]
pub enum Action {
    /// `del`: removes the user.
    Delete,
    /// `set`: adds the user or changes the record.
    Set {
        /// The new password; `None` keeps the present one, which the line
        /// protocol writes as `(NULL)`.
        secret: Option<Secret>,
        /// The new info fields, replacing all old ones; `None` keeps them.
        info: Option<Info>,
    },
}

/// How a [`Change`] went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Made, and durable. The text is the source's own confirmation.
    Done(String),
    /// Not made, and why.
    Refused(Rejection),
}
