//! Why a server gave no answer, and what its result codes mean.
//!
//! | code | to a user's bind | is |
//! |---|---|---|
//! | 0 | success | the right password |
//! | 49 | invalidCredentials | a wrong password, unless the policy or Active Directory says more |
//! | 32 | noSuchObject | no such user |
//! | 19, 48, 53 | constraintViolation, inappropriateAuthentication, unwillingToPerform | not allowed: locked, without a password, deactivated |
//! | 51, 1, 3, 11, 80 | busy and the like | unavailable; another server is asked |
//! | 52 | unavailable | unavailable; the server counts as down |
//! | all others | | unavailable: something is set up wrongly |

use dmail_core::{Rejection, RejectionKind, Unavailable, UnavailableKind, Username};

use crate::wire::bind::{Answer, PolicyError};

/// What the source is called in logs and traces.
pub(crate) const SOURCE: &str = "ldap";

/// A server gave no answer that decides anything.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub(crate) struct Trouble {
    pub(crate) kind: TroubleKind,
    /// One line for the log, without secrets and without the server's name.
    pub(crate) detail: String,
}

/// What kind of [`Trouble`], which says whom to ask next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TroubleKind {
    /// It answers, but cannot do this now.
    Busy,
    /// It cannot be reached, or is going down.
    Down,
    /// It, or what is set here, is wrong: another server would say the same.
    Fault,
    /// What it holds of the user cannot be judged: another server holds the same.
    Record,
    /// All connections to it are in use, for too long.
    Overloaded,
    /// It has not answered this, but may well answer others.
    Slow,
    /// It says nothing, to nobody.
    Timeout,
}

impl Trouble {
    pub(crate) fn new(kind: TroubleKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }

    pub(crate) fn down(detail: impl Into<String>) -> Self {
        Self::new(TroubleKind::Down, detail)
    }

    pub(crate) fn fault(detail: impl Into<String>) -> Self {
        Self::new(TroubleKind::Fault, detail)
    }

    /// What a result code means that is no answer to `question`.
    pub(crate) fn result(question: &str, code: u32, text: &str) -> Self {
        let kind = match code {
            1 | 3 | 11 | 51 | 80 => TroubleKind::Busy,
            52 => TroubleKind::Down,
            _ => TroubleKind::Fault,
        };
        let advice = match code {
            8 | 13 => "; the server wants TLS: ldap_starttls true, or an ldaps:// address",
            10 => "; referrals are not followed: name the server that has the entries",
            34 => "; a distinguished name in the settings is not one for this server",
            50 => "; ldap_bind_dn may not do that",
            _ => "",
        };
        let text = one_line(text);
        Self::new(kind, format!("{question} is answered with code {code} {text:?}{advice}"))
    }

    /// Whether this server should be left alone until it is well.
    pub(crate) fn is_down(&self) -> bool {
        matches!(self.kind, TroubleKind::Down | TroubleKind::Timeout)
    }

    /// "Nobody could decide", with the server that was asked last.
    pub(crate) fn unavailable(&self, server: &str) -> Unavailable {
        let kind = match self.kind {
            TroubleKind::Busy | TroubleKind::Down => UnavailableKind::Dead,
            TroubleKind::Fault => UnavailableKind::Fault,
            TroubleKind::Record => UnavailableKind::Record,
            TroubleKind::Overloaded => UnavailableKind::Overloaded,
            TroubleKind::Slow | TroubleKind::Timeout => UnavailableKind::Timeout,
        };
        Unavailable::new(kind, format!("{SOURCE}: {server}: {}", self.detail))
    }
}

/// A server's words, fit for a log: without line ends, and not endless.
pub(crate) fn one_line(text: &str) -> String {
    text.trim_end_matches('\0')
        .chars()
        .take(200)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// What a user's bind has proved.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// This is the password.
    Right,
    /// It is not, or it does not count.
    No(Rejection),
}

