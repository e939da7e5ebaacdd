//! AUTH: from a challenge to the gateway's verdict.

use dmail_core::sasl::{Credentials, UnusableLogin};
use dmail_core::{AuthRequest, Unavailable, Username, Verdict};

use super::{Phase, Session, Step};
use crate::error::Error;
use crate::reply::{Code, Reply, Status};
use crate::sasl::Progress;

impl Session {
    /// Goes on with an AUTH exchange, as far as the client has brought it.
    pub(super) fn auth(&mut self, progress: Progress, out: &mut Vec<u8>) -> Result<Step, Error> {
        self.check_auth()?;
        match progress {
            Progress::Challenge(exchange) => {
                Reply::bare(Code::Challenge, exchange.challenge()).write(out);
                self.phase = Phase::Challenged(exchange);
                Ok(Step::Listen)
            }
            Progress::Complete(credentials) => self.ask(credentials),
        }
    }

    /// Whether AUTH is in order now (RFC 4954 section 4).
    fn check_auth(&self) -> Result<(), Error> {
        if self.in_transaction() {
            Err(Error::AuthInTransaction)
        } else if !self.hello.as_ref().is_some_and(|hello| hello.extended) {
            Err(Error::NeedsHello("EHLO"))
        } else if self.user.is_some() {
            Err(Error::AuthTwice)
        } else if !self.is_login_allowed() {
            Err(Error::NeedsEncryption)
        } else {
            Ok(())
        }
    }

    fn ask(&mut self, credentials: Credentials) -> Result<Step, Error> {
        let (user, secret) = credentials.usable().map_err(|error| self.unusable(error))?;
        self.phase = Phase::LoggingIn(user.clone());
        Ok(Step::Ask(AuthRequest::check(user, secret, self.origin)))
    }

    fn unusable(&self, error: UnusableLogin) -> Error {
        tracing::info!(
            service = "smtp",
            client = %self.client,
            transport = self.origin.transport.name(),
            reason = "bad-input",
            text = ?error.to_string(),
            "login refused"
        );
        Error::WrongLogin
    }

    /// Takes the verdict. The client reads the same text for every kind of no,
    /// unless it has shown the right password.
    pub(super) fn login_answered(
        &mut self,
        user: Username,
        answer: Result<Verdict, Unavailable>,
        out: &mut Vec<u8>,
    ) -> Step {
        match answer {
            Ok(Verdict::Accepted(account)) => {
                tracing::info!(
                    service = "smtp",
                    user = ?account.name,
                    client = %self.client,
                    transport = self.origin.transport.name(),
                    "login"
                );
                self.user = Some(user);
                Reply::new(Code::LoggedIn, Status::SECURITY, "Authentication successful")
                    .write(out);
                Step::Listen
            }
            Ok(Verdict::Rejected(rejection)) => {
                self.log_login(&user, rejection.kind.id(), &rejection.text);
                self.refuse_with(Error::WrongLogin, Reply::from(&rejection), out)
            }
            Err(unavailable) => {
                self.log_login(&user, &unavailable.kind.to_string(), &unavailable.detail);
                self.refuse(Error::LoginUnavailable, out)
            }
        }
    }

    fn log_login(&self, user: &Username, reason: &str, text: &str) {
        tracing::info!(
            service = "smtp",
            ?user,
            client = %self.client,
            transport = self.origin.transport.name(),
            reason,
            ?text,
            "login refused"
        );
    }
}
