//! The content of a message that was received whole.

use std::fmt;
use std::fs::File;

/// A message with LF line ends and without dot-stuffing, exactly as the client
/// sent it otherwise.
pub enum Message {
    /// A small one.
    Memory(Vec<u8>),
    /// A large one, in a file that has no name and goes with this value. The
    /// file's position means nothing.
    File {
        /// Where it is.
        file: File,
        /// How many bytes it has.
        length: u64,
    },
}

impl Message {
    /// How many bytes it has.
    #[must_use]
    pub fn length(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File { length, .. } => *length,
        }
    }
}

impl fmt::Debug for Message {
    /// Never the content: mail is private.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message({} bytes)", self.length())
    }
}
