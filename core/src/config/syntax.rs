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
        self.diagnostics.push(match asked {
            Some(place) => Diagnostic::at(Severity::Error, place.clone(), message).label(why),
            // There is no line to put a label under.
            None => Diagnostic::about(Severity::Error, path.into(), format!("{message}: {why}")),
        });
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
mod tests;
