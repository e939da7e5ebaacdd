//! A search in all members: one list, each user once.

use std::collections::HashSet;
use std::sync::Arc;

use dmail_core::{
    Authenticator, Found, Hit, Rejection, Search, SearchOutcome, Unavailable, Username,
};

use super::member::{Member, Role, includes};
use super::policy::After;

/// Fewest users that a member is asked for at once: each page may make it read
/// its whole base.
const PAGE: usize = 1000;

/// The users that a search has found so far.
struct List<'a> {
    search: &'a Search,
    /// All names found, in lower case: the first member that has a user is the
    /// one whose record counts.
    seen: HashSet<Username>,
    hits: Vec<Hit>,
}

impl List<'_> {
    /// How many users are wanted, with those that are skipped; `None`: all.
    fn wanted(&self) -> Option<usize> {
        self.search.max.map(|max| max.saturating_add(self.search.from))
    }

    fn is_full(&self) -> bool {
        self.wanted().is_some_and(|wanted| self.seen.len() >= wanted)
    }

    fn take(&mut self, hit: Hit) {
        if self.is_full() || !self.seen.insert(hit.user.to_lowercase()) {
            return;
        }
        if self.seen.len() > self.search.from {
            self.hits.push(hit);
        }
    }
}

/// Asks the members in order. One that cannot answer stops the search, unless
/// its policy lets the chain do without it; those that do not search are left
/// out.
pub(super) async fn search(
    members: &[Arc<Member>],
    search: &Search,
) -> Result<SearchOutcome, Unavailable> {
    let mut list = List { search, seen: HashSet::new(), hits: Vec::new() };
    let mut scanned = 0;
    let mut refused = None;
    let mut searched = false;
    for member in members.iter().filter(|member| member.role == Role::Answer) {
        if member.verbs.search.is_none() {
            continue;
        }
        match page_through(member, &mut list).await {
            Ok(Ok(count)) => {
                scanned += count;
                searched = true;
            }
            Ok(Err(rejection)) => refused = refused.or(Some(rejection)),
            Err(error) if member.policy.unavailable == After::Next => {
                tracing::warn!(%error, "the list of users lacks those of a source");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(match refused {
        Some(rejection) if !searched => SearchOutcome::Refused(rejection),
        None if !searched => SearchOutcome::Refused(Rejection::unsupported()),
        _ => SearchOutcome::Found(Found { hits: list.hits, scanned }),
    })
}

/// Adds the users of one member to the list, and returns how many records it
/// looked at; a refusal is the inner error.
async fn page_through(
    member: &Member,
    list: &mut List<'_>,
) -> Result<Result<usize, Rejection>, Unavailable> {
    let mut from = 0;
    loop {
        // Some are on the list already, and some are not of this member.
        let missing = list.wanted().map(|wanted| wanted.saturating_sub(list.seen.len()));
        let max = missing.map(|missing| missing.max(PAGE));
        let page = Search { from, max, ..list.search.clone() };
        let found = match member.search(&page).await? {
            SearchOutcome::Found(found) => found,
            SearchOutcome::Refused(rejection) => return Ok(Err(rejection)),
        };
        let count = found.hits.len();
        for hit in found.hits {
            let name = hit.user.as_str();
            if includes(&member.verbs.search, name) && list.search.matches(name) {
                list.take(hit);
            }
        }
        let is_last = max.is_none_or(|max| count < max);
        if is_last || list.is_full() {
            return Ok(Ok(found.scanned));
        }
        from += count;
    }
}
