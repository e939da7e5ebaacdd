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
        if self.bytes.len() == self.filled {
            return false;
        }
        let kept = BytesMut::from(&self.bytes[..]);
        wipe(&mut self.bytes, self.filled);
        self.filled = kept.len();
        self.bytes = kept;
        true
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        wipe(&mut self.bytes, self.filled);
    }
}

/// Wipes a buffer that once held `filled` bytes, some of which have been taken
/// off its front.
fn wipe(bytes: &mut BytesMut, filled: usize) {
    bytes.clear();
    // To have that much room, an empty buffer begins again where it did then.
    bytes.reserve(filled);
    bytes.resize(filled, 0);
}

#[cfg(test)]
mod tests {
    use bytes::Buf;

    use super::*;

    #[test]
    fn what_a_session_has_used_is_wiped_where_it_was() {
        let taking: [fn(&mut BytesMut); 3] = [
            |bytes| bytes.advance(6),
            |bytes| drop(bytes.split_to(6)),
            |bytes| {
                let mut taken = std::mem::take(bytes);
                taken.advance(6);
                *bytes = taken;
            },
        ];
        for take in taking {
            let mut bytes = BytesMut::from(&b"s3cretrest"[..]);
            let start = bytes.as_ptr();
            take(&mut bytes);
            assert_eq!(&bytes[..], b"rest");
            wipe(&mut bytes, 10);
            assert_eq!(bytes.as_ptr(), start, "the same memory");
            assert_eq!(&bytes[..], [0; 10]);
        }
    }

    #[test]
    fn what_is_not_used_is_kept() {
        let mut input = Input::default();
        input.add(b"one two");
        assert!(!input.wipe_used());
        input.bytes().advance(4);
        assert!(input.wipe_used());
        assert_eq!(&input.bytes()[..], b"two");
        input.add(b" three");
        input.bytes().advance(9);
        assert!(input.wipe_used());
        assert!(input.is_empty());
    }
}
