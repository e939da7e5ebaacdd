//! The settings of mysqlauth.ini, and what contradicts what among them.

mod check;
mod groups;
mod places;
mod value;

use dmail_core::config::{Given, Vocabulary};
use dmail_schemes::Scheme;

pub use groups::{
    ConnectionSettings, PasswordSettings, ServerSettings, StatementSettings, TableSettings,
};
pub use places::Places;
pub use value::{Address, Column, InfoField, SqlText, Table};

/// The vocabulary of mysqlauth.ini.
pub const VOCABULARY: Vocabulary = Vocabulary {
    file: "mysqlauth.ini",
    introduction: include_str!("introduction.md"),
    groups: &[
        ServerSettings::GROUP,
        TableSettings::GROUP,
        PasswordSettings::GROUP,
        StatementSettings::GROUP,
        ConnectionSettings::GROUP,
    ],
    not_used: &["debug", "loglevel"],
};

/// Everything that mysqlauth.ini says.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The server.
    pub server: ServerSettings,
    /// The table.
    pub table: TableSettings,
    /// Names and passwords.
    pub password: PasswordSettings,
    /// Statements of the site's own.
    pub statements: StatementSettings,
    /// Connections.
    pub connections: ConnectionSettings,
    /// Where the settings stand that the server may not like.
    pub places: Places,
}

impl Settings {
    /// Takes all settings and compares those that depend on each other.
    pub fn build(given: &mut Given<'_>) -> Option<Self> {
        let server = ServerSettings::build(given);
        let table = TableSettings::build(given);
        let password = PasswordSettings::build(given);
        let statements = StatementSettings::build(given);
        let connections = ConnectionSettings::build(given);
        if let Some(server) = &server {
            check::server(server, given);
        }
        if let (Some(password), Some(statements)) = (&password, &statements) {
            check::passwords(password, statements, given);
        }
        if let Some(statements) = &statements {
            check::statements(statements, given);
        }
        if let Some(connections) = &connections {
            check::connections(connections, given);
        }
        Some(Self {
            server: server?,
            table: table?,
            password: password?,
            statements: statements?,
            connections: connections?,
            places: Places::of(given),
        })
    }

    /// The scheme of new passwords.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        Scheme::parse(self.password.scheme).expect("the table of words has schemes only")
    }
}

impl StatementSettings {
    /// Whether the site has statements of its own.
    #[must_use]
    pub fn are_given(&self) -> bool {
        [&self.check, &self.lookup, &self.set, &self.del, &self.search]
            .iter()
            .any(|statement| statement.is_some())
    }
}

#[cfg(test)]
mod tests;
