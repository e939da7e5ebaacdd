//! What can go wrong with a mailbox, and who is at fault.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why a mailbox could not be read or written. None of these changed it.
///
/// The one exception is [`MailboxError::Io`] from
/// [`Mailbox::commit`](crate::Mailbox::commit): once the deletions are written
/// down they are carried out by whoever opens the mailbox next.
#[derive(Debug, thiserror::Error)]
pub enum MailboxError {
    /// Another POP3 session has it open.
    #[error("{} is in use by another session", path.display())]
    InUse {
        /// The drop file.
        path: PathBuf,
    },
    /// Somebody else kept a lock for longer than we were told to wait.
    #[error("{} stayed locked ({lock}) for {} ms", path.display(), waited.as_millis())]
    LockTimeout {
        /// The drop file.
        path: PathBuf,
        /// Which of the locks.
        lock: LockKind,
        /// How long we waited.
        waited: Duration,
    },
    /// The disk, the quota or the largest allowed file is full.
    #[error("no space to {what} {}: {source}", path.display())]
    Full {
        /// What was being done, as a verb.
        what: &'static str,
        /// The file that had no room.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// The drop path leads to something that is not ours to use. Only an
    /// administrator can mend it.
    #[error("{} is refused: {why}", path.display())]
    Refused {
        /// The drop file.
        path: PathBuf,
        /// What is wrong with it.
        why: Refusal,
    },
    /// The file holds something, but not mail.
    #[error("{} is not a mailbox: {why}", path.display())]
    NotAMailbox {
        /// The drop file.
        path: PathBuf,
        /// What should be there.
        why: &'static str,
    },
    /// Another program rewrote the mailbox during the session. Nothing was
    /// deleted.
    #[error("{} was rewritten by another program", path.display())]
    Changed {
        /// The drop file.
        path: PathBuf,
    },
    /// A message is larger than the index can describe (two thousand million
    /// lines).
    #[error("a message in {} is too large", path.display())]
    TooLarge {
        /// The drop file.
        path: PathBuf,
    },
    /// The system failed.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was being done, as a verb.
        what: &'static str,
        /// To which file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
}

impl MailboxError {
    /// What the caller should tell its client.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::InUse { .. } => ErrorKind::InUse,
            Self::Full { .. } => ErrorKind::Full,
            Self::Refused { .. } | Self::NotAMailbox { .. } | Self::TooLarge { .. } => {
                ErrorKind::Refused
            }
            Self::LockTimeout { .. } | Self::Changed { .. } | Self::Io { .. } => {
                ErrorKind::Temporary
            }
        }
    }

    /// Whether the same call may succeed later without an administrator.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        self.kind() != ErrorKind::Refused
    }

    /// For `map_err`: the system refused to `what` the file at `path`.
    pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| {
            let path = path.to_owned();
            if is_full(&source) {
                Self::Full { what, path, source }
            } else {
                Self::Io { what, path, source }
            }
        }
    }
}

/// Which locks a mailbox has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockKind {
    /// The queue of this process's own threads.
    Process,
    /// The file with `.lock` at the end of its name.
    Dot,
    /// The record lock on the drop file itself.
    Fcntl,
}

impl std::fmt::Display for LockKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Process => "by this server",
            Self::Dot => "dot lock",
            Self::Fcntl => "fcntl lock",
        })
    }
}

/// Why a file at a drop path is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The path ends in a symbolic link.
    #[error("it is a symbolic link")]
    SymbolicLink,
    /// A directory, a device, a pipe or a socket.
    #[error("it is not a regular file")]
    NotAFile,
    /// The file has more names than this one.
    #[error("it has a second hard link")]
    HardLink,
    /// The file belongs to another user.
    #[error("it belongs to uid {found}, not to {expected}")]
    Owner {
        /// Who owns it.
        found: u32,
        /// Who should.
        expected: u32,
    },
    /// A path without a file name.
    #[error("it has no file name")]
    NoName,
}

/// What callers tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// Another session: POP3 `[IN-USE]`.
    InUse,
    /// Try again later: POP3 `[SYS/TEMP]`, SMTP 451.
    Temporary,
    /// No room: SMTP 452.
    Full,
    /// An administrator must act: POP3 `[SYS/PERM]`.
    Refused,
}

/// Whether the system said that there is no room: the disk, the quota, or the
/// largest file that the process or the file system allows.
fn is_full(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOSPC | libc::EDQUOT | libc::EFBIG))
}
