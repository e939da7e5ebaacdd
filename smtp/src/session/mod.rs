//! One SMTP session as a state machine: lines and answers in, replies and the
//! next step out. It does no IO and reads no clock.
//!
//! ```text
//!            ┌───────── 235, 535, 454 ─────────┐
//!            ▼                                 │
//!  220 ─▶  Idle ──AUTH──▶ Challenged ──────▶ LoggingIn
//!          │  ▲             (334)              (asks)
//!        MAIL └──────────────────────────────────────────┐
//!          ▼                                             │ 250, 4yz, 5yz
//!  ┌──▶  Mail ──DATA──▶ Receiving ──whole message──▶ Delivering
//!  │       │              (354)  └─refused: back to Idle
//!  │     RCPT
//!  │       ▼
//!  └── LookingUp            RSET, EHLO: back to Idle    QUIT: Over
//!       (asks)
//! ```
//!
//! Waiting for the outside world is a state. The session returns a [`Step`]
//! and is fed what came of it:
//!
//! | step | fed by |
//! |---|---|
//! | [`Step::Listen`], [`Step::Pause`] | [`read`](Session::read), then [`act`](Session::act) |
//! | [`Step::Ask`] | [`answered`](Session::answered) |
//! | [`Step::Receive`] | [`received`](Session::received) |
//! | [`Step::Deliver`] | [`delivered`](Session::delivered) |
//!
//! A session that is dropped in any state has delivered nothing but what it
//! said 250 to.

mod greeting;
mod login;
mod transaction;

#[cfg(test)]
mod transcript_tests;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use dmail_core::framing::{Frame, LineFault};
use dmail_core::{AuthRequest, Origin, Service, Transport, Unavailable, Username, Verdict};

use crate::address::Address;
use crate::command::{self, Command, Hello};
use crate::config::Config;
use crate::delivery::Envelope;
use crate::error::Error;
use crate::message::Message;
use crate::reply::Reply;
use crate::sasl::Exchange;

pub use transaction::Stamp;
use transaction::{Accepted, Transaction};

/// The session's state and what it remembers.
#[derive(Debug)]
pub struct Session {
    config: Arc<Config>,
    client: IpAddr,
    origin: Origin,
    hello: Option<Hello>,
    /// Who the client logged in as.
    user: Option<Username>,
    phase: Phase,
    counts: Counts,
}

/// Where a session stands.
#[derive(Debug)]
enum Phase {
    /// Between transactions.
    Idle,
    /// The next line is a response of this AUTH exchange.
    Challenged(Exchange),
    /// The gateway was asked about this user's password.
    LoggingIn(Username),
    /// MAIL was accepted.
    Mail(Box<Transaction>),
    /// The gateway was asked who this recipient is.
    LookingUp(Box<Transaction>, Address),
    /// DATA was accepted.
    Receiving(Box<Transaction>),
    /// The message is on its way to the disk.
    Delivering(Box<Accepted>),
    /// No further command is taken.
    Over,
}

/// What happens next. The output written so far may be sent at any time, and
/// must be before the session waits for the client.
#[derive(Debug)]
pub enum Step {
    /// Wait for the client's next line.
    Listen,
    /// Let this much time pass first, and send nothing meanwhile.
    Pause(Duration),
    /// Ask the gateway.
    Ask(AuthRequest),
    /// Send the output, then read the content.
    Receive,
    /// Deliver this message.
    Deliver(Box<Envelope>, Message),
    /// Send the output and close the connection.
    Close(Closing),
}

/// Why a session ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Closing {
    /// The client said QUIT.
    #[error("quit")]
    Quit,
    /// The server has had enough.
    #[error("{0}")]
    Refused(Error),
}

/// How often a client did things that are limited.
#[derive(Debug, Default)]
struct Counts {
    commands: u32,
    /// Since the last message.
    idle_commands: u32,
    errors: u32,
    refused_recipients: u32,
    messages: u32,
}

impl Session {
    /// A session of the client at `client`, which connected to `local`.
    #[must_use]
    pub fn new(config: Arc<Config>, client: IpAddr, local: IpAddr) -> Self {
        let origin = Origin {
            client: Some(client),
            local: Some(local),
            transport: Transport::Insecure,
            ..Origin::local(Service::Smtp)
        };
        Self {
            config,
            client,
            origin,
            hello: None,
            user: None,
            phase: Phase::Idle,
            counts: Counts::default(),
        }
    }

