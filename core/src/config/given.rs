//! Entries become values: each setting is taken by its name and its kind, and
//! whatever is wrong is written down while all the others go on.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use super::diagnostic::{Diagnostic, Severity};
use super::place::Place;
use super::syntax::Entry;
use super::table::{Row, Unset, Vocabulary};
use super::unknown;
use super::value::{Fault, Kind, Value};

/// What the files set, by name.
pub struct Given<'a> {
    main: Arc<Path>,
    /// Where the block begins, if this is one.
    head: Option<Place>,
    vocabulary: &'a Vocabulary,
    by_name: HashMap<&'a str, Vec<&'a Entry>>,
    /// What only lines for all blocks set.
    inherited: HashSet<&'a str>,
    /// Settings whose value is not to be believed: a default stands in for it.
    faulty: HashSet<&'static str>,
    diagnostics: Vec<Diagnostic>,
}

impl<'a> Given<'a> {
    /// Sorts `entries` of the file `main` and warns of those without a meaning.
    pub(super) fn new(main: &Arc<Path>, entries: &'a [Entry], vocabulary: &'a Vocabulary) -> Self {
        let mut given = Self {
            main: Arc::clone(main),
            head: None,
            vocabulary,
            by_name: HashMap::new(),
            inherited: HashSet::new(),
            faulty: HashSet::new(),
            diagnostics: Vec::new(),
        };
        for entry in entries {
            if vocabulary.row(&entry.name).is_none() {
                given.diagnostics.push(unknown::warning(entry, vocabulary));
            }
            given.by_name.entry(&entry.name).or_default().push(entry);
        }
        given
    }

    /// What is missing is reported at `head`, not about the file.
    pub(super) fn is_headed_by(&mut self, head: &Entry) {
        self.head = Some(head.value_place.clone());
    }

    /// Takes those of `entries` that set what is not set here.
    pub(super) fn inherit(&mut self, entries: &'a [Entry]) {
        let is_own: HashSet<&str> = self.by_name.keys().copied().collect();
        for entry in entries.iter().filter(|entry| !is_own.contains(&*entry.name)) {
            self.by_name.entry(&entry.name).or_default().push(entry);
            self.inherited.insert(&entry.name);
        }
    }

    /// The folder of the main file.
    pub fn folder(&self) -> &Path {
        self.main.parent().unwrap_or(Path::new(""))
    }

    /// What was found wrong.
    pub(super) fn into_diagnostics(self) -> Vec<Diagnostic> {
        self.diagnostics
    }

    /// The value of a setting that always has one. `None` if it has not, which
    /// has been reported.
    pub fn one<T>(&mut self, name: &'static str, kind: &Kind<T>) -> Option<T> {
        match self.only_entry(name) {
            Some(entry) => self.read(name, kind, entry).or_else(|| self.default(name, kind)),
            None => {
                if self.known(name).default == Unset::Compulsory {
                    self.missing(name);
                }
                self.default(name, kind)
            }
        }
    }

    /// The value of a setting that may be nothing.
    pub fn optional<T>(&mut self, name: &'static str, kind: &Kind<T>) -> Option<Option<T>> {
        match self.only_entry(name) {
            Some(entry) => Some(self.read(name, kind, entry)),
            None => Some(None),
        }
    }

    /// The values of a setting that several lines may set.
    pub fn many<T>(&mut self, name: &'static str, kind: &Kind<T>) -> Option<Vec<T>> {
        let entries = self.entries(name);
        if entries.is_empty() {
            if self.known(name).default == Unset::Compulsory {
                self.missing(name);
            }
            return Some(self.default(name, kind).into_iter().collect());
        }
        Some(entries.into_iter().filter_map(|entry| self.read(name, kind, entry)).collect())
    }

    /// Where the lines that set `name` have their values.
    pub fn places(&self, name: &str) -> Vec<Place> {
        self.entries(name).into_iter().map(|entry| entry.value_place.clone()).collect()
    }

