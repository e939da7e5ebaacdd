//! What differs between two user bases, as a lookup in both tells.
//!
//! ```text
//!   names of OLD ─▶ lookup in both ─▶ only in OLD, differs, equal
//!   names of NEW ─▶ lookup in OLD  ─▶ only in NEW
//! ```
//!
//! Passwords are not compared: two hashes of one password differ.

use std::collections::VecDeque;
use std::sync::Arc;

use dmail_core::{
    Account, AuthRequest, Authenticator, Info, Origin, RejectionKind, Service, Uid, Username,
    Verdict,
};
use tokio::task::JoinHandle;

use crate::TransferError;
use crate::feed::drop_text;
use crate::names::{self, Names};

/// Users asked about at a time.
const AT_A_TIME: usize = 64;

/// What differs in one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// There, and not here.
    OnlyOld,
    /// Here, and not there.
    OnlyNew,
    /// In neither, though the names' file has it.
    Neither,
    /// In both, but not the same: what, old before new.
    Fields(Vec<String>),
    /// One of the two did not answer.
    Unanswered(String),
}

/// How many of each there were.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Users who are the same in both.
    pub equal: u64,
    /// Users of the old base alone.
    pub only_old: u64,
    /// Users of the new base alone.
    pub only_new: u64,
    /// Names that neither knows.
    pub neither: u64,
    /// Users who differ.
    pub differ: u64,
    /// Users of whom one base could not tell.
    pub unanswered: u64,
}

impl Summary {
    /// Whether the two bases say the same.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        let Self { equal: _, only_old, only_new, neither, differ, unanswered } = *self;
        only_old + only_new + neither + differ + unanswered == 0
    }
}

/// Compares all users of both bases, or those of `names`, and tells `report`
/// of each who differs, in order.
///
/// # Errors
///
/// If a base cannot list its users. That one lookup is not answered ends
/// nothing.
pub async fn diff(
    old: Arc<dyn Authenticator>,
    new: Arc<dyn Authenticator>,
    names: Option<Names>,
    report: &mut (dyn FnMut(&Username, &Difference) + Send),
) -> Result<Summary, TransferError> {
    let mut summary = Summary::default();
    let mut tell = |user: &Username, difference: Option<Difference>| {
        match &difference {
            None => summary.equal += 1,
            Some(Difference::OnlyOld) => summary.only_old += 1,
            Some(Difference::OnlyNew) => summary.only_new += 1,
            Some(Difference::Neither) => summary.neither += 1,
            Some(Difference::Fields(_)) => summary.differ += 1,
            Some(Difference::Unanswered(_)) => summary.unanswered += 1,
        }
        if let Some(difference) = difference {
            report(user, &difference);
        }
    };
    let named = names.is_some();
    let first = names.unwrap_or_else(|| names::of(Arc::clone(&old)));
    let pair = (Arc::clone(&old), Arc::clone(&new));
    each(first, pair, &mut |user, answers| tell(user, judge(answers))).await?;
    if !named {
        let pair = (Arc::clone(&old), Arc::clone(&new));
        let second = names::of(new);
        each(second, pair, &mut |user, answers| {
            let difference = judge(answers);
            // All others had their turn, unless they could not be asked about.
            if let Some(Difference::OnlyNew | Difference::Unanswered(_)) = difference {
                tell(user, difference);
            }
        })
        .await?;
    }
    Ok(summary)
}

/// The error says why nobody knows.
type Answer = Result<Option<Arc<Account>>, String>;

/// Asks both bases about all names, some at a time, and hands the answers on
/// in the order of the names.
async fn each(
    mut names: Names,
    (old, new): (Arc<dyn Authenticator>, Arc<dyn Authenticator>),
    take: &mut (dyn FnMut(&Username, (Answer, Answer)) + Send),
) -> Result<(), TransferError> {
    let mut asked: VecDeque<(Username, JoinHandle<(Answer, Answer)>)> = VecDeque::new();
    loop {
        let next = names.recv().await.transpose()?;
        let is_end = next.is_none();
        if let Some(user) = next {
            let (old, new, name) = (Arc::clone(&old), Arc::clone(&new), user.clone());
            let both = async move { tokio::join!(ask(&*old, &name), ask(&*new, &name)) };
            asked.push_back((user, tokio::spawn(both)));
        }
        while asked.len() >= AT_A_TIME || (is_end && !asked.is_empty()) {
            let Some((user, answers)) = asked.pop_front() else { break };
            let error = std::io::Error::other("a task of ours died");
            let answers = answers.await;
            let answers = answers.map_err(|_| TransferError::Io { what: "cannot ask", error })?;
            take(&user, answers);
        }
        if is_end {
            return Ok(());
        }
    }
}

async fn ask(base: &dyn Authenticator, user: &Username) -> Answer {
    let request = AuthRequest::lookup(user.clone(), Origin::local(Service::Admin));
    use RejectionKind::{BadInput, NotVerified, UnknownUser};
    match base.authenticate(&request).await {
        Ok(Verdict::Accepted(account)) => Ok(Some(account)),
        Ok(Verdict::Rejected(no)) => match no.kind {
            BadInput | NotVerified | UnknownUser => Ok(None),
            // It may well have the user.
            _ => Err(no.text),
        },
        Err(unavailable) => Err(unavailable.to_string()),
    }
}

fn judge((old, new): (Answer, Answer)) -> Option<Difference> {
    match (old, new) {
        (Err(error), _) => Some(Difference::Unanswered(format!("old: {error}"))),
        (_, Err(error)) => Some(Difference::Unanswered(format!("new: {error}"))),
        (Ok(None), Ok(None)) => Some(Difference::Neither),
        (Ok(Some(_)), Ok(None)) => Some(Difference::OnlyOld),
        (Ok(None), Ok(Some(_))) => Some(Difference::OnlyNew),
        (Ok(Some(old)), Ok(Some(new))) => {
            let fields = compare(&old, &new);
            (!fields.is_empty()).then_some(Difference::Fields(fields))
        }
    }
}

/// What differs, in words, the old one first.
fn compare(old: &Account, new: &Account) -> Vec<String> {
    let mut fields = Vec::new();
    if old.drop != new.drop {
        let (old, new) = (drop_text(&old.drop), drop_text(&new.drop));
        fields.push(format!("drop path {old} | {new}"));
    }
    let uid = |account: &Account| match &account.uid {
        None => "0".to_owned(),
        Some(Uid::Number(number)) => number.to_string(),
        Some(Uid::Name(name)) => name.clone(),
    };
    if uid(old) != uid(new) {
        fields.push(format!("uid {} | {}", uid(old), uid(new)));
    }
    fields.extend(compare_info(&old.info, &new.info));
    fields
}

fn compare_info(old: &Info, new: &Info) -> Vec<String> {
    let value = |value: Option<&str>| value.map_or("-".to_owned(), |value| format!("{value:?}"));
    let all = old.iter().chain(new.iter().filter(|(label, _)| old.get(label).is_none()));
    let differing = all.filter(|(label, _)| old.get(label) != new.get(label));
    let words = |(label, _): (&str, &str)| {
        format!("{label} {} | {}", value(old.get(label)), value(new.get(label)))
    };
    differing.map(words).collect()
}
