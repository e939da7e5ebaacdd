//! Logins: what Postfix (`smtpd_sasl_type = dovecot`), Exim
//! (`driver = dovecot`) and Dovecot's own login processes ask.
//!
//! ```text
//!   server: VERSION 1 2 · MECH PLAIN plaintext · … · SPID · CUID · COOKIE · DONE
//!   client: VERSION 1 n · CPID pid
//!   client: AUTH id PLAIN service=smtp rip=… resp=base64    any number at once
//!   server: OK id user=… │ FAIL id code=… │ CONT id base64
//! ```
//!
//! Everything the server has to say is said at once, and MECH before SPID:
//! Exim hangs if it has to speak first, and Postfix gives up on the other
//! order, which is that of Dovecot's own documentation. The one exception is in
//! `auth/handshake.rs`.
//!
//! What a login says is the matter of [`Exchange`]; here it is wrapped.

mod handshake;

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::BytesMut;
use dmail_core::sasl::{self, Exchange, Mechanism, Terms, Turn};
use dmail_core::{
    Account, AuthRequest, Origin, Rejection, RejectionKind, Secret, Service, TokenIssuer, Username,
};

use super::line::{self, MAX_AUTH_LINE, put_escaped};
use super::logins::{Cookie, Logins};
use super::origin;
use crate::lines::{Broken, Lines};
use crate::{Answer, Question, Session, Step, Then, Ticket};

/// Requests of one connection that may wait at a time. Postfix and Exim have
/// one, Dovecot's login processes one for each client.
const MAX_WAITING: usize = 1_000;

/// How nobody's decision is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tempfail {
    /// As the client's version lets hope that it understands.
    #[default]
    ByVersion,
    /// The connection is cut. Postfix and Exim then say 454 and 435; to
    /// `FAIL … code=temp_fail` they say 535, "wrong password". For clients that
    /// have one request at a time.
    Close,
    /// `FAIL … code=temp_fail`, which Dovecot's own processes understand. They
    /// take a connection that is cut for wrong passwords (up to 2.3.21).
    Code,
}

impl Tempfail {
    /// Whether a client of this minor version is told in words. Postfix, Exim
    /// and others that are satisfied with less say 0 or 1, Dovecot says 2
    /// since 2.3.
    fn is_in_words(self, minor: Option<u32>) -> bool {
        match self {
            Self::ByVersion => minor.is_some_and(|minor| minor >= 2),
            Self::Close => false,
            Self::Code => true,
        }
    }
}

/// What a connection is told about its server.
#[derive(Debug, Clone)]
pub struct Config {
    /// How nobody's decision is told.
    pub tempfail: Tempfail,
    /// The mechanisms that are offered, in this order: [`PASSWORDS`], and
    /// others that the user base can judge ([`Mechanism::is_served_by`]).
    pub mechanisms: Arc<[Mechanism]>,
    /// Where clients get their tokens, if any are judged.
    pub issuer: Option<Arc<TokenIssuer>>,
    /// The server's process.
    pub pid: u32,
    /// The number of this connection, unlike that of any other.
    pub connection: u32,
    /// Random bytes, with which a master connection names this one.
    pub cookie: Cookie,
    /// Where logins wait for the mail process that takes them up, if there is
    /// a master connection for it.
    pub logins: Option<Arc<Logins>>,
}

/// The mechanisms of every user base.
pub const PASSWORDS: [Mechanism; 2] = [Mechanism::Plain, Mechanism::Login];

/// One client's conversation.
pub struct AuthSession {
    config: Config,
    lines: Lines,
    /// The client's process, once it has said so.
    client_pid: Option<u32>,
    /// The client's minor version, once it has said it.
    client: Option<u32>,
    /// The logins that are not decided, by their ids.
    logins: HashMap<u32, Login>,
    /// Whose question each ticket is. A ticket is never used for two questions,
    /// as an id may be: a late answer to a cancelled login is nobody's.
    tickets: HashMap<u32, u32>,
    last_ticket: u32,
}

