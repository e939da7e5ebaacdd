//! What can go wrong with a server, sorted by what is to be done about it.
//!
//! | trouble | the connection | a question | a change |
//! |---|---|---|---|
//! | `Lost` | is gone | is asked again | is only if it was not sent: nobody knows whether it was made |
//! | `Rolled` | goes on | is asked again | too: the server undid it |
//! | `Slow`, `Full`, `ReadOnly`, `Setting` | goes on | unavailable | unavailable |
//! | `Fault` | is closed | unavailable | unavailable |
//! | `Value`, `Duplicate` | goes on | unavailable | refused |

use dmail_core::{Unavailable, UnavailableKind};
use mysql_async::{DriverError, Error, ServerError};

use crate::SOURCE;

/// Why a server did not do what it was asked. The text never holds a value
/// that was sent beside a statement, unless the server itself names it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Trouble {
    /// Another row has this name.
    #[error("{0}")]
    Duplicate(String),
    /// Anything that the server should not say.
    #[error("{0}")]
    Fault(String),
    /// The server, or our own pool, has no room for another connection.
    #[error("{0}")]
    Full(String),
    /// There is no connection, or it broke.
    #[error("{0}")]
    Lost(String),
    /// The server takes no changes.
    #[error("{0}")]
    ReadOnly(String),
    /// The server undid the transaction for the sake of another one.
    #[error("{0}")]
    Rolled(String),
    /// A setting names what the server does not have.
    #[error("{0}")]
    Setting(String),
    /// No answer in time.
    #[error("{0}")]
    Slow(String),
    /// A column cannot hold a value.
    #[error("{0}")]
    Value(String),
}

impl Trouble {
    /// Sorts an error of the library.
    pub(crate) fn of(error: &Error) -> Self {
        match error {
            Error::Server(error) => Self::of_server(error),
            // A packet that makes no sense here: whatever comes next is not
            // the answer to the next question.
            Error::Driver(DriverError::UnexpectedPacket { .. }) => {
                Self::Lost("it sent a packet that was not expected".into())
            }
            other => Self::Lost(other.to_string()),
        }
    }

    fn of_server(error: &ServerError) -> Self {
        let text = format!("{} ({})", printable(&without_values(&error.message)), error.code);
        match error.code {
            // Too many connections, of all or of one account.
            1040 | 1203 | 1226 => Self::Full(text),
            // It goes down, or somebody killed the connection; the statement
            // is not known any more.
            1053 | 1077 | 1079 | 1080 | 1152..=1161 | 1184 | 1243 | 1317 | 1615 | 1927 => {
                Self::Lost(text)
            }
            1205 | 1969 | 3024 | 4031 => Self::Slow(text),
            1213 => Self::Rolled(text),
            1290 | 1792 | 1836 | 3032 => Self::ReadOnly(text),
            1062 | 1586 => Self::Duplicate(text),
            1048 | 1264 | 1265 | 1364 | 1366 | 1406 | 3819 | 4025 => Self::Value(text),
            // No such database, column, table; no right to it; no statement.
            1044 | 1045 | 1049 | 1054 | 1064 | 1103 | 1109 | 1142 | 1143 | 1146 | 1149 | 1370
            | 1698 => Self::Setting(text),
            _ => Self::Fault(text),
        }
    }

    /// Whether the connection can be used for the next question.
    pub(crate) fn spares_connection(&self) -> bool {
        !matches!(self, Self::Lost(_) | Self::Fault(_))
    }

    /// The same trouble with words before it.
    pub(crate) fn about(self, what: &str) -> Self {
        self.reworded(|text| format!("{what}: {text}"))
    }

    /// The same trouble with another one behind it.
    pub(crate) fn and(self, other: &Self) -> Self {
        self.reworded(|text| format!("{text}; {other}"))
    }

    fn reworded(self, with: impl FnOnce(String) -> String) -> Self {
        match self {
            Self::Duplicate(text) => Self::Duplicate(with(text)),
            Self::Fault(text) => Self::Fault(with(text)),
            Self::Full(text) => Self::Full(with(text)),
            Self::Lost(text) => Self::Lost(with(text)),
            Self::ReadOnly(text) => Self::ReadOnly(with(text)),
            Self::Rolled(text) => Self::Rolled(with(text)),
            Self::Setting(text) => Self::Setting(with(text)),
            Self::Slow(text) => Self::Slow(with(text)),
            Self::Value(text) => Self::Value(with(text)),
        }
    }
}

impl From<Trouble> for Unavailable {
    fn from(trouble: Trouble) -> Self {
        let kind = match &trouble {
            Trouble::Lost(_) | Trouble::ReadOnly(_) | Trouble::Rolled(_) => UnavailableKind::Dead,
            Trouble::Full(_) => UnavailableKind::Overloaded,
            Trouble::Slow(_) => UnavailableKind::Timeout,
            Trouble::Duplicate(_) | Trouble::Fault(_) | Trouble::Setting(_) | Trouble::Value(_) => {
                UnavailableKind::Fault
            }
        };
        Self::new(kind, format!("{SOURCE}: {trouble}"))
    }
}

/// The message without the value that it quotes ("Incorrect string value: '…'
/// for column …"), which may be a password.
fn without_values(message: &str) -> String {
    match message.split_once(": '") {
        Some((before, after)) => match after.rsplit_once("' for column ") {
            Some((_, column)) => format!("{before} for column {column}"),
            None => before.to_owned(),
        },
        None => message.to_owned(),
    }
}

/// A message of the server as part of one line of a log.
fn printable(message: &str) -> String {
    const MAX: usize = 300;
    message.chars().take(MAX).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_the_server_quotes_is_not_repeated() {
        let rows = [
            (
                "Incorrect string value: '\\xE4' secret' for column `m`.`t`.`passwd` at row 1",
                "Incorrect string value for column `m`.`t`.`passwd` at row 1",
            ),
            ("Truncated incorrect DOUBLE value: 'secret'", "Truncated incorrect DOUBLE value"),
            ("Unknown column 'x' in 'WHERE'", "Unknown column 'x' in 'WHERE'"),
        ];
        for (message, expected) in rows {
            assert_eq!(without_values(message), expected);
        }
    }

    #[test]
    fn no_trouble_of_a_server_is_a_no() {
        let rows = [
            (1040, UnavailableKind::Overloaded),
            (1045, UnavailableKind::Fault),
            (1053, UnavailableKind::Dead),
            (1146, UnavailableKind::Fault),
            (1205, UnavailableKind::Timeout),
            (1213, UnavailableKind::Dead),
            (1290, UnavailableKind::Dead),
            (9999, UnavailableKind::Fault),
        ];
        for (code, kind) in rows {
            let message = "line one\nline two".to_owned();
            let error = ServerError { code, message, state: "HY000".into() };
            let unavailable = Unavailable::from(Trouble::of(&Error::Server(error)));
            assert_eq!(unavailable.kind, kind, "{code}");
            let expected = format!("mysql: line one line two ({code})");
            assert_eq!(unavailable.detail, expected);
        }
    }
}
