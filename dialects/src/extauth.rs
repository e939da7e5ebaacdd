//! ejabberd's external authentication: a program on standard input and output.
//!
//! ```text
//!   ejabberd: auth:bob:corp.example:s3cret     a 16-bit length and bytes
//!   program:  00 02 00 01                      yes; 00 02 00 00 is no
//! ```
//!
//! A request that changes an account is two questions: is there such a user
//! (or: is that the password), and then the change.
//!
//! There is no word for "try again later". The program ends: ejabberd starts it
//! again and takes that as no answer, which it does not remember.

use bytes::BytesMut;
use dmail_core::sasl::login_name;
use dmail_core::{
    Action, AuthRequest, Change, Origin, Outcome, RejectionKind, Secret, Service, Username, Verdict,
};

use crate::refused::usable;
use crate::{Answer, Question, Refused, Session, Step, Then, Ticket};

/// The conversation with ejabberd.
#[derive(Debug, Default)]
pub struct ExtauthSession {
    /// Whether accounts may be changed.
    changes: bool,
    stage: Stage,
}

/// What the present request waits for.
#[derive(Debug, Default)]
enum Stage {
    /// There is none.
    #[default]
    Free,
    /// The answer to it.
    Answer,
    /// The answer that allows this change.
    Leave(Leave, Change),
}

/// What has to be so before a change is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leave {
    /// The user exists, and the password, if one was asked for, is right.
    Accepted,
    /// There is no such user.
    Unknown,
}

/// A request, as far as it can be asked.
type Asked = (Question, Stage);

impl ExtauthSession {
    /// A pipe on which nothing was said, and which changes nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One over which ejabberd may set passwords, add users and remove them.
    #[must_use]
    pub fn with_changes() -> Self {
        Self { changes: true, ..Self::default() }
    }

    /// What is asked for a request.
    ///
    /// # Errors
    ///
    /// It is refused unasked; if it is more than a question who exists, that is
    /// for the log.
    fn question(&self, request: &[u8]) -> Result<Asked, Option<Box<Refused>>> {
        let refused = |why: &str| Some(Refused::new(origin(), None, why));
        let Some(request) = Request::parse(request) else {
            return Err(refused("a request without a user and a server"));
        };
        match request.verb {
            b"auth" => Ok((Question::Authenticate(request.check()?), Stage::Answer)),
            b"isuser" => {
                let user = request.user().map_err(|_| None)?;
                Ok((Question::Authenticate(AuthRequest::lookup(user, origin())), Stage::Answer))
            }
            b"setpass" | b"tryregister" | b"removeuser" | b"removeuser3" if !self.changes => {
                Err(refused("accounts are not changed here (-changes)"))
            }
            b"setpass" => Ok(request.set(Leave::Accepted)?),
            b"tryregister" => Ok(request.set(Leave::Unknown)?),
            b"removeuser" => {
                let change = change(request.user()?, Action::Delete);
                Ok((Question::Change(change), Stage::Answer))
            }
            b"removeuser3" => {
                let check = request.check()?;
                let change = change(check.user.clone(), Action::Delete);
                Ok((Question::Authenticate(check), Stage::Leave(Leave::Accepted, change)))
            }
            // A certificate is judged by whoever has seen it.
            b"certauth" => Err(refused("certificates are not judged here")),
            _ => Err(refused("a request that is not known")),
        }
    }
}

/// `verb:user:server[:password]`.
struct Request<'a> {
    verb: &'a [u8],
    /// `user@server`, or `user`.
    name: Vec<u8>,
    password: Option<&'a [u8]>,
}

impl<'a> Request<'a> {
    fn parse(request: &'a [u8]) -> Option<Self> {
        let mut parts = request.splitn(4, |byte| *byte == b':');
        let (verb, user, server) = (parts.next()?, parts.next()?, parts.next()?);
        let mut name = user.to_vec();
        if !server.is_empty() {
            name.push(b'@');
            name.extend_from_slice(server);
        }
        Some(Self { verb, name, password: parts.next() })
    }

