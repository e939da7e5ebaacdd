//! A connection that searches and changes, always as `ldap_bind_dn`.

use std::collections::HashSet;
use std::net::Ipv6Addr;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use ldap3::adapters::{Adapter, EntriesOnly, PagedResults};
use ldap3::exop::Exop;
use ldap3::{
    Ldap, LdapConnAsync, LdapConnSettings, LdapError, LdapResult, Mod, SearchOptions, StdStream,
};
use tokio::net::TcpStream;
use tokio::time;

use crate::config::{Address, Link, Scope, Transport};
use crate::entry::Entry;
use crate::schema::Schema;
use crate::trouble::{Trouble, TroubleKind, one_line};
use crate::wire::ber;

/// How many entries a page of a list has.
const PAGE: i32 = 500;

/// Another entry than the one that was looked for is reason enough to refuse.
const ENOUGH: usize = 2;

/// What finds any entry.
const ANY: &str = "(objectClass=*)";

/// Where and what to search.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Query<'a> {
    pub(crate) base: &'a str,
    pub(crate) scope: Scope,
    pub(crate) filter: &'a str,
    pub(crate) attributes: &'a [String],
    /// Whether the base is the entry in question, so that there may be none. A
    /// base that all users lie beneath is there, and says nothing if it is not.
    pub(crate) may_lack: bool,
}

impl<'a> Query<'a> {
    /// The entry of this name itself.
    pub(crate) fn entry(dn: &'a str, attributes: &'a [String]) -> Self {
        Self { base: dn, scope: Scope::Base, filter: ANY, attributes, may_lack: true }
    }
}

/// What the `ldap3` crate is given as the name of a server that has only an
/// IPv6 address: it would look for a certificate of `[::1]`, brackets and all.
const STAND_IN: &str = "address.invalid";

async fn connect(address: &Address, link: &Link) -> Result<(LdapConnAsync, Ldap), LdapError> {
    let settings = LdapConnSettings::new().set_conn_timeout(link.timeout);
    let Transport::Tcp { host, port, tls } = &address.transport else {
        return LdapConnAsync::with_settings(settings, &address.url).await;
    };
    let starttls = link.starttls && !tls;
    let settings = settings.set_starttls(starttls);
    let Some(ip) = host.parse::<Ipv6Addr>().ok().filter(|_| *tls || starttls) else {
        let settings = settings.set_config(Arc::clone(&link.tls.config));
        return LdapConnAsync::with_settings(settings, &address.url).await;
    };
    let connecting = time::timeout(link.timeout, TcpStream::connect((ip, *port)));
    let stream = connecting.await??.into_std()?;
    let settings =
        settings.set_config(link.tls.only_for(ip)).set_std_stream(StdStream::Tcp(stream));
    let scheme = if *tls { "ldaps" } else { "ldap" };
    LdapConnAsync::with_settings(settings, &format!("{scheme}://{STAND_IN}:{port}")).await
}

/// A connection of the `ldap3` crate, which one question uses at a time.
pub(crate) struct Searcher {
    ldap: Ldap,
    /// A question is under way, or was given up half-way.
    busy: bool,
}

impl Searcher {
    /// Connects and says who we are.
    pub(crate) async fn open(address: &Address, link: &Link) -> Result<Self, Trouble> {
        let (connection, ldap) =
            connect(address, link).await.map_err(|error| lost("cannot connect", &error))?;
        let url = address.url.clone();
        tokio::spawn(async move {
            if let Err(error) = connection.drive().await {
                tracing::debug!(server = url, %error, "a connection for searches has ended");
            }
        });
        let mut searcher = Self { ldap, busy: false };
        if let Some(identity) = &link.identity {
            let password = std::str::from_utf8(identity.password.expose())
                .map_err(|_| Trouble::fault("the password of ldap_bind_dn is not UTF-8"))?;
            let bound = searcher.ldap.simple_bind(&identity.dn, password).await;
            let bound = bound.map_err(|error| lost("ldap_bind_dn", &error))?;
            identified(bound.rc, &bound.text)?;
        }
        Ok(searcher)
    }

    /// Whether another question can be asked.
    pub(crate) fn is_sound(&mut self) -> bool {
        !self.busy && !self.ldap.is_closed()
    }

