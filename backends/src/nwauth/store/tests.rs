//! The store against files: what is found, what survives, who sees what.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::*;

mod merging;
mod model;
mod sharing;

fn open_with(path: &Path, journal_limit: Option<u64>) -> Store {
    Store::open(Directory::new(path, false), journal_limit).expect("an open store")
}

fn open(path: &Path) -> Store {
    open_with(path, None)
}

fn set(name: &str, hash: &str, info: Option<&str>) -> Edit {
    Edit {
        name: name.to_owned(),
        action: EditAction::Set {
            hash: Some(Zeroizing::new(hash.into())),
            info: info.map(Into::into),
        },
    }
}

fn keep(name: &str, info: Option<&str>) -> Edit {
    Edit {
        name: name.to_owned(),
        action: EditAction::Set { hash: None, info: info.map(Into::into) },
    }
}

fn delete(name: &str) -> Edit {
    Edit { name: name.to_owned(), action: EditAction::Delete }
}

fn change(store: &Store, edit: Edit) -> Edited {
    store.change(vec![edit]).expect("a change")[0]
}

/// Hash and info of a user, separated by a colon. What is found at once, before
/// and after, is the same.
fn look(store: &Store, name: &str) -> Option<String> {
    let text = |record: Record| {
        let hash = String::from_utf8_lossy(&record.hash).into_owned();
        format!("{hash}:{}", record.info_text())
    };
    let before = store.find_at_once(name);
    let found = store.find(name).expect("an answer").map(text);
    for at_once in [before, store.find_at_once(name)].into_iter().flatten() {
        assert_eq!(at_once.map(text), found, "{name}, at once");
    }
    found
}

#[test]
fn what_was_just_read_is_found_at_once_on_this_machine() {
    let home = tempfile::tempdir().expect("a folder");
    write(home.path(), Some("bob:one:\n"), None);
    let store = open(home.path());
    if !store.local {
        // Elsewhere every lookup takes the patient way.
        return;
    }
    assert_eq!(look(&store, "bob").as_deref(), Some("one:"));
    assert!(store.find_at_once("bob").is_some());
    write(home.path(), None, Some("bob:two:\n"));
    assert!(store.find_at_once("bob").is_none(), "the journal has to be read first");
    assert_eq!(look(&store, "bob").as_deref(), Some("two:"));
    let _busy = store.view.write().expect("no panic");
    assert!(store.find_at_once("bob").is_none(), "nobody waits for a lock");
}

/// Everybody, by name in lower case, through the listing.
fn everybody(store: &Store) -> BTreeMap<String, String> {
    let all = listing::Query { wanted: &|_| true, from: 0, max: usize::MAX };
    let listed = store.list(all).expect("a list");
    assert_eq!(listed.hits.len(), listed.scanned);
    let row =
        |record: Record| (key(&record.name), String::from_utf8_lossy(&record.hash).into_owned());
    listed.hits.into_iter().map(row).collect()
}

fn write(home: &Path, base: Option<&str>, journal: Option<&str>) {
    for (name, text) in [("nwauth.txt", base), ("nwauth.add", journal)] {
        if let Some(text) = text {
            fs::write(home.join(name), text).expect("written");
        }
    }
}

#[test]
fn the_last_line_about_a_user_is_true() {
    type Row<'a> = (Option<&'a str>, Option<&'a str>, Option<&'a str>);
    // nwauth.txt, nwauth.add, what bob is.
    let rows: &[Row<'_>] = &[
        (None, None, None),
        (Some(""), Some(""), None),
        (Some("bob:1:a\n"), None, Some("1:a")),
        (Some("bob:1:a"), None, Some("1:a")),
        (Some("bob:1:a\r\n"), None, Some("1:a")),
        (Some("Bob:1:\n"), None, Some("1:")),
        (Some("bob:1:\nann:2:\nBOB:3:\n"), None, Some("3:")),
        (Some("bob:1:\nbob:(DELETE):\n"), None, None),
        (Some("bob:(DELETE):\nbob:1:\n"), None, Some("1:")),
        (Some("bobby:1:\nxbob:2:\n"), None, None),
        (Some("# users\n\nno colon\nbob:1:\n"), None, Some("1:")),
        (None, Some("bob:2:b:c\n"), Some("2:b:c")),
        (Some("bob:1:\n"), Some("BOB:2:\n"), Some("2:")),
        (Some("bob:1:\n"), Some("bob:2:\nbob:3:\n"), Some("3:")),
        (Some("bob:1:\n"), Some("bob:(DELETE):\n"), None),
        (Some("bob:1:\n"), Some("bob:(DELETE):\nbob:4:\n"), Some("4:")),
        (Some("bob:1:\n"), Some("garbage\nbob:5:\n"), Some("5:")),
        // An append that did not end was never acknowledged.
        (Some("bob:1:\n"), Some("bob:2:\nbob:3"), Some("2:")),
        (Some("bob:1:\n"), Some("bob:(DELETE):"), Some("1:")),
    ];
    for (base, journal, expected) in rows {
        let home = tempfile::tempdir().expect("a directory");
        write(home.path(), *base, *journal);
        let store = open(home.path());
        for name in ["bob", "BOB"] {
            assert_eq!(look(&store, name).as_deref(), *expected, "{base:?} {journal:?}");
        }
        let listed = everybody(&store);
        let hash = expected.and_then(|text| text.split(':').next());
        assert_eq!(listed.get("bob").map(String::as_str), hash, "{base:?} {journal:?}");
        // A merge changes the files and nothing else.
        if journal.is_some_and(|journal| !journal.is_empty()) {
            let merging = open_with(home.path(), Some(0));
            merging.merge_if_due().expect("merged");
            assert!(!home.path().join("nwauth.add").exists());
            assert_eq!(look(&merging, "bob").as_deref(), *expected, "{base:?} {journal:?}");
            assert_eq!(everybody(&merging), listed);
        }
    }
}

