//! Whole conversations, and what ends them early.

use super::*;
use crate::{ReadName, Rejection};

fn exchange(mechanism: Mechanism, plus_offered: bool) -> Exchange {
    let nonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0".into();
    Exchange::new(mechanism, Terms { nonce, plus_offered, max_name: 255, issuer: None })
}

fn bob() -> Username {
    Username::parse(b"bob").expect("a name")
}

fn yes() -> Verdict {
    Verdict::accepted(Account::named(bob()))
}

fn no() -> Verdict {
    Verdict::Rejected(Rejection::not_verified(&bob()))
}

fn respond(exchange: &mut Exchange, message: &str) -> String {
    told(exchange.respond(&Secret::new(message.as_bytes()), None))
}

/// What follows from an answer.
fn answered(exchange: &mut Exchange, verdict: Verdict) -> String {
    exchange.answered(verdict).map_or_else(|error| format!("later: {}", error.kind.id()), told)
}

/// A turn as a line.
fn told(turn: Turn) -> String {
    match turn {
        Turn::Say(text, binding) => {
            let binding = binding.map_or(String::new(), |b| format!(" ({})", b.name()));
            format!("say {}{binding}", String::from_utf8_lossy(&text))
        }
        Turn::Ask(user, purpose) => match purpose {
            Purpose::Check(secret) => {
                format!("check {user} {}", String::from_utf8_lossy(secret.expose()))
            }
            Purpose::Lookup => format!("lookup {user}"),
            Purpose::Prove(_) => format!("prove {user}"),
            Purpose::Salt(question) => {
                question.tell(Salt { bytes: (*b"salt").into(), iterations: 4096 });
                format!("salt {user} {}", question.hash.name())
            }
        },
        Turn::Accepted(account, last) => {
            let last = last.map_or(String::new(), |l| String::from_utf8_lossy(&l).into_owned());
            format!("accepted {} {last}", account.name)
        }
        Turn::Flawed(user, flaw) => {
            let user = user.map_or("nobody".into(), |user| user.to_string());
            format!("flawed {user}: {flaw:?}")
        }
        Turn::Refused(rejection) => format!("refused {}", rejection.kind.id()),
    }
}

#[test]
fn passwords_are_told_and_checked() {
    let mut plain = exchange(Mechanism::Plain, false);
    assert_eq!(told(plain.begin()), "say ");
    assert_eq!(respond(&mut plain, "\0bob\0pw"), "check bob pw");
    assert_eq!(answered(&mut plain, yes()), "accepted bob ");
    for (message, flawed) in [
        ("\0bob\0", "flawed bob: Unusable(NoPassword)"),
        ("\0\0pw", "flawed nobody: Unusable(Name(Empty))"),
        ("root\0bob\0pw", "flawed nobody: Unusable(ForeignIdentity)"),
        ("bob", "flawed nobody: Malformed(Message)"),
    ] {
        assert_eq!(respond(&mut exchange(Mechanism::Plain, false), message), flawed, "{message}");
    }
    let mut login = exchange(Mechanism::Login, false);
    assert_eq!(told(login.begin()), "say Username:");
    assert_eq!(respond(&mut login, "bob"), "say Password:");
    assert_eq!(respond(&mut login, "pw"), "check bob pw");
    assert_eq!(answered(&mut login, no()), "refused not-verified");
    assert_eq!(respond(&mut login, "pw"), "flawed nobody: Over");
}

