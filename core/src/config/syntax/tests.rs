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
    assert!(messages(&[("etc/dmail.conf", "#included below\n# include x\n#Include x")]).is_empty());
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
