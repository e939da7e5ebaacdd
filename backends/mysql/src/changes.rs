//! `set`, `del`, and whole records put in.

use dmail_core::{
    Action, Change, DropPath, Info, Outcome, Rejection, RejectionKind, Secret, Uid, Unavailable,
    UserRecord, Username,
};
use dmail_schemes::SchemeError;
use mysql_async::Value;
use zeroize::Zeroizing;

use crate::ask::Execute;
use crate::names::Name;
use crate::settings::{Column, SqlText};
use crate::statement::Parameter;
use crate::store::{Delete, Store, Stored, Written};
use crate::table::Table;
use crate::trouble::Trouble;
use crate::{Base, SOURCE};

/// What is stored where nobody knows a password.
const LOCKED: &str = "!";

impl Base {
    /// Makes a change.
    pub(crate) async fn change(&self, change: &Change) -> Result<Outcome, Unavailable> {
        let name = self.names.asked(&change.user);
        match &change.action {
            Action::Delete => self.delete(&change.user, &name).await,
            Action::Set { secret, info } => {
                self.set(&change.user, &name, secret.as_ref(), info.as_ref()).await
            }
        }
    }

    async fn set(
        &self,
        user: &Username,
        name: &Name<'_>,
        secret: Option<&Secret>,
        info: Option<&Info>,
    ) -> Result<Outcome, Unavailable> {
        let stored = match secret {
            None => None,
            Some(secret) if secret.is_empty() => return Ok(bad_input("the password is empty")),
            Some(secret) => match self.passwords.hash(secret).await? {
                Ok(stored) => Some(stored),
                Err(error @ SchemeError::Secret { .. }) => return Ok(bad_input(error)),
                Err(error) => return Err(error.unavailable(SOURCE, user.as_str())),
            },
        };
        let done = "added to database";
        if let Some(statement) = &self.queries.set {
            let values = own_values(statement, name, stored.as_ref(), info);
            return self.own_change("query_set", statement, values, user, done).await;
        }
        let Some(table) = &self.queries.table else {
            return Ok(Outcome::Refused(Rejection::unsupported()));
        };
        let mut written = match info.map(|info| info_columns(table, info)).transpose() {
            Ok(written) => written.unwrap_or_default(),
            Err(rejection) => return Ok(Outcome::Refused(rejection)),
        };
        let columns = table.columns();
        if let Some(stored) = &stored {
            written.push((&columns.password, Some(stored.to_string())));
        }
        let may_add = stored.is_some();
        let store = Store {
            table,
            name,
            ignore_case: self.names.ignore_case,
            written: &written,
            initial: &[],
            may_add,
            replace: may_add && info.is_some() && !columns.update,
        };
        self.store(user, &store).await
    }

    /// Adds the user, or replaces the record.
    pub(crate) async fn put_record(&self, record: &UserRecord) -> Result<Outcome, Unavailable> {
        let Some(table) = &self.queries.table else {
            return Ok(Outcome::Refused(Rejection::unsupported()));
        };
        let columns = table.columns();
        let stored = match &record.stored {
            None => None,
            Some(stored) => {
                let Ok(text) = std::str::from_utf8(stored.expose()) else {
                    return Ok(bad_input("the stored password is not UTF-8"));
                };
                match self.passwords.imported(text) {
                    Ok(stored) => Some(stored.to_string()),
                    Err(why) => return Ok(bad_input(why)),
                }
            }
        };
        let mut written = match info_columns(table, &record.info) {
            Ok(written) => written,
            Err(rejection) => return Ok(Outcome::Refused(rejection)),
        };
        let mut initial = Vec::new();
        match stored {
            Some(stored) => written.push((&columns.password, Some(stored))),
            // The present one stays.
            None => initial.push((&columns.password, Some(LOCKED.to_owned()))),
        }
        match (&columns.maildrop, &record.drop) {
            (Some(column), DropPath::File(path)) => {
                written.push((column, Some(path.display().to_string())));
            }
            (Some(column), DropPath::Config) => written.push((column, None)),
            (None, DropPath::Config) => {}
            (None, DropPath::File(_)) => {
                return Ok(bad_input("there is no column for the drop file (field_maildrop)"));
            }
        }
        if let Some(column) = &columns.uid {
            let uid = record.uid.as_ref().map(|uid| match uid {
                Uid::Name(name) => name.clone(),
                Uid::Number(number) => number.to_string(),
            });
            written.push((column, uid));
        }
        let name = self.names.asked(&record.user);
        let store = Store {
            table,
            name: &name,
            ignore_case: self.names.ignore_case,
            written: &written,
            initial: &initial,
            may_add: true,
            replace: false,
        };
        self.store(&record.user, &store).await
    }

