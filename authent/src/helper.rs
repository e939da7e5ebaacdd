//! The answering end of the line protocol: serves an [`Authenticator`] on a
//! byte stream, as every module program does on its standard input and output.
//!
//! Requests are answered one after the other, in order. Those that arrived
//! together are answered in one write. Half a line at the end of the input is
//! not run.

use std::io;

use bytes::BytesMut;
use dmail_core::{
    AuthRequest, Authenticator, Change, Origin, Outcome, Search, SearchOutcome, Service,
    Unavailable, Verdict,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_util::codec::Decoder;

use crate::line::{DataLine, Quoting, Reply, ReplyLine, Request, RequestCodec};

/// The answer to `help`, in the order of the manual.
const HELP: &str = "commands: check lookup set del search version help exit quit";

/// What a module program says about itself, and how it takes arguments.
#[derive(Debug, Clone)]
pub struct Manners {
    /// The answer to `version`.
    pub version: String,
    /// How arguments are written.
    pub quoting: Quoting,
    /// Whether `set` and `del` are answered at all.
    pub changes: bool,
}

/// Answers requests from `input` on `output` until `exit`, `quit` or the end
/// of the input.
///
/// # Errors
///
/// If a stream breaks.
pub async fn serve(
    mut input: impl AsyncRead + Unpin,
    mut output: impl AsyncWrite + Unpin,
    source: &dyn Authenticator,
    manners: &Manners,
) -> io::Result<()> {
    let mut codec = RequestCodec::new(manners.quoting);
    let mut arrived = BytesMut::new();
    let mut replies = Vec::new();
    loop {
        while let Some(request) = codec.decode(&mut arrived)? {
            match request {
                Ok(Request::Exit) => {
                    Reply::ok("goodbye").write(&mut replies);
                    output.write_all(&replies).await?;
                    return output.flush().await;
                }
                Ok(request) => answer(request, source, manners, &mut replies).await,
                Err(error) => Reply::err(error.to_string()).write(&mut replies),
            }
        }
        if !replies.is_empty() {
            output.write_all(&replies).await?;
            output.flush().await?;
            replies.clear();
        }
        if input.read_buf(&mut arrived).await? == 0 {
            return Ok(());
        }
    }
}

/// Answers one request, if what the source remembers is enough for that.
pub fn answer_at_once(request: &Request, source: &dyn Authenticator, out: &mut Vec<u8>) -> bool {
    let origin = Origin::local(Service::Line);
    let question = match request {
        Request::Check { user, secret, client } => {
            let origin = Origin { client: *client, ..origin };
            AuthRequest::check(user.clone(), secret.clone(), origin)
        }
        Request::Lookup { user } => AuthRequest::lookup(user.clone(), origin),
        _ => return false,
    };
    let Some(account) = source.recall(&question) else { return false };
    Reply::account(&account).write(out);
    true
}

/// Answers one request in lines.
pub async fn answer(
    request: Request,
    source: &dyn Authenticator,
    manners: &Manners,
    out: &mut Vec<u8>,
) {
    let origin = Origin::local(Service::Line);
    let reply = match request {
        Request::Check { user, secret, client } => {
            let origin = Origin { client, ..origin };
            verdict(source.authenticate(&AuthRequest::check(user, secret, origin)).await)
        }
        Request::Lookup { user } => {
            verdict(source.authenticate(&AuthRequest::lookup(user, origin)).await)
        }
        Request::Set { .. } | Request::Del { .. } if !manners.changes => {
            Reply::err("changes are not allowed here")
        }
        Request::Set { user, secret, info } => {
            let action = dmail_core::Action::Set { secret, info };
            outcome(source.change(&Change { user, action, origin }).await)
        }
        Request::Del { user } => {
            let action = dmail_core::Action::Delete;
            outcome(source.change(&Change { user, action, origin }).await)
        }
        Request::Search { pattern, from, max } => {
            found(source.search(&Search { pattern, from, max, origin }).await, out)
        }
        Request::Version => Reply::ok(manners.version.clone()),
        Request::Help => Reply::ok(HELP),
        Request::Exit => Reply::ok("goodbye"),
    };
    reply.write(out);
}

fn verdict(verdict: Result<Verdict, Unavailable>) -> Reply {
    match verdict {
        Ok(Verdict::Accepted(account)) => Reply::account(&account),
        Ok(Verdict::Rejected(rejection)) => Reply::err(rejection.text),
        Err(error) => Reply::dead(error.detail),
    }
}

fn outcome(outcome: Result<Outcome, Unavailable>) -> Reply {
    match outcome {
        Ok(Outcome::Done(text)) => Reply::ok(text),
        Ok(Outcome::Refused(rejection)) => Reply::err(rejection.text),
        Err(error) => Reply::dead(error.detail),
    }
}

/// The `+DATA` lines of a search go ahead of its final line.
fn found(outcome: Result<SearchOutcome, Unavailable>, out: &mut Vec<u8>) -> Reply {
    match outcome {
        Ok(SearchOutcome::Found(found)) => {
            for hit in &found.hits {
                ReplyLine::Data(DataLine::hit(hit)).write(out);
            }
            Reply::search_done(&found)
        }
        Ok(SearchOutcome::Refused(rejection)) => Reply::err(rejection.text),
        Err(error) => Reply::dead(error.detail),
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use dmail_core::{Account, Found, Hit, Info, Purpose, Rejection, UnavailableKind, Username};

    use super::*;

    /// Knows bob, whose password is s3cret.
    struct Base;

    #[async_trait]
    impl Authenticator for Base {
        async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
            match (request.user.as_str(), &request.purpose) {
                ("down", _) => Err(Unavailable::new(UnavailableKind::Dead, "database down")),
                ("bob", Purpose::Check(secret)) if secret.expose() != b"s3cret" => {
                    Ok(Verdict::Rejected(Rejection::not_verified(&request.user)))
                }
                ("bob", _) => Ok(Verdict::accepted(Account::named(request.user.clone()))),
                _ => Ok(Verdict::Rejected(Rejection::unknown_user(&request.user))),
            }
        }

        async fn search(&self, _: &Search) -> Result<SearchOutcome, Unavailable> {
            let user = Username::parse(b"bob").expect("a name");
            let info: Info = r#"name="Bob""#.parse().expect("info");
            Ok(SearchOutcome::Found(Found { hits: vec![Hit { user, info }], scanned: 7 }))
        }
    }

    #[tokio::test]
    async fn a_session_reads_as_in_the_manual() {
        let input = "check bob s3cret 192.0.2.7\ncheck bob wrong\r\nlookup bob\nlookup eve\n\
                     lookup down\nsearch b*\nset bob x\nversion\nnonsense\nquit\nlookup bob\n";
        let expected = "+OK bob config\n-ERR bob password wrong or not a valid user\n\
                        +OK bob config\n-ERR eve does not exist\n-DEAD database down\n\
                        +DATA bob name=\"Bob\"\n+OK Search Complete 1 items found out of 7\n\
                        -ERR changes are not allowed here\n+OK test 1.0\n\
                        -ERR unknown command, try help\n+OK goodbye\n";
        let quoting = Quoting::default();
        let manners = Manners { version: "test 1.0".into(), quoting, changes: false };
        let mut output = Vec::new();
        serve(input.as_bytes(), &mut output, &Base, &manners).await.expect("no IO error");
        assert_eq!(String::from_utf8_lossy(&output), expected);
    }

    #[tokio::test]
    async fn half_a_line_is_not_run() {
        let manners =
            Manners { version: String::new(), quoting: Quoting::default(), changes: true };
        let mut output = Vec::new();
        serve(&b"del bob"[..], &mut output, &Base, &manners).await.expect("no IO error");
        assert!(output.is_empty());
    }
}
