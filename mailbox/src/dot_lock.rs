//! The dot lock: whoever creates `bob.lock` may write to `bob`.
//!
//! Every mail program knows this lock, and it works over NFS. Its weakness is
//! that it outlives its owner, so ours says who that is, and can be seen to be
//! dead:
//!
//! ```text
//! 4711:mail.example                                          pid and host, as others write them
//! dmail 1 0f4e5d6c-…-8a7b                          81920     boot, and the append under way
//! ```
//!
//! The owner also holds `flock` on the lock file as long as it lives. On the
//! machine that made the lock (known by its boot id) that decides: a lock that
//! nobody holds was left by a dead process and is taken over at once, whatever
//! its pid is used for today. Other programs' locks, and those of other
//! machines, are broken when they are older than
//! [`LockPolicy::stale_after`](crate::LockPolicy::stale_after).
//!
//! The second line tells whoever takes the lock over where an append began
//! that was never finished.

mod record;

use std::fs::{self, File, Metadata};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use nix::fcntl::{AT_FDCWD, AtFlags};

use crate::drop_file::{effective_uid, is_same_file, options};
use crate::patience::Patience;
use crate::{DropFile, LockKind, MailboxError};
use record::Owner;

/// A dot lock that we hold; given back when dropped.
#[derive(Debug)]
pub(crate) struct DotLock {
    file: File,
    path: PathBuf,
    abandoned: bool,
}

/// What somebody who died left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Legacy {
    /// The size of the drop file before an append that was not finished, if
    /// one was under way and nothing of it was acknowledged.
    pub(crate) appending_from: Option<u64>,
}

impl DotLock {
    /// Waits for the lock and takes it. With it may come the [`Legacy`] of a
    /// process of ours that died; then it counts as abandoned until the drop
    /// file is in order and [`DotLock::settle`] says so.
    pub(crate) fn acquire(
        drop: &DropFile,
        stale_after: Duration,
        patience: &mut Patience,
    ) -> Result<(Self, Option<Legacy>), MailboxError> {
        let path = drop.dot_lock_path();
        patience.renew();
        loop {
            match create(&path) {
                Ok(file) => return Ok((Self { file, path, abandoned: false }, None)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(MailboxError::io("create", &path)(error)),
            }
            match inspect(&path, stale_after).map_err(MailboxError::io("look at", &path))? {
                Found::Gone => {}
                Found::Dead(file, legacy) => {
                    tracing::warn!(lock = %path.display(), "taking over the lock of a dead process");
                    let lock = Self { file, path, abandoned: true };
                    lock.write_record(legacy.appending_from)
                        .map_err(MailboxError::io("write", &lock.path))?;
                    return Ok((lock, Some(legacy)));
                }
                Found::Stale => {
                    tracing::warn!(lock = %path.display(), "breaking a stale lock");
                    remove(&path).map_err(MailboxError::io("remove", &path))?;
                }
                Found::Held if patience.pause() => {}
                Found::Held => {
                    return Err(MailboxError::LockTimeout {
                        path: drop.path.clone(),
                        lock: LockKind::Dot,
                        waited: patience.waited(),
                    });
                }
            }
        }
    }

    /// Leaves the lock behind as if we had died: the drop file is not in order,
    /// and whoever takes the lock over must know.
    pub(crate) fn abandon(&mut self) {
        self.abandoned = true;
    }

    /// The drop file is in order: the lock goes when it is given back.
    pub(crate) fn settle(&mut self) {
        self.abandoned = false;
    }

    /// Writes down that an append begins at this size of the drop file, or
    /// that none is under way.
    pub(crate) fn write_record(&self, appending_from: Option<u64>) -> io::Result<()> {
        let record = record::ours(appending_from);
        self.file.write_all_at(record.as_bytes(), 0)?;
        self.file.set_len(record.len() as u64)
    }
}

impl Drop for DotLock {
    fn drop(&mut self) {
        if self.abandoned {
            return;
        }
        // Somebody may have thought us dead. Then the file is theirs.
        let ours = self.file.metadata().is_ok_and(|ours| {
            fs::symlink_metadata(&self.path).is_ok_and(|found| is_same_file(&ours, &found))
        });
        if ours && let Err(error) = fs::remove_file(&self.path) {
            tracing::error!(lock = %self.path.display(), %error, "cannot remove our lock");
        }
    }
}

/// Creates the lock file, or fails with `AlreadyExists`.
///
/// It appears under its name with its content and its `flock`, so that there
/// is no instant at which we could die and leave a lock that nobody knows to
/// be ours. File systems without nameless files (NFS) get the classic
/// exclusive creation, which is atomic there since NFS version 3.
fn create(path: &Path) -> io::Result<File> {
    match create_complete(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            let file = options().read(true).write(true).create_new(true).mode(0o600).open(path)?;
            fill(&file)?;
            Ok(file)
        }
        result => result,
    }
}

