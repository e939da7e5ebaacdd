//! Where a user's mail lies, and how to open it without being led astray.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use dmail_core::is_hash_directory;

use crate::{MailboxError, Refusal};

/// Where one user's mail lies, and who must own it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropFile {
    /// The file, which need not exist.
    pub path: PathBuf,
    /// The uid that new files are given to and existing ones must belong to,
    /// when we run as root. Nobody else can give files away, so without root,
    /// and with `None`, it is whoever we are.
    pub owner: Option<u32>,
}

/// What an opened drop file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Reading only.
    Read,
    /// Reading and writing.
    Write,
}

impl DropFile {
    /// Opens the file if it is there and is ours to use.
    pub(crate) fn open(&self, access: Access) -> Result<Option<File>, MailboxError> {
        loop {
            let opened = options().read(true).write(access == Access::Write).open(&self.path);
            let file = match opened {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(self.cannot_open(error)),
            };
            let found = self.metadata(&file)?;
            if found.nlink() > 0 {
                self.check(&found)?;
                return Ok(Some(file));
            }
            // It was removed between our opening and our looking.
        }
    }

    /// Opens the file for writing, or creates it (mode 0600).
    pub(crate) fn open_or_create(&self) -> Result<File, MailboxError> {
        loop {
            if let Some(file) = self.open(Access::Write)? {
                return Ok(file);
            }
            let created =
                options().read(true).write(true).create_new(true).mode(0o600).open(&self.path);
            match created {
                Ok(file) => {
                    self.give_to_owner(&file)?;
                    return Ok(file);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(self.cannot_open(error)),
            }
        }
    }

    /// Creates the hash directories above the file that are missing, below a
    /// base that exists.
    pub(crate) fn create_directories(&self) -> Result<(), MailboxError> {
        let mut missing = Vec::new();
        let mut directory = self.directory();
        while is_hash_directory(directory) && !directory.exists() {
            missing.push(directory);
            directory = parent(directory);
        }
        while let Some(directory) = missing.pop() {
            match DirBuilder::new().mode(0o700).create(directory) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(MailboxError::io("create", directory)(error)),
            }
        }
        Ok(())
    }

    /// Makes the file's name durable, and those of the hash directories above.
    pub(crate) fn sync_names(&self) -> Result<(), MailboxError> {
        let mut directory = self.directory();
        sync_directory(directory)?;
        while is_hash_directory(directory) {
            directory = parent(directory);
            sync_directory(directory)?;
        }
        Ok(())
    }

    /// Whether the path still leads to this open file.
    pub(crate) fn leads_to(&self, file: &File) -> Result<bool, MailboxError> {
        let opened = self.metadata(file)?;
        match fs::symlink_metadata(&self.path) {
            Ok(found) => Ok(is_same_file(&opened, &found)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(self.io("look at")(error)),
        }
    }

    /// The directory that the file is in.
    pub(crate) fn directory(&self) -> &Path {
        parent(&self.path)
    }

    /// `name.lock`, as other programs call it.
    pub(crate) fn dot_lock_path(&self) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(".lock");
        name.into()
    }

    /// `.name.suffix` beside the file. No user can have such a name, because
    /// drop names do not begin with a dot.
    pub(crate) fn companion(&self, suffix: &str) -> Result<PathBuf, MailboxError> {
        let name = self.path.file_name().ok_or_else(|| MailboxError::Refused {
            path: self.path.clone(),
            why: Refusal::NoName,
        })?;
        let mut companion = OsString::from(".");
        companion.push(name);
        companion.push(".");
        companion.push(suffix);
        Ok(self.path.with_file_name(companion))
    }

    /// For `map_err`: the system refused to `what` this file.
    pub(crate) fn io(&self, what: &'static str) -> impl FnOnce(io::Error) -> MailboxError {
        MailboxError::io(what, &self.path)
    }

    /// The size of the open file, in bytes.
    pub(crate) fn size(&self, file: &File) -> Result<u64, MailboxError> {
        Ok(self.metadata(file)?.len())
    }

    fn metadata(&self, file: &File) -> Result<Metadata, MailboxError> {
        file.metadata().map_err(self.io("look at"))
    }

    fn check(&self, found: &Metadata) -> Result<(), MailboxError> {
        if !found.is_file() {
            return Err(self.refused(Refusal::NotAFile));
        }
        if found.nlink() != 1 {
            return Err(self.refused(Refusal::HardLink));
        }
        let expected = self.expected_owner();
        // Root's own files are root's to use; to others they are foreign.
        if found.uid() == expected || (found.uid() == 0 && effective_uid() == 0) {
            return Ok(());
        }
        Err(self.refused(Refusal::Owner { found: found.uid(), expected }))
    }

    fn expected_owner(&self) -> u32 {
        let own = effective_uid();
        match self.owner {
            Some(owner) if own == 0 => owner,
            _ => own,
        }
    }

