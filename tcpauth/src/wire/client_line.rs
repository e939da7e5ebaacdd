//! What the client says after the greeting: questions, and `ping`.

use dmail_core::{
    Action, AuthRequest, Change, NameError, Origin, Purpose, Search, Secret, Username,
};

use super::field::{self, Fields};
use super::{Fault, MAX_LINE_BYTES, proof};

/// One line of a client.
#[derive(Debug, Clone)]
pub enum ClientLine {
    /// A question, and the id that its answer must have.
    Ask(u64, Question),
    /// The client is there, and wants to hear that the server is.
    Ping,
}

/// What can be asked.
#[derive(Debug, Clone)]
pub enum Question {
    /// `check` and `lookup`, `salt` and `prove`.
    Authenticate(AuthRequest),
    /// `set` and `del`.
    Change(Change),
    /// `search`.
    Search(Search),
}

/// Why a line is not a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It breaks the protocol.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// It is a question about a name that no user can have: there is an answer
    /// to that.
    #[error("bad user name: {why}")]
    User {
        /// The id of the question.
        id: u64,
        /// What is wrong with the name.
        why: NameError,
    },
}

/// A question that no line can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotCarried {
    /// There is no word for a token.
    #[error("the protocol carries no tokens")]
    Token,
    /// Too long.
    #[error("the question is longer than {MAX_LINE_BYTES} bytes")]
    TooLong,
}

impl ClientLine {
    /// Reads one line, without its end.
    ///
    /// # Errors
    ///
    /// Says what is wrong, without repeating what may be a password.
    pub fn parse(line: &[u8]) -> Result<Self, Malformed> {
        if line == b"ping" {
            return Ok(Self::Ping);
        }
        let mut fields = Fields::of(line);
        let id = fields.number()?;
        let verb = fields.raw()?;
        let question = match verb {
            b"check" => {
                let user = user(&mut fields, id)?;
                let secret = fields.optional()?.ok_or(Fault("a check without a password"))?;
                let secret = Secret::new(field::unescape(secret)?);
                authenticate(user, Purpose::Check(secret), fields.origin()?)
            }
            b"lookup" => {
                let user = user(&mut fields, id)?;
                authenticate(user, Purpose::Lookup, fields.origin()?)
            }
            b"salt" => {
                let user = user(&mut fields, id)?;
                let question = proof::salt_question(&mut fields)?;
                authenticate(user, Purpose::Salt(question), fields.origin()?)
            }
            b"prove" => {
                let user = user(&mut fields, id)?;
                let proof = proof::proof(&mut fields)?;
                authenticate(user, Purpose::Prove(proof), fields.origin()?)
            }
            b"set" => {
                let user = user(&mut fields, id)?;
                let secret = fields.optional()?.map(field::unescape).transpose()?;
                let action = Action::Set { secret: secret.map(Secret::new), info: fields.info()? };
                Question::Change(Change { user, action, origin: fields.origin()? })
            }
            b"del" => {
                let user = user(&mut fields, id)?;
                Question::Change(Change { user, action: Action::Delete, origin: fields.origin()? })
            }
            b"search" => {
                let pattern = fields.text()?;
                let from = size(fields.number()?)?;
                let max = fields.optional()?.map(field::number).transpose()?;
                let max = max.map(size).transpose()?;
                Question::Search(Search { pattern, from, max, origin: fields.origin()? })
            }
            _ => return Err(Fault("an unknown verb").into()),
        };
        fields.end()?;
        Ok(Self::Ask(id, question))
    }
}

/// The name that is asked about. That it is none is found here and said in an
/// answer: the front end may know other rules of names.
fn user(fields: &mut Fields<'_>, id: u64) -> Result<Username, Malformed> {
    let field = fields.raw()?;
    let name = match memchr::memchr(b'%', field) {
        None => Username::parse(field),
        Some(_) => Username::parse(&field::unescape(field)?),
    };
    name.map_err(|why| Malformed::User { id, why })
}

fn authenticate(user: Username, purpose: Purpose, origin: Origin) -> Question {
    Question::Authenticate(AuthRequest { user, purpose, origin, trace: None })
}

fn size(number: u64) -> Result<usize, Fault> {
    usize::try_from(number).map_err(|_| Fault("a number that is too large"))
}

impl Question {
    /// Writes the question as a line, with its LF.
    ///
    /// # Errors
    ///
    /// If no line can hold it. `out` is as it was then.
    pub fn write(&self, out: &mut Vec<u8>, id: u64) -> Result<(), NotCarried> {
        match self {
            Self::Authenticate(request) => write_request(out, id, request),
            Self::Change(change) => write_change(out, id, change),
            Self::Search(search) => bounded(out, |out| {
                field::put_digits(out, id);
                out.extend_from_slice(b" search");
                field::put(out, search.pattern.as_bytes());
                field::put_number(out, search.from as u64);
                match search.max {
                    Some(max) => field::put_number(out, max as u64),
                    None => field::put_nothing(out),
                }
                field::put_origin(out, &search.origin);
                Ok(())
            }),
        }
    }
}

fn write_request(out: &mut Vec<u8>, id: u64, request: &AuthRequest) -> Result<(), NotCarried> {
    let verb = match &request.purpose {
        Purpose::Check(_) => " check",
        Purpose::Lookup => " lookup",
        Purpose::Salt(_) => " salt",
        Purpose::Prove(_) => " prove",
    };
    bounded(out, |out| {
        field::put_digits(out, id);
        out.extend_from_slice(verb.as_bytes());
        field::put(out, request.user.as_str().as_bytes());
        match &request.purpose {
            Purpose::Check(secret) => field::put(out, secret.expose()),
            Purpose::Lookup => {}
            Purpose::Salt(question) => proof::put_salt_question(out, question),
            Purpose::Prove(proof) => proof::put_proof(out, proof)?,
        }
        field::put_origin(out, &request.origin);
        Ok(())
    })
}

fn write_change(out: &mut Vec<u8>, id: u64, change: &Change) -> Result<(), NotCarried> {
    bounded(out, |out| {
        field::put_digits(out, id);
        let user = change.user.as_str().as_bytes();
        match &change.action {
            Action::Delete => {
                out.extend_from_slice(b" del");
                field::put(out, user);
            }
            Action::Set { secret, info } => {
                out.extend_from_slice(b" set");
                field::put(out, user);
                match secret {
                    Some(secret) => field::put(out, secret.expose()),
                    None => field::put_nothing(out),
                }
                match info {
                    Some(info) => field::put_info(out, info),
                    None => field::put_nothing(out),
                }
            }
        }
        field::put_origin(out, &change.origin);
        Ok(())
    })
}

/// Ends the line that `write` wrote, or takes it back.
fn bounded(
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), NotCarried>,
) -> Result<(), NotCarried> {
    let start = out.len();
    let written = write(out).and_then(|()| match out.len() - start {
        ..=MAX_LINE_BYTES => Ok(()),
        _ => Err(NotCarried::TooLong),
    });
    match written {
        Ok(()) => out.push(b'\n'),
        Err(_) => {
            out[start..].fill(0);
            out.truncate(start);
        }
    }
    written
}
