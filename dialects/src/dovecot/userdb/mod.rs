//! Who a user is, without a password: what Dovecot's LMTP and LDA, its mail
//! processes and `doveadm` ask its userdb and master sockets.
//!
//! ```text
//!   server: VERSION 1 1 · SPID pid
//!   client: VERSION 1 n
//!   client: USER id name service=lmtp     server: USER id name uid=… home=… │ NOTFOUND id │ FAIL id
//!   client: PASS id name service=lmtp     server: PASS id user=name │ NOTFOUND id │ FAIL id
//!   client: LIST id user=mask             server: LIST id name · … · DONE id
//!
//! and on a master socket, too:
//!
//!   client: REQUEST id pid login cookie   as USER, of the user who made this login
//!   client: CACHE-FLUSH id mask …         server: OK id number
//!   client: CACHE-STATUS id [reset]       server: OK id hits=… misses=… pos_entries=… …
//! ```
//!
//! `FAIL` is temporary here: LMTP answers 451 to it. `NOTFOUND` bounces mail,
//! so it is said only if a user base said so.

mod account;

use std::collections::HashMap;
use std::sync::Arc;

use bytes::BytesMut;
use dmail_core::sasl::login_name;
use dmail_core::{
    Account, AuthRequest, CacheStatus, Origin, RejectionKind, Search, SearchOutcome, Service,
    Username, Verdict,
};

use super::line::{self, put_escaped};
use super::logins::{Cookie, Logins};
use super::origin;
use crate::lines::{Broken, LineSession, Lines};
use crate::{Answer, Question, Session, Step, Then, Ticket};

/// Longest line that Dovecot's own server takes on this socket is 1,024 bytes;
/// newer clients send more fields.
const MAX_LINE: usize = 8_192;
/// Requests of one connection that may wait at a time.
const MAX_WAITING: usize = 1_000;

/// What a connection is told about its server.
#[derive(Debug, Clone)]
pub struct Config {
    /// The server's process.
    pub pid: u32,
    /// The home folder of a user: this path with `%u` (the name), `%n` (its
    /// part before `@`) and `%d` (after it) put in. `None` names no home.
    pub home: Option<String>,
    /// The owner of accounts that have none with a number.
    pub uid: Option<u32>,
    /// The group of all accounts.
    pub gid: Option<u32>,
    /// Whether a user's drop file is told, to be the INBOX. Otherwise, mail is
    /// where Dovecot's own configuration says.
    pub tells_drop_file: bool,
    /// The logins that mail processes take up. `None`: this is no master
    /// socket.
    pub master: Option<Arc<Logins>>,
}

/// One client's conversation.
pub struct UserdbSession {
    config: Config,
    lines: Lines,
    greeted: bool,
    waiting: HashMap<u32, Verb>,
}

/// What a request wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    User,
    Pass,
    List,
    Request,
    CacheFlush,
    CacheStatus,
}

impl UserdbSession {
    /// A connection on which nothing was said.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self { config, lines: Lines::new(MAX_LINE), greeted: false, waiting: HashMap::new() }
    }

    /// Asks who the user is that has made a login: `pid id cookie`.
    fn login<'a>(
        &self,
        mut fields: impl Iterator<Item = &'a [u8]>,
    ) -> Result<Option<Question>, Broken> {
        let mut number = || fields.next().and_then(line::id);
        let (Some(client_pid), Some(login)) = (number(), number()) else {
            return Err(Broken("a REQUEST without a login"));
        };
        let cookie = fields.next().and_then(cookie).ok_or(Broken("a REQUEST without a cookie"))?;
        let logins = self.config.master.as_ref();
        let user = logins.and_then(|logins| logins.take(cookie, client_pid, login));
        // By the name that the login has led to, whatever address it came to;
        // it has been judged.
        let origin = Origin::local(Service::Line);
        Ok(user.map(|user| Question::Authenticate(AuthRequest::lookup(user, origin))))
    }

    fn tell_user(&self, out: &mut Vec<u8>, id: u32, account: &Account) {
        out.extend_from_slice(format!("USER\t{id}\t").as_bytes());
        put_escaped(out, account.name.as_str().as_bytes());
        account::put(out, &self.config, account);
        out.push(b'\n');
    }
}

impl LineSession for UserdbSession {
    fn lines(&mut self) -> &mut Lines {
        &mut self.lines
    }

    fn line(&mut self, line: &[u8], out: &mut Vec<u8>) -> Result<Option<Step>, Broken> {
        let mut fields = line::fields(line);
        let verb = match fields.next().unwrap_or_default() {
            b"VERSION" => {
                self.greeted = true;
                return match fields.next() {
                    Some(b"1") => Ok(None),
                    _ => Err(Broken("another major version of the protocol")),
                };
            }
            _ if !self.greeted => return Err(Broken("no VERSION first")),
            b"USER" => Verb::User,
            b"PASS" => Verb::Pass,
            b"LIST" => Verb::List,
            b"REQUEST" if self.config.master.is_some() => Verb::Request,
            b"CACHE-FLUSH" if self.config.master.is_some() => Verb::CacheFlush,
            b"CACHE-STATUS" if self.config.master.is_some() => Verb::CacheStatus,
            _ => return Ok(None),
        };
        let id = fields.next().and_then(line::id).ok_or(Broken("a request without id"))?;
        if self.waiting.contains_key(&id) {
            return Err(Broken("an id that is in use"));
        }
        if self.waiting.len() >= MAX_WAITING {
            fail(out, id, verb);
            return Ok(None);
        }
        let question = match verb {
            Verb::User | Verb::Pass => lookup(fields)?,
            Verb::List => Some(Question::Search(search(fields))),
            Verb::Request => self.login(fields)?,
            Verb::CacheFlush => Some(Question::Forget(masks(fields))),
            Verb::CacheStatus => Some(Question::CacheStatus(fields.any(|field| field == b"reset"))),
        };
        let Some(question) = question else {
            match verb {
                // What nobody logged in with is no user that is missing.
                Verb::Request => fail(out, id, verb),
                _ => not_found(out, id),
            }
            return Ok(None);
        };
        self.waiting.insert(id, verb);
        Ok(Some(Step::Ask(Ticket(id.into()), question)))
    }
}

