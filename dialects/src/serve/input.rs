//! What a client has sent and its session has not used.

use bytes::BytesMut;

/// The bytes that wait for their turn. Used ones may hold passwords: they are
/// wiped before the buffer is given back.
#[derive(Debug, Default)]
pub(super) struct Input {
    bytes: BytesMut,
    /// How many bytes there were before the session used some.
    filled: usize,
}

impl Input {
    /// Adds what has arrived.
    pub(super) fn add(&mut self, arrived: &[u8]) {
        self.bytes.extend_from_slice(arrived);
        self.filled = self.bytes.len();
    }

    /// What is there, for a session to take requests off.
    pub(super) fn bytes(&mut self) -> &mut BytesMut {
        &mut self.bytes
    }

    /// How many bytes wait.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Wipes what was used since the last call, and says whether anything was.
    pub(super) fn wipe_used(&mut self) -> bool {
        let left = self.bytes.len();
        if left == self.filled {
            return false;
        }
        let kept = BytesMut::from(&self.bytes[..]);
        self.bytes.clear();
        // With room asked for, the buffer begins where it did at first.
        self.bytes.reserve(self.filled);
        self.bytes.resize(self.filled.max(self.bytes.capacity()), 0);
        self.bytes = kept;
        self.filled = left;
        true
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        let all = self.bytes.len();
        self.bytes.clear();
        self.bytes.resize(all, 0);
    }
}
