//! A stored text: whatever it is, a salt and a verdict on a proof cost little,
//! and only keys sign anything.
#![no_main]

use dmail_core::{Evidence, Proof, ScramHash};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &[u8])| {
    let (stored, shown) = input;
    for hash in [ScramHash::Sha1, ScramHash::Sha256] {
        let salt = dmail_schemes::salt(stored, hash);
        if let Ok(Some(salt)) = &salt {
            assert!(salt.iterations > 0 && !salt.bytes.is_empty());
        }
        let evidence = Evidence::Scram { hash, said: (*b"said").into(), proof: shown.into() };
        let proof = Proof::new(evidence);
        let right = dmail_schemes::prove(stored, &proof);
        assert_eq!(right == Ok(true), proof.signature().is_some());
        assert!(right != Ok(true) || matches!(salt, Ok(Some(_))));
    }
});
