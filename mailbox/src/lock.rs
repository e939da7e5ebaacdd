//! The delivery lock: the right to write to a drop file.
//!
//! It consists of three locks, always taken in this order: the queue of our
//! own threads, the dot lock, and, once the file is open, its record lock.
//! Whoever gets them also repairs what a process that died left behind, so a
//! [`LockedDrop`] is always a mailbox in order.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use crate::dot_lock::{DotLock, Legacy};
use crate::drop_file::Access;
use crate::file_lock::{self, Sharing};
use crate::patience::Patience;
use crate::turn::Turn;
use crate::{DropFile, LockKind, MailboxError, journal, torn};

/// Which locks to take, as the site's other mail programs do, and how long to
/// wait for them.
///
/// Without the dot lock nothing tells where an append began whose process was
/// killed: the part of the message that it wrote stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockPolicy {
    /// Create `name.lock` beside the drop file.
    pub dot_lock: bool,
    /// Lock the drop file itself with `fcntl`.
    pub fcntl_lock: bool,
    /// How long to wait for all locks together.
    pub wait: Duration,
    /// When another program's dot lock is too old to be believed.
    pub stale_after: Duration,
}

impl Default for LockPolicy {
    /// Both locks, for up to 15 s; foreign dot locks are broken after 60 s.
    fn default() -> Self {
        Self {
            dot_lock: true,
            fcntl_lock: true,
            wait: Duration::from_secs(15),
            stale_after: Duration::from_secs(60),
        }
    }
}

/// A drop file that nobody else may write to, until this is dropped.
#[derive(Debug)]
pub(crate) struct LockedDrop {
    drop: DropFile,
    file: Arc<File>,
    fcntl_locked: bool,
    // Given back after the record lock, and before the turn.
    dot_lock: Option<DotLock>,
    _turn: Turn,
}

/// Opens a drop file under its dot lock.
type Open = fn(&DropFile) -> Result<Option<File>, MailboxError>;

impl LockedDrop {
    /// Locks the drop file if there is one.
    pub(crate) fn existing(
        drop: &DropFile,
        policy: &LockPolicy,
    ) -> Result<Option<Self>, MailboxError> {
        if drop.open(Access::Read)?.is_none() {
            // Not even the directory need be there, so there is no place for a
            // lock either.
            return Ok(None);
        }
        let mut patience = Patience::new(policy.wait);
        Self::acquire(drop, policy, &mut patience, |drop| drop.open(Access::Write))
    }

    /// Locks the drop file, which is created if it is not there.
    pub(crate) fn or_created(
        drop: &DropFile,
        policy: &LockPolicy,
        patience: &mut Patience,
    ) -> Result<Self, MailboxError> {
        drop.create_directories()?;
        let locked = Self::acquire(drop, policy, patience, |drop| drop.open_or_create().map(Some))?;
        Ok(locked.expect("a file that was opened or created"))
    }

    /// The file itself.
    pub(crate) fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// Its size, in bytes.
    pub(crate) fn size(&self) -> Result<u64, MailboxError> {
        self.drop.size(&self.file)
    }

    /// Where it is.
    pub(crate) fn drop_file(&self) -> &DropFile {
        &self.drop
    }

    /// Writes into the dot lock where an append begins, for whoever has to
    /// clean up after us.
    pub(crate) fn note_append(&self, from: Option<u64>) -> Result<(), MailboxError> {
        self.dot_lock
            .as_ref()
            .map_or(Ok(()), |lock| lock.write_record(from).map_err(self.drop.io("lock")))
    }

    /// Gives up the locks but leaves the dot lock's file, as if we had died:
    /// the next one to come repairs the mailbox.
    pub(crate) fn abandon(&mut self) {
        if let Some(lock) = &mut self.dot_lock {
            lock.abandon();
        }
    }

    fn acquire(
        drop: &DropFile,
        policy: &LockPolicy,
        patience: &mut Patience,
        open: Open,
    ) -> Result<Option<Self>, MailboxError> {
        let turn = Turn::take(&drop.path, patience.deadline()).ok_or_else(|| {
            MailboxError::LockTimeout {
                path: drop.path.clone(),
                lock: LockKind::Process,
                waited: patience.waited(),
            }
        })?;
        let (mut dot_lock, mut legacy) = (None, None);
        if policy.dot_lock {
            let (lock, left) = DotLock::acquire(drop, policy.stale_after, patience)?;
            (dot_lock, legacy) = (Some(lock), left);
        }
        let Some(file) = open_locked(drop, policy, patience, open)? else {
            return Ok(None);
        };
        let mut locked = Self {
            drop: drop.clone(),
            file: Arc::new(file),
            fcntl_locked: policy.fcntl_lock,
            dot_lock,
            _turn: turn,
        };
        locked.repair(legacy)?;
        Ok(Some(locked))
    }

