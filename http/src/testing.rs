//! What the tests of the services share: a user base, and requests as text.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dmail_core::{
    Account, AuthRequest, Authenticator, Purpose, Rejection, RejectionKind, Unavailable,
    UnavailableKind, Username, Verdict,
};

use crate::message::{self, Progress};
use crate::{Asker, Response, Service};

/// Knows the password `right` of everybody but `nobody`. `closed` is told so;
/// `down` is never answered for, and `slow` only after a day. The account of
/// `moved` has a server of its own, and that of `lost` one that is none.
#[derive(Debug)]
pub(crate) struct Base;

#[async_trait]
impl Authenticator for Base {
    async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        let user = request.user.as_str();
        let is_right = match &request.purpose {
            Purpose::Check(secret) => secret.expose() == b"right",
            _ => true,
        };
        match user {
            "down" => Err(Unavailable::new(UnavailableKind::Dead, "as it was asked to")),
            "slow" => {
                tokio::time::sleep(Duration::from_secs(86_400)).await;
                Ok(Verdict::accepted(account(user)))
            }
            "nobody" => Ok(Verdict::Rejected(match &request.purpose {
                Purpose::Check(_) => Rejection::not_verified(&request.user),
                _ => Rejection::unknown_user(&request.user),
            })),
            _ if !is_right => Ok(Verdict::Rejected(Rejection::not_verified(&request.user))),
            "closed" => Ok(Verdict::Rejected(
                Rejection::new(RejectionKind::Disabled, "closed: mailstatus")
                    .telling("this account is closed"),
            )),
            _ => Ok(Verdict::accepted(account(user))),
        }
    }
}

fn account(user: &str) -> Account {
    let mut account = Account::named(Username::parse(user.as_bytes()).expect("a name"));
    let mut set = |label, value| account.info.set(label, value).expect("a field");
    match user {
        "moved" => set("mailhost", "192.0.2.5"),
        "lost" => set("mailhost", "?"),
        _ => set("name", "Ann Lee"),
    }
    account
}

/// Asks the [`Base`].
pub(crate) fn asker() -> Asker {
    Asker::new(Arc::new(Base), Duration::from_secs(9))
}

/// What a service answers to a request, whose lines end in LF here.
pub(crate) async fn ask<S: Service>(service: &S, head: &str, body: &str) -> Response {
    let length = body.len();
    let head = head.trim_end().replace('\n', "\r\n");
    let text = format!("{head}\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{body}");
    let progress = message::parse(text.as_bytes(), 64 * 1024);
    let question = match &progress {
        Ok(Progress::Whole(request, _)) => service.read(request),
        other => panic!("{other:?} in {text}"),
    };
    match question {
        Ok(question) => service.answer(question).await,
        Err(response) => response,
    }
}
