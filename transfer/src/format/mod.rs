//! Files that hold users. Each format is a reader, which is given physical
//! lines and gives back entries, and a writer, which appends bytes.
//!
//! | format | a user is | password | what is left out |
//! |---|---|---|---|
//! | [`csv`] | a row (RFC 4180), named columns | as stored | – |
//! | [`ldif`] | an entry (RFC 2849) | `userPassword`, as directories write it | the tree: `dn`, `objectClass`, operational attributes |
//! | [`nwauth`] | a line of `nwauth.txt` | as stored | – |
//! | [`passwd`] | a line of Dovecot's passwd-file | as Dovecot writes it | info values with blanks |
//!
//! They come from strangers: lines and entries are bounded, every complaint
//! has its line, and one bad entry does not stop the next.

pub mod csv;
pub mod ldif;
pub mod lines;
pub mod nwauth;
pub mod passwd;

mod draft;
mod stored;

use dmail_core::{UserRecord, Username};

pub use lines::{Lines, Overlong};

/// Longest physical line, in bytes.
pub const MAX_LINE: usize = 1 << 20;

/// Most bytes of one entry.
pub const MAX_ENTRY: usize = 1 << 20;

/// A kind of file that holds users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values with a header row.
    Csv,
    /// What directories are dumped to.
    Ldif,
    /// `nwauth.txt`.
    Nwauth,
    /// Dovecot's passwd-file; /etc/passwd is one without passwords.
    PasswdFile,
}

impl Format {
    /// All formats, for command lines.
    pub const ALL: [Self; 4] = [Self::Csv, Self::Ldif, Self::Nwauth, Self::PasswdFile];

    /// The name on command lines.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Ldif => "ldif",
            Self::Nwauth => "nwauth",
            Self::PasswdFile => "passwd-file",
        }
    }

    /// A reader for one file.
    #[must_use]
    pub fn reader(self, fields: Fields) -> Box<dyn Reader> {
        match self {
            Self::Csv => Box::new(csv::CsvReader::new(fields)),
            Self::Ldif => Box::new(ldif::LdifReader::new(fields)),
            Self::Nwauth => Box::new(nwauth::NwauthReader),
            Self::PasswdFile => Box::new(passwd::PasswdReader),
        }
    }

    /// A writer for one file.
    #[must_use]
    pub fn writer(self, fields: Fields) -> Box<dyn Writer> {
        match self {
            Self::Csv => Box::new(csv::CsvWriter::new(fields)),
            Self::Ldif => Box::new(ldif::LdifWriter::new(fields)),
            Self::Nwauth => Box::new(nwauth::NwauthWriter),
            Self::PasswdFile => Box::new(passwd::PasswdWriter),
        }
    }
}

/// What the columns of CSV, or the attributes of LDIF, are called; `None` for
/// the usual name. Case does not matter.
#[derive(Debug, Clone, Default)]
pub struct Fields {
    /// The user name: `user`, or `uid` in LDIF.
    pub user: Option<String>,
    /// The stored password: `password`, or `userPassword` in LDIF.
    pub password: Option<String>,
    /// The drop file: `drop_path`, or `dropPath` in LDIF.
    pub drop_path: Option<String>,
    /// Its owner: `uid`, or `dropOwner` in LDIF.
    pub owner: Option<String>,
    /// The entry above all users in LDIF that is written: `ou=people`.
    pub base_dn: Option<String>,
}

/// Lines become entries.
pub trait Reader: Send {
    /// Takes the next line, without its end, and gives the entry that it
    /// completes.
    ///
    /// # Errors
    ///
    /// If nothing in this file can be believed.
    fn line(
        &mut self,
        number: u64,
        line: Result<&[u8], Overlong>,
    ) -> Result<Option<Entry>, BadFile>;

    /// The entry that the end of the file completes.
    ///
    /// # Errors
    ///
    /// If nothing in this file can be believed.
    fn end(&mut self) -> Result<Option<Entry>, BadFile> {
        Ok(None)
    }
}

/// Users become bytes.
pub trait Writer: Send {
    /// What comes before the first user.
    fn head(&mut self, out: &mut Vec<u8>) {
        let _ = out;
    }

    /// Appends one user; gives what of it the format cannot hold, in words.
    ///
    /// # Errors
    ///
    /// If the user cannot be written at all; `out` is as it was.
    fn user(&mut self, record: &UserRecord, out: &mut Vec<u8>) -> Result<Vec<String>, String>;
}

/// What a file says in one place.
#[derive(Debug)]
pub struct Entry {
    /// The line where it starts, from 1. 0 if it came from no file.
    pub line: u64,
    /// What it says.
    pub what: What,
    /// What of it was not understood or is worth knowing; never a secret.
    pub notes: Vec<String>,
}

/// What an [`Entry`] says.
#[derive(Debug)]
pub enum What {
    /// A user.
    User(Box<UserRecord>),
    /// About somebody or something else: an organisational unit, a group.
    NoUser(String),
    /// A user, but not one that can be taken in.
    Refused {
        /// The name, as far as it can be read.
        user: Option<Username>,
        /// Why not; never holds a secret.
        why: String,
    },
}

impl Entry {
    /// A user who cannot be taken in.
    pub(crate) fn refused(line: u64, user: Option<Username>, why: impl Into<String>) -> Self {
        Self { line, what: What::Refused { user, why: why.into() }, notes: Vec::new() }
    }
}

/// A file in which nothing can be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct BadFile {
    /// The line, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub why: String,
}

#[cfg(test)]
mod tests;
