//! A row becomes a user: which column is what, which row is the one that was
//! asked for, and what its values say.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use dmail_core::{DropPath, Info, Uid};
use mysql_async::{Column, Value};
use zeroize::Zeroizing;

use crate::pool::Rows;

/// The values of a row; one that was taken is `None`.
type Row = Vec<Option<Value>>;

/// Which column holds what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) username: usize,
    pub(crate) domain: Option<usize>,
    pub(crate) password: Option<usize>,
    pub(crate) forward: Option<usize>,
    pub(crate) quota: Option<usize>,
    pub(crate) mailmask: Option<usize>,
    pub(crate) maildrop: Option<usize>,
    pub(crate) uid: Option<usize>,
    /// All others, with their labels.
    pub(crate) info: Vec<(usize, String)>,
}

impl Layout {
    /// The layout of a result whose columns are known by their names. `None`
    /// if it lacks `username`.
    pub(crate) fn by_name(columns: &Arc<[Column]>) -> Option<Self> {
        let mut layout = Self::default();
        let mut username = None;
        for (index, column) in columns.iter().enumerate() {
            let name = column.name_str();
            match name.as_ref() {
                "username" => username = Some(index),
                "domain" => layout.domain = Some(index),
                "password" => layout.password = Some(index),
                "forward" => layout.forward = Some(index),
                "quota" => layout.quota = Some(index),
                "mailmask" => layout.mailmask = Some(index),
                "maildrop" => layout.maildrop = Some(index),
                "uid" => layout.uid = Some(index),
                // As the original's other modules did.
                other => layout.info.push((index, other.replace(char::is_whitespace, ""))),
            }
        }
        layout.username = username?;
        Some(layout)
    }
}

/// A user, as a row describes one. It has no `Debug`, for the password's sake.
pub(crate) struct Found {
    /// The name, as the row spells it.
    pub(crate) name: String,
    /// The domain that stands beside the name, if it does.
    pub(crate) domain: Option<String>,
    /// The password as it is stored.
    pub(crate) stored: Option<Zeroizing<String>>,
    pub(crate) drop: DropPath,
    pub(crate) uid: Option<Uid>,
    pub(crate) mailmask: Option<String>,
    pub(crate) info: Info,
}

/// A value that says nothing that can be used, and that matters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the {0} of the row is no {1}")]
pub(crate) struct BadValue(&'static str, &'static str);

/// The name in a row. `None` if it has none.
pub(crate) fn name_of(layout: &Layout, row: &[Option<Value>]) -> Option<String> {
    text(row.get(layout.username)?.as_ref()?)
}

impl Found {
    /// Reads a row.
    pub(crate) fn read(layout: &Layout, mut row: Vec<Option<Value>>) -> Result<Self, BadValue> {
        // First of all, so that it is wiped whatever follows.
        let stored = layout.password.and_then(|at| row.get_mut(at)?.take());
        let stored = stored.map(secret_text).transpose()?.flatten();
        let name = name_of(layout, &row).ok_or(BadValue("username", "text"))?;
        let value = |at: Option<usize>| text(row.get(at?)?.as_ref()?);
        let drop = drop_path(value(layout.maildrop))?;
        let uid = match value(layout.uid).filter(|uid| !uid.is_empty()) {
            Some(uid) => Some(parse_uid(&uid).ok_or(BadValue("uid", "user of the system"))?),
            None => None,
        };
        let mut info = Info::default();
        let fields = [("fwd", layout.forward), ("quota", layout.quota)];
        let fields = fields.into_iter().map(|(label, at)| (at, label));
        let others = layout.info.iter().map(|(at, label)| (Some(*at), label.as_str()));
        for (at, label) in fields.chain(others) {
            let Some(value) = value(at).filter(|value| !value.is_empty()) else { continue };
            if info.set(label, &value).is_err() {
                tracing::warn!(
                    user = %name, field = %label,
                    "an info field with a line end or NUL is left out"
                );
            }
        }
        let (domain, mailmask) = (value(layout.domain), value(layout.mailmask));
        Ok(Self { name, domain, stored, drop, uid, mailmask, info })
    }
}

/// A value as text, as the server would print it; `None` for NULL.
pub(crate) fn text(value: &Value) -> Option<String> {
    Some(match value {
        Value::NULL => return None,
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::Int(number) => number.to_string(),
        Value::UInt(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Double(number) => number.to_string(),
        Value::Date(year, month, day, hour, minute, second, _) => {
            format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
        }
        Value::Time(negative, days, hours, minutes, seconds, _) => {
            let sign = if *negative { "-" } else { "" };
            let hours = u64::from(*days) * 24 + u64::from(*hours);
            format!("{sign}{hours:02}:{minutes:02}:{seconds:02}")
        }
    })
}

/// A stored password; `None` for NULL. Bytes that are no text are not replaced:
/// what stands for them would be a part of a password in clear text.
fn secret_text(value: Value) -> Result<Option<Zeroizing<String>>, BadValue> {
    match value {
        Value::Bytes(bytes) => {
            let bytes = Zeroizing::new(bytes);
            let text = std::str::from_utf8(&bytes).map_err(|_| BadValue("password", "text"))?;
            Ok(Some(Zeroizing::new(text.to_owned())))
        }
        other => Ok(text(&other).map(Zeroizing::new)),
    }
}

fn drop_path(value: Option<String>) -> Result<DropPath, BadValue> {
    let bad = || BadValue("maildrop", "full path of a drop file");
    match value.as_deref().map(str::trim) {
        None | Some("" | "config") => Ok(DropPath::Config),
        Some(path) => {
            let is_plain = |part| matches!(part, Component::RootDir | Component::Normal(_));
            let sound = path.starts_with('/')
                && !path.contains(|c: char| c.is_control())
                && Path::new(path).components().all(is_plain);
            if sound { Ok(DropPath::File(PathBuf::from(path))) } else { Err(bad()) }
        }
    }
}

/// A user of the operating system: one word, or a number.
pub(crate) fn parse_uid(text: &str) -> Option<Uid> {
    let text = text.trim();
    if text.is_empty() || text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '=') {
        return None;
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok().map(Uid::Number);
    }
    Some(Uid::Name(text.to_owned()))
}

