//! What the tests share: mailboxes in a directory of their own, and children.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::SystemTime;

use dmail_mailbox::{DropFile, LockPolicy, Mailbox, MailboxError, Message, Part};

/// The variable that tells a child which directory to work in. Without it the
/// "tests" that children run do nothing.
pub(crate) const HOME: &str = "MAILBOX_TEST_HOME";

/// The drop file of `name` in `home`.
pub(crate) fn drop_file(home: &Path, name: &str) -> DropFile {
    DropFile { path: home.join(name), owner: None }
}

/// Delivers `content` to every target.
pub(crate) fn deliver(targets: &[DropFile], content: &[u8]) -> Result<(), MailboxError> {
    deliver_by(targets, content, &LockPolicy::default())
}

/// Delivers `content` under these locks.
pub(crate) fn deliver_by(
    targets: &[DropFile],
    content: &[u8],
    policy: &LockPolicy,
) -> Result<(), MailboxError> {
    let message = Message {
        sender: b"sender@corp.example",
        received_at: SystemTime::now(),
        parts: &[Part::Bytes(content)],
    };
    dmail_mailbox::append(targets, &message, policy)
}

/// Opens the mailbox with the usual locks.
pub(crate) fn open(drop: &DropFile) -> Mailbox {
    Mailbox::open(drop, &LockPolicy::default()).expect("a mailbox")
}

/// Message `index` as POP3 would send it. Its size is checked on the way.
pub(crate) fn read(mailbox: &Mailbox, index: usize) -> Vec<u8> {
    let mut reader = mailbox.reader(index);
    let mut content = Vec::new();
    while reader.next_chunk(&mut content, 4096).expect("a piece") {}
    assert_eq!(content.len() as u64, mailbox.size(index), "the size that was told");
    content
}

/// All messages, as POP3 would send them.
pub(crate) fn read_all(mailbox: &Mailbox) -> Vec<Vec<u8>> {
    (0..mailbox.len()).map(|index| read(mailbox, index)).collect()
}

/// A command that runs the "test" called `name` of this program as a child, in
/// `home`, with its output and input connected to us.
pub(crate) fn child(name: &str, home: &Path) -> Command {
    let program = std::env::current_exe().expect("this program");
    let mut command = Command::new(program);
    command
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(HOME, home)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command
}

/// A number below `limit` that nobody can foresee.
pub(crate) fn random_below(limit: u64) -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(limit) % limit
}
