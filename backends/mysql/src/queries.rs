//! The statements that are asked again and again: those of the original's
//! table, or the site's own.

use std::sync::Arc;

use mysql_async::Value;

use crate::names::Name;
use crate::pool::Query;
use crate::row::{Layout, Wanted};
use crate::settings::{Settings, SqlText};
use crate::statement::Parameter;
use crate::table::Table;

/// A question about one user.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) query: Query,
    pub(crate) parameters: Vec<Parameter>,
    /// Which column is what; of the site's own statements, the names tell.
    pub(crate) layout: Option<Layout>,
    /// The setting to blame; none if it is that of a column.
    pub(crate) setting: Option<&'static str>,
    /// Whether the result must have a password.
    pub(crate) for_check: bool,
}

impl Ask {
    /// The values of the parameters.
    pub(crate) fn values(&self, name: &Name<'_>, client: Option<String>) -> Vec<Value> {
        let value = |parameter: &Parameter| match parameter {
            Parameter::User => name.whole.as_ref().into(),
            Parameter::Local => name.local.into(),
            Parameter::Domain => name.domain.into(),
            Parameter::Client => client.as_deref().map_or(Value::NULL, Value::from),
            _ => Value::NULL,
        };
        self.parameters.iter().map(value).collect()
    }

    /// Whom the rows must be about.
    pub(crate) fn wanted<'a>(&self, name: &'a Name<'_>, ignore_case: bool) -> Wanted<'a> {
        let by_parts = self.parameters.contains(&Parameter::Local);
        Wanted {
            name: &name.whole,
            parts: by_parts.then_some((name.local, name.domain)),
            ignore_case,
        }
    }
}

/// All statements.
pub(crate) struct Queries {
    pub(crate) check: Option<Ask>,
    pub(crate) lookup: Option<Ask>,
    /// Lists users; of the site's own statements only.
    pub(crate) search: Option<Ask>,
    /// The site's own changes.
    pub(crate) set: Option<SqlText>,
    pub(crate) del: Option<SqlText>,
    /// The original's table, unless there are statements of the site's own.
    pub(crate) table: Option<Table>,
    /// How many statements each connection keeps prepared.
    pub(crate) all: Arc<[Query]>,
}

impl Queries {
    /// The statements that the settings ask for.
    pub(crate) fn new(settings: &Settings) -> Self {
        let mut numbered = Numbered::default();
        let queries = if settings.statements.are_given() {
            own(settings, &mut numbered)
        } else {
            table(settings, &mut numbered)
        };
        Self { all: numbered.0.into(), ..queries }
    }
}

/// Gives each statement its number.
#[derive(Default)]
pub(crate) struct Numbered(Vec<Query>);

impl Numbered {
    /// A statement with this text.
    pub(crate) fn add(&mut self, text: impl Into<String>) -> Query {
        let query = Query { id: self.0.len(), text: text.into() };
        self.0.push(query.clone());
        query
    }
}

fn own(settings: &Settings, numbered: &mut Numbered) -> Queries {
    let statements = &settings.statements;
    let mut ask = |text: &Option<SqlText>, setting, for_check| {
        let SqlText(parsed) = text.as_ref()?;
        Some(Ask {
            query: numbered.add(parsed.text.clone()),
            parameters: parsed.parameters.clone(),
            layout: None,
            setting: Some(setting),
            for_check,
        })
    };
    let check = ask(&statements.check, "query_check", true);
    Queries {
        lookup: ask(&statements.lookup, "query_lookup", false).or_else(|| check.clone()),
        check,
        search: ask(&statements.search, "query_search", false),
        set: statements.set.clone(),
        del: statements.del.clone(),
        table: None,
        all: Arc::default(),
    }
}

fn table(settings: &Settings, numbered: &mut Numbered) -> Queries {
    let table = Table::new(&settings.table, numbered);
    Queries {
        check: Some(table.check.clone()),
        lookup: Some(table.lookup.clone()),
        search: None,
        set: None,
        del: None,
        table: Some(table),
        all: Arc::default(),
    }
}
