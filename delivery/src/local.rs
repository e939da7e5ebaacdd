//! Delivery into the drop files of this machine.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use async_trait::async_trait;
use dmail_mailbox::{DropFile, Part, append};
use dmail_smtp::{Deliver, DeliveryError, Envelope, Message, Receipt};
use jiff::tz::TimeZone;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::config::Config;
use crate::error::Trouble;
use crate::header::{Header, HeaderScan};
use crate::{target, trace};

/// How much of a spooled message is read at a time to find its header's end.
const PIECE_BYTES: usize = 16 * 1024;

/// Writes messages into drop files, on the runtime's blocking threads.
#[derive(Debug)]
pub struct LocalDelivery {
    config: Arc<Config>,
    turns: Arc<Semaphore>,
}

impl LocalDelivery {
    /// A delivery with these settings.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let turns = Arc::new(Semaphore::new(config.writers));
        Self { config: Arc::new(config), turns }
    }
}

#[async_trait]
impl Deliver for LocalDelivery {
    async fn deliver(
        &self,
        envelope: Envelope,
        message: Message,
    ) -> Result<Receipt, DeliveryError> {
        let turn = timeout(self.config.turn_timeout, Arc::clone(&self.turns).acquire_owned())
            .await
            .map_err(|_| Trouble::NoTurn)?
            .expect("the semaphore is never closed");
        let config = Arc::clone(&self.config);
        let work = tokio::task::spawn_blocking(move || {
            let stored = store(&config, &envelope, &message);
            drop(turn);
            stored.map(|()| Receipt { id: envelope.id })
        });
        Ok(work.await.unwrap_or(Err(Trouble::Panicked))?)
    }
}

/// Puts the message into the drop files of all recipients, or of none. Those
/// who share one get it once.
fn store(config: &Config, envelope: &Envelope, message: &Message) -> Result<(), Trouble> {
    let header = header_of(message).map_err(Trouble::ReadBack)?;
    if header.hops > config.max_hops {
        return Err(Trouble::Loop(header.hops));
    }
    let targets = targets(config, envelope)?;
    let top = trace::top(envelope, &header, &config.host_name, TimeZone::system());
    let content = match message {
        Message::Memory(bytes) => Part::Bytes(bytes),
        Message::File { file, length } => Part::File { file, offset: 0, length: *length },
    };
    let sender = envelope.sender.as_ref().map(ToString::to_string).unwrap_or_default();
    let message = dmail_mailbox::Message {
        sender: sender.as_bytes(),
        received_at: envelope.received_at,
        parts: &[Part::Bytes(top.as_bytes()), content],
    };
    Ok(append(&targets, &message, &config.lock)?)
}

fn targets(config: &Config, envelope: &Envelope) -> Result<Vec<DropFile>, Trouble> {
    let accounts = envelope.recipients.iter().map(|recipient| &recipient.account);
    accounts.map(|account| target::of(account, &config.mail_roots)).collect()
}

fn header_of(message: &Message) -> io::Result<Header> {
    let mut scan = HeaderScan::default();
    match message {
        Message::Memory(bytes) => {
            scan.push(bytes);
        }
        Message::File { file, length } => scan_file(&mut scan, file, *length)?,
    }
    Ok(scan.finish())
}

