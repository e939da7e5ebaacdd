//! `nwauth.txt` as a file like any other. A folder with its journal is a user
//! base, and better read as one.

use dmail_backends::nwauth::{TextLine, read_line, write_line};
use dmail_core::UserRecord;

use super::{BadFile, Entry, Overlong, Reader, What, Writer};

/// Reads one line for each user.
pub struct NwauthReader;

impl Reader for NwauthReader {
    fn line(
        &mut self,
        number: u64,
        line: Result<&[u8], Overlong>,
    ) -> Result<Option<Entry>, BadFile> {
        let line = match line {
            Ok(line) => line,
            Err(overlong) => return Ok(Some(Entry::refused(number, None, overlong.to_string()))),
        };
        Ok(match read_line(line) {
            TextLine::Blank => None,
            TextLine::Deletion(user) => Some(Entry::refused(number, Some(user), DELETION)),
            TextLine::Unreadable => Some(Entry::refused(number, None, UNREADABLE)),
            TextLine::User(user) => {
                Some(Entry { line: number, what: What::User(user), notes: Vec::new() })
            }
        })
    }
}

const UNREADABLE: &str = "not written user:hash:info";

const DELETION: &str = "a deletion, which takes nobody out here: \
                        read the folder with its journal instead (--from nwauth:FOLDER)";

/// Writes one line for each user.
pub struct NwauthWriter;

impl Writer for NwauthWriter {
    fn user(&mut self, record: &UserRecord, out: &mut Vec<u8>) -> Result<Vec<String>, String> {
        let line = write_line(record).map_err(|rejection| rejection.text)?;
        out.extend_from_slice(&line);
        Ok(Vec::new())
    }
}
