//! The names that a base has, one after the other.

use std::sync::Arc;

use dmail_core::{Authenticator, Origin, Search, SearchOutcome, Service, Username};
use tokio::sync::mpsc::{self, Receiver, Sender};

use crate::TransferError;
use crate::feed::{self, PAGE};

/// Users that one search asks for. A base of files reads all of them for each
/// search, so it should not be asked too often.
const HITS: usize = 20_000;

/// Names, in turn. The first error is the last of them.
pub(crate) type Names = Receiver<Result<Username, TransferError>>;

/// All names of this base: from its records, or else by search.
pub(crate) fn of(base: Arc<dyn Authenticator>) -> Names {
    let (names, feed) = mpsc::channel(PAGE);
    tokio::spawn(async move {
        let done = match base.records().is_some() {
            true => feed::walk(&*base, &names, |record| record.user).await,
            false => search(&*base, &names).await,
        };
        if let Err(error) = done {
            // Whoever gave up does not want to know.
            let _ = names.send(Err(error)).await;
        }
    });
    feed
}

async fn search(
    base: &dyn Authenticator,
    names: &Sender<Result<Username, TransferError>>,
) -> Result<(), TransferError> {
    let mut from = 0;
    let mut first: Option<Username> = None;
    loop {
        let origin = Origin::local(Service::Admin);
        let search = Search { pattern: "*".to_owned(), from, max: Some(HITS), origin };
        let found = match base.search(&search).await? {
            SearchOutcome::Found(found) => found,
            SearchOutcome::Refused(rejection) => {
                return Err(TransferError::NoList { why: rejection.text });
            }
        };
        let Some(hit) = found.hits.first() else { return Ok(()) };
        // A module that does not know -from would go on forever.
        if first.as_ref() == Some(&hit.user) {
            // But it has given all it has, if that was less than it was asked for.
            if from < HITS {
                return Ok(());
            }
            let why = "its search gives the same users again".to_owned();
            return Err(TransferError::NoList { why });
        }
        first = Some(hit.user.clone());
        let count = found.hits.len();
        for hit in found.hits {
            if names.send(Ok(hit.user)).await.is_err() {
                return Ok(());
            }
        }
        // Fewer than asked for need not be the last: some give out a few at a
        // time, or leave out names that cannot be carried.
        from += count;
    }
}
