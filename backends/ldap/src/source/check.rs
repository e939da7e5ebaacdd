//! `check`: is this the user's password?

use dmail_core::{Account, Rejection, RejectionKind, Secret, Username, Verdict};
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::{Directory, Found, unclear};
use crate::config::Mode;
use crate::entry::Entry;
use crate::server::Server;
use crate::server::search::Query;
use crate::trouble::{Proof, SOURCE, Trouble, TroubleKind, judge};

impl Directory {
    pub(super) async fn check_at(
        &self,
        server: &Server,
        user: &Username,
        secret: &Secret,
    ) -> Result<Verdict, Trouble> {
        let deadline = server.deadline();
        match self.config.mode {
            Mode::BindDn => self.bind_by_template(server, user, secret, deadline).await,
            Mode::Compare => self.compare(server, user, secret, deadline).await,
            Mode::SearchBind => self.search_and_bind(server, user, secret, deadline).await,
        }
    }

    /// One question, unless the entry has something to say.
    async fn bind_by_template(
        &self,
        server: &Server,
        user: &Username,
        secret: &Secret,
        deadline: Instant,
    ) -> Result<Verdict, Trouble> {
        let Some(dn) = self.template_dn(&self.asked(user)) else {
            let text = format!("{user} is no name that ldap_user_dn can be made of");
            return Ok(Verdict::Rejected(Rejection::new(RejectionKind::BadInput, text)));
        };
        if let Proof::No(rejection) = judge(&server.bind(&dn, secret, deadline).await?, user)? {
            return Ok(Verdict::Rejected(rejection));
        }
        if !self.config.attributes.are_mapped() {
            return Ok(Verdict::accepted(Account::named(user.clone())));
        }
        let mut entries = server.find(Query::entry(&dn, &self.wanted), deadline).await?;
        match entries.pop() {
            Some(entry) => self.accept(&entry, user),
            None => Err(Trouble::fault(format!("ldap_bind_dn may not read {dn:?}"))),
        }
    }

    async fn search_and_bind(
        &self,
        server: &Server,
        user: &Username,
        secret: &Secret,
        deadline: Instant,
    ) -> Result<Verdict, Trouble> {
        let (entry, rejection) = match self.find(server, user, &self.wanted, deadline).await? {
            Found::One(entry) => (entry, None),
            Found::Nobody => (Box::default(), Some(Rejection::unknown_user(user))),
            Found::Unclear => (Box::default(), Some(unclear(user))),
        };
        match rejection {
            None => match judge(&server.bind(&entry.dn, secret, deadline).await?, user)? {
                Proof::Right => self.accept(&entry, user),
                Proof::No(rejection) => Ok(Verdict::Rejected(rejection)),
            },
            Some(rejection) => {
                // The time of a wrong password. What comes of it is nothing.
                server.bind(&self.decoy(), secret, deadline).await?;
                Ok(Verdict::Rejected(rejection))
            }
        }
    }

    /// Whom to bind as if there is nobody.
    fn decoy(&self) -> String {
        let base = self.config.base.as_deref().unwrap_or_default();
        self.config.decoy_dn.clone().unwrap_or_else(|| format!("cn=nobody at all,{base}"))
    }

    async fn compare(
        &self,
        server: &Server,
        user: &Username,
        secret: &Secret,
        deadline: Instant,
    ) -> Result<Verdict, Trouble> {
        let found = self.find(server, user, &self.wanted_with_hash, deadline).await?;
        let attribute = &self.config.attributes.password;
        let (entry, rejection) = match found {
            Found::One(entry) => (Some(entry), Rejection::not_verified(user)),
            Found::Nobody => (None, Rejection::unknown_user(user)),
            Found::Unclear => (None, unclear(user)),
        };
        let stored = entry.as_ref().map_or(&[][..], |entry| entry.values(attribute));
        if entry.is_some() && stored.is_empty() {
            let advice = "ldap_bind_dn may not read it, or the user has no password";
            let detail = format!("user {user}: no attribute {attribute} is shown: {advice}");
            return Err(Trouble::fault(detail));
        }
        if self.fits(user, stored, secret).await?
            && let Some(entry) = &entry
        {
            return self.accept(entry, user);
        }
        Ok(Verdict::Rejected(rejection))
    }

