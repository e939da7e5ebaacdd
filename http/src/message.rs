//! A request: bytes to values, without IO (RFC 9112).
//!
//! ```text
//!   GET /auth?x=y HTTP/1.1        method, path, query, version
//!   Name: value                   headers, at most 64 in 32 KiB
//!
//!   …                             a body: of a length that was told, or in chunks
//! ```
//!
//! It is strict where two readers of one request could see two requests: a
//! length told twice or in two ways ends the connection.

use smallvec::SmallVec;

use crate::body::{self, Body};

/// Longest head, in bytes: room for a client certificate, which nginx passes on.
pub const MAX_HEAD: usize = 32 * 1024;
/// Most headers.
const MAX_HEADERS: usize = 64;

/// One request.
#[derive(Debug)]
pub struct Request<'a> {
    /// The method, in upper case as it came.
    pub method: &'a str,
    /// The path, without the query. Starts with `/`.
    pub path: &'a str,
    /// What follows the `?`, if there is one.
    pub query: Option<&'a str>,
    /// The headers, in their order.
    pub headers: Headers<'a>,
    /// The body; empty if there is none.
    pub body: Body<'a>,
    /// Whether the client wants to go on with this connection.
    pub keep_alive: bool,
}

/// The headers of a request.
#[derive(Debug, Default)]
pub struct Headers<'a>(SmallVec<[httparse::Header<'a>; 24]>);

impl<'a> Headers<'a> {
    /// All headers in their order: name and value.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> + '_ {
        self.0.iter().map(|header| (header.name, header.value))
    }

    /// The value of this header.
    ///
    /// # Errors
    ///
    /// [`Fault::Repeated`] if it is there twice: nobody can tell which one is
    /// meant.
    pub fn one(&self, name: &'static str) -> Result<Option<&'a [u8]>, Fault> {
        let mut values = self.all(name);
        let first = values.next();
        match values.next() {
            None => Ok(first),
            Some(_) => Err(Fault::Repeated(name)),
        }
    }

    fn all(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, v)| v)
    }

    /// Whether a header that is a list of words has this one.
    fn lists(&self, name: &str, word: &str) -> bool {
        let words = |value: &'a [u8]| value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        self.all(name).flat_map(words).any(|known| known.eq_ignore_ascii_case(word.as_bytes()))
    }
}

/// What there is of a request.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "it lives for one match, and a box costs more")]
pub enum Progress<'a> {
    /// Not all of it.
    More {
        /// Whether the client waits for a `100 Continue` before it sends the
        /// body.
        expects_continue: bool,
    },
    /// All of it, and how many bytes it took.
    Whole(Request<'a>, usize),
}

