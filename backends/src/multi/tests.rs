//! What the file may say, and that what it says is what is opened.

use std::fs;
use std::path::Path;

use dmail_core::{AuthRequest, Origin, Service, Username, Verdict};
use dmail_schemes::Scheme;

use super::*;
use crate::SourceSettings;
use crate::nwauth::NwAuthConfig;

#[test]
fn the_documentation_is_the_manual() {
    crate::manual::is_documented("multiauth.ini.md", &VOCABULARY);
}

#[test]
fn every_setting_has_a_meaning_and_an_example_of_itself() {
    let mut names: Vec<&str> = VOCABULARY.rows().map(|row| row.name).collect();
    for row in VOCABULARY.rows() {
        assert!(row.meaning.trim().ends_with('.'), "{}", row.name);
        assert_eq!(row.example.split(' ').next(), Some(row.name));
    }
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), VOCABULARY.rows().count(), "a name stands in the table twice");
}

#[test]
fn the_examples_of_the_documentation_are_good() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/multiauth.md");
    let text = fs::read_to_string(file).expect("the documentation");
    let examples: Vec<&str> =
        text.split("```ini\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(examples.len() >= 6, "{examples:?}");
    for example in examples {
        // Their files are not here, and not all bases need be built in.
        let replaced: String = example
            .lines()
            .map(|line| match line.starts_with("source ") {
                true => "source nwauth /etc/dmail\n".to_owned(),
                false => format!("{line}\n"),
            })
            .collect();
        let (_folder, path) = written(&replaced);
        let found: Vec<_> = check(&path).iter().map(ToString::to_string).collect();
        assert_eq!(found, [""; 0], "{example}");
    }
}

/// A file in a folder of its own.
fn written(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("multiauth.ini");
    fs::write(&path, text).expect("room");
    (folder, path)
}

/// What is said about a file, without its folder.
fn said(text: &str) -> Vec<String> {
    let (folder, path) = written(text);
    let prefix = format!("{}/", folder.path().display());
    check(&path).iter().map(|found| found.to_string().replace(&prefix, "")).collect()
}

#[test]
fn a_file_of_the_original_is_good() {
    let text = "loglevel error\n\
                match * \n\
                \n\
                module 20 \t\n\
                binary /usr/local/dmail/nwauth -path /etc/dmail  \n\
                do_set existing\n\
                lookup *@corp.example\n\
                timeout 20\n\
                \n\
                module 10\n\
                binary \"/usr/local/dmail/ldapauth\" -log\n\
                do_del true\n\
                strip_suffix @corp.example \n";
    let (_folder, path) = written(text);
    let loaded = load(&path);
    let warnings: Vec<_> = loaded.diagnostics.iter().map(ToString::to_string).collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("`loglevel` is known to the original"), "{warnings:?}");
    let modules = loaded.settings.expect("a chain");
    let names: Vec<_> = modules.iter().map(Module::name).collect();
    assert_eq!(names, ["module 10 (ldapauth)", "module 20 (nwauth)"]);
    let verbs = modules[1].verbs();
    let lookup = verbs.lookup.expect("it answers lookups");
    assert!(lookup.includes("bob@corp.example") && !lookup.includes("bob"));
    assert!(verbs.check.expect("it checks").includes("bob"));
    assert!(verbs.del.is_none() && modules[0].verbs().del.is_some());
    assert_eq!(modules[1].follows.timeout.as_secs(), 20);
    assert_eq!(modules[0].affix().suffix.as_ref(), "@corp.example");
}

