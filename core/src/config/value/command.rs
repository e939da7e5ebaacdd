//! Command lines.

use std::fmt;
use std::path::PathBuf;

use super::path::program;
use super::{Fault, Kind, Value};

/// A program and its arguments, run directly and not by a shell.
///
/// The line is split at blanks. Double quotes keep blanks, and are not part of
/// the argument; `""` is an empty one. Nothing else is special: no backslash,
/// no single quote, no variable.
#[derive(Clone, PartialEq, Eq)]
pub struct CommandLine {
    /// The program. A name without `/` is looked for in `PATH`.
    pub program: PathBuf,
    /// Its arguments, in order.
    pub arguments: Vec<String>,
}

/// Arguments may hold passwords, so only their number is shown.
impl fmt::Debug for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} + {} arguments", self.program, self.arguments.len())
    }
}

/// A program with arguments.
pub fn command() -> Kind<CommandLine> {
    Kind::new("a program and its arguments", read)
}

fn read(value: &Value<'_>) -> Result<CommandLine, Fault> {
    let mut arguments = split(value.text)?.into_iter();
    match arguments.next() {
        Some(name) if !name.is_empty() => Ok(CommandLine {
            program: program(&name, value).map_err(|fault| Fault::whole(value.text, fault.why))?,
            arguments: arguments.collect(),
        }),
        _ => Err(Fault::whole(value.text, "no program is named")),
    }
}

fn split(text: &str) -> Result<Vec<String>, Fault> {
    let mut arguments = Vec::new();
    let mut present: Option<String> = None;
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match c {
            '"' => {
                quote = if quote.is_none() { Some(at) } else { None };
                present.get_or_insert_default();
            }
            c if c.is_whitespace() && quote.is_none() => arguments.extend(present.take()),
            c => present.get_or_insert_default().push(c),
        }
    }
    if let Some(at) = quote {
        return Err(Fault::part(at..text.len(), "the quote is not closed"));
    }
    arguments.extend(present);
    Ok(arguments)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{read, refuses};
    use super::*;

    #[test]
    fn a_command_is_split_at_blanks_outside_quotes() {
        let rows: &[(&str, &str, &[&str])] = &[
            ("/bin/auth", "/bin/auth", &[]),
            ("auth -path  /etc\t-log", "auth", &["-path", "/etc", "-log"]),
            (r#"auth "two words" x"y z"w "" end"#, "auth", &["two words", "xy zw", "", "end"]),
            (r"auth c:\new 'a b' $HOME", "auth", &[r"c:\new", "'a", "b'", "$HOME"]),
        ];
        for (text, program, arguments) in rows {
            match read(&command(), text) {
                Ok(found) => {
                    assert_eq!(found.program.to_string_lossy(), *program, "{text}");
                    assert_eq!(found.arguments, *arguments, "{text}");
                }
                Err(fault) => panic!("{text}: {fault:?}"),
            }
        }
    }

    #[test]
    fn a_command_names_a_program_and_closes_its_quotes() {
        refuses(&command(), r#"auth "x y"#, 5..9, "the quote is not closed");
        refuses(&command(), r#""" x"#, 0..4, "no program is named");
        refuses(&command(), r#""/opt/my auth""#, 0..14, "a path has no blanks");
    }

    #[test]
    fn arguments_are_not_printed() {
        let found = read(&command(), "auth -secret opensesame").expect("a command");
        assert_eq!(format!("{found:?}"), "\"auth\" + 2 arguments");
    }
}
