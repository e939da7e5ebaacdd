//! The pool as an [`Authenticator`]: requests into lines, replies into verdicts.

use async_trait::async_trait;
use dmail_core::{
    Account, Action, AuthRequest, Authenticator, Change, Found, Outcome, Purpose, Rejection,
    RejectionKind, Search, SearchOutcome, Unavailable, Username, Verdict,
};

use super::{Pool, PoolConfig, PoolError};
use crate::line::{DataLine, Fault, Reply, Request, Status};

/// `+DATA` lines that a `check`, `lookup`, `set` or `del` may bring.
const DATA_LINES: usize = 100;
/// `+DATA` lines that a search without `-max` may bring.
const SEARCH_LINES: usize = 100_000;

#[async_trait]
impl Authenticator for Pool {
    async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        let config = &self.shared.config;
        let (line, kind) = match &request.purpose {
            Purpose::Check(secret) => {
                let client = request.origin.client.filter(|_| config.send_address);
                let (user, secret) = (request.user.clone(), secret.clone());
                (Request::Check { user, secret, client }, RejectionKind::NotVerified)
            }
            Purpose::Lookup => {
                (Request::Lookup { user: request.user.clone() }, RejectionKind::UnknownUser)
            }
            // The protocol has no word for it.
            Purpose::Prove(_) | Purpose::Salt(_) => {
                return Ok(Verdict::Rejected(Rejection::unsupported()));
            }
        };
        let answer = self.ask(&line, DATA_LINES, |reply, _| match reply.status {
            Status::Ok => accept(&reply, &request.user, config),
            _ => Ok(Verdict::Rejected(Rejection::new(kind, reply.text))),
        });
        let verdict = match answer.await {
            Ok(verdict) => Ok(verdict),
            Err(error) => error.into_rejection().map(Verdict::Rejected),
        };
        request.note("module", || match &verdict {
            Ok(Verdict::Accepted(account)) => format!("+OK {}", account.name),
            Ok(Verdict::Rejected(rejection)) => format!("-ERR {}", rejection.text),
            Err(error) => error.to_string(),
        });
        verdict
    }

    async fn change(&self, change: &Change) -> Result<Outcome, Unavailable> {
        let user = change.user.clone();
        let line = match &change.action {
            Action::Delete => Request::Del { user },
            Action::Set { secret, info } => {
                Request::Set { user, secret: secret.clone(), info: info.clone() }
            }
        };
        let answer = self.ask(&line, DATA_LINES, |reply, _| match reply.status {
            Status::Ok => Ok(Outcome::Done(reply.text)),
            _ => Ok(Outcome::Refused(Rejection::new(RejectionKind::NotAllowed, reply.text))),
        });
        match answer.await {
            Ok(outcome) => Ok(outcome),
            Err(error) => error.into_rejection().map(Outcome::Refused),
        }
    }

    async fn search(&self, search: &Search) -> Result<SearchOutcome, Unavailable> {
        let Search { pattern, from, max, .. } = search.clone();
        let lines = max.unwrap_or(SEARCH_LINES);
        let line = Request::Search { pattern, from, max };
        match self.ask(&line, lines, |reply, data| found(&reply, &data)).await {
            Ok(outcome) => Ok(outcome),
            Err(error) => error.into_rejection().map(SearchOutcome::Refused),
        }
    }

    fn sees_address(&self) -> bool {
        self.shared.config.send_address
    }

    async fn close(&self) {
        self.shutdown().await;
    }
}

impl PoolError {
    /// What could not be written was refused; all else is no answer.
    fn into_rejection(self) -> Result<Rejection, Unavailable> {
        match self {
            Self::NotCarriable(error) => {
                Ok(Rejection::new(RejectionKind::BadInput, error.to_string()))
            }
            Self::Unavailable(error) => Err(error),
        }
    }
}

/// The account of an `+OK`, which must be the one that was asked about.
fn accept(reply: &Reply, asked: &Username, config: &PoolConfig) -> Result<Verdict, Fault> {
    let account: Account = reply.to_account()?;
    if names_user(&account.name, asked, config) {
        Ok(Verdict::accepted(account))
    } else {
        Err(Fault::WrongUser)
    }
}

/// Whether `answered` is the user `asked`: the same but for case, or but for a
/// domain of ours that one of the two has and the other has not.
fn names_user(answered: &Username, asked: &Username, config: &PoolConfig) -> bool {
    if answered.same_but_for_case(asked) {
        return true;
    }
    let (answered_local, answered_domain) = answered.split_domain();
    let (asked_local, asked_domain) = asked.split_domain();
    let ((Some(domain), None) | (None, Some(domain))) = (answered_domain, asked_domain) else {
        return false;
    };
    let ours = config.domains.iter().any(|known| known.as_str().eq_ignore_ascii_case(domain));
    ours && answered_local.eq_ignore_ascii_case(asked_local)
}

/// The hits of a search, and how many records the module says it looked at.
fn found(reply: &Reply, data: &[DataLine]) -> Result<SearchOutcome, Fault> {
    if reply.status != Status::Ok {
        let rejection = Rejection::new(RejectionKind::Unsupported, reply.text.clone());
        return Ok(SearchOutcome::Refused(rejection));
    }
    let hits = data.iter().map(DataLine::to_hit).collect::<Result<Vec<_>, _>>()?;
    let scanned = reply.text.rsplit(' ').next().and_then(|word| word.parse().ok());
    Ok(SearchOutcome::Found(Found { scanned: scanned.unwrap_or(hits.len()), hits }))
}
