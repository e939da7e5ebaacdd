//! nginx's `auth_http`: its mail proxy asks for each login of POP3, IMAP and
//! SMTP whether it is right, and which server it goes to.
//!
//! ```text
//!   mail client ──▶ nginx ──GET, Auth-User, Auth-Pass, Client-IP──▶ here ──▶ gateway
//!        ▲            │  ◀──Auth-Status, Auth-Server, Auth-Port─────
//!        └──▶ server ◀┘
//! ```
//!
//! nginx looks at headers alone, never at the status or the body. A response
//! without `Auth-Status` makes it tell its client of an internal error, which
//! is what a request gets here that nobody understands.

mod backend;
mod escape;
mod question;
mod reply;
mod resolver;

use std::fmt;
use std::time::Duration;

use dmail_core::{Account, Verdict};
use dmail_net::log;

use crate::ask::Asker;
use crate::key::Key;
use crate::message::Request;
use crate::response::{Response, Status};
use crate::server::Service;

pub use backend::{BackendError, Backends};
pub use escape::unescape;
pub use question::{Entry, Login, Malformed, Protocol, read};
pub use reply::Reply;

use resolver::Resolver;

/// The header that the shared secret is in (`auth_http_header` in nginx.conf).
pub const KEY_HEADER: &str = "X-Auth-Key";

/// What nginx is told beside yes and no.
#[derive(Debug, Clone)]
pub struct Options {
    /// The servers that logins go to.
    pub backends: Backends,
    /// What nginx has to show.
    pub key: Option<Key>,
    /// How long nginx waits before it tells its client of a refusal.
    pub wait: Duration,
    /// After so many attempts nginx closes the connection.
    pub attempts: u32,
    /// Whether the server gets the account's name instead of the one that the
    /// client gave.
    pub account_name: bool,
}

/// The service.
#[derive(Debug)]
pub struct AuthHttp {
    asker: Asker,
    options: Options,
    resolver: Resolver,
}

impl AuthHttp {
    /// The name of the dialect.
    pub const NAME: &'static str = "auth-http";

    /// A service that asks `asker`.
    #[must_use]
    pub fn new(asker: Asker, options: Options) -> Self {
        Self { asker, options, resolver: Resolver::new() }
    }

    async fn decide(&self, login: &Login) -> Reply {
        match &login.entry {
            Entry::Mechanism => Reply::Mechanism,
            Entry::Anonymous => self.pass_anonymous().await,
            Entry::Unusable(why, origin) => {
                log::not_asked(None, origin, why);
                Reply::Wrong
            }
            Entry::Password(request) => match self.asker.ask(request).await {
                Ok(Verdict::Accepted(account)) => self.pass(login.protocol, &account).await,
                Ok(Verdict::Rejected(rejection)) => Reply::from(&rejection),
                Err(_) => Reply::Temporary,
            },
        }
    }

    /// Sends an account's login to its server.
    async fn pass(&self, protocol: Protocol, account: &Account) -> Reply {
        let backend = match self.options.backends.of(protocol, &account.info) {
            Ok(backend) => backend,
            Err(error) => return lost(&account.name, &error),
        };
        let name = self.options.account_name.then(|| account.name.as_str().to_owned());
        match self.resolver.address(&backend).await {
            Ok(server) => Reply::Pass(server, name),
            Err(error) => lost(&account.name, &error),
        }
    }

    /// Lets a client of SMTP through that does not log in, if there is a server
    /// for those.
    async fn pass_anonymous(&self) -> Reply {
        let Some(backend) = &self.options.backends.mx else { return Reply::NeedsLogin };
        match self.resolver.address(backend).await {
            Ok(server) => Reply::Pass(server, None),
            Err(error) => lost(&"nobody", &error),
        }
    }
}

/// A login that is right, and nobody knows where to send it: not the user's
/// fault.
fn lost(user: &dyn fmt::Display, error: &dyn std::error::Error) -> Reply {
    tracing::error!(dialect = AuthHttp::NAME, %user, %error, "no server for a login");
    Reply::Temporary
}

impl Service for AuthHttp {
    type Question = Login;

    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn read(&self, request: &Request<'_>) -> Result<Login, Response> {
        if request.method != "GET" {
            let response = self.refuse(Status::MethodNotAllowed, "nginx asks with GET");
            return Err(response.with("Allow", "GET"));
        }
        if let Some(key) = &self.options.key {
            let shown = request.headers.one(KEY_HEADER);
            if !matches!(shown, Ok(Some(shown)) if key.is(shown)) {
                tracing::warn!(
                    dialect = Self::NAME,
                    "a request without the secret of secret_file=; nginx needs a line \
                     auth_http_header {KEY_HEADER} with it"
                );
                return Err(self.refuse(Status::Forbidden, "the shared secret is missing or wrong"));
            }
        }
        read(&request.headers).map_err(|error| {
            tracing::warn!(dialect = Self::NAME, %error, "a request that nginx does not make");
            self.refuse(Status::BadRequest, &error.to_string())
        })
    }

    async fn answer(&self, login: Login) -> Response {
        let reply = self.decide(&login).await;
        let wait = (login.attempt < self.options.attempts).then_some(self.options.wait);
        reply.response(login.protocol, wait)
    }

    /// Without `Auth-Status`, so that nobody's password is called wrong.
    fn refuse(&self, status: Status, why: &str) -> Response {
        Response::new(status).with_body("text/plain; charset=utf-8", format!("{why}\n"))
    }
}

#[cfg(test)]
mod tests;
