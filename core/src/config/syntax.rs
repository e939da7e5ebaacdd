//! The text of dmail.conf as entries: which name has which value, and where.
//!
//! Knows lines, comments and `#include`; which names exist and what their
//! values mean is the business of [`settings`](super::settings). The rules are
//! in `introduction.md`, which is part of the manual.

use std::io;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::diagnostic::{Diagnostic, Severity};
use super::place::Place;

/// Longest line, in bytes. It keeps a binary file from being taken for one.
const MAX_LINE: usize = 8192;
/// How deep files may include files.
const MAX_DEPTH: usize = 8;
/// How many files there may be in all.
const MAX_FILES: usize = 1000;

/// One line `name value`.
pub(super) struct Entry {
    pub(super) name: String,
    /// Everything after the name and the blanks, up to the last non-blank.
    pub(super) value: String,
    pub(super) name_place: Place,
    pub(super) value_place: Place,
}

/// What a file and those that it includes hold.
pub(super) struct Document {
    pub(super) main: Arc<Path>,
    pub(super) entries: Vec<Entry>,
    pub(super) diagnostics: Vec<Diagnostic>,
    /// Whether the main file could not be read.
    pub(super) is_unread: bool,
}

/// Reads `path` and all that it includes, in the order in which it stands.
pub(super) fn read(path: &Path, open: &mut dyn FnMut(&Path) -> io::Result<String>) -> Document {
    let mut reader = Reader {
        open,
        above: Vec::new(),
        files: 0,
        lines: 0,
        entries: Vec::new(),
        diagnostics: Vec::new(),
    };
    let is_read = reader.file(path, None);
    Document {
        main: path.into(),
        is_unread: !is_read,
        entries: reader.entries,
        diagnostics: reader.diagnostics,
    }
}

/// Whether the value of a setting of this name is kept out of every message:
/// it may be a password, even if no setting of that name exists.
pub(super) fn hides_value(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["password", "passwd", "secret", "token"].iter().any(|word| name.contains(word))
}

struct Reader<'a> {
    open: &'a mut dyn FnMut(&Path) -> io::Result<String>,
    /// The files that include the present one, the main file first.
    above: Vec<PathBuf>,
    files: usize,
    lines: usize,
    entries: Vec<Entry>,
    diagnostics: Vec<Diagnostic>,
}

impl Reader<'_> {
    /// Reads one file, and says whether it could be read; `asked` is where an
    /// `#include` names it.
    fn file(&mut self, path: &Path, asked: Option<&Place>) -> bool {
        if let Some(why) = self.may_not_include(path) {
            self.not_read(path, asked, &why);
            return false;
        }
        self.files += 1;
        match (self.open)(path) {
            Ok(text) => {
                self.above.push(plain(path));
                self.text(path.into(), text.strip_prefix('\u{feff}').unwrap_or(&text));
                self.above.pop();
                true
            }
            Err(error) => {
                self.not_read(path, asked, &error.to_string());
                false
            }
        }
    }

    fn may_not_include(&self, path: &Path) -> Option<String> {
        if self.above.contains(&plain(path)) {
            Some("the file would include itself".into())
        } else if self.above.len() > MAX_DEPTH {
            Some(format!("files include files more than {MAX_DEPTH} deep"))
        } else if self.files >= MAX_FILES {
            Some(format!("more than {MAX_FILES} files"))
        } else {
            None
        }
    }

    fn not_read(&mut self, path: &Path, asked: Option<&Place>, why: &str) {
        let message = format!("cannot read `{}`", path.display());
        let diagnostic = match asked {
            Some(place) => Diagnostic::at(Severity::Error, place.clone(), message),
            None => Diagnostic::about(Severity::Error, path.into(), message),
        };
        self.diagnostics.push(diagnostic.label(why));
    }

    fn text(&mut self, file: Arc<Path>, text: &str) {
        for (index, line) in text.lines().enumerate() {
            let place = Place {
                file: Arc::clone(&file),
                line: index + 1,
                span: 0..0,
                text: shown(line),
                order: self.lines,
            };
            self.lines += 1;
            self.line(line, &place);
        }
    }

    fn line(&mut self, line: &str, place: &Place) {
        let included = included(line);
        if line.len() > MAX_LINE {
            let message = format!("a line of more than {MAX_LINE} bytes");
            self.error(place.stretch(0..place.text.len()), message);
        } else if included.is_none() && line.trim_start().starts_with('#') {
            self.comment(line, place);
        } else if let Some((at, bad)) = line.char_indices().find(|(_, c)| is_foreign(*c)) {
            let message = format!("a control character (U+{:04X}) in the line", u32::from(bad));
            self.error(place.stretch(at..at + bad.len_utf8()), message);
        } else if let Some(file) = included {
            self.include(line, file, place);
        } else if !line.trim().is_empty() {
            self.entries.push(entry(line, place));
        }
    }

    fn include(&mut self, line: &str, file: Range<usize>, place: &Place) {
        let name = &line[file.clone()];
        if name.is_empty() {
            let place = place.stretch(0..line.len());
            self.error(place, "`#include` needs the name of a file".into());
            return;
        }
        let beside = place.file.parent().unwrap_or(Path::new(""));
        self.file(&beside.join(name), Some(&place.stretch(file)));
    }

    /// A comment that looks like an `#include` is pointed out, for it does
    /// nothing.
    fn comment(&mut self, line: &str, place: &Place) {
        let indented = line.trim_start();
        if indented.len() < line.len() && included(indented).is_some() {
            let start = line.len() - indented.len();
            let warning = Diagnostic::at(
                Severity::Warning,
                place.stretch(start..start + "#include".len()),
                "this is a comment: `#include` must start the line",
            );
            self.diagnostics.push(warning);
        }
    }

    fn error(&mut self, place: Place, message: String) {
        let error = Diagnostic::at(Severity::Error, place, message);
        self.diagnostics.push(error);
    }
}

