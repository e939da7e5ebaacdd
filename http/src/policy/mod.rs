//! Dovecot's auth policy, the protocol of weakforced: a server that checks
//! passwords itself asks before each login whether it may, and tells what came
//! of it. Both are counted by the gateway's one throttle.
//!
//! ```text
//!   POST /?command=allow    {"login":"bob","pwhash":"0c3f","remote":"192.0.2.7",…}
//!       ◀── {"status":0,"msg":""}   0: go on, -1: refuse, N > 0: go on after N seconds
//!   POST /?command=report   {…,"success":false,"policy_reject":false}
//!       ◀── {"status":0,"msg":""}
//! ```
//!
//! `pwhash` is a short hash of the password. It tells guesses of one user apart
//! and is never logged.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use dmail_core::{
    Advice, Guess, Guesses, Origin, Service as Through, SessionId, Transport, Username,
};
use serde::Deserialize;

use crate::json;
use crate::key::Key;
use crate::message::Request;
use crate::response::{Response, Status};
use crate::server::Service;

const JSON: &str = "application/json";
/// The header that Dovecot sends its key in, if it is told no other.
const KEY_HEADER: &str = "X-API-Key";

/// The service.
pub struct AuthPolicy {
    guesses: Arc<dyn Guesses>,
    key: Option<Key>,
}

/// What a request wants.
#[derive(Debug)]
pub enum Question {
    /// What to do with a login. `None`: nobody can have the name.
    Allow(Option<Guess>),
    /// To count a login that was right or wrong. `None`: it says nothing of
    /// the password.
    Report(Option<(Guess, bool)>),
    /// Whether somebody is there.
    Ping,
}

/// What Dovecot tells of a login. Further fields may be there; what they say is
/// not used.
#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    login: String,
    #[serde(default)]
    pwhash: String,
    #[serde(default)]
    remote: String,
    /// Not among Dovecot's own; an administrator may add it.
    #[serde(default)]
    local: String,
    #[serde(default)]
    protocol: String,
    /// Whether the client has TLS. An administrator may have put anything there.
    #[serde(default)]
    tls: serde_json::Value,
    #[serde(default)]
    session_id: String,
    #[serde(default)]
    success: bool,
    #[serde(default)]
    policy_reject: bool,
    /// Dovecot 2.4 and later.
    #[serde(default)]
    fail_type: Option<String>,
}

impl Body {
    fn guess(&self) -> Option<Guess> {
        let user = Username::parse(self.login.as_bytes()).ok()?;
        let address = |text: &str| text.parse().ok().map(|ip: IpAddr| ip.to_canonical());
        let origin = Origin {
            client: address(&self.remote),
            local: address(&self.local),
            dialect: Some(AuthPolicy::NAME),
            // Without TLS it may be safe all the same: on the same machine.
            transport: match self.tls {
                serde_json::Value::Bool(true) => Transport::Tls,
                _ => Transport::Unknown,
            },
            session: SessionId::parse(self.session_id.as_bytes()),
            ..Origin::local(service(&self.protocol))
        };
        Some(Guess { user, origin, tag: self.pwhash.as_bytes().into() })
    }

    /// Whether the password was right, if the report says.
    fn outcome(&self) -> Option<bool> {
        match self.fail_type.as_deref() {
            _ if self.success => Some(true),
            // It was refused by us; its password was not looked at.
            _ if self.policy_reject => None,
            None | Some("credentials" | "account") => Some(false),
            // Nobody could decide, or the password was right and something else
            // stands against the login.
            Some(_) => None,
        }
    }
}

/// Our name for a protocol of Dovecot's.
fn service(protocol: &str) -> Through {
    match protocol {
        "imap" => Through::Imap,
        "pop3" => Through::Pop3,
        "smtp" | "submission" | "lmtp" => Through::Smtp,
        _ => Through::Line,
    }
}

impl AuthPolicy {
    /// The name of the dialect.
    pub const NAME: &'static str = "auth-policy";

