//! A connection to one of the sockets, as lines.

use std::io;
use std::path::Path;

use dmail_core::framing::{Ending, Frame, LineFramer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use zeroize::Zeroizing;

use super::wire::{Line, Socket};

/// Longest line of the daemon.
const MAX_LINE: usize = 65_536;
/// How much is read at a time.
const READ_BYTES: usize = 8_192;

/// Why a connection cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Lost {
    #[error("the daemon closed the connection")]
    Closed,
    #[error("the daemon broke the protocol: {0}")]
    Fault(&'static str),
    #[error("{0}")]
    Io(String),
    #[error("the daemon offers no PLAIN: see auth_mechanisms there")]
    NoPlain,
    #[error("nothing was heard of the daemon in time")]
    Silent,
}

impl From<io::Error> for Lost {
    fn from(error: io::Error) -> Self {
        Self::Io(error.to_string())
    }
}

/// A greeted connection.
pub(super) struct Lines {
    pub(super) socket: Socket,
    pub(super) reader: Reader,
    pub(super) writer: OwnedWriteHalf,
}

/// The reading half.
pub(super) struct Reader {
    half: OwnedReadHalf,
    framer: LineFramer,
    /// Answers may hold passwords, for whoever is a proxy.
    buffer: Zeroizing<Vec<u8>>,
    used: usize,
}

impl Lines {
    /// Connects, and waits until the daemon is ready.
    pub(super) async fn open(socket: Socket, path: &Path) -> Result<Self, Lost> {
        let stream = UnixStream::connect(path)
            .await
            .map_err(|error| Lost::Io(format!("{}: {error}", path.display())))?;
        let (half, mut writer) = stream.into_split();
        writer.write_all(socket.hello().as_bytes()).await?;
        let framer = LineFramer::new(MAX_LINE, Ending::LfOrCrLf);
        let mut reader = Reader { half, framer, buffer: Zeroizing::default(), used: 0 };
        let mut plain = socket == Socket::Userdb;
        loop {
            match socket.parse(reader.line().await?).map_err(Lost::Fault)? {
                Line::Plain => plain = true,
                Line::Greeting => {}
                Line::Ready if plain => return Ok(Self { socket, reader, writer }),
                Line::Ready => return Err(Lost::NoPlain),
                Line::Answer(..) => return Err(Lost::Fault("an answer in its greeting")),
            }
        }
    }
}

impl Reader {
    /// Waits for the next line. Nothing is lost if the waiting is given up.
    pub(super) async fn line(&mut self) -> Result<&[u8], Lost> {
        let (start, length) = loop {
            let taken = self.framer.take(&self.buffer[self.used..]);
            let consumed = taken.consumed;
            match taken.frame {
                Some(Frame::Line(line)) => {
                    // A line is the first of what was taken.
                    let length = line.len();
                    let start = self.used;
                    self.used += consumed;
                    break (start, length);
                }
                Some(Frame::Refused(_)) => return Err(Lost::Fault("a line that is none")),
                None => {
                    self.used += consumed;
                    self.buffer.drain(..self.used);
                    self.used = 0;
                }
            }
            self.buffer.reserve(READ_BYTES);
            if self.half.read_buf(&mut *self.buffer).await? == 0 {
                return Err(Lost::Closed);
            }
        };
        Ok(&self.buffer[start..start + length])
    }
}
