//! A mailbox as one POP3 session sees it.

use std::fs::File;
use std::io::ErrorKind;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use crate::index::{Index, IndexError};
use crate::lock::LockedDrop;
use crate::session_lock::SessionLock;
use crate::uid::Uids;
use crate::{DropFile, LockPolicy, MailboxError, MessageReader, Uid, journal, snapshot};

/// A mailbox opened for one session: the messages that were there, and the
/// right to be the only session. Mail that arrives meanwhile is not seen, and
/// not touched.
///
/// Dropping it ends the session and changes nothing; [`Mailbox::commit`] ends
/// it and deletes.
#[derive(Debug)]
pub struct Mailbox {
    drop: DropFile,
    policy: LockPolicy,
    path: Arc<Path>,
    /// None if there is no drop file, and so no mail.
    file: Option<Arc<File>>,
    index: Index,
    /// Held, and given back after everything else.
    _session: Option<SessionLock>,
}

impl Mailbox {
    /// Opens the mailbox for a session. A drop file that is not there is an
    /// empty mailbox, and is not made.
    ///
    /// # Errors
    ///
    /// [`MailboxError::InUse`] if there is a session already;
    /// [`MailboxError::NotAMailbox`] if the file holds something else than
    /// mail; [`MailboxError::LockTimeout`] if somebody kept writing.
    pub fn open(drop: &DropFile, policy: &LockPolicy) -> Result<Self, MailboxError> {
        let session = SessionLock::take(drop)?;
        let mut mailbox = Self {
            drop: drop.clone(),
            policy: *policy,
            path: drop.path.as_path().into(),
            file: None,
            index: Index::default(),
            _session: session,
        };
        if let Some((file, size)) = snapshot::take(drop, policy)? {
            let index = Index::build(&file, size);
            mailbox.index = index.map_err(|error| no_index(drop, error))?;
            mailbox.file = Some(file);
        }
        Ok(mailbox)
    }

    /// How many messages there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.entries().len()
    }

    /// Whether there is no message.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The size of message `index` (from 0) in octets, as POP3 counts them (RFC
    /// 1939 section 11): what [`Mailbox::reader`] gives, with CRLF line ends,
    /// without doubled dots.
    ///
    /// # Panics
    ///
    /// If there is no such message.
    #[must_use]
    pub fn size(&self, index: usize) -> u64 {
        self.index.entries()[index].wire_bytes()
    }

    /// The unique ids of all messages, in order. They are made anew with each
    /// call, for which every header is read.
    ///
    /// # Errors
    ///
    /// If the system fails.
    pub fn uids(&self) -> Result<Vec<Uid>, MailboxError> {
        let mut uids = Uids::default();
        let mut from_line = Vec::new();
        (0..self.len())
            .map(|index| {
                let entry = &self.index.entries()[index];
                from_line.resize(entry.head_bytes(), 0);
                self.file_with_mail()
                    .read_exact_at(&mut from_line, entry.start())
                    .map_err(self.drop.io("read"))?;
                uids.next(&from_line, self.reader(index), entry.wire_bytes())
            })
            .collect()
    }

    /// Reads message `index`, from 0.
    ///
    /// # Panics
    ///
    /// If there is no such message.
    #[must_use]
    pub fn reader(&self, index: usize) -> MessageReader {
        let entry = &self.index.entries()[index];
        let file = Arc::clone(self.file_with_mail());
        MessageReader::new(file, Arc::clone(&self.path), entry)
    }

    /// Ends the session, and removes every message whose entry in `deleted` is
    /// true (the UPDATE state of RFC 1939 section 6). When it returns, that is
    /// on disk. It is done for all of them or for none, whatever happens to the
    /// process or the machine.
    ///
    /// # Errors
    ///
    /// [`MailboxError::Changed`] if another program rewrote the file meanwhile.
    /// After any error nothing was deleted; only after [`MailboxError::Io`] may
    /// it still be, all of it, when the mailbox is next opened.
    ///
    /// # Panics
    ///
    /// If `deleted` has not one entry for each message.
    pub fn commit(self, deleted: &[bool]) -> Result<(), MailboxError> {
        assert_eq!(deleted.len(), self.len(), "one entry for each message");
        let Some(first) = deleted.iter().position(|deleted| *deleted) else {
            return Ok(());
        };
        let locked = LockedDrop::existing(&self.drop, &self.policy)?;
        let locked = locked.ok_or_else(|| self.changed())?;
        let size = locked.size()?;
        if !self.is_unchanged(&locked, size)? {
            return Err(self.changed());
        }
        let from = self.index.entries()[first].start();
        let kept = self.kept(deleted, first, size)?;
        if kept.is_empty() {
            let cut = locked.file().set_len(from);
            cut.and_then(|()| locked.file().sync_all()).map_err(self.drop.io("cut"))
        } else {
            journal::remove_between(&self.drop, locked.file(), from, &kept, size)
        }
    }

    /// Whether the file under the lock is the one that was indexed, with the
    /// same messages at its beginning.
    fn is_unchanged(&self, locked: &LockedDrop, size: u64) -> Result<bool, MailboxError> {
        Ok(self.drop.leads_to(self.file_with_mail())?
            && self.index.still_describes(locked.file(), size).map_err(self.drop.io("read"))?)
    }

    /// What stays of the file behind its first deleted message: stretches in
    /// order, the last one being what arrived during the session.
    fn kept(
        &self,
        deleted: &[bool],
        first: usize,
        size: u64,
    ) -> Result<Vec<Range<u64>>, MailboxError> {
        let entries = self.index.entries();
        let ends = entries.iter().skip(1).map(|next| next.start()).chain([self.index.end()]);
        let mut kept: Vec<Range<u64>> = Vec::new();
        for ((entry, end), deleted) in entries.iter().zip(ends).zip(deleted).skip(first) {
            match kept.last_mut() {
                _ if *deleted => {}
                Some(last) if last.end == entry.start() => last.end = end,
                _ => kept.push(entry.start()..end),
            }
        }
        let mut arrived = self.index.end()..size;
        if deleted.last() == Some(&true) {
            arrived.start += self.newlines_at(arrived.clone())?;
        }
        if !arrived.is_empty() {
            kept.push(arrived);
        }
        Ok(kept)
    }

    /// How many line feeds `range` begins with: they ended a message that had
    /// lost its own, and go with it. At most two.
    fn newlines_at(&self, range: Range<u64>) -> Result<u64, MailboxError> {
        let mut begin = [0; 2];
        let length = (range.end - range.start).min(2) as usize;
        self.file_with_mail()
            .read_exact_at(&mut begin[..length], range.start)
            .map_err(self.drop.io("read"))?;
        Ok(begin.iter().take_while(|byte| **byte == b'\n').count() as u64)
    }

    fn file_with_mail(&self) -> &Arc<File> {
        self.file.as_ref().expect("a mailbox with messages has a file")
    }

    fn changed(&self) -> MailboxError {
        MailboxError::Changed { path: self.drop.path.clone() }
    }
}

fn no_index(drop: &DropFile, error: IndexError) -> MailboxError {
    let path = drop.path.clone();
    match error {
        IndexError::NotAMailbox => {
            MailboxError::NotAMailbox { path, why: "it does not begin with a \"From \" line" }
        }
        IndexError::TooLarge => MailboxError::TooLarge { path },
        IndexError::Io(error) if error.kind() == ErrorKind::UnexpectedEof => {
            MailboxError::Changed { path }
        }
        IndexError::Io(error) => drop.io("read")(error),
    }
}
