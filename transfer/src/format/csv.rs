//! Comma-separated values (RFC 4180): a header row names the columns.
//!
//! ```text
//!   user,password,drop_path,uid,name,fwd,quota,info
//!   bob,$6$…,,1001,"Smith, Bob",,5000000,"lang=""de"""
//! ```
//!
//! In reading, the columns may be any, in any order: those that are not known
//! are info fields of their name. An empty value is no field. The column
//! `clear_password` holds passwords as people type them. The separator is
//! whichever of `,`, `;` and TAB the header has first.

use dmail_core::{Info, Secret, UserRecord};
use zeroize::Zeroize;

use super::draft::{Draft, drop_bytes, owner_text};
use super::{BadFile, Entry, Fields, MAX_ENTRY, Overlong, Reader, Writer};

/// The info fields that have columns of their own in what is written.
const COLUMNS: [&str; 3] = ["name", "fwd", "quota"];

/// What a column is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Column {
    User,
    Password,
    ClearPassword,
    DropPath,
    Owner,
    /// Many fields, written `label="value"`.
    Fields,
    /// The info field of this label.
    Info(String),
}

/// Reads rows, some of which have more than one line.
pub struct CsvReader {
    fields: Fields,
    /// What the header has said.
    columns: Option<(u8, Vec<Column>)>,
    row: Row,
}

/// Most columns: each is compared with all others.
const MAX_COLUMNS: usize = 10_000;

impl CsvReader {
    /// For a file with these columns.
    #[must_use]
    pub fn new(fields: Fields) -> Self {
        Self { fields, columns: None, row: Row::default() }
    }

    fn header(&mut self, line: &[u8]) -> Result<(), BadFile> {
        let bad = |why: String| BadFile { line: 1, why };
        let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        let separator = line.iter().find(|byte| b",;\t".contains(byte)).copied().unwrap_or(b',');
        let mut row = Row::default();
        if row.take(line, separator) != State::Complete {
            return Err(bad("the header is one line, with the names of the columns".to_owned()));
        }
        if row.values.len() > MAX_COLUMNS {
            return Err(bad("more than 10,000 columns".to_owned()));
        }
        let mut columns = Vec::new();
        for name in &row.values {
            let name = std::str::from_utf8(name).map_err(|_| bad("not UTF-8".to_owned()))?;
            let column = self.column(name.trim());
            if columns.contains(&column) {
                return Err(bad(format!("the column {name:?} is there twice")));
            }
            columns.push(column);
        }
        if !columns.contains(&Column::User) {
            let wanted = self.fields.user.as_deref().unwrap_or("user");
            return Err(bad(format!(
                "no column is called {wanted:?}: the first line names the columns \
                 (--user-field names this one)"
            )));
        }
        self.columns = Some((separator, columns));
        Ok(())
    }

    fn column(&self, name: &str) -> Column {
        let is = |field: &Option<String>, usual: &str| {
            name.eq_ignore_ascii_case(field.as_deref().unwrap_or(usual))
        };
        if is(&self.fields.user, "user") {
            Column::User
        } else if is(&self.fields.password, "password") {
            Column::Password
        } else if is(&self.fields.drop_path, "drop_path") {
            Column::DropPath
        } else if is(&self.fields.owner, "uid") {
            Column::Owner
        } else if name.eq_ignore_ascii_case("clear_password") {
            Column::ClearPassword
        } else if name.eq_ignore_ascii_case("info") {
            Column::Fields
        } else {
            let odd = |c: char| c.is_whitespace() || c.is_control() || c == '=' || c == '"';
            let label = name.replace(odd, "_");
            Column::Info(if label.is_empty() { "_".to_owned() } else { label })
        }
    }
}

fn entry(row: &Row, columns: &[Column]) -> Entry {
    let mut draft = Draft::new(row.line);
    if row.values.len() != columns.len() {
        let (have, want) = (row.values.len(), columns.len());
        draft.refuse(format!("the row has {have} values, the header {want}"));
    }
    for (column, value) in columns.iter().zip(&row.values) {
        fill(&mut draft, column, value);
    }
    if draft.user.is_none() {
        draft.refuse("no user name");
    }
    draft.finish()
}

fn fill(draft: &mut Draft, column: &Column, value: &[u8]) {
    match column {
        _ if value.is_empty() => {}
        Column::User => draft.name(value),
        Column::Password | Column::ClearPassword if draft.stored.is_some() => {
            draft.notes.push("only the first of its passwords is taken".to_owned());
        }
        Column::Password => draft.stored = Some(Secret::new(value)),
        Column::ClearPassword => {
            draft.stored = Some(Secret::new([b"{PLAIN}", value].concat()));
        }
        Column::DropPath | Column::Owner | Column::Fields | Column::Info(_) => {
            let Ok(text) = std::str::from_utf8(value) else {
                return draft.refuse("not UTF-8");
            };
            match column {
                Column::DropPath => draft.drop_path(text),
                Column::Owner => draft.owner(text),
                Column::Info(label) => draft.info(label, text),
                _ => draft.info_text("info", text),
            }
        }
    }
}