    /// Changes the user's row, or adds one.
    async fn store(&self, user: &Username, store: &Store<'_>) -> Result<Outcome, Unavailable> {
        match self.work(store).await {
            Ok(Stored::Done) => Ok(Outcome::Done(format!("{user} added to database"))),
            Ok(Stored::Nobody) => Ok(Outcome::Refused(Rejection::unknown_user(user))),
            Ok(Stored::Many(count)) => {
                let text = format!("{count} rows are called {user}");
                Ok(Outcome::Refused(Rejection::new(RejectionKind::NotAllowed, text)))
            }
            Err(trouble) => self.refused_or_not(user, None, trouble),
        }
    }

    async fn delete(&self, user: &Username, name: &Name<'_>) -> Result<Outcome, Unavailable> {
        let done = "deleted from database";
        if let Some(statement) = &self.queries.del {
            let values = own_values(statement, name, None, None);
            return self.own_change("query_del", statement, values, user, done).await;
        }
        let Some(table) = &self.queries.table else {
            return Ok(Outcome::Refused(Rejection::unsupported()));
        };
        let delete = Delete { table, name, ignore_case: self.names.ignore_case };
        let deleted = self.work(&delete).await;
        self.outcome(user, None, deleted, done)
    }

    async fn own_change(
        &self,
        setting: &'static str,
        statement: &SqlText,
        values: Vec<Value>,
        user: &Username,
        done: &str,
    ) -> Result<Outcome, Unavailable> {
        let changed = self.work(&Execute { text: &statement.0.text, values }).await;
        self.outcome(user, Some(setting), changed, done)
    }

    fn outcome(
        &self,
        user: &Username,
        setting: Option<&'static str>,
        rows: Result<u64, Trouble>,
        done: &str,
    ) -> Result<Outcome, Unavailable> {
        match rows {
            Ok(0) => Ok(Outcome::Refused(Rejection::unknown_user(user))),
            Ok(_) => Ok(Outcome::Done(format!("{user} {done}"))),
            Err(trouble) => self.refused_or_not(user, setting, trouble),
        }
    }

    /// What cannot be stored at all is refused; all other trouble may pass.
    fn refused_or_not(
        &self,
        user: &Username,
        setting: Option<&'static str>,
        trouble: Trouble,
    ) -> Result<Outcome, Unavailable> {
        match trouble {
            Trouble::Value(text) => Ok(bad_input(format!("a column cannot hold this: {text}"))),
            Trouble::Duplicate(_) => {
                Ok(bad_input(format!("the table takes another user's name for {user}")))
            }
            trouble => Err(self.blame(setting, trouble).into()),
        }
    }
}

/// All info columns: those without a field get their defaults, as the new
/// fields replace the old ones.
fn info_columns<'a>(table: &'a Table, info: &Info) -> Result<Vec<Written<'a>>, Rejection> {
    let columns = table.columns();
    let named = [("fwd", &columns.forward), ("quota", &columns.quota)];
    let named = named.into_iter().filter_map(|(label, column)| Some((label, column.as_ref()?)));
    let further = columns.info_fields.iter().map(|field| (field.label.as_str(), &field.column));
    let known: Vec<(&str, &Column)> = named.chain(further).collect();
    if let Some((label, _)) =
        info.iter().find(|(label, _)| !known.iter().any(|(known, _)| known == label))
    {
        let setting = match label {
            "fwd" => "field_forward".to_owned(),
            "quota" => "field_quota".to_owned(),
            label => format!("info_fields COLUMN {label}"),
        };
        let text = format!("there is no column for {label}: set {setting}");
        return Err(Rejection::new(RejectionKind::BadInput, text));
    }
    let written =
        known.into_iter().map(|(label, column)| (column, info.get(label).map(str::to_owned)));
    Ok(written.collect())
}

/// The values for a change of the site's own.
fn own_values(
    statement: &SqlText,
    name: &Name<'_>,
    stored: Option<&Zeroizing<String>>,
    info: Option<&Info>,
) -> Vec<Value> {
    let or_null = |value: Option<&str>| value.map_or(Value::NULL, Value::from);
    let field = |label: &str| or_null(info.and_then(|info| info.get(label)));
    let value = |parameter: &Parameter| match parameter {
        Parameter::User => name.whole.as_ref().into(),
        Parameter::Local => name.local.into(),
        Parameter::Domain => name.domain.into(),
        Parameter::Password => or_null(stored.map(|stored| stored.as_str())),
        Parameter::SetInfo => i64::from(info.is_some()).into(),
        Parameter::Forward => field("fwd"),
        Parameter::Quota => field("quota"),
        Parameter::Info => or_null(info.map(Info::to_string).as_deref()),
        Parameter::InfoField(label) => field(label),
        Parameter::Client | Parameter::Pattern => Value::NULL,
    };
    statement.0.parameters.iter().map(value).collect()
}

fn bad_input(reason: impl ToString) -> Outcome {
    Outcome::Refused(Rejection::new(RejectionKind::BadInput, reason.to_string()))
}
