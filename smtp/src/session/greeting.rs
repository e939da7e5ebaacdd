//! The greeting, and the commands that are about the session itself.

use std::fmt::Write;

use super::{Closing, Phase, Session, Step};
use crate::address::Literal;
use crate::command::Hello;
use crate::error::Error;
use crate::reply::{Code, Reply, Status, write_extensions};

impl Session {
    /// The first line of the conversation.
    pub fn greet(&self, out: &mut Vec<u8>) {
        let text = format!("{} {}", self.config.host_name, self.config.welcome);
        Reply::bare(Code::Ready, text).write(out);
    }

    /// Whether a password may travel in clear: this machine's own network
    /// cannot be listened to from outside.
    pub(super) fn is_login_allowed(&self) -> bool {
        self.config.auth_without_tls || self.client.is_loopback()
    }

    /// EHLO and HELO give an open transaction up (RFC 5321 section 4.1.4).
    pub(super) fn hello(&mut self, hello: Hello, out: &mut Vec<u8>) -> Result<Step, Error> {
        self.count_idle()?;
        self.phase = Phase::Idle;
        let mut greeting = String::with_capacity(64);
        write!(greeting, "Hello {} ({})", hello.name, Literal(self.client))
            .expect("a String takes everything");
        if hello.extended {
            self.write_capabilities(&greeting, out);
        } else {
            Reply::bare(Code::Ok, greeting).write(out);
        }
        self.hello = Some(hello);
        Ok(Step::Listen)
    }

    fn write_capabilities(&self, greeting: &str, out: &mut Vec<u8>) {
        let size = format!("SIZE {}", self.config.max_message_size);
        let login: &[&str] = if self.is_login_allowed() { &["AUTH PLAIN LOGIN"] } else { &[] };
        let always = ["PIPELINING", &size, "8BITMIME", "ENHANCEDSTATUSCODES"];
        write_extensions(out, greeting, &[&always, login, &["HELP"]].concat());
    }

    pub(super) fn help(&mut self, out: &mut Vec<u8>) -> Result<Step, Error> {
        const COMMANDS: &str = "Commands: EHLO HELO MAIL RCPT DATA RSET NOOP VRFY AUTH HELP QUIT";
        self.idle(&Reply::new(Code::Help, Status::NONE, COMMANDS), out)
    }

    pub(super) fn noop(&mut self, out: &mut Vec<u8>) -> Result<Step, Error> {
        self.idle(&Reply::new(Code::Ok, Status::NONE, "Command NOOP OK"), out)
    }

    /// The same answer for everybody, since a client might ask for names to
    /// send junk to (RFC 5321 section 7.3).
    pub(super) fn vrfy(&mut self, out: &mut Vec<u8>) -> Result<Step, Error> {
        const TEXT: &str = "Cannot VRFY user, but will accept message and attempt delivery";
        self.idle(&Reply::new(Code::CannotVerify, Status::NONE, TEXT), out)
    }

    pub(super) fn rset(&mut self, out: &mut Vec<u8>) -> Result<Step, Error> {
        self.phase = Phase::Idle;
        self.idle(&Reply::new(Code::Ok, Status::NONE, "Command RSET OK"), out)
    }

    pub(super) fn quit(&mut self, out: &mut Vec<u8>) -> Step {
        self.phase = Phase::Over;
        let client = Literal(self.client);
        let text = format!("Command QUIT Service closing transmission channel to {client}");
        Reply::new(Code::Closing, Status::NONE, text).write(out);
        Step::Close(Closing::Quit)
    }
}
