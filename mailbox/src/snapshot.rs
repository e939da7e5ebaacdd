//! How much of a drop file is there, not counting a message that somebody is
//! just appending.

use std::fs::{self, File};
use std::io;
use std::sync::Arc;

use crate::drop_file::Access;
use crate::file_lock::{self, Sharing};
use crate::lock::LockedDrop;
use crate::{DropFile, LockPolicy, MailboxError, journal};

/// A drop file, open for reading, and its size at an instant when nobody was
/// writing. None if there is no file.
pub(crate) fn take(
    drop: &DropFile,
    policy: &LockPolicy,
) -> Result<Option<(Arc<File>, u64)>, MailboxError> {
    let Some(file) = drop.open(Access::Read)? else {
        return Ok(None);
    };
    if let Some(size) = glance(drop, policy, &file)? {
        return Ok(Some((Arc::new(file), size)));
    }
    let Some(locked) = LockedDrop::existing(drop, policy)? else {
        return Ok(None);
    };
    Ok(Some((Arc::clone(locked.file()), locked.size()?)))
}

/// The size, if it can be had without creating a lock: nobody is writing, and
/// nobody died doing so. This is how most sessions begin.
///
/// There is no dot lock at one instant, and the size is the same before and
/// after it: so it is the size at that instant, when nobody had the lock.
fn glance(drop: &DropFile, policy: &LockPolicy, file: &File) -> Result<Option<u64>, MailboxError> {
    if policy.fcntl_lock && !try_lock(drop, file)? {
        return Ok(None);
    }
    let before = drop.size(file)?;
    let busy = journal::is_there(drop)? || (policy.dot_lock && is_dot_locked(drop)?);
    let after = drop.size(file)?;
    if policy.fcntl_lock {
        file_lock::unlock(file).map_err(drop.io("unlock"))?;
    }
    Ok((!busy && before == after).then_some(before))
}

fn try_lock(drop: &DropFile, file: &File) -> Result<bool, MailboxError> {
    file_lock::try_lock(file, Sharing::Shared).map_err(drop.io("lock"))
}

fn is_dot_locked(drop: &DropFile) -> Result<bool, MailboxError> {
    match fs::symlink_metadata(drop.dot_lock_path()) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(drop.io("look at")(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::time::Duration;

    use super::*;
    use crate::patience::Patience;

    #[test]
    fn a_message_under_way_is_waited_for() {
        let home = tempfile::tempdir().expect("a directory");
        let drop = DropFile { path: home.path().join("bob"), owner: None };
        fs::write(&drop.path, "From a").expect("a file");
        let size = |policy: &LockPolicy| take(&drop, policy).map(|seen| seen.map(|seen| seen.1));
        for (dot_lock, fcntl_lock) in [(true, true), (true, false), (false, true)] {
            let policy = LockPolicy { dot_lock, fcntl_lock, ..LockPolicy::default() };
            let hasty = LockPolicy { wait: Duration::from_millis(5), ..policy };
            let before = fs::metadata(&drop.path).expect("metadata").len();
            assert_eq!(size(&policy).expect("a size"), Some(before));
            let mut patience = Patience::new(Duration::ZERO);
            let locked = LockedDrop::or_created(&drop, &policy, &mut patience).expect("a lock");
            (&**locked.file()).write_all(b"From part").expect("a part");
            assert!(size(&hasty).is_err(), "{policy:?}");
            std::thread::scope(|scope| {
                let waiting = scope.spawn(|| size(&policy));
                (&**locked.file()).write_all(b" and the rest").expect("the rest");
                std::mem::drop(locked);
                let after = fs::metadata(&drop.path).expect("metadata").len();
                let seen = waiting.join().expect("no panic").expect("a size");
                assert_eq!(seen, Some(after));
            });
        }
    }
}
