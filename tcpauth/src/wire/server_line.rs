//! What the server says after the greeting, as the client reads it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

use dmail_core::{
    Account, DropPath, Hit, Info, Rejection, RejectionKind, Salt, Uid, Unavailable,
    UnavailableKind, Username,
};

use super::answer::is_tellable;
use super::field::{self, Fields};
use super::{Fault, proof};

/// One line of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerLine {
    /// The answer, or a part of it, to the question with this id.
    Answer(u64, Answer),
    /// What nobody asked.
    Push(Push),
}

/// The answer to a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// To `check` and `lookup`: yes.
    Accepted(Account),
    /// Nobody could decide.
    Dead(Unavailable),
    /// To `set` and `del`: made.
    Done(String),
    /// To `search`: the end of the list; how many records were looked at.
    Found(usize),
    /// To `search`: one user. More follows.
    Hit(Hit),
    /// To `prove`: yes, and the server's signature.
    Proved(Account, Box<[u8]>),
    /// To any question: no.
    Rejected(Rejection),
    /// To `salt`.
    Salt(Salt),
}

/// What a server says unasked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Push {
    /// The record of this user was changed.
    Changed(Username),
    /// The server is going down: it answers what it was asked, and is to be
    /// asked no more.
    Closing,
    /// The client broke the protocol, and how. The server closes.
    Fault(String),
    /// The server does not know what was changed: everything that came from it
    /// has to be asked again.
    Lost,
    /// The answer to `ping`.
    Pong,
}

impl ServerLine {
    /// Reads one line, without its end.
    ///
    /// # Errors
    ///
    /// Says how it breaks the protocol.
    pub fn parse(line: &[u8]) -> Result<Self, Fault> {
        let mut fields = Fields::of(line);
        if line.first().is_some_and(u8::is_ascii_digit) {
            let id = fields.number()?;
            let answer = answer(&mut fields)?;
            fields.end()?;
            return Ok(Self::Answer(id, answer));
        }
        let push = match fields.raw()? {
            b"changed" => Push::Changed(fields.user()?),
            b"closing" => Push::Closing,
            b"fault" => Push::Fault(fields.text()?),
            b"lost" => Push::Lost,
            b"pong" => Push::Pong,
            _ => return Err(Fault("an unknown word")),
        };
        fields.end()?;
        Ok(Self::Push(push))
    }
}

impl Push {
    /// Writes the line, with its LF.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Changed(user) => {
                out.extend_from_slice(b"changed");
                field::put(out, user.as_str().as_bytes());
            }
            Self::Closing => out.extend_from_slice(b"closing"),
            Self::Fault(text) => {
                out.extend_from_slice(b"fault");
                field::put(out, text.as_bytes());
            }
            Self::Lost => out.extend_from_slice(b"lost"),
            Self::Pong => out.extend_from_slice(b"pong"),
        }
        out.push(b'\n');
    }
}

fn answer(fields: &mut Fields<'_>) -> Result<Answer, Fault> {
    Ok(match fields.raw()? {
        b"ok" => {
            let account = account(fields)?;
            match fields.named(["signature"])? {
                [None] => Answer::Accepted(account),
                [Some(signature)] => Answer::Proved(account, field::part(signature)?),
            }
        }
        b"salt" => Answer::Salt(proof::salt(fields)?),
        b"no" => {
            // What kind of no it is decides what a client is told: a kind that
            // is not known here must not be taken for another one.
            let kind = word(fields)?;
            let kind = RejectionKind::from_id(kind).ok_or(Fault("an unknown kind of no"))?;
            let rejection = Rejection::new(kind, fields.text()?);
            Answer::Rejected(match fields.named(["told"])? {
                [None] => rejection,
                [Some(told)] => rejection.telling(tellable(told)?),
            })
        }
        b"dead" => {
            let kind = UnavailableKind::from_id(word(fields)?).unwrap_or(UnavailableKind::Dead);
            Answer::Dead(Unavailable::new(kind, fields.text()?))
        }
        b"done" => Answer::Done(fields.text()?),
        b"hit" => {
            let user = fields.user()?;
            Answer::Hit(Hit { user, info: fields.info()?.unwrap_or_default() })
        }
        b"found" => {
            let scanned = usize::try_from(fields.number()?);
            Answer::Found(scanned.map_err(|_| Fault("a number that is too large"))?)
        }
        _ => return Err(Fault("an unknown answer")),
    })
}

fn account(fields: &mut Fields<'_>) -> Result<Account, Fault> {
    let name = fields.user()?;
    let drop = match fields.optional()? {
        None => DropPath::Config,
        Some(path) => drop_file(&field::unescape(path)?)?,
    };
    let uid = match fields.optional()? {
        None => None,
        Some([b'#', digits @ ..]) => {
            let number = u32::try_from(field::number(digits)?);
            Some(Uid::Number(number.map_err(|_| Fault("a uid that is too large"))?))
        }
        Some([b'@', name @ ..]) => Some(Uid::Name(field::text(field::part(name)?)?)),
        Some(_) => return Err(Fault("a uid that is neither #number nor @name")),
    };
    let info: Option<Info> = fields.info()?;
    Ok(Account { name, drop, uid, info: info.unwrap_or_default() })
}

/// A text for mail clients becomes a part of a reply: no line end in it may
/// begin another one.
fn tellable(told: &[u8]) -> Result<String, Fault> {
    let told = field::part(told)?;
    let wrong = Fault("a text for the client that is not one line of printable ASCII");
    if is_tellable(&told) { field::text(told) } else { Err(wrong) }
}

/// A drop path is a full one, and does not climb.
fn drop_file(bytes: &[u8]) -> Result<DropPath, Fault> {
    let path = Path::new(OsStr::from_bytes(bytes));
    let climbs = path.components().any(|part| part == Component::ParentDir);
    if !path.is_absolute() || climbs || bytes.contains(&0) {
        return Err(Fault("a drop path that is not a full one"));
    }
    Ok(DropPath::File(path.to_owned()))
}

fn word<'a>(fields: &mut Fields<'a>) -> Result<&'a str, Fault> {
    std::str::from_utf8(fields.raw()?).map_err(|_| Fault("text that is not UTF-8"))
}
