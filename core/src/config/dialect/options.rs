//! The words `NAME=VALUE` of a line `dialect`.

use std::ops::Range;

use super::super::place::Place;
use super::super::suggest;
use super::super::value::{Fault, Kind, ListenOn, Value};
use super::option_table::{OPTIONS, Of};
use super::table::DialectRow;

/// The options of one line, each of which its dialect or its socket has.
pub(super) struct Options<'a> {
    given: Vec<Given<'a>>,
    place: Option<&'a Place>,
    /// The dialect.
    row: &'a DialectRow,
}

/// One word.
struct Given<'a> {
    at: Range<usize>,
    name: &'a str,
    value: &'a str,
}

impl<'a> Options<'a> {
    /// Reads `words`, which belong to no socket of the kind of `on`.
    pub(super) fn of(
        row: &'a DialectRow,
        on: &ListenOn,
        place: Option<&'a Place>,
        words: &[(Range<usize>, &'a str)],
    ) -> Result<Self, Fault> {
        let (of_socket, of_other) = match on {
            ListenOn::Tcp(_) => (Of::Tcp, Of::Unix),
            ListenOn::Unix(_) => (Of::Unix, Of::Tcp),
        };
        let of = |what| OPTIONS.iter().filter(move |option| option.of == what);
        let mut given: Vec<Given<'a>> = Vec::new();
        for (at, word) in words {
            let Some((name, value)) = word.split_once('=') else {
                return Err(Fault::part(at.clone(), "an option is written NAME=VALUE"));
            };
            let fault = |why: String| Fault::part(at.clone(), why);
            let own = OPTIONS.iter().filter(|option| option.is_of(row.name));
            let known = own.chain(of(of_socket)).map(|option| option.name);
            if !known.clone().any(|known| known == name) {
                if of(of_other).any(|option| option.name == name) {
                    let (kind, instead) = match on {
                        ListenOn::Tcp(_) => ("an address", "clients are let in by allow="),
                        ListenOn::Unix(_) => {
                            ("a unix socket", "clients are let in by mode=, owner= and group=")
                        }
                    };
                    return Err(fault(format!("{kind} has no {name}=")).help(instead));
                }
                let help = match suggest::closest(name, known.clone()) {
                    Some(close) => format!("did you mean {close}=?"),
                    None => format!("it has {}=", known.collect::<Vec<_>>().join("=, ")),
                };
                return Err(fault(format!("{} has no option {name}=", row.name)).help(help));
            }
            if given.iter().any(|other| other.name == name) {
                return Err(fault(format!("{name}= is there twice")));
            }
            if value.is_empty() {
                return Err(fault(format!("{name}= has no value")));
            }
            given.push(Given { at: at.clone(), name, value });
        }
        Ok(Self { given, place, row })
    }

    /// The value of the option `name`, if it is there.
    pub(super) fn take<T>(&mut self, name: &str, kind: &Kind<T>) -> Result<Option<T>, Fault> {
        let Some(index) = self.given.iter().position(|option| option.name == name) else {
            return Ok(None);
        };
        let Given { at, value, .. } = self.given.swap_remove(index);
        let start = at.start + name.len() + 1;
        let read = kind.read(&Value { text: value, place: self.place });
        read.map(Some).map_err(|fault| {
            let Fault { at, why, help } = fault.moved(start);
            let help = help.unwrap_or_else(|| format!("{name}= needs {}", kind.expects));
            Fault::part(at, why).help(help)
        })
    }

    /// The value of the option `name`, which must be there.
    pub(super) fn need<T>(&mut self, name: &str, kind: &Kind<T>) -> Result<T, Fault> {
        let value = self.take(name, kind)?;
        value.ok_or_else(|| {
            // What is missing is missing where the dialect is named.
            let fault = Fault::part(0..self.row.name.len(), format!("{name}= is missing"));
            let mut own = OPTIONS.iter().filter(|option| option.is_of(self.row.name));
            match own.find(|option| option.name == name) {
                Some(option) => fault.help(format!("add {name}={}", option.value)),
                None => fault,
            }
        })
    }

    /// To be called when all is taken: what is listed as an option is read.
    pub(super) fn end(self) {
        debug_assert!(self.given.is_empty(), "an option that {} does not read", self.row.name);
    }
}
