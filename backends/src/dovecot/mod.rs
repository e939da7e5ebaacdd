//! Dovecot's auth service as user base.
//!
//! ```text
//!   check ──▶ auth-client: AUTH … OK │ FAIL
//!                │ OK, and there is a userdb socket
//!                ▼
//!   lookup ─▶ auth-userdb: USER … the account │ NOTFOUND
//!   search ─▶ auth-userdb: LIST, on a connection of its own
//! ```
//!
//! A check that succeeded looks its user up too, so that both say the same of
//! an account.

pub mod settings;

mod lines;
mod link;
mod listing;
mod wire;

use std::path::Path;

use async_trait::async_trait;
use dmail_core::config::ConfigError;
use dmail_core::{
    AuthRequest, Authenticator, Origin, Purpose, Rejection, RejectionKind, Search, SearchOutcome,
    Secret, Unavailable, Username, Verdict,
};

use crate::foreign::{AccountSettings, Described, Source};
use crate::ini;
use link::Link;
use settings::DovecotSettings;
use wire::Socket;

/// What the base is called in logs and traces.
const SOURCE: &str = "dovecot";
/// How errors name it.
const BASE: Source = Source { name: SOURCE, file: settings::VOCABULARY.file };

/// The auth service of a Dovecot.
pub struct Dovecot {
    settings: DovecotSettings,
    auth: Link,
    userdb: Option<Link>,
}

impl Dovecot {
    /// Opens the base that `file`, a dovecotauth.ini, describes. Must be called
    /// within the runtime.
    ///
    /// # Errors
    ///
    /// If the settings are wrong. A daemon that is not there now is no error.
    pub fn open(file: &Path) -> Result<Self, ConfigError> {
        let settings = ini::usable(settings::load(file))?;
        let sockets = &settings.sockets;
        let link = |socket, path: &Path| {
            Link::start(socket, path.to_owned(), sockets.timeout, sockets.outstanding)
        };
        let auth = link(Socket::Auth, &sockets.auth_socket);
        let userdb = sockets.userdb_socket.as_deref().map(|path| link(Socket::Userdb, path));
        Ok(Self { settings, auth, userdb })
    }

    async fn check(
        &self,
        user: &Username,
        secret: &Secret,
        origin: &Origin,
    ) -> Result<Verdict, Unavailable> {
        if secret.is_empty() {
            return Ok(Verdict::Rejected(Rejection::not_verified(user)));
        }
        let words = match wire::check(user, secret, origin, self.settings.sockets.secured) {
            Ok(words) => words,
            Err(rejection) => return Ok(Verdict::Rejected(rejection)),
        };
        let (word, fields) = self.auth.ask("AUTH", &words).await?;
        let described = match wire::verdict(user, &word, &fields)? {
            Ok(described) => described,
            Err(rejection) => return Ok(Verdict::Rejected(rejection)),
        };
        let Some(userdb) = &self.userdb else { return self.accept(user, described) };
        // The name may be another one now.
        let account = described.name(user, self.settings.accounts.other_names, &BASE)?;
        match self.find(userdb, &account, origin).await? {
            Ok(mut described) => {
                // Whether that name is right was judged just now.
                if account != *user {
                    described.name = Some(account.to_string());
                    return self.accept(&account, described);
                }
                self.accept(user, described)
            }
            Err(rejection) => Ok(Verdict::Rejected(rejection)),
        }
    }

    async fn look_up(&self, user: &Username, origin: &Origin) -> Result<Verdict, Unavailable> {
        let Some(userdb) = &self.userdb else {
            let text = "no users are looked up here without `userdb_socket` in dovecotauth.ini";
            return Ok(Verdict::Rejected(Rejection::new(RejectionKind::Unsupported, text)));
        };
        match self.find(userdb, user, origin).await? {
            Ok(described) => self.accept(user, described),
            Err(rejection) => Ok(Verdict::Rejected(rejection)),
        }
    }

    async fn find(
        &self,
        userdb: &Link,
        user: &Username,
        origin: &Origin,
    ) -> Result<Result<Described, Rejection>, Unavailable> {
        let words = match wire::look_up(user, origin) {
            Ok(words) => words,
            Err(rejection) => return Ok(Err(rejection)),
        };
        let (word, fields) = userdb.ask("USER", &words).await?;
        wire::found(user, &word, &fields)
    }

    fn accept(&self, user: &Username, described: Described) -> Result<Verdict, Unavailable> {
        let AccountSettings { other_names, drop_path } = &self.settings.accounts;
        let account = described.account(user, drop_path.as_deref(), *other_names, &BASE)?;
        Ok(Verdict::accepted(account))
    }
}

/// Reads a line of either socket, as far as it can be read.
pub(crate) fn read_line(user: &Username, text: &[u8]) {
    for socket in [Socket::Auth, Socket::Userdb] {
        if let Ok(wire::Line::Answer(_, word, fields)) = socket.parse(text) {
            let _ = (wire::verdict(user, word, fields), wire::found(user, word, fields));
            let _ = wire::listed(word, fields);
        }
    }
}

#[async_trait]
impl Authenticator for Dovecot {
    async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        let client = request.origin.client.filter(|_| self.settings.sockets.send_ip);
        let origin = Origin { client, ..request.origin };
        let verdict = match &request.purpose {
            Purpose::Check(secret) => self.check(&request.user, secret, &origin).await,
            Purpose::Lookup => self.look_up(&request.user, &origin).await,
            _ => Ok(Verdict::Rejected(Rejection::unsupported())),
        };
        request.note_answer(SOURCE, &verdict);
        verdict
    }

    async fn search(&self, search: &Search) -> Result<SearchOutcome, Unavailable> {
        match &self.settings.sockets.userdb_socket {
            Some(path) => listing::search(path, search, self.settings.sockets.timeout).await,
            None => Ok(SearchOutcome::Refused(Rejection::unsupported())),
        }
    }

    fn sees_address(&self) -> bool {
        self.settings.sockets.send_ip
    }

    async fn close(&self) {
        self.auth.close();
        self.userdb.iter().for_each(Link::close);
    }
}
