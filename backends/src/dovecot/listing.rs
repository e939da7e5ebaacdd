//! Listing users. Dovecot lists for one client at a time, so each search has
//! a connection of its own, and holds up no lookup.

use std::path::Path;
use std::time::Duration;

use dmail_core::{
    Found, Hit, Info, Rejection, RejectionKind, Search, SearchOutcome, Unavailable, UnavailableKind,
};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use super::lines::{Lines, Lost};
use super::wire::{self, Line, Listed, Socket};

/// Most users that one search returns; more are to be asked for in parts.
const MAX_HITS: usize = 100_000;

/// Lists the users that a search means.
pub(super) async fn search(
    path: &Path,
    search: &Search,
    limit: Duration,
) -> Result<SearchOutcome, Unavailable> {
    match timeout(limit, list(path, search)).await {
        Ok(outcome) => outcome,
        Err(_) => {
            let text = format!("dovecot: no list of users within {} s", limit.as_secs());
            Err(Unavailable::new(UnavailableKind::Timeout, text))
        }
    }
}

async fn list(path: &Path, search: &Search) -> Result<SearchOutcome, Unavailable> {
    let dead = |lost: Lost| {
        Unavailable::new(UnavailableKind::Dead, format!("dovecot: {}: {lost}", path.display()))
    };
    let mut lines = Lines::open(Socket::Userdb, path).await.map_err(dead)?;
    let question = b"LIST\t1\tservice=dmail\tprotocol=dmail\n";
    lines.writer.write_all(question).await.map_err(|error| dead(error.into()))?;
    let most = search.max.unwrap_or(usize::MAX).min(MAX_HITS + 1);
    let (mut skip, mut found) = (search.from, Found::default());
    loop {
        let line = lines.reader.line().await.map_err(dead)?;
        let Line::Answer(1, word, fields) =
            Socket::Userdb.parse(line).map_err(|fault| dead(Lost::Fault(fault)))?
        else {
            return Err(dead(Lost::Fault("another answer in a list")));
        };
        match wire::listed(word, fields)? {
            Listed::End => break,
            Listed::User(user) => {
                found.scanned += 1;
                let Some(user) = user.filter(|user| search.matches(user.as_str())) else {
                    continue;
                };
                if skip > 0 {
                    skip -= 1;
                } else if found.hits.len() < most {
                    found.hits.push(Hit { user, info: Info::default() });
                }
            }
        }
    }
    if found.hits.len() > MAX_HITS {
        let text = format!("more than {MAX_HITS} users match: use -from and -max");
        return Ok(SearchOutcome::Refused(Rejection::new(RejectionKind::BadInput, text)));
    }
    Ok(SearchOutcome::Found(found))
}