    /// Whether a mail transaction is open. A server that stops waits for its
    /// end, and for nothing else.
    #[must_use]
    pub fn in_transaction(&self) -> bool {
        !matches!(self.phase, Phase::Idle | Phase::Challenged(_) | Phase::LoggingIn(_))
    }

    /// Reads one line: a command, or the response of an AUTH exchange, which
    /// is read as an AUTH command that has come further.
    ///
    /// # Errors
    ///
    /// One of the client's mistakes, which [`act`](Self::act) answers.
    pub fn read(&mut self, frame: Frame<'_>) -> Result<Command, Error> {
        let challenged = match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Challenged(exchange) => Some(exchange),
            phase => {
                self.phase = phase;
                None
            }
        };
        match (frame, challenged) {
            (Frame::Line(line), None) => command::parse(line),
            (Frame::Line(line), Some(exchange)) => exchange.respond(line).map(Command::Auth),
            (Frame::Refused(LineFault::TooLong), Some(_)) => Err(Error::AuthLine),
            (Frame::Refused(fault), _) => Err(Error::Line(fault)),
        }
    }

    /// Does what the client wants, or refuses it.
    pub fn act(&mut self, command: Result<Command, Error>, out: &mut Vec<u8>) -> Step {
        self.counts.commands += 1;
        if self.counts.commands > self.config.session.commands {
            return self.end(Error::TooMany("commands"), out);
        }
        let step = command.and_then(|command| self.execute(command, out));
        step.unwrap_or_else(|error| self.refuse(error, out))
    }

    /// Takes the gateway's answer to [`Step::Ask`].
    ///
    /// # Panics
    ///
    /// If nothing was asked.
    pub fn answered(&mut self, answer: Result<Verdict, Unavailable>, out: &mut Vec<u8>) -> Step {
        match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::LoggingIn(user) => self.login_answered(user, answer, out),
            Phase::LookingUp(transaction, address) => {
                self.recipient_answered(transaction, address, answer, out)
            }
            phase => panic!("an answer in a session that did not ask: {phase:?}"),
        }
    }

    /// Says that the server stops, or that the client was silent for too long.
    pub fn interrupt(&mut self, error: Error, out: &mut Vec<u8>) {
        self.phase = Phase::Over;
        Reply::from(error).write(out);
    }

    fn execute(&mut self, command: Command, out: &mut Vec<u8>) -> Result<Step, Error> {
        match command {
            Command::Auth(progress) => self.auth(progress, out),
            Command::Data => self.data(out),
            Command::Hello(hello) => self.hello(hello, out),
            Command::Help => self.help(out),
            Command::Mail(mail) => self.mail(mail, out),
            Command::Noop => self.noop(out),
            Command::Quit => Ok(self.quit(out)),
            Command::Rcpt(path) => self.rcpt(path, out),
            Command::Rset => self.rset(out),
            Command::Vrfy => self.vrfy(out),
        }
    }

    /// Answers with an error, and counts it.
    fn refuse(&mut self, error: Error, out: &mut Vec<u8>) -> Step {
        self.refuse_with(error, Reply::from(error), out)
    }

    /// The same, in other words.
    fn refuse_with(&mut self, error: Error, reply: Reply, out: &mut Vec<u8>) -> Step {
        let limits = self.config.session;
        if error.closes() {
            return self.end(error, out);
        }
        if error.counts() {
            self.counts.errors += 1;
            if self.counts.errors > limits.errors {
                return self.end(Error::TooMany("errors"), out);
            }
        }
        reply.write(out);
        if error.counts() && self.counts.errors > limits.errors / 2 {
            return Step::Pause(limits.pause);
        }
        Step::Listen
    }

    /// Answers a command that brings no mail on its way, and counts it.
    fn idle(&mut self, reply: &Reply, out: &mut Vec<u8>) -> Result<Step, Error> {
        self.count_idle()?;
        reply.write(out);
        Ok(Step::Listen)
    }

    fn count_idle(&mut self) -> Result<(), Error> {
        self.counts.idle_commands += 1;
        if self.counts.idle_commands > self.config.session.idle_commands {
            return Err(Error::TooMany("commands without mail"));
        }
        Ok(())
    }

    fn end(&mut self, error: Error, out: &mut Vec<u8>) -> Step {
        tracing::info!(service = "smtp", client = %self.client, reason = %error, "session ended");
        self.interrupt(error, out);
        Step::Close(Closing::Refused(error))
    }
}
