//! An opened mailbox as a session sees it: message sizes, and which messages
//! are marked as deleted. Nothing here touches a file.

use std::fmt;
use std::sync::Arc;

use dmail_mailbox::{Mailbox, Uid};

use crate::error::Error;

/// What a session must know of a mailbox without asking a file.
pub trait Messages {
    /// The lasting name of a message.
    type Uid: fmt::Display + fmt::Debug;

    /// How many messages there are.
    fn count(&self) -> usize;

    /// Octets of the message at `index` (from 0), as RFC 1939 section 11
    /// counts them: with CR LF line ends, before dot-stuffing.
    fn octets(&self, index: usize) -> u64;
}

impl Messages for Mailbox {
    type Uid = Uid;

    fn count(&self) -> usize {
        self.len()
    }

    fn octets(&self, index: usize) -> u64 {
        self.size(index)
    }
}

/// A mailbox and the marks of DELE.
#[derive(Debug)]
pub struct Maildrop<M: Messages> {
    mailbox: Arc<M>,
    /// Empty as long as nothing is marked, which is how most sessions end.
    deleted: Vec<bool>,
    kept: usize,
    kept_octets: u64,
    /// Asked for once, by the first UIDL.
    uids: Option<Box<[M::Uid]>>,
}

impl<M: Messages> Maildrop<M> {
    /// A mailbox without any marks.
    #[must_use]
    pub fn new(mailbox: M) -> Self {
        let mut maildrop = Self {
            mailbox: Arc::new(mailbox),
            deleted: Vec::new(),
            kept: 0,
            kept_octets: 0,
            uids: None,
        };
        maildrop.reset();
        maildrop
    }

    /// The mailbox, for whoever reads it.
    pub(crate) fn mailbox(&self) -> Arc<M> {
        Arc::clone(&self.mailbox)
    }

    /// How many messages are not marked, and how many octets they have.
    #[must_use]
    pub fn totals(&self) -> (usize, u64) {
        (self.kept, self.kept_octets)
    }

    /// Octets of the message at `index`.
    #[must_use]
    pub fn octets(&self, index: usize) -> u64 {
        self.mailbox.octets(index)
    }

    /// Where the message with this number (from 1) is.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchMessage`] or [`Error::Deleted`].
    pub fn index_of(&self, number: u32) -> Result<usize, Error> {
        let index = usize::try_from(number)
            .ok()
            .and_then(|number| number.checked_sub(1))
            .filter(|index| *index < self.mailbox.count())
            .ok_or(Error::NoSuchMessage)?;
        if self.is_deleted(index) {
            return Err(Error::Deleted);
        }
        Ok(index)
    }

    /// The first message from `index` on that is not marked.
    #[must_use]
    pub fn next_kept(&self, index: usize) -> Option<usize> {
        (index..self.mailbox.count()).find(|index| !self.is_deleted(*index))
    }

    /// Marks the message at `index`, which is not marked yet.
    pub fn delete(&mut self, index: usize) {
        if self.deleted.is_empty() {
            self.deleted = vec![false; self.mailbox.count()];
        }
        self.deleted[index] = true;
        self.kept -= 1;
        self.kept_octets -= self.mailbox.octets(index);
    }

    /// Takes all marks back.
    pub fn reset(&mut self) {
        self.deleted = Vec::new();
        self.kept = self.mailbox.count();
        self.kept_octets = (0..self.kept).map(|index| self.octets(index)).sum();
    }

    /// How many messages are marked.
    #[must_use]
    pub fn marked(&self) -> usize {
        self.mailbox.count() - self.kept
    }

    /// The mailbox and a mark for each of its messages.
    #[must_use]
    pub fn into_parts(self) -> (Arc<M>, Vec<bool>) {
        (self.mailbox, self.deleted)
    }

    /// The lasting names, if they are known already.
    #[must_use]
    pub fn uids(&self) -> Option<&[M::Uid]> {
        self.uids.as_deref()
    }

    /// Keeps the lasting names for the rest of the session.
    pub fn learn_uids(&mut self, uids: Vec<M::Uid>) {
        self.uids = Some(uids.into_boxed_slice());
    }

    fn is_deleted(&self, index: usize) -> bool {
        self.deleted.get(index).copied().unwrap_or_default()
    }
}
