//! `check` and `lookup`.

use std::sync::Arc;

use dmail_core::{
    Account, Origin, Rejection, RejectionKind, Secret, Uid, Unavailable, UnavailableKind, Username,
    Verdict,
};
use mysql_async::Value;
use zeroize::Zeroizing;

use crate::ask::Execute;
use crate::names::Name;
use crate::queries::Ask;
use crate::row::{Found, Layout};
use crate::statement::Parameter;
use crate::table::exactly;
use crate::trouble::Trouble;
use crate::{Base, SOURCE, mailmask};

/// What was found under a name.
enum Search {
    Nobody,
    One(Box<Found>),
    /// More than one row, so nobody knows which user is meant.
    Many(usize),
}

impl Base {
    /// Is this the user's password, and may he log in from there?
    pub(crate) async fn check(
        self: &Arc<Self>,
        user: &Username,
        secret: &Secret,
        origin: &Origin,
    ) -> Result<Verdict, Unavailable> {
        if self.queries.check.is_none() {
            return Ok(Verdict::Rejected(Rejection::unsupported()));
        }
        if secret.is_empty() {
            return Ok(Verdict::Rejected(Rejection::not_verified(user)));
        }
        let mut found = match self.claimed(user, origin).await? {
            Ok(found) => found,
            Err(rejection) => {
                self.passwords.verify(user.as_str(), None, secret).await?;
                return Ok(Verdict::Rejected(rejection));
            }
        };
        // An account without a password has none that is right.
        let stored = found.stored.take().unwrap_or_default();
        let right = self.passwords.verify(user.as_str(), Some(stored.clone()), secret).await?;
        if !right {
            return Ok(Verdict::Rejected(Rejection::not_verified(user)));
        }
        if let Some(rejection) = self.keeps_out(user, &found, origin)? {
            return Ok(Verdict::Rejected(rejection));
        }
        if self.passwords.is_due(&stored) {
            self.rehash_behind(user, found.name.clone(), stored, secret.clone());
        }
        self.accept(user, found)
    }

    /// The user that somebody claims to be; or the "no" to it, in the text of a
    /// wrong password.
    pub(crate) async fn claimed(
        &self,
        user: &Username,
        origin: &Origin,
    ) -> Result<Result<Found, Rejection>, Unavailable> {
        let Some(ask) = &self.queries.check else {
            return Ok(Err(Rejection::unsupported()));
        };
        let name = self.names.asked(user);
        Ok(match self.find(ask, user, &name, origin).await? {
            Search::One(found) => Ok(*found),
            Search::Nobody => {
                Err(Rejection { kind: RejectionKind::UnknownUser, ..Rejection::not_verified(user) })
            }
            Search::Many(count) => Err(ambiguous(user, count)),
        })
    }

    /// Who is this?
    pub(crate) async fn lookup(&self, user: &Username) -> Result<Verdict, Unavailable> {
        let Some(ask) = &self.queries.lookup else {
            return Ok(Verdict::Rejected(Rejection::unsupported()));
        };
        let name = self.names.asked(user);
        let origin = Origin::local(dmail_core::Service::Admin);
        match self.find(ask, user, &name, &origin).await? {
            Search::One(found) => self.accept(user, *found),
            Search::Nobody => Ok(Verdict::Rejected(Rejection::unknown_user(user))),
            Search::Many(count) => Ok(Verdict::Rejected(ambiguous(user, count))),
        }
    }

    async fn find(
        &self,
        ask: &Ask,
        user: &Username,
        name: &Name<'_>,
        origin: &Origin,
    ) -> Result<Search, Unavailable> {
        let client = origin.client.map(|address| address.to_canonical().to_string());
        let rows = self.rows(&ask.query, ask.values(name, client)).await;
        let rows = rows.map_err(|trouble| self.blame(ask.setting, trouble))?;
        let layout = match &ask.layout {
            Some(layout) => layout.clone(),
            None if rows.rows.is_empty() => return Ok(Search::Nobody),
            None => self.own_layout(ask, Layout::by_name(&rows.columns))?,
        };
        let mut rows = ask.wanted(name, self.names.ignore_case).of(&layout, rows);
        match (rows.pop(), rows.len()) {
            (None, _) => Ok(Search::Nobody),
            (Some(row), 0) => {
                let read = Found::read(&layout, row);
                let mut found = read.map_err(|bad| self.fault(user, &bad))?;
                // A statement that looks for the parts need not return both.
                if found.domain.is_none() && ask.parameters.contains(&Parameter::Local) {
                    found.domain = Some(name.domain.to_owned());
                }
                Ok(Search::One(Box::new(found)))
            }
            (Some(_), more) => Ok(Search::Many(more + 1)),
        }
    }