/// Why a request cannot be understood. The connection ends with it: nobody can
/// tell where the next one starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It is not HTTP.
    #[error("the request is not HTTP/1.1 or HTTP/1.0: {0}")]
    Malformed(&'static str),
    /// A header that may be there once is there twice.
    #[error("the header {0} is there more than once")]
    Repeated(&'static str),
    /// The length of the body is not told in one clear way.
    #[error("the length of the body is not clear: {0}")]
    Length(&'static str),
    /// The head is too long, or has too many headers.
    #[error("the head of the request is too large")]
    HeadTooLarge,
    /// The body is too long.
    #[error("the body of the request is too large")]
    BodyTooLarge,
    /// A transfer coding other than `chunked`.
    #[error("this transfer coding is not supported; send Content-Length, or chunked")]
    Coding,
    /// An expectation other than `100-continue`.
    #[error("this expectation is not supported")]
    Expectation,
    /// Neither HTTP/1.0 nor HTTP/1.1.
    #[error("only HTTP/1.1 and HTTP/1.0 are spoken here")]
    Version,
}

/// Reads the request that `input` starts with; its body has at most `max_body`
/// bytes.
///
/// # Errors
///
/// If it cannot be understood, however it goes on.
pub fn parse(input: &[u8], max_body: usize) -> Result<Progress<'_>, Fault> {
    let mut room = [const { std::mem::MaybeUninit::uninit() }; MAX_HEADERS];
    let mut head = httparse::Request::new(&mut []);
    let parsed = httparse::ParserConfig::default().parse_request_with_uninit_headers(
        &mut head,
        &input[..input.len().min(MAX_HEAD)],
        &mut room,
    );
    let head_bytes = match parsed {
        Ok(httparse::Status::Complete(bytes)) => bytes,
        Ok(httparse::Status::Partial) if input.len() >= MAX_HEAD => {
            return Err(Fault::HeadTooLarge);
        }
        Ok(httparse::Status::Partial) => return Ok(Progress::More { expects_continue: false }),
        Err(error) => return Err(fault_of(error)),
    };
    let (Some(method), Some(target), Some(minor)) = (head.method, head.path, head.version) else {
        return Err(Fault::Malformed("the request line is not complete"));
    };
    let headers = Headers(SmallVec::from_slice(head.headers));
    let (path, query) = split_target(target)?;
    if headers.one("Host")?.is_none() && minor == 1 {
        return Err(Fault::Malformed("HTTP/1.1 needs a Host header"));
    }
    let length = body::length(&headers, minor == 1, max_body)?;
    // Judged even where nobody waits: the answer must not hang on how many
    // pieces the request came in.
    let expects_continue = expects_continue(&headers, minor)?;
    let Some((body, body_bytes)) = body::take(&input[head_bytes..], length, max_body)? else {
        let expects_continue = expects_continue && input.len() == head_bytes;
        return Ok(Progress::More { expects_continue });
    };
    let keep_alive = match minor {
        1 => !headers.lists("Connection", "close"),
        _ => headers.lists("Connection", "keep-alive"),
    };
    let request = Request { method, path, query, headers, body, keep_alive };
    Ok(Progress::Whole(request, head_bytes + body_bytes))
}

fn fault_of(error: httparse::Error) -> Fault {
    match error {
        httparse::Error::HeaderName => Fault::Malformed("the name of a header"),
        httparse::Error::HeaderValue => Fault::Malformed("the value of a header"),
        httparse::Error::NewLine => Fault::Malformed("the end of a line"),
        httparse::Error::TooManyHeaders => Fault::HeadTooLarge,
        httparse::Error::Version => Fault::Version,
        httparse::Error::Token | httparse::Error::Status => Fault::Malformed("the request line"),
    }
}

/// Path and query of `/path?query`, or of `http://host/path?query`, which a
/// server has to take as well (RFC 9112 section 3.2.2).
fn split_target(target: &str) -> Result<(&str, Option<&str>), Fault> {
    let origin = match target.split_once("://") {
        Some((scheme, rest)) if !scheme.contains('/') => {
            rest.find(['/', '?']).map_or("/", |at| &rest[at..])
        }
        _ => target,
    };
    let (path, query) = match origin.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (origin, None),
    };
    match path {
        "" if origin.starts_with('?') && origin.len() < target.len() => Ok(("/", query)),
        _ if path.starts_with('/') => Ok((path, query)),
        _ => Err(Fault::Malformed("the path has to start with /")),
    }
}