    fn give_to_owner(&self, file: &File) -> Result<(), MailboxError> {
        let owner = self.expected_owner();
        if owner == effective_uid() {
            return Ok(());
        }
        std::os::unix::fs::fchown(file, Some(owner), None).map_err(self.io("give away"))
    }

    fn refused(&self, why: Refusal) -> MailboxError {
        MailboxError::Refused { path: self.path.clone(), why }
    }

    fn cannot_open(&self, error: io::Error) -> MailboxError {
        match error.raw_os_error() {
            Some(libc::ELOOP) => self.refused(Refusal::SymbolicLink),
            Some(libc::EISDIR | libc::ENXIO) => self.refused(Refusal::NotAFile),
            _ => self.io("open")(error),
        }
    }
}

/// How every file in a spool is opened: never through a symbolic link at the
/// end of the path, and without waiting for the other end of a pipe.
pub(crate) fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY);
    options
}

/// Whether both describe one file.
pub(crate) fn is_same_file(one: &Metadata, other: &Metadata) -> bool {
    one.dev() == other.dev() && one.ino() == other.ino()
}

/// Makes new, renamed and removed names in `directory` durable.
pub(crate) fn sync_directory(directory: &Path) -> Result<(), MailboxError> {
    File::open(directory)
        .and_then(|opened| opened.sync_all())
        .map_err(MailboxError::io("flush", directory))
}

/// The uid that we act as.
pub(crate) fn effective_uid() -> u32 {
    nix::unistd::geteuid().as_raw()
}

/// The directory of `path`, also of a path that is only a name.
fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn drop_file(path: PathBuf) -> DropFile {
        DropFile { path, owner: None }
    }

    #[test]
    fn what_is_not_a_plain_file_of_ours_is_refused() {
        let home = tempfile::tempdir().expect("a directory");
        let at = |name: &str| home.path().join(name);
        fs::write(at("plain"), "").expect("a file");
        symlink(at("plain"), at("link")).expect("a link");
        symlink(at("nothing"), at("dangling")).expect("a link");
        fs::create_dir(at("directory")).expect("a directory");
        nix::unistd::mkfifo(&at("pipe"), nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
        fs::write(at("two"), "").expect("a file");
        fs::hard_link(at("two"), at("names")).expect("a link");
        for (name, expected) in [
            ("plain", None),
            ("link", Some(Refusal::SymbolicLink)),
            ("dangling", Some(Refusal::SymbolicLink)),
            ("directory", Some(Refusal::NotAFile)),
            ("pipe", Some(Refusal::NotAFile)),
            ("two", Some(Refusal::HardLink)),
        ] {
            let found = match drop_file(at(name)).open_or_create() {
                Ok(_) => None,
                Err(MailboxError::Refused { why, .. }) => Some(why),
                Err(other) => panic!("{name}: {other}"),
            };
            assert_eq!(found, expected, "{name}");
        }
        assert!(!at("nothing").exists(), "no file was made through a link");
    }

    #[test]
    fn new_files_are_private_and_belong_to_the_owner() {
        let home = tempfile::tempdir().expect("a directory");
        let owner = effective_uid() + 1;
        let drop = DropFile { path: home.path().join("bob"), owner: Some(owner) };
        let file = drop.open_or_create().expect("a file");
        let found = file.metadata().expect("metadata");
        assert_eq!(found.permissions().mode() & 0o7777, 0o600);
        assert_eq!(found.uid(), drop.expected_owner());
        assert!(drop.open(Access::Write).expect("no error").is_some());
    }

    #[test]
    fn a_file_of_somebody_else_is_refused() {
        if effective_uid() != 0 {
            return; // Only root can make one.
        }
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("bob");
        fs::write(&path, "").expect("a file");
        std::os::unix::fs::chown(&path, Some(12_345), None).expect("a new owner");
        let rows = [(Some(12_345), None), (Some(54_321), Some(54_321)), (None, Some(0))];
        for (owner, refused) in rows {
            let drop = DropFile { path: path.clone(), owner };
            match (drop.open(Access::Read), refused) {
                (Ok(Some(_)), None) => {}
                (Err(MailboxError::Refused { why, .. }), Some(expected)) => {
                    assert_eq!(why, Refusal::Owner { found: 12_345, expected });
                }
                (other, _) => panic!("{owner:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn only_hash_directories_are_created() {
        let home = tempfile::tempdir().expect("a directory");
        let hashed = drop_file(home.path().join("s/h/shaun"));
        hashed.create_directories().expect("directories");
        let mode = fs::metadata(hashed.directory()).expect("metadata").permissions();
        assert_eq!(mode.mode() & 0o7777, 0o700);
        let lost = drop_file(home.path().join("not-mounted/s/h/shaun"));
        let error = lost.create_directories().expect_err("no base");
        assert_eq!(error.kind(), crate::ErrorKind::Temporary);
        assert!(!home.path().join("not-mounted").exists());
    }
}
