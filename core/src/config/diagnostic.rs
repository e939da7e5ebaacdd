//! What is wrong with a configuration, said so that it can be put right.
//!
//! The long form shows the line as a compiler would:
//!
//! ```text
//! error: `authent_number` needs a number from 1 to 256
//!  --> dmail.conf:7:16
//!   |
//! 7 | authent_number many
//!   |                ^^^^ not a whole number
//!   |
//!   = help: for example: authent_number 4
//! ```
//!
//! The short form, which is [`Display`](fmt::Display), is one line for a log:
//! `dmail.conf:7:16: error: …`.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use annotate_snippets::{
    Annotation, AnnotationKind, Element, Level, Origin, Renderer, Snippet, normalize_untrusted_str,
};

use super::place::Place;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The line has no effect; all else has.
    Warning,
    /// Nothing may start with this configuration.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// One message about a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, and what was expected, in one sentence.
    pub message: String,
    /// The file that the message is about.
    pub file: Arc<Path>,
    /// Where it is; `None` if the file as a whole is meant.
    pub place: Option<Place>,
    /// What is the matter with the text at `place`, in a few words.
    pub label: Option<String>,
    /// A second place that has to do with it, and how.
    pub related: Option<(Place, String)>,
    /// What to write instead.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A message about a stretch of a line.
    pub(super) fn at(severity: Severity, place: Place, message: impl Into<String>) -> Self {
        Self { place: Some(place.clone()), ..Self::about(severity, place.file, message) }
    }

    /// A message about a file as a whole.
    pub(super) fn about(severity: Severity, file: Arc<Path>, message: impl Into<String>) -> Self {
        Self {
            severity,
            message: message.into(),
            file,
            place: None,
            label: None,
            related: None,
            help: None,
        }
    }

    pub(super) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    pub(super) fn related(mut self, place: Place, label: impl Into<String>) -> Self {
        self.related = Some((place, label.into()));
        self
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Whether this is an error.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// The long form, of several lines without the last line end. `colour`
    /// adds ANSI escapes, for a terminal.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let level = match self.severity {
            Severity::Warning => Level::WARNING,
            Severity::Error => Level::ERROR,
        };
        let group = level.primary_title(self.message.as_str()).elements(self.elements());
        let renderer = match colour {
            true => Renderer::styled(),
            false => Renderer::plain(),
        };
        renderer.render(&[group])
    }

    fn elements(&self) -> Vec<Element<'_>> {
        let mut elements: Vec<Element<'_>> = Vec::new();
        match &self.place {
            Some(place) => {
                let mark = AnnotationKind::Primary.span(place.span.clone());
                let label = self.label.as_deref().unwrap_or_default();
                elements.push(snippet(place, mark, label).into());
            }
            None => elements.push(Origin::path(self.file.to_string_lossy()).into()),
        }
        if let Some((place, label)) = &self.related {
            let mark = AnnotationKind::Context.span(place.span.clone());
            elements.push(snippet(place, mark, label).into());
        }
        if let Some(help) = &self.help {
            elements.push(Level::HELP.message(normalize_untrusted_str(help)).into());
        }
        elements
    }
}

/// Shows `mark` in its line. The renderer takes labels and help as they are,
/// and they may quote the file, so they are made harmless here and above.
fn snippet<'a>(place: &'a Place, mark: Annotation<'a>, label: &str) -> Snippet<'a, Annotation<'a>> {
    Snippet::source(&*place.text)
        .line_start(place.line)
        .path(place.file.to_string_lossy())
        .annotation(mark.label(normalize_untrusted_str(label)))
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(f, "{place}")?,
            None => write!(f, "{}", self.file.display())?,
        }
        write!(f, ": {}: {}", self.severity, self.message)?;
        if let Some(label) = &self.label {
            write!(f, ": {label}")?;
        }
        if let Some((place, label)) = &self.related {
            write!(f, " ({label}: line {})", place.line)?;
        }
        match &self.help {
            Some(help) => write!(f, "; {help}"),
            None => Ok(()),
        }
    }
}

/// All long forms, with an empty line after each.
#[must_use]
pub fn render_all(diagnostics: &[Diagnostic], colour: bool) -> String {
    diagnostics.iter().map(|diagnostic| diagnostic.render(colour) + "\n\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str, line: usize, span: std::ops::Range<usize>) -> Place {
        Place { file: Path::new("dmail.conf").into(), line, span, text: text.into(), order: line }
    }

    fn bad_number() -> Diagnostic {
        let place = place("authent_number many", 7, 15..19);
        Diagnostic::at(Severity::Error, place, "`authent_number` needs a number")
            .label("not a whole number")
            .help("for example: authent_number 4")
    }

    #[test]
    fn the_long_form_shows_the_line() {
        let expected = "\
error: `authent_number` needs a number
 --> dmail.conf:7:16
  |
7 | authent_number many
  |                ^^^^ not a whole number
  |
  = help: for example: authent_number 4";
        assert_eq!(bad_number().render(false), expected);
        assert!(bad_number().render(true).contains("\x1b["));
    }

    #[test]
    fn the_long_form_shows_both_places() {
        let second = place("drop_path /b", 9, 0..9);
        let diagnostic = Diagnostic::at(Severity::Error, second, "`drop_path` is set twice")
            .related(place("drop_path /a", 3, 0..9), "first set here");
        let expected = "\
error: `drop_path` is set twice
 --> dmail.conf:9:1
  |
9 | drop_path /b
  | ^^^^^^^^^
  |
 ::: dmail.conf:3:1
  |
3 | drop_path /a
  | --------- first set here";
        assert_eq!(diagnostic.render(false), expected);
    }

    #[test]
    fn the_short_form_is_one_line() {
        let expected = "dmail.conf:7:16: error: `authent_number` needs a number: \
                        not a whole number; for example: authent_number 4";
        assert_eq!(bad_number().to_string(), expected);
        let file: Arc<Path> = Path::new("dmail.conf").into();
        let whole = Diagnostic::about(Severity::Warning, file, "nothing in it");
        assert_eq!(whole.to_string(), "dmail.conf: warning: nothing in it");
    }

    #[test]
    fn columns_count_characters() {
        assert_eq!(place("a\u{e9}\u{e9} x", 1, 6..7).column(), 5);
    }

    #[test]
    fn escapes_of_the_file_do_not_reach_the_terminal() {
        let diagnostic =
            Diagnostic::at(Severity::Error, place("\x1b[31mx", 1, 0..1), "bad \x1b[0m")
                .label("\x1b[1m")
                .help("\x1b[2m");
        assert!(!diagnostic.render(false).contains('\x1b'));
    }
}