impl Reader for CsvReader {
    fn line(
        &mut self,
        number: u64,
        line: Result<&[u8], Overlong>,
    ) -> Result<Option<Entry>, BadFile> {
        // It may have opened a quote, or closed one: where the next row begins
        // is anybody's guess, and the middle of a value is not to become a user.
        let lost = |error| BadFile { line: number, why: format!("{error}: rows cannot be told") };
        let line = line.map_err(lost)?;
        let Self { columns: Some((separator, columns)), row, .. } = self else {
            self.header(line)?;
            return Ok(None);
        };
        if row.line == 0 {
            row.line = number;
        }
        if line.is_empty() && !row.in_quotes {
            *row = Row::default();
            return Ok(None);
        }
        let entry = match row.take(line, *separator) {
            State::Complete => entry(row, columns),
            State::Open => return Ok(None),
            State::Broken(why) => Entry::refused(row.line, None, why),
        };
        *row = Row::default();
        Ok(Some(entry))
    }

    fn end(&mut self) -> Result<Option<Entry>, BadFile> {
        if self.columns.is_none() {
            return Err(BadFile { line: 1, why: "the file is empty".to_owned() });
        }
        let row = std::mem::take(&mut self.row);
        Ok(row.in_quotes.then(|| Entry::refused(row.line, None, UNCLOSED)))
    }
}

const UNCLOSED: &str = "a quote that opens here does not close";

/// What a row is after one more line.
#[derive(Debug, PartialEq, Eq)]
enum State {
    Broken(&'static str),
    Complete,
    /// A quote is open.
    Open,
}

/// The values of a row so far, wiped when it goes.
#[derive(Default)]
struct Row {
    /// Where it starts; 0 if it has not.
    line: u64,
    values: Vec<Vec<u8>>,
    value: Vec<u8>,
    in_quotes: bool,
    bytes: usize,
    /// It is only read to its end.
    too_long: bool,
}

impl Row {
    fn take(&mut self, line: &[u8], separator: u8) -> State {
        self.bytes += line.len() + 1;
        if self.bytes > MAX_ENTRY && !self.too_long {
            self.too_long = true;
            self.values.zeroize();
            self.value.truncate(1);
        }
        if self.in_quotes {
            self.push(b'\n');
        }
        // A value was in quotes, which have closed.
        let mut closed = false;
        let mut bytes = line.iter().copied().peekable();
        while let Some(byte) = bytes.next() {
            match byte {
                b'"' if self.in_quotes && bytes.peek() == Some(&b'"') => {
                    bytes.next();
                    self.push(b'"');
                }
                b'"' if self.in_quotes => (self.in_quotes, closed) = (false, true),
                _ if self.in_quotes => self.push(byte),
                _ if byte == separator => {
                    self.end_value();
                    closed = false;
                }
                _ if closed => return State::Broken("text behind a closing quote"),
                b'"' if self.value.is_empty() => self.in_quotes = true,
                b'"' => return State::Broken("a quote inside a value that has none around it"),
                _ => self.push(byte),
            }
        }
        if self.in_quotes {
            return State::Open;
        }
        self.end_value();
        if self.too_long { State::Broken("a row that is too long") } else { State::Complete }
    }

    /// Of a row that is too long, only whether a value has begun is kept.
    fn push(&mut self, byte: u8) {
        if !self.too_long || self.value.is_empty() {
            self.value.push(byte);
        }
    }

    fn end_value(&mut self) {
        let value = std::mem::take(&mut self.value);
        if !self.too_long {
            self.values.push(value);
        }
    }
}

impl Drop for Row {
    fn drop(&mut self) {
        self.values.zeroize();
        self.value.zeroize();
    }
}

/// Writes one row for each user.
pub struct CsvWriter {
    fields: Fields,
}

impl CsvWriter {
    /// With these names in the header.
    #[must_use]
    pub fn new(fields: Fields) -> Self {
        Self { fields }
    }
}

impl Writer for CsvWriter {
    fn head(&mut self, out: &mut Vec<u8>) {
        let Fields { user, password, drop_path, owner, .. } = &self.fields;
        let names =
            [(user, "user"), (password, "password"), (drop_path, "drop_path"), (owner, "uid")];
        let names = names.map(|(field, usual)| field.as_deref().unwrap_or(usual));
        let names = names.into_iter().chain(COLUMNS).chain(["info"]);
        write_row(out, names.map(str::as_bytes));
    }

    fn user(&mut self, record: &UserRecord, out: &mut Vec<u8>) -> Result<Vec<String>, String> {
        let mut rest = Info::default();
        for (label, value) in record.info.iter() {
            // An empty value in a column would be no field.
            if value.is_empty() || !COLUMNS.contains(&label) {
                // It was a field of the record, so it is one.
                let _ = rest.set(label, value);
            }
        }
        let rest_text = rest.to_string();
        if rest_text.parse() != Ok(rest) {
            return Err("an info value would read back as another one".to_owned());
        }
        let owner = owner_text(record.uid.as_ref());
        let stored = record.stored.as_ref().map_or(&b""[..], Secret::expose);
        let first =
            [record.user.as_str().as_bytes(), stored, drop_bytes(&record.drop), owner.as_bytes()];
        let named = COLUMNS.map(|label| record.info.get(label).unwrap_or_default().as_bytes());
        write_row(out, first.into_iter().chain(named).chain([rest_text.as_bytes()]));
        Ok(Vec::new())
    }
}

fn write_row<'a>(out: &mut Vec<u8>, values: impl Iterator<Item = &'a [u8]>) {
    for (index, value) in values.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        let special = |byte: &u8| b",;\"\r\n\t ".contains(byte);
        if !value.iter().any(special) {
            out.extend_from_slice(value);
            continue;
        }
        out.push(b'"');
        for byte in value {
            out.extend_from_slice(if *byte == b'"' { b"\"\"" } else { std::slice::from_ref(byte) });
        }
        out.push(b'"');
    }
    out.extend_from_slice(b"\r\n");
}
