//! What follows from an answer: the policy as data, and the decision.
//!
//! A member's answer is of one of four kinds, and its policy says for each kind
//! whether it is the answer of the chain (`stop`) or whether it is kept in mind
//! and the next member is asked (`next`). If no member stops the chain, the
//! first in this order of what was heard is the answer:
//!
//! 1. *accepted*
//! 2. *rejected* by a member that knows the user
//! 3. *unavailable*: somebody who could not answer may know the user
//! 4. *rejected* by a member that cannot tell a wrong password from an unknown
//!    user
//! 5. *unknown*: all who were asked said so
//!
//! Nothing here waits.

use std::sync::Arc;

use dmail_core::{Account, Rejection, Unavailable};

/// What to do after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// It is the answer of the chain.
    Stop,
    /// The next member is asked.
    Next,
}

/// What follows from each kind of answer of one member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// The password is right, or the user is there (`on_accepted`).
    pub accepted: After,
    /// The user is known and the password is wrong, or the user may not
    /// (`on_rejected`).
    pub rejected: After,
    /// There is no such user (`on_unknown`).
    pub unknown: After,
    /// The member cannot answer (`on_unavailable`).
    pub unavailable: After,
}

impl Default for Policy {
    /// Only an unknown user is looked for elsewhere. An outage is not: the
    /// next member may hold an old password of the user, or another user of
    /// that name.
    fn default() -> Self {
        Self {
            accepted: After::Stop,
            rejected: After::Stop,
            unknown: After::Next,
            unavailable: After::Stop,
        }
    }
}

/// One member's answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Heard {
    Accepted(Arc<Account>),
    /// The password is wrong, or the user may not. `sure`: the member knows the
    /// user; else this may be its word for an unknown one.
    Rejected {
        rejection: Rejection,
        sure: bool,
    },
    Unknown,
    Unavailable(Unavailable),
    /// The password was not verified, and the member could not say any more
    /// whether it knows the user at all. To go on could let in somebody whose
    /// password was just found wrong, so this always stops.
    Undecided(Unavailable),
}

impl Heard {
    /// What the policy says about an answer of this kind.
    pub(super) fn after(&self, policy: &Policy) -> After {
        match self {
            Self::Accepted(_) => policy.accepted,
            Self::Rejected { .. } => policy.rejected,
            Self::Unknown => policy.unknown,
            Self::Unavailable(_) => policy.unavailable,
            Self::Undecided(_) => After::Stop,
        }
    }

    /// Which of two answers counts if neither stopped the chain: the lower.
    fn rank(&self) -> u8 {
        match self {
            Self::Accepted(_) => 0,
            Self::Rejected { sure: true, .. } => 1,
            Self::Unavailable(_) | Self::Undecided(_) => 2,
            Self::Rejected { sure: false, .. } => 3,
            Self::Unknown => 4,
        }
    }

    /// The answer in words, with the setting that decides what follows.
    pub(super) fn describe(&self, policy: &Policy) -> String {
        let after = match self.after(policy) {
            After::Stop => "stop",
            After::Next => "next",
        };
        match self {
            Self::Accepted(_) => format!("accepted (on_accepted {after})"),
            Self::Rejected { rejection, .. } => {
                format!("rejected, {} (on_rejected {after})", rejection.kind.id())
            }
            Self::Unknown => format!("unknown user (on_unknown {after})"),
            Self::Unavailable(error) => {
                format!("unavailable, {} (on_unavailable {after})", error.kind)
            }
            Self::Undecided(_) => {
                "not verified, and it cannot say whether it knows the user".into()
            }
        }
    }
}

/// An answer, and which member gave it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Decision {
    pub(super) heard: Heard,
    /// `None`: nobody was asked, or nobody knows the user.
    pub(super) by: Option<usize>,
}

/// What was heard on the way along the chain.
#[derive(Debug)]
pub(super) struct Walk {
    best: Decision,
    /// Who said that there is no such user.
    unknown_to: Vec<usize>,
}

impl Walk {
    /// Before anybody was asked: so far nobody knows the user.
    pub(super) fn new() -> Self {
        Self { best: Decision { heard: Heard::Unknown, by: None }, unknown_to: Vec::new() }
    }

    /// Takes the answer of `member`, and says whether to go on.
    pub(super) fn hear(&mut self, member: usize, heard: Heard, policy: &Policy) -> After {
        if heard == Heard::Unknown {
            self.unknown_to.push(member);
        }
        let after = heard.after(policy);
        // The first of its kind counts: it stands earlier in the chain.
        if after == After::Stop || heard.rank() < self.best.heard.rank() {
            self.best = Decision { heard, by: Some(member) };
        }
        after
    }

    /// Whether `member` was asked, and has no such user.
    pub(super) fn is_unknown_to(&self, member: usize) -> bool {
        self.unknown_to.contains(&member)
    }

    /// The answer of the chain.
    pub(super) fn decision(&self) -> &Decision {
        &self.best
    }
}

#[cfg(test)]
mod tests {
    use dmail_core::{RejectionKind, UnavailableKind, Username};

    use super::After::{Next, Stop};
    use super::*;

    /// The kinds of answers, by one letter each.
    const KINDS: [char; 6] = ['A', 'R', 'r', 'U', 'X', 'x'];

