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
//! What a login says is the matter of [`Exchange`]; here it is wrapped:
//! `auth/request.rs` reads how it begins, `auth/reply.rs` writes how it goes on
//! and ends.

mod config;
mod handshake;
mod reply;
mod request;

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::BytesMut;
use dmail_core::sasl::{self, Exchange, Malformed, Mechanism, Terms, Turn};
use dmail_core::{Account, AuthRequest, Origin, Secret, Service, Username};

use super::line::{self, MAX_AUTH_LINE};
use super::origin;
use crate::lines::{Broken, LineSession, Lines};
use crate::{Answer, Question, Refused, Session, Step, Then, Ticket};
use reply::{accept, fail, refuse, say};
use request::Request;

pub use config::{Config, PASSWORDS, Tempfail};

/// Requests of one connection that may wait at a time. Postfix and Exim have
/// one, Dovecot's login processes one for each client.
const MAX_WAITING: usize = 1_000;

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
    last_number: u32,
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
    /// Its number in the order of arrival: never that of another login, as its
    /// id may be.
    number: u32,
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
            last_number: 0,
        }
    }

    fn begin<'a>(
        &mut self,
        minor: u32,
        fields: impl Iterator<Item = &'a [u8]>,
        out: &mut Vec<u8>,
    ) -> Result<Option<Step>, Broken> {
        let request = Request::read(fields)?;
        let Request { id, origin, takes_last, is_taken_up, .. } = request;
        if self.logins.contains_key(&id) {
            return Err(Broken("an id that is in use"));
        }
        let offered = |wanted: &Mechanism| {
            handshake::offered(&self.config, minor).any(|offered| offered == *wanted)
        };
        let wanted = Mechanism::parse(request.mechanism);
        let Some(mechanism) = wanted.filter(offered) else {
            fail(out, id, &[b"reason=Unsupported authentication mechanism"]);
            let refused = Refused::new(origin, None, not_offered(wanted));
            return Ok(Some(Step::Refused(refused)));
        };
        if !self.makes_room(out) {
            fail(out, id, &[b"code=temp_fail"]);
            let refused = Refused::for_now(origin, "too many logins wait on this connection");
            return Ok(Some(Step::Refused(refused)));
        }
        let terms = Terms {
            nonce: nonce(mechanism),
            plus_offered: handshake::offered(&self.config, minor).any(Mechanism::is_bound),
            max_name: Username::MAX_BYTES,
            issuer: self.config.issuer.clone(),
        };
        let exchange = Exchange::new(mechanism, terms);
        let first = exchange.begin();
        self.last_number = self.last_number.wrapping_add(1);
        let (stage, number) = (Stage::Responding, self.last_number);
        let login = Login { origin, exchange, takes_last, is_taken_up, stage, number };
        self.logins.insert(id, login);
        Ok(match request.response {
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
        let Some(oldest) = idle.min_by_key(|(_, login)| login.number).map(|(id, _)| *id) else {
            return false;
        };
        self.logins.remove(&oldest);
        fail(out, oldest, &[b"code=temp_fail"]);
        true
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
                let why = "a message of a login that is not known, or was given up";
                let refused = Refused::new(Origin::local(Service::Line), None, why);
                Ok(Some(Step::Refused(refused)))
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
            let login = self.logins.remove(&id)?;
            fail(out, id, &[b"code=invalid_base64"]);
            let refused = Refused::new(login.origin, None, Malformed::Base64);
            return Some(Step::Refused(refused));
        };
        let login = self.logins.get_mut(&id)?;
        let turn = login.exchange.respond(&message, binding.as_ref().map(Secret::expose));
        self.turn(id, turn, out)
    }

    /// Wraps a turn of the login that `id` has.
    fn turn(&mut self, id: u32, turn: Turn, out: &mut Vec<u8>) -> Option<Step> {
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
                let request = AuthRequest { user, purpose, origin, trace: None };
                return Some(Step::Ask(ticket(login.number, id), Question::Authenticate(request)));
            }
            Turn::Accepted(account, Some(last)) if !login.takes_last => {
                login.stage = Stage::Ending(account);
                say(out, id, &last, None);
                return None;
            }
            Turn::Accepted(account, last) => self.admit(id, &account, last.as_deref(), out),
            Turn::Flawed(user, flaw) => {
                let login = self.logins.remove(&id)?;
                fail(out, id, &[]);
                return Some(Step::Refused(Refused::new(login.origin, user, flaw)));
            }
            Turn::Refused(rejection) => refuse(out, id, &rejection),
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

/// The ticket of a login's question: a late answer to a cancelled login is
/// nobody's, whoever has its id by then. It has one question at a time.
fn ticket(number: u32, id: u32) -> Ticket {
    Ticket(u64::from(number) << 32 | u64::from(id))
}

/// The number and the id of the login whose ticket it is.
fn numbers(Ticket(ticket): Ticket) -> (u32, u32) {
    ((ticket >> 32) as u32, ticket as u32)
}

/// What the server makes up for a login: nothing, where the client says all.
fn nonce(mechanism: Mechanism) -> Box<str> {
    match mechanism.tells_password() {
        true => Box::default(),
        false => STANDARD.encode(rand::random::<[u8; 18]>()).into(),
    }
}

impl LineSession for AuthSession {
    fn lines(&mut self) -> &mut Lines {
        &mut self.lines
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
}

impl Session for AuthSession {
    fn greeting(&mut self, out: &mut Vec<u8>) {
        handshake::greeting(&self.config, out);
    }

    fn next(&mut self, input: &mut BytesMut, out: &mut Vec<u8>) -> Step {
        self.take_lines(input, out)
    }

    fn answered(&mut self, ticket: Ticket, answer: Answer, out: &mut Vec<u8>) -> Then {
        // A login that was cancelled meanwhile gets no answer.
        let (number, id) = numbers(ticket);
        let login = self.logins.get_mut(&id).filter(|login| login.number == number);
        let Some(login) = login else { return Then::GoOn };
        let Answer::Verdict(verdict) = answer else { return Then::Close };
        match verdict.and_then(|verdict| login.exchange.answered(verdict)) {
            Ok(turn) => match self.turn(id, turn, out) {
                None => Then::GoOn,
                Some(Step::Refused(refused)) => Then::Refused(refused),
                // No mechanism has two questions without a message between them.
                Some(_) => Then::Close,
            },
            Err(_) => {
                self.logins.remove(&id);
                if !self.config.tempfail.is_in_words(self.client) {
                    return Then::Abort;
                }
                fail(out, id, &[b"code=temp_fail"]);
                Then::GoOn
            }
        }
    }
}

/// Why a mechanism is none here, for the log.
fn not_offered(wanted: Option<Mechanism>) -> String {
    match wanted {
        Some(mechanism) => format!("{mechanism} is not offered"),
        None => "the mechanism is not known".to_owned(),
    }
}

#[cfg(test)]
mod tests;
