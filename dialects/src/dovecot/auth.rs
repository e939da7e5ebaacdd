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
//! order, which is that of Dovecot's own documentation.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::BytesMut;
use dmail_core::sasl::{self, Credentials, UnusableLogin};
use dmail_core::{
    Account, AuthRequest, Origin, Rejection, RejectionKind, Secret, Service, Username, Verdict,
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
    /// The connection is cut. Postfix and Exim then say 454 and 435; to
    /// `FAIL … code=temp_fail` they say 535, "wrong password". For clients that
    /// have one request at a time.
    #[default]
    Close,
    /// `FAIL … code=temp_fail`, which Dovecot's own processes understand.
    Code,
}

/// What a connection is told about its server.
#[derive(Debug, Clone)]
pub struct Config {
    /// How nobody's decision is told.
    pub tempfail: Tempfail,
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

/// One client's conversation.
pub struct AuthSession {
    config: Config,
    lines: Lines,
    greeted: bool,
    /// The client's process, once it has said so.
    client_pid: Option<u32>,
    waiting: HashMap<u32, Exchange>,
}

/// A login that is not decided.
struct Exchange {
    origin: Origin,
    /// Whether a mail process will take the login up.
    is_taken_up: bool,
    stage: Stage,
}

enum Stage {
    /// PLAIN: the message is to come.
    Plain,
    /// LOGIN: the name is to come.
    LoginName,
    /// LOGIN: the password is to come.
    LoginPassword(sasl::LoginName),
    /// The gateway is being asked.
    Asked,
}

impl AuthSession {
    /// A connection that nothing was said on.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            config,
            lines: Lines::new(MAX_AUTH_LINE),
            greeted: false,
            client_pid: None,
            waiting: HashMap::new(),
        }
    }

    fn line(&mut self, line: &[u8], out: &mut Vec<u8>) -> Result<Option<Step>, Broken> {
        let mut fields = line::fields(line);
        match fields.next().unwrap_or_default() {
            b"VERSION" => {
                self.greeted = true;
                match fields.next() {
                    Some(b"1") => Ok(None),
                    _ => Err(Broken("another major version of the protocol")),
                }
            }
            _ if !self.greeted => Err(Broken("no VERSION first")),
            b"AUTH" => self.begin(fields, out),
            b"CONT" => self.go_on(fields, out),
            b"CANCEL" => {
                let id = fields.next().and_then(line::id).ok_or(Broken("CANCEL without id"))?;
                self.waiting.remove(&id);
                Ok(None)
            }
            b"CPID" => {
                self.client_pid = fields.next().and_then(line::id);
                Ok(None)
            }
            // Whatever later versions have to say.
            _ => Ok(None),
        }
    }

    fn begin<'a>(
        &mut self,
        mut fields: impl Iterator<Item = &'a [u8]>,
        out: &mut Vec<u8>,
    ) -> Result<Option<Step>, Broken> {
        let id = fields.next().and_then(line::id).ok_or(Broken("AUTH without id"))?;
        if self.waiting.contains_key(&id) {
            return Err(Broken("an id that is in use"));
        }
        let mechanism = fields.next().ok_or(Broken("AUTH without mechanism"))?;
        let mut origin = Origin::local(Service::Line);
        let (mut response, mut is_taken_up) = (None, true);
        for field in fields {
            if response.is_some() {
                return Err(Broken("a parameter behind resp"));
            }
            let (name, value) = origin::split(field);
            match name {
                // By the protocol it is the last one, and not escaped.
                b"resp" => response = Some(value),
                b"nologin" => is_taken_up = false,
                _ => origin::take(&mut origin, name, &line::unescape(value)),
            }
        }
        let stage = match mechanism.to_ascii_uppercase().as_slice() {
            b"PLAIN" => Stage::Plain,
            b"LOGIN" => Stage::LoginName,
            _ => {
                fail(out, id, &[b"reason=Unsupported authentication mechanism"]);
                return Ok(None);
            }
        };
        if self.waiting.len() >= MAX_WAITING {
            fail(out, id, &[b"code=temp_fail"]);
            return Ok(None);
        }
        self.waiting.insert(id, Exchange { origin, is_taken_up, stage });
        match response {
            // Exim sends an empty one when it has none; nobody else sends it.
            None | Some(b"") => {
                self.prompt(id, out);
                Ok(None)
            }
            Some(response) => Ok(self.respond(id, response, out)),
        }
    }

    fn go_on<'a>(
        &mut self,
        mut fields: impl Iterator<Item = &'a [u8]>,
        out: &mut Vec<u8>,
    ) -> Result<Option<Step>, Broken> {
        let id = fields.next().and_then(line::id).ok_or(Broken("CONT without id"))?;
        let response = fields.next().unwrap_or_default();
        match self.waiting.get(&id) {
            None => {
                // It may be one that was cancelled here for its age.
                fail(out, id, &[]);
                Ok(None)
            }
            Some(Exchange { stage: Stage::Asked, .. }) => Err(Broken("a response to no question")),
            Some(_) => Ok(self.respond(id, response, out)),
        }
    }

    /// Asks the client for the next message of an exchange.
    fn prompt(&self, id: u32, out: &mut Vec<u8>) {
        let text: &[u8] = match self.waiting.get(&id).map(|exchange| &exchange.stage) {
            Some(Stage::LoginName) => b"VXNlcm5hbWU6", // Username:
            Some(Stage::LoginPassword(_)) => b"UGFzc3dvcmQ6", // Password:
            _ => b"",
        };
        out.extend_from_slice(format!("CONT\t{id}\t").as_bytes());
        out.extend_from_slice(text);
        out.push(b'\n');
    }

    /// Takes a message of an exchange, which `id` has.
    fn respond(&mut self, id: u32, response: &[u8], out: &mut Vec<u8>) -> Option<Step> {
        let exchange = self.waiting.get_mut(&id)?;
        let decoded = match response {
            b"=" => Ok(Secret::new(Vec::new())),
            response => sasl::decode(response),
        };
        let Ok(message) = decoded else {
            self.waiting.remove(&id);
            fail(out, id, &[b"code=invalid_base64"]);
            return None;
        };
        let max = Username::MAX_BYTES;
        let credentials = match std::mem::replace(&mut exchange.stage, Stage::Asked) {
            Stage::Plain => sasl::plain(message.expose(), max),
            Stage::LoginName => {
                let user = sasl::login_name(message.expose(), max);
                exchange.stage = Stage::LoginPassword(user);
                self.prompt(id, out);
                return None;
            }
            Stage::LoginPassword(user) => Ok(Credentials { user, secret: message }),
            Stage::Asked => return None,
        };
        let usable = credentials.map(Credentials::usable);
        match usable {
            Ok(Ok((user, secret))) => {
                let request = AuthRequest::check(user, secret, exchange.origin);
                Some(Step::Ask(Ticket(id), Question::Authenticate(request)))
            }
            // Refused like a wrong password: the client learns nothing.
            Ok(Err(
                UnusableLogin::ForeignIdentity | UnusableLogin::Name(_) | UnusableLogin::NoPassword,
            ))
            | Err(_) => {
                self.waiting.remove(&id);
                fail(out, id, &[]);
                None
            }
        }
    }
}