/// RFC 2195 section 2, with a challenge of ours.
#[test]
fn cram_md5_is_a_challenge_and_a_proof() {
    let mut cram = exchange(Mechanism::CramMd5, false);
    assert_eq!(told(cram.begin()), "say <%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0@dmail>");
    let message = Secret::new(*b"bob b913a602c7eda7a495b4e6e7334d3890");
    let Turn::Ask(user, Purpose::Prove(proof)) = cram.respond(&message, None) else {
        panic!("a proof")
    };
    let Evidence::CramMd5 { challenge, digest } = &proof.evidence else { panic!("CRAM-MD5") };
    assert_eq!((user, &**challenge), (bob(), &b"<%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0@dmail>"[..]));
    assert_eq!(digest[..3], [0xb9, 0x13, 0xa6]);
    assert_eq!(answered(&mut cram, yes()), "accepted bob ");
    for (bad, flaw) in [
        ("bob", "Malformed(Message)"),
        ("bob b913", "Malformed(Message)"),
        ("bob B913A602C7EDA7A495B4E6E7334D3890", "Malformed(Message)"),
        (" b913a602c7eda7a495b4e6e7334d3890", "Unusable(Name(Empty))"),
    ] {
        let mut cram = exchange(Mechanism::CramMd5, false);
        assert_eq!(respond(&mut cram, bad), format!("flawed nobody: {flaw}"), "{bad}");
    }
}

#[test]
fn scram_asks_for_a_salt_and_then_for_a_verdict() {
    let mut scram = exchange(Mechanism::Scram(ScramHash::Sha256), true);
    assert_eq!(respond(&mut scram, "n,,n=bob,r=abc"), "salt bob SCRAM-SHA-256");
    let nonce = "abc%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    assert_eq!(answered(&mut scram, yes()), format!("say r={nonce},s=c2FsdA==,i=4096"));
    let message = Secret::new(format!("c=biws,r={nonce},p=AAAA").into_bytes());
    let Turn::Ask(_, Purpose::Prove(proof)) = scram.respond(&message, None) else {
        panic!("a proof")
    };
    proof.sign(*b"signature");
    assert_eq!(answered(&mut scram, yes()), "accepted bob v=c2lnbmF0dXJl");
}

#[test]
fn a_yes_without_a_salt_or_a_signature_is_no_wrong_password() {
    let first = Secret::new(*b"n,,n=bob,r=abc");
    let mut scram = exchange(Mechanism::Scram(ScramHash::Sha1), false);
    assert!(matches!(scram.respond(&first, None), Turn::Ask(_, Purpose::Salt(_))));
    assert_eq!(answered(&mut scram, yes()), "later: source-fault", "no salt was told");
    let mut scram = exchange(Mechanism::Scram(ScramHash::Sha1), false);
    assert_eq!(told(scram.respond(&first, None)), "salt bob SCRAM-SHA-1");
    assert!(matches!(scram.answered(yes()), Ok(Turn::Say(..))));
    let last = "c=biws,r=abc%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=AAAA";
    assert_eq!(respond(&mut scram, last), "prove bob");
    assert_eq!(answered(&mut scram, yes()), "later: source-fault");
}

#[test]
fn a_binding_must_be_that_of_the_connection() {
    // Header, mechanism, whether -PLUS was offered, and what comes of it.
    let (plain, plus) =
        (Mechanism::Scram(ScramHash::Sha256), Mechanism::ScramPlus(ScramHash::Sha256));
    let rows = [
        ("n", plain, false, "salt bob SCRAM-SHA-256"),
        ("n", plain, true, "salt bob SCRAM-SHA-256"),
        ("y", plain, false, "salt bob SCRAM-SHA-256"),
        // It could bind, and was not told that the server can.
        ("y", plain, true, "flawed bob: Downgraded"),
        ("p=tls-exporter", plain, true, "flawed bob: Binding"),
        ("n", plus, true, "flawed bob: Binding"),
        ("y", plus, true, "flawed bob: Binding"),
        ("p=tls-exporter", plus, true, "salt bob SCRAM-SHA-256"),
    ];
    for (flag, mechanism, offered, expected) in rows {
        let mut scram = exchange(mechanism, offered);
        let turn = respond(&mut scram, &format!("{flag},,n=bob,r=abc"));
        assert_eq!(turn, expected, "{flag} {mechanism} {offered}");
    }
    let channel = "c=cD10bHMtZXhwb3J0ZXIsLFRMUw=="; // p=tls-exporter,,TLS
    for (binding, expected) in [
        (Some(&b"TLS"[..]), "prove bob"),
        (Some(b"SLT"), "flawed bob: OtherChannel"),
        (Some(b""), "flawed bob: NoChannel"),
        (None, "flawed bob: NoChannel"),
    ] {
        let mut scram = exchange(plus, true);
        assert_eq!(respond(&mut scram, "p=tls-exporter,,n=bob,r=abc"), "salt bob SCRAM-SHA-256");
        let reply = answered(&mut scram, yes());
        assert!(reply.ends_with("i=4096 (tls-exporter)"), "{reply}");
        let last = format!("{channel},r=abc%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=AAAA");
        let turn = told(scram.respond(&Secret::new(last.into_bytes()), binding));
        assert_eq!(turn, expected, "{binding:?}");
    }
}

