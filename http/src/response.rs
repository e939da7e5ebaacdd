//! A response: a value to bytes.

use std::cell::Cell;
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::message::Fault;

/// The status of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// 200: the question is answered.
    Ok,
    /// 400: the request cannot be understood.
    BadRequest,
    /// 401: the shared secret is missing or wrong.
    Unauthorized,
    /// 403: the same, where no scheme of HTTP fits.
    Forbidden,
    /// 404: there is no such path.
    NotFound,
    /// 405: the path is asked in another way.
    MethodNotAllowed,
    /// 408: the request did not arrive in time.
    RequestTimeout,
    /// 413: the body is too long.
    ContentTooLarge,
    /// 415: the body is of another type.
    UnsupportedMediaType,
    /// 417: an expectation that is not met.
    ExpectationFailed,
    /// 431: the head is too long.
    HeaderFieldsTooLarge,
    /// 501: a transfer coding that is not there.
    NotImplemented,
    /// 503: nobody could decide; the same may be asked again.
    ServiceUnavailable,
    /// 505: another version of HTTP.
    VersionNotSupported,
}

impl Status {
    /// The number.
    #[must_use]
    pub fn code(self) -> u16 {
        self.words().0
    }

    fn words(self) -> (u16, &'static str) {
        match self {
            Self::Ok => (200, "OK"),
            Self::BadRequest => (400, "Bad Request"),
            Self::Unauthorized => (401, "Unauthorized"),
            Self::Forbidden => (403, "Forbidden"),
            Self::NotFound => (404, "Not Found"),
            Self::MethodNotAllowed => (405, "Method Not Allowed"),
            Self::RequestTimeout => (408, "Request Timeout"),
            Self::ContentTooLarge => (413, "Content Too Large"),
            Self::UnsupportedMediaType => (415, "Unsupported Media Type"),
            Self::ExpectationFailed => (417, "Expectation Failed"),
            Self::HeaderFieldsTooLarge => (431, "Request Header Fields Too Large"),
            Self::NotImplemented => (501, "Not Implemented"),
            Self::ServiceUnavailable => (503, "Service Unavailable"),
            Self::VersionNotSupported => (505, "HTTP Version Not Supported"),
        }
    }
}

/// The status of a request that cannot be understood.
impl From<Fault> for Status {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Malformed(_) | Fault::Repeated(_) | Fault::Length(_) => Self::BadRequest,
            Fault::HeadTooLarge => Self::HeaderFieldsTooLarge,
            Fault::BodyTooLarge => Self::ContentTooLarge,
            Fault::Coding => Self::NotImplemented,
            Fault::Expectation => Self::ExpectationFailed,
            Fault::Version => Self::VersionNotSupported,
        }
    }
}

/// A response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    status: Status,
    /// Whole lines.
    headers: String,
    content_type: Option<&'static str>,
    body: Vec<u8>,
}

impl Response {
    /// A response without a body.
    #[must_use]
    pub fn new(status: Status) -> Self {
        Self { status, headers: String::new(), content_type: None, body: Vec::new() }
    }

    /// The same with a header. What a header cannot hold becomes `?`, so that
    /// no value can end its line.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl std::fmt::Display) -> Self {
        let start = self.headers.len() + name.len() + 2;
        write!(self.headers, "{name}: {value}").expect("a String takes everything");
        if self.headers[start..].contains(|c: char| c.is_control()) {
            let safe = self.headers[start..].replace(|c: char| c.is_control(), "?");
            self.headers.truncate(start);
            self.headers.push_str(&safe);
        }
        self.headers.push_str("\r\n");
        self
    }

    /// The same with a body.
    #[must_use]
    pub fn with_body(mut self, content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        self.content_type = Some(content_type);
        self.body = body.into();
        self
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The value of a header that was added.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.headers.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Writes it; `keep_alive` says whether the connection goes on, and
    /// `has_body` is false in the answer to a HEAD.
    pub(crate) fn write(&self, out: &mut Vec<u8>, keep_alive: bool, has_body: bool) {
        let (code, reason) = self.status.words();
        let mut line = |arguments: std::fmt::Arguments<'_>| {
            out.write_fmt(arguments).expect("a Vec takes everything");
        };
        // Both versions understand both words.
        let connection = if keep_alive { "keep-alive" } else { "close" };
        line(format_args!("HTTP/1.1 {code} {reason}\r\nDate: "));
        out.extend_from_slice(&date());
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(self.headers.as_bytes());
        let mut line = |arguments: std::fmt::Arguments<'_>| {
            out.write_fmt(arguments).expect("a Vec takes everything");
        };
        if let Some(content_type) = self.content_type {
            line(format_args!("Content-Type: {content_type}\r\nCache-Control: no-store\r\n"));
        }
        let length = self.body.len();
        line(format_args!("Content-Length: {length}\r\nConnection: {connection}\r\n\r\n"));
        if has_body {
            out.extend_from_slice(&self.body);
        }
    }
}

/// Bytes of a date, as HTTP writes it.
const DATE: usize = 29;

thread_local! {
    /// The second that was written last, and its text.
    static LAST_DATE: Cell<(u64, [u8; DATE])> = const { Cell::new((u64::MAX, [b' '; DATE])) };
}

/// The time, as the header `Date` has it. It is written once a second.
fn date() -> [u8; DATE] {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (second, text) = LAST_DATE.get();
    if second == now {
        return text;
    }
    let written = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(now));
    let mut text = [b' '; DATE];
    for (to, from) in text.iter_mut().zip(written.bytes()) {
        *to = from;
    }
    LAST_DATE.set((now, text));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(response: &Response, keep_alive: bool, has_body: bool) -> String {
        let mut out = Vec::new();
        response.write(&mut out, keep_alive, has_body);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn a_response_is_written_in_one_piece() {
        let response = Response::new(Status::Ok)
            .with("Auth-Status", "OK")
            .with_body("application/json", b"{}".as_slice());
        let text = written(&response, true, true);
        let (head, rest) = text.split_once("Date: ").expect("a date");
        let (date, rest) = rest.split_once("\r\n").expect("a line");
        assert_eq!(head, "HTTP/1.1 200 OK\r\n");
        assert!(httpdate::parse_http_date(date).is_ok(), "{date}");
        assert_eq!(
            rest,
            "Auth-Status: OK\r\nContent-Type: application/json\r\nCache-Control: no-store\r\n\
             Content-Length: 2\r\nConnection: keep-alive\r\n\r\n{}"
        );
        let head = written(&response, false, false);
        assert!(head.ends_with("Content-Length: 2\r\nConnection: close\r\n\r\n"), "{head}");
    }

    #[test]
    fn no_value_ends_its_line() {
        let response = Response::new(Status::Ok).with("X", "a\r\nY: b\0\u{85}c\u{e9}");
        assert_eq!(response.header("x"), Some("a??Y: b??c\u{e9}"));
        assert_eq!(response.header("Y"), None);
    }
}
