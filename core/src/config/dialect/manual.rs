//! The dialects and their options, as the manual shows them.

use super::option_table::{OPTIONS, Of, OptionRow};
use super::table::{DIALECTS, DialectRow};

/// The dialects and their options as two tables of Markdown.
#[must_use]
pub fn dialect_manual() -> String {
    let mut manual = "| `dialect` | is spoken by | its options |\n|---|---|---|\n".to_owned();
    for DialectRow { name, spoken_by, .. } in DIALECTS {
        let own = OPTIONS.iter().filter(|option| option.is_of(name));
        let own: Vec<_> = own.map(|option| format!("`{}=`", option.name)).collect();
        manual.push_str(&format!("| `{name}` | {spoken_by} | {} |\n", own.join(" ")));
    }
    manual.push_str("\n| option | of | for example | meaning |\n|---|---|---|---|\n");
    for OptionRow { name, of, value, meaning } in OPTIONS {
        let of = match of {
            Of::Tcp => "TCP sockets".to_owned(),
            Of::Unix => "unix sockets".to_owned(),
            Of::Dialects(names) => names.join(", "),
            Of::AllBut(names) => format!("all but {}", names.join(", ")),
        };
        manual.push_str(&format!("| `{name}=` | {of} | `{name}={value}` | {meaning} |\n"));
    }
    manual
}
