//! Asking the gateway: at once where memory answers, and never for too long.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use dmail_core::{AuthRequest, Authenticator, Unavailable, UnavailableKind, Verdict};
use dmail_net::log;

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
        log::answered(request, &answer);
        answer
    }
}

impl fmt::Debug for Asker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asker").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}
