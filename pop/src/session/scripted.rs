//! A session with a scripted outside world: the gateway knows a few users,
//! the mailbox is an array.

use std::net::{IpAddr, Ipv4Addr};

use dmail_core::framing::{Ending, LineFramer};
use dmail_core::{
    Account, AuthRequest, Origin, Purpose, Rejection, RejectionKind, Service, Unavailable,
    UnavailableKind, Verdict,
};

use super::{Closing, Session, Step};
use crate::config::SessionLimits;
use crate::dot::{DotStuffer, Top};
use crate::error::Error;
use crate::maildrop::Messages;

/// Messages with CR LF line ends.
#[derive(Debug, Clone)]
pub(super) struct Inbox(pub(super) Vec<String>);

impl Messages for Inbox {
    type Uid = String;

    fn count(&self) -> usize {
        self.0.len()
    }

    fn octets(&self, index: usize) -> u64 {
        self.0[index].len() as u64
    }
}

/// A client, its session, and the world around it.
pub(super) struct World {
    pub(super) session: Session<Inbox>,
    inbox: Inbox,
    /// What is left after a Commit.
    pub(super) committed: Option<Vec<String>>,
    pub(super) closed: Option<Closing>,
}

impl World {
    pub(super) fn new(inbox: &[String], login_allowed: bool, limits: SessionLimits) -> Self {
        let origin = Origin {
            client: Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7))),
            ..Origin::local(Service::Pop3)
        };
        Self {
            session: Session::new(origin, login_allowed, limits),
            inbox: Inbox(inbox.to_vec()),
            committed: None,
            closed: None,
        }
    }

    /// What the server says to this line.
    pub(super) fn say(&mut self, line: &str) -> String {
        assert!(self.closed.is_none(), "the session is over before {line:?}");
        let stream = format!("{line}\r\n");
        let mut framer = LineFramer::new(crate::command::MAX_LINE_BYTES, Ending::CrLf);
        let frame = framer.take(stream.as_bytes()).frame.expect("a whole line");
        let mut wire = Vec::new();
        let mut out = Vec::new();
        let input = self.session.read(frame);
        let mut step = self.session.act(input, &mut out);
        loop {
            step = match step {
                Step::Listen => break,
                Step::Close(closing) => {
                    self.closed = Some(closing);
                    break;
                }
                Step::Resume => {
                    wire.append(&mut out);
                    self.session.resume(&mut out)
                }
                step => self.answer(step, &mut out),
            };
        }
        wire.append(&mut out);
        String::from_utf8(wire).expect("the inbox is text")
    }

    fn answer(&mut self, step: Step<Inbox>, out: &mut Vec<u8>) -> Step<Inbox> {
        match step {
            Step::Ask(request) => self.session.answered(verdict(&request), out),
            Step::Open(account) => {
                let mailbox = match account.name.as_str() {
                    "inuse" => Err(Error::InUse),
                    "broken" => Err(Error::MailboxBroken),
                    _ => Ok(self.inbox.clone()),
                };
                self.session.opened(mailbox, out)
            }
            Step::Name(mailbox) => {
                let uids = (0..mailbox.count()).map(|index| format!("uid-{index}"));
                self.session.named(Ok(uids.collect()), out)
            }
            Step::Send { mailbox, index, lines } => self.send(&mailbox.0[index], lines, out),
            Step::Commit { mailbox, deleted } => self.commit(&mailbox.0, &deleted, out),
            Step::Listen | Step::Resume | Step::Close(_) => unreachable!("said before"),
        }
    }

    fn send(&mut self, message: &str, lines: Option<u32>, out: &mut Vec<u8>) -> Step<Inbox> {
        if message.contains("unreadable") {
            out.extend_from_slice(b"Half a mess");
            return self.session.unsent(Error::MailboxBusy, out);
        }
        let mut top = lines.map(Top::new);
        let passed = top.as_mut().map_or(message.as_bytes(), |top| top.admit(message.as_bytes()));
        let mut stuffer = DotStuffer::new();
        stuffer.push(passed, out);
        stuffer.finish(out);
        self.session.sent(passed.len() as u64)
    }

    fn commit(&mut self, messages: &[String], deleted: &[bool], out: &mut Vec<u8>) -> Step<Inbox> {
        if messages.iter().any(|message| message.contains("sticky")) {
            return self.session.committed(Err(Error::NotRemoved), out);
        }
        let kept = messages.iter().zip(deleted).filter(|(_, deleted)| !**deleted);
        self.committed = Some(kept.map(|(message, _)| message.clone()).collect());
        self.session.committed(Ok(()), out)
    }
}

/// Everybody's password is "secret word", but not everybody can log in.
fn verdict(request: &AuthRequest) -> Result<Verdict, Unavailable> {
    let Purpose::Check(secret) = &request.purpose else {
        panic!("a login is a check");
    };
    let user = request.user.clone();
    match user.as_str() {
        "down" => Err(Unavailable::new(UnavailableKind::Dead, "scripted")),
        "throttled" => Ok(Verdict::Rejected(Rejection::new(RejectionKind::Throttled, "scripted"))),
        "nobody" => Ok(Verdict::Rejected(Rejection::unknown_user(&user))),
        "closed" if secret.expose() == b"secret word" => {
            let closed = Rejection::new(RejectionKind::Disabled, "scripted");
            Ok(Verdict::Rejected(closed.telling("this account is closed")))
        }
        _ if secret.expose() == b"secret word" => Ok(Verdict::accepted(Account::named(user))),
        _ => Ok(Verdict::Rejected(Rejection::not_verified(&user))),
    }
}
