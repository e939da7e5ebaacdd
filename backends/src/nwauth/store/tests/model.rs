//! Random histories beside a map.

use proptest::prelude::*;

use super::*;

/// One step of a random history.
#[derive(Debug, Clone)]
enum Move {
    Set(u8, u8),
    Delete(u8),
    Reopen,
    Merge,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        6 => (0..12_u8, any::<u8>()).prop_map(|(user, hash)| Move::Set(user, hash)),
        3 => (0..12_u8).prop_map(Move::Delete),
        1 => Just(Move::Reopen),
        1 => Just(Move::Merge),
    ];
    prop::collection::vec(one, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_history_leaves_what_a_map_would(moves in moves()) {
        let home = tempfile::tempdir().expect("a directory");
        let mut store = open_with(home.path(), Some(0));
        let mut model = BTreeMap::new();
        for step in moves {
            match step {
                Move::Set(user, hash) => {
                    let (name, hash) = (format!("User{user}"), format!("h{hash}"));
                    change(&store, set(&name, &hash, None));
                    model.insert(key(&name), hash);
                }
                Move::Delete(user) => {
                    let name = format!("user{user}");
                    let edited = change(&store, delete(&name));
                    prop_assert_eq!(edited == Edited::Done, model.remove(&name).is_some());
                }
                Move::Reopen => store = open_with(home.path(), Some(0)),
                Move::Merge => store.merge_if_due().expect("merged"),
            }
            prop_assert_eq!(&everybody(&store), &model);
        }
        for user in 0..12 {
            let name = format!("user{user}");
            let found = store.find(&name).expect("an answer");
            prop_assert_eq!(found.is_some(), model.contains_key(&name));
        }
    }
}
