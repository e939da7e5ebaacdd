//! `search`: users whose names fit a pattern.

use std::ops::ControlFlow;

use dmail_core::{Found, Hit, Rejection, RejectionKind, Search, SearchOutcome, Username};

use super::Directory;
use crate::entry::Entry;
use crate::server::Server;
use crate::server::search::{Listed, Query};
use crate::trouble::Trouble;

/// Most users that one search returns; more are to be asked for in parts.
const MAX_HITS: usize = 100_000;

impl Directory {
    pub(super) async fn list_at(
        &self,
        server: &Server,
        search: &Search,
    ) -> Result<SearchOutcome, Trouble> {
        let Some(base) = self.config.base.as_deref() else {
            let text = "a search needs ldap_base";
            return Ok(SearchOutcome::Refused(Rejection::new(RejectionKind::Unsupported, text)));
        };
        let filter = self.pattern_filter(&search.pattern);
        let mut attributes = self.wanted.clone();
        if !self.config.exact_name {
            attributes.push(self.config.search_name.clone());
        }
        let scope = self.config.scope;
        let query =
            Query { base, scope, filter: &filter, attributes: &attributes, may_lack: false };

        let max = search.max.unwrap_or(MAX_HITS).min(MAX_HITS);
        let mut list = List { found: Found::default(), skip: search.from, max, overflow: false };
        let mut searcher = server.searcher(server.deadline()).await?;
        let patience = server.deadline() - tokio::time::Instant::now();
        let mut visit = |entry: Entry| self.take(&mut list, &entry, search);
        let listed = searcher.list(query, patience, &mut visit).await?;

        let refused =
            |text: &str| SearchOutcome::Refused(Rejection::new(RejectionKind::NotAllowed, text));
        Ok(match listed {
            Listed::Cut => refused(
                "the directory gives out no more entries: raise its size limit for \
                 ldap_bind_dn, or ask for fewer users",
            ),
            _ if list.overflow => refused("too many users: ask for them in parts"),
            _ => SearchOutcome::Found(list.found),
        })
    }

    /// Takes the names of one entry into the list. The directory may have found
    /// more than was asked for: it knows no `?`, and folds letters.
    fn take(&self, list: &mut List, entry: &Entry, search: &Search) -> ControlFlow<()> {
        list.found.scanned += 1;
        for name in entry.texts(&self.config.search_name) {
            let name = self.without_domain(name);
            if !search.matches(name) {
                continue;
            }
            // A name that no protocol could carry is nobody's login.
            let Ok(user) = Username::parse(name.as_bytes()) else { continue };
            if list.skip > 0 {
                list.skip -= 1;
                continue;
            }
            if list.found.hits.len() == list.max {
                list.overflow = search.max.is_none_or(|max| max > MAX_HITS);
                return ControlFlow::Break(());
            }
            let info = entry.info(&self.config.attributes).unwrap_or_default();
            list.found.hits.push(Hit { user, info });
        }
        // Enough is enough: the next entry need not be asked for.
        match search.max.is_some() && list.found.hits.len() == list.max {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    fn without_domain<'a>(&self, name: &'a str) -> &'a str {
        let usual = self.config.domain.as_ref();
        match (name.rsplit_once('@'), usual) {
            (Some((local, domain)), Some(usual)) if domain.eq_ignore_ascii_case(usual.as_str()) => {
                local
            }
            _ => name,
        }
    }

    /// A filter that finds at least what `pattern` means.
    fn pattern_filter(&self, pattern: &str) -> String {
        let (class, name) = (&self.config.objectclass, &self.config.search_name);
        let value = assertion(pattern);
        let names = match &self.config.domain {
            // The pattern is of names without the usual domain.
            Some(domain) => format!("(|({name}={value})({name}={value}@{domain}))"),
            None => format!("({name}={value})"),
        };
        format!("(&(objectClass={class}){names})")
    }
}

/// The value of a substring filter (RFC 4515): what lies between wildcards is
/// escaped, so nothing in it is syntax.
fn assertion(pattern: &str) -> String {
    let is_wild = |c| c == '*' || c == '?';
    let parts: Vec<_> = pattern.split(is_wild).map(ldap3::ldap_escape).collect();
    let mut value = match parts.as_slice() {
        [text] => format!("*{text}*"),
        parts => parts.join("*"),
    };
    while value.contains("**") {
        value = value.replace("**", "*");
    }
    value
}

/// A list in the making.
struct List {
    found: Found,
    skip: usize,
    max: usize,
    overflow: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_becomes_a_filter_value_without_syntax() {
        for (pattern, expected) in [
            ("ann", "*ann*"),
            ("", "*"),
            ("*", "*"),
            ("a*", "a*"),
            ("?nn", "*nn"),
            ("a??b", "a*b"),
            ("*)(uid=*", r"*\29\28uid=*"),
            (r"a\2ab", r"*a\5c2ab*"),
        ] {
            assert_eq!(assertion(pattern), expected, "{pattern}");
        }
    }
}
