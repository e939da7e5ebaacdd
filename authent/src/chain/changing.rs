//! A `set` or `del` in a chain: which members make it.
//!
//! A password is changed wherever the user is, not only where the chain finds
//! him first: an old password must not live on in a source that answers when
//! the first one is down. Who is nowhere is added to the first member that
//! takes new users.

use std::sync::Arc;

use dmail_core::{
    Action, Authenticator, Change, Outcome, Rejection, RejectionKind, Unavailable, UnavailableKind,
};

use super::member::{Creates, Member, Role, includes};

/// Makes a change in the members that it is for. All are asked whether they
/// have the user before the first is changed.
pub(super) async fn change(
    members: &[Arc<Member>],
    change: &Change,
) -> Result<Outcome, Unavailable> {
    let Plan { changes, untouched } = match plan(members, change).await? {
        Ok(plan) => plan,
        Err(rejection) => return Ok(Outcome::Refused(rejection)),
    };
    let deletes = matches!(change.action, Action::Delete);
    let (mut done, mut nobody) = (Vec::new(), None);
    for member in changes {
        match member.change(change).await {
            Ok(Outcome::Done(text)) => done.push((member, text)),
            // Then it is as it should be.
            Ok(Outcome::Refused(rejection)) if deletes && is_unknown(&rejection) => {
                nobody = Some(rejection);
            }
            Ok(Outcome::Refused(rejection)) if done.is_empty() => {
                return Ok(Outcome::Refused(rejection));
            }
            Ok(Outcome::Refused(rejection)) => {
                let why = format!("{} refused: {}", member.name, rejection.text);
                return Err(half_done(&done, UnavailableKind::Fault, &why));
            }
            Err(error) if done.is_empty() => return Err(error),
            Err(error) => return Err(half_done(&done, error.kind, &error.detail)),
        }
    }
    if let (Some(rejection), true) = (nobody, done.is_empty()) {
        return Ok(Outcome::Refused(rejection));
    }
    let mut text = done.first().map(|(_, text)| text.clone()).unwrap_or_default();
    if !untouched.is_empty() {
        text.push_str(&format!("; still in {}", untouched.join(", ")));
    }
    Ok(Outcome::Done(text))
}

/// Who makes a change.
struct Plan<'a> {
    /// At least one.
    changes: Vec<&'a Member>,
    /// Where a user that is removed stays: these may not.
    untouched: Vec<String>,
}

async fn plan<'a>(
    members: &'a [Arc<Member>],
    change: &Change,
) -> Result<Result<Plan<'a>, Rejection>, Unavailable> {
    let (user, name) = (&change.user, change.user.as_str());
    let deletes = matches!(change.action, Action::Delete);
    let (mut changes, mut untouched, mut creator, mut allowed) = (vec![], vec![], None, false);
    for member in members.iter().filter(|m| matches!(m.role, Role::Answer | Role::Verify)) {
        let creates = match (&member.verbs.set, deletes) {
            (_, true) => includes(&member.verbs.del, name).then_some(Creates::Never),
            (Some((list, creates)), false) => list.includes(name).then_some(*creates),
            (None, false) => None,
        };
        allowed |= creates.is_some();
        // Who cannot be asked who is there makes every change or none.
        let has = match member.looks_up(user) {
            true if creates.is_some() || deletes => member.has(user, change.origin).await?,
            looks_up => !looks_up && (creates == Some(Creates::NewUsers) || deletes),
        };
        match creates {
            Some(_) if has => changes.push(&**member),
            Some(Creates::NewUsers) => creator = creator.or(Some(&**member)),
            None if has && deletes && member.looks_up(user) => {
                untouched.push(member.name.to_string());
            }
            _ => {}
        }
    }
    if !allowed {
        let verb = if deletes { "del" } else { "set" };
        let text = format!("no module of the chain takes {verb} for {user}, see do_{verb}");
        return Ok(Err(Rejection::new(RejectionKind::NotAllowed, text)));
    }
    if changes.is_empty() {
        changes.extend(creator);
    }
    Ok(match changes.is_empty() {
        true => Err(Rejection::unknown_user(user)),
        false => Ok(Plan { changes, untouched }),
    })
}

fn is_unknown(rejection: &Rejection) -> bool {
    rejection.kind == RejectionKind::UnknownUser
}

/// Some have made the change, and then one did not: nobody may take it for
/// made, nor for not made.
fn half_done(done: &[(&Member, String)], kind: UnavailableKind, why: &str) -> Unavailable {
    let names: Vec<&str> = done.iter().map(|(member, _)| &*member.name).collect();
    Unavailable::new(kind, format!("changed in {} only; {why}", names.join(", ")))
}
