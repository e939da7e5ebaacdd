//! Delivery: one message into every target, or into none.

use std::collections::HashSet;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::from_line::FROM;
use crate::lock::LockedDrop;
use crate::message::FileWriter;
use crate::patience::Patience;
use crate::{DropFile, LockPolicy, MailboxError, Message};

/// Appends `message` to every target, and returns when it is on disk in all of
/// them. A drop file that is named twice gets it once.
///
/// Missing drop files are created, and so are the directories that
/// [`drop_path`](dmail_core::drop_path) puts between them and their
/// base. The targets are locked in the order of their paths, so that
/// deliveries to several mailboxes cannot wait for each other in a circle.
///
/// # Errors
///
/// Whatever went wrong, with whichever target, the message is in none of them.
/// The targets before the one that failed were cut back to what they held.
///
/// # Panics
///
/// If a [`Part::PerTarget`](crate::Part::PerTarget) has not as many entries as
/// there are targets.
pub fn append(
    targets: &[DropFile],
    message: &Message<'_>,
    policy: &LockPolicy,
) -> Result<(), MailboxError> {
    assert!(
        message.has_parts_for(targets.len()),
        "a part for each target has as many entries as there are targets"
    );
    let mut patience = Patience::new(policy.wait);
    // Until all of them are kept, dropping them undoes the appends.
    let mut appends = in_locking_order(targets)
        .into_iter()
        .map(|index| Append::begin(index, &targets[index], policy, &mut patience))
        .collect::<Result<Vec<_>, _>>()?;
    for append in &appends {
        append.write(message)?;
    }
    for append in &appends {
        append.flush()?;
    }
    appends.iter_mut().for_each(Append::keep);
    Ok(())
}

/// The targets by path, without doubles.
fn in_locking_order(targets: &[DropFile]) -> Vec<usize> {
    let mut seen: HashSet<&Path> = HashSet::new();
    let mut order: Vec<usize> =
        (0..targets.len()).filter(|index| seen.insert(&targets[*index].path)).collect();
    order.sort_by_key(|index| &targets[*index].path);
    order
}

/// An append to one target: undone when dropped, unless it is kept.
struct Append {
    target: usize,
    locked: LockedDrop,
    /// The size before.
    from: u64,
    kept: bool,
}

impl Append {
    fn begin(
        target: usize,
        drop: &DropFile,
        policy: &LockPolicy,
        patience: &mut Patience,
    ) -> Result<Self, MailboxError> {
        let locked = LockedDrop::or_created(drop, policy, patience)?;
        let from = locked.size()?;
        check_is_mailbox(&locked, from)?;
        locked.note_append(Some(from))?;
        Ok(Self { target, locked, from, kept: false })
    }

    fn write(&self, message: &Message<'_>) -> Result<(), MailboxError> {
        let newlines = missing_newlines(&self.locked, self.from)?;
        let mut writer = FileWriter::new(self.locked.file(), self.from, newlines);
        message.write_to(self.target, &mut writer).map_err(self.locked.drop_file().io("write to"))
    }

    /// A failed flush is never tried again: the system may have forgotten what
    /// it could not write, and would then report success.
    fn flush(&self) -> Result<(), MailboxError> {
        let drop = self.locked.drop_file();
        let file = self.locked.file();
        file.sync_data().map_err(drop.io("flush"))?;
        if self.from == 0 {
            // Somebody made the file lately: we, or one who died before he
            // could make its name durable.
            drop.sync_names()?;
        }
        Ok(())
    }

    fn keep(&mut self) {
        self.kept = true;
    }

    /// Cuts the target back. The file itself stays, even if it is new: another
    /// program may already wait for its lock.
    fn undo(&mut self) {
        let file = self.locked.file();
        let cut = file.set_len(self.from).and_then(|()| file.sync_data());
        if let Err(error) = cut {
            let path = self.locked.drop_file().path.display();
            tracing::error!(%path, from = self.from, %error, "cannot take back a message");
            self.locked.abandon();
        }
    }
}

impl Drop for Append {
    fn drop(&mut self) {
        if !self.kept {
            self.undo();
        }
    }
}

/// Refuses a file that begins like anything but mail, before it is damaged.
fn check_is_mailbox(locked: &LockedDrop, size: u64) -> Result<(), MailboxError> {
    let mut head = [0; FROM.len()];
    let length = size.min(head.len() as u64) as usize;
    let head = &mut head[..length];
    let drop = locked.drop_file();
    locked.file().read_exact_at(head, 0).map_err(drop.io("read"))?;
    if head.is_empty() || *head == *FROM || matches!(head[0], b'\r' | b'\n') {
        return Ok(());
    }
    Err(MailboxError::NotAMailbox {
        path: drop.path.clone(),
        why: "it does not begin with a \"From \" line",
    })
}