    /// Whether a line sets `name`.
    pub fn is_set(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// Whether a line of the block itself sets `name`, and not one for all
    /// blocks.
    pub fn is_own(&self, name: &str) -> bool {
        self.is_set(name) && !self.inherited.contains(name)
    }

    /// Whether the values of all `names` are what was meant, so that it makes
    /// sense to compare them.
    pub fn are_sound(&self, names: &[&str]) -> bool {
        names.iter().all(|name| !self.faulty.contains(name))
    }

    /// Reports a contradiction: at the value of the first of `names` that a
    /// line sets, else at the head of the block or about the file.
    pub fn report(&mut self, severity: Severity, names: &[&str], message: &str, help: &str) {
        let place = names.iter().find_map(|name| self.places(name).pop());
        match place {
            Some(place) => self.report_at(severity, &place, message, help),
            None => {
                let diagnostic = self.about(severity, message);
                self.diagnostics.push(diagnostic.help(help));
            }
        }
    }

    /// Reports a contradiction in one line.
    pub fn report_at(&mut self, severity: Severity, place: &Place, message: &str, help: &str) {
        let diagnostic = Diagnostic::at(severity, place.clone(), message);
        self.diagnostics.push(diagnostic.help(help));
    }

    /// Reports a contradiction between two lines.
    pub fn clash(&mut self, place: &Place, message: &str, other: &Place, label: &str) {
        let diagnostic =
            Diagnostic::at(Severity::Error, place.clone(), message).related(other.clone(), label);
        self.diagnostics.push(diagnostic);
    }

    fn entries(&self, name: &str) -> Vec<&'a Entry> {
        self.by_name.get(name).cloned().unwrap_or_default()
    }

    /// The entry of a setting that one line may set; more are reported.
    fn only_entry(&mut self, name: &'static str) -> Option<&'a Entry> {
        let entries = self.entries(name);
        let (first, more) = entries.split_first()?;
        for entry in more {
            self.faulty.insert(name);
            let message = format!("`{name}` is set twice, and may be set once");
            self.clash(&entry.name_place, &message, &first.name_place, "first set here");
        }
        Some(first)
    }

    fn read<T>(&mut self, name: &'static str, kind: &Kind<T>, entry: &Entry) -> Option<T> {
        match read_entry(kind, entry) {
            Ok(value) => Some(value),
            Err(fault) => {
                self.faulty.insert(name);
                let expects = &kind.expects;
                self.diagnostics.push(bad_value(self.known(name), expects, entry, fault));
                None
            }
        }
    }

    /// What a setting is without a line of its own, or with a bad one.
    fn default<T>(&self, name: &str, kind: &Kind<T>) -> Option<T> {
        match self.known(name).default {
            Unset::Compulsory | Unset::Nothing(_) => None,
            Unset::Value(text) => kind.read(&Value { text, place: None }).ok(),
            Unset::SameAs(other) => match self.entries(other).first() {
                Some(entry) => read_entry(kind, entry).ok(),
                None => self.default(other, kind),
            },
        }
    }

    /// The row of a setting that the code asks for.
    fn known(&self, name: &str) -> &'static Row {
        self.vocabulary.row(name).expect("only settings of the table are asked for")
    }

    fn missing(&mut self, name: &'static str) {
        self.faulty.insert(name);
        let message = format!("`{name}` is not set, and has no default");
        let help = format!("add a line such as: {}", self.known(name).example);
        let error = self.about(Severity::Error, &message).help(help);
        self.diagnostics.push(error);
    }

    /// A message about no line: about the block, or the file.
    fn about(&self, severity: Severity, message: &str) -> Diagnostic {
        match &self.head {
            Some(head) => Diagnostic::at(severity, head.clone(), message),
            None => Diagnostic::about(severity, Arc::clone(&self.main), message),
        }
    }
}

fn read_entry<T>(kind: &Kind<T>, entry: &Entry) -> Result<T, Fault> {
    if entry.value.is_empty() {
        return Err(Fault::whole("", "there is no value"));
    }
    kind.read(&Value { text: &entry.value, place: Some(&entry.value_place) })
}

fn bad_value(row: &Row, expects: &str, entry: &Entry, fault: Fault) -> Diagnostic {
    let message = format!("`{}` needs {expects}", row.name);
    let place = entry.value_place.part(fault.at);
    let help = match fault.help {
        Some(help) => help,
        None if entry.value.contains(" #") => "a comment needs a line of its own".into(),
        None => format!("for example: {}", row.example),
    };
    Diagnostic::at(Severity::Error, place, message).label(fault.why).help(help)
}
