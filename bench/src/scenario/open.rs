//! Opening a drop file of 3,000 short messages, and naming them all, beside
//! reading the file.

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use dmail_mailbox::{DropFile, LockPolicy, Mailbox};

use crate::contest::{Effort, hold};
use crate::failure::{Failure, Wrong};
use crate::load::{Sample, repeat};
use crate::mail;
use crate::measure::{Meter, Server};
use crate::program;
use crate::report::{Report, Target, Wanted};

const MESSAGES: usize = 3000;
/// Median time to open, in ms.
const TARGET: Wanted = Wanted::Below(20.0);

pub(super) fn run(effort: Effort, report: &mut Report) -> Result<(), Failure> {
    let folder = program::folder()?;
    let path = folder.path().join("test0");
    let content = mail::drop_file(MESSAGES, &mail::short_message(10));
    fs::write(&path, &content).map_err(Failure::system("write a drop file"))?;
    let drop = DropFile { path: path.clone(), owner: None };

    report.table(&format!("Open: {MESSAGES} messages, {} KB", content.len() / 1024));
    let opening =
        hold(effort, |time| Ok(turn(time, || open(&drop))), |time| Ok(turn(time, || read(&path))))?;
    report.contest("open", "bare: read the file", &opening);
    let found = opening.ours.p50_us / 1000.0;
    report.target(Target { what: "open: median ms", found, wanted: TARGET });
    let naming =
        hold(effort, |time| Ok(turn(time, || name(&drop))), |time| Ok(turn(time, || read(&path))))?;
    report.contest("open and uids", "bare: read the file", &naming);
    Ok(())
}

fn turn(time: Duration, operate: impl FnMut() -> Result<(), Wrong>) -> Sample {
    let meter = Meter::start(&Server::Own);
    meter.finish(repeat(time, operate))
}

fn open(drop: &DropFile) -> Result<(), Wrong> {
    expect_all(opened(drop)?.len())
}

fn name(drop: &DropFile) -> Result<(), Wrong> {
    let uids = opened(drop)?.uids().map_err(|error| Wrong(error.to_string()))?;
    expect_all(black_box(uids).len())
}

fn opened(drop: &DropFile) -> Result<Mailbox, Wrong> {
    Mailbox::open(drop, &LockPolicy::default()).map_err(|error| Wrong(error.to_string()))
}

fn read(path: &Path) -> Result<(), Wrong> {
    black_box(fs::read(path)?);
    Ok(())
}

fn expect_all(found: usize) -> Result<(), Wrong> {
    if found == MESSAGES { Ok(()) } else { Err(Wrong(format!("{found} messages"))) }
}