fn create_complete(path: &Path) -> io::Result<File> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let file = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .mode(0o600)
        .custom_flags(libc::O_TMPFILE)
        .open(directory)?;
    fill(&file)?;
    let nameless = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    nix::unistd::linkat(AT_FDCWD, &nameless, AT_FDCWD, path, AtFlags::AT_SYMLINK_FOLLOW)?;
    Ok(file)
}

fn fill(file: &File) -> io::Result<()> {
    file.try_lock()?;
    file.write_all_at(record::ours(None).as_bytes(), 0)
}

/// What stands where we want to put our lock.
enum Found {
    /// Nothing any more.
    Gone,
    /// A lock of ours whose owner died; its `flock` is now ours.
    Dead(File, Legacy),
    /// A lock too old to be believed.
    Stale,
    /// A lock that somebody holds, as far as we can tell.
    Held,
}

fn inspect(path: &Path, stale_after: Duration) -> io::Result<Found> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Gone),
        Err(error) => return Err(error),
    };
    if may_be_ours(&found)
        && let Ok(file) = options().read(true).write(true).open(path)
    {
        let dead = match Owner::read(&file)? {
            Some(owner) => match owner.legacy_if_dead(&file)? {
                None if owner.is_of_this_boot() => return Ok(Found::Held),
                dead => dead,
            },
            None => record::legacy_if_lost(&file, &found)?,
        };
        if let Some(legacy) = dead {
            // Until we had the flock, another process could take it over and
            // finish with it.
            let still_there = fs::symlink_metadata(path)
                .is_ok_and(|now| file.metadata().is_ok_and(|ours| is_same_file(&ours, &now)));
            return Ok(if still_there { Found::Dead(file, legacy) } else { Found::Gone });
        }
    }
    Ok(if is_stale(&found, stale_after) { Found::Stale } else { Found::Held })
}

/// A plain file of our own. Whatever else lies there is never opened.
fn may_be_ours(found: &Metadata) -> bool {
    found.is_file() && found.nlink() == 1 && found.uid() == effective_uid()
}

