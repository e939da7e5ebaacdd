//! Asking the gateway: at once where memory answers, and never for too long.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use dmail_core::{AuthRequest, Authenticator, Purpose, Unavailable, UnavailableKind, Verdict};

/// Whom a service asks.
#[derive(Clone)]
pub struct Asker {
    gateway: Arc<dyn Authenticator>,
    timeout: Duration,
}

impl Asker {
    /// Asks `gateway`, and takes no answer within `timeout` for none at all.
    #[must_use]
    pub fn new(gateway: Arc<dyn Authenticator>, timeout: Duration) -> Self {
        Self { gateway, timeout }
    }

    /// Asks, and logs what came of it.
    pub(crate) async fn ask(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        let answer = match self.gateway.recall(request) {
            Some(account) => Ok(Verdict::Accepted(account)),
            None => {
                let asking = self.gateway.authenticate(request);
                tokio::time::timeout(self.timeout, asking).await.unwrap_or_else(|_| {
                    let seconds = self.timeout.as_secs();
                    let detail =
                        format!("no answer within {seconds} seconds (timeout= of the dialect)");
                    Err(Unavailable::new(UnavailableKind::Timeout, detail))
                })
            }
        };
        self.log(request, &answer);
        answer
    }

    fn log(&self, request: &AuthRequest, answer: &Result<Verdict, Unavailable>) {
        match (&request.purpose, answer) {
            (Purpose::Check(_) | Purpose::Prove(_), Ok(Verdict::Accepted(account))) => {
                let (user, origin, dialect) =
                    (&account.name, request.origin, request.origin.dialect);
                let client = origin.client.map(tracing::field::display);
                tracing::info!(service = %origin.service, dialect, ?user, client, "login");
            }
            (Purpose::Check(_) | Purpose::Prove(_), Ok(Verdict::Rejected(rejection))) => {
                self.refused(request, rejection.kind.id(), &rejection.text);
            }
            (Purpose::Check(_) | Purpose::Prove(_), Err(unavailable)) => {
                self.refused(request, unavailable.kind.id(), &unavailable.detail);
            }
            (Purpose::Lookup | Purpose::Salt(_), Ok(verdict)) => {
                let (user, dialect) = (&request.user, request.origin.dialect);
                let found = matches!(verdict, Verdict::Accepted(_));
                tracing::debug!(service = %request.origin.service, dialect, ?user, found, "lookup");
            }
            (Purpose::Lookup | Purpose::Salt(_), Err(unavailable)) => {
                let (user, dialect) = (&request.user, request.origin.dialect);
                let (reason, text) = (unavailable.kind.id(), &unavailable.detail);
                let service = request.origin.service;
                tracing::info!(%service, dialect, ?user, reason, ?text, "lookup not answered");
            }
        }
    }

    fn refused(&self, request: &AuthRequest, reason: &str, text: &str) {
        let (user, origin, dialect) = (&request.user, request.origin, request.origin.dialect);
        let client = origin.client.map(tracing::field::display);
        tracing::info!(service = %origin.service, dialect, ?user, client, reason, ?text, "login refused");
    }
}

impl fmt::Debug for Asker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asker").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}