impl Session for UserdbSession {
    fn greeting(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("VERSION\t1\t1\nSPID\t{}\n", self.config.pid).as_bytes());
    }

    fn next(&mut self, input: &mut BytesMut, out: &mut Vec<u8>) -> Step {
        self.take_lines(input, out)
    }

    fn answered(&mut self, ticket: Ticket, answer: Answer, out: &mut Vec<u8>) -> Then {
        let Ok(id) = u32::try_from(ticket.0) else { return Then::GoOn };
        let Some(verb) = self.waiting.remove(&id) else { return Then::GoOn };
        match (verb, answer) {
            (Verb::User | Verb::Request, Answer::Verdict(Ok(Verdict::Accepted(account)))) => {
                self.tell_user(out, id, &account);
            }
            (Verb::Pass, Answer::Verdict(Ok(Verdict::Accepted(account)))) => {
                out.extend_from_slice(format!("PASS\t{id}\tuser=").as_bytes());
                put_escaped(out, account.name.as_str().as_bytes());
                out.push(b'\n');
            }
            (_, Answer::Verdict(Ok(Verdict::Rejected(rejection)))) => match rejection.kind {
                RejectionKind::UnknownUser
                | RejectionKind::NotVerified
                | RejectionKind::Disabled
                | RejectionKind::BadInput => not_found(out, id),
                RejectionKind::NotAllowed
                | RejectionKind::OnHold
                | RejectionKind::Throttled
                | RejectionKind::Unsupported => fail(out, id, verb),
            },
            (_, Answer::Found(Ok(SearchOutcome::Found(found)))) => {
                for hit in &found.hits {
                    out.extend_from_slice(format!("LIST\t{id}\t").as_bytes());
                    put_escaped(out, hit.user.as_str().as_bytes());
                    out.push(b'\n');
                }
                out.extend_from_slice(format!("DONE\t{id}\t\n").as_bytes());
            }
            (Verb::CacheFlush, Answer::Forgotten(count)) => {
                out.extend_from_slice(format!("OK\t{id}\t{count}\n").as_bytes());
            }
            (Verb::CacheStatus, Answer::CacheStatus(status)) => tell_status(out, id, &status),
            _ => fail(out, id, verb),
        }
        Then::GoOn
    }
}

/// Asks who the named user is; nobody if no user can have this name.
fn lookup<'a>(mut fields: impl Iterator<Item = &'a [u8]>) -> Result<Option<Question>, Broken> {
    let name = fields.next().ok_or(Broken("a request without a name"))?;
    let name = line::unescape(name);
    let mut origin = Origin::local(Service::Line);
    for field in fields {
        let (name, value) = origin::split(field);
        origin::take(&mut origin, name, &line::unescape(value));
    }
    let user = login_name(&name, Username::MAX_BYTES).ok();
    Ok(user.map(|user| Question::Authenticate(AuthRequest::lookup(user, origin))))
}

/// The masks of users whose memory is to be dropped.
fn masks<'a>(fields: impl Iterator<Item = &'a [u8]>) -> Vec<String> {
    let mask = |field| String::from_utf8_lossy(&line::unescape(field)).into_owned();
    fields.filter(|field| !field.is_empty()).map(mask).collect()
}

/// 32 hexadecimal digits.
fn cookie(digits: &[u8]) -> Option<Cookie> {
    let text = std::str::from_utf8(digits).ok().filter(|text| text.len() == 32)?;
    let number = u128::from_str_radix(text, 16).ok()?;
    text.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| number.to_be_bytes())
}

/// A list of all users, or of those that fit `user=mask`.
fn search<'a>(fields: impl Iterator<Item = &'a [u8]>) -> Search {
    let mut pattern = "*".to_owned();
    for field in fields {
        if let (b"user", mask) = origin::split(field) {
            pattern = String::from_utf8_lossy(&line::unescape(mask)).into_owned();
        }
    }
    // Without a wildcard our search finds parts of names; Dovecot's mask is a
    // whole name.
    Search { pattern, from: 0, max: None, origin: Origin::local(Service::Line) }
}

/// How well memory serves. No "no" is remembered, and sizes are users: that is
/// what the memory has room for.
fn tell_status(out: &mut Vec<u8>, id: u32, status: &CacheStatus) {
    let CacheStatus { hits, misses, users, room } = status;
    let text = format!(
        "OK\t{id}\thits={hits}\tmisses={misses}\tpos_entries={users}\tneg_entries=0\t\
         used_size={users}\tmax_size={room}\n"
    );
    out.extend_from_slice(text.as_bytes());
}

fn not_found(out: &mut Vec<u8>, id: u32) {
    out.extend_from_slice(format!("NOTFOUND\t{id}\n").as_bytes());
}

fn fail(out: &mut Vec<u8>, id: u32, verb: Verb) {
    let text = match verb {
        Verb::List => format!("DONE\t{id}\tfail\n"),
        Verb::User | Verb::Pass | Verb::Request | Verb::CacheFlush | Verb::CacheStatus => {
            format!("FAIL\t{id}\n")
        }
    };
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests;