/// What the answer to a user's bind means.
pub(crate) fn judge(answer: &Answer, user: &Username) -> Result<Proof, Trouble> {
    let refused = |why: &str| {
        Ok(Proof::No(Rejection::new(RejectionKind::NotAllowed, format!("{user}: {why}"))))
    };
    match (answer.code, answer.policy) {
        (0, _) => Ok(Proof::Right),
        (49 | 53, Some(PolicyError::Locked)) => refused("the account is locked"),
        (49 | 53, Some(PolicyError::Expired)) => refused("the password has expired"),
        (49 | 53, Some(PolicyError::MustChange)) => refused("the password has to be changed"),
        (49, None) => match active_directory(&answer.text) {
            Some(why) => refused(why),
            None => Ok(Proof::No(Rejection::not_verified(user))),
        },
        (32, _) => Ok(Proof::No(Rejection::unknown_user(user))),
        (48, _) => refused("the entry has no password to bind with"),
        (19 | 53, _) => refused(&format!("the directory refuses: {:?}", one_line(&answer.text))),
        (code, _) => Err(Trouble::result("a user's bind", code, &answer.text)),
    }
}

/// Active Directory puts its reason into the text: `… data 533, v4563`. It
/// gives those below to whoever knows the password.
fn active_directory(text: &str) -> Option<&'static str> {
    let (_, after) = text.split_once(", data ")?;
    match after.split([',', ' ']).next()? {
        "530" | "531" => Some("logins are not permitted now, or not from here"),
        "532" => Some("the password has expired"),
        "533" => Some("the account is disabled"),
        "701" => Some("the account has expired"),
        "773" => Some("the password has to be changed"),
        "775" => Some("the account is locked"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_directory_that_says_so_makes_a_password_wrong() {
        let user = Username::parse(b"ann").expect("a name");
        let ad = |data: &str| {
            format!("80090308: LdapErr: DSID-0C0903A9, comment: x error, data {data}, v4563\0")
        };
        type Expected = Result<Option<RejectionKind>, TroubleKind>;
        let rows: &[(u32, Option<PolicyError>, String, Expected)] = &[
            (0, None, String::new(), Ok(None)),
            (0, Some(PolicyError::MustChange), String::new(), Ok(None)),
            (49, None, String::new(), Ok(Some(RejectionKind::NotVerified))),
            (49, None, ad("52e"), Ok(Some(RejectionKind::NotVerified))),
            (49, None, ad("525"), Ok(Some(RejectionKind::NotVerified))),
            (49, None, ad("533"), Ok(Some(RejectionKind::NotAllowed))),
            (49, None, ad("775"), Ok(Some(RejectionKind::NotAllowed))),
            (49, Some(PolicyError::Locked), String::new(), Ok(Some(RejectionKind::NotAllowed))),
            (49, Some(PolicyError::Expired), String::new(), Ok(Some(RejectionKind::NotAllowed))),
            (32, None, String::new(), Ok(Some(RejectionKind::UnknownUser))),
            (19, None, String::new(), Ok(Some(RejectionKind::NotAllowed))),
            (53, None, String::new(), Ok(Some(RejectionKind::NotAllowed))),
            (10, None, String::new(), Err(TroubleKind::Fault)),
            (13, None, String::new(), Err(TroubleKind::Fault)),
            (34, None, String::new(), Err(TroubleKind::Fault)),
            (50, None, String::new(), Err(TroubleKind::Fault)),
            (51, None, String::new(), Err(TroubleKind::Busy)),
            (52, None, String::new(), Err(TroubleKind::Down)),
            (80, None, String::new(), Err(TroubleKind::Busy)),
            (4711, None, String::new(), Err(TroubleKind::Fault)),
        ];
        for (code, policy, text, expected) in rows {
            let answer = Answer { id: 1, code: *code, text: text.clone(), policy: *policy };
            let found = match judge(&answer, &user) {
                Ok(Proof::Right) => Ok(None),
                Ok(Proof::No(rejection)) => Ok(Some(rejection.kind)),
                Err(trouble) => Err(trouble.kind),
            };
            assert_eq!(found, *expected, "{code} {policy:?} {text}");
        }
    }

    #[test]
    fn words_of_a_server_are_one_short_line() {
        assert_eq!(one_line("a\r\nb\0"), "a  b");
        assert_eq!(one_line(&"x".repeat(1000)).len(), 200);
    }
}
