//! One line of a TCPAuth daemon: an account, a signature or a salt that is read
//! is the same one when it is written and read again.
#![no_main]

use dmail_core::{Account, Evidence, Proof, Purpose, SaltQuestion, ScramHash, Username, Verdict};
use dmail_tcpauth::wire::{self, Answer, ServerLine, Welcome};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &[u8]| {
    let _ = Welcome::parse(line);
    let Ok(ServerLine::Answer(id, answer)) = ServerLine::parse(line) else { return };
    let (purpose, account) = match &answer {
        Answer::Accepted(account) => (Purpose::Lookup, account.clone()),
        Answer::Proved(account, signature) => {
            let evidence = Evidence::CramMd5 { challenge: Box::default(), digest: [0; 16] };
            let proof = Proof::new(evidence);
            proof.sign(signature.clone());
            (Purpose::Prove(proof), account.clone())
        }
        Answer::Salt(salt) => {
            let question = SaltQuestion::new(ScramHash::Sha256);
            question.tell(salt.clone());
            let bob = Username::parse(b"bob").expect("a name");
            (Purpose::Salt(question), Account::named(bob))
        }
        _ => return,
    };
    let mut written = Vec::new();
    wire::write_judgement(&mut written, id, &purpose, &Ok(Verdict::accepted(account)));
    match ServerLine::parse(written.strip_suffix(b"\n").expect("a line")) {
        // An account that was short with fewer escapes may be too long now.
        Ok(ServerLine::Answer(_, Answer::Dead(_))) => {}
        Ok(ServerLine::Answer(again, found)) => assert_eq!((again, found), (id, answer)),
        other => panic!("{other:?}"),
    }
});
