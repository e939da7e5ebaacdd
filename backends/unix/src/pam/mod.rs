//! PAM: one transaction for each password, and what its result means.
//!
//! | the library says | is |
//! |---|---|
//! | the password is wrong, the user unknown, too many tries | a wrong password |
//! | the account or the password has expired, or may not | not allowed |
//! | success without asking for the password, or for another user | nobody could decide |
//! | anything else | nobody could decide |

mod library;

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use dmail_core::{Rejection, Secret, Unavailable, UnavailableKind, Username};

use crate::refusal;
use library::Outcome;

pub(crate) use library::Pam;

/// Where rules are, in the order in which Linux-PAM looks for them.
const FOLDERS: [&str; 3] = ["/etc/pam.d", "/usr/lib/pam.d", "/usr/etc/pam.d"];

/// Longest password that PAM takes, in bytes (PAM_MAX_RESP_SIZE, with its NUL).
const MAX_PASSWORD_BYTES: usize = 511;

/// The file with the rules of `service`, if there is one. Without, PAM would go
/// by those for "other" services, which on many systems refuse everybody.
pub(crate) fn service_file(service: &str) -> Option<PathBuf> {
    FOLDERS.iter().map(|folder| Path::new(folder).join(service)).find(|file| file.is_file())
}

/// Whether `secret` is the password of the account `account`; `Ok(None)` if so.
/// Blocks.
pub(crate) fn check(
    pam: &Pam,
    service: &str,
    user: &Username,
    account: &str,
    secret: &Secret,
    client: Option<IpAddr>,
) -> Result<Option<Rejection>, Unavailable> {
    if service_file(service).is_none() {
        let text = format!("pam: there is no /etc/pam.d/{service}, see docs/unixauth.md");
        return Err(Unavailable::new(UnavailableKind::Dead, text));
    }
    if secret.expose().len() > MAX_PASSWORD_BYTES {
        return Ok(Some(Rejection::not_verified(user)));
    }
    match pam.check(service, account, secret, client) {
        Some(outcome) => {
            tracing::debug!(%user, service, ?outcome, "pam");
            meaning(service, user, &outcome)
        }
        // No password that PAM can have stored holds a NUL.
        None => Ok(Some(Rejection::not_verified(user))),
    }
}

fn meaning(
    service: &str,
    user: &Username,
    outcome: &Outcome,
) -> Result<Option<Rejection>, Unavailable> {
    let fault = |why: &str| {
        let text = format!("pam: service {service} {why}");
        Err(Unavailable::new(UnavailableKind::Fault, text))
    };
    if outcome.asked_for_more {
        return fault("asks for more than one password, see docs/unixauth.md");
    }
    let not_allowed = |why: &str| Ok(Some(refusal::not_allowed(user, why)));
    match (outcome.code, outcome.authenticated) {
        (0, _) if outcome.prompts == 0 => fault("lets users in without asking for a password"),
        (0, _) if outcome.other_user => fault("goes on about another user than was asked about"),
        (0, _) => Ok(None),
        // PERM_DENIED
        (6, _) => not_allowed("PAM does not permit it"),
        // AUTH_ERR, USER_UNKNOWN, MAXTRIES
        (7 | 10 | 11, false) => Ok(Some(Rejection::not_verified(user))),
        (7 | 10 | 11, true) => not_allowed("PAM refuses the account"),
        // NEW_AUTHTOK_REQD
        (12, _) => not_allowed("the password has to be changed"),
        // ACCT_EXPIRED
        (13, _) => not_allowed("the account has expired"),
        // CRED_EXPIRED, AUTHTOK_EXPIRED
        (16 | 27, _) => not_allowed("the password has expired"),
        _ => {
            let text = format!("pam: {}; see the log of the system", outcome.text);
            Err(Unavailable::new(UnavailableKind::Dead, text))
        }
    }
}

#[cfg(test)]
mod tests {
    use dmail_core::RejectionKind::{self, NotAllowed, NotVerified};

    use super::*;

    #[test]
    fn only_what_pam_decided_is_a_verdict() {
        type Row = (i32, bool, usize, bool);
        type Meaning = Result<Option<RejectionKind>, UnavailableKind>;
        use UnavailableKind::{Dead, Fault};
        let bob = Username::parse(b"bob").expect("a name");
        // Code, whether the password was found good, prompts, more asked.
        let rows: [(Row, Meaning); 19] = [
            ((0, true, 1, false), Ok(None)),
            ((0, true, 0, false), Err(Fault)), // pam_permit alone
            ((7, false, 1, false), Ok(Some(NotVerified))),
            ((10, false, 1, false), Ok(Some(NotVerified))),
            ((11, false, 1, false), Ok(Some(NotVerified))),
            ((7, true, 1, false), Ok(Some(NotAllowed))), // pam_deny behind the account rules
            ((6, true, 1, false), Ok(Some(NotAllowed))),
            ((12, true, 1, false), Ok(Some(NotAllowed))),
            ((13, true, 1, false), Ok(Some(NotAllowed))),
            ((27, true, 1, false), Ok(Some(NotAllowed))),
            ((9, false, 1, false), Err(Dead)), // AUTHINFO_UNAVAIL
            ((8, false, 1, false), Err(Dead)), // CRED_INSUFFICIENT: not root
            ((1, false, 0, false), Err(Dead)), // a module that is not there
            ((3, false, 0, false), Err(Dead)),
            ((4, true, 1, false), Err(Dead)),
            ((26, false, 0, false), Err(Dead)),
            ((99, false, 1, false), Err(Dead)),
            ((7, false, 1, true), Err(Fault)), // a second factor
            ((19, false, 1, true), Err(Fault)),
        ];
        let outcome = |(code, authenticated, prompts, asked_for_more): Row| Outcome {
            code,
            text: "words".into(),
            authenticated,
            other_user: false,
            prompts,
            asked_for_more,
        };
        let other = Outcome { other_user: true, ..outcome((0, true, 1, false)) };
        let rows = rows.map(|(row, expected)| (outcome(row), expected));
        for (outcome, expected) in rows.into_iter().chain([(other, Err(Fault))]) {
            let meaning = meaning("dmail", &bob, &outcome);
            let kinds = meaning.map(|no| no.map(|no| no.kind)).map_err(|error| error.kind);
            assert_eq!(kinds, expected, "{outcome:?}");
        }
    }
}