    /// A service that counts in `guesses`, for whoever shows `key`.
    #[must_use]
    pub fn new(guesses: Arc<dyn Guesses>, key: Option<Key>) -> Self {
        Self { guesses, key }
    }

    fn shows_key(&self, request: &Request<'_>) -> bool {
        let Some(key) = &self.key else { return true };
        let bearer = request.headers.one("Authorization");
        let plain = request.headers.one(KEY_HEADER);
        matches!(bearer, Ok(Some(shown)) if key.is_bearer(shown))
            || matches!(plain, Ok(Some(shown)) if key.is(shown.trim_ascii()))
    }

    fn advise(&self, guess: &Guess) -> Response {
        let advice = self.guesses.weigh(guess);
        let status = match advice {
            Advice::Allow => 0,
            // A part of a second is one, too.
            Advice::Delay(delay) => {
                i64::try_from(delay.as_secs_f64().ceil() as u64).unwrap_or(i64::MAX).max(1)
            }
            Advice::Refuse => -1,
        };
        if advice == Advice::Refuse {
            let (user, service, dialect) = (&guess.user, guess.origin.service, Self::NAME);
            let client = guess.origin.client.map(tracing::field::display);
            let transport = guess.origin.transport.name();
            let session = guess.origin.session.map(tracing::field::display);
            let reason = "throttled";
            tracing::info!(%service, dialect, ?user, client, transport, session, reason, "login refused");
        }
        reply(status)
    }
}

/// The reply. The words would be shown to the user, who shall read the same as
/// after a wrong password.
fn reply(status: i64) -> Response {
    let body = format!("{{\"status\":{status},\"msg\":\"\"}}");
    Response::new(Status::Ok).with_body(JSON, body)
}

/// What is asked for: the last `command=` of the query.
fn command(query: Option<&str>) -> Option<&str> {
    query?.rsplit('&').find_map(|word| word.strip_prefix("command="))
}

impl Service for AuthPolicy {
    type Question = Question;

    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn read(&self, request: &Request<'_>) -> Result<Question, Response> {
        if !self.shows_key(request) {
            tracing::warn!(
                dialect = Self::NAME,
                "a request without the secret of secret_file=; in Dovecot it is \
                 auth_policy_server_api_header"
            );
            let response =
                self.refuse(Status::Unauthorized, "the shared secret is missing or wrong");
            return Err(response.with("WWW-Authenticate", "Bearer"));
        }
        let command = command(request.query);
        if command == Some("ping") {
            return Ok(Question::Ping);
        }
        if request.method != "POST" {
            let response = self.refuse(Status::MethodNotAllowed, "this is asked with POST");
            return Err(response.with("Allow", "POST"));
        }
        let body = || -> Result<Body, Response> {
            json::object(&request.body).map_err(|error| {
                let at = error.place();
                tracing::warn!(dialect = Self::NAME, at, "a request that is not policy JSON");
                self.refuse(Status::BadRequest, "the body is not policy JSON")
            })
        };
        match command {
            Some("allow") => Ok(Question::Allow(body()?.guess())),
            Some("report") => {
                let body = body()?;
                Ok(Question::Report(body.guess().zip(body.outcome())))
            }
            _ => Err(self.refuse(Status::BadRequest, "command= has to be allow, report or ping")),
        }
    }

    async fn answer(&self, question: Question) -> Response {
        match question {
            Question::Allow(Some(guess)) => self.advise(&guess),
            Question::Report(Some((guess, right))) => {
                self.guesses.note(&guess, right);
                reply(0)
            }
            Question::Allow(None) | Question::Report(None) => reply(0),
            Question::Ping => Response::new(Status::Ok).with_body(JSON, "{\"status\":\"ok\"}"),
        }
    }

    fn refuse(&self, status: Status, why: &str) -> Response {
        let body = serde_json::json!({ "status": -1, "msg": why });
        Response::new(status).with_body(JSON, body.to_string())
    }
}

impl fmt::Debug for AuthPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthPolicy").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
