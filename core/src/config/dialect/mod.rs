//! Lines `dialect NAME ADDRESS [OPTION=VALUE …]`: another server's way of
//! asking, and where it is answered.
//!
//! ```text
//!   dialect dovecot-auth unix:auth.sock mode=660 group=postfix tempfail=close
//!           └─ row ───┘  └─ socket, words of the file ─────┘   └─ Options ─┘
//! ```
//!
//! To add a dialect: a variant of [`Dialect`] with what it must be told, a row
//! of [`DIALECTS`], its name among those that have an option of
//! `option_table.rs`, and whoever serves the variant.

mod http;
mod manual;
mod name;
mod option_table;
mod options;
mod table;
mod tls;
mod words;

use std::time::Duration;

use super::suggest;
use super::value::{Fault, Kind, ListenOn, Value, addresses, seconds, socket, split_words, word};
use crate::Service;
use crate::pattern::AddressList;
use options::Options;

pub use http::{AuthHttpWords, HttpWords};
pub use manual::dialect_manual;
pub use name::{PROGRAM_DIALECTS, dialect_name, dialect_names};
pub use table::{DIALECTS, DialectRow};
pub use tls::TlsFiles;
pub use words::{AccountWords, Dialect, Tempfail};

/// One dialect, and where it is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialectLine {
    /// The dialect, with its own options.
    pub dialect: Dialect,
    /// Where it is served.
    pub on: ListenOn,
    /// The servers that may ask over TCP. `None`: those on this machine.
    pub allow: Option<AddressList>,
    /// The service that a request counts for which names none that we know.
    pub service: Option<Service>,
    /// How long an answer may take before it is "try again later".
    pub timeout: Duration,
}

impl DialectLine {
    /// The name of the dialect.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.dialect.name()
    }

    /// Whether this line and `other` ask for the same, wherever they stand.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        let Self { dialect, on, allow, service, timeout } = self;
        on.is_same_as(&other.on)
            && (dialect, allow, service, timeout)
                == (&other.dialect, &other.allow, &other.service, &other.timeout)
    }
}

/// A dialect and where it is served.
pub(super) fn dialect() -> Kind<DialectLine> {
    let expects = "a dialect, and the address or `unix:FILE` that it is served on";
    Kind::new(expects, read)
}

fn read(value: &Value<'_>) -> Result<DialectLine, Fault> {
    let words = split_words(value.text);
    let Some(((at, name), rest)) = words.split_first() else {
        return Err(Fault::whole(value.text, "there is no dialect"));
    };
    let Some(row) = DIALECTS.iter().find(|row| row.name == *name) else {
        let names: Vec<_> = DIALECTS.iter().map(|row| row.name).collect();
        let help = match suggest::closest(name, names.iter().copied()) {
            Some(close) => format!("did you mean {close}?"),
            None => format!("there are {}", names.join(", ")),
        };
        return Err(Fault::part(at.clone(), "there is no such dialect").help(help));
    };
    let (on, others) = socket("dialect", value, rest)?;
    let mut options = Options::of(row, &on, value.place, &others)?;
    let dialect = (row.read)(&mut options)?;
    let usual_patience = dialect.usual_patience();
    let line = DialectLine {
        dialect,
        allow: options.take("allow", &addresses())?,
        service: options.take("service", &word(&SERVICES))?,
        timeout: options.take("timeout", &seconds(1..=600))?.unwrap_or(usual_patience),
        on,
    };
    options.end();
    if line.allow.is_none() && !line.on.is_local() {
        let why = "anybody who reaches this address could try passwords and ask for users";
        let at = rest.first().map_or(0..value.text.len(), |(at, _)| at.clone());
        let help = "name the servers that may ask, for example allow=192.0.2.0/28, or listen on \
                    127.0.0.1 only";
        return Err(Fault::part(at, why).help(help));
    }
    Ok(line)
}

/// The services that logins come through, by their words.
const SERVICES: [(&str, Service); 4] = [
    ("imap", Service::Imap),
    ("pop3", Service::Pop3),
    ("smtp", Service::Smtp),
    ("web", Service::Web),
];

#[cfg(test)]
mod tests;