    fn user(&self) -> Result<Username, Box<Refused>> {
        let user = login_name(&self.name, Username::MAX_BYTES);
        user.map_err(|why| Refused::new(origin(), None, why))
    }

    fn with_password(&self) -> Result<(Username, Secret), Box<Refused>> {
        usable(&self.name, Secret::new(self.password.unwrap_or_default()), origin())
    }

    fn check(&self) -> Result<AuthRequest, Box<Refused>> {
        let (user, secret) = self.with_password()?;
        Ok(AuthRequest::check(user, secret, origin()))
    }

    /// A new password, if there is leave.
    fn set(&self, leave: Leave) -> Result<Asked, Box<Refused>> {
        let (user, secret) = self.with_password()?;
        let question = Question::Authenticate(AuthRequest::lookup(user.clone(), origin()));
        let change = change(user, Action::Set { secret: Some(secret), info: None });
        Ok((question, Stage::Leave(leave, change)))
    }
}

/// ejabberd tells nothing of its clients.
fn origin() -> Origin {
    Origin::local(Service::Line)
}

fn change(user: Username, action: Action) -> Change {
    Change { user, action, origin: origin() }
}

impl Session for ExtauthSession {
    fn next(&mut self, input: &mut BytesMut, out: &mut Vec<u8>) -> Step {
        if !matches!(self.stage, Stage::Free) {
            return Step::More;
        }
        loop {
            let Some([high, low]) = input.first_chunk().copied() else { return Step::More };
            let end = 2 + usize::from(u16::from_be_bytes([high, low]));
            if input.len() < end {
                return Step::More;
            }
            let request = input.split_to(end);
            match self.question(&request[2..]) {
                Ok((question, stage)) => {
                    self.stage = stage;
                    return Step::Ask(Ticket(1), question);
                }
                Err(refused) => {
                    reply(out, false);
                    if let Some(refused) = refused {
                        return Step::Refused(refused);
                    }
                }
            }
        }
    }

    fn answered(&mut self, _: Ticket, answer: Answer, out: &mut Vec<u8>) -> Then {
        match (std::mem::take(&mut self.stage), answer) {
            // A base that cannot look anybody up has not said no.
            (_, Answer::Verdict(Ok(Verdict::Rejected(rejection))))
                if rejection.kind == RejectionKind::Unsupported =>
            {
                return Then::Close;
            }
            (Stage::Leave(leave, change), Answer::Verdict(Ok(verdict))) => {
                if leave.is_given(&verdict) {
                    self.stage = Stage::Answer;
                    return Then::Ask(Ticket(1), Question::Change(change));
                }
                reply(out, false);
            }
            (_, Answer::Verdict(Ok(verdict))) => {
                reply(out, matches!(verdict, Verdict::Accepted(_)));
            }
            (_, Answer::Changed(Ok(outcome))) => {
                reply(out, matches!(outcome, Outcome::Done(_)));
            }
            _ => return Then::Close,
        }
        Then::GoOn
    }
}

impl Leave {
    fn is_given(self, verdict: &Verdict) -> bool {
        match (self, verdict) {
            (Self::Accepted, Verdict::Accepted(_)) => true,
            (Self::Unknown, Verdict::Rejected(rejection)) => {
                rejection.kind == RejectionKind::UnknownUser
            }
            _ => false,
        }
    }
}

fn reply(out: &mut Vec<u8>, yes: bool) {
    out.extend_from_slice(&[0, 2, 0, u8::from(yes)]);
}

#[cfg(test)]
mod tests {
    use dmail_core::{Account, Purpose, Rejection, Unavailable, UnavailableKind};

    use super::*;
    use crate::talk;