    /// Whether one of the stored texts is of this secret. One that nobody can
    /// judge is no matter if another one fits, and else it decides nothing.
    async fn fits(
        &self,
        user: &Username,
        stored: &[Vec<u8>],
        secret: &Secret,
    ) -> Result<bool, Trouble> {
        let hasher = self.hasher.as_ref().expect("the mode compare is opened with a hasher");
        let overloaded = |unavailable: dmail_core::Unavailable| {
            Trouble::new(TroubleKind::Overloaded, unavailable.detail)
        };
        if stored.is_empty() {
            // The time of a hash, for nobody.
            let _ = hasher.verify(None, secret.clone()).await.map_err(overloaded)?;
            return Ok(false);
        }
        let mut unjudged = None;
        for text in stored {
            let Ok(text) = String::from_utf8(text.clone()) else {
                unjudged = Some(format!("user {user}: the stored password is not UTF-8"));
                continue;
            };
            let verdict = hasher.verify(Some(Zeroizing::new(tagged(text))), secret.clone()).await;
            match verdict.map_err(overloaded)? {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(error) => unjudged = Some(error.unavailable(SOURCE, user.as_str()).detail),
            }
        }
        match unjudged {
            None => Ok(false),
            Some(why) => {
                let attribute = &self.config.attributes.password;
                let detail = format!("{why} (ldap_attr_password {attribute})");
                Err(Trouble::new(TroubleKind::Record, detail))
            }
        }
    }

    fn accept(&self, entry: &Entry, user: &Username) -> Result<Verdict, Trouble> {
        Ok(Verdict::accepted(entry.account(user, &self.config.attributes)?))
    }
}

/// A stored text as the schemes know it: in a directory, text without a tag is
/// the password itself (RFC 4519 section 2.41), unless it looks like a hash of
/// crypt.
fn tagged(text: String) -> String {
    match text.starts_with(['{', '$', '!']) {
        true => text,
        false => format!("{{CLEAR}}{text}"),
    }
}

#[cfg(test)]
mod tests {
    use dmail_schemes::Scheme;
    use dmail_schemes::hasher::Hasher;

    use super::*;

    fn directory() -> Directory {
        let folder = tempfile::tempdir().expect("a directory");
        let file = folder.path().join("ldapauth.ini");
        let lines = "ldap_server ldap://localhost\nldap_base dc=x\nldap_mode compare\n";
        std::fs::write(&file, lines).expect("a file");
        let (config, _) = crate::config::load(&file).into_result().expect("settings");
        Directory::new(config, Some(Hasher::new(Scheme::Ssha256).expect("a hasher")))
    }

    #[tokio::test]
    async fn a_stored_password_that_nobody_can_judge_is_never_a_wrong_one() {
        let directory = directory();
        let ann = Username::parse(b"ann").expect("a name");
        let secret = Secret::new(*b"opensesame");
        type Stored = &'static [&'static [u8]];
        let rows: [(Stored, Result<bool, TroubleKind>); 6] = [
            (&[b"opensesame"], Ok(true)),
            (&[b"swordfish"], Ok(false)),
            (&[b"{ROT13}bcrafrfnzr"], Err(TroubleKind::Record)),
            (&[b"p\xe4ss"], Err(TroubleKind::Record)),
            (&[b"p\xe4ss", b"swordfish"], Err(TroubleKind::Record)),
            (&[b"p\xe4ss", b"opensesame"], Ok(true)),
        ];
        for (stored, expected) in rows {
            let values: Vec<Vec<u8>> = stored.iter().map(|text| text.to_vec()).collect();
            let fits = directory.fits(&ann, &values, &secret).await;
            assert_eq!(fits.map_err(|trouble| trouble.kind), expected, "{stored:?}");
        }
    }
}
