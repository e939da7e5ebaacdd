//! What is asked of the gateway.

use std::sync::Arc;

use crate::{Evidence, Origin, Proof, SaltQuestion, Secret, Trace, Unavailable, Username, Verdict};

/// One question: is this the user's password, or who is this user?
#[derive(Debug, Clone)]
pub struct AuthRequest {
    /// Above the mapping layer: the name as the client gave it. Below: the
    /// canonical name, as the source knows it.
    pub user: Username,
    /// What the answer is for.
    pub purpose: Purpose,
    /// Who asks, and from where.
    pub origin: Origin,
    /// If present, each layer writes down what it did (`dmail explain`).
    pub trace: Option<Arc<Trace>>,
}

impl AuthRequest {
    /// A login: does `secret` belong to `user`?
    #[must_use]
    pub fn check(user: Username, secret: Secret, origin: Origin) -> Self {
        Self { user, purpose: Purpose::Check(secret), origin, trace: None }
    }

    /// A question without a password: does `user` exist, and where is the mail?
    #[must_use]
    pub fn lookup(user: Username, origin: Origin) -> Self {
        Self { user, purpose: Purpose::Lookup, origin, trace: None }
    }

    /// Writes down what a layer did, if anybody wants to know. The text is
    /// made only then.
    pub fn note(&self, layer: &'static str, text: impl FnOnce() -> String) {
        if let Some(trace) = &self.trace {
            trace.note(layer, text());
        }
    }

    /// Writes down what a source has answered.
    pub fn note_answer(&self, source: &'static str, answer: &Result<Verdict, Unavailable>) {
        self.note(source, || match answer {
            Ok(Verdict::Accepted(_)) => "accepted".to_owned(),
            Ok(Verdict::Rejected(rejection)) => format!("rejected: {}", rejection.kind.id()),
            Err(unavailable) => unavailable.to_string(),
        });
    }
}

/// What an [`AuthRequest`] wants to know.
#[derive(Debug, Clone)]
pub enum Purpose {
    /// `check`: verify this password.
    Check(Secret),
    /// `lookup`: find the account; nobody is logging in.
    Lookup,
    /// A login by a password that is shown and not told: judge this proof. A
    /// source that cannot rejects it as unsupported.
    Prove(Proof),
    /// What a client must know to make a proof. The gateway answers it for
    /// everybody, also for users that are not there.
    Salt(SaltQuestion),
}

impl Purpose {
    /// Whether it is a login, so that it may be a guess.
    #[must_use]
    pub fn is_login(&self) -> bool {
        matches!(self, Self::Check(_) | Self::Prove(_))
    }

    /// Whether somebody who reads it on its way can log in with it: a password
    /// or a token, but not a proof that belongs to one conversation.
    #[must_use]
    pub fn tells_secret(&self) -> bool {
        match self {
            Self::Check(_) => true,
            Self::Prove(proof) => matches!(proof.evidence, Evidence::Token(_)),
            Self::Lookup | Self::Salt(_) => false,
        }
    }

    /// Whether the answer holds for the next one who asks the same: not for a
    /// proof, which belongs to one conversation.
    #[must_use]
    pub fn is_repeatable(&self) -> bool {
        matches!(self, Self::Check(_) | Self::Lookup)
    }
}
