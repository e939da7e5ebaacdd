//! Taking users in.
//!
//! ```text
//!   entry ─▶ known? ─▶ new, same, differs ─▶ policy ─▶ batches ─▶ put_all, a few at a time
//! ```
//!
//! A dry run does all but the last step. Whatever stops an import half way, it
//! can be run again: who is there already is found to be the same.

mod event;

use std::sync::Arc;

use dmail_core::{
    Action, Authenticator, Change, Origin, Outcome, Records, Service, Unavailable, UserRecord,
    Username,
};
use tokio::task::JoinSet;

use crate::TransferError;
pub use event::{Event, EventKind, Summary};

use crate::feed::Feed;
use crate::format::{Entry, What};
use crate::known::{Compared, Known};

/// Users written with one call.
const BATCH: usize = 200;

/// Calls at a time.
const BATCHES: usize = 4;

/// What to do with a user who is there already, but not the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnConflict {
    /// Take the new record.
    Replace,
    /// Keep the present one.
    Skip,
    /// Keep it, and end.
    Stop,
}

/// How to import.
#[derive(Debug, Clone, Copy)]
pub struct Import {
    /// The policy.
    pub on_conflict: OnConflict,
    /// Only say what would be done.
    pub dry_run: bool,
}

/// Takes all users of `feed` into `target`, and tells `report` of each.
///
/// # Errors
///
/// If `target` takes in no records or does not answer, or the feed breaks;
/// what was written until then stays.
pub async fn import(
    target: Arc<dyn Authenticator>,
    feed: Feed,
    options: Import,
    report: &mut (dyn FnMut(Event) + Send),
) -> Result<Summary, TransferError> {
    let known = Known::read(target.records().ok_or(TransferError::NoRecords)?).await?;
    let summary = Summary::default();
    let mut run =
        Run { target, options, known, summary, report, batch: Vec::new(), tasks: JoinSet::new() };
    let result = run.take_all(feed).await;
    // What is under way is finished in any case.
    let written = run.finish().await;
    result.and(written)?;
    Ok(run.summary)
}

struct Run<'a> {
    target: Arc<dyn Authenticator>,
    options: Import,
    known: Known,
    summary: Summary,
    report: &'a mut (dyn FnMut(Event) + Send),
    batch: Vec<Planned>,
    tasks: JoinSet<Result<Vec<(Planned, Outcome)>, Unavailable>>,
}

/// A user who will be written.
struct Planned {
    line: u64,
    record: UserRecord,
    how: EventKind,
}

