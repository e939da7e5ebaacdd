//! An answer: bytes to values, without IO (RFC 9112). What follows it on the
//! connection is nobody's, so a connection on which anything does is closed.

use httparse::Status;

/// Longest head, in bytes.
const MAX_HEAD: usize = 16 * 1024;
/// Most headers.
const MAX_HEADERS: usize = 64;

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The status code.
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    /// Whether the connection can be used again.
    pub(crate) keeps: bool,
}

/// Why an answer cannot be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("it does not speak HTTP/1.1")]
    NotHttp,
    #[error("its answer is too long")]
    TooLong,
    #[error("the length of its answer is not clear")]
    Length,
    #[error("it closed the connection within its answer")]
    Cut,
}

enum Length {
    Told(usize),
    Chunked,
    UntilEnd,
}

/// Reads the answer that `input` starts with, as far as it is there; its body
/// has at most `max` bytes. `ended`: no more will come.
pub(crate) fn parse(input: &[u8], ended: bool, max: usize) -> Result<Option<Answer>, Fault> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut head = httparse::Response::new(&mut headers);
    let parsed = head.parse(&input[..input.len().min(MAX_HEAD)]).map_err(|_| Fault::NotHttp)?;
    let Status::Complete(bytes) = parsed else {
        return match (input.len() >= MAX_HEAD, ended) {
            (true, _) => Err(Fault::TooLong),
            (false, true) => Err(Fault::Cut),
            (false, false) => Ok(None),
        };
    };
    let status = head.code.ok_or(Fault::NotHttp)?;
    let rest = &input[bytes..];
    // An interim one: the answer follows.
    if (100..200).contains(&status) {
        return if status == 101 { Err(Fault::NotHttp) } else { parse(rest, ended, max) };
    }
    let body = match length(status, head.headers)? {
        Length::Told(length) if length > max => return Err(Fault::TooLong),
        Length::Told(length) => rest.get(..length).map(|body| (body.to_vec(), length)),
        Length::Chunked => chunks(rest, max)?,
        Length::UntilEnd if rest.len() > max => return Err(Fault::TooLong),
        Length::UntilEnd => ended.then(|| (rest.to_vec(), rest.len())),
    };
    match body {
        Some((body, used)) => {
            let keeps = head.version == Some(1) && !closes(head.headers) && used == rest.len();
            Ok(Some(Answer { status, body, keeps: keeps && !ended }))
        }
        None if ended => Err(Fault::Cut),
        None => Ok(None),
    }
}

fn length(status: u16, headers: &[httparse::Header<'_>]) -> Result<Length, Fault> {
    if matches!(status, 204 | 304) {
        return Ok(Length::Told(0));
    }
    let mut coding = values(headers, "transfer-encoding");
    if let Some(value) = coding.next() {
        let known = value.eq_ignore_ascii_case(b"chunked") && coding.next().is_none();
        // Both is how answers are smuggled.
        let alone = values(headers, "content-length").next().is_none();
        return if known && alone { Ok(Length::Chunked) } else { Err(Fault::Length) };
    }
    let mut lengths = values(headers, "content-length");
    match (lengths.next(), lengths.next()) {
        (None, _) => Ok(Length::UntilEnd),
        (Some(value), None) if value.iter().all(u8::is_ascii_digit) => {
            let text = std::str::from_utf8(value).map_err(|_| Fault::Length)?;
            text.parse().map(Length::Told).map_err(|_| Fault::Length)
        }
        (Some(_), _) => Err(Fault::Length),
    }
}

fn closes(headers: &[httparse::Header<'_>]) -> bool {
    let mut words = values(headers, "connection").flat_map(|value| value.split(|b| *b == b','));
    words.any(|word| word.trim_ascii().eq_ignore_ascii_case(b"close"))
}

fn values<'a>(
    headers: &'a [httparse::Header<'a>],
    name: &'static str,
) -> impl Iterator<Item = &'a [u8]> {
    let of_name = headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name));
    of_name.map(|header| header.value.trim_ascii())
}