fn scan_file(scan: &mut HeaderScan, file: &File, length: u64) -> io::Result<()> {
    let mut piece = vec![0; PIECE_BYTES];
    let mut at = 0;
    while at < length {
        let want = (length - at).min(PIECE_BYTES as u64) as usize;
        file.read_exact_at(&mut piece[..want], at)?;
        if scan.push(&piece[..want]) {
            break;
        }
        at += want as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::time::SystemTime;

    use dmail_core::{Account, DropPath, Username};
    use dmail_smtp::command::Hello;
    use dmail_smtp::{DeliveryErrorKind, MessageId, Recipient, address};

    use super::*;

    fn delivery(home: &Path) -> LocalDelivery {
        LocalDelivery::new(Config { mail_roots: vec![home.to_owned()], ..Config::default() })
    }

    /// An envelope for the drop files `names` in `home`.
    fn envelope(home: &Path, names: &[&str]) -> Envelope {
        let recipient = |name: &&str| {
            let account = Account {
                drop: DropPath::File(home.join(name)),
                ..Account::named(Username::parse(b"bob").expect("a name"))
            };
            let address = address::parse(b"bob@corp.example").expect("an address");
            Recipient { address, account: Arc::new(account) }
        };
        Envelope {
            id: MessageId::new(SystemTime::UNIX_EPOCH, 1, 2),
            sender: None,
            recipients: names.iter().map(recipient).collect(),
            client: [192, 0, 2, 1].into(),
            hello: Hello { name: "c".into(), extended: true },
            user: None,
            received_at: SystemTime::UNIX_EPOCH,
        }
    }

    fn message(text: &str) -> Message {
        Message::Memory(text.as_bytes().to_vec())
    }

    #[tokio::test]
    async fn everybody_gets_a_message_once() {
        let home = tempfile::tempdir().expect("a directory");
        let envelope = envelope(home.path(), &["bob", "ann", "bob"]);
        let delivered = delivery(home.path()).deliver(envelope, message("A: b\n\nFrom me\n")).await;
        assert_eq!(delivered.expect("delivered").id.as_str(), "0.1.2");
        for name in ["bob", "ann"] {
            let text = fs::read_to_string(home.path().join(name)).expect("a mailbox");
            assert!(text.starts_with("From MAILER-DAEMON "), "{text}");
            assert!(text.contains("\nReturn-Path: <>\nReceived: from c ([192.0.2.1])\n"), "{text}");
            assert!(text.contains("\nMessage-ID: <0.1.2@localhost>\nA: b\n"), "{text}");
            assert!(text.ends_with("\n\n>From me\n\n"), "{text}");
            assert_eq!(text.matches("A: b").count(), 1, "{text}");
        }
    }

    #[tokio::test]
    async fn a_spooled_message_is_stored_like_one_in_memory() {
        let home = tempfile::tempdir().expect("a directory");
        // The header ends in the third piece that is read of it.
        let text = format!("X: {}\nDate: now\n\nbody\n", "x".repeat(40_000));
        let file = tempfile::tempfile().expect("a file");
        file.write_all_at(text.as_bytes(), 0).expect("room");
        let spooled = Message::File { file, length: text.len() as u64 };
        let delivery = delivery(home.path());
        delivery.deliver(envelope(home.path(), &["a"]), spooled).await.expect("delivered");
        delivery.deliver(envelope(home.path(), &["b"]), message(&text)).await.expect("delivered");
        let [a, b] = ["a", "b"].map(|name| fs::read(home.path().join(name)).expect("a mailbox"));
        assert!(a == b && a.ends_with(b"x\nDate: now\n\nbody\n\n"));
    }

    #[tokio::test]
    async fn a_message_that_goes_in_a_circle_is_stopped() {
        let home = tempfile::tempdir().expect("a directory");
        for (hops, expected) in [(100, None), (101, Some(DeliveryErrorKind::Loop))] {
            let text = "Received: by somebody\n".repeat(hops);
            let envelope = envelope(home.path(), &["bob"]);
            let result = delivery(home.path()).deliver(envelope, message(&text)).await;
            assert_eq!(result.err().map(|error| error.kind), expected, "{hops}");
        }
    }

    #[tokio::test]
    async fn one_bad_recipient_and_nobody_gets_it() {
        let home = tempfile::tempdir().expect("a directory");
        fs::create_dir(home.path().join("folder")).expect("a directory");
        for bad in ["folder", "../outside"] {
            let envelope = envelope(home.path(), &["bob", bad]);
            let error = delivery(home.path()).deliver(envelope, message("A: b\n")).await;
            assert_eq!(error.expect_err("refused").kind, DeliveryErrorKind::Refused, "{bad}");
            let text = fs::read_to_string(home.path().join("bob")).unwrap_or_default();
            assert_eq!(text, "", "{bad}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_delivery_that_gets_no_turn_is_temporary() {
        let home = tempfile::tempdir().expect("a directory");
        let delivery = delivery(home.path());
        let _all = delivery.turns.acquire_many(64).await.expect("open");
        let error = delivery.deliver(envelope(home.path(), &["bob"]), message("")).await;
        assert_eq!(error.expect_err("busy").kind, DeliveryErrorKind::Temporary);
    }
}
