//! One line after the other, for what is said before questions are many.

use std::future::poll_fn;
use std::io;

use super::dial::Stream;
use crate::flow::Flow;

/// A connection to a daemon.
pub(super) type Lines = Flow<Box<dyn Stream>>;

/// Sends what is in the output.
pub(super) async fn send(lines: &mut Lines) -> io::Result<()> {
    poll_fn(|context| lines.poll_send(context)).await
}

/// The next line, without its end.
pub(super) async fn next(lines: &mut Lines) -> io::Result<Vec<u8>> {
    loop {
        match lines.line(|line, _| line.map(<[u8]>::to_vec)) {
            Some(Ok(line)) => return Ok(line),
            Some(Err(fault)) => return Err(io::Error::new(io::ErrorKind::InvalidData, fault)),
            None => {}
        }
        if poll_fn(|context| lines.poll_read(context)).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// Sends a line and reads one.
pub(super) async fn exchange(lines: &mut Lines, line: &[u8]) -> io::Result<Vec<u8>> {
    lines.output().extend_from_slice(line);
    send(lines).await?;
    next(lines).await
}
