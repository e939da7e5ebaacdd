//! The directory as an [`Authenticator`].
//!
//! ```text
//!   check   bind_dn       template ─▶ bind ─▶ (read the entry, if anything is mapped)
//!           search_bind   find ─▶ bind as what was found
//!           compare       find with the stored hash ─▶ compare here
//!   lookup                find, or read the entry of the template
//!   set, del              locate ─▶ modify, password operation, add, delete
//!   search                list page by page
//! ```

mod change;
mod check;
mod listing;

use std::sync::Arc;

use async_trait::async_trait;
use dmail_core::{
    AuthRequest, Authenticator, Change, Outcome, Purpose, Rejection, RejectionKind, Search,
    SearchOutcome, Unavailable, Username, Verdict,
};
use dmail_schemes::hasher::Hasher;
use tokio::time::Instant;

use crate::config::{Config, Mode};
use crate::entry::Entry;
use crate::server::search::Query;
use crate::server::{Lease, Searches, Server, Servers};
use crate::template::AskedName;
use crate::trouble::{SOURCE, Trouble};

/// A directory. Clones of the `Arc` share its connections.
pub(crate) struct Directory {
    config: Config,
    servers: Servers,
    /// What is read of a user's entry, and the same with the stored hash.
    wanted: Vec<String>,
    wanted_with_hash: Vec<String>,
    /// Compares and makes hashes; only there if the mode or the changes do.
    hasher: Option<Hasher>,
}

/// What a search for one user has found.
enum Found {
    Nobody,
    One(Box<Entry>),
    /// More than one, or one of another name: nobody can tell who is meant.
    Unclear,
}

impl Directory {
    pub(crate) fn new(config: Config, hasher: Option<Hasher>) -> Self {
        let map = &config.attributes;
        let mut wanted: Vec<String> =
            [&map.drop, &map.uid].into_iter().flatten().cloned().collect();
        wanted.extend(map.info.iter().map(|field| field.attribute.clone()));
        if config.exact_name {
            wanted.push(config.search_name.clone());
        }
        let mut wanted_with_hash = wanted.clone();
        wanted_with_hash.push(map.password.clone());
        if wanted.is_empty() {
            // No attribute at all (RFC 4511 section 4.5.1.8).
            wanted.push("1.1".to_owned());
        }
        let servers = Servers::new(config.servers.clone(), &config.link);
        Self { config, servers, wanted, wanted_with_hash, hasher }
    }

