//! What a client says in a login: any messages, in each mechanism. No proof is
//! let through without being asked about, and no login ends twice.
#![no_main]

use dmail_core::sasl::{Exchange, Mechanism, Terms, Turn};
use dmail_core::{Account, Purpose, Rejection, Salt, Secret, Verdict};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, bool, Vec<(Vec<u8>, Option<Vec<u8>>, bool)>)| {
    let (which, plus_offered, messages) = input;
    let mechanism = Mechanism::ALL[usize::from(which) % Mechanism::ALL.len()];
    let nonce = "3rfcNHYJY1ZVvWVs7j".into();
    let mut exchange =
        Exchange::new(mechanism, Terms { nonce, plus_offered, max_name: 255, issuer: None });
    let _ = exchange.begin();
    let mut over = false;
    for (message, binding, yes) in messages {
        let mut turn = exchange.respond(&Secret::new(message), binding.as_deref());
        let mut asked = false;
        while let Turn::Ask(user, purpose) = turn {
            assert!(!over && !asked, "a question too many");
            asked = true;
            match &purpose {
                Purpose::Salt(question) => {
                    question.tell(Salt { bytes: (*b"salt").into(), iterations: 4096 });
                }
                Purpose::Prove(proof) => proof.sign(*b"signature"),
                Purpose::Check(secret) => assert!(!secret.is_empty()),
                Purpose::Lookup => panic!("no login is a lookup"),
            }
            let answer = exchange.answered(match yes {
                true => Verdict::accepted(Account::named(user)),
                false => Verdict::Rejected(Rejection::not_verified(&user)),
            });
            turn = answer.expect("there is a salt, and a signature");
        }
        match turn {
            Turn::Accepted(..) => {
                assert!(asked && yes && !over, "{mechanism}: nobody said yes");
                over = true;
            }
            Turn::Refused(_) | Turn::Flawed(..) => over = true,
            Turn::Say(..) => assert!(!over, "{mechanism}: it was over"),
            Turn::Ask(..) => unreachable!("they were answered"),
        }
    }
});
