//! The kinds of values that settings take: a text becomes a typed value, or a
//! [`Fault`] that says which part of it is wrong.
//!
//! Each kind is a function that makes a [`Kind`]; what it expects is said
//! once, and serves the messages and the manual.

mod command;
mod network;
mod path;
mod scalar;
mod server;
mod socket;
mod word;

use std::ops::Range;

use super::place::Place;

pub use command::{CommandLine, command};
pub use network::{Listen, SetBy, addresses, domain, listen, parse_domain, user};
pub use path::{below_home, path, resolve};
pub use scalar::{milliseconds, number, rate, seconds, secret, separator, size, text};
pub use server::{Host, NotAServer, RemoteServer, server};
pub(super) use socket::socket;
pub use socket::{ListenOn, SocketFile, listen_on};
pub use word::{boolean, word, words};

/// The text of a setting, and where it stands unless it is a default.
#[derive(Clone, Copy)]
pub struct Value<'a> {
    /// The text, without blanks at its ends.
    pub text: &'a str,
    /// Where it stands; `None` for a default.
    pub place: Option<&'a Place>,
}

/// Which part of a value is wrong, and how.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    /// In bytes of the value.
    pub at: Range<usize>,
    /// What is wrong with it, in a few words.
    pub why: String,
    /// What to write instead, if that is not the example of the setting.
    pub help: Option<String>,
}

impl Fault {
    /// A fault of the part `at`.
    pub fn part(at: Range<usize>, why: impl Into<String>) -> Self {
        let why = why.into();
        Self { at, why, help: None }
    }

    /// A fault of all of `text`.
    pub fn whole(text: &str, why: impl Into<String>) -> Self {
        Self::part(0..text.len(), why)
    }

    /// With this advice instead of the example of the setting.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same fault in a value in which this one starts at `offset`.
    #[must_use]
    pub fn moved(self, offset: usize) -> Self {
        Self { at: self.at.start + offset..self.at.end + offset, ..self }
    }
}

type Read<T> = Box<dyn Fn(&Value<'_>) -> Result<T, Fault>>;

/// A kind of value: what it looks like, and how it is read.
pub struct Kind<T> {
    /// Completes "the setting needs …".
    pub expects: String,
    read: Read<T>,
}

impl<T> Kind<T> {
    /// A kind that `expects` something and is read by `read`.
    pub fn new(
        expects: impl Into<String>,
        read: impl Fn(&Value<'_>) -> Result<T, Fault> + 'static,
    ) -> Self {
        Self { expects: expects.into(), read: Box::new(read) }
    }

    /// Reads a value, which is not empty.
    ///
    /// # Errors
    ///
    /// If it is not of this kind.
    pub fn read(&self, value: &Value<'_>) -> Result<T, Fault> {
        (self.read)(value)
    }
}

/// The words of a text and where they stand.
pub fn split_words(text: &str) -> Vec<(Range<usize>, &str)> {
    let start_of = |word: &str| word.as_ptr() as usize - text.as_ptr() as usize;
    text.split_whitespace()
        .map(|word| (start_of(word)..start_of(word) + word.len(), word))
        .collect()
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;

    /// Reads `text` with `kind`, as the default of a setting is read.
    pub(in super::super) fn read<T>(kind: &Kind<T>, text: &str) -> Result<T, Fault> {
        kind.read(&Value { text, place: None })
    }

    /// Checks that `kind` refuses `text`, blames the part `at` and says `why`.
    pub(in super::super) fn refuses<T: std::fmt::Debug>(
        kind: &Kind<T>,
        text: &str,
        at: Range<usize>,
        why: &str,
    ) {
        let fault = read(kind, text).expect_err(text);
        assert_eq!((fault.at, fault.why.as_str()), (at, why), "{text}");
    }
}