/// How many line feeds end the last message properly: it may come from another
/// program, or have lost its end to a power cut.
fn missing_newlines(locked: &LockedDrop, size: u64) -> Result<usize, MailboxError> {
    let mut end = [b'\n'; 2];
    let length = size.min(2) as usize;
    let tail = &mut end[2 - length..];
    locked
        .file()
        .read_exact_at(tail, size - length as u64)
        .map_err(locked.drop_file().io("read"))?;
    Ok(match end {
        [b'\n', b'\n'] => 0,
        [_, b'\n'] => 1,
        _ => 2,
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::SystemTime;

    use super::*;
    use crate::Part;

    const HEAD: &str = "From a@b Thu Jan  1 00:00:00 1970\n";

    fn message<'a>(parts: &'a [Part<'a>]) -> Message<'a> {
        Message { sender: b"a@b", received_at: SystemTime::UNIX_EPOCH, parts }
    }

    fn drops(home: &tempfile::TempDir, names: &[&str]) -> Vec<DropFile> {
        let at = |name: &&str| DropFile { path: home.path().join(name), owner: None };
        names.iter().map(at).collect()
    }

    fn text(drop: &DropFile) -> String {
        fs::read_to_string(&drop.path).expect("a mailbox")
    }

    #[test]
    fn an_older_message_is_ended_before_the_new_one_begins() {
        for (before, between) in [
            ("", ""),
            ("\n", ""),
            ("From x\n\ny\n\n", ""),
            ("From x\n\ny\n", "\n"),
            ("From x\n\ny", "\n\n"),
            ("From ", "\n\n"),
        ] {
            let home = tempfile::tempdir().expect("a directory");
            let drop = drops(&home, &["bob"]);
            fs::write(&drop[0].path, before).expect("an old mailbox");
            let parts = [Part::Bytes(b"z\n")];
            append(&drop, &message(&parts), &LockPolicy::default()).expect("delivered");
            assert_eq!(text(&drop[0]), format!("{before}{between}{HEAD}z\n\n"));
        }
    }

    #[test]
    fn each_target_gets_its_own_bytes_once() {
        let home = tempfile::tempdir().expect("a directory");
        let targets = drops(&home, &["dan", "amy", "dan", "a/_/a"]);
        let own = ["1", "2", "3", "4"].map(|own| own.as_bytes().to_vec());
        let parts = [Part::PerTarget(&own), Part::Bytes(b"\n")];
        append(&targets, &message(&parts), &LockPolicy::default()).expect("delivered");
        for (index, expected) in [(0, "1"), (1, "2"), (2, "1"), (3, "4")] {
            assert_eq!(text(&targets[index]), format!("{HEAD}{expected}\n\n"));
        }
        let left = fs::read_dir(home.path()).expect("a list").count();
        assert_eq!(left, 3, "dan, amy and the directory a: no locks");
    }

    #[test]
    fn one_bad_target_and_nobody_gets_it() {
        let home = tempfile::tempdir().expect("a directory");
        let targets = drops(&home, &["amy", "bob", "zed"]);
        let before = format!("{HEAD}old\n\n");
        fs::write(&targets[0].path, &before).expect("a mailbox");
        let parts = [Part::Bytes(b"new\n")];
        let make_bad = |path: &Path, as_directory: bool| {
            if as_directory {
                fs::create_dir(path).expect("a directory");
            } else {
                fs::write(path, "root:x:0:0").expect("a file");
            }
        };
        for as_directory in [true, false] {
            make_bad(&targets[2].path, as_directory);
            let result = append(&targets, &message(&parts), &LockPolicy::default());
            assert!(result.is_err());
            assert_eq!(text(&targets[0]), before);
            assert_eq!(text(&targets[1]), "");
            let _ = fs::remove_dir(&targets[2].path);
        }
    }

    #[test]
    fn a_spool_file_that_is_too_short_delivers_nothing() {
        let home = tempfile::tempdir().expect("a directory");
        let targets = drops(&home, &["amy", "bob"]);
        let spool = tempfile::tempfile().expect("a file");
        spool.write_all_at(&[b'x'; 100_000], 0).expect("a spool");
        let parts = [Part::File { file: &spool, offset: 0, length: 100_001 }];
        let error = append(&targets, &message(&parts), &LockPolicy::default());
        assert!(error.expect_err("too short").is_temporary());
        assert_eq!((text(&targets[0]), text(&targets[1])), Default::default());
    }

    #[test]
    fn what_is_no_mailbox_stays_as_it_is() {
        let home = tempfile::tempdir().expect("a directory");
        let drop = drops(&home, &["passwd"]);
        for content in ["root:x:0:0\n", "Fro", "From: me\n"] {
            fs::write(&drop[0].path, content).expect("a file");
            let result = append(&drop, &message(&[]), &LockPolicy::default());
            assert!(matches!(result, Err(MailboxError::NotAMailbox { .. })));
            assert_eq!(text(&drop[0]), content);
        }
    }
}
