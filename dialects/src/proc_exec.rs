//! OpenSMTPD's `proc-exec` tables: a program on standard input and output that
//! serves `auth` and `userinfo`.
//!
//! ```text
//!   smtpd:   config|ready                                     program: register|auth · register|ready
//!   smtpd:   table|0.1|1700000000.0|dmail|check|auth|77|bob:s3cret
//!   program: check-result|77|found                            or not-found, or error|why
//!   smtpd:   table|0.1|1700000000.0|dmail|lookup|userinfo|78|bob
//!   program: lookup-result|78|found|1000:1000:/home/bob
//! ```
//!
//! `error` is temporary. A reply that smtpd does not understand ends smtpd, so
//! nothing is written that it did not ask for.

use std::collections::HashMap;

use bytes::BytesMut;
use dmail_core::sasl::login_name;
use dmail_core::{AuthRequest, Origin, RejectionKind, Secret, Service, Username, Verdict};

use crate::lines::{Broken, LineSession, Lines};
use crate::refused::check;
use crate::{Answer, Question, Session, Step, Then, Ticket, UnixAccount};

/// Longest line.
const MAX_LINE: usize = 8_192;

/// The conversation with smtpd.
pub struct ProcExecSession {
    config: UnixAccount,
    lines: Lines,
    /// The ids of smtpd, as it wrote them, and whether a login is checked.
    waiting: HashMap<u64, (String, bool)>,
    next_ticket: u64,
}

impl ProcExecSession {
    /// A pipe on which nothing was said.
    #[must_use]
    pub fn new(config: UnixAccount) -> Self {
        Self { config, lines: Lines::new(MAX_LINE), waiting: HashMap::new(), next_ticket: 1 }
    }

    fn check(&mut self, rest: &str, out: &mut Vec<u8>) -> Step {
        let (id, login) = rest.split_once('|').unwrap_or((rest, ""));
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        let secret = Secret::new(password.as_bytes());
        match check(user.as_bytes(), secret, Origin::local(Service::Smtp)) {
            Ok(request) => self.ask(id, true, request),
            Err(refused) => {
                out.extend_from_slice(format!("check-result|{id}|not-found\n").as_bytes());
                Step::Refused(refused)
            }
        }
    }

    fn look_up(&mut self, rest: &str, out: &mut Vec<u8>) -> Option<Step> {
        let (id, user) = rest.split_once('|').unwrap_or((rest, ""));
        match login_name(user.as_bytes(), Username::MAX_BYTES) {
            Ok(user) => {
                let origin = Origin::local(Service::Smtp);
                Some(self.ask(id, false, AuthRequest::lookup(user, origin)))
            }
            Err(_) => {
                out.extend_from_slice(format!("lookup-result|{id}|not-found\n").as_bytes());
                None
            }
        }
    }

    fn ask(&mut self, id: &str, checks: bool, request: AuthRequest) -> Step {
        let ticket = self.next_ticket;
        self.next_ticket = ticket.wrapping_add(1);
        self.waiting.insert(ticket, (id.to_owned(), checks));
        Step::Ask(Ticket(ticket), Question::Authenticate(request))
    }
}

impl LineSession for ProcExecSession {
    fn lines(&mut self) -> &mut Lines {
        &mut self.lines
    }

    fn line(&mut self, line: &[u8], out: &mut Vec<u8>) -> Result<Option<Step>, Broken> {
        let line = std::str::from_utf8(line).map_err(|_| Broken("a line that is no text"))?;
        if let Some(setting) = line.strip_prefix("config|") {
            if setting == "ready" {
                out.extend_from_slice(b"register|auth\nregister|userinfo\nregister|ready\n");
            }
            return Ok(None);
        }
        let mut parts = line.splitn(7, '|');
        let head = parts.next();
        let [_version, _time, _table, verb, service, rest] =
            std::array::from_fn(|_| parts.next().unwrap_or_default());
        if head != Some("table") {
            return Err(Broken("a line that is no request"));
        }
        match (verb, service) {
            // `update|id` has its id where others have the service.
            ("update", id) => {
                out.extend_from_slice(format!("update-result|{id}|ok\n").as_bytes());
                Ok(None)
            }
            ("check", "auth") => Ok(Some(self.check(rest, out))),
            ("lookup", "userinfo") => Ok(self.look_up(rest, out)),
            ("check" | "lookup" | "fetch", _) => {
                let id = rest.split('|').next().unwrap_or_default();
                out.extend_from_slice(format!("{verb}-result|{id}|not-found\n").as_bytes());
                Ok(None)
            }
            _ => Err(Broken("a request that is not known")),
        }
    }
}

