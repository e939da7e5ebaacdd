//! Where mail is kept.

use std::path::PathBuf;
use std::time::Duration;

use super::super::table::Unset::{Compulsory, Nothing, Value};
use super::super::value::{boolean, path, seconds, size, word, words};
use crate::HashSpool;

crate::settings! {
    title: "Drop files";
    /// A drop file holds the mail of one user until it is collected.
    pub struct DropSettings {
        /// The folder of the drop files of the main domain.
        drop_path: PathBuf = one("drop_path", path()),
            default: Compulsory, example: "drop_path /var/spool/mail";

        /// A further folder that drop files may be in. A module may answer with
        /// a full drop path; one that is below no `drop_path`, no path of a
        /// `vdomain` and no `drop_root` is not used.
        drop_roots: Vec<PathBuf> = many("drop_root", path()),
            default: Nothing("none"), example: "drop_root /home";

        /// Whether the names of the drop files of virtual domains have the
        /// prefix: `abc_fred` or `fred`.
        drop_prefix: bool = one("drop_prefix", boolean()),
            default: Value("true"), example: "drop_prefix false";

        /// How drop files are spread over folders. 0: all in one. 1: one
        /// folder between, whose name is computed. 2: two folders between,
        /// after the first two letters: `s/h/shaun`; recommended from 20,000
        /// users on. Changing it moves no files.
        hash_spool: HashSpool = one("hash_spool", word(&HASH_SPOOL)),
            default: Value("0"), example: "hash_spool 2";

        /// The largest message that is accepted.
        max_message_size: u64 = one("max_message_size", size(1024..=2 << 30)),
            default: Value("50M"), example: "max_message_size 20M";

        /// How drop files are locked: `dot` is a file `<drop file>.lock`,
        /// `fcntl` a lock of the system. They are taken in this order, which
        /// is that of other mail programs. All programs that touch the files
        /// must agree on one of them at least.
        lock_methods: Vec<LockMethod> = one("lock_methods", words(&LockMethod::WORDS)),
            default: Value("dot,fcntl"), example: "lock_methods fcntl";

        /// How long to wait for a drop file that is locked. After that, mail
        /// is to be sent again later, and a login is told to try again.
        lock_wait: Duration = one("lock_wait", seconds(0..=600)),
            default: Value("15"), example: "lock_wait 30";

        /// How old a dot lock of another program, or of another machine, must
        /// be to be taken for left over. Left-over locks of our own are
        /// recognised at once.
        lock_stale: Duration = one("lock_stale", seconds(10..=86400)),
            default: Value("60"), example: "lock_stale 5m";
    }
}

impl DropSettings {
    /// Whether drop files are locked by `method`.
    #[must_use]
    pub fn locks_by(&self, method: LockMethod) -> bool {
        self.lock_methods.contains(&method)
    }
}

/// The numbers of `hash_spool`.
const HASH_SPOOL: [(&str, HashSpool); 3] =
    [("0", HashSpool::Flat), ("1", HashSpool::OneLetter), ("2", HashSpool::TwoLetters)];

/// A way to lock a drop file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockMethod {
    /// A file beside it, whose name ends in `.lock`.
    Dot,
    /// A record lock of the system.
    Fcntl,
}

impl LockMethod {
    const WORDS: [(&'static str, Self); 2] = [("dot", Self::Dot), ("fcntl", Self::Fcntl)];
}
