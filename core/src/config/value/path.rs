//! File names.

use std::path::{Component, Path, PathBuf};

use super::super::place::Place;
use super::{Fault, Kind, Value};

/// A file or folder. A name that does not start with `/` counts from the
/// folder of the file that the setting stands in.
pub fn path() -> Kind<PathBuf> {
    Kind::new("the name of a file or folder, without blanks", |value| {
        resolve(value.text, value.place)
    })
}

/// A file below a home folder: `~/…`, of which what follows is the value.
pub fn below_home() -> Kind<PathBuf> {
    Kind::new("a file below the home folder, written `~/` and its path", |value| {
        let text = value.text;
        let Some(below) = text.strip_prefix("~/") else {
            let fault = Fault::whole(text, "does not start with `~/`");
            return Err(fault.help("drop files elsewhere are for `drop_path` of dmail.conf"));
        };
        if let Some(at) = text.find(char::is_whitespace) {
            return Err(Fault::part(at..text.len(), "a path has no blanks"));
        }
        let below = PathBuf::from(below);
        let plain = |part: Component<'_>| matches!(part, Component::Normal(_));
        if below.file_name().is_none() || !below.components().all(plain) || text.ends_with('/') {
            return Err(Fault::part(2..text.len(), "not the path of a file"));
        }
        Ok(below)
    })
}

/// `text` as a path, seen from the file of `place`.
///
/// # Errors
///
/// If it is not written as paths are.
pub fn resolve(text: &str, place: Option<&Place>) -> Result<PathBuf, Fault> {
    if let Some(at) = text.find(char::is_whitespace) {
        return Err(Fault::part(at..text.len(), "a path has no blanks"));
    }
    if text.contains('"') {
        return Err(Fault::whole(text, "a path is written without quotes"));
    }
    if text.starts_with('~') {
        let fault = Fault::part(0..1, "only unixauth.ini knows home folders");
        let help = "with `authent_method unix_user`: a folder here, `drop_root /home` here, \
                    and `drop_path ~/mbox` in unixauth.ini";
        return Err(fault.help(help));
    }
    let beside = place.and_then(|place| place.file.parent()).unwrap_or(Path::new(""));
    Ok(beside.join(text))
}

/// A program: like a path if it has a `/` in it, else looked for in `PATH`.
pub(super) fn program(text: &str, value: &Value<'_>) -> Result<PathBuf, Fault> {
    if text.contains('/') { resolve(text, value.place) } else { Ok(text.into()) }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{read, refuses};
    use super::*;

    #[test]
    fn a_path_counts_from_the_folder_of_its_file() {
        let place = Place {
            file: Path::new("/etc/dmail/dmail.conf").into(),
            line: 1,
            span: 0..0,
            text: "".into(),
            order: 0,
        };
        for (text, expected) in [
            ("/var/spool/mail", "/var/spool/mail"),
            ("work", "/etc/dmail/work"),
            ("../work", "/etc/dmail/../work"),
        ] {
            let found = resolve(text, Some(&place)).expect(text);
            assert_eq!(found, Path::new(expected), "{text}");
        }
        assert_eq!(read(&path(), "work").as_deref(), Ok(Path::new("work")));
    }

    #[test]
    fn a_path_has_neither_blanks_nor_tricks() {
        refuses(&path(), "/var/my mail", 7..12, "a path has no blanks");
        refuses(&path(), "\"/var\"", 0..6, "a path is written without quotes");
        refuses(&path(), "~/mail", 0..1, "only unixauth.ini knows home folders");
    }
}
