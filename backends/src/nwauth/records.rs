//! Users as they are moved from and to other bases, with their stored
//! passwords.

use std::sync::Arc;

use async_trait::async_trait;
use dmail_core::{Outcome, Records, Rejection, RejectionKind, Unavailable, UserRecord, Username};

use zeroize::Zeroizing;

use super::account::{self, UNWRITABLE};
use super::names::NamePolicy;
use super::store::{Edit, EditAction, Edited};
use super::{NwAuth, StoreError, bad_input, read_only};

#[async_trait]
impl Records for NwAuth {
    async fn page(
        &self,
        after: Option<&Username>,
        limit: usize,
    ) -> Result<Vec<UserRecord>, Unavailable> {
        let (store, after) = (Arc::clone(&self.store), after.cloned());
        let page = move || {
            let after = after.as_ref().map(Username::as_str);
            let records = store.page(after, limit)?;
            // Only names that can be asked for are in the page.
            Ok::<_, StoreError>(records.iter().filter_map(account::user_record).collect())
        };
        Ok(self.lists.run(page).await??)
    }

    fn judge(&self, record: &UserRecord) -> Result<(), Rejection> {
        let written = account::write_line(record)?;
        drop(Zeroizing::new(written));
        edit(record).map(drop)
    }

    async fn put(&self, record: &UserRecord) -> Result<Outcome, Unavailable> {
        let done = self.put_all(std::slice::from_ref(record)).await?;
        Ok(done.into_iter().next().unwrap_or_else(|| bad_input(UNWRITABLE)))
    }

    /// All in one append, with one flush.
    async fn put_all(&self, records: &[UserRecord]) -> Result<Vec<Outcome>, Unavailable> {
        if self.read_only {
            return Ok(records.iter().map(|_| read_only()).collect());
        }
        let mut edits = Vec::with_capacity(records.len());
        let judged: Vec<Result<(), Rejection>> = records
            .iter()
            .map(|user| {
                edits.push(edit(user)?);
                Ok(())
            })
            .collect();
        let store = Arc::clone(&self.store);
        let change = move || {
            let edited = store.change(edits)?;
            Ok::<_, StoreError>((edited, store.merge_is_due()))
        };
        let (edited, merge_is_due) = self.changes.run(change).await??;
        if merge_is_due {
            self.merge_behind();
        }
        let mut edited = edited.into_iter();
        let outcome = |(user, judged): (&UserRecord, Result<(), Rejection>)| match judged {
            Err(rejection) => Outcome::Refused(rejection),
            Ok(()) if edited.next() == Some(Edited::Done) => {
                Outcome::Done(format!("{} added to database", user.user))
            }
            Ok(()) => bad_input(UNWRITABLE),
        };
        Ok(records.iter().zip(judged).map(outcome).collect())
    }
}

/// What writes a whole record. Users who exist elsewhere keep a name that
/// would not be given to a new one.
fn edit(user: &UserRecord) -> Result<Edit, Rejection> {
    let lax = NamePolicy {
        forbidden: String::new(),
        forbidden_in_local_part: String::new(),
        allow_ats: true,
        allow_high: true,
    };
    let bad = |fault: super::NameFault| Rejection::new(RejectionKind::BadInput, fault.to_string());
    lax.judge(&user.user).map_err(bad)?;
    let record = account::record(user)?;
    let hash = user.stored.is_some().then_some(record.hash);
    let action = EditAction::Put { hash, info: record.info };
    Ok(Edit { name: record.name, action })
}

#[cfg(test)]
mod tests;
