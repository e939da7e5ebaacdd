//! One POP3 session as a state machine: lines and answers in, replies and the
//! next step out. It does no IO and reads no clock.
//!
//! ```text
//!                     ┌──────────── refused, or nobody could decide ────────────┐
//!                     ▼                                                         │
//!   greeting ─▶ AUTHORIZATION ─PASS, AUTH─▶ Asking ─accepted─▶ Opening ─trouble─┤
//!                │  ▲    │                    │                   │             │
//!                │  └──AUTH PLAIN: Challenged │                   │ opened      │
//!                │                            └──refused──────────┼─────────────┘
//!              QUIT                                               ▼
//!                │         UPDATE ◀──QUIT, messages marked── TRANSACTION ──▶ Listing, Naming,
//!                ▼           │                                    │  ▲        Sending
//!             closed ◀───────┴──────────QUIT, nothing marked──────┘  └──────────┘
//! ```
//!
//! Waiting for the outside world is a state. The session returns a [`Step`]
//! and is fed what came of it:
//!
//! | step | fed by |
//! |---|---|
//! | [`Step::Listen`] | [`read`](Session::read), then [`act`](Session::act) |
//! | [`Step::Resume`] | [`resume`](Session::resume) |
//! | [`Step::Ask`] | [`answered`](Session::answered) |
//! | [`Step::Open`] | [`opened`](Session::opened) |
//! | [`Step::Name`] | [`named`](Session::named) |
//! | [`Step::Send`] | [`sent`](Session::sent) or [`unsent`](Session::unsent) |
//! | [`Step::Commit`] | [`committed`](Session::committed) |
//!
//! A session that is dropped in any state has deleted nothing.

mod authorization;
mod transaction;

#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod scripted;
#[cfg(test)]
mod transcript_tests;

use std::sync::Arc;

use dmail_core::framing::Frame;
use dmail_core::sasl::{Credentials, LoginName};
use dmail_core::{Account, AuthRequest, Origin, Username};

use crate::command::{self, Command};
use crate::config::SessionLimits;
use crate::error::Error;
use crate::maildrop::{Maildrop, Messages};
use crate::reply::Reply;

use transaction::Doing;

/// How much output a session makes before it wants it to be sent, in bytes.
pub const OUTPUT_BYTES: usize = 64 * 1024;

/// The session's state and what it remembers.
#[derive(Debug)]
pub struct Session<M: Messages> {
    origin: Origin,
    limits: SessionLimits,
    /// Whether passwords may travel over this connection.
    login_allowed: bool,
    phase: Phase<M>,
    mistakes: u16,
    failed_logins: u16,
    tally: Tally,
}

/// Where a session stands.
#[derive(Debug)]
enum Phase<M: Messages> {
    /// Nobody has logged in. USER may have said who is about to.
    Authorization { user: Option<LoginName> },
    /// The next line is the response of AUTH PLAIN.
    Challenged,
    /// The gateway was asked about this user.
    Asking { user: Username },
    /// The mailbox of this account is being opened.
    Opening { account: Arc<Account> },
    /// A mailbox is open.
    Transaction(Maildrop<M>, Doing),
    /// UPDATE, or whatever else comes last: no further command is taken.
    Over,
}

/// What a client sent, understood.
#[derive(Debug)]
pub enum Input {
    /// A command.
    Command(Command),
    /// The response of AUTH PLAIN.
    Response(Credentials),
}

/// What happens next. The output written so far may be sent at any time, and
/// must be before the session waits for the client.
#[derive(Debug)]
pub enum Step<M> {
    /// Wait for the client's next line.
    Listen,
    /// The reply goes on. Send the output and call [`Session::resume`].
    Resume,
    /// Ask the gateway.
    Ask(AuthRequest),
    /// Open the mailbox of this account.
    Open(Arc<Account>),
    /// Find out the lasting names of the messages.
    Name(Arc<M>),
    /// Send a message, dot-stuffed. Its status line is in the output already.
    Send {
        /// Where the message is.
        mailbox: Arc<M>,
        /// Which one, from 0.
        index: usize,
        /// How many lines of the body; all of them if `None`.
        lines: Option<u32>,
    },
    /// Remove the marked messages, all or none.
    Commit {
        /// Where they are; the session has no other handle on it.
        mailbox: Arc<M>,
        /// A mark for each message of the mailbox.
        deleted: Vec<bool>,
    },
    /// Send the output and close the connection.
    Close(Closing),
}

/// Why a session ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closing {
    /// The client said QUIT.
    Quit,
    /// Too many logins failed.
    FailedLogins,
    /// Too many mistakes.
    Mistakes,
}