/// A login that is not decided.
struct Login {
    origin: Origin,
    exchange: Exchange,
    /// Whether the client takes the last message together with `OK`.
    takes_last: bool,
    /// Whether a mail process will take the login up.
    is_taken_up: bool,
    stage: Stage,
    /// Its place in the order of arrival.
    begun: u32,
}

enum Stage {
    /// A message of the client's is to come.
    Responding,
    /// The gateway is being asked.
    Asked,
    /// The client has to read the last message, and then it is in.
    Ending(Arc<Account>),
}

impl AuthSession {
    /// A connection that nothing was said on.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            config,
            lines: Lines::new(MAX_AUTH_LINE),
            client_pid: None,
            client: None,
            logins: HashMap::new(),
            tickets: HashMap::new(),
            last_ticket: 0,
        }
    }

    fn line(&mut self, line: &[u8], out: &mut Vec<u8>) -> Result<Option<Step>, Broken> {
        let mut fields = line::fields(line);
        match (fields.next().unwrap_or_default(), self.client) {
            (b"VERSION", known) => {
                let Some(b"1") = fields.next() else {
                    return Err(Broken("another major version of the protocol"));
                };
                if known.is_none() {
                    let minor = fields.next().and_then(line::id).unwrap_or(0);
                    handshake::answer(&self.config, minor, out);
                    self.client = Some(minor);
                }
                Ok(None)
            }
            (_, None) => Err(Broken("no VERSION first")),
            (b"AUTH", Some(minor)) => self.begin(minor, fields, out),
            (b"CONT", _) => self.go_on(fields, out),
            (b"CANCEL", _) => {
                let id = fields.next().and_then(line::id).ok_or(Broken("CANCEL without id"))?;
                self.logins.remove(&id);
                self.tickets.retain(|_, asked| *asked != id);
                Ok(None)
            }
            (b"CPID", _) => {
                self.client_pid = fields.next().and_then(line::id);
                Ok(None)
            }
            // Whatever later versions have to say.
            _ => Ok(None),
        }
    }

    fn begin<'a>(
        &mut self,
        minor: u32,
        mut fields: impl Iterator<Item = &'a [u8]>,
        out: &mut Vec<u8>,
    ) -> Result<Option<Step>, Broken> {
        let id = fields.next().and_then(line::id).ok_or(Broken("AUTH without id"))?;
        if self.logins.contains_key(&id) {
            return Err(Broken("an id that is in use"));
        }
        let mechanism = fields.next().ok_or(Broken("AUTH without mechanism"))?;
        let mut origin = Origin::local(Service::Line);
        let mut response = None;
        let (mut takes_last, mut is_taken_up) = (false, true);
        for field in fields {
            if response.is_some() {
                return Err(Broken("a parameter behind resp"));
            }
            let (name, value) = origin::split(field);
            match name {
                // By the protocol it is the last one, and not escaped.
                b"resp" => response = Some(value),
                b"final-resp-ok" => takes_last = true,
                b"nologin" => is_taken_up = false,
                _ => origin::take(&mut origin, name, &line::unescape(value)),
            }
        }
        let offered = |wanted: &Mechanism| {
            handshake::offered(&self.config, minor).any(|offered| offered == *wanted)
        };
        let Some(mechanism) = Mechanism::parse(mechanism).filter(offered) else {
            fail(out, id, &[b"reason=Unsupported authentication mechanism"]);
            return Ok(None);
        };
        if !self.makes_room(out) {
            fail(out, id, &[b"code=temp_fail"]);
            return Ok(None);
        }
        let terms = Terms {
            nonce: STANDARD.encode(rand::random::<[u8; 18]>()).into(),
            plus_offered: handshake::offered(&self.config, minor).any(Mechanism::is_bound),
            max_name: Username::MAX_BYTES,
            issuer: self.config.issuer.clone(),
        };
        let exchange = Exchange::new(mechanism, terms);
        let first = exchange.begin();
        let begun = self.next_number();
        let stage = Stage::Responding;
        let login = Login { origin, exchange, takes_last, is_taken_up, stage, begun };
        self.logins.insert(id, login);
        Ok(match response {
            // Exim sends an empty one when it has none; nobody else sends it.
            None | Some(b"") => self.turn(id, first, out),
            Some(response) => self.respond(id, response, None, out),
        })
    }

    /// Makes room for one more login, if there is none: whoever has waited
    /// longest for its client may try again. It may have none any more.
    fn makes_room(&mut self, out: &mut Vec<u8>) -> bool {
        if self.logins.len() < MAX_WAITING {
            return true;
        }
        let idle = self.logins.iter().filter(|(_, login)| !matches!(login.stage, Stage::Asked));
        let Some(oldest) = idle.min_by_key(|(_, login)| login.begun).map(|(id, _)| *id) else {
            return false;
        };
        self.logins.remove(&oldest);
        fail(out, oldest, &[b"code=temp_fail"]);
        true
    }

    fn next_number(&mut self) -> u32 {
        self.last_ticket = self.last_ticket.wrapping_add(1);
        self.last_ticket
    }

    fn go_on<'a>(
        &mut self,
        mut fields: impl Iterator<Item = &'a [u8]>,
        out: &mut Vec<u8>,
    ) -> Result<Option<Step>, Broken> {
        let id = fields.next().and_then(line::id).ok_or(Broken("CONT without id"))?;
        let response = fields.next().unwrap_or_default();
        let binding = fields.map(origin::split).find(|(name, _)| *name == b"channel_binding");
        let binding = binding.map(|(_, value)| line::unescape(value));
        match self.logins.get(&id).map(|login| &login.stage) {
            None => {
                // It may be one that had to make room.
                fail(out, id, &[]);
                Ok(None)
            }
            Some(Stage::Asked) => Err(Broken("a response to no question")),
            Some(Stage::Ending(account)) => {
                let account = Arc::clone(account);
                self.admit(id, &account, None, out);
                Ok(None)
            }
            Some(Stage::Responding) => Ok(self.respond(id, response, binding.as_deref(), out)),
        }
    }

    /// Takes a message of a login, which `id` has.
    fn respond(
        &mut self,
        id: u32,
        response: &[u8],
        binding: Option<&[u8]>,
        out: &mut Vec<u8>,
    ) -> Option<Step> {
        let decoded = match response {
            b"=" => Ok(Secret::new(Vec::new())),
            response => sasl::decode(response),
        };
        let binding = binding.map(sasl::decode).transpose();
        let (Ok(message), Ok(binding)) = (decoded, binding) else {
            self.logins.remove(&id);
            fail(out, id, &[b"code=invalid_base64"]);
            return None;
        };
        let login = self.logins.get_mut(&id)?;
        let turn = login.exchange.respond(&message, binding.as_ref().map(Secret::expose));
        self.turn(id, turn, out)
    }

    /// Wraps a turn of the login that `id` has.
    fn turn(&mut self, id: u32, turn: Turn, out: &mut Vec<u8>) -> Option<Step> {
        let ticket = self.next_number();
        let login = self.logins.get_mut(&id)?;
        match turn {
            Turn::Say(text, binding) => {
                login.stage = Stage::Responding;
                let binding = binding.map(|binding| format!("channel_binding={}", binding.name()));
                say(out, id, &text, binding.as_deref());
                return None;
            }
            Turn::Ask(user, purpose) => {
                login.stage = Stage::Asked;
                let origin = login.origin;
                self.tickets.insert(ticket, id);
                let request = AuthRequest { user, purpose, origin, trace: None };
                return Some(Step::Ask(Ticket(ticket), Question::Authenticate(request)));
            }
            Turn::Accepted(account, Some(last)) if !login.takes_last => {
                login.stage = Stage::Ending(account);
                say(out, id, &last, None);
                return None;
            }
            Turn::Accepted(account, last) => self.admit(id, &account, last.as_deref(), out),
            // Nobody was asked: the client learns nothing.
            Turn::Refused(None) => fail(out, id, &[]),
            Turn::Refused(Some(rejection)) => refuse(out, id, &rejection),
        }
        self.logins.remove(&id);
        None
    }

    /// Lets in whose login `id` has.
    fn admit(&mut self, id: u32, account: &Account, last: Option<&[u8]>, out: &mut Vec<u8>) {
        let is_taken_up = self.logins.remove(&id).is_some_and(|login| login.is_taken_up);
        let Config { cookie, logins, .. } = &self.config;
        // Before the client hears of it: the mail process may be quick.
        if is_taken_up && let (Some(logins), Some(pid)) = (logins, self.client_pid) {
            logins.put(*cookie, pid, id, account.name.clone());
        }
        accept(out, id, account, last);
    }
}

