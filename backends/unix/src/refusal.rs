//! Why an account is refused, in words that travel over the line protocol and
//! are understood at its other end.

use dmail_core::{Rejection, RejectionKind, Username};

/// Between the name and the reason in the text of [`RejectionKind::NotAllowed`].
const MAY_NOT: &str = " may not log in: ";

/// The rejection of somebody whose password is right, or does not matter.
pub(crate) fn not_allowed(user: &Username, why: &str) -> Rejection {
    Rejection::new(RejectionKind::NotAllowed, format!("{user}{MAY_NOT}{why}"))
}

/// The rejection that a helper meant. A reply line has a text and no kind, so
/// the pool can only guess the kind from the question.
pub(crate) fn understood(user: &Username, mut rejection: Rejection) -> Rejection {
    let after_name = rejection.text.strip_prefix(user.as_str());
    if after_name.is_some_and(|rest| rest.starts_with(MAY_NOT)) {
        rejection.kind = RejectionKind::NotAllowed;
    }
    rejection
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_understood_at_the_other_end() {
        let bob = Username::parse(b"bob").expect("a name");
        let expired = not_allowed(&bob, "the account has expired");
        assert_eq!(expired.text, "bob may not log in: the account has expired");
        let over_the_line = Rejection::new(RejectionKind::NotVerified, expired.text.clone());
        assert_eq!(understood(&bob, over_the_line), expired);
        let wrong = Rejection::not_verified(&bob);
        assert_eq!(understood(&bob, wrong.clone()), wrong);
    }
}