/// Who is asked for, and what a row may call him.
pub(crate) struct Wanted<'a> {
    /// The whole name, as the base has it.
    pub(crate) name: &'a str,
    /// The parts, if the statement looks for the local part.
    pub(crate) parts: Option<(&'a str, &'a str)>,
    /// Whether A to Z are a to z.
    pub(crate) ignore_case: bool,
}

impl Wanted<'_> {
    /// The rows that are about the user that is asked for. The server's
    /// collation has chosen them, and may take others for the same.
    pub(crate) fn of(&self, layout: &Layout, rows: Rows) -> Vec<Row> {
        let (exact, rest): (Vec<Row>, Vec<Row>) =
            rows.rows.into_iter().partition(|row| self.is(layout, row, |one, two| one == two));
        if !exact.is_empty() || !self.ignore_case {
            return exact;
        }
        rest.into_iter().filter(|row| self.is(layout, row, str::eq_ignore_ascii_case)).collect()
    }

    fn is(
        &self,
        layout: &Layout,
        row: &[Option<Value>],
        same: impl Fn(&str, &str) -> bool,
    ) -> bool {
        let Some(name) = name_of(layout, row) else { return false };
        if same(&name, self.name) {
            return true;
        }
        let Some((local, domain)) = self.parts else { return false };
        let beside = layout.domain.and_then(|at| text(row.get(at)?.as_ref()?));
        same(&name, local) && beside.is_none_or(|beside| beside.eq_ignore_ascii_case(domain))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(names: &[&str]) -> Rows {
        let row = |name: &&str| vec![Some(Value::Bytes(name.as_bytes().to_vec()))];
        Rows { columns: Arc::from([]), rows: names.iter().map(row).collect() }
    }

    #[test]
    fn a_collation_lets_in_nobody_else() {
        let layout = Layout::default();
        let rows_for = |name, ignore_case, names: &[&str]| {
            let wanted = Wanted { name, parts: None, ignore_case };
            let found = wanted.of(&layout, rows(names));
            found.iter().filter_map(|row| name_of(&layout, row)).collect::<Vec<_>>()
        };
        for other in ["stra\u{df}e", "strasse ", " strasse", "str\u{e4}sse", "strasse\0", "Strasse"]
        {
            assert!(rows_for("strasse", false, &[other]).is_empty(), "{other:?}");
        }
        assert_eq!(rows_for("strasse", true, &["Strasse"]), ["Strasse"]);
        assert_eq!(rows_for("strasse", true, &["Strasse", "strasse"]), ["strasse"]);
        assert_eq!(rows_for("bob", true, &["Bob", "BOB"]).len(), 2);
        assert!(rows_for("\u{e4}", true, &["\u{c4}"]).is_empty());
    }

    #[test]
    fn a_password_that_is_no_text_is_nobodys() {
        let layout = Layout { password: Some(1), ..Layout::default() };
        let found = |password: &[u8]| {
            let values = [b"bob".as_slice(), password];
            let row = values.map(|value| Some(Value::Bytes(value.to_vec())));
            Found::read(&layout, row.to_vec()).map(|found| found.stored)
        };
        let stored = found("gr\u{fc}n".as_bytes()).expect("text").expect("there");
        assert_eq!(*stored, "gr\u{fc}n");
        // Else U+FFFD would be right for each of the bytes that are not text.
        assert_eq!(found(b"gr\xfcn").expect_err("no text"), BadValue("password", "text"));
    }

    #[test]
    fn a_path_that_is_not_full_is_no_drop_file() {
        let config = Ok(DropPath::Config);
        for nothing in [None, Some(""), Some(" "), Some("config")] {
            assert_eq!(drop_path(nothing.map(str::to_owned)), config);
        }
        assert_eq!(drop_path(Some("/mail/bob".into())), Ok(DropPath::File("/mail/bob".into())));
        for bad in ["mail/bob", "/mail/../etc/passwd", "../x", "/mail/a\nb"] {
            assert!(drop_path(Some(bad.into())).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_owner_is_a_name_or_a_number() {
        assert_eq!(parse_uid("99"), Some(Uid::Number(99)));
        assert_eq!(parse_uid("mail"), Some(Uid::Name("mail".into())));
        for bad in ["", "a b", "99999999999", "x=y"] {
            assert_eq!(parse_uid(bad), None, "{bad}");
        }
    }
}
