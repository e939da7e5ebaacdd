//! A client that speaks bytes, right or wrong, over TCP or a unix socket.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use crate::wait;

/// Where a server listens.
#[derive(Debug, Clone)]
pub enum Place {
    /// An address and a port.
    Tcp(SocketAddr),
    /// The file of a unix socket.
    Unix(PathBuf),
}

impl Place {
    /// Connects.
    ///
    /// # Errors
    ///
    /// If nobody listens there.
    pub fn try_connect(&self) -> io::Result<Wire> {
        match self {
            Self::Tcp(address) => {
                let stream = TcpStream::connect(address)?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(wait::PATIENCE))?;
                stream.set_write_timeout(Some(wait::PATIENCE))?;
                Ok(Wire::Tcp(stream))
            }
            Self::Unix(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(wait::PATIENCE))?;
                stream.set_write_timeout(Some(wait::PATIENCE))?;
                Ok(Wire::Unix(stream))
            }
        }
    }

    /// The same, if somebody must listen there.
    ///
    /// # Panics
    ///
    /// If nobody does.
    #[must_use]
    pub fn connect(&self) -> Wire {
        self.try_connect().unwrap_or_else(|error| panic!("nobody at {self:?}: {error}"))
    }
}

impl From<&Path> for Place {
    fn from(path: &Path) -> Self {
        Self::Unix(path.to_owned())
    }
}

/// A connection.
#[derive(Debug)]
pub enum Wire {
    /// Over TCP.
    Tcp(TcpStream),
    /// Over a unix socket.
    Unix(UnixStream),
}

impl Wire {
    /// The same connection once more, for a thread that sends while another
    /// one reads.
    ///
    /// # Errors
    ///
    /// If there are too many descriptors.
    pub fn try_clone(&self) -> io::Result<Self> {
        match self {
            Self::Tcp(stream) => stream.try_clone().map(Self::Tcp),
            Self::Unix(stream) => stream.try_clone().map(Self::Unix),
        }
    }

    /// Sends bytes.
    ///
    /// # Errors
    ///
    /// If the connection is gone, or nobody reads for [`wait::PATIENCE`].
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.write_all(bytes.as_ref()),
            Self::Unix(stream) => stream.write_all(bytes.as_ref()),
        }
    }

    /// The same, if the connection must be there.
    ///
    /// # Panics
    ///
    /// If it is not.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).expect("the server listens");
    }

    /// Says that nothing more will come; answers are still read.
    ///
    /// # Errors
    ///
    /// If the connection is gone.
    pub fn finish(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Self::Unix(stream) => stream.shutdown(Shutdown::Write),
        }
    }

    /// Reads what is there, at least a byte; nothing is the end.
    ///
    /// # Errors
    ///
    /// The connection's.
    pub fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
        }
    }

    /// Reads until what was read ends with `end`, or the connection does.
    ///
    /// # Panics
    ///
    /// If neither happens within [`wait::PATIENCE`].
    pub fn until(&mut self, end: &[u8]) -> Vec<u8> {
        let (mut read, mut byte) = (Vec::new(), [0]);
        while !read.ends_with(end) {
            match self.try_read(&mut byte) {
                Ok(0) => break,
                Ok(_) => read.push(byte[0]),
                Err(error) if is_timeout(&error) => panic!("neither {end:?} nor the end: {read:?}"),
                // A connection that is cut off has ended as well.
                Err(_) => break,
            }
        }
        read
    }

    /// Reads to the end of the connection.
    ///
    /// # Panics
    ///
    /// If it does not end within [`wait::PATIENCE`].
    pub fn rest(&mut self) -> Vec<u8> {
        let (mut read, mut buffer) = (Vec::new(), [0; 4096]);
        loop {
            match self.try_read(&mut buffer) {
                Ok(0) => return read,
                Ok(count) => read.extend_from_slice(&buffer[..count]),
                Err(error) if is_timeout(&error) => panic!("still open: {read:?}"),
                // A connection that is cut off has ended as well.
                Err(_) => return read,
            }
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}