#[test]
fn every_contradiction_has_its_line_and_its_remedy() {
    // What is wrong, and how the one message about it starts and ends.
    let good = "module 10\nsource nwauth a\n";
    let rows = [
        ("", "multiauth.ini: error: there is no module to ask", "nwauth users"),
        ("module 10\n", "multiauth.ini:1:8: error: the module has neither", "/etc/dmail"),
        (
            "module 10\nsource nwauth a\nbinary /x\n",
            "multiauth.ini:3:8: error: the module has both",
            "make two modules of it",
        ),
        (
            "module 10\nsource nwauth a\nmodule 10\nsource nwauth b\n",
            "multiauth.ini:3:8: error: module 10 stands twice",
            "(first here: line 1)",
        ),
        (
            "module 10\nsource nwauth a\non_unkown stop\n",
            "multiauth.ini:3:1: warning: there is no setting",
            "did you mean `on_unknown`?",
        ),
        (
            "module 10\nsource nwauth a\nnumber 4\n",
            "multiauth.ini:3:8: warning: `number` means nothing to a module with a `source`",
            "leave the line away",
        ),
        (
            "module 10\nsource nwauth a\ndo_lookup false\n",
            "multiauth.ini: error: no module says who the users are",
            "do_lookup true",
        ),
        (
            "module 10\nsource nwauth a\ndo_check false\n",
            "multiauth.ini: warning: no module checks passwords",
            "do_check true",
        ),
        (
            "module 20\nsource nwauth b\nmerge quota\nmodule 10\nsource nwauth a\n",
            "multiauth.ini:3:7: error: `merge` is for",
            "role merge",
        ),
        (
            "module 10\nsource nwauth a\nmodule 20\nsource nwauth b\nrole shadow\non_unknown stop\n",
            "multiauth.ini:6:12: warning: `on_unknown` means nothing",
            "leave the line away",
        ),
        (
            "module 10\nsource nwauth a\nmodule 20\nsource nwauth b\nmigrate 5\n",
            "multiauth.ini:5:9: error: users cannot move to module 5: there is no such",
            "before this one",
        ),
        (
            "module 10\nsource nwauth a\nmigrate 20\nmodule 20\nsource nwauth b\n",
            "multiauth.ini:3:9: error: users cannot move to module 20: it is not asked before",
            "before this one",
        ),
        (
            "module 10\nsource nwauth a\ndo_set false\nmodule 20\nsource nwauth b\nmigrate 10\n",
            "multiauth.ini:6:9: error: users cannot move to module 10: with do_set false",
            "before this one",
        ),
        (
            "module 10\nsource nwauth a\nstrip_prefix corp_\n",
            "multiauth.ini:3:14: warning: `strip_prefix` without `match`",
            "match PREFIX*",
        ),
        (
            "module 10\nsource multi x.ini\n",
            "multiauth.ini:2:8: error: `source` needs a word of `authent_method`",
            "known are: nwauth, ",
        ),
        (
            "module 10\nsource nwauth a\nrole verify\ndo_set existing\nmodule 20\nsource nwauth b\n",
            "multiauth.ini:4:8: error: which users a module has",
            "that answers lookups",
        ),
    ];
    assert_eq!(said(good), [""; 0]);
    assert_eq!(said(&format!("{good}strip_suffix @x.example\nmatch *@x.example\n")), [""; 0]);
    for (text, start, end) in rows {
        let said = said(text);
        assert_eq!(said.len(), 1, "{text}: {said:?}");
        assert!(said[0].starts_with(start) && said[0].contains(end), "{text}: {}", said[0]);
    }
}

#[test]
fn a_source_of_tokens_only_verifies() {
    let chain =
        |role: &str| format!("module 10\nsource nwauth a\nmodule 20\nsource oauth2\n{role}");
    let said = |role: &str| {
        let (folder, path) = written(&chain(role));
        fs::write(folder.path().join("secret"), "x".repeat(32)).expect("room");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(folder.path().join("secret"), mode).expect("it is ours");
        let lines = "issuer i\naudience a\nshared_key * secret\n";
        fs::write(folder.path().join("oauth2.ini"), lines).expect("room");
        check(&path).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(said("role verify\n"), [""; 0]);
    for role in ["", "role answer\n", "role shadow\n", "role merge\n"] {
        let said = said(role);
        assert!(said.len() == 1 && said[0].ends_with("add the line: role verify"), "{said:?}");
    }
}

fn settings(file: &Path) -> SourceSettings {
    SourceSettings {
        file: file.to_owned(),
        launcher: Vec::new(),
        nwauth: NwAuthConfig {
            scheme: Scheme::Ssha256,
            ..NwAuthConfig::new(file.with_file_name("nowhere"))
        },
    }
}

#[tokio::test]
async fn the_modules_are_opened_where_the_file_says() {
    let text = "module 20\nsource nwauth second\nmodule 10\nsource nwauth first\n";
    let (folder, path) = written(text);
    for (name, user) in [("first", "ann"), ("second", "bob")] {
        let base = folder.path().join(name);
        fs::create_dir(&base).expect("room");
        fs::write(base.join("nwauth.txt"), format!("{user}:*secret:\n")).expect("room");
    }
    let chain = open(&settings(&path)).await.expect("a chain");
    for (name, known) in [("ann", true), ("bob", true), ("eve", false)] {
        let user = Username::parse(name.as_bytes()).expect("a name");
        let lookup = AuthRequest::lookup(user, Origin::local(Service::Smtp));
        let verdict = chain.authenticate(&lookup).await.expect("an answer");
        assert_eq!(matches!(verdict, Verdict::Accepted(_)), known, "{name}");
    }
}

#[tokio::test]
async fn a_module_that_cannot_be_opened_is_named() {
    let (_folder, path) = written("module 10\nsource nwauth missing\n");
    let Err(error) = open(&settings(&path)).await else { panic!("there is no such folder") };
    assert!(error.to_string().starts_with("module 10 (nwauth) of multiauth.ini: "), "{error}");
    let Err(error) = open(&settings(Path::new("/nonexistent/multiauth.ini"))).await else {
        panic!("there is no such file")
    };
    assert!(error.to_string().contains("/nonexistent/multiauth.ini"), "{error}");
}