/// A body in chunks, and how many bytes it took; `None` if it goes on.
fn chunks(input: &[u8], max: usize) -> Result<Option<(Vec<u8>, usize)>, Fault> {
    let (mut body, mut at) = (Vec::new(), 0);
    loop {
        let rest = &input[at..];
        let (head, size) = match httparse::parse_chunk_size(rest) {
            Ok(Status::Complete(found)) => found,
            // The size and its extensions are one short line.
            Ok(Status::Partial) if rest.len() > MAX_HEAD => return Err(Fault::TooLong),
            Ok(Status::Partial) => return Ok(None),
            Err(_) => return Err(Fault::Length),
        };
        let size = usize::try_from(size).ok().filter(|size| *size <= max - body.len());
        let size = size.ok_or(Fault::TooLong)?;
        at += head;
        if size == 0 {
            return trailer(&input[at..]).map(|end| end.map(|end| (body, at + end)));
        }
        let Some(chunk) = input.get(at..at + size + 2) else { return Ok(None) };
        let (chunk, end) = chunk.split_at(size);
        if end != b"\r\n" {
            return Err(Fault::Length);
        }
        body.extend_from_slice(chunk);
        at += size + 2;
    }
}

/// The bytes up to the end of the lines behind the last chunk.
fn trailer(input: &[u8]) -> Result<Option<usize>, Fault> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    match httparse::parse_headers(input, &mut headers) {
        Ok(Status::Complete((bytes, _))) => Ok(Some(bytes)),
        Ok(Status::Partial) if input.len() > MAX_HEAD => Err(Fault::TooLong),
        Ok(Status::Partial) => Ok(None),
        Err(_) => Err(Fault::Length),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: usize = 16;

    fn answer(status: u16, body: &str, keeps: bool) -> Result<Option<Answer>, Fault> {
        Ok(Some(Answer { status, body: body.into(), keeps }))
    }

    #[test]
    fn answers_are_read_exactly() {
        let rows = [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", answer(200, "hi", true)),
            ("HTTP/1.1 200 \r\ncontent-length: 0\r\n\r\n", answer(200, "", true)),
            ("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", answer(200, "hi", false)),
            ("HTTP/1.1 204 No\r\n\r\n", answer(204, "", true)),
            (
                "HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 2\r\n\r\nhi",
                answer(200, "hi", false),
            ),
            (
                "HTTP/1.1 401 No\r\nTransfer-Encoding: chunked\r\n\r\n1;x=y\r\nh\r\n1\r\ni\r\n\
                 0\r\nA: b\r\n\r\n",
                answer(401, "hi", true),
            ),
            (
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
                answer(200, "x", true),
            ),
            // Something follows that nobody asked for.
            ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxy", answer(200, "x", false)),
            ("HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n", Err(Fault::TooLong)),
            ("HTTP/1.1 200 OK\r\n\r\n12345678901234567", Err(Fault::TooLong)),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n11\r\n", Err(Fault::TooLong)),
            ("HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nhi", Err(Fault::Length)),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi",
                Err(Fault::Length),
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                Err(Fault::Length),
            ),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", Err(Fault::Length)),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", Err(Fault::Length)),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nhi\r\n",
                Err(Fault::Length),
            ),
            ("HTTP/1.1 101 Up\r\n\r\n", Err(Fault::NotHttp)),
            ("SSH-2.0-OpenSSH\r\n", Err(Fault::NotHttp)),
        ];
        for (input, expected) in rows {
            let found = parse(input.as_bytes(), false, MAX);
            assert_eq!(found, expected, "{input}");
            if let Ok(Some(answer)) = found
                && answer.keeps
            {
                for end in 0..input.len() {
                    let part = &input.as_bytes()[..end];
                    assert_eq!(parse(part, false, MAX), Ok(None), "{end} of {input}");
                    assert_eq!(parse(part, true, MAX), Err(Fault::Cut), "{end} of {input}");
                }
            }
        }
    }

    #[test]
    fn an_answer_without_a_length_ends_with_the_connection() {
        let input = b"HTTP/1.1 200 OK\r\n\r\nhi";
        assert_eq!(parse(input, false, MAX), Ok(None));
        assert_eq!(parse(input, true, MAX), answer(200, "hi", false));
    }

    #[test]
    fn a_head_has_an_end() {
        let endless = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(MAX_HEAD));
        assert_eq!(parse(endless.as_bytes(), false, MAX), Err(Fault::TooLong));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_taken_without_a_panic(bytes: Vec<u8>, ended: bool) {
            let _ = parse(&bytes, ended, MAX);
            let chunked = [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", &*bytes].concat();
            let _ = parse(&chunked, ended, MAX);
        }
    }
}