impl Run<'_> {
    async fn take_all(&mut self, mut feed: Feed) -> Result<(), TransferError> {
        while let Some(entry) = feed.recv().await {
            self.take(entry?)?;
            if self.summary.stopped {
                return Ok(());
            }
            if self.batch.len() >= BATCH {
                self.write_batch().await?;
            }
        }
        self.write_batch().await
    }

    fn take(&mut self, Entry { line, what, notes }: Entry) -> Result<(), TransferError> {
        match what {
            What::User(record) => self.user(line, *record, notes),
            What::NoUser(why) => {
                self.summary.no_users += 1;
                self.say(line, None, EventKind::NoUser(why));
                Ok(())
            }
            What::Refused { user, why } => {
                self.refused(line, user.as_ref(), why);
                Ok(())
            }
        }
    }

    fn user(
        &mut self,
        line: u64,
        record: UserRecord,
        mut notes: Vec<String>,
    ) -> Result<(), TransferError> {
        let records = self.target.records().ok_or(TransferError::NoRecords)?;
        if let Err(rejection) = records.judge(&record) {
            self.refused(line, Some(&record.user), rejection.text);
            return Ok(());
        }
        let compared = self.known.compare(&record, line);
        let differing = match compared {
            Compared::Twice(first) => {
                let why = match first {
                    0 => "another user has the same name but for its case".to_owned(),
                    first => format!("the same user is in line {first}"),
                };
                self.refused(line, Some(&record.user), why);
                return Ok(());
            }
            Compared::New | Compared::Same => "",
            Compared::Differs { password: true, rest: true } => "password and fields",
            Compared::Differs { password: true, rest: false } => "password",
            Compared::Differs { .. } => "fields",
        };
        let how = match (compared, self.options.on_conflict) {
            (Compared::New, _) => EventKind::Added,
            (Compared::Differs { .. }, OnConflict::Replace) => EventKind::Changed(differing),
            (Compared::Differs { .. }, policy) => {
                self.summary.skipped += 1;
                self.summary.stopped = policy == OnConflict::Stop;
                self.say(line, Some(&record.user), EventKind::Skipped(differing));
                return Ok(());
            }
            _ => {
                self.summary.same += 1;
                self.say(line, Some(&record.user), EventKind::Same);
                return Ok(());
            }
        };
        notes.extend(password_note(&record, &how));
        if !notes.is_empty() {
            self.summary.noted += 1;
        }
        for note in notes {
            self.say(line, Some(&record.user), EventKind::Note(note));
        }
        let planned = Planned { line, record, how };
        match self.options.dry_run {
            true => self.written(planned),
            false => self.batch.push(planned),
        }
        Ok(())
    }

    async fn write_batch(&mut self) -> Result<(), TransferError> {
        let batch = std::mem::take(&mut self.batch);
        if !batch.is_empty() {
            let target = Arc::clone(&self.target);
            self.tasks.spawn(async move { write(&*target, batch).await });
        }
        while self.tasks.len() >= BATCHES {
            self.next_written().await?;
        }
        Ok(())
    }

    /// Waits for all that is being written.
    async fn finish(&mut self) -> Result<(), TransferError> {
        let mut result = self.write_batch().await;
        while !self.tasks.is_empty() {
            let next = self.next_written().await;
            result = result.and(next);
        }
        result
    }

    async fn next_written(&mut self) -> Result<(), TransferError> {
        let Some(done) = self.tasks.join_next().await else { return Ok(()) };
        let error = std::io::Error::other("a task of ours died");
        let done = done.map_err(|_| TransferError::Io { what: "cannot write", error })?;
        for (planned, outcome) in done? {
            match outcome {
                Outcome::Done(_) => self.written(planned),
                Outcome::Refused(rejection) => {
                    self.refused(planned.line, Some(&planned.record.user), rejection.text);
                }
            }
        }
        Ok(())
    }

    fn written(&mut self, planned: Planned) {
        match planned.how {
            EventKind::Added => self.summary.added += 1,
            _ => self.summary.changed += 1,
        }
        self.say(planned.line, Some(&planned.record.user), planned.how);
    }

    fn refused(&mut self, line: u64, user: Option<&Username>, why: String) {
        self.summary.refused += 1;
        self.say(line, user, EventKind::Refused(why));
    }

    fn say(&mut self, line: u64, user: Option<&Username>, kind: EventKind) {
        let user = user.map_or_else(String::new, |user| user.as_str().to_owned());
        (self.report)(Event { line, user, kind });
    }
}

/// What is worth knowing about the password that a user will have.
fn password_note(record: &UserRecord, how: &EventKind) -> Option<String> {
    let Some(stored) = &record.stored else {
        return Some(match how {
            EventKind::Added => "has no password: nobody can log in until one is set".to_owned(),
            _ => {
                "no password is given: the present one stays, as do drop path and owner".to_owned()
            }
        });
    };
    let judged = std::str::from_utf8(stored.expose()).map(dmail_schemes::recognise);
    match judged {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(format!("nobody can log in until a password is set: {error}")),
        Err(_) => {
            Some("nobody can log in until a password is set: the stored one is no text".to_owned())
        }
    }
}

/// Writes users, those without a password so that the present one stays.
async fn write(
    target: &dyn Authenticator,
    batch: Vec<Planned>,
) -> Result<Vec<(Planned, Outcome)>, Unavailable> {
    let keeps_password =
        |planned: &Planned| planned.record.stored.is_none() && planned.how != EventKind::Added;
    let (kept, whole): (Vec<_>, Vec<_>) = batch.into_iter().partition(keeps_password);
    let records: Vec<UserRecord> = whole.iter().map(|planned| planned.record.clone()).collect();
    let outcomes = match target.records() {
        Some(base) => put_all(base, &records).await?,
        None => Vec::new(),
    };
    let mut done: Vec<_> = whole.into_iter().zip(outcomes).collect();
    for planned in kept {
        let outcome = change_fields(target, &planned.record).await?;
        done.push((planned, outcome));
    }
    Ok(done)
}

async fn put_all(base: &dyn Records, records: &[UserRecord]) -> Result<Vec<Outcome>, Unavailable> {
    if records.is_empty() { Ok(Vec::new()) } else { base.put_all(records).await }
}

/// `set` keeps the password, and has no words for drop path and owner.
async fn change_fields(
    target: &dyn Authenticator,
    record: &UserRecord,
) -> Result<Outcome, Unavailable> {
    let change = Change {
        user: record.user.clone(),
        action: Action::Set { secret: None, info: Some(record.info.clone()) },
        origin: Origin::local(Service::Admin),
    };
    target.change(&change).await
}

#[cfg(test)]
mod tests;
