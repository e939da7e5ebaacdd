//! Writing users into a file.

use std::io;

use crate::TransferError;
use crate::feed::Feed;
use crate::format::{Entry, What, Writer};
use crate::import::{Event, EventKind};

/// Bytes that are collected for one write.
const CHUNK: usize = 64 * 1024;

/// How an export went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Users in the file.
    pub written: u64,
    /// Users who are not.
    pub refused: u64,
    /// Users of whom something is missing in the file.
    pub noted: u64,
}

/// Writes all users of `feed` by means of `out`, and tells `report` of each
/// of whom something is missing.
///
/// # Errors
///
/// If the feed breaks or nothing can be written; the file is then no export.
pub async fn export(
    mut feed: Feed,
    mut writer: Box<dyn Writer>,
    out: &mut (dyn FnMut(&[u8]) -> io::Result<()> + Send),
    report: &mut (dyn FnMut(Event) + Send),
) -> Result<Summary, TransferError> {
    let failed = |error| TransferError::Io { what: "cannot write the file", error };
    let mut summary = Summary::default();
    // Never more than one user over the size of a chunk, so nothing that is
    // secret is left behind by a growing buffer.
    let mut bytes = zeroize::Zeroizing::new(Vec::with_capacity(2 * CHUNK));
    writer.head(&mut bytes);
    while let Some(entry) = feed.recv().await {
        let Entry { line, what, mut notes } = entry?;
        let (user, kept) = match what {
            What::NoUser(_) => continue,
            What::Refused { user, why } => {
                (user.map_or_else(String::new, |user| user.as_str().to_owned()), Err(why))
            }
            What::User(record) => {
                (record.user.as_str().to_owned(), writer.user(&record, &mut bytes))
            }
        };
        match kept {
            Err(why) => {
                summary.refused += 1;
                report(Event { line, user, kind: EventKind::Refused(why) });
                continue;
            }
            Ok(losses) => notes.extend(losses),
        }
        summary.written += 1;
        summary.noted += u64::from(!notes.is_empty());
        for note in notes {
            report(Event { line, user: user.clone(), kind: EventKind::Note(note) });
        }
        if bytes.len() >= CHUNK {
            out(&bytes).map_err(failed)?;
            bytes.clear();
        }
    }
    out(&bytes).map_err(failed)?;
    Ok(summary)
}
