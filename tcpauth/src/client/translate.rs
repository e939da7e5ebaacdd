//! Answers of both versions, as the rest of the gateway knows them.

use dmail_authent::line::{self, DataLine, Request, Status};
use dmail_core::{
    Account, Action, AuthRequest, Change, Found, Hit, Outcome, Purpose, Rejection, RejectionKind,
    SearchOutcome, Unavailable, UnavailableKind, Username, Verdict,
};

use super::Attempt;
use super::channel::{AskError, Channel};
use super::plain::{Plain, PlainError};
use crate::wire::{Answer, Question};

/// The answer to a question.
pub(super) enum Reply {
    Outcome(Outcome),
    Search(SearchOutcome),
    Verdict(Verdict),
}

/// Asks a daemon of the second version.
pub(super) async fn second(channel: &Channel, question: &Question) -> Attempt {
    if !channel.understands(question) {
        return Attempt::NoWord;
    }
    match channel.ask(question).await {
        Ok((hits, answer)) => of_answer(question, hits, answer),
        Err(AskError::NotCarried(error)) => Attempt::Answered(refused(question, error.to_string())),
        Err(error @ AskError::Closed) => Attempt::NotAsked(error.to_string()),
        // It is there: memory must not stand in for it as for one that is not.
        Err(error @ AskError::Busy) => {
            Attempt::Dead(Unavailable::new(UnavailableKind::Overloaded, error.to_string()))
        }
        Err(error @ AskError::Lost) => Attempt::Lost(error.to_string()),
    }
}

fn of_answer(question: &Question, hits: Vec<Hit>, answer: Answer) -> Attempt {
    Attempt::Answered(match (question, answer) {
        (_, Answer::Dead(error)) => return Attempt::Dead(error),
        (Question::Authenticate(request), Answer::Accepted(account)) => {
            return match request.purpose {
                Purpose::Salt(_) => fault("a yes without a salt"),
                _ => accepted(request, account),
            };
        }
        (Question::Authenticate(request), Answer::Proved(account, signature)) => {
            let Purpose::Prove(proof) = &request.purpose else {
                return fault("a signature of no proof");
            };
            let attempt = accepted(request, account);
            if matches!(attempt, Attempt::Answered(_)) {
                proof.sign(signature);
            }
            return attempt;
        }
        (Question::Authenticate(request), Answer::Salt(salt)) => {
            let Purpose::Salt(question) = &request.purpose else {
                return fault("a salt that nobody asked for");
            };
            question.tell(salt);
            Reply::Verdict(Verdict::accepted(Account::named(request.user.clone())))
        }
        (Question::Authenticate(_), Answer::Rejected(no)) => Reply::Verdict(Verdict::Rejected(no)),
        (Question::Change(_), Answer::Done(text)) => Reply::Outcome(Outcome::Done(text)),
        (Question::Change(_), Answer::Rejected(no)) => Reply::Outcome(Outcome::Refused(no)),
        (Question::Search(_), Answer::Found(scanned)) => {
            Reply::Search(SearchOutcome::Found(Found { hits, scanned }))
        }
        (Question::Search(_), Answer::Rejected(no)) => Reply::Search(SearchOutcome::Refused(no)),
        _ => return fault("an answer to another kind of question"),
    })
}

/// Asks a daemon of the first version.
pub(super) async fn plain(plain: &Plain, question: &Question) -> Attempt {
    let Some(request) = request(question, plain.tells_address()) else {
        return Attempt::NoWord;
    };
    match plain.ask(&request).await {
        Ok((data, reply)) => of_reply(question, &data, reply),
        Err(PlainError::NotCarriable(error)) => {
            Attempt::Answered(refused(question, error.to_string()))
        }
        Err(error @ PlainError::Connect(_)) => Attempt::NotAsked(error.to_string()),
        Err(error @ PlainError::Lost(_)) => Attempt::Lost(error.to_string()),
        Err(PlainError::Fault(error)) => fault(&error.to_string()),
    }
}