    fn asked<'a>(&self, user: &'a Username) -> AskedName<'a> {
        AskedName::new(user, self.config.domain.as_ref())
    }

    /// The name that a user binds as and whose entry is read, by the template.
    fn template_dn(&self, asked: &AskedName<'_>) -> Option<String> {
        // A directory folds many letters outside of ASCII into others (RFC 4518)
        // and would let in one user under several names.
        if !asked.as_str().is_ascii() {
            return None;
        }
        self.config.user_dn.as_ref()?.dn(asked.names())
    }

    /// The entry of a user, by the filter.
    async fn find(
        &self,
        server: &Server,
        user: &Username,
        attributes: &[String],
        deadline: Instant,
    ) -> Result<Found, Trouble> {
        let asked = self.asked(user);
        let Some(filter) = self.config.filter.filter(asked.names()) else {
            return Ok(Found::Nobody);
        };
        let Some(base) = self.config.base.as_deref() else {
            return Err(Trouble::fault("a search for users needs ldap_base"));
        };
        let scope = self.config.scope;
        let query = Query { base, scope, filter: &filter, attributes, may_lack: false };
        let mut entries = server.find(query, deadline).await?;
        let entry = match (entries.pop(), entries.len()) {
            (None, _) => return Ok(Found::Nobody),
            (Some(entry), 0) => entry,
            (Some(one), _) => {
                let others: Vec<&str> = entries.iter().map(|entry| entry.dn.as_str()).collect();
                tracing::warn!(
                    %user, server = server.name(), dn = one.dn, ?others,
                    "refused: more than one LDAP entry fits the user"
                );
                return Ok(Found::Unclear);
            }
        };
        if !self.config.exact_name {
            return Ok(Found::One(Box::new(entry)));
        }
        let name = &self.config.search_name;
        if entry.values(name).is_empty() {
            let dn = &entry.dn;
            let advice = "ldap_bind_dn may not read it, or ldap_search_name is an alias";
            return Err(Trouble::fault(format!("{dn:?} shows no attribute {name}: {advice}")));
        }
        if entry.texts(name).any(|value| value.eq_ignore_ascii_case(asked.as_str())) {
            return Ok(Found::One(Box::new(entry)));
        }
        tracing::warn!(
            %user, server = server.name(), dn = entry.dn,
            "refused: the LDAP directory takes another name for this one"
        );
        Ok(Found::Unclear)
    }

    /// The entry of a user, by the way that the mode has.
    async fn locate(
        &self,
        server: &Server,
        user: &Username,
        deadline: Instant,
    ) -> Result<Found, Trouble> {
        let by_template = self.config.user_dn.as_ref().is_some_and(|template| template.is_dn());
        if self.config.mode != Mode::BindDn || !by_template {
            return self.find(server, user, &self.wanted, deadline).await;
        }
        let Some(dn) = self.template_dn(&self.asked(user)) else { return Ok(Found::Nobody) };
        let mut entries = server.find(Query::entry(&dn, &self.wanted), deadline).await?;
        Ok(entries.pop().map_or(Found::Nobody, |entry| Found::One(Box::new(entry))))
    }

    /// What a change needs: the entry, and then a connection.
    async fn prepare(
        &self,
        server: &Server,
        user: &Username,
    ) -> Result<(Found, Lease<Searches>), Trouble> {
        let found = self.locate(server, user, server.deadline()).await?;
        Ok((found, server.searcher(server.deadline()).await?))
    }

    async fn lookup_at(&self, server: &Server, user: &Username) -> Result<Verdict, Trouble> {
        let found = self.locate(server, user, server.deadline()).await?;
        Ok(match found {
            Found::One(entry) => Verdict::accepted(entry.account(user, &self.config.attributes)?),
            Found::Nobody => Verdict::Rejected(Rejection::unknown_user(user)),
            Found::Unclear => Verdict::Rejected(unclear(user)),
        })
    }
}

fn unclear(user: &Username) -> Rejection {
    Rejection::new(
        RejectionKind::NotVerified,
        format!("{user}: more than one entry fits, or one of another name"),
    )
}

#[async_trait]
impl Authenticator for Directory {
    async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        if let Purpose::Check(secret) = &request.purpose
            && secret.is_empty()
        {
            return Ok(Verdict::Rejected(Rejection::not_verified(&request.user)));
        }
        if !request.purpose.is_repeatable() {
            return Ok(Verdict::Rejected(Rejection::unsupported()));
        }
        let mut attempts = self.servers.attempts();
        loop {
            let server = attempts.server()?;
            let answer = match &request.purpose {
                Purpose::Check(secret) => self.check_at(server, &request.user, secret).await,
                _ => self.lookup_at(server, &request.user).await,
            };
            match answer {
                Ok(verdict) => {
                    request.note(SOURCE, || format!("{} has answered", server.name()));
                    return Ok(verdict);
                }
                Err(trouble) => {
                    request.note(SOURCE, || format!("{}: {}", server.name(), trouble.detail));
                    attempts.failed(server, &trouble)?;
                }
            }
        }
    }

    async fn change(&self, change: &Change) -> Result<Outcome, Unavailable> {
        if self.config.changes.readonly {
            let text = "the directory is not changed: ldap_readonly is true";
            return Ok(Outcome::Refused(Rejection::new(RejectionKind::Unsupported, text)));
        }
        let mut attempts = self.servers.attempts();
        loop {
            let server: &Arc<Server> = attempts.server()?;
            // Until here nothing was changed; after it, nobody knows, and
            // another server may not be told the same.
            let (found, lease) = match self.prepare(server, &change.user).await {
                Ok(prepared) => prepared,
                Err(trouble) => {
                    attempts.failed(server, &trouble)?;
                    continue;
                }
            };
            return self.change_at(server, lease, found, change).await.map_err(|trouble| {
                server.failed(&trouble);
                trouble.unavailable(server.name())
            });
        }
    }

    async fn search(&self, search: &Search) -> Result<SearchOutcome, Unavailable> {
        let mut attempts = self.servers.attempts();
        loop {
            let server = attempts.server()?;
            match self.list_at(server, search).await {
                Ok(outcome) => return Ok(outcome),
                Err(trouble) => attempts.failed(server, &trouble)?,
            }
        }
    }
}