/// Where an `#include` line has the name of the file.
fn included(line: &str) -> Option<Range<usize>> {
    let rest = line.strip_prefix("#include")?;
    if !rest.is_empty() && !rest.starts_with([' ', '\t']) {
        return None;
    }
    let end = line.trim_end().len();
    let start = line.len() - rest.trim_start().len();
    Some(start.min(end)..end)
}

fn entry(line: &str, place: &Place) -> Entry {
    let (name, value) = halves(line);
    Entry {
        name: line[name.clone()].into(),
        value: line[value.clone()].into(),
        name_place: place.stretch(name),
        value_place: place.stretch(value),
    }
}

/// Where the name and where the value of a line stand.
fn halves(line: &str) -> (Range<usize>, Range<usize>) {
    let end = line.trim_end().len();
    let start = end - line[..end].trim_start().len();
    let name = match line[start..end].find(char::is_whitespace) {
        Some(length) => start..start + length,
        None => start..end,
    };
    let value = end - line[name.end..end].trim_start().len();
    (name, value..end)
}

/// A line as messages may show it: not too much of it, and no secret.
fn shown(line: &str) -> Arc<str> {
    let (name, value) = halves(line);
    if hides_value(&line[name]) {
        return format!("{}(hidden)", &line[..value.start]).into();
    }
    if line.len() > MAX_LINE {
        return line[..line.floor_char_boundary(60)].into();
    }
    line.into()
}

/// Characters that have no business in a setting: all controls but the tab.
fn is_foreign(c: char) -> bool {
    c.is_control() && c != '\t'
}

