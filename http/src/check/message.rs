//! The bodies: what is asked, and what is answered.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use dmail_core::{
    Account, DropPath, Origin, Rejection, RejectionKind, Secret, Service, SessionId, Transport,
    Uid, UnavailableKind,
};
use serde::de::{Deserializer, Visitor};
use serde::{Deserialize, Serialize};

use crate::response::Status;

/// What a check may tell of a refusal. A wrong password, an unknown user and a
/// guesser who is not listened to any more are one reason.
pub(super) const CHECK_REASONS: [&str; 4] =
    ["not-verified", "not-allowed", "account-disabled", "account-on-hold"];
/// What a lookup may tell of one.
pub(super) const LOOKUP_REASONS: [&str; 5] =
    ["unknown-user", "not-allowed", "account-disabled", "account-on-hold", "unsupported"];

const WRONG: &str = "wrong user name or password";

/// The body of a check.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CheckBody {
    pub(super) user: String,
    pub(super) password: Password,
    client: Option<IpAddr>,
    local: Option<IpAddr>,
    service: Option<ServiceName>,
    transport: Option<TransportName>,
    session: Option<String>,
}

/// The body of a lookup.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LookupBody {
    pub(super) user: String,
    client: Option<IpAddr>,
    local: Option<IpAddr>,
    service: Option<ServiceName>,
    transport: Option<TransportName>,
    session: Option<String>,
}

impl CheckBody {
    /// Where the login comes from; `usual` is its service if none is named.
    pub(super) fn origin(&self, usual: Service) -> Origin {
        let service = self.service.map_or(usual, ServiceName::service);
        let session = self.session.as_deref();
        origin([self.client, self.local], service, self.transport, session)
    }
}

impl LookupBody {
    /// Who asks; `usual` is the service if none is named.
    pub(super) fn origin(&self, usual: Service) -> Origin {
        let service = self.service.map_or(usual, ServiceName::service);
        let session = self.session.as_deref();
        origin([self.client, self.local], service, self.transport, session)
    }
}

fn origin(
    addresses: [Option<IpAddr>; 2],
    service: Service,
    transport: Option<TransportName>,
    session: Option<&str>,
) -> Origin {
    let [client, local] = addresses.map(|address| address.map(|address| address.to_canonical()));
    Origin {
        client,
        local,
        dialect: Some(super::Api::NAME),
        transport: transport.map_or(Transport::Unknown, TransportName::transport),
        session: session.and_then(|name| SessionId::parse(name.as_bytes())),
        ..Origin::local(service)
    }
}

/// A password. It goes from the body, which is wiped, into a secret.
pub(super) struct Password(pub(super) Secret);

impl<'de> Deserialize<'de> for Password {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(PasswordVisitor)
    }
}

struct PasswordVisitor;

impl Visitor<'_> for PasswordVisitor {
    type Value = Password;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a password, as a string")
    }

    fn visit_str<E>(self, text: &str) -> Result<Password, E> {
        Ok(Password(Secret::new(text.as_bytes())))
    }
}

/// The services that a program may ask for. The administrator's is none of
/// them: no state and no access list holds for that one.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ServiceName {
    Imap,
    Pop3,
    Smtp,
    Web,
}

impl ServiceName {
    pub(super) const WORDS: [&'static str; 4] = ["imap", "pop3", "smtp", "web"];

    fn service(self) -> Service {
        match self {
            Self::Imap => Service::Imap,
            Self::Pop3 => Service::Pop3,
            Self::Smtp => Service::Smtp,
            Self::Web => Service::Web,
        }
    }
}

/// How a program may say that the user's connection is protected.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum TransportName {
    Insecure,
    Secured,
    Tls,
    TlsClientCert,
}

impl TransportName {
    fn transport(self) -> Transport {
        match self {
            Self::Insecure => Transport::Insecure,
            Self::Secured => Transport::Secured,
            Self::Tls => Transport::Tls,
            Self::TlsClientCert => Transport::TlsClientCert,
        }
    }
}