impl Session for AuthSession {
    fn greeting(&mut self, out: &mut Vec<u8>) {
        handshake::greeting(&self.config, out);
    }

    fn next(&mut self, input: &mut BytesMut, out: &mut Vec<u8>) -> Step {
        loop {
            let line = match self.lines.next(input) {
                Ok(line) => line,
                Err(none) => return none.into(),
            };
            match self.line(&line, out) {
                Ok(None) => {}
                Ok(Some(step)) => return step,
                Err(broken) => return broken.into(),
            }
        }
    }

    fn answered(&mut self, ticket: Ticket, answer: Answer, out: &mut Vec<u8>) -> Then {
        // A login that was cancelled meanwhile gets no answer.
        let Some(id) = self.tickets.remove(&ticket.0) else { return Then::GoOn };
        let Some(login) = self.logins.get_mut(&id) else { return Then::GoOn };
        let Answer::Verdict(verdict) = answer else { return Then::Close };
        match verdict {
            Ok(verdict) => {
                let turn = login.exchange.answered(verdict);
                // No mechanism has two questions without a message between them.
                if self.turn(id, turn, out).is_some() {
                    return Then::Close;
                }
            }
            Err(_) => {
                self.logins.remove(&id);
                if !self.config.tempfail.is_in_words(self.client) {
                    return Then::Abort;
                }
                fail(out, id, &[b"code=temp_fail"]);
            }
        }
        Then::GoOn
    }
}