impl Session for AuthSession {
    fn greeting(&mut self, out: &mut Vec<u8>) {
        let Config { pid, connection, cookie, .. } = &self.config;
        let cookie: String = cookie.iter().map(|byte| format!("{byte:02x}")).collect();
        let text = format!(
            "VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tLOGIN\tplaintext\n\
             SPID\t{pid}\nCUID\t{connection}\nCOOKIE\t{cookie}\nDONE\n"
        );
        out.extend_from_slice(text.as_bytes());
    }

    fn next(&mut self, input: &mut BytesMut, out: &mut Vec<u8>) -> Step {
        loop {
            let line = match self.lines.next(input) {
                Ok(line) => line,
                Err(step) => return step,
            };
            match self.line(&line, out) {
                Ok(None) => {}
                Ok(Some(step)) => return step,
                Err(broken) => return broken.into(),
            }
        }
    }

    fn answered(&mut self, ticket: Ticket, answer: Answer, out: &mut Vec<u8>) -> Then {
        let Ticket(id) = ticket;
        // A login that was cancelled meanwhile gets no answer.
        let Some(exchange) = self.waiting.remove(&id) else { return Then::GoOn };
        let Answer::Verdict(verdict) = answer else { return Then::Close };
        match verdict {
            Ok(Verdict::Accepted(account)) => {
                let Config { cookie, logins, .. } = &self.config;
                // Before the client hears of it: the mail process may be quick.
                if exchange.is_taken_up
                    && let (Some(logins), Some(pid)) = (logins, self.client_pid)
                {
                    logins.put(*cookie, pid, id, account.name.clone());
                }
                accept(out, id, &account);
            }
            Ok(Verdict::Rejected(rejection)) => refuse(out, id, &rejection),
            Err(_) => match self.config.tempfail {
                Tempfail::Close => return Then::Abort,
                Tempfail::Code => fail(out, id, &[b"code=temp_fail"]),
            },
        }
        Then::GoOn
    }
}

