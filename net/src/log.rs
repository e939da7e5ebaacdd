//! What is logged of a question: one line for each login, in the same words
//! whoever asked, and where it came from.

use std::fmt::Display;

use dmail_core::{
    Action, AuthRequest, Change, Origin, Outcome, Purpose, RejectionKind, Unavailable, Username,
    Verdict,
};

/// Logs what came of a question.
pub fn answered(request: &AuthRequest, answer: &Result<Verdict, Unavailable>) {
    match (&request.purpose, answer) {
        // A salt is asked for before the login proper; that it was told says nothing.
        (Purpose::Salt(_), Ok(_)) => {}
        (Purpose::Check(_) | Purpose::Prove(_), Ok(Verdict::Accepted(account))) => {
            let (user, origin) = (&account.name, &request.origin);
            tracing::info!(
                service = %origin.service,
                dialect = origin.dialect,
                ?user,
                client = origin.client.map(tracing::field::display),
                transport = origin.transport.name(),
                session = origin.session.map(tracing::field::display),
                by = shown(request),
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
            let (user, origin) = (&request.user, &request.origin);
            let found = matches!(verdict, Verdict::Accepted(_));
            tracing::debug!(
                service = %origin.service,
                dialect = origin.dialect,
                ?user,
                session = origin.session.map(tracing::field::display),
                found,
                "lookup"
            );
        }
        (Purpose::Lookup, Err(unavailable)) => {
            let (user, origin) = (&request.user, &request.origin);
            tracing::info!(
                service = %origin.service,
                dialect = origin.dialect,
                ?user,
                session = origin.session.map(tracing::field::display),
                reason = unavailable.kind.id(),
                text = ?unavailable.detail,
                "lookup not answered"
            );
        }
    }
}

/// Logs a login that no user base can be asked about. `user` is who logs in, if
/// there could be such a user; nothing of `why` is secret.
pub fn not_asked(user: Option<&Username>, origin: &Origin, why: &dyn Display) {
    not_passed_on(user, origin, None, RejectionKind::BadInput.id(), &why.to_string());
}

/// The same for any `reason` (the id of a kind of rejection), of a login that
/// `server` has sent.
pub fn not_passed_on(
    user: Option<&Username>,
    origin: &Origin,
    server: Option<String>,
    reason: &str,
    text: &str,
) {
    refusal(user, origin, None, server, reason, text);
}

/// Logs what came of a change.
pub fn changed(change: &Change, outcome: &Result<Outcome, Unavailable>) {
    let (user, dialect) = (&change.user, change.origin.dialect);
    let what = match change.action {
        Action::Delete => "del",
        Action::Set { .. } => "set",
    };
    match outcome {
        Ok(Outcome::Done(_)) => tracing::info!(dialect, ?user, what, "changed"),
        Ok(Outcome::Refused(why)) => {
            let reason = why.kind.id();
            tracing::warn!(dialect, ?user, what, reason, text = ?why.text, "change refused");
        }
        Err(error) => {
            let reason = error.kind.id();
            tracing::warn!(dialect, ?user, what, reason, text = ?error.detail, "change not made");
        }
    }
}

fn refused(request: &AuthRequest, reason: &str, text: &str) {
    refusal(Some(&request.user), &request.origin, shown(request), None, reason, text);
}

/// The one line of a login that is refused.
fn refusal(
    user: Option<&Username>,
    origin: &Origin,
    by: Option<&str>,
    server: Option<String>,
    reason: &str,
    text: &str,
) {
    tracing::info!(
        service = %origin.service,
        dialect = origin.dialect,
        user = user.map(tracing::field::debug),
        client = origin.client.map(tracing::field::display),
        transport = origin.transport.name(),
        session = origin.session.map(tracing::field::display),
        by,
        server,
        reason,
        ?text,
        "login refused"
    );
}

/// What was shown instead of the password, if it was.
fn shown(request: &AuthRequest) -> Option<&'static str> {
    match &request.purpose {
        Purpose::Prove(proof) => Some(proof.name()),
        Purpose::Salt(question) => Some(question.hash.name()),
        Purpose::Check(_) | Purpose::Lookup => None,
    }
}