    /// The entries that fit, but not more than it takes to know that there is
    /// more than one.
    pub(crate) async fn find(&mut self, query: Query<'_>) -> Result<Vec<Entry>, Trouble> {
        self.busy = true;
        let limit = i32::try_from(ENOUGH).expect("a small number");
        self.ldap.with_search_options(SearchOptions::new().sizelimit(limit));
        let attributes = query.attributes.to_vec();
        let mut stream = self
            .ldap
            .streaming_search(query.base, query.scope.into(), query.filter, attributes)
            .await
            .map_err(|error| lost("a search", &error))?;
        let mut entries = Vec::new();
        while let Some(item) = stream.next().await.map_err(|error| lost("a search", &error))? {
            entries.extend(Entry::read(item)?);
            if entries.len() > ENOUGH {
                // A server that heeds no limit. The connection stays busy: the
                // rest is still coming.
                return Ok(entries);
            }
        }
        let result = stream.finish().await;
        self.busy = false;
        match result.rc {
            0 => Ok(entries),
            32 if query.may_lack => Ok(entries),
            32 => Err(no_base(query.base)),
            4 if entries.len() >= ENOUGH => Ok(entries),
            code => Err(Trouble::result("a search for a user", code, &result.text)),
        }
    }

    /// Shows `visit` all entries that fit, page by page, until it has enough.
    /// Each may take as long as `patience`.
    pub(crate) async fn list(
        &mut self,
        query: Query<'_>,
        patience: Duration,
        visit: &mut (dyn FnMut(Entry) -> ControlFlow<()> + Send),
    ) -> Result<Listed, Trouble> {
        self.busy = true;
        let adapters: Vec<Box<dyn Adapter<'_, String, Vec<String>>>> =
            vec![Box::new(EntriesOnly::new()), Box::new(PagedResults::new(PAGE))];
        let attributes = query.attributes.to_vec();
        // The pattern may be one that no index serves: that is no reason to
        // take the server from those who log in.
        let slow = || Trouble::new(TroubleKind::Slow, "no answer to a search in time");
        let broken = |error| lost("a search", &error);
        let start = self.ldap.streaming_search_with(
            adapters,
            query.base,
            query.scope.into(),
            query.filter,
            attributes,
        );
        let mut stream =
            time::timeout(patience, start).await.map_err(|_| slow())?.map_err(broken)?;
        loop {
            let item = time::timeout(patience, stream.next()).await.map_err(|_| slow())?;
            let Some(item) = item.map_err(broken)? else { break };
            let entry = match Entry::read(item) {
                Ok(Some(entry)) => entry,
                Ok(None) => continue,
                // One that nobody can read does not keep the others from a list.
                Err(trouble) => {
                    tracing::warn!("left out of a list of LDAP entries: {trouble}");
                    continue;
                }
            };
            if visit(entry).is_break() {
                // The rest of the page is still coming: busy.
                return Ok(Listed::Enough);
            }
        }
        let result = stream.finish().await;
        self.busy = false;
        match result.rc {
            0 => Ok(Listed::All),
            32 => Err(no_base(query.base)),
            4 => Ok(Listed::Cut),
            code => Err(Trouble::result("a list of users", code, &result.text)),
        }
    }

    /// Gives attributes new values; without values, takes them away.
    pub(crate) async fn modify(
        &mut self,
        dn: &str,
        values: &[Attribute],
    ) -> Result<LdapResult, Trouble> {
        let replace = |attribute: &Attribute| {
            let (name, values) = attribute.as_set();
            Mod::Replace(name, values)
        };
        self.busy = true;
        let result = self.ldap.modify(dn, values.iter().map(replace).collect()).await;
        self.ended(result)
    }

    /// Adds an entry.
    pub(crate) async fn add(
        &mut self,
        dn: &str,
        values: &[Attribute],
    ) -> Result<LdapResult, Trouble> {
        self.busy = true;
        let result = self.ldap.add(dn, values.iter().map(Attribute::as_set).collect()).await;
        self.ended(result)
    }

    /// Takes an entry away.
    pub(crate) async fn delete(&mut self, dn: &str) -> Result<LdapResult, Trouble> {
        self.busy = true;
        let result = self.ldap.delete(dn).await;
        self.ended(result)
    }

