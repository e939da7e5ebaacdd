//! Deletes messages from the middle of a drop file, all or nothing.
//!
//! The file is changed in place, not replaced by a new one: another program
//! may wait for the lock of this very file, and would then append to one that
//! no longer has a name. In place, what is kept has to move over what goes, so
//! it is first written down in `.bob.journal`:
//!
//! ```text
//!            from          new size            old size
//!   before    │ gone │ kept │ gone │ kept        │
//!   after     │ kept   kept │                    ╵ (cut off)
//! ```
//!
//! 1. The journal gets the place, the sizes and all that is kept; it is flushed
//!    and renamed. From here on the deletions will happen.
//! 2. What is kept is written over `from`, and flushed.
//! 3. The file is cut at the new size, and flushed.
//! 4. The journal is removed.
//!
//! Whoever locks a drop file and finds a journal beside it does steps 2 to 4.
//! Other programs do not know of it and may have appended since. If step 3 was
//! not done, their mail stands behind the old size, and first joins the
//! journal. If it was, all is done already. A digest of what step 3 cuts off
//! tells one from the other, however much was appended.

mod record;

use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::drop_file::{Access, sync_directory};
use crate::{DropFile, MailboxError, steps};
use record::{Plan, Stretch};

/// Removes from `file` everything from `from` on but the stretches `kept`,
/// which are in order. `size` is the size of the file, which is locked.
pub(crate) fn remove_between(
    drop: &DropFile,
    file: &File,
    from: u64,
    kept: &[Range<u64>],
    size: u64,
) -> Result<(), MailboxError> {
    let kept: Vec<Stretch<'_>> =
        kept.iter().map(|range| Stretch::of(file, range.clone())).collect();
    let (journal, plan) = write(drop, file, from, size, &kept)?;
    carry_out(drop, file, &journal, &plan)
}

/// Finishes what a process that died had written down, if anything. `file` is
/// locked.
pub(crate) fn recover(drop: &DropFile, file: &File) -> Result<(), MailboxError> {
    let path = drop.companion("journal")?;
    let at_journal = DropFile { path, owner: None };
    let Some(journal) = at_journal.open(Access::Read)? else {
        return Ok(());
    };
    let mailbox = drop.path.display();
    let Some(plan) = record::read(&journal).map_err(at_journal.io("read"))? else {
        tracing::error!(path = %mailbox, "dropping a journal that is damaged");
        return remove(drop);
    };
    let size = drop.size(file)?;
    if size < plan.old_size || !plan.is_uncut(file).map_err(drop.io("read"))? {
        // The file was cut already, but whoever did it may have died before the
        // cut was on disk; and then only the journal could repeat it.
        file.sync_all().map_err(drop.io("flush"))?;
        return remove(drop);
    }
    tracing::warn!(path = %mailbox, "finishing the deletions of a process that died");
    if size == plan.old_size {
        return carry_out(drop, file, &journal, &plan);
    }
    let kept = [record::kept_stretch(&journal, &plan), Stretch::of(file, plan.old_size..size)];
    let (journal, plan) = write(drop, file, plan.from, size, &kept)?;
    carry_out(drop, file, &journal, &plan)
}

/// Whether there is a journal, so that the drop file is not what it should be.
pub(crate) fn is_there(drop: &DropFile) -> Result<bool, MailboxError> {
    let path = drop.companion("journal")?;
    match fs::symlink_metadata(&path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(MailboxError::io("look at", &path)(error)),
    }
}

/// Removes a journal that never became valid.
pub(crate) fn remove_unfinished(drop: &DropFile) -> Result<(), MailboxError> {
    remove_file(&drop.companion("journal.new")?)
}

/// Step 1.
fn write(
    drop: &DropFile,
    file: &File,
    from: u64,
    old_size: u64,
    kept: &[Stretch<'_>],
) -> Result<(File, Plan), MailboxError> {
    let plan = Plan::new(file, from, old_size, kept).map_err(drop.io("read"))?;
    remove_unfinished(drop)?;
    let unfinished = drop.companion("journal.new")?;
    let written = record::write(&unfinished, &plan, kept);
    let journal = written.map_err(|error| {
        // It may be the disk that is full.
        let _ = fs::remove_file(&unfinished);
        MailboxError::io("write", &unfinished)(error)
    })?;
    steps::taken();
    let path = drop.companion("journal")?;
    fs::rename(&unfinished, &path).map_err(MailboxError::io("rename", &path))?;
    steps::taken();
    sync_directory(drop.directory())?;
    steps::taken();
    Ok((journal, plan))
}

/// Steps 2 to 4.
fn carry_out(
    drop: &DropFile,
    file: &File,
    journal: &File,
    plan: &Plan,
) -> Result<(), MailboxError> {
    overwrite(file, journal, plan).map_err(drop.io("write to"))?;
    remove(drop)
}

fn overwrite(file: &File, journal: &File, plan: &Plan) -> io::Result<()> {
    let mut at = plan.from;
    record::kept_stretch(journal, plan).for_each_piece(|piece| {
        file.write_all_at(piece, at)?;
        at += piece.len() as u64;
        steps::taken();
        Ok(())
    })?;
    file.sync_data()?;
    steps::taken();
    file.set_len(plan.new_size())?;
    steps::taken();
    file.sync_all()?;
    steps::taken();
    Ok(())
}

fn remove(drop: &DropFile) -> Result<(), MailboxError> {
    remove_file(&drop.companion("journal")?)?;
    steps::taken();
    sync_directory(drop.directory())?;
    steps::taken();
    Ok(())
}

fn remove_file(path: &Path) -> Result<(), MailboxError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(MailboxError::io("remove", path)(error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
