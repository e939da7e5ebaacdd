//! Passwords that are shown without being told.

use dmail_core::{Evidence, Proof, Purpose, Salt, SaltQuestion, ScramHash};

use super::*;

/// What the base makes of proofs: `good` is one. Others are its own matter.
pub(super) fn judge(purpose: &Purpose) -> bool {
    match purpose {
        Purpose::Salt(question) => {
            question.tell(salt());
            true
        }
        Purpose::Prove(proof) if proof.guess() == b"good" => {
            proof.sign(*b"signature %");
            true
        }
        Purpose::Prove(_) => false,
        Purpose::Check(_) | Purpose::Lookup => true,
    }
}

fn salt() -> Salt {
    Salt { bytes: (*b"pepper \0").into(), iterations: 4096 }
}

fn request(purpose: Purpose) -> AuthRequest {
    let origin = Origin::local(Service::Imap);
    AuthRequest { user: user("bob"), purpose, origin, trace: None }
}

fn proof(text: &str) -> Proof {
    let (hash, said) = (ScramHash::Sha256, Box::from(*b"n=bob,r=x"));
    Proof::new(Evidence::Scram { hash, said, proof: text.as_bytes().into() })
}

#[tokio::test]
async fn a_daemon_judges_what_its_user_base_can() {
    let daemon = Daemon::judging("127.0.0.1:0", Some(b"between us"), Proofs::STORED);
    let secret = Some(Secret::new(*b"between us"));
    let client = Client::start(ClientConfig { secret, ..config(&[daemon.address]) });
    client.ready().await;
    assert_eq!(client.proofs(), Proofs::STORED);
    let question = SaltQuestion::new(ScramHash::Sha256);
    let verdict = client.authenticate(&request(Purpose::Salt(question.clone()))).await;
    assert!(is_accepted(&verdict), "{verdict:?}");
    assert_eq!(question.told(), Some(&salt()));
    for (text, right) in [("good", true), ("bad", false)] {
        let proof = proof(text);
        let verdict = client.authenticate(&request(Purpose::Prove(proof.clone()))).await;
        assert_eq!(is_accepted(&verdict), right, "{verdict:?}");
        assert_eq!(proof.signature(), right.then_some(&b"signature %"[..]));
    }
    // It is known also while nobody is there to ask; and nobody says "wrong".
    daemon.stop().await;
    let verdict = client.authenticate(&request(Purpose::Prove(proof("good")))).await;
    assert!(verdict.is_err(), "{verdict:?}");
    assert_eq!(client.proofs(), Proofs::STORED);
}

#[tokio::test]
async fn daemons_that_know_passwords_only_are_passed_over() {
    let (old, able) =
        (Daemon::start("127.0.0.1:0", None), Daemon::judging("127.0.0.1:0", None, Proofs::STORED));
    let ask =
        async |client: &Client| client.authenticate(&request(Purpose::Prove(proof("good")))).await;
    let client = Client::start(config(&[old.address, able.address]));
    assert!(is_accepted(&ask(&client).await));
    assert_eq!(old.base.asked.load(Ordering::SeqCst), 0);
    for versions in [Versions::First, Versions::Second] {
        let client = Client::start(ClientConfig { versions, ..config(&[old.address]) });
        client.ready().await;
        assert_eq!(client.proofs(), Proofs::default());
        match ask(&client).await {
            Ok(Verdict::Rejected(no)) => assert_eq!(no.kind, RejectionKind::Unsupported),
            other => panic!("{other:?}"),
        }
        // One that cannot be asked might have known more.
        let address = able.address;
        let gone = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let nobody = gone.local_addr().expect("bound");
        drop(gone);
        assert_ne!(nobody, address);
        let client = Client::start(ClientConfig { versions, ..config(&[old.address, nobody]) });
        assert!(ask(&client).await.is_err());
    }
    assert_eq!(old.base.asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn what_only_a_daemon_that_is_away_can_judge_is_not_offered_for_long() {
    let (able, old) =
        (Daemon::judging("127.0.0.1:0", None, Proofs::STORED), Daemon::start("127.0.0.1:0", None));
    let address = able.address.to_string();
    let client = Client::start(config(&[able.address, old.address]));
    until("both are there", || client.links.iter().all(|link| link.state().is_up())).await;
    assert_eq!(client.proofs(), Proofs::STORED);
    able.stop().await;
    until("it is missed", || !client.links[0].state().is_up()).await;
    assert_eq!(client.proofs(), Proofs::STORED, "it may be back in a moment");
    tokio::time::pause();
    tokio::time::advance(link::ABSENCE).await;
    assert_eq!(client.proofs(), Proofs::default());
    tokio::time::resume();
    let _able = Daemon::judging(&address, None, Proofs::STORED);
    until("it is back", || client.proofs() == Proofs::STORED).await;
}
