//! Dovecot's passwd-file.
//!
//! ```text
//!   user:password:uid:gid:gecos:home:shell:extra fields
//!   bob:{CRYPT}$6$…:1001::Bob Smith:::userdb_quota=5000 userdb_drop_path=/srv/bob
//!         stored    uid     name         other info       drop path
//! ```
//!
//! The fields gid, home and shell are the info fields of those names. Extra
//! fields are separated by blanks, and there is no way to write a blank inside
//! one; `userdb_` in front of a field keeps Dovecot's password check from
//! taking it for a setting of its own. Whom `nologin` keeps out there is locked
//! here.

use dmail_core::{DropPath, Secret, UserRecord};

use super::draft::{Draft, drop_bytes, owner_text};
use super::{BadFile, Entry, Overlong, Reader, Writer, stored};

/// The columns behind user, password and uid that info fields take, by label.
const COLUMNS: [&str; 4] = ["gid", "name", "home", "shell"];

/// The extra field that holds the drop path.
const DROP_PATH: &str = "drop_path";

/// What is in front of the extra fields that are not for the password check.
const USERDB: &str = "userdb_";

/// Reads one line for each user.
pub struct PasswdReader;

impl Reader for PasswdReader {
    fn line(
        &mut self,
        number: u64,
        line: Result<&[u8], Overlong>,
    ) -> Result<Option<Entry>, BadFile> {
        let line = match line {
            Ok(line) => line,
            Err(overlong) => return Ok(Some(Entry::refused(number, None, overlong.to_string()))),
        };
        if line.iter().all(u8::is_ascii_whitespace) || line.starts_with(b"#") {
            return Ok(None);
        }
        Ok(Some(read(number, line)))
    }
}

fn read(number: u64, line: &[u8]) -> Entry {
    let mut draft = Draft::new(number);
    let mut columns = line.splitn(8, |byte| *byte == b':');
    draft.name(columns.next().unwrap_or_default());
    let Some(password) = columns.next() else {
        draft.refuse("not written user:password:uid:gid:gecos:home:shell:extra");
        return draft.finish();
    };
    draft.stored = stored::from_dovecot(password);
    if password == b"x" {
        draft.notes.push("the password is in another file (x)".to_owned());
    }
    let Ok(rest) = columns.map(std::str::from_utf8).collect::<Result<Vec<_>, _>>() else {
        draft.refuse("not UTF-8");
        return draft.finish();
    };
    draft.owner(rest.first().copied().unwrap_or_default());
    for (label, value) in COLUMNS.iter().zip(rest.iter().skip(1)) {
        if !value.is_empty() {
            draft.info(label, value);
        }
    }
    for field in rest.get(5).copied().unwrap_or_default().split_ascii_whitespace() {
        let (label, value) = field.split_once('=').unwrap_or((field, "yes"));
        match label.strip_prefix(USERDB).filter(|label| !label.is_empty()).unwrap_or(label) {
            DROP_PATH => draft.drop_path(value),
            label => draft.info(label, value),
        }
        let note = match label {
            "allow_nets" => "allow_nets: here the user may log in from everywhere",
            "nologin" => {
                let stored = draft.stored.take().unwrap_or_else(|| Secret::new([]));
                draft.stored = Some(Secret::new([b"!", stored.expose()].concat()));
                "nologin: the account is locked here"
            }
            _ => continue,
        };
        draft.notes.push(note.to_owned());
    }
    draft.finish()
}

/// Writes one line for each user.
pub struct PasswdWriter;

impl Writer for PasswdWriter {
    fn user(&mut self, record: &UserRecord, out: &mut Vec<u8>) -> Result<Vec<String>, String> {
        let name = record.user.as_str();
        if name.contains(':') || name.starts_with('#') {
            return Err("the name would not read back from a line of this file".to_owned());
        }
        let mut losses = Vec::new();
        let owner = owner_text(record.uid.as_ref());
        if !fits_column(&owner) {
            return Err("the owner of the drop file holds a colon".to_owned());
        }
        let start = out.len();
        out.extend_from_slice(name.as_bytes());
        out.push(b':');
        if let Some(secret) = &record.stored {
            match stored::to_dovecot(secret) {
                Some(text) => out.extend_from_slice(&text),
                None => losses.push("the stored password has no form for Dovecot".to_owned()),
            }
        }
        out.push(b':');
        out.extend_from_slice(owner.as_bytes());
        for label in COLUMNS {
            out.push(b':');
            if let Some(value) = record.info.get(label).filter(|value| fits_column(value)) {
                out.extend_from_slice(value.as_bytes());
            }
        }
        out.push(b':');
        let extra = out.len();
        let mut field = |label: &str, value: &[u8]| {
            if out.len() > extra {
                out.push(b' ');
            }
            for part in [USERDB.as_bytes(), label.as_bytes(), b"=", value] {
                out.extend_from_slice(part);
            }
        };
        let path = drop_bytes(&record.drop);
        if path.iter().any(u8::is_ascii_whitespace) {
            losses.push("the drop path holds a blank".to_owned());
        } else if record.drop != DropPath::Config {
            field(DROP_PATH, path);
        }
        for (label, value) in record.info.iter() {
            if COLUMNS.contains(&label) && fits_column(value) && !value.is_empty() {
                continue;
            }
            if label == DROP_PATH || value.contains(|c: char| c.is_ascii_whitespace()) {
                losses.push(format!("the field {label} cannot be written here"));
            } else {
                field(label, value.as_bytes());
            }
        }
        out.push(b'\n');
        // Whatever a name of some base brings along: one user is one line.
        if memchr::memchr_iter(b'\n', &out[start..]).count() != 1 {
            out.truncate(start);
            return Err("the record is more than one line".to_owned());
        }
        Ok(losses)
    }
}

fn fits_column(value: &str) -> bool {
    !value.contains([':', '\n', '\r'])
}