    /// The answers (`y`, `n`, or `.` for the end) to `requests`, asked of a
    /// base that knows only bob@corp.example, and the changes that were made.
    fn talk(mut session: ExtauthSession, requests: &[&str]) -> (String, Vec<String>) {
        let (mut input, mut changes) = (Vec::new(), Vec::new());
        for request in requests {
            let length = u16::try_from(request.len()).expect("a short request");
            input.extend_from_slice(&length.to_be_bytes());
            input.extend_from_slice(request.as_bytes());
        }
        let (out, end) = talk::with(&mut session, &input, |question| match question {
            Question::Authenticate(request) => Answer::Verdict(judge(&request)),
            Question::Change(change) => {
                let word = match change.action {
                    Action::Delete => "del",
                    Action::Set { .. } => "set",
                };
                changes.push(format!("{word} {}", change.user));
                Answer::Changed(Ok(Outcome::Done("done".into())))
            }
            question => panic!("{question:?}"),
        });
        let end = if end.is_empty() { "" } else { "." };
        let letter = |reply: &[u8]| match reply {
            [0, 2, 0, 1] => 'y',
            [0, 2, 0, 0] => 'n',
            other => panic!("{other:?}"),
        };
        (out.chunks(4).map(letter).collect::<String>() + end, changes)
    }

    fn judge(request: &AuthRequest) -> Result<Verdict, Unavailable> {
        let user = &request.user;
        let right = match &request.purpose {
            Purpose::Check(secret) => secret.expose() == b"a:b c",
            _ => true,
        };
        match user.as_str() {
            "down@corp.example" => Err(Unavailable::new(UnavailableKind::Dead, "down")),
            "blind@corp.example" => Ok(Verdict::Rejected(Rejection::unsupported())),
            "bob@corp.example" if right => Ok(Verdict::accepted(Account::named(user.clone()))),
            "bob@corp.example" => Ok(Verdict::Rejected(Rejection::not_verified(user))),
            _ => Ok(Verdict::Rejected(Rejection::unknown_user(user))),
        }
    }

    #[test]
    fn requests_are_answered_in_order() {
        let requests = [
            "auth:bob:corp.example:a:b c",
            "auth:bob:corp.example:wrong",
            "auth:bob:corp.example:",
            "auth:bob:corp.example",
            "isuser:bob:corp.example",
            "isuser:ann:corp.example",
            "setpass:bob:corp.example:new",
            "removeuser:bob:corp.example",
            "nonsense",
            "",
            "auth:bob:corp.example:a:b c",
        ];
        let (answers, changes) = talk(ExtauthSession::new(), &requests);
        assert_eq!((answers.as_str(), changes.len()), ("ynnnynnnnny", 0));
        for end in ["isuser:down:corp.example", "isuser:blind:corp.example"] {
            let (answers, _) = talk(ExtauthSession::new(), &[end, "isuser:bob:corp.example"]);
            assert_eq!(answers, ".", "{end}");
        }
    }

    #[test]
    fn an_account_is_changed_after_the_question_that_allows_it() {
        let rows: &[(&str, &str, &[&str])] = &[
            ("setpass:bob:corp.example:new", "y", &["set bob@corp.example"]),
            ("setpass:bob:corp.example:", "n", &[]),
            ("setpass:ann:corp.example:new", "n", &[]),
            ("setpass:down:corp.example:new", ".", &[]),
            ("tryregister:ann:corp.example:new", "y", &["set ann@corp.example"]),
            ("tryregister:bob:corp.example:new", "n", &[]),
            ("removeuser:bob:corp.example", "y", &["del bob@corp.example"]),
            ("removeuser3:bob:corp.example:a:b c", "y", &["del bob@corp.example"]),
            ("removeuser3:bob:corp.example:wrong", "n", &[]),
            ("certauth:bob:corp.example:x", "n", &[]),
        ];
        for (request, expected, changes) in rows {
            let (answers, made) = talk(ExtauthSession::with_changes(), &[request]);
            assert_eq!(
                (answers.as_str(), made),
                (*expected, changes.iter().map(|change| (*change).to_owned()).collect()),
                "{request}"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_taken_without_a_panic(bytes: Vec<u8>) {
            let mut input = BytesMut::from(&bytes[..]);
            let _ = ExtauthSession::with_changes().next(&mut input, &mut Vec::new());
        }
    }
}
