//! Opening the base: the file, then the server, if it answers.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use dmail_core::Unavailable;
use dmail_core::config::{self, ConfigError, Diagnostic, Loaded};
use dmail_schemes::SchemeError;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::names::Names;
use crate::password::{Kind, Passwords};
use crate::pool::{Access, Connection, OptionsError, Pool};
use crate::queries::{Ask, Queries};
use crate::row::Layout;
use crate::settings::{Settings, VOCABULARY};
use crate::table::Assignment;
use crate::trouble::Trouble;
use crate::{Base, MySql};

/// Passwords that are stored anew at a time.
const REHASHES: usize = 2;

/// Why a base could not be opened. A server that does not answer is no reason.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A file that it names.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// The scheme for new passwords does not work here.
    #[error(transparent)]
    Scheme(#[from] SchemeError),
    /// The server answers, and does not have what a setting names.
    #[error("{0}")]
    Setting(String),
}

/// All that is wrong with the mysqlauth.ini `file`. Asks no server.
#[must_use]
pub fn check(file: &Path) -> Vec<Diagnostic> {
    load(file).diagnostics
}

fn load(file: &Path) -> Loaded<Settings> {
    let mode = |file: &Path| std::fs::metadata(file).ok().map(|found| found.mode());
    config::load_with(file, &mut |path| config::text(std::fs::read(path)?), &VOCABULARY, |given| {
        given.guard_secret("mysql_password", mode);
        let settings = Settings::build(given)?;
        if let Some(key) = &settings.server.tls_key {
            let found = std::fs::metadata(key).ok().map(|found| (found.mode(), found.uid()));
            given.guard_key("mysql_tls_key", key, found);
        }
        Some(settings)
    })
}

/// Opens the base of the mysqlauth.ini `file`. Must be called within the
/// runtime.
///
/// # Errors
///
/// If the file is wrong, or the server says so. One that cannot be reached is
/// tried again in the background, and says so whoever asks.
pub async fn open(file: &Path) -> Result<MySql, OpenError> {
    let (settings, warnings) = load(file).into_result()?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    open_settings(settings).await
}

/// The same with settings that were read before.
///
/// # Errors
///
/// As [`open`].
pub async fn open_settings(settings: Settings) -> Result<MySql, OpenError> {
    let queries = Queries::new(&settings);
    let pool = Pool::new(&settings, Arc::clone(&queries.all))?;
    let kind = Kind::of(&settings.password);
    let (scheme, rehash) = (settings.scheme(), settings.password.rehash);
    let passwords = tokio::task::spawn_blocking(move || Passwords::new(kind, scheme, rehash));
    let passwords = passwords.await.map_err(|error| OpenError::Setting(error.to_string()))??;
    let names = Names {
        domain: settings.password.domain.clone(),
        ignore_case: settings.password.ignore_case,
    };
    let base = Arc::new(Base {
        pool,
        queries,
        names,
        passwords,
        timeout: settings.connections.timeout,
        settings,
        rehashing: Arc::new(Semaphore::new(REHASHES)),
    });
    match base.verify().await {
        Ok(()) => {}
        Err(Trouble::Setting(text)) => return Err(OpenError::Setting(text)),
        Err(trouble) => {
            let error = Unavailable::from(trouble);
            tracing::warn!(%error, "the user base cannot be asked now; it will be tried again");
            tokio::spawn(verify_later(Arc::downgrade(&base)));
        }
    }
    Ok(MySql(base))
}

/// Verifies the statements as soon as a server answers. Says once what is
/// wrong; whoever asks is told as well.
async fn verify_later(base: std::sync::Weak<Base>) {
    loop {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        let Some(base) = base.upgrade() else { return };
        match base.verify().await {
            Ok(()) => return,
            Err(Trouble::Setting(error)) => {
                tracing::error!(%error, "the user base cannot be used until this is mended");
                return;
            }
            Err(_) => {}
        }
    }
}

