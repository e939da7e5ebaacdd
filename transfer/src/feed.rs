//! Where users come from: a file or a base, as one bounded stream of entries.

use std::io::BufRead;
use std::sync::Arc;

use dmail_core::{
    AuthRequest, Authenticator, DropPath, Origin, Service, Uid, UserRecord, Username, Verdict,
};
use tokio::sync::mpsc::{self, Receiver, Sender};

use crate::format::{Entry, Lines, Reader, What};
use crate::{TransferError, names};

/// Entries that may wait to be taken.
const WAITING: usize = 256;

/// Users asked for at a time.
pub(crate) const PAGE: usize = 500;

/// Entries, in turn. The first error is the last of them.
pub type Feed = Receiver<Result<Entry, TransferError>>;

/// The entries of a file, which is read on a blocking thread.
pub fn file(reader: Box<dyn Reader>, input: impl BufRead + Send + 'static) -> Feed {
    let (entries, feed) = mpsc::channel(WAITING);
    tokio::task::spawn_blocking(move || {
        if let Err(error) = read(reader, input, &entries) {
            // Whoever gave up does not want to know.
            let _ = entries.blocking_send(Err(error));
        }
    });
    feed
}

fn read(
    mut reader: Box<dyn Reader>,
    input: impl BufRead,
    entries: &Sender<Result<Entry, TransferError>>,
) -> Result<(), TransferError> {
    let mut lines = Lines::new(input);
    let failed = |error| TransferError::Io { what: "cannot read the file", error };
    while let Some((number, line)) = lines.read().map_err(failed)? {
        if let Some(entry) = reader.line(number, line)?
            && entries.blocking_send(Ok(entry)).is_err()
        {
            return Ok(());
        }
    }
    if let Some(entry) = reader.end()? {
        let _ = entries.blocking_send(Ok(entry));
    }
    Ok(())
}

/// The users of a base, with their stored passwords if it gives those out.
pub fn base(base: Arc<dyn Authenticator>) -> Feed {
    let (entries, feed) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        let done = match base.records().is_some() {
            true => walk(&*base, &entries, entry).await,
            false => look_up(&base, &entries).await,
        };
        if let Err(error) = done {
            let _ = entries.send(Err(error)).await;
        }
    });
    feed
}

/// Sends something of each record of a base, page by page.
pub(crate) async fn walk<T>(
    base: &dyn Authenticator,
    to: &Sender<Result<T, TransferError>>,
    of: impl Fn(UserRecord) -> T,
) -> Result<(), TransferError> {
    let records = base.records().ok_or(TransferError::NoRecords)?;
    let mut last: Option<Username> = None;
    loop {
        let page = records.page(last.as_ref(), PAGE).await?;
        let Some(end) = page.last() else { return Ok(()) };
        last = Some(end.user.clone());
        for record in page {
            if to.send(Ok(of(record))).await.is_err() {
                return Ok(());
            }
        }
    }
}

fn entry(record: UserRecord) -> Entry {
    Entry { line: 0, what: What::User(Box::new(record)), notes: Vec::new() }
}

/// A base that hands out no records is searched, and asked for each user.
async fn look_up(
    base: &Arc<dyn Authenticator>,
    entries: &Sender<Result<Entry, TransferError>>,
) -> Result<(), TransferError> {
    let mut names = names::of(Arc::clone(base));
    while let Some(user) = names.recv().await {
        let user = user?;
        let request = AuthRequest::lookup(user.clone(), Origin::local(Service::Admin));
        let entry = match base.authenticate(&request).await? {
            Verdict::Accepted(account) => Entry {
                line: 0,
                what: What::User(Box::new(UserRecord {
                    user,
                    stored: None,
                    drop: account.drop.clone(),
                    uid: account.uid.clone().filter(|uid| *uid != Uid::Number(0)),
                    info: account.info.clone(),
                })),
                notes: vec!["the base does not give its password out".to_owned()],
            },
            Verdict::Rejected(rejection) => Entry::refused(0, Some(user), rejection.text),
        };
        if entries.send(Ok(entry)).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// The names in a file, one in each line; empty lines and `#` comments do not
/// count.
pub fn names_in(input: impl BufRead + Send + 'static) -> Receiver<Result<Username, TransferError>> {
    let (names, feed) = mpsc::channel(WAITING);
    tokio::task::spawn_blocking(move || {
        let mut lines = Lines::new(input);
        loop {
            let name = match lines.read() {
                Ok(None) => return,
                Ok(Some((_, Ok(line)))) if line.is_empty() || line.starts_with(b"#") => continue,
                Ok(Some((line, text))) => text
                    .map_err(|overlong| overlong.to_string())
                    .and_then(|text| Username::parse(text).map_err(|error| error.to_string()))
                    .map_err(|why| TransferError::BadFile(crate::BadFile { line, why })),
                Err(error) => Err(TransferError::Io { what: "cannot read the names", error }),
            };
            let is_last = name.is_err();
            if names.blocking_send(name).is_err() || is_last {
                return;
            }
        }
    });
    feed
}

/// Says where a record without a drop path of its own has its mail.
pub(crate) fn drop_text(drop: &DropPath) -> String {
    match drop {
        DropPath::Config => "config".to_owned(),
        DropPath::File(path) => path.display().to_string(),
    }
}
