//! What import, export and diff say.

use std::process::ExitCode;

use dmail_core::Username;
use dmail_transfer::diff::{self, Difference};
use dmail_transfer::export;
use dmail_transfer::import::{self, Event, EventKind};

use crate::terminal;

/// Tells how an import goes: everything if it is a dry run, else what an
/// administrator should know.
pub(super) struct Import {
    dry_run: bool,
}

impl Import {
    pub(super) fn new(dry_run: bool) -> Self {
        Self { dry_run }
    }

    pub(super) fn event(&mut self, event: &Event) {
        if self.dry_run {
            say(&line(event));
        } else {
            problem(event);
        }
    }

    pub(super) fn end(self, summary: &import::Summary) -> ExitCode {
        let import::Summary { added, changed, same, skipped, no_users, refused, noted, stopped } =
            *summary;
        let mut text = String::new();
        if self.dry_run {
            text.push_str("would be: ");
        }
        text.push_str(&format!(
            "{added} added, {changed} changed, {same} same, {skipped} skipped, {refused} refused"
        ));
        if noted > 0 {
            text.push_str(&format!(", {noted} with notes"));
        }
        if no_users > 0 {
            text.push_str(&format!(", {no_users} entries that are no users"));
        }
        if stopped {
            text.push_str("; stopped at a user who is there already");
        }
        say(&text);
        exit_code(refused + skipped == 0)
    }
}

/// Tells of what is not as somebody may expect.
pub(super) fn problem(event: &Event) {
    match event.kind {
        EventKind::Added | EventKind::Changed(_) | EventKind::Same => {}
        EventKind::Skipped(_)
        | EventKind::NoUser(_)
        | EventKind::Refused(_)
        | EventKind::Note(_) => terminal::complain(line(event)),
    }
}

pub(super) fn exported(summary: &export::Summary) -> ExitCode {
    let export::Summary { written, refused, noted } = *summary;
    terminal::complain(format_args!(
        "{written} written, {refused} refused, {noted} with something left out"
    ));
    exit_code(refused + noted == 0)
}

pub(super) fn difference(user: &Username, difference: &Difference) {
    let text = match difference {
        Difference::OnlyOld => format!("only in old: {user}"),
        Difference::OnlyNew => format!("only in new: {user}"),
        Difference::Neither => format!("in neither: {user}"),
        Difference::Fields(fields) => format!("differs: {user}: {}", fields.join("; ")),
        Difference::Unanswered(why) => format!("unknown: {user}: {why}"),
    };
    say(&one_line(&text));
}

pub(super) fn compared(summary: &diff::Summary) -> ExitCode {
    let diff::Summary { equal, only_old, only_new, neither, differ, unanswered } = *summary;
    let mut text =
        format!("{equal} equal, {differ} differ, {only_old} only in old, {only_new} only in new");
    if neither > 0 {
        text.push_str(&format!(", {neither} in neither"));
    }
    if unanswered > 0 {
        text.push_str(&format!(", {unanswered} unknown"));
    }
    say(&text);
    match unanswered {
        0 => exit_code(summary.is_equal()),
        _ => ExitCode::from(super::TRY_AGAIN),
    }
}

/// What is done is done, whether anybody can read of it or not.
fn say(line: &str) {
    let _ = terminal::say(line);
}

fn exit_code(good: bool) -> ExitCode {
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whatever somebody had put into a name or a path.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn line(event: &Event) -> String {
    let Event { line, user, kind } = event;
    let place = if *line == 0 { String::new() } else { format!("line {line}: ") };
    let what = match kind {
        EventKind::Added => "added".to_owned(),
        EventKind::Changed(what) => format!("changed: {what}"),
        EventKind::Same => "same".to_owned(),
        EventKind::Skipped(what) => format!("skipped: is there with another {what}"),
        EventKind::NoUser(why) => format!("no user: {why}"),
        EventKind::Refused(why) => format!("refused: {why}"),
        EventKind::Note(note) => format!("note: {note}"),
    };
    let name = if user.is_empty() { String::new() } else { format!("{user}: ") };
    one_line(&format!("{place}{name}{what}"))
}
