//! Where something stands in a configuration file.

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// A stretch of one line of a configuration file, with the line itself, so
/// that a message about it needs no file any more.
///
/// The value of a setting whose name speaks of a password, secret or token is
/// not in it, whether there is such a setting or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file, as it was opened.
    pub file: Arc<Path>,
    /// The line, counted from 1.
    pub line: usize,
    /// The stretch, in bytes of `text`.
    pub span: Range<usize>,
    /// The line without its end.
    pub text: Arc<str>,
    /// How many lines were read before, over all files: the order of reading.
    pub(super) order: usize,
}

impl Place {
    /// The column where the stretch starts, in characters from 1.
    #[must_use]
    pub fn column(&self) -> usize {
        let start = self.text.floor_char_boundary(self.span.start);
        self.text[..start].chars().count() + 1
    }

    /// The stretch `span` of the same line, held to what the line still has.
    pub(super) fn stretch(&self, span: Range<usize>) -> Self {
        let end = self.text.len();
        Self { span: span.start.min(end)..span.end.min(end), ..self.clone() }
    }

    /// The part `within` of this stretch.
    pub(super) fn part(&self, within: Range<usize>) -> Self {
        self.stretch(self.span.start + within.start..self.span.start + within.end)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (file, line, column) = (self.file.display(), self.line, self.column());
        write!(f, "{file}:{line}:{column}")
    }
}
