//! Random clients, held against a model of RFC 1939 that fits on one page.

use proptest::prelude::*;

use super::scripted::World;
use crate::config::SessionLimits;

#[derive(Debug, Clone)]
enum Move {
    Stat,
    List(Option<usize>),
    Uidl(Option<usize>),
    Retr(usize),
    Dele(usize),
    Rset,
    Junk,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let number = 0..6_usize;
    let one = prop_oneof![
        Just(Move::Stat),
        proptest::option::of(number.clone()).prop_map(Move::List),
        proptest::option::of(number.clone()).prop_map(Move::Uidl),
        number.clone().prop_map(Move::Retr),
        number.prop_map(Move::Dele),
        Just(Move::Rset),
        Just(Move::Junk),
    ];
    proptest::collection::vec(one, 0..30)
}

/// What RFC 1939 says about a mailbox: the messages, and which are marked.
struct Model {
    messages: Vec<String>,
    deleted: Vec<bool>,
}

impl Model {
    fn line(action: &Move) -> String {
        match action {
            Move::Stat => "STAT".to_owned(),
            Move::List(None) => "LIST".to_owned(),
            Move::List(Some(number)) => format!("LIST {number}"),
            Move::Uidl(None) => "UIDL".to_owned(),
            Move::Uidl(Some(number)) => format!("UIDL {number}"),
            Move::Retr(number) => format!("RETR {number}"),
            Move::Dele(number) => format!("DELE {number}"),
            Move::Rset => "RSET".to_owned(),
            Move::Junk => "XYZZY".to_owned(),
        }
    }

    /// The reply, without the words that the RFC leaves to the server.
    fn reply(&mut self, action: &Move) -> String {
        match action {
            Move::Stat => {
                let octets: usize = self.kept().map(|index| self.messages[index].len()).sum();
                format!("+OK {} {octets}\r\n", self.kept().count())
            }
            Move::List(None) => {
                self.listing(|model, index| model.messages[index].len().to_string())
            }
            Move::Uidl(None) => self.listing(|_, index| format!("uid-{index}")),
            Move::List(Some(number)) => self.of(*number, |model, index| {
                format!("+OK {number} {}\r\n", model.messages[index].len())
            }),
            Move::Uidl(Some(number)) => {
                self.of(*number, |_, index| format!("+OK {number} uid-{index}\r\n"))
            }
            Move::Retr(number) => self.of(*number, |model, index| {
                let stuffed = model.messages[index].replace("\n.", "\n..");
                format!("+OK\r\n{stuffed}.\r\n")
            }),
            Move::Dele(number) => self.of(*number, |model, index| {
                model.deleted[index] = true;
                "+OK\r\n".to_owned()
            }),
            Move::Rset => {
                self.deleted.fill(false);
                "+OK\r\n".to_owned()
            }
            Move::Junk => "-ERR\r\n".to_owned(),
        }
    }

    fn of(&mut self, number: usize, reply: impl FnOnce(&mut Self, usize) -> String) -> String {
        match number.checked_sub(1).filter(|index| self.kept().any(|kept| kept == *index)) {
            Some(index) => reply(self, index),
            None => "-ERR\r\n".to_owned(),
        }
    }

    fn listing(&self, value: impl Fn(&Self, usize) -> String) -> String {
        let lines = self.kept().map(|index| format!("{} {}\r\n", index + 1, value(self, index)));
        format!("+OK\r\n{}.\r\n", lines.collect::<String>())
    }

    fn kept(&self) -> impl Iterator<Item = usize> {
        (0..self.messages.len()).filter(|index| !self.deleted[*index])
    }
}

/// Cuts the free words off a status line, where `expected` has none either.
fn without_words(reply: &str, expected: &str) -> String {
    let (status, rest) = reply.split_once("\r\n").expect("a status line");
    match expected.split_once("\r\n").expect("a status line").0 {
        bare @ ("+OK" | "-ERR") if status.starts_with(bare) => format!("{bare}\r\n{rest}"),
        _ => reply.to_owned(),
    }
}

proptest! {
    #[test]
    fn a_random_client_hears_what_the_model_says(actions in moves(), count in 0_usize..5) {
        let messages: Vec<String> = (0..count)
            .map(|index| format!("Subject: {index}\r\n\r\n.{}\r\n", "x".repeat(index)))
            .collect();
        let mut model = Model { deleted: vec![false; count], messages: messages.clone() };
        let limits = SessionLimits { mistakes: 100, ..SessionLimits::default() };
        let mut world = World::new(&messages, true, limits);
        world.say("USER bob");
        world.say("PASS secret word");
        for action in &actions {
            let expected = model.reply(action);
            let reply = world.say(&Model::line(action));
            prop_assert_eq!(without_words(&reply, &expected), expected, "{:?}", action);
        }
        let kept: Vec<String> = model.kept().map(|index| messages[index].clone()).collect();
        prop_assert!(world.say("QUIT").starts_with("+OK"));
        // Nothing is written unless something was marked.
        prop_assert_eq!(world.committed, (kept.len() < count).then_some(kept));
    }
}