fn expects_continue(headers: &Headers<'_>, minor: u8) -> Result<bool, Fault> {
    match headers.one("Expect")? {
        None => Ok(false),
        Some(_) if minor == 0 => Ok(false),
        Some(value) if value.eq_ignore_ascii_case(b"100-continue") => Ok(true),
        Some(_) => Err(Fault::Expectation),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX_BODY: usize = 64;

    /// What comes of `input`: method, path, query, body, whether the connection
    /// goes on, and how many bytes it took.
    type Seen<'a> = (&'a str, &'a str, Option<&'a str>, &'a [u8], bool, usize);

    fn check(input: &str, expected: Result<Option<Seen<'_>>, Fault>) {
        let seen = |progress: &Progress<'_>| match progress {
            Progress::More { .. } => None,
            Progress::Whole(request, used) => Some((
                request.method.to_owned(),
                request.path.to_owned(),
                request.query.map(str::to_owned),
                request.body.to_vec(),
                request.keep_alive,
                *used,
            )),
        };
        let found = parse(input.as_bytes(), MAX_BODY).as_ref().map(seen).map_err(|fault| *fault);
        let expected = expected.map(|expected| {
            expected.map(|(method, path, query, body, keep_alive, used)| {
                let query = query.map(str::to_owned);
                (method.to_owned(), path.to_owned(), query, body.to_vec(), keep_alive, used)
            })
        });
        assert_eq!(found, expected, "{input:?}");
        // What is cut off is not yet a request, and never another one.
        if let Ok(Some((.., used))) = &expected {
            for end in 0..*used {
                let part = parse(&input.as_bytes()[..end], MAX_BODY);
                assert!(matches!(part, Ok(Progress::More { .. })), "{:?}", &input[..end]);
            }
        }
    }

    #[test]
    fn requests_are_read_exactly() {
        let get = |input: &str, path, query, keep_alive| {
            check(input, Ok(Some(("GET", path, query, b"", keep_alive, input.len()))));
        };
        let post =
            |body: &'static [u8], keep, used| Ok(Some(("POST", "/", None, body, keep, used)));
        // nginx, which closes; and one that goes on in either version.
        get("GET /auth HTTP/1.0\r\nHost: x\r\n\r\n", "/auth", None, false);
        get("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "/", None, true);
        get("GET /a?b=c HTTP/1.1\r\nhost: x\r\n\r\n", "/a", Some("b=c"), true);
        get("GET / HTTP/1.1\r\nHost: x\r\nConnection: foo, Close\r\n\r\n", "/", None, false);
        get("GET http://x/a?b HTTP/1.0\r\n\r\n", "/a", Some("b"), false);
        get("GET http://x?b HTTP/1.0\r\n\r\n", "/", Some("b"), false);
        get("GET http://x HTTP/1.0\r\n\r\n", "/", None, false);
        // A body; what follows it is the next request.
        let sized = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc";
        check(&format!("{sized}GET"), post(b"abc", true, sized.len()));
        let chunked = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n\
                       2;x=y\r\nab\r\n1\r\nc\r\n0\r\n\r\n";
        check(chunked, post(b"abc", true, chunked.len()));
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_not_read() {
        let head = |lines: &str| format!("POST / HTTP/1.1\r\nHost: x\r\n{lines}\r\n");
        let long = "x".repeat(MAX_HEAD);
        let rows = [
            (head("Content-Length: 3\r\nContent-Length: 3\r\n"), Fault::Repeated("Content-Length")),
            (head("Host: y\r\n"), Fault::Repeated("Host")),
            (
                head("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"),
                Fault::Length("both a length and a transfer coding"),
            ),
            (head("Content-Length: +3\r\n"), Fault::Length("it is not a number")),
            (head("Content-Length: 3, 3\r\n"), Fault::Length("it is not a number")),
            (head("Content-Length: 65\r\n"), Fault::BodyTooLarge),
            (head("Content-Length: 99999999999999999999999\r\n"), Fault::BodyTooLarge),
            (head("Transfer-Encoding: gzip, chunked\r\n"), Fault::Coding),
            (head("Transfer-Encoding: chunked\r\n") + "41\r\n", Fault::BodyTooLarge),
            (
                head("Transfer-Encoding: chunked\r\n") + "x\r\n",
                Fault::Length("the size of a chunk"),
            ),
            (
                head("Transfer-Encoding: chunked\r\n") + "1\r\nab\r\n",
                Fault::Length("a chunk is longer than it says"),
            ),
            (head("Content-Length: 1\r\nExpect: more\r\n"), Fault::Expectation),
            // The same when the body came along.
            (head("Content-Length: 1\r\nExpect: more\r\n") + "x", Fault::Expectation),
            (head("Expect: more\r\n"), Fault::Expectation),
            (head(&"Expect: 100-continue\r\n".repeat(2)), Fault::Repeated("Expect")),
            (head("X : y\r\n"), Fault::Malformed("the name of a header")),
            (head("X: y\r\n z\r\n"), Fault::Malformed("the name of a header")),
            (head("X: a\0b\r\n"), Fault::Malformed("the value of a header")),
            (head(&"X: y\r\n".repeat(65)), Fault::HeadTooLarge),
            (head(&format!("X: {long}\r\n")), Fault::HeadTooLarge),
            ("GET / HTTP/1.1\r\n\r\n".into(), Fault::Malformed("HTTP/1.1 needs a Host header")),
            ("GET x HTTP/1.0\r\n\r\n".into(), Fault::Malformed("the path has to start with /")),
            ("OPTIONS * HTTP/1.0\r\n\r\n".into(), Fault::Malformed("the path has to start with /")),
            ("PRI * HTTP/2.0\r\n\r\n".into(), Fault::Version),
            ("EHLO client.example\r\n".into(), Fault::Malformed("the request line")),
            ("\u{16}\u{3}\u{1}".into(), Fault::Malformed("the request line")),
        ];
        for (input, fault) in rows {
            check(&input, Err(fault));
        }
        let old = "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n";
        check(old, Err(Fault::Length("a transfer coding in HTTP/1.0")));
    }

    #[test]
    fn a_client_that_waits_for_leave_to_send_its_body_is_noticed() {
        let head =
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n";
        let expects = |input: &[u8]| {
            matches!(parse(input, MAX_BODY), Ok(Progress::More { expects_continue: true }))
        };
        assert!(expects(head));
        assert!(!expects(&head[..head.len() - 1]));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_taken_without_a_panic(bytes: Vec<u8>) {
            let _ = parse(&bytes, MAX_BODY);
        }

        #[test]
        fn what_follows_a_request_does_not_change_it(body: Vec<u8>, rest: Vec<u8>) {
            let length = body.len().min(MAX_BODY);
            let mut input = format!("POST / HTTP/1.0\r\nContent-Length: {length}\r\n\r\n").into_bytes();
            input.extend_from_slice(&body[..length]);
            let whole = input.len();
            input.extend_from_slice(&rest);
            match parse(&input, MAX_BODY) {
                Ok(Progress::Whole(request, used)) => {
                    proptest::prop_assert_eq!((&*request.body, used), (&body[..length], whole));
                }
                other => panic!("{other:?}"),
            }
        }
    }
}
