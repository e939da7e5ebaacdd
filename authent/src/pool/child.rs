//! The pipes of one child. Whoever holds them has the child to himself;
//! dropping them kills it.

use std::borrow::Cow;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dmail_core::Secret;
use dmail_core::framing::{Ending, Frame, LineFault, LineFramer};
use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::recent::RecentSecrets;
use crate::line::{DataLine, Fault, Quoting, Reply, ReplyLine};

/// How much is read from a child at a time.
const READ_BYTES: usize = 2048;

/// One child, ready for a question.
#[derive(Debug)]
pub(super) struct Child {
    stdin: pipe::Sender,
    stdout: pipe::Receiver,
    buffer: Vec<u8>,
    max_reply: usize,
    state: Arc<ChildState>,
    /// Tells the slot why the child must go; dropping it alone is reason enough.
    leave: Option<oneshot::Sender<Cow<'static, str>>>,
}

/// What the pipes' holder and the slot know in common about a child.
#[derive(Debug)]
pub(super) struct ChildState {
    /// A question was put to it.
    pub(super) asked: AtomicBool,
    /// The process has ended.
    pub(super) gone: AtomicBool,
    /// What it was told and must not appear in the log, whatever it says.
    pub(super) secrets: RecentSecrets,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum AskError {
    /// It broke the contract.
    Broken(Fault),
    /// It went away before any byte of an answer.
    GoneBeforeAnswer,
    /// It went away in the middle of an answer.
    GoneInAnswer,
    /// It was not asked, because it was not fit to be.
    Stale(&'static str),
}

impl Child {
    pub(super) fn new(
        stdin: pipe::Sender,
        stdout: pipe::Receiver,
        max_reply: usize,
        state: Arc<ChildState>,
        leave: oneshot::Sender<Cow<'static, str>>,
    ) -> Self {
        Self { stdin, stdout, buffer: Vec::new(), max_reply, state, leave: Some(leave) }
    }

    /// Whether the process has ended while nobody looked.
    pub(super) fn is_gone(&self) -> bool {
        self.state.gone.load(Ordering::Acquire)
    }

    /// Asks one question. After an error the child must not be asked again.
    pub(super) async fn ask(
        &mut self,
        line: &[u8],
        secret: Option<&Secret>,
        data_lines: usize,
    ) -> Result<(Reply, Vec<DataLine>), AskError> {
        self.must_be_silent()?;
        if let Some(secret) = secret {
            self.state.secrets.add(secret);
        }
        self.state.asked.store(true, Ordering::Relaxed);
        self.stdin.write_all(line).await.map_err(|_| AskError::GoneBeforeAnswer)?;
        self.receive(data_lines).await
    }

    /// Ends the child for this reason, which the log will tell.
    pub(super) fn kill(mut self, why: impl Into<Cow<'static, str>>) {
        if let Some(leave) = self.leave.take() {
            // The slot is gone only if the whole pool is.
            let _ = leave.send(why.into());
        }
    }

    /// Says `exit` and waits until the child closes its output.
    pub(super) async fn exit(mut self, patience: Duration) {
        let leaving = async {
            self.stdin.write_all(b"exit\n").await?;
            loop {
                self.buffer.clear();
                if self.read_some().await? == 0 {
                    // It closed its output, so its end is near: the slot lets
                    // go once it has seen the child end by itself.
                    if let Some(leave) = &mut self.leave {
                        leave.closed().await;
                    }
                    return Ok::<(), io::Error>(());
                }
            }
        };
        let _ = timeout(patience, leaving).await;
    }

    /// Whatever a child says without being asked would be taken for the answer
    /// to the next question.
    fn must_be_silent(&mut self) -> Result<(), AskError> {
        self.buffer.clear();
        self.buffer.reserve(READ_BYTES);
        match self.stdout.try_read_buf(&mut self.buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Ok(0) | Err(_) => Err(AskError::Stale("ended while it was idle")),
            Ok(_) => Err(AskError::Stale("spoke without being asked")),
        }
    }

    /// Reads one whole answer, and makes sure that nothing follows it.
    async fn receive(&mut self, data_lines: usize) -> Result<(Reply, Vec<DataLine>), AskError> {
        let mut framer = LineFramer::new(self.max_reply, Ending::LfOrCrLf);
        let mut data = Vec::new();
        let mut used = 0;
        loop {
            let taken = framer.take(&self.buffer[used..]);
            used += taken.consumed;
            let frame = match taken.frame {
                Some(frame) => frame,
                None if framer.is_overlong() => return Err(AskError::Broken(Fault::TooLong)),
                None => {
                    self.buffer.drain(..used);
                    used = 0;
                    let nothing_yet = self.buffer.is_empty() && data.is_empty();
                    match self.read_some().await {
                        Ok(1..) => continue,
                        _ if nothing_yet => return Err(AskError::GoneBeforeAnswer),
                        _ => return Err(AskError::GoneInAnswer),
                    }
                }
            };
            match parse(frame).map_err(AskError::Broken)? {
                ReplyLine::Data(line) if data.len() < data_lines => data.push(line),
                ReplyLine::Data(_) => return Err(AskError::Broken(Fault::TooMuchData)),
                ReplyLine::Final(reply) if used == self.buffer.len() => return Ok((reply, data)),
                ReplyLine::Final(_) => return Err(AskError::Broken(Fault::SecondReply)),
            }
        }
    }

    /// Waits for output and adds it to the buffer; 0 at the end of it.
    async fn read_some(&mut self) -> io::Result<usize> {
        loop {
            self.stdout.readable().await?;
            self.buffer.reserve(READ_BYTES);
            match self.stdout.try_read_buf(&mut self.buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read,
            }
        }
    }
}

impl ChildState {
    /// Of a new child, which is written to with this quoting.
    pub(super) fn new(quoting: Quoting) -> Self {
        Self {
            asked: AtomicBool::new(false),
            gone: AtomicBool::new(false),
            secrets: RecentSecrets::new(quoting),
        }
    }
}

fn parse(frame: Frame<'_>) -> Result<ReplyLine, Fault> {
    match frame {
        Frame::Line(line) => ReplyLine::parse(line),
        Frame::Refused(LineFault::TooLong) => Err(Fault::TooLong),
        Frame::Refused(LineFault::BareEnding | LineFault::Nul) => Err(Fault::Bytes),
    }
}