impl Base {
    /// Has a server prepare every statement.
    async fn verify(&self) -> Result<(), Trouble> {
        let deadline = Instant::now() + self.timeout;
        let lease = self.pool.lease(Access::Read, deadline).await;
        let mut lease = lease.map_err(|trouble| self.blame(None, trouble))?;
        let verified = tokio::time::timeout_at(deadline, self.prepare(lease.connection())).await;
        let verified = verified.map_err(|_| Trouble::Slow("no answer in time".into()))?;
        lease.end(verified.as_ref().err());
        verified
    }

    async fn prepare(&self, connection: &mut Connection) -> Result<(), Trouble> {
        let queries = &self.queries;
        for ask in [&queries.check, &queries.lookup, &queries.search].into_iter().flatten() {
            self.prepare_ask(connection, ask).await?;
        }
        let own = [("query_set", &queries.set), ("query_del", &queries.del)];
        for (setting, statement) in own {
            if let Some(statement) = statement {
                let prepared = connection.prepare_once(&statement.0.text).await;
                self.judge(Some(setting), prepared)?;
            }
        }
        let Some(table) = &queries.table else { return Ok(()) };
        for query in queries.all.iter() {
            connection.prepare(query).await.map_err(|trouble| self.blame(None, trouble))?;
        }
        let columns = table.columns();
        let all = [Some(&columns.password), columns.forward.as_ref(), columns.quota.as_ref()];
        let further = columns.info_fields.iter().map(|field| &field.column);
        let assignments: Vec<Assignment<'_>> = all
            .into_iter()
            .flatten()
            .chain(further)
            .map(|column| Assignment { column, is_default: false })
            .collect();
        for text in [table.update(&assignments), table.delete()] {
            let prepared = connection.prepare_once(&text).await;
            self.judge(None, prepared)?;
        }
        Ok(())
    }

    async fn prepare_ask(&self, connection: &mut Connection, ask: &Ask) -> Result<(), Trouble> {
        let prepared = connection.prepare(&ask.query).await;
        let statement = prepared.map_err(|trouble| self.blame(ask.setting, trouble))?;
        // A call of a procedure does not say what it will return.
        if ask.layout.is_none() && statement.num_columns() > 0 {
            self.own_layout(ask, Layout::by_name(&statement.columns()))?;
        }
        Ok(())
    }

    /// A login that may only read is enough for a base that is only read.
    fn judge(
        &self,
        setting: Option<&'static str>,
        prepared: Result<(), Trouble>,
    ) -> Result<(), Trouble> {
        match prepared {
            Err(Trouble::Setting(text)) if text.ends_with("(1142)") || text.ends_with("(1143)") => {
                tracing::info!(reason = %text, "changes of the user base will be refused");
                Ok(())
            }
            Err(trouble) => Err(self.blame(setting, trouble)),
            Ok(()) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_password_that_others_may_read_is_warned_of() {
        let folder = tempfile::tempdir().expect("a directory");
        let file = folder.path().join("mysqlauth.ini");
        std::fs::write(&file, "mysql_server localhost\nmysql_password x\n").expect("written");
        for (mode, expected) in [(0o640, false), (0o644, true)] {
            std::fs::set_permissions(&file, Permissions::from_mode(mode)).expect("our own");
            let found: Vec<String> = check(&file).iter().map(ToString::to_string).collect();
            let told = found.iter().any(|text| text.contains("may read the password"));
            assert_eq!(told, expected, "{mode:o} {found:?}");
        }
    }
    #[test]
    fn a_private_key_that_others_may_read_is_warned_of() {
        let folder = tempfile::tempdir().expect("a directory");
        let (file, key) = (folder.path().join("mysqlauth.ini"), folder.path().join("own.key"));
        let lines = "mysql_server localhost\nmysql_login dmail\nmysql_tls true\n\
                     mysql_tls_cert own.pem\nmysql_tls_key own.key\n";
        for (path, text) in [(&file, lines), (&key, "x\n")] {
            std::fs::write(path, text).expect("written");
        }
        for (mode, expected) in [(0o600, false), (0o644, true)] {
            std::fs::set_permissions(&key, Permissions::from_mode(mode)).expect("our own");
            let said: String = check(&file).iter().map(|found| format!("{found}\n")).collect();
            assert_eq!(said.contains("may read the private key in"), expected, "{said}");
        }
    }
}
