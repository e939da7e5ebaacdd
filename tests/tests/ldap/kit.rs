//! The source itself, opened from an `ldapauth.ini` of a test's own.

use std::fs;
use std::sync::Arc;

use dmail_core::{
    Account, Action, AuthRequest, Authenticator, Change, Found, Info, Origin, Outcome, Rejection,
    RejectionKind, Search, SearchOutcome, Secret, Service, Unavailable, UnavailableKind, Username,
    Verdict,
};
use dmail_tests::peer::slapd::{READER, SUFFIX, WRITER};
use dmail_tests::wait;

/// Settings that find users by their `uid`.
pub(crate) const BY_UID: &str = "ldap_search_name uid\n";

/// Settings that bind without a search.
pub(crate) const BY_DN: &str =
    "ldap_mode bind_dn\nldap_user_dn uid=%n,ou=people,dc=corp,dc=example\nldap_search_name uid\n";

/// An open source.
pub(crate) struct Source(Arc<dyn Authenticator>);

/// A source that asks the servers of `urls` as somebody who may read but
/// hashes. `settings` are further lines.
pub(crate) async fn reader(urls: &[String], settings: &str) -> Source {
    open(urls, READER, settings).await
}

/// The same as somebody who may also read hashes and write.
pub(crate) async fn writer(urls: &[String], settings: &str) -> Source {
    open(urls, WRITER, settings).await
}

async fn open(urls: &[String], (dn, password): (&str, &str), settings: &str) -> Source {
    let servers: String = urls.iter().map(|url| format!("ldap_server {url}\n")).collect();
    let identity = format!("ldap_bind_dn {dn}\nldap_bind_password {password}\n");
    open_as_written(&format!("{servers}{identity}ldap_base {SUFFIX}\n{settings}")).await
}

/// A source with these settings and no others.
pub(crate) async fn open_as_written(settings: &str) -> Source {
    let folder = tempfile::tempdir().expect("a directory");
    let file = folder.path().join("ldapauth.ini");
    fs::write(&file, settings).expect("room for settings");
    match dmail_ldap::open(&file).await {
        Ok(source) => Source(source),
        Err(error) => panic!("{error}"),
    }
}

pub(crate) fn user(name: &str) -> Username {
    Username::parse(name.as_bytes()).expect(name)
}

pub(crate) fn secret(text: &str) -> Secret {
    Secret::new(text.as_bytes())
}

pub(crate) fn origin() -> Origin {
    Origin::local(Service::Admin)
}

/// What a check or lookup came to, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Came {
    Yes,
    No(RejectionKind),
    Nothing(UnavailableKind),
}

impl Source {
    pub(crate) async fn ask(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        self.0.authenticate(request).await
    }

    pub(crate) async fn check(&self, name: &str, password: &str) -> Came {
        came(self.ask(&AuthRequest::check(user(name), secret(password), origin())).await)
    }

    pub(crate) async fn lookup(&self, name: &str) -> Came {
        came(self.ask(&AuthRequest::lookup(user(name), origin())).await)
    }

    /// The account of somebody who can log in.
    pub(crate) async fn account(&self, name: &str, password: &str) -> Arc<Account> {
        let request = AuthRequest::check(user(name), secret(password), origin());
        match self.ask(&request).await {
            Ok(Verdict::Accepted(account)) => account,
            other => panic!("{name}: {other:?}"),
        }
    }

    /// The words of what kept a check from being decided.
    pub(crate) async fn trouble(&self, name: &str, password: &str) -> Unavailable {
        let request = AuthRequest::check(user(name), secret(password), origin());
        self.ask(&request).await.expect_err("nobody can say")
    }

    pub(crate) async fn set(
        &self,
        name: &str,
        password: Option<&str>,
        info: Option<&str>,
    ) -> Result<String, Rejection> {
        let info = info.map(|text| text.parse::<Info>().expect("info fields"));
        let action = Action::Set { secret: password.map(secret), info };
        self.change(name, action).await
    }

    pub(crate) async fn del(&self, name: &str) -> Result<String, Rejection> {
        self.change(name, Action::Delete).await
    }

    async fn change(&self, name: &str, action: Action) -> Result<String, Rejection> {
        let change = Change { user: user(name), action, origin: origin() };
        match self.0.change(&change).await.expect("the directory answers") {
            Outcome::Done(text) => Ok(text),
            Outcome::Refused(rejection) => Err(rejection),
        }
    }

    pub(crate) async fn search(&self, pattern: &str, from: usize, max: Option<usize>) -> Found {
        let search = Search { pattern: pattern.to_owned(), from, max, origin: origin() };
        match self.0.search(&search).await.expect("the directory answers") {
            SearchOutcome::Found(found) => found,
            SearchOutcome::Refused(rejection) => panic!("{pattern}: {rejection:?}"),
        }
    }

    /// Waits until a check comes to this.
    pub(crate) async fn until(&self, what: &str, name: &str, password: &str, expected: Came) {
        wait::until_answered(what, async || self.check(name, password).await == expected).await;
    }
}

fn came(answer: Result<Verdict, Unavailable>) -> Came {
    match answer {
        Ok(Verdict::Accepted(_)) => Came::Yes,
        Ok(Verdict::Rejected(rejection)) => Came::No(rejection.kind),
        Err(unavailable) => Came::Nothing(unavailable.kind),
    }
}
