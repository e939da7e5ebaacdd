//! As much of BER as LDAP allows (RFC 4511 section 5.1): definite lengths,
//! tags of one byte.

/// Writes one element.
pub(crate) fn put(out: &mut Vec<u8>, tag: u8, contents: &[u8]) {
    put_header(out, tag, contents.len());
    out.extend_from_slice(contents);
}

/// Writes the tag and the length of an element whose contents follow.
pub(crate) fn put_header(out: &mut Vec<u8>, tag: u8, length: usize) {
    out.push(tag);
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            let bytes = length.to_be_bytes();
            let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
            let digits = &bytes[zeros..];
            out.push(0x80 | u8::try_from(digits.len()).expect("a usize has few bytes"));
            out.extend_from_slice(digits);
        }
    }
}

/// Writes a number that is not negative, in as few bytes as it needs.
pub(crate) fn put_number(out: &mut Vec<u8>, tag: u8, number: u32) {
    let bytes = u64::from(number).to_be_bytes();
    let start = bytes.len() - number_len(number);
    put(out, tag, &bytes[start..]);
}

/// How many bytes the contents of [`put_number`] have: the first bit is a sign.
pub(crate) fn number_len(number: u32) -> usize {
    let bits = u32::BITS - number.leading_zeros();
    (bits / 8 + 1) as usize
}

/// How many bytes [`put_header`] writes.
pub(crate) fn header_len(length: usize) -> usize {
    if length < 0x80 {
        return 2;
    }
    let zeros = length.to_be_bytes().iter().take_while(|byte| **byte == 0).count();
    2 + size_of::<usize>() - zeros
}

/// Reads elements one behind the other.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a>(&'a [u8]);

/// Why there is no element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lack {
    /// It is not BER as LDAP has it, or claims to be longer than allowed.
    Garbage,
    /// More bytes are needed.
    More,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// What was not read yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// The next element: its tag and contents of at most `max` bytes.
    pub(crate) fn next(&mut self, max: usize) -> Result<(u8, &'a [u8]), Lack> {
        let (&[tag, first], mut rest) = self.0.split_first_chunk().ok_or(Lack::More)?;
        let length = match first {
            short @ 0..=0x7f => usize::from(short),
            0x81..=0x84 => {
                let count = usize::from(first & 0x7f);
                let (digits, after) = rest.split_at_checked(count).ok_or(Lack::More)?;
                rest = after;
                digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit))
            }
            _ => return Err(Lack::Garbage),
        };
        if length > max {
            return Err(Lack::Garbage);
        }
        let (contents, rest) = rest.split_at_checked(length).ok_or(Lack::More)?;
        self.0 = rest;
        Ok((tag, contents))
    }

    /// The contents of the next element, which is inside of one that is
    /// complete, if it has this tag.
    pub(crate) fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        let mut ahead = *self;
        match ahead.next(usize::MAX) {
            Ok((found, contents)) if found == tag => {
                *self = ahead;
                Some(contents)
            }
            _ => None,
        }
    }
}

/// A number that is not negative, of at most four bytes.
pub(crate) fn number(contents: &[u8]) -> Option<u32> {
    match contents {
        [] | [0x80..=0xff, ..] => None,
        [digits @ ..] if digits.len() <= 4 => {
            Some(digits.iter().fold(0, |sum, digit| sum << 8 | u32::from(*digit)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_written_as_short_as_they_can_be() {
        for (length, header) in [
            (0, vec![4, 0]),
            (127, vec![4, 127]),
            (128, vec![4, 0x81, 128]),
            (300, vec![4, 0x82, 1, 44]),
            (70_000, vec![4, 0x83, 1, 0x11, 0x70]),
        ] {
            let contents = vec![b'x'; length];
            let mut out = Vec::new();
            put(&mut out, 4, &contents);
            assert_eq!(out[..header.len()], header, "{length}");
            assert_eq!(header_len(length), header.len(), "{length}");
            let mut reader = Reader::new(&out);
            assert_eq!(reader.next(length), Ok((4, contents.as_slice())), "{length}");
            assert!(reader.rest().is_empty());
            for end in 0..out.len() {
                assert_eq!(Reader::new(&out[..end]).next(length), Err(Lack::More), "{end}");
            }
        }
    }

    #[test]
    fn what_is_too_long_or_indefinite_is_garbage() {
        for bytes in [&[4, 0x80][..], &[4, 0x85, 0, 0, 0, 0, 1], &[4, 0x84, 255, 255, 255, 255]] {
            assert_eq!(Reader::new(bytes).next(100), Err(Lack::Garbage), "{bytes:?}");
        }
    }

    #[test]
    fn numbers_are_small_and_not_negative() {
        for (bytes, expected) in [
            (&[0][..], Some(0)),
            (&[0, 200], Some(200)),
            (&[1, 0], Some(256)),
            (&[0x7f, 255, 255, 255], Some(0x7fff_ffff)),
            (&[], None),
            (&[0xff], None),
            (&[1, 0, 0, 0, 0], None),
        ] {
            assert_eq!(number(bytes), expected, "{bytes:?}");
            if let Some(expected) = expected {
                let mut out = Vec::new();
                put_number(&mut out, 2, expected);
                assert_eq!(&out[2..], bytes);
            }
        }
    }
}
