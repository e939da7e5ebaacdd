//! What the gateway is asked, by whom, and how long it may take.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use dmail_core::{Authenticator, Origin, Service, Unavailable, UnavailableKind, Verdict};
use tokio::time::timeout;

use super::Manners;
use crate::{Answer, Question, Ticket};

/// A question for the gateway.
pub(super) type Asked = (Ticket, Question);
/// The same, and what the gateway said.
pub(super) type Answered = (Ticket, Question, Answer);
/// A question that is under way.
pub(super) type Asking = Pin<Box<dyn Future<Output = Answered> + Send>>;

/// Where the question comes from, if it is about users.
pub(super) fn origin_of(question: &mut Question) -> Option<&mut Origin> {
    match question {
        Question::Authenticate(request) => Some(&mut request.origin),
        Question::Change(change) => Some(&mut change.origin),
        Question::Search(search) => Some(&mut search.origin),
        Question::CacheStatus(_) | Question::Forget(_) => None,
    }
}

/// Says whom a question comes through.
pub(super) fn sign(origin: &mut Origin, manners: &Manners) {
    origin.dialect = Some(manners.dialect);
    if let (Service::Line, Some(service)) = (origin.service, manners.service) {
        origin.service = service;
    }
}

/// The answer, if the gateway has it in its memory.
pub(super) fn recall(gateway: &dyn Authenticator, question: &Question) -> Option<Answer> {
    let Question::Authenticate(request) = question else { return None };
    let account = gateway.recall(request)?;
    Some(Answer::Verdict(Ok(Verdict::Accepted(account))))
}

/// Asks for no longer than `patience`.
pub(super) fn ask(
    gateway: Arc<dyn Authenticator>,
    patience: Duration,
    (ticket, question): Asked,
) -> Asking {
    Box::pin(async move {
        let answer = match &question {
            Question::Authenticate(request) => {
                let answer = timeout(patience, gateway.authenticate(request)).await;
                Answer::Verdict(answer.unwrap_or_else(|_| Err(too_late(patience))))
            }
            Question::Change(change) => {
                let answer = timeout(patience, gateway.change(change)).await;
                Answer::Changed(answer.unwrap_or_else(|_| Err(too_late(patience))))
            }
            Question::Search(search) => {
                let answer = timeout(patience, gateway.search(search)).await;
                Answer::Found(answer.unwrap_or_else(|_| Err(too_late(patience))))
            }
            Question::CacheStatus(reset) => Answer::CacheStatus(gateway.cache_status(*reset)),
            Question::Forget(masks) => Answer::Forgotten(forget(&*gateway, masks)),
        };
        (ticket, question, answer)
    })
}

/// Has the users of these masks forgotten, or all if there is none.
fn forget(gateway: &dyn Authenticator, masks: &[String]) -> usize {
    let count = match masks {
        [] => gateway.forget_users("*"),
        masks => masks.iter().map(|mask| gateway.forget_users(mask)).sum(),
    };
    tracing::info!(?masks, count, "users forgotten, as was asked");
    count
}

fn too_late(patience: Duration) -> Unavailable {
    let detail =
        format!("no answer within {} seconds (timeout= of the dialect)", patience.as_secs());
    Unavailable::new(UnavailableKind::Timeout, detail)
}