    /// The layout of a statement of the site's own, if it has the columns.
    pub(crate) fn own_layout(&self, ask: &Ask, layout: Option<Layout>) -> Result<Layout, Trouble> {
        let lacks = |column| {
            let text = format!("the result has no column `{column}`: name one with AS {column}");
            self.blame(ask.setting, Trouble::Setting(text))
        };
        let layout = layout.ok_or_else(|| lacks("username"))?;
        if ask.for_check && layout.password.is_none() { Err(lacks("password")) } else { Ok(layout) }
    }

    /// Why the user may not log in from there, if so.
    pub(crate) fn keeps_out(
        &self,
        user: &Username,
        found: &Found,
        origin: &Origin,
    ) -> Result<Option<Rejection>, Unavailable> {
        let (Some(mask), Some(address)) = (&found.mailmask, origin.client) else {
            return Ok(None);
        };
        let lets_in = mailmask::lets_in(mask, address);
        if lets_in.map_err(|error| self.fault(user, &format!("mailmask: {error}")))? {
            return Ok(None);
        }
        let text = format!("{user} may not log in from {address} (mailmask)");
        Ok(Some(Rejection::new(RejectionKind::NotAllowed, text)))
    }

    pub(crate) fn accept(&self, user: &Username, found: Found) -> Result<Verdict, Unavailable> {
        let name = self.names.answered(&found.name, found.domain.as_deref());
        let name = name.map_err(|error| self.fault(user, &error))?;
        let default = || self.settings.table.default_uid.clone();
        let uid = found.uid.or_else(default).or(Some(Uid::Number(0)));
        Ok(Verdict::accepted(Account { name, drop: found.drop, uid, info: found.info }))
    }

    pub(crate) fn fault(&self, user: &Username, what: &dyn std::fmt::Display) -> Unavailable {
        Unavailable::new(UnavailableKind::Record, format!("{SOURCE}: user {user}: {what}"))
    }

    /// Stores the password anew, while the client is let in already.
    fn rehash_behind(
        self: &Arc<Self>,
        user: &Username,
        row: String,
        old: Zeroizing<String>,
        secret: Secret,
    ) {
        // Many logins at once are a reason to do it another time.
        let Ok(place) = Arc::clone(&self.rehashing).try_acquire_owned() else { return };
        let (base, user) = (Arc::clone(self), user.clone());
        tokio::spawn(async move {
            let _place = place;
            match base.rehash(&row, &old, &secret).await {
                Ok(true) => tracing::info!(%user, "the password is stored in a better scheme now"),
                Ok(false) => tracing::debug!(%user, "the password was changed meanwhile"),
                Err(error) => {
                    tracing::warn!(%user, %error, "the password cannot be stored anew");
                }
            }
        });
    }

    async fn rehash(
        &self,
        row: &str,
        old: &Zeroizing<String>,
        secret: &Secret,
    ) -> Result<bool, Unavailable> {
        let Some(table) = &self.queries.table else { return Ok(false) };
        let hashed = self.passwords.hash(secret).await?;
        let new = hashed.map_err(|error| error.unavailable(SOURCE, row))?;
        let text = table.rehash();
        let [one, two] = exactly(row);
        let values = vec![new.as_str().into(), one, two, Value::from(old.as_str())];
        let found = self.work(&Execute { text: &text, values }).await;
        let found = found.map_err(|trouble| self.blame(None, trouble))?;
        Ok(found > 0)
    }
}

fn ambiguous(user: &Username, count: usize) -> Rejection {
    tracing::warn!(%user, rows = count, "several rows have this name; nobody is let in");
    let text = format!("{count} rows are called {user}");
    Rejection::new(RejectionKind::NotAllowed, text)
}
