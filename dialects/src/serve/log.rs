//! One line for each login, like those of DPOP and DSMTP.

use dmail_core::{AuthRequest, Purpose, Unavailable, Verdict};

/// Logs what came of a question.
pub(super) fn answered(request: &AuthRequest, answer: &Result<Verdict, Unavailable>) {
    match (&request.purpose, answer) {
        // A salt is asked for before the login proper; that it was told says nothing.
        (Purpose::Salt(_), Ok(_)) => {}
        (Purpose::Check(_) | Purpose::Prove(_), Ok(Verdict::Accepted(account))) => {
            let (user, origin) = (&account.name, request.origin);
            tracing::info!(
                service = %origin.service,
                dialect = origin.dialect,
                ?user,
                client = origin.client.map(tracing::field::display),
                "login"
            );
        }
        (Purpose::Check(_) | Purpose::Prove(_), Ok(Verdict::Rejected(rejection))) => {
            refused(request, rejection.kind.id(), &rejection.text);
        }
        (Purpose::Check(_) | Purpose::Prove(_) | Purpose::Salt(_), Err(unavailable)) => {
            refused(request, unavailable.kind.id(), &unavailable.detail);
        }
        (Purpose::Lookup, Ok(verdict)) => {
            let (user, origin) = (&request.user, request.origin);
            let found = matches!(verdict, Verdict::Accepted(_));
            let service = origin.service;
            tracing::debug!(%service, dialect = origin.dialect, ?user, found, "lookup");
        }
        (Purpose::Lookup, Err(unavailable)) => {
            let (user, origin) = (&request.user, request.origin);
            tracing::info!(
                service = %origin.service,
                dialect = origin.dialect,
                ?user,
                reason = unavailable.kind.id(),
                text = ?unavailable.detail,
                "lookup not answered"
            );
        }
    }
}

fn refused(request: &AuthRequest, reason: &str, text: &str) {
    let (user, origin) = (&request.user, request.origin);
    tracing::info!(
        service = %origin.service,
        dialect = origin.dialect,
        ?user,
        client = origin.client.map(tracing::field::display),
        reason,
        ?text,
        "login refused"
    );
}
