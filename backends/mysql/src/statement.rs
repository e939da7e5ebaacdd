//! Statements with named parameters: `:user` becomes a `?` whose value is sent
//! beside the statement. Text in quotes and comments is left alone.

use std::fmt;
use std::ops::Range;

use dmail_core::config::value::Fault;

/// What a named parameter stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Parameter {
    /// The client's address.
    Client,
    /// What follows the last `@` of the name.
    Domain,
    /// The info field `fwd`.
    Forward,
    /// All info fields in one text.
    Info,
    /// One info field.
    InfoField(String),
    /// What precedes the last `@` of the name.
    Local,
    /// The new password as it is to be stored.
    Password,
    /// A pattern for LIKE.
    Pattern,
    /// The info field `quota`.
    Quota,
    /// Whether info fields are to be changed.
    SetInfo,
    /// The whole name.
    User,
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client => "client",
            Self::Domain => "domain",
            Self::Forward => "forward",
            Self::Info => "info",
            Self::InfoField(label) => return write!(f, "info_{label}"),
            Self::Local => "local",
            Self::Password => "password",
            Self::Pattern => "pattern",
            Self::Quota => "quota",
            Self::SetInfo => "set_info",
            Self::User => "user",
        })
    }
}

/// A statement as the server prepares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parsed {
    /// The text, with `?` for each value.
    pub(crate) text: String,
    /// What the values are, in order.
    pub(crate) parameters: Vec<Parameter>,
}

/// Reads a statement that may name the parameters `known` (and `:info_LABEL`
/// if `:info` is one of them).
///
/// # Errors
///
/// If it names another one, has a bare `?`, an open quote or a second statement.
pub(crate) fn parse(text: &str, known: &[Parameter]) -> Result<Parsed, Fault> {
    let mut parsed = Parsed { text: String::with_capacity(text.len()), parameters: Vec::new() };
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        let length = match c {
            '\'' | '"' | '`' => quoted(rest, c)
                .ok_or_else(|| Fault::part(at..text.len(), "the quote is not closed"))?,
            '#' => rest.len(),
            '-' if rest.starts_with("-- ") => rest.len(),
            '/' if rest.starts_with("/*") => match rest.find("*/") {
                Some(end) => end + 2,
                None => return Err(Fault::part(at..text.len(), "the comment is not closed")),
            },
            ':' => {
                let name = parameter_name(&rest[1..]);
                if !name.is_empty() {
                    let here = at..at + 1 + name.len();
                    parsed.parameters.push(parameter(name, known, here)?);
                    parsed.text.push('?');
                    at += 1 + name.len();
                    continue;
                }
                1
            }
            '?' => {
                let fault = Fault::part(at..at + 1, "a value without a name");
                return Err(fault.help("write a name such as :user"));
            }
            ';' if rest[1..].trim().is_empty() => break,
            ';' => return Err(Fault::part(at..text.len(), "a second statement")),
            c => c.len_utf8(),
        };
        parsed.text.push_str(&rest[..length]);
        at += length;
    }
    Ok(parsed)
}

/// How long the quoted text is that `text` starts with.
fn quoted(text: &str, quote: char) -> Option<usize> {
    let mut characters = text.char_indices().skip(1);
    while let Some((at, c)) = characters.next() {
        if c == quote {
            return Some(at + 1);
        }
        // Two quotes in a row are two quoted texts, to the same effect.
        if c == '\\' && quote != '`' {
            characters.next();
        }
    }
    None
}

fn parameter_name(text: &str) -> &str {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let end = text.find(|c: char| !part(c)).unwrap_or(text.len());
    match text.chars().next() {
        Some(c) if c.is_ascii_digit() => "",
        _ => &text[..end],
    }
}

fn parameter(name: &str, known: &[Parameter], at: Range<usize>) -> Result<Parameter, Fault> {
    if let Some(parameter) = known.iter().find(|parameter| parameter.to_string() == name) {
        return Ok(parameter.clone());
    }
    match name.strip_prefix("info_") {
        Some(label) if !label.is_empty() && known.contains(&Parameter::Info) => {
            Ok(Parameter::InfoField(label.to_owned()))
        }
        _ => {
            let names: Vec<String> = known.iter().map(|known| format!(":{known}")).collect();
            let fault = Fault::part(at, "not one of the values that there are here");
            Err(fault.help(format!("there are: {}", names.join(", "))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[Parameter] = &[Parameter::User, Parameter::Local, Parameter::Info];

    #[test]
    fn names_become_values_but_not_in_quotes_and_comments() {
        let rows: &[(&str, &str, usize)] = &[
            ("SELECT a FROM t WHERE u = :user", "SELECT a FROM t WHERE u = ?", 1),
            ("SELECT :user,:local;", "SELECT ?,?", 2),
            ("SELECT ':user', \":user\", `:user`", "SELECT ':user', \":user\", `:user`", 0),
            (r"SELECT 'a\':user', :user", r"SELECT 'a\':user', ?", 1),
            ("SELECT 'it''s :user' || :user", "SELECT 'it''s :user' || ?", 1),
            ("SELECT /* :user ? */ 1", "SELECT /* :user ? */ 1", 0),
            ("SELECT @a := 1, '12:30'", "SELECT @a := 1, '12:30'", 0),
            ("UPDATE t SET n = :info_name", "UPDATE t SET n = ?", 1),
            ("SELECT 1 # :user", "SELECT 1 # :user", 0),
        ];
        for (text, prepared, count) in rows {
            let parsed = parse(text, KNOWN).expect(text);
            assert_eq!((parsed.text.as_str(), parsed.parameters.len()), (*prepared, *count));
        }
    }

    #[test]
    fn what_is_no_statement_is_refused_at_its_place() {
        let rows = [
            ("SELECT ?", 7..8, "a value without a name"),
            ("SELECT :usr", 7..11, "not one of the values that there are here"),
            ("SELECT 'x", 7..9, "the quote is not closed"),
            ("SELECT /* x", 7..11, "the comment is not closed"),
            ("SELECT 1; DROP TABLE t", 8..22, "a second statement"),
        ];
        for (text, at, why) in rows {
            let fault = parse(text, KNOWN).expect_err(text);
            assert_eq!((fault.at, fault.why.as_str()), (at, why), "{text}");
        }
    }
}