/// `CONT`: a message for the client.
fn say(out: &mut Vec<u8>, id: u32, text: &[u8], parameter: Option<&str>) {
    out.extend_from_slice(format!("CONT\t{id}\t{}", STANDARD.encode(text)).as_bytes());
    if let Some(parameter) = parameter {
        out.push(b'\t');
        out.extend_from_slice(parameter.as_bytes());
    }
    out.push(b'\n');
}

/// `OK`, the name first: Postfix and Exim look for it there.
fn accept(out: &mut Vec<u8>, id: u32, account: &Account, last: Option<&[u8]>) {
    out.extend_from_slice(format!("OK\t{id}\tuser=").as_bytes());
    put_escaped(out, account.name.as_str().as_bytes());
    if let Some(last) = last {
        out.extend_from_slice(format!("\tresp={}", STANDARD.encode(last)).as_bytes());
    }
    out.push(b'\n');
}

/// A `FAIL` that says no more than a client may know: Postfix shows the reason.
fn refuse(out: &mut Vec<u8>, id: u32, rejection: &Rejection) {
    match rejection.kind {
        RejectionKind::Disabled | RejectionKind::NotAllowed | RejectionKind::OnHold => {
            fail(out, id, &[b"code=user_disabled"]);
        }
        RejectionKind::BadInput
        | RejectionKind::NotVerified
        | RejectionKind::Throttled
        | RejectionKind::UnknownUser
        | RejectionKind::Unsupported => fail(out, id, &[]),
    }
}

fn fail(out: &mut Vec<u8>, id: u32, fields: &[&[u8]]) {
    out.extend_from_slice(format!("FAIL\t{id}").as_bytes());
    for field in fields {
        out.push(b'\t');
        out.extend_from_slice(field);
    }
    out.push(b'\n');
}

#[cfg(test)]
mod tests;
