//! The manual of a configuration file, printed from its table.

use std::fmt::Write;

use super::table::{Row, Unset, Vocabulary};

/// All settings, as plain text for a terminal.
#[must_use]
pub fn manual(vocabulary: &Vocabulary) -> String {
    let mut text = String::new();
    for group in vocabulary.groups {
        let title = group.title.to_uppercase();
        put(&mut text, format_args!("{title}\n\n{}\n", paragraphs(group.about, "  ")));
        for row in group.rows {
            put(&mut text, format_args!("{}\n", entry(row)));
        }
    }
    text
}

/// One setting, as [`manual`] prints it.
#[must_use]
pub fn entry(row: &Row) -> String {
    format!(
        "  {name} ({facts})\n{meaning}\n      Example: {example}\n",
        name = row.name,
        facts = facts(row).replace('`', ""),
        meaning = paragraphs(row.meaning, "      ").replace('`', ""),
        example = row.example,
    )
}

/// The whole manual in Markdown.
#[must_use]
pub fn manual_markdown(vocabulary: &Vocabulary) -> String {
    let Vocabulary { file, introduction, .. } = vocabulary;
    let mut text = format!("# {file}\n\n{introduction}");
    for group in vocabulary.groups {
        let about = paragraphs(group.about, "");
        put(&mut text, format_args!("\n## {}\n\n{about}", group.title));
        for row in group.rows {
            markdown_entry(&mut text, row);
        }
    }
    if !vocabulary.not_used.is_empty() {
        put(&mut text, format_args!("\n## Settings of the original that are not used yet\n\n"));
        let about = "A line with one of these has no effect and gives a warning.";
        put(&mut text, format_args!("{about}\n\n{}\n", vocabulary.not_used.join(", ")));
    }
    text
}

fn markdown_entry(text: &mut String, row: &Row) {
    let (name, facts, example) = (row.name, facts(row), row.example);
    let meaning = paragraphs(row.meaning, "");
    put(text, format_args!("\n### {name}\n\n{meaning}\n*Value: {facts}.*\n\n"));
    put(text, format_args!("```text\n{example}\n```\n"));
}

/// What its value looks like, its default, and whether it may be repeated.
fn facts(row: &Row) -> String {
    let expects = (row.expects)();
    let default = match row.default {
        Unset::Compulsory => "compulsory".to_owned(),
        Unset::Value(value) => format!("default `{value}`"),
        Unset::SameAs(other) => format!("default: that of `{other}`"),
        Unset::Nothing(meaning) => format!("default: none, {meaning}"),
    };
    let repeatable = if row.repeatable { "; may be repeated" } else { "" };
    format!("{expects}; {default}{repeatable}")
}

/// The lines of a doc comment, without the blank that follows `///`.
fn paragraphs(text: &str, indent: &str) -> String {
    text.lines()
        .map(|line| line.strip_prefix(' ').unwrap_or(line))
        .map(|line| match line {
            "" => "\n".to_owned(),
            line => format!("{indent}{line}\n"),
        })
        .collect()
}

fn put(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    text.write_fmt(arguments).expect("a String takes everything");
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::DMAIL_CONF;
    use super::*;

    #[test]
    fn the_documentation_is_the_manual() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/dmail.conf.md");
        let manual = manual_markdown(&DMAIL_CONF);
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&file, &manual).expect("docs can be written");
        }
        let written = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(written == manual, "run the tests with UPDATE_DOCS=1, and commit {file:?}");
    }

    #[test]
    fn a_setting_says_what_it_takes_and_what_it_is_without_a_line() {
        let number = DMAIL_CONF.row("authent_number").expect("a setting");
        assert_eq!(
            entry(number),
            "  authent_number (a number from 1 to 256; default 2)\n\
             \x20     How many copies of the module run. Each answers one question at a\n\
             \x20     time.\n\n      Example: authent_number 4\n"
        );
        let vdomain = DMAIL_CONF.row("vdomain").expect("a setting");
        assert!(entry(vdomain).contains("default: none, no virtual domains; may be repeated"));
        assert!(manual(&DMAIL_CONF).contains("\n  log_path ("));
    }

    #[test]
    fn every_setting_has_a_meaning_and_an_example_of_itself() {
        let mut names: Vec<&str> = DMAIL_CONF.rows().map(|row| row.name).collect();
        for row in DMAIL_CONF.rows() {
            assert!(row.meaning.trim().ends_with('.'), "{}", row.name);
            assert_eq!(row.example.split(' ').next(), Some(row.name));
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), DMAIL_CONF.rows().count(), "a name stands in the table twice");
    }
}
