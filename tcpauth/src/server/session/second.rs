//! The second version of the protocol: questions with ids.

use std::sync::Arc;

use dmail_core::{Action, Authenticator, Purpose, Rejection, RejectionKind, Username};

use super::super::{Client, Server};
use super::line::Next;
use crate::wire::{self, ClientLine, Fault, Malformed, Push, Question};

/// A line of the second version, and the highest id after it.
pub(super) fn line(
    server: &Arc<Server>,
    client: &Client,
    last: u64,
    line: &[u8],
    out: &mut Vec<u8>,
) -> Result<(u64, Next), Fault> {
    let (id, next) = match ClientLine::parse(line) {
        Ok(ClientLine::Ping) => {
            Push::Pong.write(out);
            return Ok((last, Next::Said));
        }
        Ok(ClientLine::Ask(id, question)) => {
            if id <= last {
                return Err(Fault("an id that does not rise"));
            }
            (id, ask(server, client, id, question, out))
        }
        Err(Malformed::User { id, why }) => {
            let text = format!("bad user name: {why}");
            (id, refuse(out, id, &Rejection::new(RejectionKind::BadInput, text)))
        }
        Err(Malformed::Fault(fault)) => return Err(fault),
    };
    if id > last { Ok((id, next)) } else { Err(Fault("an id that does not rise")) }
}

fn ask(
    server: &Arc<Server>,
    client: &Client,
    id: u64,
    question: Question,
    out: &mut Vec<u8>,
) -> Next {
    if let Some(rejection) = unasked(server, client, &question) {
        return refuse(out, id, &rejection);
    }
    match question {
        Question::Authenticate(request) => {
            if let Some(account) = server.gateway.recall(&request) {
                wire::write_acceptance(out, id, &account);
                return Next::Said;
            }
            let gateway = Arc::clone(&server.gateway);
            Next::Ask(Box::pin(async move {
                let mut answer = Vec::new();
                let verdict = gateway.authenticate(&request).await;
                wire::write_judgement(&mut answer, id, &request.purpose, &verdict);
                answer
            }))
        }
        Question::Change(change) => {
            let relay = Arc::clone(&server.relay);
            tracing::info!(client = %client, user = %change.user, "a change is asked for");
            Next::Ask(Box::pin(async move {
                let mut answer = Vec::new();
                let outcome = relay.change(&change).await;
                wire::write_outcome(&mut answer, id, &outcome);
                answer
            }))
        }
        Question::Search(search) => {
            let gateway = Arc::clone(&server.gateway);
            Next::Ask(Box::pin(async move {
                let mut answer = Vec::new();
                let outcome = gateway.search(&search).await;
                wire::write_search(&mut answer, id, &outcome);
                answer
            }))
        }
    }
}

/// The "no" to a question that is not passed on: an empty password is nobody's
/// (RFC 4513 section 5.1.2), and not everybody may change the user base.
fn unasked(server: &Server, client: &Client, question: &Question) -> Option<Rejection> {
    let empty = |user: &Username| Some(Rejection::not_verified(user));
    match question {
        Question::Authenticate(request) => match &request.purpose {
            Purpose::Check(secret) if secret.is_empty() => empty(&request.user),
            _ => None,
        },
        Question::Change(_) if !server.may_change(client) => {
            let why = "changes are not allowed here";
            Some(Rejection::new(RejectionKind::NotAllowed, why))
        }
        Question::Change(change) => match &change.action {
            Action::Set { secret: Some(secret), .. } if secret.is_empty() => {
                Some(Rejection::new(RejectionKind::BadInput, "a password cannot be empty"))
            }
            _ => None,
        },
        Question::Search(_) => None,
    }
}

fn refuse(out: &mut Vec<u8>, id: u64, rejection: &Rejection) -> Next {
    wire::write_refusal(out, id, rejection);
    Next::Said
}