    /// Gives the entry `dn` a new password (RFC 3062).
    pub(crate) async fn set_password(
        &mut self,
        dn: &str,
        password: &[u8],
    ) -> Result<LdapResult, Trouble> {
        const OID: &str = "1.3.6.1.4.1.4203.1.11.1";
        let mut fields =
            zeroize::Zeroizing::new(Vec::with_capacity(dn.len() + password.len() + 16));
        ber::put(&mut fields, 0x80, dn.as_bytes());
        ber::put(&mut fields, 0x82, password);
        let mut value = Vec::with_capacity(fields.len() + 8);
        ber::put(&mut value, 0x30, &fields);
        self.busy = true;
        let exop = Exop { name: Some(OID.to_owned()), val: Some(value) };
        let result = self.ldap.extended(exop).await;
        self.ended(result.map(|result| result.1))
    }

    /// The attribute types that the server knows; nothing if it does not say.
    pub(crate) async fn schema(&mut self) -> Result<Schema, Trouble> {
        let name = ["subschemaSubentry".to_owned()];
        let root = self.find(Query::entry("", &name)).await?;
        let Some(dn) = root.first().and_then(|root| root.texts(&name[0]).next()) else {
            return Ok(Schema::default());
        };
        let types = ["attributeTypes".to_owned()];
        let subschema = Query { filter: "(objectClass=subschema)", ..Query::entry(dn, &types) };
        let found = self.find(subschema).await?;
        Ok(found.first().map_or_else(Schema::default, |entry| Schema::read(entry.texts(&types[0]))))
    }

    fn ended(&mut self, result: Result<LdapResult, LdapError>) -> Result<LdapResult, Trouble> {
        let result = result.map_err(|error| lost("a change", &error))?;
        self.busy = false;
        Ok(result)
    }
}

/// How a list ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listed {
    /// These are all.
    All,
    /// There are more, and the directory gives out no more.
    Cut,
    /// Nobody wanted more.
    Enough,
}

/// An attribute and its values. They may be passwords, so it has no `Debug`.
pub(crate) struct Attribute {
    pub(crate) name: String,
    pub(crate) values: Vec<Vec<u8>>,
}

impl Attribute {
    pub(crate) fn new(name: &str, value: impl Into<Vec<u8>>) -> Self {
        Self { name: name.to_owned(), values: vec![value.into()] }
    }

    fn as_set(&self) -> (Vec<u8>, HashSet<Vec<u8>>) {
        (self.name.clone().into_bytes(), self.values.iter().cloned().collect())
    }
}

impl From<Scope> for ldap3::Scope {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::Base => Self::Base,
            Scope::One => Self::OneLevel,
            Scope::Sub => Self::Subtree,
        }
    }
}

/// Whether our own bind was accepted. A server that refuses it is of no use,
/// and another one may be set up better.
pub(crate) fn identified(code: u32, text: &str) -> Result<(), Trouble> {
    match code {
        0 => Ok(()),
        49 => {
            Err(Trouble::down("the password of ldap_bind_dn is refused, or there is no such entry"))
        }
        code => Err(Trouble::down(Trouble::result("ldap_bind_dn", code, text).detail)),
    }
}

/// A copy that was not filled yet looks so, and a base that we may not see:
/// another server may know better, and nobody is unknown because of it.
fn no_base(base: &str) -> Trouble {
    let why = "is not there, or ldap_bind_dn may not see it";
    Trouble::new(TroubleKind::Busy, format!("ldap_base {base:?} {why}"))
}

/// An error of the connection. A question that could not even be written down
/// says nothing about the server.
fn lost(what: &str, error: &LdapError) -> Trouble {
    let kind = match error {
        LdapError::FilterParsing | LdapError::AddNoValues => TroubleKind::Fault,
        _ => TroubleKind::Down,
    };
    Trouble::new(kind, format!("{what}: {}", one_line(&error.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_of_ours_that_is_wrong_takes_no_server_down() {
        let closed = || LdapError::from(std::io::Error::other("closed"));
        let rows = [
            (LdapError::FilterParsing, TroubleKind::Fault),
            (LdapError::AddNoValues, TroubleKind::Fault),
            (LdapError::EndOfStream, TroubleKind::Down),
            (closed(), TroubleKind::Down),
        ];
        for (error, expected) in rows {
            assert_eq!(lost("a search", &error).kind, expected, "{error}");
        }
    }
}
