//! Users as they are moved from one base to another.

use async_trait::async_trait;

use crate::{DropPath, Info, Outcome, Rejection, Secret, Uid, Unavailable, Username};

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

    /// Whether the base could hold this record; asks nobody.
    ///
    /// # Errors
    ///
    /// Why [`put`](Self::put) would refuse it.
    fn judge(&self, record: &UserRecord) -> Result<(), Rejection> {
        let _ = record;
        Ok(())
    }

    /// Adds the user, or replaces the whole record; but a record without a
    /// stored password leaves the one that is there. When it returns
    /// [`Outcome::Done`], the record is durable.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] if the base cannot be asked.
    async fn put(&self, record: &UserRecord) -> Result<Outcome, Unavailable>;

    /// The same for many users, each with an outcome of its own, in their
    /// order. A base that can write several at once does it at the cost of one.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] if the base cannot be asked; some of the records may be
    /// written by then, and to write them again is harmless.
    async fn put_all(&self, records: &[UserRecord]) -> Result<Vec<Outcome>, Unavailable> {
        let mut outcomes = Vec::with_capacity(records.len());
        for record in records {
            outcomes.push(self.put(record).await?);
        }
        Ok(outcomes)
    }
}
