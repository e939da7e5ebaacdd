//! Several stores, programs and threads on the same files.

use super::*;

#[test]
fn two_stores_see_each_others_changes_at_once() {
    let home = tempfile::tempdir().expect("a directory");
    let (one, two) = (open_with(home.path(), Some(100)), open_with(home.path(), Some(100)));
    for round in 0..50 {
        let (writer, reader) = if round % 2 == 0 { (&one, &two) } else { (&two, &one) };
        let hash = format!("h{round}");
        assert_eq!(change(writer, set("bob", &hash, None)), Edited::Done);
        assert_eq!(look(reader, "bob"), Some(format!("{hash}:")));
        if round % 7 == 0 {
            writer.merge_if_due().expect("merged");
            assert_eq!(look(reader, "bob"), Some(format!("{hash}:")));
        }
        if round % 10 == 3 {
            assert_eq!(change(writer, delete("bob")), Edited::Done);
            assert_eq!(look(reader, "bob"), None);
        }
    }
}

#[test]
fn an_editor_may_rewrite_the_base() {
    let home = tempfile::tempdir().expect("a directory");
    write(home.path(), Some("bob:1:\n"), None);
    let store = open(home.path());
    assert_eq!(look(&store, "bob").as_deref(), Some("1:"));
    write(home.path(), Some("ann:1:\nbob:22:\n"), None);
    assert_eq!(look(&store, "bob").as_deref(), Some("22:"));
    fs::remove_file(home.path().join("nwauth.txt")).expect("removed");
    assert_eq!(look(&store, "bob"), None);
}

#[test]
fn many_callers_share_flushes_and_none_is_forgotten() {
    let home = tempfile::tempdir().expect("a directory");
    let stores = [open_with(home.path(), Some(2_000)), open_with(home.path(), Some(2_000))];
    std::thread::scope(|scope| {
        for (which, store) in stores.iter().enumerate() {
            for caller in 0..4 {
                scope.spawn(move || {
                    for round in 0..25 {
                        let name = format!("u{which}.{caller}.{round}");
                        assert_eq!(change(store, set(&name, "1", None)), Edited::Done);
                        store.merge_if_due().expect("merged");
                        assert!(look(store, &name).is_some(), "{name}");
                    }
                });
            }
        }
    });
    assert_eq!(everybody(&stores[0]).len(), 200);
    assert_eq!(everybody(&open(home.path())).len(), 200);
}
