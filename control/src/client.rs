//! The other end: a program that tells a running server something.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::codec::{
    GREETING, MAX_DATA_LINES, MAX_LINE_BYTES, Reply, ReplyLine, parse_reply_line, request,
};

/// How long the server may take to say anything.
const PATIENCE: Duration = Duration::from_secs(90);

/// A connection to a running server. It blocks.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<UnixStream>,
    path: PathBuf,
}

/// Why a server could not be told something.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error("no server listens at {}: {error}", path.display())]
    Connect {
        /// The socket.
        path: PathBuf,
        /// What went wrong.
        error: io::Error,
    },
    /// The connection broke.
    #[error("lost the server at {}: {error}", path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// What went wrong.
        error: io::Error,
    },
    /// Whoever listens does not speak this protocol, or sends us away.
    #[error("{} does not answer as a dmail server of this version does", path.display())]
    Foreign {
        /// The socket.
        path: PathBuf,
    },
}

impl ClientError {
    /// Whether there is simply no server.
    #[must_use]
    pub fn is_nobody(&self) -> bool {
        matches!(self, Self::Connect { error, .. } if matches!(
            error.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
        ))
    }
}

impl Client {
    /// Connects to the socket at `path`.
    ///
    /// # Errors
    ///
    /// If nobody is there, or somebody else.
    pub fn connect(path: &Path) -> Result<Self, ClientError> {
        let failed = |error| ClientError::Connect { path: path.to_owned(), error };
        let stream = UnixStream::connect(path).map_err(failed)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
        stream.set_write_timeout(Some(PATIENCE)).map_err(failed)?;
        let mut client = Self { stream: BufReader::new(stream), path: path.to_owned() };
        match client.line()? {
            line if line == GREETING => Ok(client),
            _ => Err(client.foreign()),
        }
    }

    /// Sends a command and reads the whole reply.
    ///
    /// # Errors
    ///
    /// If the connection breaks or the reply is none.
    pub fn ask(&mut self, words: &[impl AsRef<str>]) -> Result<Reply, ClientError> {
        let sent = self.stream.get_mut().write_all(request(words).as_bytes());
        sent.map_err(|error| self.broken(error))?;
        let mut data = Vec::new();
        loop {
            match parse_reply_line(&self.line()?) {
                Some(ReplyLine::Data(line)) if data.len() < MAX_DATA_LINES => data.push(line),
                Some(ReplyLine::Last(result)) => return Ok(Reply { data, result }),
                _ => return Err(self.foreign()),
            }
        }
    }

    fn line(&mut self) -> Result<String, ClientError> {
        let mut line = Vec::new();
        let most = MAX_LINE_BYTES as u64 + 1;
        let read = self.stream.by_ref().take(most).read_until(b'\n', &mut line);
        read.map_err(|error| self.broken(error))?;
        match line.split_last() {
            None => Err(self.broken(io::ErrorKind::UnexpectedEof.into())),
            Some((b'\n', line)) if line.is_ascii() => {
                Ok(String::from_utf8_lossy(line).into_owned())
            }
            Some(_) => Err(self.foreign()),
        }
    }

    fn broken(&self, error: io::Error) -> ClientError {
        ClientError::Io { path: self.path.clone(), error }
    }

    fn foreign(&self) -> ClientError {
        ClientError::Foreign { path: self.path.clone() }
    }
}
