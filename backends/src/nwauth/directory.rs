//! The folder that the files are in: their names, their lock, their owner.
//!
//! | file | what |
//! |---|---|
//! | `nwauth.txt` | the users; replaced as a whole, never changed in place |
//! | `nwauth.add` | the journal: changes since, appended |
//! | `nwauth.idx` | where in `nwauth.txt` each user is; rebuilt at will |
//! | `nwauth.lock` | locked (flock) by whoever appends or merges |
//! | `*.new` | being written; renamed when complete |

use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use super::StoreError;
use super::reading::is_local;

/// Identity and state of a file at one moment. Equal stamps, same content: a
/// file of ours is replaced or appended to, and an editor moves the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) inode: u64,
    pub(super) size: u64,
    /// Nanoseconds since 1970.
    pub(super) modified: i64,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        let seconds = metadata.mtime().saturating_mul(1_000_000_000);
        Self {
            inode: metadata.ino(),
            size: metadata.size(),
            modified: seconds.saturating_add(metadata.mtime_nsec()),
        }
    }

    /// The stamp of an open file.
    pub(super) fn of_file(file: &File) -> io::Result<Self> {
        file.metadata().map(|metadata| Self::of(&metadata))
    }

    /// The stamp of the file that has this name now, if any has.
    pub(super) fn of_path(path: &Path) -> Result<Option<Self>, StoreError> {
        match fs::metadata(path) {
            Ok(metadata) => Ok(Some(Self::of(&metadata))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::io("look at", path)(error)),
        }
    }
}

/// The exclusive right to write; given back when dropped.
pub(super) struct WriteLock {
    _file: File,
}

/// The folder.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    pub(super) base: PathBuf,
    pub(super) journal: PathBuf,
    pub(super) index: PathBuf,
    lock: PathBuf,
    pub(super) read_only: bool,
}

impl Directory {
    pub(super) fn new(path: &Path, read_only: bool) -> Self {
        Self {
            path: path.to_owned(),
            base: path.join("nwauth.txt"),
            journal: path.join("nwauth.add"),
            index: path.join("nwauth.idx"),
            lock: path.join("nwauth.lock"),
            read_only,
        }
    }

    /// Checks that the folder is one; says whether it is on this machine.
    pub(super) fn check(&self) -> Result<bool, StoreError> {
        fs::read_dir(&self.path)
            .and_then(|_| File::open(&self.path))
            .map(|folder| is_local(&folder))
            .map_err(StoreError::io("open the directory", &self.path))
    }

    /// Waits for the right to write.
    pub(super) fn lock(&self) -> Result<WriteLock, StoreError> {
        let file = self.lock_file()?;
        file.lock().map_err(StoreError::io("lock", &self.lock))?;
        Ok(WriteLock { _file: file })
    }

    /// The right to write, if it is free and this user may have it at all.
    pub(super) fn try_lock(&self) -> Option<WriteLock> {
        if self.read_only {
            return None;
        }
        let file = self.lock_file().ok()?;
        match file.try_lock() {
            Ok(()) => Some(WriteLock { _file: file }),
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => None,
        }
    }

    fn lock_file(&self) -> Result<File, StoreError> {
        let mut options = OpenOptions::new();
        options.write(true);
        self.open_or_create(&self.lock, &options).map(|(file, _)| file)
    }

    /// Opens a file that stays, and says whether it is new.
    pub(super) fn open_or_create(
        &self,
        path: &Path,
        options: &OpenOptions,
    ) -> Result<(File, bool), StoreError> {
        match options.open(path) {
            Ok(file) => Ok((file, false)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut options = options.clone();
                let file = options
                    .create(true)
                    .mode(0o600)
                    .open(path)
                    .and_then(|file| self.give_to_owner(file, None))
                    .map_err(StoreError::io("create", path))?;
                Ok((file, true))
            }
            Err(error) => Err(StoreError::io("open", path)(error)),
        }
    }

    /// Begins the successor of `path` under its `.new` name, with the
    /// predecessor's owner and mode.
    pub(super) fn create_successor(&self, path: &Path) -> Result<File, StoreError> {
        let new = Self::successor_path(path);
        // What is there was left by a writer that died: only lock holders write.
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(StoreError::io("remove", &new)(error));
            }
            _ => {}
        }
        OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&new)
            .and_then(|file| self.give_to_owner(file, fs::metadata(path).ok()))
            .map_err(StoreError::io("create", &new))
    }

    /// Puts the successor in the place of `path`. Durable after
    /// [`sync`](Self::sync).
    pub(super) fn install_successor(&self, path: &Path) -> Result<(), StoreError> {
        let new = Self::successor_path(path);
        fs::rename(&new, path).map_err(StoreError::io("rename", &new))
    }

    /// Removes the journal.
    pub(super) fn remove_journal(&self) -> Result<(), StoreError> {
        match fs::remove_file(&self.journal) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(StoreError::io("remove", &self.journal)(error))
            }
            _ => Ok(()),
        }
    }

    /// Makes the names of the files durable.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        File::open(&self.path)
            .and_then(|directory| directory.sync_all())
            .map_err(StoreError::io("flush the directory", &self.path))
    }

    fn successor_path(path: &Path) -> PathBuf {
        let mut name = path.as_os_str().to_owned();
        name.push(".new");
        PathBuf::from(name)
    }

    /// A file that root makes belongs to whom its predecessor, or the folder,
    /// belongs to, so that a command run by root does not lock the daemon out.
    fn give_to_owner(&self, file: File, predecessor: Option<Metadata>) -> io::Result<File> {
        if let Some(predecessor) = &predecessor {
            file.set_permissions(fs::Permissions::from_mode(predecessor.mode() & 0o777))?;
        }
        let model = match predecessor {
            Some(predecessor) => predecessor,
            None => fs::metadata(&self.path)?,
        };
        let present = file.metadata()?;
        if present.uid() == 0 && (model.uid(), model.gid()) != (present.uid(), present.gid()) {
            fchown(&file, Some(model.uid()), Some(model.gid()))?;
        }
        Ok(file)
    }
}
