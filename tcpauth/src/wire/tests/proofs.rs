//! Passwords that are shown without being told.

use dmail_core::{Evidence, Proof, Proofs, Salt, SaltQuestion, ScramHash};

use super::*;

fn bytes(length: impl Into<proptest::collection::SizeRange>) -> impl Strategy<Value = Box<[u8]>> {
    proptest::collection::vec(any::<u8>(), length).prop_map(Vec::into_boxed_slice)
}

fn hashes() -> impl Strategy<Value = ScramHash> {
    proptest::sample::select(&[ScramHash::Sha1, ScramHash::Sha256][..])
}

/// Questions for salts, and proofs.
pub(super) fn purposes() -> impl Strategy<Value = Purpose> {
    let scram = (hashes(), bytes(0..60), bytes(0..40))
        .prop_map(|(hash, said, proof)| Proof::new(Evidence::Scram { hash, said, proof }));
    let cram = (bytes(0..40), any::<[u8; 16]>())
        .prop_map(|(challenge, digest)| Proof::new(Evidence::CramMd5 { challenge, digest }));
    prop_oneof![
        hashes().prop_map(|hash| Purpose::Salt(SaltQuestion::new(hash))),
        prop_oneof![scram, cram].prop_map(Purpose::Prove),
    ]
}

/// What was shown.
pub(super) fn told(proof: &Proof) -> String {
    match &proof.evidence {
        Evidence::CramMd5 { challenge, digest } => format!("{challenge:?} {digest:?}"),
        Evidence::Scram { hash, said, proof } => format!("{hash:?} {said:?} {proof:?}"),
        Evidence::Token(_) => panic!("no question carries it"),
    }
}

/// What a client reads of the answer that is written to this purpose.
fn answer(purpose: &Purpose, verdict: Verdict) -> Result<ServerLine, Fault> {
    let mut line = Vec::new();
    write_judgement(&mut line, 7, purpose, &Ok(verdict));
    ServerLine::parse(line.strip_suffix(b"\n").expect("a line"))
}

proptest! {
    #[test]
    fn a_salt_and_a_signature_arrive_as_they_were_sent(
        salt in bytes(1..40),
        iterations in 1..=u32::MAX,
        signature in bytes(1..40),
        account in accounts(),
    ) {
        let salt = Salt { bytes: salt, iterations };
        let question = SaltQuestion::new(ScramHash::Sha256);
        question.tell(salt.clone());
        let found = answer(&Purpose::Salt(question), Verdict::accepted(account.clone()));
        prop_assert_eq!(found, Ok(ServerLine::Answer(7, Answer::Salt(salt))));

        let challenge = Box::default();
        let proof = Proof::new(Evidence::CramMd5 { challenge, digest: [0; 16] });
        let prove = Purpose::Prove(proof.clone());
        let found = answer(&prove, Verdict::accepted(account.clone()));
        prop_assert_eq!(found, Ok(ServerLine::Answer(7, Answer::Accepted(account.clone()))));
        proof.sign(signature.clone());
        let found = answer(&prove, Verdict::accepted(account.clone()));
        prop_assert_eq!(found, Ok(ServerLine::Answer(7, Answer::Proved(account, signature))));
    }
}

#[test]
fn a_no_is_the_same_for_every_purpose_and_a_yes_without_a_salt_is_none() {
    let purpose = Purpose::Salt(SaltQuestion::new(ScramHash::Sha1));
    let rejection = Rejection::unknown_user(&user("eve"));
    let found = answer(&purpose, Verdict::Rejected(rejection.clone()));
    assert_eq!(found, Ok(ServerLine::Answer(7, Answer::Rejected(rejection))));
    let found = answer(&purpose, Verdict::accepted(Account::named(user("bob"))));
    assert!(matches!(found, Ok(ServerLine::Answer(7, Answer::Dead(_)))), "{found:?}");
}

#[test]
fn a_salt_that_is_made_up_is_a_no() {
    let question = SaltQuestion::new(ScramHash::Sha256);
    let no = Rejection::unknown_user(&user("eve"));
    question.make_up(Salt { bytes: (*b"pepper").into(), iterations: 4096 }, no.clone());
    let found = answer(&Purpose::Salt(question), Verdict::accepted(Account::named(user("eve"))));
    assert_eq!(found, Ok(ServerLine::Answer(7, Answer::Rejected(no))));
}

#[test]
fn a_token_is_not_carried() {
    let proof = Proof::new(Evidence::Token(Secret::new(*b"opensesame")));
    let (user, origin) = (user("bob"), Origin::local(Service::Imap));
    let request = AuthRequest { user, purpose: Purpose::Prove(proof), origin, trace: None };
    let mut out = b"before\n".to_vec();
    let written = Question::Authenticate(request).write(&mut out, 1);
    assert_eq!((written, &*out), (Err(NotCarried::Token), &b"before\n"[..]));
}

#[test]
fn what_is_no_proof_and_no_salt_is_found() {
    let rows: &[&[u8]] = &[
        b"1 salt bob - - imap",
        b"1 salt bob SCRAM-MD5 - - imap",
        b"1 salt bob - - - imap",
        b"1 prove bob SCRAM-SHA-256 said - - imap",
        b"1 prove bob SCRAM-SHA-256 - proof - - imap",
        b"1 prove bob CRAM-MD5 <1@x> 0123456789abcde - - imap",
        b"1 prove bob token said proof - - imap",
    ];
    for line in rows {
        assert!(ClientLine::parse(line).is_err(), "{}", line.escape_ascii());
    }
    let long = format!("1 salt {} 4096", "x".repeat(1_025));
    let rows: &[&[u8]] = &[
        b"1 salt",
        b"1 salt % 4096",
        b"1 salt - 4096",
        b"1 salt abc",
        b"1 salt abc 0",
        b"1 salt abc 4294967296",
        b"1 ok bob - - - signature=%2",
        b"1 ok bob - - - signature=a signature=a",
        long.as_bytes(),
    ];
    for line in rows {
        assert!(ServerLine::parse(line).is_err(), "{}", line.escape_ascii());
    }
}

#[test]
fn what_a_later_release_can_judge_is_not_asked_for() {
    let nonce = "00".repeat(NONCE_BYTES);
    let proofs = |words: &str| {
        let line = format!("+OK dmail 2 nonce={nonce}{words}");
        Welcome::parse(line.as_bytes()).expect("a welcome").proofs
    };
    assert_eq!(proofs(""), Proofs::default());
    assert_eq!(proofs(" proofs=telepathy"), Proofs::default());
    assert_eq!(proofs(" proofs=scram,telepathy"), Proofs { scram: true, ..Proofs::default() });
}
