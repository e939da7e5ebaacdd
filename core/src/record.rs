//! Users as they are moved from one base to another.

use async_trait::async_trait;

use crate::{DropPath, Info, Outcome, Secret, Uid, Unavailable, Username};

/// All that a base knows of one user.
#[derive(Debug, Clone)]
pub struct UserRecord {
    /// The name.
    pub user: Username,
    /// The password as it is stored: a hash with its scheme in front, as
    /// `dmail_schemes::verify` reads it. `None` if the base does not give it
    /// out (a directory that only binds), or has none.
    pub stored: Option<Secret>,
    /// Where the mail lies.
    pub drop: DropPath,
    /// Who owns the drop file.
    pub uid: Option<Uid>,
    /// The info fields.
    pub info: Info,
}

/// A base whose records can be read and written as they are.
#[async_trait]
pub trait Records: Send + Sync {
    /// The users that follow `after` in the order of the base's own (from the
    /// first if that is `None`), at most `limit`. An empty page is the end.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] if the base cannot be asked.
    async fn page(
        &self,
        after: Option<&Username>,
        limit: usize,
    ) -> Result<Vec<UserRecord>, Unavailable>;

    /// Adds the user, or replaces the whole record. When it returns
    /// [`Outcome::Done`], the record is durable.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] if the base cannot be asked.
    async fn put(&self, record: &UserRecord) -> Result<Outcome, Unavailable>;
}