impl Closing {
    /// The reason id of the log: stable, one word.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Quit => "quit",
            Self::FailedLogins => "failed-logins",
            Self::Mistakes => "mistakes",
        }
    }
}

/// What a session did, for the log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Who was logged in.
    pub user: Option<Username>,
    /// Messages sent by RETR.
    pub retrieved: u32,
    /// Messages removed at QUIT.
    pub deleted: u32,
    /// Octets of all messages sent, by RETR and TOP.
    pub octets: u64,
}

impl<M: Messages> Session<M> {
    /// A session of a client that has just connected.
    #[must_use]
    pub fn new(origin: Origin, login_allowed: bool, limits: SessionLimits) -> Self {
        Self {
            origin,
            limits,
            login_allowed,
            phase: Phase::Authorization { user: None },
            mistakes: 0,
            failed_logins: 0,
            tally: Tally::default(),
        }
    }

    /// Whether a user is logged in. Before that, a server that stops does not
    /// wait for the client.
    #[must_use]
    pub fn is_logged_in(&self) -> bool {
        matches!(self.phase, Phase::Transaction(..))
    }

    /// Whom the session serves or is about to let in, for the log.
    #[must_use]
    pub fn user(&self) -> Option<&Username> {
        match &self.phase {
            Phase::Asking { user } => Some(user),
            Phase::Opening { account } => Some(&account.name),
            _ => self.tally.user.as_ref(),
        }
    }

    /// What the session has done so far.
    #[must_use]
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Writes the greeting. Without the timestamp of RFC 1939 section 7 it
    /// says that there is no APOP.
    pub fn greet(&self, host_name: &str, out: &mut Vec<u8>) {
        Reply::ok(format!("{host_name} POP3 server ready")).write(out);
    }

    /// Takes leave of a client that has not logged in, because the server
    /// stops.
    pub fn stop(&mut self, out: &mut Vec<u8>) {
        self.phase = Phase::Over;
        Reply::from(Error::Stopping).write(out);
    }

    /// Understands one line.
    ///
    /// # Errors
    ///
    /// What is wrong with it; [`act`](Self::act) says so to the client.
    pub fn read(&self, frame: Frame<'_>) -> Result<Input, Error> {
        match (frame, &self.phase) {
            (Frame::Refused(fault), _) => Err(fault.into()),
            (Frame::Line(line), Phase::Challenged) => {
                command::parse_response(line).map(Input::Response)
            }
            (Frame::Line(line), _) => command::parse(line).map(Input::Command),
        }
    }

    /// Does what the client wants, or says in `out` why not.
    pub fn act(&mut self, input: Result<Input, Error>, out: &mut Vec<u8>) -> Step<M> {
        let step = input.and_then(|input| match (input, &self.phase) {
            (Input::Response(credentials), _) => self.log_in(credentials),
            (Input::Command(Command::Capa), _) => {
                self.write_capabilities(out);
                Ok(Step::Listen)
            }
            (Input::Command(Command::Quit), _) => Ok(self.quit(out)),
            (Input::Command(command), Phase::Transaction(..)) => self.in_transaction(command, out),
            (Input::Command(command), _) => self.in_authorization(command, out),
        });
        step.unwrap_or_else(|error| self.refuse(error, out))
    }

    /// Says `error` to the client, and counts it.
    fn refuse(&mut self, error: Error, out: &mut Vec<u8>) -> Step<M> {
        if error == Error::WrongLogin {
            return self.fail_login(error, out);
        }
        Reply::from(error).write(out);
        if matches!(self.phase, Phase::Challenged) {
            self.phase = Phase::Authorization { user: None };
        }
        if !error.is_mistake() {
            return Step::Listen;
        }
        self.mistakes += 1;
        let limit = if self.is_logged_in() {
            self.limits.mistakes
        } else {
            self.limits.mistakes_before_login
        };
        if self.mistakes < limit {
            return Step::Listen;
        }
        self.phase = Phase::Over;
        Step::Close(Closing::Mistakes)
    }

    /// CAPA (RFC 2449 section 5). What can be done before the login is
    /// announced in both states, as that section demands.
    fn write_capabilities(&self, out: &mut Vec<u8>) {
        Reply::ok("capabilities follow").write(out);
        out.extend_from_slice(
            b"TOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\n\
              IMPLEMENTATION dmail\r\n",
        );
        if self.login_allowed {
            out.extend_from_slice(b"USER\r\nSASL PLAIN\r\n");
        }
        out.extend_from_slice(crate::reply::LAST_LINE);
    }
}
