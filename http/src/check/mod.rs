//! A JSON API for scripts and programs that speak no dialect of their own.
//!
//! | request | answer |
//! |---|---|
//! | `POST /v1/check` | whether this is the user's password |
//! | `POST /v1/lookup` | who this user is |
//! | `GET /v1/openapi.json` | this API as OpenAPI 3.1 |
//!
//! A verdict is a 200, whichever it is. 503 means that nobody could decide. The
//! words are in `message.rs`; the description is made of the same table as the
//! routes.

mod message;
mod openapi;

use std::fmt;

use dmail_core::sasl::{self, Credentials};
use dmail_core::{AuthRequest, Origin, Secret, Service as Through, Username, Verdict};
use dmail_net::log;
use serde::de::DeserializeOwned;

use crate::ask::Asker;
use crate::json;
use crate::key::Key;
use crate::message::Request;
use crate::response::{Response, Status};
use crate::server::Service;
use message::{Answer, CheckBody, ErrorBody, LookupBody};

/// How many seconds a client should wait that was told to ask again.
const RETRY_AFTER: u32 = 5;
const JSON: &str = "application/json";

/// The service.
#[derive(Debug)]
pub struct Api {
    asker: Asker,
    options: Options,
    openapi: String,
}

/// How requests are taken.
#[derive(Debug, Clone)]
pub struct Options {
    /// What every request has to show, as `Authorization: Bearer`.
    pub key: Option<Key>,
    /// The service that a request counts for which names none.
    pub service: Through,
}

/// What a path is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route {
    Check,
    Lookup,
    OpenApi,
}

impl Route {
    const ALL: [Self; 3] = [Self::Check, Self::Lookup, Self::OpenApi];

    fn method(self) -> &'static str {
        match self {
            Self::Check | Self::Lookup => "POST",
            Self::OpenApi => "GET",
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Check => "/v1/check",
            Self::Lookup => "/v1/lookup",
            Self::OpenApi => "/v1/openapi.json",
        }
    }
}

/// A question for the gateway.
#[derive(Debug)]
pub struct Question {
    /// `None` if the name or the password can be nobody's.
    request: Option<AuthRequest>,
    kind: Route,
}

impl Api {
    /// The name of the dialect.
    pub const NAME: &'static str = "http";

    /// A service that asks `asker`.
    #[must_use]
    pub fn new(asker: Asker, options: Options) -> Self {
        Self { asker, options, openapi: format!("{:#}\n", openapi::document()) }
    }

    /// Lets a request through that may be answered.
    fn admit(&self, request: &Request<'_>) -> Result<Route, Response> {
        let route = Route::ALL.into_iter().find(|route| route.path() == request.path);
        let Some(route) = route else {
            return Err(
                self.refuse(Status::NotFound, "there is no such path; see /v1/openapi.json")
            );
        };
        let is_head = request.method == "HEAD" && route.method() == "GET";
        if request.method != route.method() && !is_head {
            let response = self.refuse(Status::MethodNotAllowed, "this path is asked another way");
            return Err(response.with("Allow", route.method()));
        }
        if route == Route::OpenApi {
            // It holds nothing that is not in the manual.
            return Err(Response::new(Status::Ok).with_body(JSON, self.openapi.as_bytes()));
        }
        if let Some(key) = &self.options.key {
            let shown = request.headers.one("Authorization");
            if !matches!(shown, Ok(Some(shown)) if key.is_bearer(shown)) {
                tracing::warn!(
                    dialect = Self::NAME,
                    "a request without the secret of secret_file="
                );
                let why = "send the secret as Authorization: Bearer";
                let response = self.refuse(Status::Unauthorized, why);
                return Err(response.with("WWW-Authenticate", "Bearer"));
            }
        }
        match request.headers.one("Content-Type") {
            Ok(Some(value)) if is_json(value) => Ok(route),
            _ => {
                let why = "the body has to be JSON, with Content-Type: application/json";
                Err(self.refuse(Status::UnsupportedMediaType, why))
            }
        }
    }

    fn parse<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, Response> {
        json::object(body).map_err(|error| self.refuse(Status::BadRequest, &error.to_string()))
    }

    fn json(status: Status, body: &impl serde::Serialize) -> Response {
        let body = serde_json::to_vec(body).expect("text and numbers can be written");
        Response::new(status).with_body(JSON, body)
    }
}

impl Service for Api {
    type Question = Question;

    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn read(&self, request: &Request<'_>) -> Result<Question, Response> {
        let kind = self.admit(request)?;
        let request = match kind {
            Route::Check => {
                let body: CheckBody = self.parse(&request.body)?;
                let origin = body.origin(self.options.service);
                check(&body.user, body.password.0, origin)
            }
            Route::Lookup | Route::OpenApi => {
                let body: LookupBody = self.parse(&request.body)?;
                let origin = body.origin(self.options.service);
                let user = Username::parse(body.user.as_bytes());
                user.ok().map(|user| AuthRequest::lookup(user, origin))
            }
        };
        Ok(Question { request, kind })
    }

    async fn answer(&self, question: Question) -> Response {
        let Some(request) = question.request else {
            let answer = match question.kind {
                Route::Check => Answer::wrong(),
                Route::Lookup | Route::OpenApi => Answer::unknown(),
            };
            return Self::json(Status::Ok, &answer);
        };
        match self.asker.ask(&request).await {
            Ok(Verdict::Accepted(account)) => Self::json(Status::Ok, &Answer::accepted(&account)),
            Ok(Verdict::Rejected(rejection)) => {
                let answer = match question.kind {
                    Route::Check => Answer::refused(&rejection),
                    Route::Lookup | Route::OpenApi => Answer::not_found(&rejection),
                };
                Self::json(Status::Ok, &answer)
            }
            Err(unavailable) => {
                let answer = Answer::unavailable(unavailable.kind);
                let response = Self::json(Status::ServiceUnavailable, &answer);
                response.with("Retry-After", RETRY_AFTER)
            }
        }
    }

    fn refuse(&self, status: Status, why: &str) -> Response {
        Self::json(status, &ErrorBody::new(status, why))
    }
}

/// The question whether `secret` is the password of the user called `name`.
/// `None`, and a line of the log, if nobody can be asked.
fn check(name: &str, secret: Secret, origin: Origin) -> Option<AuthRequest> {
    let user = sasl::login_name(name.as_bytes(), Username::MAX_BYTES);
    let named = user.clone().ok();
    match (Credentials { user, secret }).usable() {
        Ok((user, secret)) => Some(AuthRequest::check(user, secret, origin)),
        Err(why) => {
            log::not_asked(named.as_ref(), &origin, &why);
            None
        }
    }
}

/// Whether a content type is that of JSON, with or without parameters.
fn is_json(value: &[u8]) -> bool {
    let essence = value.split(|byte| *byte == b';').next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case(JSON.as_bytes())
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method(), self.path())
    }
}

#[cfg(test)]
mod tests;