#[test]
fn a_refused_token_is_told_in_two_steps() {
    let mut bearer = exchange(Mechanism::OAuthBearer, false);
    assert_eq!(respond(&mut bearer, "n,a=bob,\x01auth=Bearer t\x01\x01"), "prove bob");
    assert_eq!(answered(&mut bearer, no()), "say {\"status\":\"invalid_token\"}");
    assert_eq!(respond(&mut bearer, "\x01"), "refused not-verified");
    let mut xoauth2 = exchange(Mechanism::XOAuth2, false);
    assert_eq!(respond(&mut xoauth2, "user=bob\x01auth=Bearer t\x01\x01"), "prove bob");
    assert_eq!(answered(&mut xoauth2, yes()), "accepted bob ");
    let mut xoauth2 = exchange(Mechanism::XOAuth2, false);
    assert_eq!(respond(&mut xoauth2, "user=bob\x01auth=Bearer t\x01\x01"), "prove bob");
    let said = "say {\"status\":\"401\",\"schemes\":\"bearer\"}";
    assert_eq!(answered(&mut xoauth2, no()), said);
    assert_eq!(respond(&mut xoauth2, ""), "refused not-verified");
}

#[test]
fn a_token_without_a_name_is_the_login_of_whom_it_names() {
    let start = |issuer: Option<TokenIssuer>, message: &str| {
        let terms = Terms {
            nonce: Box::default(),
            plus_offered: false,
            max_name: 5,
            issuer: issuer.map(Arc::new),
        };
        respond(&mut Exchange::new(Mechanism::OAuthBearer, terms), message)
    };
    let reads = || {
        let named: ReadName = Box::new(|token: &Secret| Username::parse(token.expose()).ok());
        Some(TokenIssuer { named: Some(named), ..TokenIssuer::default() })
    };
    let nobody = "flawed nobody: Unusable(Name(Empty))";
    assert_eq!(start(reads(), "n,,\x01auth=Bearer ann\x01\x01"), "prove ann");
    assert_eq!(start(reads(), "n,a=bob,\x01auth=Bearer ann\x01\x01"), "prove bob");
    let long = start(reads(), "n,,\x01auth=Bearer anneli\x01\x01");
    assert_eq!(long, "flawed nobody: Unusable(Name(TooLong { max: 5 }))");
    assert_eq!(start(None, "n,,\x01auth=Bearer ann\x01\x01"), nobody);
    let opaque = Some(TokenIssuer::default());
    assert_eq!(start(opaque, "n,,\x01auth=Bearer ann\x01\x01"), nobody);
}

proptest::proptest! {
    #[test]
    fn any_messages_are_taken_without_a_panic(which in 0..9usize, messages: Vec<String>) {
        let mut exchange = exchange(Mechanism::ALL[which], true);
        let _ = exchange.begin();
        for message in messages {
            if let Turn::Ask(..) = exchange.respond(&Secret::new(message.into_bytes()), Some(b"x")) {
                let _ = exchange.answered(yes());
            }
        }
    }
}
