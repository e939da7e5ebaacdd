//! What is said to Dovecot's auth service and what it answers, as its own
//! clients say it. Without any IO.
//!
//! ```text
//!   auth-client:  AUTH ⇥ 1 ⇥ PLAIN ⇥ service=pop3 ⇥ … ⇥ resp=AGJvYgBwdw==
//!                 OK ⇥ 1 ⇥ user=bob              │ FAIL ⇥ 1 ⇥ code=temp_fail
//!   auth-userdb:  USER ⇥ 2 ⇥ bob ⇥ service=pop3
//!                 USER ⇥ 2 ⇥ bob ⇥ uid=1000 ⇥ …  │ NOTFOUND ⇥ 2 │ FAIL ⇥ 2
//! ```

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dmail_core::{
    Origin, Rejection, RejectionKind, Secret, Service, Unavailable, UnavailableKind, Username,
};
use dmail_dialects::dovecot::line;
use zeroize::Zeroizing;

use crate::foreign::Described;

/// Longest line that every Dovecot reads on an auth-client socket.
const MAX_AUTH_LINE: usize = 8_192;
/// Longest line that it reads on an auth-userdb socket.
const MAX_USERDB_LINE: usize = 1_024;
/// Room for the verb and the id of a question.
const VERB: usize = 32;

/// One of the two sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Socket {
    /// Checks passwords.
    Auth,
    /// Looks users up.
    Userdb,
}

/// A line of the daemon.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// The answer to the question of this number: its first word, and the
    /// fields that follow the number.
    Answer(u32, &'a [u8], &'a [u8]),
    /// The greeting goes on.
    Greeting,
    /// PLAIN is offered.
    Plain,
    /// The greeting is over.
    Ready,
}

impl Socket {
    /// What a client says first.
    pub(super) fn hello(self) -> String {
        match self {
            Self::Auth => format!("VERSION\t1\t2\nCPID\t{}\n", std::process::id()),
            Self::Userdb => "VERSION\t1\t2\n".to_owned(),
        }
    }

    /// Reads a line of the daemon.
    pub(super) fn parse(self, text: &[u8]) -> Result<Line<'_>, &'static str> {
        let (word, rest) = split_tab(text);
        let (first, fields) = split_tab(rest);
        match word {
            b"VERSION" if first == b"1" => Ok(Line::Greeting),
            b"VERSION" => Err("it speaks another version of the protocol"),
            b"MECH" if first.eq_ignore_ascii_case(b"PLAIN") => Ok(Line::Plain),
            b"MECH" | b"CUID" | b"COOKIE" => Ok(Line::Greeting),
            // The last line of one greeting, and not of the other.
            b"SPID" if self == Self::Userdb => Ok(Line::Ready),
            b"SPID" => Ok(Line::Greeting),
            b"DONE" if self == Self::Auth => Ok(Line::Ready),
            _ => match line::id(first) {
                Some(id) => Ok(Line::Answer(id, word, fields)),
                None => Err("a line without a number"),
            },
        }
    }
}

/// What follows the number in a question about a password. `Err` if the
/// protocol cannot carry it.
pub(super) fn check(
    user: &Username,
    secret: &Secret,
    origin: &Origin,
    secured: bool,
) -> Result<Zeroizing<Vec<u8>>, Rejection> {
    if secret.expose().contains(&0) {
        return Err(too_odd("a password with a NUL"));
    }
    let (name, password) = (user.as_str().as_bytes(), secret.expose());
    // Room for all of it, so that no copy stays behind when it grows.
    let mut message = Zeroizing::new(Vec::with_capacity(name.len() + password.len() + 2));
    for part in [&[0], name, &[0], password] {
        message.extend_from_slice(part);
    }
    let encoded = Zeroizing::new(STANDARD.encode(&message[..]));
    let mut words = Zeroizing::new(Vec::with_capacity(encoded.len() + 512));
    words.extend_from_slice(b"PLAIN");
    put_origin(&mut words, origin);
    // We count guesses ourselves; and nobody fetches the login from a master.
    words.extend_from_slice(b"\tnologin\tno-penalty");
    if secured {
        words.extend_from_slice(b"\tsecured");
    }
    words.extend_from_slice(b"\tresp=");
    words.extend_from_slice(encoded.as_bytes());
    if words.len() + VERB > MAX_AUTH_LINE {
        return Err(too_odd("so long a password"));
    }
    Ok(words)
}

/// What follows the number in a question about a user.
pub(super) fn look_up(user: &Username, origin: &Origin) -> Result<Zeroizing<Vec<u8>>, Rejection> {
    let mut words = Zeroizing::new(Vec::new());
    line::put_escaped(&mut words, user.as_str().as_bytes());
    put_origin(&mut words, origin);
    if words.len() + VERB > MAX_USERDB_LINE {
        return Err(too_odd("so long a name"));
    }
    Ok(words)
}

/// The parameters that say where a question comes from. Old daemons call the
/// service one way, new ones another, and both pass over what they do not know.
fn put_origin(words: &mut Vec<u8>, origin: &Origin) {
    let service = match origin.service {
        Service::Imap => "imap",
        Service::Pop3 => "pop3",
        Service::Smtp => "smtp",
        Service::Admin | Service::Line | Service::Web => "dmail",
    };
    let mut parameters = format!("\tservice={service}\tprotocol={service}");
    for (name, address) in [("lip", origin.local), ("rip", origin.client)] {
        if let Some(address) = address {
            parameters.push_str(&format!("\t{name}={address}"));
        }
    }
    if let Some(session) = origin.session {
        parameters.push_str("\tsession=");
        parameters.push_str(session.as_str());
    }
    words.extend_from_slice(parameters.as_bytes());
}

