//! One message on its way to the client: read, cut for TOP, dot-stuffed, in
//! bounded pieces. Blocks: it reads a file.

use dmail_mailbox::MessageReader;

use crate::dot::{DotStuffer, Top};
use crate::error::MailboxTrouble;
use crate::session::OUTPUT_BYTES;

/// A message that is being sent.
pub(crate) struct Transfer {
    reader: MessageReader,
    stuffer: DotStuffer,
    top: Option<Top>,
    octets: u64,
}

/// The next part of a message, ready for the wire.
pub(crate) struct Piece {
    pub(crate) bytes: Vec<u8>,
    pub(crate) next: Next,
}

/// What follows a piece.
pub(crate) enum Next {
    /// More of the message.
    More(Box<Transfer>),
    /// Nothing; so many octets of the message were sent in all.
    Done(u64),
}

impl Transfer {
    /// All of a message, or with `lines` its header and so many lines.
    pub(crate) fn new(reader: MessageReader, lines: Option<u32>) -> Box<Self> {
        Box::new(Self { reader, stuffer: DotStuffer::new(), top: lines.map(Top::new), octets: 0 })
    }

    /// Makes the next piece, of about [`OUTPUT_BYTES`] at most.
    ///
    /// # Errors
    ///
    /// If the mailbox cannot be read.
    pub(crate) fn piece(mut self: Box<Self>) -> Result<Piece, MailboxTrouble> {
        let mut raw = Vec::new();
        let mut more = self.reader.next_chunk(&mut raw, OUTPUT_BYTES)?;
        let passed = match &mut self.top {
            Some(top) => {
                let passed = top.admit(&raw);
                more &= !top.is_done();
                passed
            }
            None => &raw,
        };
        let mut bytes = Vec::with_capacity(passed.len() + passed.len() / 64 + 8);
        self.stuffer.push(passed, &mut bytes);
        self.octets += passed.len() as u64;
        let next = if more {
            Next::More(self)
        } else {
            self.stuffer.finish(&mut bytes);
            Next::Done(self.octets)
        };
        Ok(Piece { bytes, next })
    }
}