/// `OK`, the name first: Postfix and Exim look for it there.
fn accept(out: &mut Vec<u8>, id: u32, account: &Account) {
    out.extend_from_slice(format!("OK\t{id}\tuser=").as_bytes());
    put_escaped(out, account.name.as_str().as_bytes());
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
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use dmail_core::{Purpose, Unavailable, UnavailableKind};

    use super::*;

    fn session(tempfail: Tempfail) -> AuthSession {
        AuthSession::new(Config {
            tempfail,
            pid: 7,
            connection: 3,
            cookie: [0xab; 16],
            logins: None,
        })
    }

    /// What was written, what was asked (id, user, password), and why it ended.
    type Talk = (String, Vec<(u32, String, String)>, Option<&'static str>);

    /// What a fresh session writes and asks when `text` arrives.
    fn talk(text: &str) -> Talk {
        let mut session = session(Tempfail::Code);
        let mut input = BytesMut::from(format!("VERSION\t1\t0\nCPID\t9\n{text}").as_bytes());
        let (mut out, mut asked) = (Vec::new(), Vec::new());
        loop {
            match session.next(&mut input, &mut out) {
                Step::More => break (String::from_utf8(out).expect("text"), asked, None),
                Step::Close(why) => {
                    break (String::from_utf8(out).expect("text"), asked, Some(why));
                }
                Step::Ask(Ticket(id), Question::Authenticate(request)) => {
                    let Purpose::Check(secret) = &request.purpose else { panic!("a check") };
                    let secret = String::from_utf8_lossy(secret.expose()).into_owned();
                    asked.push((id, request.user.to_string(), secret));
                }
                step @ Step::Ask(..) => panic!("{step:?}"),
            }
        }
    }

    fn encoded(text: &str) -> String {
        STANDARD.encode(text)
    }

    #[test]
    fn the_greeting_is_said_at_once_and_in_the_order_that_clients_need() {
        let mut out = Vec::new();
        session(Tempfail::Close).greeting(&mut out);
        assert_eq!(
            String::from_utf8_lossy(&out),
            "VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tLOGIN\tplaintext\nSPID\t7\nCUID\t3\n\
             COOKIE\tabababababababababababababababab\nDONE\n"
        );
    }

    #[test]
    fn logins_of_real_clients_become_questions() {
        let plain = encoded("\0bob\0s3 cret");
        let bob = |id| (id, "bob".to_owned(), "s3 cret".to_owned());
        // Postfix, Exim (without local address), doveadm (with authorization identity).
        let lines = [
            format!(
                "AUTH\t1\tPLAIN\tservice=smtp\tnologin\tlip=127.0.0.1\trip=127.0.0.1\tresp={plain}\n"
            ),
            format!(
                "AUTH\t1\tPLAIN\tservice=smtp\trip=192.0.2.7\tlip=NULL\tnologin\tresp={plain}\n"
            ),
            format!("AUTH\t1\tplain\tprotocol=imap\tresp={}\n", encoded("bob\0bob\0s3 cret")),
        ];
        for line in lines {
            assert_eq!(talk(&line), (String::new(), vec![bob(1)], None), "{line}");
        }
        let asked = talk(&format!("AUTH\t5\tPLAIN\tservice=pop3\nCONT\t5\t{plain}\n"));
        assert_eq!(asked, ("CONT\t5\t\n".into(), vec![bob(5)], None));
        let login = format!(
            "AUTH\t6\tLOGIN\tservice=smtp\tresp=\nCONT\t6\t{}\nCONT\t6\t{}\n",
            encoded("bob"),
            encoded("s3 cret")
        );
        let prompts = "CONT\t6\tVXNlcm5hbWU6\nCONT\t6\tUGFzc3dvcmQ6\n".to_owned();
        assert_eq!(talk(&login), (prompts, vec![bob(6)], None));
    }

    #[test]
    fn many_logins_wait_at_once_and_each_gets_its_own_answer() {
        let mut session = session(Tempfail::Code);
        let mut text = "VERSION\t1\t4\n".to_owned();
        for id in 1..=3 {
            let response = encoded(&format!("\0u{id}\0pw"));
            text.push_str(&format!("AUTH\t{id}\tPLAIN\tservice=imap\tresp={response}\n"));
        }
        text.push_str("CANCEL\t2\n");
        let (mut input, mut out) = (BytesMut::from(text.as_bytes()), Vec::new());
        while !matches!(session.next(&mut input, &mut out), Step::More) {}
        let user = |name: &str| Username::parse(name.as_bytes()).expect("a name");
        let dead = Unavailable::new(UnavailableKind::Dead, "down");
        let rejected = Verdict::Rejected(Rejection::unknown_user(&user("u2")));
        let accepted = Verdict::accepted(Account::named(user("u3")));
        for (id, verdict) in [(3, Ok(accepted)), (2, Ok(rejected)), (1, Err(dead))] {
            let then = session.answered(Ticket(id), Answer::Verdict(verdict), &mut out);
            assert_eq!(then, Then::GoOn);
        }
        assert_eq!(String::from_utf8_lossy(&out), "OK\t3\tuser=u3\nFAIL\t1\tcode=temp_fail\n");
    }

    #[test]
    fn an_unknown_user_reads_like_a_wrong_password() {
        let user = Username::parse(b"bob").expect("a name");
        let reply = |rejection| {
            let mut out = Vec::new();
            refuse(&mut out, 1, &rejection);
            String::from_utf8(out).expect("text")
        };
        let wrong = reply(Rejection::not_verified(&user));
        assert_eq!(wrong, "FAIL\t1\n");
        assert_eq!(reply(Rejection::unknown_user(&user)), wrong);
        assert_eq!(reply(Rejection::new(RejectionKind::Throttled, "x")), wrong);
        let suspended = reply(Rejection::new(RejectionKind::NotAllowed, "x"));
        assert_eq!(suspended, "FAIL\t1\tcode=user_disabled\n");
    }

    #[test]
    fn nobodys_decision_cuts_the_connection_of_postfix() {
        let mut session = session(Tempfail::Close);
        let line = format!("VERSION\t1\t0\nAUTH\t1\tPLAIN\tresp={}\n", encoded("\0bob\0pw"));
        let (mut input, mut out) = (BytesMut::from(line.as_bytes()), Vec::new());
        assert!(matches!(session.next(&mut input, &mut out), Step::Ask(..)));
        let dead = Unavailable::new(UnavailableKind::Dead, "down");
        let then = session.answered(Ticket(1), Answer::Verdict(Err(dead)), &mut out);
        assert_eq!((then, out), (Then::Abort, Vec::new()));
    }

    #[test]
    fn a_login_that_nobody_can_have_fails_without_a_question() {
        let rows = [
            (encoded("\0bob\0"), "FAIL\t1\n"),
            (encoded("\0\0pw"), "FAIL\t1\n"),
            (encoded("root\0bob\0pw"), "FAIL\t1\n"),
            (encoded("bob"), "FAIL\t1\n"),
            ("=".into(), "FAIL\t1\n"),
            ("%%%".into(), "FAIL\t1\tcode=invalid_base64\n"),
        ];
        for (response, expected) in rows {
            let (out, asked, _) = talk(&format!("AUTH\t1\tPLAIN\tresp={response}\n"));
            assert_eq!((out.as_str(), asked.len()), (expected, 0), "{response}");
        }
        let (out, _, end) = talk("AUTH\t1\tNTLM\tservice=smtp\n");
        assert_eq!(out, "FAIL\t1\treason=Unsupported authentication mechanism\n");
        assert_eq!(end, None);
    }

    #[test]
    fn lines_that_break_the_protocol_end_the_connection() {
        for (text, why) in [
            ("AUTH\tx\tPLAIN\n", "AUTH without id"),
            ("AUTH\t1\n", "AUTH without mechanism"),
            ("AUTH\t1\tPLAIN\nAUTH\t1\tPLAIN\n", "an id that is in use"),
            ("CONT\n", "CONT without id"),
            ("VERSION\t2\t0\n", "another major version of the protocol"),
        ] {
            assert_eq!(talk(text).2, Some(why), "{text}");
        }
        let mut input = BytesMut::from(&b"AUTH\t1\tPLAIN\n"[..]);
        let step = session(Tempfail::Close).next(&mut input, &mut Vec::new());
        assert!(matches!(step, Step::Close("no VERSION first")), "{step:?}");
        let mut input = BytesMut::from(&vec![b'x'; 3 * MAX_AUTH_LINE][..]);
        input.extend_from_slice(b"\n");
        let step = session(Tempfail::Close).next(&mut input, &mut Vec::new());
        assert!(matches!(step, Step::Close(_) | Step::More), "{step:?}");
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_taken_without_a_panic(bytes: Vec<u8>) {
            let mut input = BytesMut::from(&b"VERSION\t1\t0\n"[..]);
            input.extend_from_slice(&bytes);
            let (mut session, mut out) = (session(Tempfail::Code), Vec::new());
            for _ in 0..bytes.len() + 2 {
                if !matches!(session.next(&mut input, &mut out), Step::Ask(..)) {
                    break;
                }
            }
        }
    }
}
