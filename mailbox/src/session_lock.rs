//! One POP3 session at a time: `.bob.session`, locked as long as it lasts.
//!
//! The lock is the kernel's (`flock`), on a file of its own, so it ends with
//! its process, and delivery does not wait for it. The file only gives the
//! lock a place and is removed with it.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::drop_file::{is_same_file, options};
use crate::{DropFile, MailboxError};

/// The right to be the only session; given back when dropped.
#[derive(Debug)]
pub(crate) struct SessionLock {
    file: File,
    path: PathBuf,
}

impl SessionLock {
    /// Takes the lock. None if there is no place for it: without a directory
    /// there is no mail, and on a read-only file system nothing can be deleted.
    ///
    /// # Errors
    ///
    /// [`MailboxError::InUse`] if another session has it, of this process or
    /// another one.
    pub(crate) fn take(drop: &DropFile) -> Result<Option<Self>, MailboxError> {
        let path = drop.companion("session")?;
        loop {
            let opened = options().read(true).write(true).create(true).mode(0o600).open(&path);
            let file = match opened {
                Ok(file) => file,
                Err(error) if is_no_place(&error) => return Ok(None),
                Err(error) => return Err(MailboxError::io("open", &path)(error)),
            };
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let path = drop.path.clone();
                    return Err(MailboxError::InUse { path });
                }
                Err(TryLockError::Error(error)) => {
                    return Err(MailboxError::io("lock", &path)(error));
                }
            }
            // The session before us may have removed the file in between.
            if leads_to(&path, &file) {
                return Ok(Some(Self { file, path }));
            }
        }
    }
}

impl Drop for SessionLock {
    fn drop(&mut self) {
        if leads_to(&self.path, &self.file)
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "cannot remove a session's lock");
        }
    }
}

fn is_no_place(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ReadOnlyFilesystem)
}

fn leads_to(path: &Path, file: &File) -> bool {
    fs::symlink_metadata(path)
        .is_ok_and(|found| file.metadata().is_ok_and(|ours| is_same_file(&ours, &found)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_session_at_a_time_and_nothing_is_left() {
        let home = tempfile::tempdir().expect("a directory");
        let drop = DropFile { path: home.path().join("bob"), owner: None };
        let first = SessionLock::take(&drop).expect("a lock").expect("a place");
        for _ in 0..2 {
            let second = SessionLock::take(&drop);
            assert!(matches!(second, Err(MailboxError::InUse { .. })));
        }
        std::mem::drop(first);
        assert_eq!(fs::read_dir(home.path()).expect("a list").count(), 0);
    }

    #[test]
    fn the_file_of_a_dead_session_is_in_nobodys_way() {
        let home = tempfile::tempdir().expect("a directory");
        let drop = DropFile { path: home.path().join("bob"), owner: None };
        fs::write(home.path().join(".bob.session"), "").expect("a file");
        assert!(SessionLock::take(&drop).expect("a lock").is_some());
    }

    #[test]
    fn threads_that_race_for_it_never_share_it() {
        let home = tempfile::tempdir().expect("a directory");
        let drop = DropFile { path: home.path().join("bob"), owner: None };
        let inside = std::sync::Mutex::new(());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        if let Ok(lock) = SessionLock::take(&drop) {
                            assert!(lock.is_some());
                            let alone = inside.try_lock().expect("nobody else");
                            std::mem::drop((alone, lock));
                        }
                    }
                });
            }
        });
    }
}
