//! Unique ids for UIDL (RFC 1939 section 7): the same in every session, on
//! every node, without anything being written down.

use std::collections::HashMap;
use std::fmt;

use sha2::{Digest, Sha256};

use crate::{MailboxError, MessageReader};

/// Headers that other programs write into drop files to remember things.
const CHANGING: [&[u8]; 6] =
    [b"status:", b"x-status:", b"x-keywords:", b"x-uid:", b"x-imap", b"content-length:"];

/// How much of a header counts. More than that is not a header.
const MAX_HEADER_BYTES: usize = 64 * 1024;
/// How much is read at a time: most headers are shorter.
const READ_BYTES: usize = 8 * 1024;

/// A message's unique id: 32 lower-case hexadecimal digits when displayed.
///
/// It is a digest of the `From ` line, the header without the fields that
/// other programs change, and the size of the body. The second of two equal
/// messages gets another id than the first.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Uid([u8; 16]);

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Uid({self})")
    }
}

/// Gives out the ids of one mailbox, in the order of its messages.
#[derive(Default)]
pub(crate) struct Uids {
    seen: HashMap<Uid, u64>,
}

impl Uids {
    /// The id of the next message.
    pub(crate) fn next(
        &mut self,
        from_line: &[u8],
        message: MessageReader,
        wire_bytes: u64,
    ) -> Result<Uid, MailboxError> {
        let uid = digest(from_line, message, wire_bytes)?;
        let occurrence = self.seen.entry(uid).or_default();
        *occurrence += 1;
        Ok(match *occurrence {
            1 => uid,
            several => again(uid, several),
        })
    }
}

fn digest(
    from_line: &[u8],
    mut message: MessageReader,
    wire_bytes: u64,
) -> Result<Uid, MailboxError> {
    let mut header = HeaderDigest::default();
    header.hasher.update(from_line.trim_ascii_end());
    let mut chunk = Vec::new();
    loop {
        let more = message.next_chunk(&mut chunk, READ_BYTES)?;
        let done = header.push(&chunk);
        if done || !more {
            return Ok(header.finish(wire_bytes));
        }
        chunk.clear();
    }
}

/// The id of the `occurrence`th message that has this digest.
fn again(uid: Uid, occurrence: u64) -> Uid {
    let mut hasher = Sha256::new();
    hasher.update(uid.0);
    hasher.update(occurrence.to_be_bytes());
    truncated(hasher)
}

fn truncated(hasher: Sha256) -> Uid {
    let mut uid = [0; 16];
    uid.copy_from_slice(&hasher.finalize()[..16]);
    Uid(uid)
}

/// Digests the lines of a header as they come.
#[derive(Default)]
struct HeaderDigest {
    hasher: Sha256,
    /// The field is one that changes, and so are the lines that continue it.
    skipping: bool,
    /// The last piece had no line end: what follows belongs to its line.
    in_line: bool,
    /// How much was digested.
    counted: usize,
    /// How long the header is on the wire, with what was skipped.
    bytes: u64,
}

impl HeaderDigest {
    /// Takes a piece of the message; whether the header is over.
    fn push(&mut self, chunk: &[u8]) -> bool {
        for line in chunk.split_inclusive(|byte| *byte == b'\n') {
            if self.counted >= MAX_HEADER_BYTES || (!self.in_line && line == b"\r\n") {
                return true;
            }
            self.line(line);
        }
        false
    }

    fn line(&mut self, line: &[u8]) {
        let continues = self.in_line || matches!(line.first(), Some(b' ' | b'\t'));
        if !continues {
            self.skipping = CHANGING.iter().any(|name| {
                line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
            });
        }
        if !self.skipping {
            self.hasher.update(line);
            self.counted += line.len();
        }
        self.in_line = !line.ends_with(b"\n");
        self.bytes += line.len() as u64;
    }

    fn finish(mut self, wire_bytes: u64) -> Uid {
        let body_bytes = wire_bytes.saturating_sub(self.bytes);
        self.hasher.update(body_bytes.to_be_bytes());
        truncated(self.hasher)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The id of a message that comes in pieces of this size.
    fn uid(message: &str, piece: usize) -> Uid {
        let mut header = HeaderDigest::default();
        for piece in message.as_bytes().chunks(piece) {
            if header.push(piece) {
                break;
            }
        }
        header.finish(message.len() as u64)
    }

    #[test]
    fn what_other_programs_note_does_not_change_it() {
        let plain = "Subject: a\r\nTo: b\r\n c\r\n\r\nbody\r\n";
        for (message, same) in [
            ("Subject: a\r\nStatus: RO\r\nTo: b\r\n c\r\n\r\nbody\r\n", true),
            ("Subject: a\r\nTo: b\r\n c\r\nSTATUS: O\r\n\r\nbody\r\n", true),
            ("X-IMAPbase: 1\r\n\t2\r\nSubject: a\r\nTo: b\r\n c\r\n\r\nbody\r\n", true),
            ("Content-Length: 6\r\nX-UID: 1\r\nSubject: a\r\nTo: b\r\n c\r\n\r\nbody\r\n", true),
            ("Subject: a\r\nTo: b\r\n c\r\n\r\nBODY\r\n", true),
            ("Subject: a\r\nTo: b\r\n c\r\n\r\nbody.\r\n", false),
            ("Subject: A\r\nTo: b\r\n c\r\n\r\nbody\r\n", false),
            ("Subject: a\r\nTo: b\r\n d\r\n\r\nbody\r\n", false),
            ("Subject: a\r\nX-Status-Not: x\r\nTo: b\r\n c\r\n\r\nbody\r\n", false),
        ] {
            assert_eq!(uid(plain, 1000) == uid(message, 1000), same, "{message:?}");
        }
    }

    #[test]
    fn a_long_line_may_come_in_pieces() {
        let long = format!("Subject: {}\r\nTo: b\r\n\r\nbody\r\n", "status: ".repeat(500));
        assert_eq!(uid(&long, 1 << 20), uid(&long, 700));
    }

    #[test]
    fn it_is_thirty_two_lower_case_digits() {
        let shown = uid("Subject: a\r\n", 100).to_string();
        assert_eq!(shown.len(), 32);
        assert!(shown.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')));
    }

    #[test]
    fn equal_messages_get_different_ids_that_stay() {
        let first = uid("Subject: a\r\n", 100);
        assert_ne!(again(first, 2), first);
        assert_ne!(again(first, 2), again(first, 3));
        assert_eq!(again(first, 2), again(first, 2));
    }
}
