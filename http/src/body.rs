//! The body of a request: how long it is said to be, and its bytes once they
//! are there (RFC 9112 sections 6 and 7).

use std::ops::Deref;

use zeroize::Zeroizing;

use crate::message::{Fault, Headers};

/// How much the sizes and extensions of all chunks of one body may take, in
/// bytes: so that a body of single bytes is not without end.
const MAX_FRAMING: usize = 16 * 1024;
/// Longest line of a trailer section that is passed over.
const MAX_TRAILER: usize = 4 * 1024;

/// The bytes of a body. They may hold a password: those that had to be copied
/// are wiped.
#[derive(Debug)]
pub enum Body<'a> {
    /// As they arrived.
    Whole(&'a [u8]),
    /// Put together from chunks.
    Chunks(Zeroizing<Vec<u8>>),
}

impl Deref for Body<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Whole(bytes) => bytes,
            Self::Chunks(bytes) => bytes,
        }
    }
}

/// How the end of a body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    /// After so many bytes.
    Bytes(usize),
    /// After the last chunk.
    Chunked,
}

/// What the headers say of the length.
pub(crate) fn length(
    headers: &Headers<'_>,
    has_codings: bool,
    max: usize,
) -> Result<Length, Fault> {
    let told = headers.one("Content-Length")?;
    match (told, headers.one("Transfer-Encoding")?) {
        (None, None) => Ok(Length::Bytes(0)),
        (Some(_), Some(_)) => Err(Fault::Length("both a length and a transfer coding")),
        (None, Some(_)) if !has_codings => Err(Fault::Length("a transfer coding in HTTP/1.0")),
        (None, Some(coding)) if coding.eq_ignore_ascii_case(b"chunked") => Ok(Length::Chunked),
        (None, Some(_)) => Err(Fault::Coding),
        (Some(digits), None) => number(digits, max).map(Length::Bytes),
    }
}

fn number(digits: &[u8], max: usize) -> Result<usize, Fault> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Fault::Length("it is not a number"));
    }
    let mut value = 0_usize;
    for digit in digits {
        value = value * 10 + usize::from(digit - b'0');
        if value > max {
            return Err(Fault::BodyTooLarge);
        }
    }
    Ok(value)
}

/// The body that `input` starts with, and how many bytes it takes there; `None`
/// until all of it is there.
pub(crate) fn take(
    input: &[u8],
    length: Length,
    max: usize,
) -> Result<Option<(Body<'_>, usize)>, Fault> {
    match length {
        Length::Bytes(count) => Ok(input.get(..count).map(|body| (Body::Whole(body), count))),
        Length::Chunked => chunks(input, max),
    }
}

/// `chunk = size [extensions] CRLF bytes CRLF`, up to one of size 0, which the
/// trailer section and an empty line follow.
fn chunks(input: &[u8], max: usize) -> Result<Option<(Body<'_>, usize)>, Fault> {
    // Room for all of it, so that no copy stays behind when it grows.
    let mut body = Zeroizing::new(Vec::with_capacity(input.len().min(max)));
    let (mut at, mut framing) = (0, 0);
    loop {
        let (line, size) = match httparse::parse_chunk_size(&input[at..]) {
            Ok(httparse::Status::Complete(found)) => found,
            Ok(httparse::Status::Partial) if input.len() - at > MAX_FRAMING => {
                return Err(Fault::BodyTooLarge);
            }
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err(Fault::Length("the size of a chunk")),
        };
        framing += line + 2;
        let size = usize::try_from(size).map_err(|_| Fault::BodyTooLarge)?;
        if framing > MAX_FRAMING || size > max - body.len() {
            return Err(Fault::BodyTooLarge);
        }
        at += line;
        if size == 0 {
            let trailer = trailer(&input[at..])?;
            return Ok(trailer.map(|bytes| (Body::Chunks(body), at + bytes)));
        }
        let end = at + size;
        let Some(bytes) = input.get(at..end) else { return Ok(None) };
        match input.get(end..).unwrap_or_default() {
            [b'\r', b'\n', ..] => {}
            [] | [b'\r'] => return Ok(None),
            _ => return Err(Fault::Length("a chunk is longer than it says")),
        }
        body.extend_from_slice(bytes);
        at = end + 2;
    }
}

/// How many bytes the trailer section takes, which says nothing here.
fn trailer(input: &[u8]) -> Result<Option<usize>, Fault> {
    let mut at = 0;
    loop {
        let rest = &input[at..];
        let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") else {
            return if input.len() > MAX_TRAILER { Err(Fault::BodyTooLarge) } else { Ok(None) };
        };
        at += end + 2;
        match end {
            0 => return Ok(Some(at)),
            _ if at > MAX_TRAILER => return Err(Fault::BodyTooLarge),
            _ => {}
        }
    }
}
