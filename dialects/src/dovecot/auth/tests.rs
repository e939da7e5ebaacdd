//! Lines of real clients, and of no client.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dmail_core::{
    Proof, Purpose, Rejection, RejectionKind, Salt, ScramHash, TokenIssuer, Unavailable,
    UnavailableKind, Verdict,
};

use super::*;

fn session(tempfail: Tempfail) -> AuthSession {
    offering(tempfail, &PASSWORDS)
}

fn offering(tempfail: Tempfail, mechanisms: &[Mechanism]) -> AuthSession {
    let mechanisms = mechanisms.into();
    AuthSession::new(Config {
        tempfail,
        mechanisms,
        issuer: None,
        pid: 7,
        connection: 3,
        cookie: [0xab; 16],
        logins: None,
    })
}

/// What was written, what was asked (user, password), and why it ended.
type Talk = (String, Vec<(String, String)>, Option<&'static str>);

/// What a fresh session logs as refused when `text` arrives, after VERSION.
fn refused(text: &str) -> Vec<Refused> {
    let mut session = session(Tempfail::Code);
    let mut input = BytesMut::from(format!("VERSION\t1\t0\n{text}").as_bytes());
    let (mut out, mut refused) = (Vec::new(), Vec::new());
    loop {
        match session.next(&mut input, &mut out) {
            Step::More => return refused,
            Step::Refused(one) => refused.push(*one),
            step => panic!("{step:?}"),
        }
    }
}

/// What a fresh session writes and asks when `text` arrives.
fn talk(text: &str) -> Talk {
    let mut session = session(Tempfail::Code);
    let mut input = BytesMut::from(format!("VERSION\t1\t0\nCPID\t9\n{text}").as_bytes());
    let (mut out, mut asked) = (Vec::new(), Vec::new());
    loop {
        match session.next(&mut input, &mut out) {
            Step::More => break (String::from_utf8(out).expect("text"), asked, None),
            Step::Close(why) => {
                break (String::from_utf8(out).expect("text"), asked, Some(why));
            }
            Step::Ask(_, Question::Authenticate(request)) => {
                let Purpose::Check(secret) = &request.purpose else { panic!("a check") };
                let secret = String::from_utf8_lossy(secret.expose()).into_owned();
                asked.push((request.user.to_string(), secret));
            }
            Step::Refused(_) => {}
            step @ (Step::Ask(..) | Step::Done) => panic!("{step:?}"),
        }
    }
}

fn encoded(text: &str) -> String {
    STANDARD.encode(text)
}

#[test]
fn the_greeting_is_said_at_once_and_in_the_order_that_clients_need() {
    let mut out = Vec::new();
    session(Tempfail::Close).greeting(&mut out);
    assert_eq!(
        String::from_utf8_lossy(&out),
        "VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tLOGIN\tplaintext\nSPID\t7\nCUID\t3\n\
         COOKIE\tabababababababababababababababab\nDONE\n"
    );
}

#[test]
fn mechanisms_that_bind_are_for_clients_that_can_tell_what_they_bind_to() {
    let plus = [Mechanism::ScramPlus(ScramHash::Sha256), Mechanism::CramMd5, Mechanism::Plain];
    let end = "SPID\t7\nCUID\t3\nCOOKIE\tabababababababababababababababab\nDONE\n";
    let bound = "MECH\tSCRAM-SHA-256-PLUS\tmutual-auth\tchannel-binding\n";
    let rest = format!("MECH\tCRAM-MD5\tdictionary\tactive\nMECH\tPLAIN\tplaintext\n{end}");
    for (minor, expected) in [("0", ""), ("2", ""), ("3", bound), ("4", bound)] {
        let mut session = offering(Tempfail::Code, &plus);
        let mut out = Vec::new();
        session.greeting(&mut out);
        assert_eq!(String::from_utf8_lossy(&out), "VERSION\t1\t3\n");
        out.clear();
        let hello = format!("VERSION\t1\t{minor}\nCPID\t1\nAUTH\t1\tSCRAM-SHA-256-PLUS\n");
        feed(&mut session, &hello, &mut out);
        let said = match expected {
            "" => "FAIL\t1\treason=Unsupported authentication mechanism\n",
            _ => "CONT\t1\t\n",
        };
        assert_eq!(String::from_utf8_lossy(&out), format!("{expected}{rest}{said}"), "{minor}");
    }
}

#[test]
fn logins_of_real_clients_become_questions() {
    let plain = encoded("\0bob\0s3 cret");
    let bob = || ("bob".to_owned(), "s3 cret".to_owned());
    // Postfix, Exim (without local address), doveadm (with authorization identity).
    let lines = [
        format!(
            "AUTH\t1\tPLAIN\tservice=smtp\tnologin\tlip=127.0.0.1\trip=127.0.0.1\tresp={plain}\n"
        ),
        format!("AUTH\t1\tPLAIN\tservice=smtp\trip=192.0.2.7\tlip=NULL\tnologin\tresp={plain}\n"),
        format!("AUTH\t1\tplain\tprotocol=imap\tresp={}\n", encoded("bob\0bob\0s3 cret")),
    ];
    for line in lines {
        assert_eq!(talk(&line), (String::new(), vec![bob()], None), "{line}");
    }
    let asked = talk(&format!("AUTH\t5\tPLAIN\tservice=pop3\nCONT\t5\t{plain}\n"));
    assert_eq!(asked, ("CONT\t5\t\n".into(), vec![bob()], None));
    let login = format!(
        "AUTH\t6\tLOGIN\tservice=smtp\tresp=\nCONT\t6\t{}\nCONT\t6\t{}\n",
        encoded("bob"),
        encoded("s3 cret")
    );
    let prompts = "CONT\t6\tVXNlcm5hbWU6\nCONT\t6\tUGFzc3dvcmQ6\n".to_owned();
    assert_eq!(talk(&login), (prompts, vec![bob()], None));
}

/// Feeds `text`, and returns the questions.
fn feed(session: &mut AuthSession, text: &str, out: &mut Vec<u8>) -> Vec<(Ticket, AuthRequest)> {
    let (mut input, mut asked) = (BytesMut::from(text.as_bytes()), Vec::new());
    loop {
        match session.next(&mut input, out) {
            Step::Ask(ticket, Question::Authenticate(request)) => asked.push((ticket, request)),
            Step::Refused(_) => {}
            Step::More => return asked,
            step => panic!("{step:?}"),
        }
    }
}

fn name(user: &str) -> Username {
    Username::parse(user.as_bytes()).expect("a name")
}

fn yes(user: &str) -> Answer {
    Answer::Verdict(Ok(Verdict::accepted(Account::named(name(user)))))
}

fn no(user: &str) -> Answer {
    Answer::Verdict(Ok(Verdict::Rejected(Rejection::not_verified(&name(user)))))
}

fn dead() -> Answer {
    Answer::Verdict(Err(Unavailable::new(UnavailableKind::Dead, "down")))
}

fn goes_on(then: Then) {
    assert!(matches!(then, Then::GoOn), "{then:?}");
}

#[test]
fn nobodys_decision_is_told_as_the_client_understands_it() {
    let response = encoded("\0bob\0pw");
    for (tempfail, version, in_words) in [
        (Tempfail::ByVersion, "1\t0", false), // Postfix, Exim
        (Tempfail::ByVersion, "1\t1", false),
        (Tempfail::ByVersion, "1\t2", true), // Dovecot 2.3
        (Tempfail::ByVersion, "1\t4", true), // Dovecot 2.4
        (Tempfail::ByVersion, "1", false),
        (Tempfail::ByVersion, "1\tx", false),
        (Tempfail::Close, "1\t4", false),
        (Tempfail::Code, "1\t0", true),
    ] {
        let mut session = session(tempfail);
        let text = format!("VERSION\t{version}\nAUTH\t1\tPLAIN\tresp={response}\n");
        let (mut input, mut out) = (BytesMut::from(text.as_bytes()), Vec::new());
        let Step::Ask(ticket, _) = session.next(&mut input, &mut out) else { panic!("{version}") };
        out.clear();
        let dead = Unavailable::new(UnavailableKind::Dead, "down");
        let then = session.answered(ticket, Answer::Verdict(Err(dead)), &mut out);
        let said = match (in_words, then) {
            (true, Then::GoOn) => "FAIL\t1\tcode=temp_fail\n",
            (false, Then::Abort) => "",
            (_, then) => panic!("{then:?}: {tempfail:?} {version}"),
        };
        assert_eq!(&*out, said.as_bytes(), "{tempfail:?} {version}");
    }
}

#[test]
fn many_logins_wait_at_once_and_each_gets_its_own_answer() {
    let mut session = session(Tempfail::Code);
    let mut text = "VERSION\t1\t4\n".to_owned();
    for id in 1..=3 {
        let response = encoded(&format!("\0u{id}\0pw"));
        text.push_str(&format!("AUTH\t{id}\tPLAIN\tservice=imap\tresp={response}\n"));
    }
    text.push_str("CANCEL\t2\n");
    let mut out = Vec::new();
    let asked = feed(&mut session, &text, &mut out);
    for (at, answer) in [(2, yes("u3")), (1, no("u2")), (0, dead())] {
        goes_on(session.answered(asked[at].0, answer, &mut out));
    }
    assert_eq!(String::from_utf8_lossy(&out), "OK\t3\tuser=u3\nFAIL\t1\tcode=temp_fail\n");
}

#[test]
fn a_late_answer_to_a_cancelled_login_is_not_that_of_the_next_one_with_its_id() {
    let mut session = session(Tempfail::Code);
    let auth = |user| format!("AUTH\t1\tPLAIN\tresp={}\n", encoded(&format!("\0{user}\0pw")));
    let text = format!("VERSION\t1\t4\n{}CANCEL\t1\n{}", auth("ann"), auth("eve"));
    let mut out = Vec::new();
    let asked = feed(&mut session, &text, &mut out);
    goes_on(session.answered(asked[0].0, yes("ann"), &mut out));
    assert_eq!(out, b"", "nobody waits for it");
    goes_on(session.answered(asked[1].0, no("eve"), &mut out));
    assert_eq!(String::from_utf8_lossy(&out), "FAIL\t1\n");
}

#[test]
fn whoever_waits_longest_for_its_client_makes_room() {
    let mut session = session(Tempfail::Code);
    let mut out = Vec::new();
    feed(&mut session, "VERSION\t1\t4\n", &mut out);
    for id in 1..=MAX_WAITING {
        feed(&mut session, &format!("AUTH\t{id}\tLOGIN\n"), &mut out);
    }
    out.clear();
    feed(&mut session, "AUTH\t5000\tLOGIN\nCONT\t1\tYm9i\n", &mut out);
    let expected = "FAIL\t1\tcode=temp_fail\nCONT\t5000\tVXNlcm5hbWU6\nFAIL\t1\n";
    assert_eq!(String::from_utf8_lossy(&out), expected);
}

#[test]
fn an_unknown_user_reads_like_a_wrong_password() {
    let user = Username::parse(b"bob").expect("a name");
    let reply = |rejection| {
        let mut out = Vec::new();
        refuse(&mut out, 1, &rejection);
        String::from_utf8(out).expect("text")
    };
    let wrong = reply(Rejection::not_verified(&user));
    assert_eq!(wrong, "FAIL\t1\n");
    assert_eq!(reply(Rejection::unknown_user(&user)), wrong);
    assert_eq!(reply(Rejection::new(RejectionKind::Throttled, "x")), wrong);
    let suspended = reply(Rejection::new(RejectionKind::NotAllowed, "x"));
    assert_eq!(suspended, "FAIL\t1\tcode=user_disabled\n");
    let told = reply(Rejection::new(RejectionKind::NotAllowed, "x").telling("not\tin clear text"));
    assert_eq!(told, "FAIL\t1\tcode=user_disabled\treason=not\u{1}tin clear text\n");
}

#[test]
fn nobodys_decision_cuts_the_connection_of_postfix() {
    let mut session = session(Tempfail::Close);
    let line = format!("VERSION\t1\t0\nAUTH\t1\tPLAIN\tresp={}\n", encoded("\0bob\0pw"));
    let mut out = Vec::new();
    let asked = feed(&mut session, &line, &mut out);
    let then = session.answered(asked[0].0, dead(), &mut out);
    assert!(matches!(then, Then::Abort), "{then:?}");
    assert_eq!(out, b"");
}

#[test]
fn a_login_that_nobody_can_have_fails_without_a_question() {
    let rows = [
        (encoded("\0bob\0"), "FAIL\t1\n"),
        (encoded("\0\0pw"), "FAIL\t1\n"),
        (encoded("root\0bob\0pw"), "FAIL\t1\n"),
        (encoded("bob"), "FAIL\t1\n"),
        ("=".into(), "FAIL\t1\n"),
        ("%%%".into(), "FAIL\t1\tcode=invalid_base64\n"),
    ];
    for (response, expected) in rows {
        let (out, asked, _) = talk(&format!("AUTH\t1\tPLAIN\tresp={response}\n"));
        assert_eq!((out.as_str(), asked.len()), (expected, 0), "{response}");
    }
    let (out, _, end) = talk("AUTH\t1\tNTLM\tservice=smtp\n");
    assert_eq!(out, "FAIL\t1\treason=Unsupported authentication mechanism\n");
    assert_eq!(end, None);
}

#[test]
fn what_is_refused_unasked_is_told_to_the_log() {
    let origin = "service=imap\trip=192.0.2.7\t";
    for (login, user, why) in [
        (format!("PLAIN\t{origin}resp={}", encoded("\0bob\0")), "bob", "the password is empty"),
        (format!("PLAIN\t{origin}resp={}", encoded("root\0bob\0pw")), "", "the authorization"),
        (format!("PLAIN\t{origin}resp={}", encoded("\0two words\0pw")), "", "user name: "),
        (format!("PLAIN\t{origin}resp=%%%"), "", "this is not base64"),
        (format!("PLAIN\t{origin}resp={}", encoded("bob")), "", "the response does not follow"),
        (format!("SCRAM-SHA-256\t{origin}"), "", "SCRAM-SHA-256 is not offered"),
        (format!("NTLM\t{origin}"), "", "the mechanism is not known"),
    ] {
        let refused = refused(&format!("AUTH\t1\t{login}\n"));
        let [refused] = &refused[..] else { panic!("{login}: {refused:?}") };
        assert_eq!(refused.user.as_ref().map_or("", Username::as_str), user, "{login}");
        assert!(refused.text.starts_with(why), "{login}: {}", refused.text);
        assert_eq!(refused.reason, "bad-input");
        assert_eq!(refused.origin.client, "192.0.2.7".parse().ok(), "{login}");
        assert_eq!(refused.origin.service, Service::Imap, "{login}");
    }
    let unknown = refused("CONT\t7\tYm9i\n");
    assert!(unknown[0].text.contains("not known, or was given up"), "{unknown:?}");
}

/// The text of the last line, which is `CONT 1 base64`.
fn last_cont(out: &[u8]) -> String {
    let text = String::from_utf8_lossy(out);
    let line = text.lines().last().expect("a line");
    let coded = line.strip_prefix("CONT\t1\t").expect("CONT").split('\t').next();
    String::from_utf8(STANDARD.decode(coded.unwrap_or_default()).expect("base64")).expect("text")
}

/// A conversation up to the proof, and what is to be judged.
fn until_proof(session: &mut AuthSession, flags: &str) -> (Ticket, Proof) {
    let mut out = Vec::new();
    let first = encoded("n,,n=bob,r=abc");
    let hello = format!("VERSION\t1\t2\nAUTH\t1\tSCRAM-SHA-256\t{flags}resp={first}\n");
    let asked = feed(session, &hello, &mut out);
    let [(ticket, AuthRequest { purpose: Purpose::Salt(question), .. })] = &asked[..] else {
        panic!("{asked:?}")
    };
    question.tell(Salt { bytes: (*b"salt").into(), iterations: 4096 });
    goes_on(session.answered(*ticket, yes("bob"), &mut out));
    let said = last_cont(&out);
    let nonce = said.split(',').next().expect("a nonce");
    let last = encoded(&format!("c=biws,{nonce},p=AAAA"));
    let mut asked = feed(session, &format!("CONT\t1\t{last}\n"), &mut out);
    let Some((ticket, AuthRequest { purpose: Purpose::Prove(proof), .. })) = asked.pop() else {
        panic!("{asked:?}")
    };
    (ticket, proof)
}

#[test]
fn scram_ends_with_the_servers_signature_in_either_way() {
    let scram = [Mechanism::Scram(ScramHash::Sha256)];
    let mut session = offering(Tempfail::Code, &scram);
    let (ticket, proof) = until_proof(&mut session, "final-resp-ok\t");
    proof.sign(*b"signature");
    let mut out = Vec::new();
    session.answered(ticket, yes("bob"), &mut out);
    let last = encoded("v=c2lnbmF0dXJl");
    assert_eq!(String::from_utf8_lossy(&out), format!("OK\t1\tuser=bob\tresp={last}\n"));

    let mut session = offering(Tempfail::Code, &scram);
    let (ticket, proof) = until_proof(&mut session, "");
    proof.sign(*b"signature");
    let mut out = Vec::new();
    session.answered(ticket, yes("bob"), &mut out);
    assert_eq!(String::from_utf8_lossy(&out), format!("CONT\t1\t{last}\n"));
    out.clear();
    assert!(feed(&mut session, "CONT\t1\t\n", &mut out).is_empty());
    assert_eq!(String::from_utf8_lossy(&out), "OK\t1\tuser=bob\n");
}

#[test]
fn a_wrong_proof_fails_and_nobodys_decision_does_not() {
    let scram = [Mechanism::Scram(ScramHash::Sha256)];
    for (answer, expected) in [(no("bob"), "FAIL\t1\n"), (dead(), "FAIL\t1\tcode=temp_fail\n")] {
        let mut session = offering(Tempfail::Code, &scram);
        let (ticket, _) = until_proof(&mut session, "");
        let mut out = Vec::new();
        session.answered(ticket, answer, &mut out);
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }
}

#[test]
fn a_yes_without_a_salt_or_a_signature_is_no_wrong_password() {
    let scram = [Mechanism::Scram(ScramHash::Sha256)];
    for (tempfail, expected) in
        [(Tempfail::Code, "FAIL\t1\tcode=temp_fail\n"), (Tempfail::Close, "")]
    {
        let mut unsigned = offering(tempfail, &scram);
        let (judging, _) = until_proof(&mut unsigned, "final-resp-ok\t");
        let mut unsalted = offering(tempfail, &scram);
        let first = encoded("n,,n=bob,r=abc");
        let hello = format!("VERSION\t1\t2\nAUTH\t1\tSCRAM-SHA-256\tresp={first}\n");
        let salting = feed(&mut unsalted, &hello, &mut Vec::new()).pop().expect("a question").0;
        for (mut session, ticket) in [(unsalted, salting), (unsigned, judging)] {
            let mut out = Vec::new();
            let then = session.answered(ticket, yes("bob"), &mut out);
            assert_eq!(String::from_utf8_lossy(&out), expected, "{tempfail:?}");
            assert_eq!(matches!(then, Then::Abort), expected.is_empty(), "{then:?}");
        }
    }
}

#[test]
fn a_binding_is_asked_for_and_taken() {
    let plus = [Mechanism::ScramPlus(ScramHash::Sha256)];
    // p=tls-exporter,,TLS and the connection that the login process tells.
    let channel = encoded("p=tls-exporter,,TLS");
    for (told, expected) in [("\tchannel_binding=VExT", 1), ("\tchannel_binding=U0xU", 0), ("", 0)]
    {
        let mut session = offering(Tempfail::Code, &plus);
        let mut out = Vec::new();
        let first = encoded("p=tls-exporter,,n=bob,r=abc");
        let hello = format!("VERSION\t1\t4\nAUTH\t1\tSCRAM-SHA-256-PLUS\tresp={first}\n");
        let asked = feed(&mut session, &hello, &mut out);
        let Purpose::Salt(question) = &asked[0].1.purpose else { panic!("a salt") };
        question.tell(Salt { bytes: (*b"salt").into(), iterations: 4096 });
        session.answered(asked[0].0, yes("bob"), &mut out);
        assert!(out.ends_with(b"\tchannel_binding=tls-exporter\n"));
        let said = last_cont(&out);
        let nonce = said.split(',').next().expect("a nonce");
        let last = encoded(&format!("c={channel},{nonce},p=AAAA"));
        let asked = feed(&mut session, &format!("CONT\t1\t{last}{told}\n"), &mut out);
        assert_eq!(asked.len(), expected, "{told}");
        assert_eq!(out.ends_with(b"FAIL\t1\n"), expected == 0, "{told}");
    }
}

#[test]
fn a_refused_token_is_told_in_a_message_and_fails_with_the_next() {
    let rows = [
        (
            Mechanism::OAuthBearer,
            "n,a=bob,\x01auth=Bearer t\x01\x01",
            r#"{"status":"invalid_token","scope":"mail"}"#,
        ),
        (
            Mechanism::XOAuth2,
            "user=bob\x01auth=Bearer t\x01\x01",
            r#"{"status":"401","schemes":"bearer","scope":"mail"}"#,
        ),
    ];
    for (mechanism, message, told) in rows {
        let start = || {
            let mut session = offering(Tempfail::Code, &[mechanism]);
            let scope = Some("mail".into());
            let issuer = TokenIssuer { scope, ..TokenIssuer::default() };
            session.config.issuer = Some(Arc::new(issuer));
            let response = encoded(message);
            let hello = format!("VERSION\t1\t2\nAUTH\t1\t{mechanism}\tresp={response}\n");
            let mut asked = feed(&mut session, &hello, &mut Vec::new());
            let (ticket, request) = asked.pop().expect("a question");
            let Purpose::Prove(proof) = request.purpose else { panic!("{mechanism}") };
            assert!(proof.is_token() && asked.is_empty());
            (session, ticket)
        };
        let (mut session, ticket) = start();
        let mut out = Vec::new();
        session.answered(ticket, no("bob"), &mut out);
        assert_eq!(String::from_utf8_lossy(&out), format!("CONT\t1\t{}\n", encoded(told)));
        out.clear();
        assert!(feed(&mut session, "CONT\t1\tAQ==\n", &mut out).is_empty());
        assert_eq!(String::from_utf8_lossy(&out), "FAIL\t1\n");
        for (answer, expected) in
            [(yes("bob"), "OK\t1\tuser=bob\n"), (dead(), "FAIL\t1\tcode=temp_fail\n")]
        {
            let (mut session, ticket) = start();
            out.clear();
            session.answered(ticket, answer, &mut out);
            assert_eq!(String::from_utf8_lossy(&out), expected, "{mechanism}");
        }
    }
}

#[test]
fn lines_that_break_the_protocol_end_the_connection() {
    for (text, why) in [
        ("AUTH\tx\tPLAIN\n", "AUTH without id"),
        ("AUTH\t1\n", "AUTH without mechanism"),
        ("AUTH\t1\tPLAIN\nAUTH\t1\tPLAIN\n", "an id that is in use"),
        ("CONT\n", "CONT without id"),
        ("VERSION\t2\t0\n", "another major version of the protocol"),
    ] {
        assert_eq!(talk(text).2, Some(why), "{text}");
    }
    let mut input = BytesMut::from(&b"AUTH\t1\tPLAIN\n"[..]);
    let step = session(Tempfail::Close).next(&mut input, &mut Vec::new());
    assert!(matches!(step, Step::Close("no VERSION first")), "{step:?}");
    let mut input = BytesMut::from(&vec![b'x'; 3 * MAX_AUTH_LINE][..]);
    input.extend_from_slice(b"\n");
    let step = session(Tempfail::Close).next(&mut input, &mut Vec::new());
    assert!(matches!(step, Step::Close(_) | Step::More), "{step:?}");
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_taken_without_a_panic(bytes: Vec<u8>) {
        let mut input = BytesMut::from(&b"VERSION\t1\t0\n"[..]);
        input.extend_from_slice(&bytes);
        let (mut session, mut out) = (session(Tempfail::Code), Vec::new());
        for _ in 0..bytes.len() + 2 {
            if !matches!(session.next(&mut input, &mut out), Step::Ask(..) | Step::Refused(_)) {
                break;
            }
        }
    }
}
