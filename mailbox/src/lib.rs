//! Drop files: one mbox file per user, appended to by delivery, read and
//! emptied by POP3, shared with whatever other programs the site runs on it.
//!
//! All IO here is blocking; servers call it on a pool of threads. Nothing in
//! this crate knows a protocol or a configuration file, and of user bases only
//! the system's own, for the owners of files.
//!
//! ```text
//!  delivery ── append ──▶ /var/spool/mail/bob            the messages, mboxrd
//!                         /var/spool/mail/bob.lock       dot lock, while somebody writes
//!  POP3 ───── Mailbox ──▶ /var/spool/mail/.bob.session   held as long as a session is open
//!                         /var/spool/mail/.bob.journal   only while deletions are carried out
//! ```
//!
//! Promises:
//! - [`append`] returns when the message is on disk in every target, or is in
//!   none of them.
//! - [`Mailbox::commit`] deletes everything it was asked to or nothing, also
//!   when the process is killed or the power fails in the middle of it, and
//!   never touches mail that arrived meanwhile.
//! - What another program left in the way (links, foreign owners, files that
//!   are no mailbox) is refused and stays as it was.
//!
//! Start with [`append`]; then [`Mailbox`].

mod account;
mod append;
mod dot_lock;
mod drop_file;
mod error;
mod file_lock;
mod from_line;
mod from_scan;
mod index;
mod journal;
mod lines;
mod lock;
mod message;
mod patience;
mod reader;
mod session;
mod session_lock;
mod snapshot;
mod steps;
mod torn;
mod turn;
mod uid;

pub use account::AccountError;
pub use append::append;
pub use drop_file::DropFile;
pub use error::{ErrorKind, LockKind, MailboxError, Refusal};
pub use lock::LockPolicy;
pub use message::{Message, Part};
pub use reader::MessageReader;
pub use session::Mailbox;
pub use uid::Uid;
