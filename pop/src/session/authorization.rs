//! AUTHORIZATION: from USER or AUTH to an open mailbox (RFC 1939 section 4,
//! RFC 5034).

use std::sync::Arc;

use dmail_core::sasl::{Credentials, UnusableLogin};
use dmail_core::{Account, AuthRequest, Unavailable, Username, Verdict};

use super::{Closing, Phase, Session, Step};
use crate::command::Command;
use crate::error::Error;
use crate::maildrop::{Maildrop, Messages};
use crate::reply::{LAST_LINE, Reply};

use super::transaction::Doing;

impl<M: Messages> Session<M> {
    /// A command of a client that has not logged in.
    pub(super) fn in_authorization(
        &mut self,
        command: Command,
        out: &mut Vec<u8>,
    ) -> Result<Step<M>, Error> {
        match command {
            Command::AuthList => {
                self.write_mechanisms(out);
                Ok(Step::Listen)
            }
            Command::AuthPlain(_) | Command::Pass(_) | Command::User(_) if !self.login_allowed => {
                Err(Error::NeedsTls)
            }
            Command::AuthPlain(Some(credentials)) => self.log_in(credentials),
            Command::AuthPlain(None) => {
                self.phase = Phase::Challenged;
                out.extend_from_slice(b"+ \r\n");
                Ok(Step::Listen)
            }
            Command::User(name) => {
                self.phase = Phase::Authorization { user: Some(name) };
                // The same for every name, whether it exists or not.
                Reply::ok("now the password").write(out);
                Ok(Step::Listen)
            }
            Command::Pass(secret) => match &mut self.phase {
                Phase::Authorization { user } => {
                    let user = user.take().ok_or(Error::NeedsUser)?;
                    self.log_in(Credentials { user, secret })
                }
                _ => Err(Error::NeedsUser),
            },
            _ => Err(Error::NotLoggedIn),
        }
    }

    /// Asks the gateway, unless no user base could know such a login.
    pub(super) fn log_in(&mut self, credentials: Credentials) -> Result<Step<M>, Error> {
        let (user, secret) = credentials.usable().map_err(|error| self.unusable(error))?;
        self.phase = Phase::Asking { user: user.clone() };
        Ok(Step::Ask(AuthRequest::check(user, secret, self.origin)))
    }

    fn unusable(&self, error: UnusableLogin) -> Error {
        tracing::info!(
            service = "pop3",
            client = self.origin.client.map(tracing::field::display),
            transport = self.origin.transport.name(),
            reason = "bad-input",
            text = %error,
            "login refused"
        );
        Error::WrongLogin
    }

    /// What the gateway answered to [`Step::Ask`].
    pub fn answered(&mut self, answer: Result<Verdict, Unavailable>, out: &mut Vec<u8>) -> Step<M> {
        let Phase::Asking { user } = &self.phase else {
            debug_assert!(false, "nobody asked");
            return Step::Listen;
        };
        match answer {
            Ok(Verdict::Accepted(account)) => {
                self.phase = Phase::Opening { account: Arc::clone(&account) };
                Step::Open(account)
            }
            Ok(Verdict::Rejected(rejection)) => {
                let reason = rejection.kind.id();
                self.log_refusal(user, reason, &rejection.text);
                self.fail_login(&rejection, out)
            }
            Err(unavailable) => {
                let reason = unavailable.kind.to_string();
                self.log_refusal(user, &reason, &unavailable.detail);
                self.fail_login(Error::Unavailable, out)
            }
        }
    }

    /// What came of [`Step::Open`].
    pub fn opened(&mut self, mailbox: Result<M, Error>, out: &mut Vec<u8>) -> Step<M> {
        let Phase::Opening { account } = &self.phase else {
            debug_assert!(false, "nobody opened a mailbox");
            return Step::Listen;
        };
        let Account { name, .. } = &**account;
        match mailbox {
            Ok(mailbox) => {
                let maildrop = Maildrop::new(mailbox);
                let (count, octets) = maildrop.totals();
                tracing::info!(
                    service = "pop3",
                    user = ?name,
                    client = self.origin.client.map(tracing::field::display),
                    transport = self.origin.transport.name(),
                    messages = count,
                    octets,
                    "login"
                );
                Reply::ok(format!("{name} has {count} messages ({octets} octets)")).write(out);
                self.tally.user = Some(name.clone());
                self.phase = Phase::Transaction(maildrop, Doing::Nothing);
                Step::Listen
            }
            Err(error) => {
                self.log_refusal(name, "mailbox", &error.to_string());
                self.fail_login(error, out)
            }
        }
    }

    /// Says why the login failed. The client may begin again with USER, but
    /// not for ever: the gateway slows guessing down, not whoever is patient.
    pub(super) fn fail_login(&mut self, reason: impl Into<Reply>, out: &mut Vec<u8>) -> Step<M> {
        reason.into().write(out);
        self.failed_logins += 1;
        if self.failed_logins < self.limits.failed_logins {
            self.phase = Phase::Authorization { user: None };
            return Step::Listen;
        }
        self.phase = Phase::Over;
        Step::Close(Closing::FailedLogins)
    }

    fn log_refusal(&self, user: &Username, reason: &str, text: &str) {
        tracing::info!(
            service = "pop3",
            ?user,
            client = self.origin.client.map(tracing::field::display),
            transport = self.origin.transport.name(),
            reason,
            ?text,
            "login refused"
        );
    }

    /// The reply to `AUTH` alone: the mechanisms, one a line.
    fn write_mechanisms(&self, out: &mut Vec<u8>) {
        Reply::ok("mechanisms follow").write(out);
        if self.login_allowed {
            out.extend_from_slice(b"PLAIN\r\n");
        }
        out.extend_from_slice(LAST_LINE);
    }
}
