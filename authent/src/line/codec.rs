//! The line protocol as tokio-util codecs, for whoever has a byte stream.

use bytes::{Buf, BytesMut};
use dmail_core::framing::{Ending, Frame, LineFault, LineFramer};
use tokio_util::codec::{Decoder, Encoder};

use super::quote::Quoting;
use super::reply::{Fault, ReplyLine};
use super::request::{MAX_REQUEST_BYTES, Request, RequestError};

/// The asking end: writes requests, reads the lines of replies.
#[derive(Debug)]
pub struct ReplyCodec {
    framer: LineFramer,
    quoting: Quoting,
}

/// The answering end: reads requests, writes the lines of replies.
#[derive(Debug)]
pub struct RequestCodec {
    framer: LineFramer,
    quoting: Quoting,
}

impl ReplyCodec {
    /// For replies of at most `max_reply` bytes a line.
    #[must_use]
    pub fn new(max_reply: usize, quoting: Quoting) -> Self {
        Self { framer: LineFramer::new(max_reply, Ending::LfOrCrLf), quoting }
    }
}

impl RequestCodec {
    /// For requests of any allowed length.
    #[must_use]
    pub fn new(quoting: Quoting) -> Self {
        Self { framer: LineFramer::new(MAX_REQUEST_BYTES, Ending::LfOrCrLf), quoting }
    }
}

impl Decoder for ReplyCodec {
    type Item = Result<ReplyLine, Fault>;
    type Error = std::io::Error;

    /// A line that is no reply is an item, not an error: the stream is still
    /// in step, and the caller decides about the child.
    fn decode(&mut self, source: &mut BytesMut) -> std::io::Result<Option<Self::Item>> {
        Ok(take(&mut self.framer, source, |line| match line {
            Ok(line) => ReplyLine::parse(line),
            Err(LineFault::TooLong) => Err(Fault::TooLong),
            Err(LineFault::BareEnding | LineFault::Nul) => Err(Fault::Bytes),
        }))
    }

    /// What the end of the stream cuts is no reply, even a complete-looking one.
    fn decode_eof(&mut self, source: &mut BytesMut) -> std::io::Result<Option<Self::Item>> {
        let item = self.decode(source)?;
        if item.is_none() {
            source.clear();
        }
        Ok(item)
    }
}

impl Encoder<&Request> for ReplyCodec {
    type Error = std::io::Error;

    fn encode(&mut self, request: &Request, target: &mut BytesMut) -> std::io::Result<()> {
        let mut line = Vec::new();
        request.write(&mut line, self.quoting).map_err(std::io::Error::other)?;
        target.extend_from_slice(&line);
        Ok(())
    }
}

impl Decoder for RequestCodec {
    type Item = Result<Request, RequestError>;
    type Error = std::io::Error;

    fn decode(&mut self, source: &mut BytesMut) -> std::io::Result<Option<Self::Item>> {
        let quoting = self.quoting;
        Ok(take(&mut self.framer, source, |line| match line {
            Ok(line) => Request::parse(line, quoting),
            Err(_) => Err(RequestError::Usage("one line without control characters")),
        }))
    }

    /// Half a line is not run.
    fn decode_eof(&mut self, source: &mut BytesMut) -> std::io::Result<Option<Self::Item>> {
        let item = self.decode(source)?;
        if item.is_none() {
            source.clear();
        }
        Ok(item)
    }
}

impl Encoder<&ReplyLine> for RequestCodec {
    type Error = std::io::Error;

    fn encode(&mut self, reply: &ReplyLine, target: &mut BytesMut) -> std::io::Result<()> {
        let mut line = Vec::new();
        reply.write(&mut line);
        target.extend_from_slice(&line);
        Ok(())
    }
}

/// Takes the first whole line off `source` and parses it.
fn take<T>(
    framer: &mut LineFramer,
    source: &mut BytesMut,
    parse: impl FnOnce(Result<&[u8], LineFault>) -> T,
) -> Option<T> {
    let taken = framer.take(source);
    let consumed = taken.consumed;
    let item = taken.frame.map(|frame| match frame {
        Frame::Line(line) => parse(Ok(line)),
        Frame::Refused(fault) => parse(Err(fault)),
    });
    source.advance(consumed);
    item
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::{Reply, Status};

    #[test]
    fn replies_are_decoded_byte_by_byte_and_a_cut_line_is_none() {
        let mut codec = ReplyCodec::new(20, Quoting::default());
        let mut buffer = BytesMut::new();
        let mut lines = Vec::new();
        for byte in b"+DATA bob\r\ngarbage\n-ERR no\n123456789012345678901234567890\n+OK cut" {
            buffer.extend_from_slice(&[*byte]);
            lines.extend(codec.decode(&mut buffer).expect("no IO"));
        }
        assert_eq!(codec.decode_eof(&mut buffer).expect("no IO"), None, "no LF, no answer");
        let err = Reply { status: Status::Err, text: "no".into() };
        assert_eq!(
            lines,
            [
                ReplyLine::parse(b"+DATA bob"),
                Err(Fault::NotAReply),
                Ok(ReplyLine::Final(err)),
                Err(Fault::TooLong),
            ]
        );
    }
}
