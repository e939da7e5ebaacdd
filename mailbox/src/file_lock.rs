//! The record lock that other mail programs honour: `fcntl`, on the whole file.
//!
//! We take it as an *open file description* lock. To others it looks like the
//! classic one, but it belongs to our one open file: closing another
//! descriptor of the same file, as a POP3 session in this process does, does
//! not silently give it away.

use std::fs::File;
use std::io;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};

/// Who may be there at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// Other readers.
    Shared,
    /// Nobody.
    Exclusive,
}

/// Takes the lock if nobody stands in the way; whether it did.
pub(crate) fn try_lock(file: &File, sharing: Sharing) -> io::Result<bool> {
    let kind = match sharing {
        Sharing::Shared => libc::F_RDLCK,
        Sharing::Exclusive => libc::F_WRLCK,
    };
    match set(file, kind) {
        Ok(()) => Ok(true),
        Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Gives the lock back, whatever copies of the descriptor still exist.
pub(crate) fn unlock(file: &File) -> io::Result<()> {
    Ok(set(file, libc::F_UNLCK)?)
}

fn set(file: &File, kind: libc::c_int) -> Result<(), Errno> {
    let whole_file = libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    fcntl(file, FcntlArg::F_OFD_SETLK(&whole_file)).map(drop)
}