    fn heard(kind: char) -> Heard {
        let rejection = Rejection::new(RejectionKind::NotVerified, "no");
        let unavailable = Unavailable::new(UnavailableKind::Dead, "down");
        match kind {
            'A' => {
                let user = Username::parse(b"bob").expect("a name");
                Heard::Accepted(Arc::new(Account::named(user)))
            }
            'R' => Heard::Rejected { rejection, sure: true },
            'r' => Heard::Rejected { rejection, sure: false },
            'U' => Heard::Unknown,
            'X' => Heard::Unavailable(unavailable),
            _ => Heard::Undecided(unavailable),
        }
    }

    fn letter(heard: &Heard) -> char {
        *KINDS.iter().find(|kind| self::heard(**kind) == *heard).expect("a kind")
    }

    /// The letters of what goes on: `policy("AU")` goes on after accepted and
    /// unknown.
    fn policy(next: &str) -> Policy {
        let after = |kind| if next.contains(kind) { Next } else { Stop };
        Policy {
            accepted: after('A'),
            rejected: after('R'),
            unknown: after('U'),
            unavailable: after('X'),
        }
    }

    /// What the chain answers, and how many members were asked.
    fn walk(answers: &[(char, Policy)]) -> (char, usize) {
        let mut walk = Walk::new();
        let mut asked = 0;
        for (member, (kind, policy)) in answers.iter().enumerate() {
            asked += 1;
            if walk.hear(member, heard(*kind), policy) == Stop {
                break;
            }
        }
        (letter(&walk.decision().heard), asked)
    }

    #[test]
    fn the_default_looks_elsewhere_for_unknown_users_only() {
        let rows = [
            ("A?", 'A', 1),
            ("R?", 'R', 1),
            ("r?", 'r', 1),
            ("X?", 'X', 1),
            ("x?", 'x', 1),
            ("UA", 'A', 2),
            ("UR", 'R', 2),
            ("UU", 'U', 2),
            ("UX", 'X', 2),
            ("Ux", 'x', 2),
            ("", 'U', 0),
        ];
        for (answers, expected, asked) in rows {
            let answers: Vec<_> = answers.chars().map(|kind| (kind, Policy::default())).collect();
            assert_eq!(walk(&answers), (expected, asked), "{answers:?}");
        }
    }

    #[test]
    fn whoever_stops_the_chain_has_the_last_word() {
        for first in KINDS {
            for second in KINDS {
                let never = policy("");
                let always = policy("ARUX");
                assert_eq!(walk(&[(first, never), (second, never)]), (first, 1));
                let after_all = walk(&[(first, always), (second, never)]);
                let expected = if first == 'x' { ('x', 1) } else { (second, 2) };
                assert_eq!(after_all, expected, "{first} next, {second} stop");
            }
        }
    }

    /// Rows: the first answer; columns: the second, in the order of `KINDS`.
    #[test]
    fn if_nobody_stops_the_best_answer_counts_whatever_the_order() {
        let table = [
            ('A', "AAAAAx"),
            ('R', "ARRRRx"),
            ('r', "ARrrXx"),
            ('U', "ARrUXx"),
            ('X', "ARXXXx"),
            ('x', "xxxxxx"),
        ];
        for (first, row) in table {
            for (second, expected) in KINDS.iter().zip(row.chars()) {
                let always = policy("ARUX");
                let (answer, _) = walk(&[(first, always), (*second, always)]);
                assert_eq!(answer, expected, "{first} then {second}");
            }
        }
    }

    #[test]
    fn the_cases_that_are_easily_got_wrong() {
        type Row<'a> = (&'a str, &'a [(char, &'a str)], char);
        let rows: &[Row<'_>] = &[
            (
                "a wrong password is not rescued by an outage behind it",
                &[('R', "U"), ('X', "X")],
                'R',
            ),
            ("nor by one before it", &[('X', "X"), ('R', "U")], 'R'),
            ("unknown here and no answer there is no unknown user", &[('U', "U"), ('X', "X")], 'X'),
            ("whatever the order", &[('X', "X"), ('U', "U")], 'X'),
            ("the second source may know another password", &[('R', "R"), ('A', "")], 'A'),
            ("and if it is down, nobody knows", &[('R', "R"), ('X', "")], 'X'),
            ("unless it may be done without", &[('R', "R"), ('X', "X")], 'R'),
            ("one who cannot tell is no witness", &[('r', "R"), ('X', "X")], 'X'),
            ("both must accept", &[('A', "A"), ('R', "")], 'R'),
            ("both have accepted", &[('A', "A"), ('A', "")], 'A'),
            ("a second opinion that is not there", &[('A', "A"), ('X', "")], 'X'),
            ("a stand-in for an outage", &[('X', "X"), ('A', "")], 'A'),
        ];
        for (what, answers, expected) in rows {
            let answers: Vec<_> =
                answers.iter().map(|(kind, next)| (*kind, policy(next))).collect();
            assert_eq!(walk(&answers).0, *expected, "{what}");
        }
    }

    #[test]
    fn who_does_not_know_the_user_is_remembered() {
        let mut walk = Walk::new();
        walk.hear(0, heard('U'), &Policy::default());
        walk.hear(1, heard('A'), &Policy::default());
        assert!(walk.is_unknown_to(0) && !walk.is_unknown_to(1) && !walk.is_unknown_to(2));
        assert_eq!(walk.decision().by, Some(1));
    }
}