/// `path` without `.` and `x/..`, to recognise a file that includes itself. A
/// detour through symbolic links is caught by the depth.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir
                if matches!(plain.components().next_back(), Some(Component::Normal(_))) =>
            {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads `dmail.conf` among files given as name and text.
    fn document(files: &[(&str, &str)]) -> Document {
        read(Path::new("etc/dmail.conf"), &mut |path| {
            files
                .iter()
                .find(|(name, _)| Path::new(name) == path)
                .map(|(_, text)| (*text).to_owned())
                .ok_or_else(|| io::ErrorKind::NotFound.into())
        })
    }

    fn entries(text: &str) -> Vec<(String, String, usize, usize)> {
        document(&[("etc/dmail.conf", text)])
            .entries
            .into_iter()
            .map(|e| (e.name, e.value, e.value_place.line, e.value_place.column()))
            .collect()
    }

    fn messages(files: &[(&str, &str)]) -> Vec<String> {
        let diagnostics = document(files).diagnostics;
        diagnostics.iter().map(ToString::to_string).collect()
    }

    /// Name and value, line and column of the value.
    type Expected = (&'static str, &'static str, usize, usize);

    #[test]
    fn a_line_is_a_name_and_a_value() {
        let rows: &[(&str, &[Expected])] = &[
            ("", &[]),
            ("\n \t\n# note\n#x y\n  # z\n", &[]),
            ("log_level info", &[("log_level", "info", 1, 11)]),
            ("log_level\tinfo \t", &[("log_level", "info", 1, 11)]),
            ("  log_level  info\r\n", &[("log_level", "info", 1, 14)]),
            ("\u{feff}a b\r\nc d # e\r\n", &[("a", "b", 1, 3), ("c", "d # e", 2, 3)]),
            ("stats_path", &[("stats_path", "", 1, 11)]),
            ("stats_path  \n", &[("stats_path", "", 1, 11)]),
            ("a \u{e9} b", &[("a", "\u{e9} b", 1, 3)]),
        ];
        for (text, expected) in rows {
            let expected: Vec<_> = expected
                .iter()
                .map(|(name, value, line, column)| {
                    ((*name).to_owned(), (*value).to_owned(), *line, *column)
                })
                .collect();
            assert_eq!(entries(text), expected, "{text:?}");
        }
    }

    #[test]
    fn an_include_is_read_where_it_stands_beside_its_file() {
        let files = [
            ("etc/dmail.conf", "a 1\n#include more/x.conf \r\nd 4\n#include /abs.conf"),
            ("etc/more/x.conf", "b 2\n#include y.conf\n"),
            ("etc/more/y.conf", "c 3"),
            ("/abs.conf", "e 5"),
        ];
        let document = document(&files);
        let names: String = document.entries.iter().map(|e| e.name.as_str()).collect();
        assert_eq!(names, "abcde");
        assert_eq!(document.entries[2].name_place.to_string(), "etc/more/y.conf:1:1");
        assert!(document.diagnostics.is_empty());
    }

    #[test]
    fn a_file_that_cannot_be_included_is_an_error_where_it_is_named() {
        let rows: &[(&str, &str)] = &[
            (
                "#include no.conf",
                "etc/dmail.conf:1:10: error: cannot read `etc/no.conf`: entity not found",
            ),
            ("\n#include", "etc/dmail.conf:2:1: error: `#include` needs the name of a file"),
            (
                "#include ../etc/./dmail.conf",
                "etc/dmail.conf:1:10: error: cannot read `etc/../etc/./dmail.conf`: \
                 the file would include itself",
            ),
            (
                "#include x\x1b[31m",
                "etc/dmail.conf:1:11: error: a control character (U+001B) in the line",
            ),
            (
                " #include x.conf",
                "etc/dmail.conf:1:2: warning: this is a comment: `#include` must start the line",
            ),
        ];
        for (text, expected) in rows {
            assert_eq!(messages(&[("etc/dmail.conf", text)]), [*expected], "{text}");
        }
        assert_eq!(
            messages(&[]),
            ["etc/dmail.conf: error: cannot read `etc/dmail.conf`: entity not found"]
        );
        assert!(
            messages(&[("etc/dmail.conf", "#included below\n# include x\n#Include x")]).is_empty()
        );
    }

    #[test]
    fn includes_are_bounded_in_depth_and_in_number() {
        let mut asked = 0;
        let found = read(Path::new("0"), &mut |path| {
            asked += 1;
            let next = path.to_string_lossy().len();
            let name = "0".repeat(next + 1);
            Ok(format!("#include {name}\n#include {name}\n#include {name}\n"))
        });
        assert!(asked <= MAX_FILES, "{asked} files");
        assert!(found.diagnostics.iter().all(Diagnostic::is_error));
        assert!(!found.diagnostics.is_empty());
    }

    #[test]
    fn what_is_not_text_is_an_error() {
        let long = format!("a {}", "x".repeat(MAX_LINE));
        let rows: &[(&str, &str)] = &[
            ("a b\0c", "etc/dmail.conf:1:4: error: a control character (U+0000) in the line"),
            ("a\rb 1", "etc/dmail.conf:1:2: error: a control character (U+000D) in the line"),
            (&long, "etc/dmail.conf:1:1: error: a line of more than 8192 bytes"),
        ];
        for (text, expected) in rows {
            assert_eq!(messages(&[("etc/dmail.conf", text)]), [*expected]);
        }
    }

    #[test]
    fn a_secret_is_in_no_place() {
        for line in ["manager_password opensesame", "Db_Secret\topensesame\0"] {
            let document = document(&[("etc/dmail.conf", line)]);
            let places = document.entries.iter().map(|e| &e.value_place);
            let blamed = document.diagnostics.iter().filter_map(|d| d.place.as_ref());
            for place in places.chain(blamed) {
                assert!(!place.text.contains("opensesame"), "{line}");
                assert!(place.span.end <= place.text.len(), "{line}");
            }
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "(\\PC|[ \t\r\n#\0]|#include ){0,60}") {
            for entry in document(&[("etc/dmail.conf", &text)]).entries {
                prop_assert!(!entry.name.is_empty());
                let span = entry.value_place.span.clone();
                if !hides_value(&entry.name) {
                    prop_assert_eq!(&entry.value_place.text[span], &entry.value);
                }
            }
        }
    }
}
