//! A second source is asked the same, for comparison.
//!
//! It gets the question when the answer is there, so it delays nobody; when too
//! many comparisons are under way, the question is left out and counted. Each
//! difference is one line of the log, with a reason id:
//!
//! | id | the second source |
//! |---|---|
//! | `verdict` | says no where the first says yes, or the other way round |
//! | `drop-path`, `uid`, `info` | describes the account otherwise |
//! | `unanswered` | gave no answer |

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dmail_core::{AuthRequest, Authenticator, Rejection, RejectionKind, Unavailable, Verdict};
use tokio::sync::{Semaphore, TryAcquireError};

use super::differences::differences;

/// Comparisons at a time; a source that hangs holds no more than these.
const AT_A_TIME: usize = 64;
/// After so many comparisons, the totals are logged.
const REPORT_EVERY: u64 = 1000;

/// A source that is only compared.
pub struct Shadow {
    name: Arc<str>,
    source: Arc<dyn Authenticator>,
    free: Arc<Semaphore>,
    totals: Totals,
}

/// How the comparisons went so far.
#[derive(Debug, Default)]
struct Totals {
    same: AtomicU64,
    different: AtomicU64,
    unanswered: AtomicU64,
    left_out: AtomicU64,
}

impl Shadow {
    /// Compares with `source`, which must answer or give up within its time.
    #[must_use]
    pub fn new(name: Arc<str>, source: Arc<dyn Authenticator>) -> Arc<Self> {
        let free = Arc::new(Semaphore::new(AT_A_TIME));
        Arc::new(Self { name, source, free, totals: Totals::default() })
    }

    /// Asks what was asked, in the background, and compares with what was
    /// answered.
    pub fn compare(self: &Arc<Self>, request: &AuthRequest, answered: &Verdict) {
        let permit = match Arc::clone(&self.free).try_acquire_owned() {
            Ok(permit) => permit,
            Err(TryAcquireError::NoPermits | TryAcquireError::Closed) => {
                self.leave_out();
                return;
            }
        };
        let (shadow, answered) = (Arc::clone(self), answered.clone());
        // The explanation ends with the answer.
        let request = AuthRequest { trace: None, ..request.clone() };
        tokio::spawn(async move {
            let _permit = permit;
            let answer = shadow.source.authenticate(&request).await;
            shadow.report(&request, &answered, &answer);
        });
    }

    fn leave_out(&self) {
        let before = self.totals.left_out.fetch_add(1, Ordering::Relaxed);
        // The first, and then not one line for each.
        if before.is_multiple_of(REPORT_EVERY) {
            let (source, left_out) = (&*self.name, before + 1);
            tracing::warn!(%source, left_out, "shadow: too slow to be asked everything");
        }
    }

    fn report(
        &self,
        request: &AuthRequest,
        answered: &Verdict,
        answer: &Result<Verdict, Unavailable>,
    ) {
        let found = compare(answered, answer);
        let count = match answer {
            Err(_) => &self.totals.unanswered,
            Ok(_) if found.is_empty() => &self.totals.same,
            Ok(_) => &self.totals.different,
        };
        count.fetch_add(1, Ordering::Relaxed);
        let (user, source) = (&request.user, &*self.name);
        for (reason, text) in &found {
            tracing::warn!(%user, %source, reason, "shadow: {text}");
        }
        self.totals.report(source);
    }
}

impl Totals {
    fn report(&self, source: &str) {
        let [same, different, unanswered, left_out] =
            [&self.same, &self.different, &self.unanswered, &self.left_out]
                .map(|count| count.load(Ordering::Relaxed));
        if (same + different + unanswered).is_multiple_of(REPORT_EVERY) {
            tracing::info!(%source, same, different, unanswered, left_out, "shadow: totals");
        }
    }
}

/// The differences, each with its reason id. No text of a source is in them:
/// it might repeat the password.
fn compare(
    answered: &Verdict,
    answer: &Result<Verdict, Unavailable>,
) -> Vec<(&'static str, String)> {
    let verdict = |here: &str, there: &str| vec![("verdict", format!("{here}, and {there} there"))];
    match (answered, answer) {
        (_, Err(error)) => vec![("unanswered", format!("no answer there, {}", error.kind))],
        (Verdict::Accepted(here), Ok(Verdict::Accepted(there))) => differences(here, there)
            .into_iter()
            .map(|difference| (difference.id(), difference.to_string()))
            .collect(),
        (Verdict::Accepted(_), Ok(Verdict::Rejected(there))) => {
            verdict("accepted", &format!("rejected ({})", there.kind.id()))
        }
        (Verdict::Rejected(here), Ok(Verdict::Accepted(_))) => {
            verdict(&format!("rejected ({})", here.kind.id()), "accepted")
        }
        (Verdict::Rejected(here), Ok(Verdict::Rejected(there))) => {
            match is_nobody(here) == is_nobody(there) {
                true => Vec::new(),
                false => verdict(
                    &format!("rejected ({})", here.kind.id()),
                    &format!("rejected ({})", there.kind.id()),
                ),
            }
        }
    }
}

/// Whether a "no" may mean that there is no such user: sources say so in
/// different words.
fn is_nobody(rejection: &Rejection) -> bool {
    use RejectionKind::{BadInput, NotVerified, UnknownUser};
    matches!(rejection.kind, UnknownUser | NotVerified | BadInput)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use async_trait::async_trait;
    use dmail_core::{Account, Origin, Service, UnavailableKind, Username};

    use super::*;

    fn bob() -> Username {
        Username::parse(b"bob").expect("a name")
    }

    fn no(kind: RejectionKind) -> Verdict {
        Verdict::Rejected(Rejection::new(kind, "no, not with s3cret"))
    }

    #[test]
    fn a_difference_has_a_reason_and_no_secret() {
        use RejectionKind::{NotAllowed, NotVerified, UnknownUser};
        let yes = || Verdict::accepted(Account::named(bob()));
        let down = Unavailable::new(UnavailableKind::Dead, "s3cret");
        let rows = [
            (yes(), Ok(yes()), None),
            (yes(), Ok(no(NotVerified)), Some("verdict")),
            (no(NotVerified), Ok(yes()), Some("verdict")),
            (no(NotVerified), Ok(no(UnknownUser)), None),
            (no(NotAllowed), Ok(no(UnknownUser)), Some("verdict")),
            (yes(), Err(down), Some("unanswered")),
        ];
        for (here, there, expected) in rows {
            let found = compare(&here, &there);
            assert_eq!(found.first().map(|(id, _)| *id), expected, "{here:?} {there:?}");
            assert!(found.iter().all(|(_, text)| !text.contains("s3cret")), "{found:?}");
        }
    }

    struct Hangs;

    #[async_trait]
    impl Authenticator for Hangs {
        async fn authenticate(&self, _: &AuthRequest) -> Result<Verdict, Unavailable> {
            std::future::pending().await
        }
    }

    #[tokio::test]
    async fn a_source_that_hangs_holds_no_more_than_its_places() {
        let shadow = Shadow::new("module 30 (ldap)".into(), Arc::new(Hangs));
        let request = AuthRequest::lookup(bob(), Origin::local(Service::Smtp));
        let answered = no(RejectionKind::UnknownUser);
        let asked = async { (0..AT_A_TIME + 9).for_each(|_| shadow.compare(&request, &answered)) };
        tokio::time::timeout(Duration::from_secs(30), asked).await.expect("nobody waits");
        assert_eq!(shadow.totals.left_out.load(Ordering::Relaxed), 9);
    }
}