/// The body of an answer.
#[derive(Serialize)]
#[serde(tag = "result", rename_all = "lowercase")]
pub(super) enum Answer<'a> {
    Accepted { account: AccountBody<'a> },
    Rejected { reason: &'static str, message: &'a str },
    Unavailable { reason: &'static str, message: &'static str },
}

impl<'a> Answer<'a> {
    pub(super) fn accepted(account: &'a Account) -> Self {
        Self::Accepted { account: AccountBody::of(account) }
    }

    /// What everybody reads who has not shown the right password.
    pub(super) fn wrong() -> Self {
        Self::Rejected { reason: RejectionKind::NotVerified.id(), message: WRONG }
    }

    /// The same for whoever is looked for.
    pub(super) fn unknown() -> Self {
        Self::Rejected { reason: RejectionKind::UnknownUser.id(), message: "there is no such user" }
    }

    /// A check that is refused. Only what needs the right password tells more.
    pub(super) fn refused(rejection: &'a Rejection) -> Self {
        use RejectionKind as Kind;
        let Some(message) = rejection.told.as_deref() else { return Self::wrong() };
        match rejection.kind {
            kind @ (Kind::Disabled | Kind::NotAllowed | Kind::OnHold) => {
                Self::Rejected { reason: kind.id(), message }
            }
            Kind::BadInput
            | Kind::NotVerified
            | Kind::Throttled
            | Kind::UnknownUser
            | Kind::Unsupported => Self::Rejected { reason: Kind::NotVerified.id(), message },
        }
    }

    /// A lookup that is refused.
    pub(super) fn not_found(rejection: &'a Rejection) -> Self {
        use RejectionKind as Kind;
        let message = match rejection.kind {
            Kind::BadInput | Kind::NotVerified | Kind::Throttled | Kind::UnknownUser => {
                return Self::unknown();
            }
            Kind::Disabled => "the account takes no mail",
            Kind::OnHold => "the account takes no mail for now",
            Kind::NotAllowed => "the account may not be used for this",
            Kind::Unsupported => "the user base has no lookup",
        };
        Self::Rejected { reason: rejection.kind.id(), message }
    }

    pub(super) fn unavailable(kind: UnavailableKind) -> Self {
        Self::Unavailable { reason: kind.id(), message: "nobody could decide; ask again later" }
    }
}

/// An account.
#[derive(Serialize)]
pub(super) struct AccountBody<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    drop: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<String>,
    info: BTreeMap<&'a str, &'a str>,
}

impl<'a> AccountBody<'a> {
    fn of(account: &'a Account) -> Self {
        Self {
            name: account.name.as_str(),
            drop: match &account.drop {
                DropPath::Config => None,
                DropPath::File(path) => path.to_str(),
            },
            uid: account.uid.as_ref().map(|uid| match uid {
                Uid::Name(name) => name.clone(),
                Uid::Number(number) => number.to_string(),
            }),
            info: account.info.iter().collect(),
        }
    }
}

/// The body of a response to a request that is none.
#[derive(Serialize)]
pub(super) struct ErrorBody<'a> {
    error: &'static str,
    message: &'a str,
}

impl<'a> ErrorBody<'a> {
    pub(super) fn new(status: Status, message: &'a str) -> Self {
        Self { error: error_id(status), message }
    }
}

/// One word for each status.
pub(super) fn error_id(status: Status) -> &'static str {
    match status {
        Status::Ok => "none",
        Status::BadRequest => "bad-request",
        Status::Unauthorized => "unauthorized",
        Status::Forbidden => "forbidden",
        Status::NotFound => "not-found",
        Status::MethodNotAllowed => "method-not-allowed",
        Status::RequestTimeout => "request-timeout",
        Status::ContentTooLarge => "content-too-large",
        Status::UnsupportedMediaType => "unsupported-media-type",
        Status::ExpectationFailed => "expectation-failed",
        Status::HeaderFieldsTooLarge => "header-too-large",
        Status::NotImplemented => "not-implemented",
        Status::ServiceUnavailable => "unavailable",
        Status::VersionNotSupported => "version-not-supported",
    }
}