#[test]
fn changes_are_appended_and_keep_what_they_do_not_name() {
    let home = tempfile::tempdir().expect("a directory");
    write(home.path(), Some("Bob:1:a=\"x\"\n"), Some("ann:9:\ntorn:1"));
    let store = open(home.path());
    let rows = [
        (set("BOB", "2", None), Edited::Done, Some("2:a=\"x\"")),
        (keep("bob", Some("b=\"y\"")), Edited::Done, Some("2:b=\"y\"")),
        (keep("bob", None), Edited::Done, Some("2:b=\"y\"")),
        (set("bob", "3", Some("")), Edited::Done, Some("3:")),
        (set("bob", "a:b", None), Edited::Unwritable, Some("3:")),
        (set("bob", "4", Some("x\nroot:0:")), Edited::Unwritable, Some("3:")),
        (delete("bob"), Edited::Done, None),
        (delete("bob"), Edited::UnknownUser, None),
        (keep("bob", Some("")), Edited::UnknownUser, None),
    ];
    for (edit, edited, expected) in rows {
        assert_eq!(change(&store, edit), edited);
        assert_eq!(look(&store, "bob").as_deref(), expected);
        assert_eq!(look(&open(home.path()), "bob").as_deref(), expected);
    }
    let journal = fs::read_to_string(home.path().join("nwauth.add")).expect("a journal");
    assert!(journal.starts_with("ann:9:\nbob:2:a=\"x\"\n"), "the torn line is gone: {journal}");
    assert!(journal.ends_with("bob:(DELETE):\n"), "{journal}");
}

#[test]
fn edits_of_one_call_see_each_other() {
    let home = tempfile::tempdir().expect("a directory");
    let store = open(home.path());
    let edits = vec![
        set("bob", "1", Some("a")),
        keep("bob", Some("b")),
        delete("bob"),
        keep("bob", None),
        set("bob", "2", None),
    ];
    let done = store.change(edits).expect("changes");
    use Edited::{Done, UnknownUser};
    assert_eq!(done, [Done, Done, Done, UnknownUser, Done]);
    assert_eq!(look(&store, "bob").as_deref(), Some("2:"));
}

#[test]
fn a_rehash_does_not_undo_a_newer_password() {
    let home = tempfile::tempdir().expect("a directory");
    write(home.path(), Some("bob:*old:a\n"), None);
    let store = open(home.path());
    let rehash = Edit {
        name: "bob".to_owned(),
        action: EditAction::Rehash {
            from: Zeroizing::new(b"*old".to_vec()),
            to: Zeroizing::new(b"new".to_vec()),
        },
    };
    assert_eq!(change(&store, rehash.clone()), Edited::Done);
    assert_eq!(look(&store, "bob").as_deref(), Some("new:a"));
    assert_eq!(change(&store, rehash), Edited::Unchanged);
}

#[test]
fn a_damaged_or_foreign_index_is_rebuilt() {
    let home = tempfile::tempdir().expect("a directory");
    let users = 5_000;
    let base: String = (0..users).map(|user| format!("user{user}:{user}:\n")).collect();
    write(home.path(), Some(&base), None);
    let index = home.path().join("nwauth.idx");
    drop(open(home.path()));
    let sound = fs::read(&index).expect("an index");
    let store = open(home.path());
    for page in 1..sound.len() / 512 {
        let mut damaged = sound.clone();
        damaged[page * 512..page * 512 + 512].fill(0);
        // In place, under the store's open file.
        fs::write(&index, &damaged).expect("written");
        for user in [0, 17, users - 1] {
            assert_eq!(look(&store, &format!("user{user}")), Some(format!("{user}:")));
        }
        if page == 3 {
            break;
        }
    }
    for junk in [&b""[..], b"junk", &sound[..512], &sound[..sound.len() - 1]] {
        fs::write(&index, junk).expect("written");
        assert_eq!(look(&open(home.path()), "user42").as_deref(), Some("42:"));
    }
    // An index of another file that looks the same in size.
    fs::write(&index, &sound).expect("written");
    let other: String = (0..users).rev().map(|user| format!("user{user}:{user}:\n")).collect();
    write(home.path(), Some(&other), None);
    assert_eq!(look(&open(home.path()), "user42").as_deref(), Some("42:"));
}

#[test]
fn a_read_only_store_writes_nothing() {
    let home = tempfile::tempdir().expect("a directory");
    write(home.path(), Some("bob:1:\n"), Some("ann:2:\n"));
    let store = Store::open(Directory::new(home.path(), true), Some(0)).expect("a store");
    store.merge_if_due().expect("nothing to do");
    assert_eq!(look(&store, "bob").as_deref(), Some("1:"));
    assert_eq!(look(&store, "ann").as_deref(), Some("2:"));
    let mut names: Vec<_> = fs::read_dir(home.path())
        .expect("a directory")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["nwauth.add", "nwauth.txt"]);
}

#[test]
fn twenty_thousand_users_are_found_one_by_one() {
    let home = tempfile::tempdir().expect("a directory");
    let base: String = (0..20_000).map(|user| format!("User{user}:{user}:\n")).collect();
    write(home.path(), Some(&base), None);
    let store = open(home.path());
    for user in 0..20_000 {
        assert_eq!(look(&store, &format!("user{user}")), Some(format!("{user}:")));
    }
    assert_eq!(look(&store, "user20000"), None);
    assert_eq!(everybody(&store).len(), 20_000);
}
