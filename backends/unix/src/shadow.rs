//! Passwords of `/etc/shadow`: is the stored one right, and is the account open?
//!
//! The rules are those of shadow(5). Nobody changes a password over a mail
//! protocol, so one that has to be changed closes the account for us.

use std::ffi::c_long;
use std::io;

use dmail_core::{Unavailable, UnavailableKind, Username};
use nix::unistd::User;
use zeroize::Zeroizing;

use crate::nss::{self, ShadowEntry};

/// How an account stands to its password.
pub(crate) struct Judged {
    /// What the secret is compared with; `None` if no secret fits.
    pub(crate) stored: Option<Zeroizing<String>>,
    /// Why the account is closed, even to the right password.
    pub(crate) closed: Option<&'static str>,
}

/// Looks up the password of `user`, who is `account`. Blocks.
///
/// # Errors
///
/// If it cannot be read, which says nothing about the user.
pub(crate) fn find(user: &Username, account: User, today: c_long) -> Result<Judged, Unavailable> {
    let entry = nss::shadow(&account.name).map_err(|error| unreadable(&error))?;
    if let Some(entry) = entry {
        return Ok(Judged { closed: closed(&entry, today), stored: usable(entry.stored) });
    }
    let stored = nss::take_password(account);
    if *stored == "x" {
        let text = format!("shadow: there is no shadow entry for {user}, try `method pam`");
        return Err(Unavailable::new(UnavailableKind::Record, text));
    }
    Ok(Judged { stored: usable(stored), closed: None })
}

/// Looks up the password of somebody who is not there: takes the same time, and
/// the same may be in the way.
pub(crate) fn find_nobody(name: &str) -> Result<(), Unavailable> {
    nss::shadow(name).map(drop).map_err(|error| unreadable(&error))
}

fn unreadable(error: &io::Error) -> Unavailable {
    let text = match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "shadow: may not read passwords; run as root or in group shadow".to_owned()
        }
        _ => format!("shadow: {error}"),
    };
    Unavailable::new(UnavailableKind::Dead, text)
}

/// The stored text, if a password can fit it at all. `!` and `*` lock an
/// account, and so does anything else that crypt(3) does not make; an empty
/// field would let everybody in.
fn usable(stored: Zeroizing<String>) -> Option<Zeroizing<String>> {
    let crypt = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '/');
    let is_des = stored.len() == 13 && stored.chars().all(crypt);
    (stored.starts_with(['$', '_']) || is_des).then_some(stored)
}

/// Why the account is closed on the day `today`.
fn closed(entry: &ShadowEntry, today: c_long) -> Option<&'static str> {
    let password_ends = entry.last_change.saturating_add(entry.max_days);
    if entry.expires > 0 && today >= entry.expires {
        Some("the account has expired")
    } else if entry.last_change == 0 {
        Some("the password has to be changed")
    } else if entry.last_change > 0 && entry.max_days >= 0 && today > password_ends {
        Some("the password has expired")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_crypt_does_not_make_locks_an_account() {
        let rows = [
            ("$y$j9T$salt$hash", true),
            ("$6$salt$hash", true),
            ("$unknown$x", true), // judged later, and never a "no"
            ("_J9..SDSD5YGyRCr4W4c", true),
            ("rEK1ecacw.7.c", true),
            ("", false),
            ("*", false),
            ("!", false),
            ("!!", false),
            ("*LK*", false),
            ("!$y$j9T$salt$hash", false),
            ("x", false),
            ("NP", false),
            ("{PLAIN}secret", false),
            ("opensesame", false),
        ];
        for (stored, expected) in rows {
            assert_eq!(usable(Zeroizing::new(stored.into())).is_some(), expected, "{stored}");
        }
    }

    #[test]
    fn accounts_are_closed_by_the_day() {
        let day = 20_000;
        let rows = [
            ((19_000, 99_999, -1), None),
            ((19_000, -1, -1), None),
            ((-1, 30, -1), None), // no day of change: aging is off
            ((0, 99_999, -1), Some("the password has to be changed")),
            ((19_990, 10, -1), None),
            ((19_989, 10, -1), Some("the password has expired")),
            ((20_001, 10, -1), None), // a clock that was wrong
            ((19_000, c_long::MAX, -1), None),
            ((19_000, 99_999, day), Some("the account has expired")),
            ((19_000, 99_999, day + 1), None),
            ((19_000, 99_999, 0), None), // shadow(5): not to be used
        ];
        for ((last_change, max_days, expires), expected) in rows {
            let stored = Zeroizing::new(String::new());
            let entry = ShadowEntry { stored, last_change, max_days, expires };
            assert_eq!(closed(&entry, day), expected, "{last_change} {max_days} {expires}");
        }
    }
}
