//! `users.dat` in memory, read again when it has changed.
//!
//! Every question looks at the file's size, times and identity, which takes a
//! microsecond. A file that was written within the last moments is read again
//! the next time too, for a second change in the same tick of the clock shows
//! in none of them; but whoever waited meanwhile takes what was read.

use std::collections::HashMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::record::Record;

/// Largest file that is read: some millions of users.
const MAX_BYTES: u64 = 1 << 30;
/// How often a file that changes while it is read is read again.
const TRIES: usize = 3;
/// How long after a change the times of a file are not to be trusted.
const SETTLING: Duration = Duration::from_secs(2);
/// How many bad lines of one file are logged, each with its number.
const LOGGED_LINES: usize = 10;

/// The file and what was last read of it.
pub(super) struct UsersFile {
    path: PathBuf,
    latest: Mutex<Option<Latest>>,
}

/// What was last read.
struct Latest {
    /// When that began.
    at: Instant,
    /// `None` if the file may have changed since without a trace.
    stamp: Option<Stamp>,
    users: Arc<Users>,
}

/// The users of the file at one moment.
#[derive(Default)]
pub(super) struct Users {
    /// In the order of the file.
    pub(super) records: Vec<Record>,
    /// By name in lower case.
    by_name: HashMap<String, usize>,
}

/// What tells one state of a file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Whether any change from now on would show in it.
    fn is_settled(&self) -> bool {
        let seconds = u64::try_from(self.changed.0).unwrap_or(0);
        let changed = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        SystemTime::now().duration_since(changed).is_ok_and(|age| age > SETTLING)
    }
}

impl UsersFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, latest: Mutex::new(None) }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The users as they are now. Blocks.
    pub(super) fn users(&self) -> io::Result<Arc<Users>> {
        self.users_at(Instant::now())
    }

    /// The users as they were at this moment or later.
    fn users_at(&self, asked: Instant) -> io::Result<Arc<Users>> {
        // Whoever comes while the file is read waits for it here.
        let mut read = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(read) = read.as_ref().filter(|read| read.at >= asked) {
            return Ok(Arc::clone(&read.users));
        }
        let now = Stamp::of(&fs::metadata(&self.path)?);
        if let Some(read) = read.as_ref().filter(|read| read.stamp == Some(now)) {
            return Ok(Arc::clone(&read.users));
        }
        let at = Instant::now();
        let (stamp, users) = self.load()?;
        let users = Arc::new(users);
        let stamp = stamp.is_settled().then_some(stamp);
        *read = Some(Latest { at, stamp, users: Arc::clone(&users) });
        Ok(users)
    }

    /// Reads the whole file, in a state that it had at one moment.
    fn load(&self) -> io::Result<(Stamp, Users)> {
        for _ in 0..TRIES {
            let mut file = File::open(&self.path)?;
            let before = Stamp::of(&file.metadata()?);
            if before.size > MAX_BYTES {
                return Err(io::Error::other("it has more than a gigabyte"));
            }
            let mut bytes = zeroize::Zeroizing::new(Vec::new());
            bytes.reserve_exact(usize::try_from(before.size).unwrap_or(0));
            file.by_ref().take(MAX_BYTES).read_to_end(&mut bytes)?;
            let after = Stamp::of(&file.metadata()?);
            if before == after && bytes.len() as u64 == after.size {
                return Ok((after, Users::parse(&bytes, &self.path)));
            }
        }
        Err(io::Error::other("it changes all the time"))
    }
}

