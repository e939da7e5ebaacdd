//! Postfix's policy delegation: how many requests `dmail serve` answers, beside
//! a line server that knows one answer; and what a login that has sent something
//! takes of memory.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use dmail_core::config::SenderRule;
use dmail_core::{Account, Verdict};
use dmail_dialects::policy::{Limits, Policy, PolicySession, Rules};
use dmail_dialects::{Answer, Question, Session, Step};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::line::{CLEAR_USERS, CONNECTIONS};
use super::memory::{Kind, bytes_for_each};
use crate::bare::lines::BareLines;
use crate::contest::{Effort, hold};
use crate::failure::{Failure, Wrong};
use crate::load::{Client, Sample, drive, one_thread};
use crate::measure::Server;
use crate::program::{DOMAIN, Passwords, Program, Users};
use crate::report::{Report, Target, Wanted};

/// Logins whose messages are counted. There is room for a few more.
pub(super) const LOGINS: usize = 1_000_000;
/// Fewer, which send more.
pub(super) const BUSY_LOGINS: usize = 250_000;
/// Bytes for each of them.
const ONE: Wanted = Wanted::Below(300.0);
const TWENTY: Wanted = Wanted::Below(600.0);

/// Nobody gets to a limit, and all are counted.
const SETTINGS: &str = "\
dialect policy unix:policy.sock
policy_messages 4000000000/1h
policy_recipients 4000000000/1d
";

/// What is answered to everybody, with its empty line.
const YES: &[u8] = b"action=DUNNO\n\n";

pub(super) fn run(effort: Effort, report: &mut Report) -> Result<(), Failure> {
    report.table("Postfix's policy delegation over a unix socket, 10 connections");
    let users = Users { number: CLEAR_USERS, messages: 0, passwords: Passwords::Clear };
    let program = Program::start_with(users, SETTINGS)?;
    let ours = program.home().join("policy.sock");
    let lines = request(0, 0).lines().count();
    let bare = program.home().join("bare.sock");
    let bare = BareLines::of_requests(&bare, lines, "action=DUNNO\n")?;
    let contest = hold(
        effort,
        |time| turn(&ours, program.pid(), time),
        |time| turn(&bare.socket, bare.pid(), time),
    )?;
    report.contest("policy, one outstanding", "bare: line server", &contest);
    program.stop()?;

    let kinds = [(Kind::OneMessage, ONE), (Kind::TwentyMessages, TWENTY)];
    let mut rows = Vec::new();
    for (kind, wanted) in kinds {
        rows.push((kind, bytes_for_each(kind)?, wanted));
    }
    let titled = rows.iter().map(|(kind, bytes, _)| (kind.title().to_owned(), *bytes));
    report.memory("Policy: resident bytes for each login", &titled.collect::<Vec<_>>());
    for (kind, found, wanted) in rows {
        let what = format!("policy, {kind:?}: bytes for each login");
        report.target(Target { what: &what, found, wanted });
    }
    Ok(())
}

/// What Postfix asks before the content of a message from its owner.
fn request(user: usize, message: usize) -> String {
    format!(
        "request=smtpd_access_policy\nprotocol_state=DATA\nprotocol_name=ESMTP\n\
         client_address=192.0.2.7\nclient_name=client.example\nclient_port=40000\n\
         reverse_client_name=client.example\nserver_address=192.0.2.1\nserver_port=587\n\
         helo_name=client.example\nsender=test{user}@{DOMAIN}\nrecipient=\n\
         recipient_count=1\nqueue_id=\ninstance={user}.{message}\nsize=0\netrn_domain=\n\
         stress=\nsasl_method=plain\nsasl_username=test{user}\nsasl_sender=\n\
         ccert_subject=\nccert_issuer=\nccert_fingerprint=\n\
         encryption_protocol=TLSv1.3\nencryption_cipher=TLS_AES_256_GCM_SHA384\n\
         encryption_keysize=256\npolicy_context=\n\n"
    )
}

fn turn(socket: &Path, pid: u32, time: Duration) -> Result<Sample, Failure> {
    one_thread()?.block_on(async {
        let mut askers = Vec::new();
        for connection in 0..CONNECTIONS {
            let asker = Asker::connect(socket, connection * CLEAR_USERS / CONNECTIONS).await;
            askers.push(asker.map_err(|wrong| Failure::Program(wrong.to_string()))?);
        }
        Ok(drive(askers, time, &Server::Processes(vec![pid])).await)
    })
}

/// A connection as an smtpd of Postfix has one.
struct Asker {
    stream: UnixStream,
    next: usize,
    message: usize,
    reply: Vec<u8>,
}

impl Asker {
    async fn connect(socket: &Path, next: usize) -> Result<Self, Wrong> {
        let stream = UnixStream::connect(socket).await?;
        Ok(Self { stream, next, message: 0, reply: Vec::with_capacity(64) })
    }
}

impl Client for Asker {
    async fn operate(&mut self) -> Result<(), Wrong> {
        let request = request(self.next, self.message);
        self.next = (self.next + 1) % CLEAR_USERS;
        self.message += 1;
        self.stream.write_all(request.as_bytes()).await?;
        self.reply.clear();
        while !self.reply.ends_with(b"\n\n") {
            if self.stream.read_buf(&mut self.reply).await? == 0 {
                return Err(Wrong("closed".to_owned()));
            }
        }
        if self.reply == YES {
            return Ok(());
        }
        Err(Wrong(self.reply.escape_ascii().to_string()))
    }
}

/// Has so many messages of each of so many logins counted, in this process; `resident`
/// before and after.
pub(super) fn fill(
    logins: usize,
    messages: usize,
    resident: impl Fn() -> Result<f64, Failure>,
) -> Result<(f64, f64), Failure> {
    let rate = |text: &str| vec![text.parse().expect("a rate")];
    let limits = Limits { messages: rate("200/1h"), recipients: rate("2000/1d") };
    let rules = Rules { limits, sender: SenderRule::Any, domains: Vec::new() };
    let policy = Arc::new(Policy::new(rules, Box::new(|_, _| Ok(()))));
    let before = resident()?;
    let mut session = PolicySession::new(Arc::clone(&policy));
    for message in 0..messages {
        for user in 0..logins {
            ask(&mut session, &request(user, message))?;
        }
    }
    Ok((before, resident()?))
}

fn ask(session: &mut PolicySession, request: &str) -> Result<(), Failure> {
    let (mut input, mut out) = (BytesMut::from(request), Vec::new());
    while let Step::Ask(ticket, Question::Authenticate(asked)) = session.next(&mut input, &mut out)
    {
        let known = Verdict::accepted(Account::named(asked.user));
        session.answered(ticket, Answer::Verdict(Ok(known)), &mut out);
    }
    match out == YES {
        true => Ok(()),
        false => Err(Failure::Program(out.escape_ascii().to_string())),
    }
}
