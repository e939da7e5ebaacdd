//! Where a message grows: in memory while it is small, then in a file.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use crate::config::Config;
use crate::delivery::{DeliveryError, DeliveryErrorKind};
use crate::message::Message;

/// A message that is being received. It needs no more memory than the
/// configured limit and one piece of input.
#[derive(Debug)]
pub(crate) struct Spool {
    config: Arc<Config>,
    /// What is not in the file.
    pending: Vec<u8>,
    file: Option<File>,
    written: u64,
    /// Why there is no use in writing more.
    trouble: Option<io::Error>,
}

impl Spool {
    /// An empty message.
    pub(crate) fn new(config: Arc<Config>) -> Self {
        Self { config, pending: Vec::new(), file: None, written: 0, trouble: None }
    }

    /// Where the next piece is appended; [`settle`](Self::settle) must follow.
    pub(crate) fn tail(&mut self) -> &mut Vec<u8> {
        &mut self.pending
    }

    /// Moves what is in memory to the file if it has become too much.
    pub(crate) async fn settle(&mut self) {
        if self.pending.len() > self.config.memory_limit {
            self.write_out().await;
        }
    }

    /// Gives the memory and the file back, because the message is refused.
    pub(crate) fn discard(&mut self) {
        self.pending = Vec::new();
        self.file = None;
    }

    /// The message, now that it is complete.
    pub(crate) async fn finish(mut self) -> Result<Message, DeliveryError> {
        if self.file.is_some() {
            self.write_out().await;
        }
        match (self.trouble, self.file) {
            (Some(error), _) => Err(self.config.cannot_spool(&error)),
            (None, Some(file)) => Ok(Message::File { file, length: self.written }),
            (None, None) => Ok(Message::Memory(self.pending)),
        }
    }

    async fn write_out(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        if self.trouble.is_some() {
            return;
        }
        let (file, length) = (self.file.take(), pending.len() as u64);
        let directory = self.config.work_path.clone();
        let writing = tokio::task::spawn_blocking(move || append(file, directory, pending));
        match writing.await.unwrap_or_else(|error| Err(io::Error::other(error))) {
            Ok((file, room)) => {
                (self.file, self.pending) = (Some(file), room);
                self.written += length;
            }
            Err(error) => self.trouble = Some(error),
        }
    }
}

impl Config {
    fn cannot_spool(&self, error: &io::Error) -> DeliveryError {
        let kind = match error.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => DeliveryErrorKind::Full,
            _ => DeliveryErrorKind::Temporary,
        };
        let path = self.work_path.display();
        DeliveryError::new(kind, format!("cannot write a large message into {path}: {error}"))
    }
}

/// Appends to the file, which is made if there is none, and gives the emptied
/// buffer back.
fn append(
    file: Option<File>,
    directory: PathBuf,
    mut bytes: Vec<u8>,
) -> io::Result<(File, Vec<u8>)> {
    let mut file = match file {
        Some(file) => file,
        // It never has a name, or loses it at once: no crash leaves it behind.
        None => tempfile::tempfile_in(directory)?,
    };
    file.write_all(&bytes)?;
    bytes.clear();
    Ok((file, bytes))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    fn config(directory: &std::path::Path) -> Arc<Config> {
        let work_path = directory.to_owned();
        Arc::new(Config { work_path, memory_limit: 10, ..Config::default() })
    }

    async fn spooled(config: Arc<Config>, pieces: usize) -> Result<Message, DeliveryError> {
        let mut spool = Spool::new(config);
        for _ in 0..pieces {
            spool.tail().extend_from_slice(b"12345678");
            spool.settle().await;
            assert!(spool.pending.len() <= 10, "memory is bounded");
        }
        spool.finish().await
    }

    #[tokio::test]
    async fn a_small_message_stays_in_memory_and_a_large_one_does_not() {
        let home = tempfile::tempdir().expect("a directory");
        let small = spooled(config(home.path()), 1).await.expect("room");
        assert!(matches!(small, Message::Memory(bytes) if bytes == b"12345678"));
        let large = spooled(config(home.path()), 5).await.expect("room");
        let Message::File { file, length: 40 } = large else { panic!("{large:?}") };
        let mut bytes = [0; 40];
        file.read_exact_at(&mut bytes, 0).expect("all of it");
        assert_eq!(bytes.to_vec(), b"12345678".repeat(5));
        assert_eq!(std::fs::read_dir(home.path()).expect("a list").count(), 0, "no litter");
    }

    #[tokio::test]
    async fn a_spool_that_cannot_be_written_is_nobodys_mail() {
        let home = tempfile::tempdir().expect("a directory");
        let error = spooled(config(&home.path().join("missing")), 5).await.expect_err("no room");
        assert_eq!(error.kind, DeliveryErrorKind::Temporary);
    }
}