impl Users {
    /// The users in the text of a file; lines that are none are logged.
    fn parse(bytes: &[u8], path: &Path) -> Self {
        let mut users = Self::default();
        let mut bad = 0;
        for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let why = match Record::parse(line) {
                Ok(None) => continue,
                Ok(Some(record)) => match users.add(record) {
                    true => continue,
                    false => "the user has a line above already".to_owned(),
                },
                Err(fault) => fault.to_string(),
            };
            bad += 1;
            if bad <= LOGGED_LINES {
                let line = index + 1;
                tracing::warn!("{}:{line}: this line is not used: {why}", path.display());
            }
        }
        if bad > LOGGED_LINES {
            let more = bad - LOGGED_LINES;
            tracing::warn!("{}: {more} more lines are not used", path.display());
        }
        users
    }

    /// Adds a user. Of two that differ by case at most, the first one counts.
    fn add(&mut self, record: Record) -> bool {
        let key = record.name.as_str().to_ascii_lowercase();
        if self.by_name.contains_key(&key) {
            return false;
        }
        self.by_name.insert(key, self.records.len());
        self.records.push(record);
        true
    }

    /// The user of this name; upper case does not matter.
    pub(super) fn find(&self, name: &str) -> Option<&Record> {
        let index = self.by_name.get(&name.to_ascii_lowercase())?;
        self.records.get(*index)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::*;

    fn password(file: &UsersFile, name: &str) -> Option<String> {
        let users = file.users().expect("readable");
        users.find(name).map(|record| record.password.to_string())
    }

    #[test]
    fn bad_lines_cost_themselves_only_and_the_first_of_two_counts() {
        let text = b"bob:1\nnonsense\nBOB:2\n\nann:3:Full\r\n:4\nlast:5";
        let users = Users::parse(text, Path::new("users.dat"));
        let names: Vec<&str> = users.records.iter().map(|r| r.name.as_str()).collect();
        assert_eq!(names, ["bob", "ann", "last"]);
        assert_eq!(users.find("Bob").map(|r| r.password.to_string()).as_deref(), Some("1"));
        assert!(users.find("nonsense").is_none());
    }

    #[test]
    fn a_change_is_seen_with_the_next_question() {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("users.dat");
        let file = UsersFile::new(path.clone());
        assert!(file.users().is_err(), "there is no file");
        // The same size, and as fast as it goes: the times may be the same.
        for round in 0..50 {
            std::fs::write(&path, format!("bob:p{round:02}\n")).expect("written");
            assert_eq!(password(&file, "bob"), Some(format!("p{round:02}")));
        }
        let new = home.path().join("new");
        std::fs::write(&new, "ann:x\n").expect("written");
        std::fs::rename(&new, &path).expect("renamed");
        assert_eq!(password(&file, "bob"), None);
        std::fs::remove_file(&path).expect("removed");
        assert!(file.users().is_err(), "gone is not empty");
    }

    #[test]
    fn an_old_file_is_read_once() {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("users.dat");
        std::fs::write(&path, "bob:x\n").expect("written");
        let file = UsersFile::new(path.clone());
        let stamp = Stamp::of(&std::fs::metadata(&path).expect("a file"));
        assert!(!stamp.is_settled(), "it is new");
        let kept = Arc::new(Users::default());
        let read = Latest { at: Instant::now(), stamp: Some(stamp), users: Arc::clone(&kept) };
        *file.latest.lock().expect("no panic") = Some(read);
        assert!(Arc::ptr_eq(&file.users().expect("readable"), &kept));
        let old = Stamp { changed: (1_000_000, 0), ..stamp };
        assert!(old.is_settled());
    }

    #[test]
    fn whoever_waited_while_a_new_file_was_read_does_not_read_it_again() {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("users.dat");
        std::fs::write(&path, "bob:x\n").expect("written");
        let file = UsersFile::new(path);
        let before = Instant::now();
        let first = file.users_at(before).expect("readable");
        assert!(Arc::ptr_eq(&first, &file.users_at(before).expect("readable")));
        assert!(!Arc::ptr_eq(&first, &file.users().expect("readable")), "it is new");
    }

    proptest! {
        #[test]
        fn no_file_is_too_strange(bytes in any::<Vec<u8>>()) {
            let users = Users::parse(&bytes, Path::new("users.dat"));
            for record in &users.records {
                assert!(users.find(record.name.as_str()).is_some());
            }
        }
    }
}
