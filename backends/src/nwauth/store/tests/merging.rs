//! What a merge keeps, wherever it stops.

use super::*;

#[test]
fn lines_that_are_no_records_survive_every_merge() {
    let home = tempfile::tempdir().expect("a directory");
    let long = "x".repeat(200_000);
    let base = format!("# comment\nbob:1:\n{long}\nno colon");
    let journal = format!("what?\nann:2:\n{long}y\n");
    write(home.path(), Some(&base), Some(&journal));
    for _ in 0..2 {
        let store = open_with(home.path(), Some(0));
        store.merge_if_due().expect("merged");
        change(&store, set("ann", "2", None));
    }
    let merged = fs::read_to_string(home.path().join("nwauth.txt")).expect("a base");
    let mut lines: Vec<&str> = merged.lines().collect();
    lines.sort_unstable_by_key(|line| line.len());
    let short = ["what?", "ann:2:", "bob:1:", "no colon", "# comment"];
    assert_eq!(lines[..5].iter().copied().collect::<std::collections::BTreeSet<_>>(), short.into());
    assert_eq!(lines[5..].iter().map(|line| line.len()).collect::<Vec<_>>(), [200_000, 200_001]);
}

#[test]
fn a_merge_that_stops_anywhere_loses_nothing_and_can_be_done_again() {
    let steps = [
        Step::Written,
        Step::IndexInstalled,
        Step::BaseInstalled,
        Step::BaseDurable,
        Step::JournalRemoved,
    ];
    for stop_at in steps {
        let home = tempfile::tempdir().expect("a directory");
        write(home.path(), Some("a:1:\nb:1:\nodd\nc:1:\n"), Some("odd too\n"));
        let store = open_with(home.path(), Some(0));
        change(&store, set("b", "2", None));
        change(&store, set("d", "2", None));
        change(&store, delete("c"));
        let expected = everybody(&store);
        let stopped =
            store.merge_until(
                |step| {
                    if step == stop_at { Err(StoreError::Interrupted) } else { Ok(()) }
                },
            );
        assert!(stopped.is_err());
        // The store that lived through it, and one that starts afterwards.
        assert_eq!(everybody(&store), expected, "{stop_at:?}");
        let next = open_with(home.path(), Some(0));
        assert_eq!(everybody(&next), expected, "{stop_at:?}");
        for name in ["a", "b", "c", "d"] {
            assert_eq!(look(&next, name).is_some(), expected.contains_key(name));
        }
        change(&next, set("e", "3", None));
        next.merge_if_due().expect("merged");
        let merged = fs::read_to_string(home.path().join("nwauth.txt")).expect("a base");
        let mut lines: Vec<&str> = merged.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["a:1:", "b:2:", "d:2:", "e:3:", "odd", "odd too"], "{stop_at:?}");
    }
}

#[test]
fn files_are_for_the_owner_only_and_a_merge_keeps_the_mode() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().expect("a directory");
    let mode = |name: &str| {
        let metadata = fs::metadata(home.path().join(name)).expect("metadata");
        metadata.permissions().mode() & 0o777
    };
    let store = open_with(home.path(), Some(0));
    change(&store, set("bob", "1", None));
    assert_eq!(mode("nwauth.add"), 0o600);
    store.merge_if_due().expect("merged");
    assert_eq!(mode("nwauth.txt"), 0o600);
    let group = fs::Permissions::from_mode(0o640);
    fs::set_permissions(home.path().join("nwauth.txt"), group).expect("changed");
    change(&store, set("ann", "1", None));
    store.merge_if_due().expect("merged");
    assert_eq!(mode("nwauth.txt"), 0o640);
}

#[test]
fn what_root_writes_belongs_to_the_owner_of_the_folder() {
    use std::os::unix::fs::{MetadataExt, chown};
    let home = tempfile::tempdir().expect("a directory");
    // Only root can give a folder away; for anybody else there is no question.
    if chown(home.path(), Some(4321), Some(4322)).is_err() {
        return;
    }
    let store = open_with(home.path(), Some(0));
    change(&store, set("bob", "1", None));
    store.merge_if_due().expect("merged");
    change(&store, set("ann", "1", None));
    for name in ["nwauth.txt", "nwauth.add", "nwauth.idx", "nwauth.lock"] {
        let metadata = fs::metadata(home.path().join(name)).expect("metadata");
        assert_eq!((metadata.uid(), metadata.gid()), (4321, 4322), "{name}");
    }
}