fn too_odd(what: &str) -> Rejection {
    Rejection::new(RejectionKind::BadInput, format!("Dovecot's auth protocol takes no {what}"))
}

/// What an answer about a password says.
pub(super) fn verdict(
    user: &Username,
    word: &[u8],
    fields: &[u8],
) -> Result<Result<Described, Rejection>, Unavailable> {
    let fields = Fields::parse(fields);
    match word {
        b"OK" => match fields.get("user") {
            Some(_) if fields.has("nologin") && !fields.has("proxy") => {
                let text = reason(&fields, "may not log in");
                Ok(Err(Rejection::new(RejectionKind::NotAllowed, text)))
            }
            Some(name) => Ok(Ok(Described { name: Some(name.to_owned()), ..Described::default() })),
            None => Err(fault(user, "it said yes to nobody")),
        },
        b"FAIL" => refusal(user, &fields),
        b"CONT" => Err(fault(user, "it wants to hear more than a password")),
        _ => Err(fault(user, "an answer that is not known")),
    }
}

/// What `FAIL` means. The words without `code=` are those of Dovecot before 2.3.
fn refusal(
    user: &Username,
    fields: &Fields<'_>,
) -> Result<Result<Described, Rejection>, Unavailable> {
    let code = fields.get("code").unwrap_or_default();
    let is = |name: &str| code == name || fields.has(name);
    if is("temp_fail") || is("temp") {
        let text = reason(fields, "nobody can say now");
        return Err(Unavailable::new(UnavailableKind::Dead, format!("dovecot: {user}: {text}")));
    }
    let kind = match () {
        () if is("user_disabled") => RejectionKind::Disabled,
        () if is("pass_expired") || is("authz_fail") || is("authz") => RejectionKind::NotAllowed,
        () if code.is_empty() => RejectionKind::NotVerified,
        // A code that is not known may be a new kind of trouble; but those that
        // speak of the request would never go away.
        () if is("invalid_base64") || is("invalid_input") => RejectionKind::BadInput,
        () => return Err(fault(user, &format!("a refusal that is not known: {code:?}"))),
    };
    let rejection = match (kind, fields.get("reason")) {
        (RejectionKind::NotVerified, None) => Rejection::not_verified(user),
        _ => Rejection::new(kind, reason(fields, "dovecot refused the login")),
    };
    Ok(Err(rejection))
}

/// What an answer about a user says.
pub(super) fn found(
    user: &Username,
    word: &[u8],
    fields: &[u8],
) -> Result<Result<Described, Rejection>, Unavailable> {
    match word {
        b"USER" => {
            let (name, fields) = split_tab(fields);
            let name = String::from_utf8_lossy(&line::unescape(name)).into_owned();
            let fields = Fields::parse(fields);
            Ok(Ok(Described {
                name: Some(name),
                uid: fields.get("uid").and_then(|uid| uid.parse().ok()),
                home: fields.get("home").map(str::to_owned),
                ..Described::default()
            }))
        }
        b"NOTFOUND" => Ok(Err(Rejection::unknown_user(user))),
        b"FAIL" => {
            let text = reason(&Fields::parse(fields), "nobody can say now");
            Err(Unavailable::new(UnavailableKind::Dead, format!("dovecot: {user}: {text}")))
        }
        _ => Err(fault(user, "an answer that is not known")),
    }
}

/// The next line of a list of users.
pub(super) enum Listed {
    /// A user.
    User(Option<Username>),
    /// That was all.
    End,
}

/// What a line of the answer to `LIST` says.
pub(super) fn listed(word: &[u8], fields: &[u8]) -> Result<Listed, Unavailable> {
    match word {
        // A name that nobody here can have is nobody here.
        b"LIST" => Ok(Listed::User(Username::parse(&line::unescape(split_tab(fields).0)).ok())),
        b"DONE" if fields.is_empty() => Ok(Listed::End),
        _ => {
            let text = "dovecot: its user databases could not be listed";
            Err(Unavailable::new(UnavailableKind::Dead, text))
        }
    }
}

fn fault(user: &Username, text: &str) -> Unavailable {
    Unavailable::new(UnavailableKind::Fault, format!("dovecot: {user}: {text}"))
}

fn reason(fields: &Fields<'_>, otherwise: &str) -> String {
    let text = fields.get("reason").filter(|text| !text.is_empty()).unwrap_or(otherwise);
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// The parameters of an answer.
struct Fields<'a>(Vec<Cow<'a, str>>);

impl<'a> Fields<'a> {
    fn parse(fields: &'a [u8]) -> Self {
        let text = |field: &'a [u8]| match line::unescape(field) {
            Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
            Cow::Owned(bytes) => String::from_utf8_lossy(&bytes).into_owned().into(),
        };
        Self(line::fields(fields).map(text).collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find_map(|field| field.strip_prefix(name)?.strip_prefix('='))
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|field| field == name)
    }
}

/// What stands before the first tab, and after it.
fn split_tab(text: &[u8]) -> (&[u8], &[u8]) {
    match text.iter().position(|byte| *byte == b'\t') {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, b""),
    }
}

#[cfg(test)]
mod tests;
