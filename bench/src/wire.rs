//! The client's end of a connection: one request, one reply, no pipelining.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::failure::Wrong;
use crate::script::{Script, Step};

/// Where a protocol's reply ends.
pub(crate) type IsWhole = fn(&[u8]) -> bool;

/// A connection to a server that speaks first.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    is_whole: IsWhole,
    reply: Vec<u8>,
    /// What the server said so far, if somebody wants to know.
    script: Option<Script>,
}

impl Wire {
    /// Connects and reads the greeting, which must begin with `expected`.
    pub(crate) async fn connect(
        server: SocketAddr,
        is_whole: IsWhole,
        expected: &str,
    ) -> Result<Self, Wrong> {
        let stream = TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        let mut wire = Self { stream, is_whole, reply: Vec::with_capacity(512), script: None };
        wire.read_reply(expected).await?;
        Ok(wire)
    }

    /// Writes down what the server says, the greeting included.
    pub(crate) fn record(&mut self) {
        let greeting = String::from_utf8_lossy(&self.reply).into_owned();
        self.script = Some(Script { greeting, steps: Vec::new() });
    }

    /// Sends a request and reads its reply, which must begin with `expected`.
    pub(crate) async fn ask(&mut self, request: &[u8], expected: &str) -> Result<(), Wrong> {
        self.stream.write_all(request).await?;
        self.read_reply(expected).await?;
        if let Some(script) = &mut self.script {
            script.steps.push(Step::new(request, &self.reply));
        }
        Ok(())
    }

    /// Waits until the server closes; what it said, if that was recorded.
    pub(crate) async fn end(mut self) -> Result<Script, Wrong> {
        self.reply.clear();
        match self.stream.read_buf(&mut self.reply).await? {
            0 => Ok(self.script.unwrap_or_default()),
            _ => Err(Wrong(format!("unasked: {}", self.reply.escape_ascii()))),
        }
    }

    async fn read_reply(&mut self, expected: &str) -> Result<(), Wrong> {
        self.reply.clear();
        while !(self.is_whole)(&self.reply) {
            if self.stream.read_buf(&mut self.reply).await? == 0 {
                return Err(Wrong(format!(
                    "closed in {:?}",
                    self.reply.escape_ascii().to_string()
                )));
            }
        }
        if self.reply.starts_with(expected.as_bytes()) {
            return Ok(());
        }
        Err(Wrong(format!("{expected:?} expected: {}", self.reply.escape_ascii())))
    }
}