impl Session for ProcExecSession {
    fn next(&mut self, input: &mut BytesMut, out: &mut Vec<u8>) -> Step {
        self.take_lines(input, out)
    }

    fn answered(&mut self, ticket: Ticket, answer: Answer, out: &mut Vec<u8>) -> Then {
        let Some((id, checks)) = self.waiting.remove(&ticket.0) else { return Then::GoOn };
        let verb = if checks { "check" } else { "lookup" };
        let result = match answer {
            Answer::Verdict(Ok(Verdict::Accepted(_))) if checks => "found".to_owned(),
            Answer::Verdict(Ok(Verdict::Accepted(account))) => {
                let UnixAccount { gid, home, .. } = &self.config;
                format!("found|{}:{gid}:{home}", self.config.uid_of(&account))
            }
            Answer::Verdict(Ok(Verdict::Rejected(rejection)))
                if rejection.kind != RejectionKind::Unsupported =>
            {
                "not-found".to_owned()
            }
            _ => "error|try again later".to_owned(),
        };
        out.extend_from_slice(format!("{verb}-result|{id}|{result}\n").as_bytes());
        Then::GoOn
    }
}

#[cfg(test)]
mod tests {
    use dmail_core::{Account, Purpose, Rejection, Uid, Unavailable, UnavailableKind};

    use super::*;
    use crate::talk;

    /// What is replied to `input`, asked of a base that knows only bob.
    fn talk(input: &str) -> String {
        let config = UnixAccount { uid: 8, gid: 9, home: "/var/mail".into() };
        let mut session = ProcExecSession::new(config);
        let (out, end) = talk::with(&mut session, input.as_bytes(), |question| {
            let Question::Authenticate(request) = question else { panic!("{question:?}") };
            let right = match &request.purpose {
                Purpose::Check(secret) => secret.expose() == b"a:b|c",
                _ => true,
            };
            Answer::Verdict(match request.user.as_str() {
                "down" => Err(Unavailable::new(UnavailableKind::Dead, "down")),
                "bob" if right => {
                    // Nobody's number, and not root's.
                    let uid = Some(Uid::Number(0));
                    let account = Account::named(request.user.clone());
                    Ok(Verdict::accepted(Account { uid, ..account }))
                }
                _ => Ok(Verdict::Rejected(Rejection::not_verified(&request.user))),
            })
        });
        let out = String::from_utf8(out).expect("text");
        if end.is_empty() { out } else { format!("{out}[{end}]") }
    }

    #[test]
    fn every_request_gets_its_reply() {
        let table = |rest: &str| format!("table|0.1|1700000000.123456|dmail|{rest}\n");
        let rows = [
            (
                "config|smtpd-version|7.8.0\nconfig|protocol|0.1\nconfig|ready\n".to_owned(),
                "register|auth\nregister|userinfo\nregister|ready\n",
            ),
            (table("check|auth|77|bob:a:b|c"), "check-result|77|found\n"),
            (table("check|auth|78|bob:wrong"), "check-result|78|not-found\n"),
            (table("check|auth|78|bob:"), "check-result|78|not-found\n"),
            (table("check|auth|79|down:x"), "check-result|79|error|try again later\n"),
            (table("lookup|userinfo|80|bob"), "lookup-result|80|found|8:9:/var/mail\n"),
            (table("lookup|userinfo|81|ann"), "lookup-result|81|not-found\n"),
            (table("lookup|alias|82|ann"), "lookup-result|82|not-found\n"),
            (table("update|83"), "update-result|83|ok\n"),
            ("report|x\n".to_owned(), "[a line that is no request]"),
            (table("conquer|x"), "[a request that is not known]"),
        ];
        for (input, expected) in rows {
            assert_eq!(talk(&input), expected, "{input}");
        }
    }
}