    /// Finishes or undoes what a process that died had begun.
    fn repair(&mut self, legacy: Option<Legacy>) -> Result<(), MailboxError> {
        if let Some(legacy) = legacy {
            if let Some(from) = legacy.appending_from
                && torn::cut(&self.file, from).map_err(self.drop.io("cut"))?
            {
                let path = self.drop.path.display();
                tracing::warn!(%path, from, "cut off a message that was never finished");
            }
            self.note_append(None)?;
            journal::remove_unfinished(&self.drop)?;
        }
        journal::recover(&self.drop, &self.file)?;
        if let Some(lock) = &mut self.dot_lock {
            lock.settle();
        }
        Ok(())
    }
}

impl Drop for LockedDrop {
    fn drop(&mut self) {
        // Explicitly, because readers share the open file and would keep the
        // lock alive.
        if self.fcntl_locked
            && let Err(error) = file_lock::unlock(&self.file)
        {
            tracing::error!(path = %self.drop.path.display(), %error, "cannot unlock");
        }
    }
}

/// Opens the drop file and takes its record lock. Starts over if the file was
/// replaced by another one before the lock was ours.
fn open_locked(
    drop: &DropFile,
    policy: &LockPolicy,
    patience: &mut Patience,
    open: Open,
) -> Result<Option<File>, MailboxError> {
    patience.renew();
    loop {
        let Some(file) = open(drop)? else {
            return Ok(None);
        };
        while policy.fcntl_lock
            && !file_lock::try_lock(&file, Sharing::Exclusive).map_err(drop.io("lock"))?
        {
            if !patience.pause() {
                return Err(MailboxError::LockTimeout {
                    path: drop.path.clone(),
                    lock: LockKind::Fcntl,
                    waited: patience.waited(),
                });
            }
        }
        if drop.leads_to(&file)? {
            return Ok(Some(file));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::FileExt;

    use super::*;

    fn quick() -> LockPolicy {
        LockPolicy { wait: Duration::from_millis(20), ..LockPolicy::default() }
    }

    fn bob(home: &tempfile::TempDir) -> DropFile {
        let path = home.path().join("bob");
        fs::write(&path, "From a Sat Dec 26 09:37:48 1998\n\nbody\n\n").expect("a mailbox");
        DropFile { path, owner: None }
    }

    #[test]
    fn threads_wait_for_each_other_and_give_up_in_time() {
        let home = tempfile::tempdir().expect("a directory");
        let drop = bob(&home);
        let held = LockedDrop::existing(&drop, &quick()).expect("a lock");
        match LockedDrop::existing(&drop, &quick()) {
            Err(MailboxError::LockTimeout { lock: LockKind::Process, .. }) => {}
            other => panic!("{other:?}"),
        }
        std::mem::drop(held);
        assert!(LockedDrop::existing(&drop, &quick()).is_ok());
    }

    #[test]
    fn a_reader_that_shares_the_file_does_not_keep_it_locked() {
        let home = tempfile::tempdir().expect("a directory");
        let drop = bob(&home);
        let locked = LockedDrop::existing(&drop, &quick()).expect("a lock");
        let reader = Arc::clone(locked.expect("a mailbox").file());
        assert!(LockedDrop::existing(&drop, &quick()).is_ok());
        assert_eq!(Arc::strong_count(&reader), 1);
    }

    #[test]
    fn a_missing_mailbox_is_not_made_by_looking_at_it() {
        let home = tempfile::tempdir().expect("a directory");
        let drop = DropFile { path: home.path().join("x/y/nobody"), owner: None };
        assert!(LockedDrop::existing(&drop, &quick()).expect("no error").is_none());
        assert_eq!(fs::read_dir(home.path()).expect("a list").count(), 0);
    }

    #[test]
    fn an_abandoned_append_is_cut_by_the_next_one() {
        let home = tempfile::tempdir().expect("a directory");
        let drop = bob(&home);
        let before = fs::read(&drop.path).expect("the mailbox");
        let mut patience = Patience::new(Duration::ZERO);
        let mut locked = LockedDrop::or_created(&drop, &quick(), &mut patience).expect("a lock");
        let from = locked.size().expect("a size");
        locked.note_append(Some(from)).expect("a note");
        locked.file().write_all_at(b"From b Sat Dec", from).expect("a tail");
        locked.abandon();
        std::mem::drop(locked);
        assert!(drop.dot_lock_path().exists());
        let next = LockedDrop::existing(&drop, &quick()).expect("at once");
        std::mem::drop(next);
        assert_eq!(fs::read(&drop.path).expect("the mailbox"), before);
        assert!(!drop.dot_lock_path().exists());
    }
}