/// The question as a line of the first version, if it has a word for it.
fn request(question: &Question, tells_address: bool) -> Option<Request> {
    Some(match question.clone() {
        Question::Authenticate(AuthRequest { user, purpose, origin, .. }) => match purpose {
            Purpose::Check(secret) => {
                let client = origin.client.filter(|_| tells_address);
                Request::Check { user, secret, client }
            }
            Purpose::Lookup => Request::Lookup { user },
            Purpose::Prove(_) | Purpose::Salt(_) => return None,
        },
        Question::Change(Change { user, action, .. }) => match action {
            Action::Delete => Request::Del { user },
            Action::Set { secret, info } => Request::Set { user, secret, info },
        },
        Question::Search(search) => {
            Request::Search { pattern: search.pattern, from: search.from, max: search.max }
        }
    })
}

fn of_reply(question: &Question, data: &[DataLine], reply: line::Reply) -> Attempt {
    if reply.status == Status::Dead {
        return Attempt::Dead(Unavailable::new(UnavailableKind::Dead, reply.text));
    }
    let said_no = reply.status == Status::Err;
    match question {
        Question::Authenticate(request) if said_no => {
            // The first version does not say what kind of no it is.
            let kind = match request.purpose {
                Purpose::Lookup => RejectionKind::UnknownUser,
                _ => RejectionKind::NotVerified,
            };
            let no = Rejection::new(kind, reply.text);
            Attempt::Answered(Reply::Verdict(Verdict::Rejected(no)))
        }
        Question::Authenticate(request) => match reply.to_account() {
            Ok(account) => accepted(request, account),
            Err(error) => fault(&error.to_string()),
        },
        Question::Change(_) if said_no => {
            let no = Rejection::new(RejectionKind::NotAllowed, reply.text);
            Attempt::Answered(Reply::Outcome(Outcome::Refused(no)))
        }
        Question::Change(_) => Attempt::Answered(Reply::Outcome(Outcome::Done(reply.text))),
        Question::Search(_) if said_no => {
            let no = Rejection::new(RejectionKind::Unsupported, reply.text);
            Attempt::Answered(Reply::Search(SearchOutcome::Refused(no)))
        }
        Question::Search(_) => match data.iter().map(DataLine::to_hit).collect() {
            Ok(hits) => Attempt::Answered(Reply::Search(found(hits, &reply.text))),
            Err(error) => fault(&error.to_string()),
        },
    }
}

/// The hits, and how many records the daemon says it looked at.
fn found(hits: Vec<Hit>, text: &str) -> SearchOutcome {
    let scanned = text.rsplit(' ').next().and_then(|word| word.parse().ok());
    SearchOutcome::Found(Found { scanned: scanned.unwrap_or(hits.len()), hits })
}

/// An account, which must be the one that was asked about.
fn accepted(request: &AuthRequest, account: Account) -> Attempt {
    if names_user(&account.name, &request.user) {
        Attempt::Answered(Reply::Verdict(Verdict::accepted(account)))
    } else {
        fault("an account of another user")
    }
}

/// Whether `answered` is the user `asked`: the same but for case, or but for a
/// domain that one of the two has and the other has not.
fn names_user(answered: &Username, asked: &Username) -> bool {
    let ((answered, one), (asked, two)) = (answered.split_domain(), asked.split_domain());
    let domains = match (one, two) {
        (Some(one), Some(two)) => one.eq_ignore_ascii_case(two),
        _ => true,
    };
    domains && answered.eq_ignore_ascii_case(asked)
}

/// What cannot be carried was not asked.
fn refused(question: &Question, why: String) -> Reply {
    let no = Rejection::new(RejectionKind::BadInput, why);
    match question {
        Question::Authenticate(_) => Reply::Verdict(Verdict::Rejected(no)),
        Question::Change(_) => Reply::Outcome(Outcome::Refused(no)),
        Question::Search(_) => Reply::Search(SearchOutcome::Refused(no)),
    }
}

fn fault(why: &str) -> Attempt {
    let why = format!("a tcpauth daemon broke the protocol: {why}");
    Attempt::Dead(Unavailable::new(UnavailableKind::Fault, why))
}
