//! Kinds of values that only mysqlauth.ini has.

use std::fmt;
use std::path::PathBuf;

use dmail_core::Uid;
use dmail_core::config::value::{Fault, Kind, resolve, split_words};

use crate::statement::{Parameter, parse};

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A name or address, and a port.
    Tcp {
        /// The host, an IPv6 address without its brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// A socket of this machine.
    Socket(PathBuf),
}

impl Address {
    /// Whether what is said stays on this machine.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Self::Socket(_) => true,
            Self::Tcp { host, .. } => matches!(host.as_str(), "localhost" | "127.0.0.1" | "::1"),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Socket(path) => write!(f, "{}", path.display()),
        }
    }
}

/// The name of a database or of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column(pub(crate) String);

impl Column {
    /// The name as SQL has it.
    #[must_use]
    pub fn quoted(&self) -> String {
        format!("`{}`", self.0)
    }
}

/// The name of a table, perhaps with its database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table(Vec<Column>);

impl Table {
    /// The name as SQL has it.
    #[must_use]
    pub fn quoted(&self) -> String {
        self.0.iter().map(Column::quoted).collect::<Vec<_>>().join(".")
    }
}

/// A column that is an info field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InfoField {
    /// The column.
    pub column: Column,
    /// The field's label.
    pub label: String,
}

/// A statement of the site's own, with its named parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlText(pub(crate) crate::statement::Parsed);

const NAME: [Parameter; 3] = [Parameter::User, Parameter::Local, Parameter::Domain];
/// What `query_check` may name.
pub(super) const CHECK: [Parameter; 4] =
    [Parameter::User, Parameter::Local, Parameter::Domain, Parameter::Client];
/// What `query_lookup` may name.
pub(super) const LOOKUP: [Parameter; 3] = NAME;
/// What `query_set` may name, beside `:info_LABEL`.
pub(super) const SET: [Parameter; 8] = [
    Parameter::User,
    Parameter::Local,
    Parameter::Domain,
    Parameter::Password,
    Parameter::SetInfo,
    Parameter::Forward,
    Parameter::Quota,
    Parameter::Info,
];
/// What `query_del` may name.
pub(super) const DEL: [Parameter; 3] = NAME;
/// What `query_search` may name.
pub(super) const SEARCH: [Parameter; 1] = [Parameter::Pattern];

/// A comma list of servers.
pub(super) fn servers() -> Kind<Vec<Address>> {
    Kind::new("a comma list of host, host:port or the path of a socket", |value| {
        let mut found = Vec::new();
        let mut offset = 0;
        for item in value.text.split(',') {
            let address = if item.contains('/') {
                resolve(item, value.place).map(Address::Socket)
            } else {
                tcp(item)
            };
            let address = address.map_err(|fault| fault.moved(offset))?;
            if found.contains(&address) {
                return Err(Fault::part(offset..offset + item.len(), "named twice"));
            }
            found.push(address);
            offset += item.len() + 1;
        }
        Ok(found)
    })
}

fn tcp(text: &str) -> Result<Address, Fault> {
    const PORT: u16 = 3306;
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((host, "")) => (host, None),
            Some((host, port)) => (host, port.strip_prefix(':').or(Some(""))),
            None => return Err(Fault::whole(text, "the bracket is not closed")),
        },
        None if text.matches(':').count() > 1 => (text, None),
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%');
    if host.is_empty() || !host.chars().all(plain) {
        return Err(Fault::whole(text, "not the name or address of a server"));
    }
    let port = match port {
        None => PORT,
        Some(port) => port
            .parse()
            .ok()
            .filter(|port| *port > 0)
            .ok_or_else(|| Fault::whole(text, "a port is a number from 1 to 65535"))?,
    };
    Ok(Address::Tcp { host: host.to_owned(), port })
}

/// Whom to log in as.
pub(super) fn login() -> Kind<String> {
    Kind::new("the name of an account of the server", |value| Ok(value.text.to_owned()))
}

/// The name of a database or column.
pub(super) fn column() -> Kind<Column> {
    Kind::new("a name", |value| parse_column(value.text))
}

/// A column, or the word `none`.
pub(super) fn optional_column() -> Kind<Option<Column>> {
    Kind::new("the name of a column, or none", |value| match value.text {
        "none" => Ok(None),
        text => parse_column(text).map(Some),
    })
}

/// A table, perhaps with its database.
pub(super) fn table() -> Kind<Table> {
    Kind::new("the name of a table", |value| {
        let mut parts = Vec::new();
        let mut offset = 0;
        for part in value.text.split('.') {
            parts.push(parse_column(part).map_err(|fault| fault.moved(offset))?);
            offset += part.len() + 1;
        }
        match parts.len() {
            1 | 2 => Ok(Table(parts)),
            _ => Err(Fault::whole(value.text, "neither table nor database.table")),
        }
    })
}

fn parse_column(text: &str) -> Result<Column, Fault> {
    let forbidden = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '`' | '\'' | '"');
    if text.is_empty() || text.chars().count() > 64 {
        return Err(Fault::whole(text, "a name has 1 to 64 characters"));
    }
    match text.char_indices().find(|(_, c)| forbidden(*c)) {
        Some((at, c)) => Err(Fault::part(at..at + c.len_utf8(), "no part of a name")),
        None => Ok(Column(text.to_owned())),
    }
}

/// A column and a label.
pub(super) fn info_field() -> Kind<InfoField> {
    Kind::new("a column and the label of an info field", |value| {
        let words = split_words(value.text);
        let [(_, column), (at, label)] = words.as_slice() else {
            return Err(Fault::whole(value.text, "not two words"));
        };
        if label.contains(['=', '"']) {
            return Err(Fault::part(at.clone(), "a label has neither = nor a quote"));
        }
        Ok(InfoField { column: parse_column(column)?, label: (*label).to_owned() })
    })
}

/// A number or name of a user of the operating system.
pub(super) fn uid() -> Kind<Uid> {
    Kind::new("a user's name or number", |value| {
        crate::row::parse_uid(value.text)
            .ok_or_else(|| Fault::whole(value.text, "not one word, or too large"))
    })
}

/// A statement that may name these parameters.
pub(super) fn statement(known: &'static [Parameter]) -> Kind<SqlText> {
    let names: Vec<String> = known.iter().map(|parameter| format!(":{parameter}")).collect();
    let expects = format!("one SQL statement; it may name {}", names.join(", "));
    Kind::new(expects, move |value| parse(value.text, known).map(SqlText))
}