/// A time in the future counts as well: then a clock was set back, and the
/// age means nothing.
fn is_stale(found: &Metadata, stale_after: Duration) -> bool {
    let Ok(made) = found.modified() else {
        return false;
    };
    let now = SystemTime::now();
    let apart = now.duration_since(made).unwrap_or_else(|future| future.duration());
    apart > stale_after
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::record::{BOOT, BOOTED_AT, HOST};
    use super::*;

    /// For how long this machine has been up, in seconds.
    static UPTIME: LazyLock<u64> = LazyLock::new(|| {
        let booted_at = BOOTED_AT.expect("the system knows its start");
        SystemTime::now().duration_since(booted_at).expect("it is past").as_secs()
    });

    fn bob(home: &tempfile::TempDir) -> DropFile {
        DropFile { path: home.path().join("bob"), owner: None }
    }

    fn try_acquire(drop: &DropFile) -> Result<Option<Legacy>, MailboxError> {
        let mut patience = Patience::new(Duration::from_millis(5));
        DotLock::acquire(drop, Duration::from_secs(60), &mut patience).map(|(_, legacy)| legacy)
    }

    #[test]
    fn a_lock_excludes_others_and_leaves_nothing() {
        let home = tempfile::tempdir().expect("a directory");
        let drop = bob(&home);
        let mut patience = Patience::new(Duration::ZERO);
        let held = DotLock::acquire(&drop, Duration::ZERO, &mut patience).expect("a lock");
        let text = fs::read_to_string(drop.dot_lock_path()).expect("a lock file");
        assert!(text.starts_with(&format!("{}:", std::process::id())), "{text}");
        match try_acquire(&drop) {
            Err(MailboxError::LockTimeout { lock: LockKind::Dot, .. }) => {}
            other => panic!("{other:?}"),
        }
        std::mem::drop(held);
        assert_eq!(try_acquire(&drop).expect("free again"), None);
        assert_eq!(fs::read_dir(home.path()).expect("a list").count(), 0);
    }

    #[test]
    fn whose_lock_it_is_decides_when_it_is_broken() {
        let us = |from: &str| format!("1:{}\ndmail 1 {} {from}\n", *HOST, *BOOT);
        let before_the_power_cut = format!("1:{}\ndmail 1 another-boot 42\n", *HOST);
        let other_machine = "1:elsewhere\ndmail 1 another-boot 42\n";
        let legacy = |appending_from| Some(Some(Legacy { appending_from }));
        let rows: &[(&str, u64, Option<Option<Legacy>>)] = &[
            (&us("42"), 0, legacy(Some(42))),
            (&us("-"), 0, legacy(None)),
            (&before_the_power_cut, 0, legacy(None)),
            // What a power cut left of a record that was never flushed.
            (&"\0".repeat(75), 0, legacy(None)),
            ("", *UPTIME + 5, legacy(None)),
            ("\0\0x", 0, None),
            (other_machine, 0, None),
            (other_machine, 61, Some(None)),
            ("", 0, None),
            ("", 59, None),
            ("", 61, Some(None)),
            ("1\n", 0, None),
            ("1\n", 61, Some(None)),
            ("1:h\ndmail 2 x 42\n", 0, None),
        ];
        for (content, age, expected) in rows {
            let home = tempfile::tempdir().expect("a directory");
            let drop = bob(&home);
            fs::write(drop.dot_lock_path(), content).expect("a lock file");
            let made = SystemTime::now() - Duration::from_secs(*age);
            let file = File::options().write(true).open(drop.dot_lock_path());
            file.expect("a lock file").set_modified(made).expect("an age");
            assert_eq!(try_acquire(&drop).ok(), *expected, "{content:?} {age} s");
        }
    }

    #[test]
    fn a_live_lock_of_ours_is_never_too_old() {
        let home = tempfile::tempdir().expect("a directory");
        let drop = bob(&home);
        let mut patience = Patience::new(Duration::ZERO);
        let (held, _) = DotLock::acquire(&drop, Duration::ZERO, &mut patience).expect("a lock");
        let long_ago = SystemTime::now() - Duration::from_secs(3600);
        held.file.set_modified(long_ago).expect("an age");
        assert!(try_acquire(&drop).is_err());
    }

    #[test]
    fn nothing_is_written_through_a_planted_lock() {
        let home = tempfile::tempdir().expect("a directory");
        let drop = bob(&home);
        let victim = home.path().join("victim");
        let record = record::ours(Some(1));
        fs::write(&victim, &record).expect("a file");
        fs::hard_link(&victim, drop.dot_lock_path()).expect("a link");
        assert!(try_acquire(&drop).is_err());
        fs::remove_file(drop.dot_lock_path()).expect("removed");
        std::os::unix::fs::symlink(&victim, drop.dot_lock_path()).expect("a link");
        assert!(try_acquire(&drop).is_err());
        assert_eq!(fs::read_to_string(&victim).expect("the file"), record);
    }
}
