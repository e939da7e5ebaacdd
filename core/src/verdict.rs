//! What a source answers.

use std::path::PathBuf;
use std::sync::Arc;

use crate::{Info, Username};

/// Somebody decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// `+OK`: the password is right, or the user exists.
    Accepted(Arc<Account>),
    /// `-ERR`: it is not, or there is none.
    Rejected(Rejection),
}

impl Verdict {
    /// An acceptance of this account.
    #[must_use]
    pub fn accepted(account: Account) -> Self {
        Self::Accepted(Arc::new(account))
    }
}

/// A user, as a source describes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The name, as the source spells it.
    pub name: Username,
    /// Where the mail lies.
    pub drop: DropPath,
    /// Who owns the drop file.
    pub uid: Option<Uid>,
    /// Everything else that the source said.
    pub info: Info,
}

impl Account {
    /// An account of which only the name is known; dmail.conf says the rest.
    #[must_use]
    pub fn named(name: Username) -> Self {
        Self { name, drop: DropPath::Config, uid: None, info: Info::default() }
    }

    /// Who owns the drop file, if the source tells. To whoever runs programs
    /// for users, number 0 would be root: it is nobody here.
    #[must_use]
    pub fn owner(&self) -> Option<&Uid> {
        self.uid.as_ref().filter(|uid| **uid != Uid::Number(0))
    }
}

/// Where an account's drop file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DropPath {
    /// The word `config`: the server builds the path from dmail.conf.
    Config,
    /// A full path, with the file name.
    File(PathBuf),
}

/// The owner of a drop file. Number 0 means "no owner is given", never root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Uid {
    /// A name of the operating system's user base.
    Name(String),
    /// A number.
    Number(u32),
}

/// A "no", with the source's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// What kind of no.
    pub kind: RejectionKind,
    /// The source's reason, for the log and for administrators. Clients that
    /// are not logged in get the same text for every kind.
    pub text: String,
    /// What whoever has shown the right password may read instead: why the
    /// account cannot be used. One line of printable ASCII. Without it, the
    /// client reads the same as after a wrong password.
    pub told: Option<Arc<str>>,
    /// Whether it may have been a guess, which the throttle counts. Not if the
    /// client has shown what was right once.
    pub is_guess: bool,
}

impl Rejection {
    /// A rejection of this kind.
    pub fn new(kind: RejectionKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), told: None, is_guess: true }
    }

    /// The same, of somebody who cannot have guessed what he showed.
    #[must_use]
    pub fn of_no_guess(self) -> Self {
        Self { is_guess: false, ..self }
    }

    /// The same, with a text for the client. Only for somebody who has shown
    /// the right password, or where it is the same for every user: to all
    /// others it would tell that there is such a user.
    #[must_use]
    pub fn telling(self, told: impl Into<Arc<str>>) -> Self {
        Self { told: Some(told.into()), ..self }
    }

    /// The answer to a verb that a source does not have.
    #[must_use]
    pub fn unsupported() -> Self {
        Self::new(RejectionKind::Unsupported, "this user base does not support the command")
    }

    /// The original's one text for a wrong password and for an unknown user.
    #[must_use]
    pub fn not_verified(user: &Username) -> Self {
        let text = format!("{user} password wrong or not a valid user");
        Self::new(RejectionKind::NotVerified, text)
    }

    /// The original's answer to a lookup of somebody who is not there.
    #[must_use]
    pub fn unknown_user(user: &Username) -> Self {
        Self::new(RejectionKind::UnknownUser, format!("{user} does not exist"))
    }
}

/// What kind of "no" a [`Rejection`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RejectionKind {
    /// A name, password or value that the source could not be asked about.
    BadInput,
    /// The account's state (`mailstatus`) forbids this for good.
    Disabled,
    /// The user is known but may not do this (from there, now, or at all).
    NotAllowed,
    /// The password is wrong, or (a module does not say) there is no such user.
    NotVerified,
    /// The account's state (`mailstatus`) forbids this for now; the same may be
    /// done later.
    OnHold,
    /// Too many wrong passwords lately; the source was not asked.
    Throttled,
    /// There is no such user.
    UnknownUser,
    /// The source does not have this verb.
    Unsupported,
}

impl RejectionKind {
    /// All kinds.
    pub const ALL: [Self; 8] = [
        Self::BadInput,
        Self::Disabled,
        Self::NotAllowed,
        Self::NotVerified,
        Self::OnHold,
        Self::Throttled,
        Self::UnknownUser,
        Self::Unsupported,
    ];

    /// The kind with this reason id.
    #[must_use]
    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.id() == id)
    }

    /// The reason id of the log: stable, one word.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::BadInput => "bad-input",
            Self::Disabled => "account-disabled",
            Self::NotAllowed => "not-allowed",
            Self::NotVerified => "not-verified",
            Self::OnHold => "account-on-hold",
            Self::Throttled => "throttled",
            Self::UnknownUser => "unknown-user",
            Self::Unsupported => "unsupported",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_id() {
        use RejectionKind as Kind;
        // A kind that is added is missing here first: the match does not compile.
        let number = |kind: Kind| match kind {
            Kind::BadInput => 0,
            Kind::Disabled => 1,
            Kind::NotAllowed => 2,
            Kind::NotVerified => 3,
            Kind::OnHold => 4,
            Kind::Throttled => 5,
            Kind::UnknownUser => 6,
            Kind::Unsupported => 7,
        };
        assert_eq!(Kind::ALL.map(number), [0, 1, 2, 3, 4, 5, 6, 7]);
        for kind in Kind::ALL {
            assert_eq!(Kind::from_id(kind.id()), Some(kind));
        }
        assert_eq!(Kind::from_id("account-on-hold"), Some(Kind::OnHold));
        assert_eq!(Kind::from_id("because"), None);
    }
}
