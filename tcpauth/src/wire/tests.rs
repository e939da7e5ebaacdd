//! Every value survives the wire, whatever bytes it holds and however the
//! stream is cut; and what is no line of the protocol is found to be none.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use dmail_core::config::dialect_names;
use dmail_core::framing::{Ending, Frame, LineFramer};
use dmail_core::{
    Account, Action, AuthRequest, Change, DropPath, Found, Hit, Info, Origin, Outcome, Proofs,
    Purpose, Rejection, RejectionKind, Search, SearchOutcome, Secret, Service, SessionId,
    Transport, Uid, Unavailable, UnavailableKind, Username, Verdict,
};
use proptest::prelude::*;

use super::*;

mod proofs;

fn user(name: &str) -> Username {
    Username::parse(name.as_bytes()).expect("a name")
}

fn names() -> impl Strategy<Value = Username> {
    "[!-~\u{a1}-\u{2ff}]{1,40}".prop_map(|name| user(&name))
}

fn secrets() -> impl Strategy<Value = Secret> {
    proptest::collection::vec(any::<u8>(), 0..60).prop_map(Secret::new)
}

fn origins() -> impl Strategy<Value = Origin> {
    let carried = Service::ALL.into_iter().filter(|service| *service != Service::Admin);
    let services = proptest::sample::select(carried.collect::<Vec<_>>());
    let dialects = proptest::sample::select(dialect_names().collect::<Vec<_>>());
    let transports = proptest::sample::select(&Transport::ALL[..]);
    let sessions = "[a-zA-Z0-9+./:=@_-]{1,40}".prop_map(|name| SessionId::parse(name.as_bytes()));
    let addresses = (any::<Option<IpAddr>>(), any::<Option<IpAddr>>());
    let told = (proptest::option::of(dialects), transports, proptest::option::of(sessions));
    (addresses, services, told).prop_map(
        |((client, local), service, (dialect, transport, session))| Origin {
            client,
            local,
            service,
            dialect,
            transport,
            session: session.flatten(),
        },
    )
}

fn infos() -> impl Strategy<Value = Info> {
    let field = ("[a-z,%.-]{1,8}", "[^\r\n\0]{0,20}");
    proptest::collection::vec(field, 0..5).prop_map(|fields| {
        let mut info = Info::default();
        for (label, value) in &fields {
            info.set(label, value).expect("a label and a value");
        }
        info
    })
}

fn questions() -> impl Strategy<Value = Question> {
    let purposes =
        prop_oneof![Just(Purpose::Lookup), secrets().prop_map(Purpose::Check), proofs::purposes(),];
    let ask = (names(), purposes, origins()).prop_map(|(user, purpose, origin)| {
        Question::Authenticate(AuthRequest { user, purpose, origin, trace: None })
    });
    let set = (proptest::option::of(secrets()), proptest::option::of(infos()))
        .prop_map(|(secret, info)| Action::Set { secret, info });
    let action = prop_oneof![Just(Action::Delete), set];
    let change = (names(), action, origins())
        .prop_map(|(user, action, origin)| Question::Change(Change { user, action, origin }));
    let search = (".{0,20}", 0..9_usize, proptest::option::of(0..99_usize), origins()).prop_map(
        |(pattern, from, max, origin)| Question::Search(Search { pattern, from, max, origin }),
    );
    prop_oneof![ask, change, search]
}

fn accounts() -> impl Strategy<Value = Account> {
    let drop = prop_oneof![
        Just(DropPath::Config),
        "/[^\0/]{1,9}x/[^\0/]{1,9}x".prop_map(|path| DropPath::File(PathBuf::from(path))),
    ];
    let uid = prop_oneof![
        Just(None),
        any::<u32>().prop_map(|number| Some(Uid::Number(number))),
        "[#@0-9a-z, -]{0,9}".prop_map(|name| Some(Uid::Name(name))),
    ];
    (names(), drop, uid, infos()).prop_map(|(name, drop, uid, info)| Account {
        name,
        drop,
        uid,
        info,
    })
}

/// What a question says, secrets included, which its `Debug` does not show.
fn told(question: &Question) -> String {
    let secret = match question {
        Question::Authenticate(AuthRequest { purpose: Purpose::Check(secret), .. }) => Some(secret),
        Question::Authenticate(AuthRequest { purpose: Purpose::Prove(proof), .. }) => {
            return format!("{question:?} {}", proofs::told(proof));
        }
        Question::Change(Change { action: Action::Set { secret, .. }, .. }) => secret.as_ref(),
        _ => None,
    };
    format!("{question:?} {:?}", secret.map(Secret::expose))
}

/// The lines of `stream` when it arrives in pieces of `step` bytes.
fn lines(stream: &[u8], step: usize) -> Vec<Vec<u8>> {
    let mut framer = LineFramer::new(MAX_LINE_BYTES, Ending::LfOrCrLf);
    let (mut buffer, mut out) = (Vec::new(), Vec::new());
    for piece in stream.chunks(step) {
        buffer.extend_from_slice(piece);
        loop {
            let taken = framer.take(&buffer);
            let (consumed, found) = (taken.consumed, taken.frame.is_some());
            match taken.frame {
                Some(Frame::Line(line)) => out.push(line.to_vec()),
                Some(Frame::Refused(fault)) => panic!("{fault}"),
                None => {}
            }
            buffer.drain(..consumed);
            if !found {
                break;
            }
        }
    }
    out
}

proptest! {
    #[test]
    fn questions_arrive_as_they_were_asked(
        asked in proptest::collection::vec((any::<u64>(), questions()), 1..5),
        step in 1..40_usize,
    ) {
        let mut stream = Vec::new();
        for (id, question) in &asked {
            question.write(&mut stream, *id).expect("short");
        }
        let lines = lines(&stream, step);
        prop_assert_eq!(lines.len(), asked.len());
        for (line, (id, question)) in lines.iter().zip(&asked) {
            match ClientLine::parse(line) {
                Ok(ClientLine::Ask(read, found)) => {
                    prop_assert_eq!(read, *id);
                    prop_assert_eq!(told(&found), told(question));
                }
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }

    #[test]
    fn accounts_arrive_as_they_were_sent(id: u64, account in accounts(), step in 1..40_usize) {
        let mut stream = Vec::new();
        write_verdict(&mut stream, id, &Ok(Verdict::accepted(account.clone())));
        let lines = lines(&stream, step);
        prop_assert_eq!(lines.len(), 1);
        let expected = ServerLine::Answer(id, Answer::Accepted(account));
        prop_assert_eq!(ServerLine::parse(&lines[0]), Ok(expected));
    }

    #[test]
    fn no_bytes_break_a_reader(line in proptest::collection::vec(any::<u8>(), 0..80)) {
        let _ = ClientLine::parse(&line);
        let _ = ServerLine::parse(&line);
        let _ = Greeting::parse(&line);
        let _ = Welcome::parse(&line);
    }
}

#[test]
fn a_no_arrives_with_its_kind_and_a_dead_with_its_own() {
    for kind in RejectionKind::ALL {
        let rejection = Rejection::new(kind, "50% \u{fc}ber");
        let mut line = Vec::new();
        write_refusal(&mut line, 7, &rejection);
        let found = ServerLine::parse(line.strip_suffix(b"\n").expect("a line"));
        assert_eq!(found, Ok(ServerLine::Answer(7, Answer::Rejected(rejection.clone()))));
        let telling = rejection.telling("this account is closed, 100%=sure");
        let mut line = Vec::new();
        write_refusal(&mut line, 7, &telling);
        let found = ServerLine::parse(line.strip_suffix(b"\n").expect("a line"));
        assert_eq!(found, Ok(ServerLine::Answer(7, Answer::Rejected(telling))));
    }
    for kind in UnavailableKind::ALL {
        let error = Unavailable::new(kind, "");
        let mut line = Vec::new();
        write_outcome(&mut line, 7, &Err(error.clone()));
        let found = ServerLine::parse(line.strip_suffix(b"\n").expect("a line"));
        assert_eq!(found, Ok(ServerLine::Answer(7, Answer::Dead(error))));
    }
}

#[test]
fn what_clients_are_told_is_one_line_of_printable_ascii() {
    let kept = |told: &str| {
        let rejection = Rejection::new(RejectionKind::OnHold, "held").telling(told);
        let mut line = Vec::new();
        write_refusal(&mut line, 1, &rejection);
        let line = String::from_utf8(line).expect("ASCII");
        match ServerLine::parse(line.trim_end().as_bytes()) {
            Ok(ServerLine::Answer(1, Answer::Rejected(found))) => (line, found.told),
            other => panic!("{other:?}"),
        }
    };
    let (line, told) = kept("this account is closed");
    assert_eq!(line, "1 no account-on-hold held told=this%20account%20is%20closed\n");
    assert_eq!(told.as_deref(), Some("this account is closed"));
    assert_eq!(kept(&"x".repeat(9999)).1.map(|told| told.len()), Some(512));
    for bad in ["", "closed\r\n+OK", "gesch\u{e4}ft", "\0", "\u{7f}"] {
        assert_eq!(kept(bad).1, None, "{bad:?}");
    }
    let rows: &[&[u8]] = &[
        b"1 no account-on-hold held told=",
        b"1 no account-on-hold held told=closed%0D%0A+OK",
        b"1 no account-on-hold held told=%C3%A4",
        b"1 no account-on-hold held told=a told=b",
        b"1 no account-on-hold held told",
    ];
    for line in rows {
        assert!(ServerLine::parse(line).is_err(), "{}", line.escape_ascii());
    }
    let later = ServerLine::parse(b"1 no account-disabled held colour=red told=closed");
    let expected = Rejection::new(RejectionKind::Disabled, "held").telling("closed");
    assert_eq!(later, Ok(ServerLine::Answer(1, Answer::Rejected(expected))));
}

#[test]
fn answers_read_as_in_the_manual() {
    let mut out = Vec::new();
    let info: Info = r#"fwd="|prog a,b" name="Ann Lee""#.parse().expect("info");
    let account = Account {
        name: user("ann"),
        drop: DropPath::File("/var/mail/a nn".into()),
        uid: Some(Uid::Number(1001)),
        info: info.clone(),
    };
    write_verdict(&mut out, 1, &Ok(Verdict::accepted(Account::named(user("bob")))));
    write_verdict(&mut out, 2, &Ok(Verdict::accepted(account)));
    write_verdict(&mut out, 3, &Ok(Verdict::Rejected(Rejection::unknown_user(&user("eve")))));
    write_outcome(&mut out, 4, &Ok(Outcome::Done("ann changed".into())));
    let hits = vec![Hit { user: user("-"), info: Info::default() }];
    write_search(&mut out, 5, &Ok(SearchOutcome::Found(Found { hits, scanned: 9 })));
    let dead = Unavailable::new(UnavailableKind::Dead, "down");
    write_verdict(&mut out, 6, &Err(dead));
    Push::Changed(user("jos\u{e9}")).write(&mut out);
    let expected = "1 ok bob - - -\n\
                    2 ok ann /var/mail/a%20nn #1001 fwd=|prog%20a%2Cb,name=Ann%20Lee\n\
                    3 no unknown-user eve%20does%20not%20exist\n\
                    4 done ann%20changed\n\
                    5 hit %2D %\n5 found 9\n\
                    6 dead source-down down\n\
                    changed jos%C3%A9\n";
    assert_eq!(String::from_utf8_lossy(&out), expected);
}

#[test]
fn what_breaks_the_protocol_is_found() {
    let rows: &[&[u8]] = &[
        b"",
        b"ping ",
        b"check bob x - - pop3",
        b"01 lookup bob - - pop3",
        b"+1 lookup bob - - pop3",
        b"18446744073709551616 lookup bob - - pop3",
        b"1  lookup bob - - pop3",
        b"1 lookup bob - - pop3 ",
        b"1 lookup bob - -",
        b"1 lookup bob - - pop3 more",
        b"1 lookup bob nowhere - pop3",
        b"1 lookup b%4 - - pop3",
        b"1 lookup b%zz - - pop3",
        b"1 check bob - - - pop3",
        b"1 check bob a=b - - pop3",
        b"1 check bob a%2 - - pop3",
        b"1 set bob - label - - pop3",
        b"1 set bob - =x - - pop3",
        b"1 search * -1 - - - pop3",
        b"1 remove bob - - pop3",
        b"1 check bob \xff - - pop3",
    ];
    for line in rows {
        let found = ClientLine::parse(line);
        assert!(matches!(found, Err(Malformed::Fault(_))), "{} {found:?}", line.escape_ascii());
    }
    let found = ClientLine::parse(b"9 lookup b%20ob - - pop3");
    assert!(matches!(found, Err(Malformed::User { id: 9, .. })), "{found:?}");
    let later = ClientLine::parse(b"9 lookup bob - - imap4 tls=yes");
    assert!(matches!(later, Ok(ClientLine::Ask(9, _))), "a later release asks: {later:?}");
    let told = |named: &str| match ClientLine::parse(
        format!("1 lookup bob - - imap {named}").as_bytes(),
    ) {
        Ok(ClientLine::Ask(1, Question::Authenticate(request))) => request.origin,
        other => panic!("{other:?}"),
    };
    let imap = Origin::local(Service::Imap);
    let all = Origin {
        dialect: Some("extauth"),
        transport: Transport::Tls,
        session: SessionId::parse(b"a=b"),
        ..imap
    };
    assert_eq!(told("session=a%3Db colour=red transport=tls dialect=extauth"), all);
    assert_eq!(
        told("dialect=telepathy transport=quantum session=a%20b"),
        imap,
        "of later releases"
    );
    for twice in ["session=a session=a", "session=%2", "session=a=b", "dialect"] {
        let line = format!("1 lookup bob - - imap {twice}");
        assert!(ClientLine::parse(line.as_bytes()).is_err(), "{line}");
    }
    let rows: &[&[u8]] = &[
        b"1 ok bob",
        b"1 ok bob relative - -",
        b"1 ok bob /a/../b - -",
        b"1 ok bob /a%00b - -",
        b"1 ok bob - 1001 -",
        b"1 ok bob - #4294967296 -",
        b"1 no because text",
        b"1 maybe",
        b"changed",
        b"changed b%20ob",
        b"closed",
    ];
    for line in rows {
        assert!(ServerLine::parse(line).is_err(), "{}", line.escape_ascii());
    }
}

#[test]
fn nobody_is_the_administrator_over_the_wire() {
    for name in ["admin", "line", "imap5"] {
        let line = format!("9 check bob s3cret 192.0.2.7 - {name}");
        match ClientLine::parse(line.as_bytes()) {
            Ok(ClientLine::Ask(9, Question::Authenticate(request))) => {
                assert_eq!(request.origin.service, Service::Line, "{name}");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn a_question_that_is_too_long_is_not_written() {
    let secret = Secret::new(vec![0; MAX_LINE_BYTES / 3]);
    let origin = Origin::local(Service::Pop3);
    let question = Question::Authenticate(AuthRequest::check(user("bob"), secret, origin));
    let mut out = b"before\n".to_vec();
    assert!(question.write(&mut out, 1).is_err());
    assert_eq!(out, b"before\n");
}

#[test]
fn greetings_are_read_back_and_a_first_version_is_known_by_its_answer() {
    let heartbeat = Duration::from_secs(2);
    for peer in [false, true] {
        let greeting = Greeting { version: VERSION, heartbeat, nonce: [7; NONCE_BYTES], peer };
        let line = greeting.line();
        assert!(Greeting::is_one(line.as_bytes()));
        assert_eq!(Greeting::parse(line.trim_end().as_bytes()), Ok(greeting));
    }
    for number in 0..16 {
        let [prove, by_address, scram, cram_md5] = [1, 2, 4, 8].map(|bit| number & bit != 0);
        let proofs = Proofs { scram, cram_md5, ..Proofs::default() };
        let welcome = Welcome { nonce: [9; NONCE_BYTES], prove, by_address, proofs };
        assert_eq!(Welcome::parse(welcome.line().trim_end().as_bytes()), Ok(welcome));
    }
    let nonce = "00112233445566778899aabbccddeeff";
    let later = format!("dmail 3 heartbeat=2 nonce={nonce} colour=red");
    assert!(Greeting::parse(later.as_bytes()).is_ok());
    for bad in [
        format!("dmail 1 heartbeat=2 nonce={nonce}"),
        format!("dmail 2 nonce={nonce}"),
        format!("dmail 2 heartbeat=0 nonce={nonce}"),
        format!("dmail 2 heartbeat=2 nonce={nonce}00"),
        "dmail 2 heartbeat=2".to_owned(),
        "dmail two".to_owned(),
    ] {
        assert!(Greeting::parse(bad.as_bytes()).is_err(), "{bad}");
    }
    let answer = |line: &str| Welcome::parse(line.as_bytes()).expect_err(line);
    assert_eq!(answer("-ERR unknown command, try help"), GreetingError::FirstVersion);
    assert_eq!(answer("+OK"), GreetingError::FirstVersion);
    assert_eq!(answer("-DEAD too many"), GreetingError::Refused("too many".into()));
    assert_eq!(answer("-DEAD"), GreetingError::Refused(String::new()));
    assert!(matches!(answer("+OK dmail 3 nonce=00"), GreetingError::Fault(_)));
    // What is no daemon at all is not an old one either: it gets no password.
    for other in
        ["", "HTTP/1.1 400 Bad Request", "SSH-2.0-x", "+OKAY", "-ERRATIC", "-DEADLY", "+DATA x"]
    {
        assert!(matches!(answer(other), GreetingError::Fault(_)), "{other}");
    }
    assert!(matches!(answer("+OK dmail 2"), GreetingError::Fault(_)));
}

#[test]
fn a_proof_is_of_one_side_one_connection_and_one_secret() {
    let secret = Secret::new(*b"between us");
    let (client, server) = ([1; NONCE_BYTES], [2; NONCE_BYTES]);
    let prover = Prover::new(&secret, client, server);
    let proof = prover.proof(Side::Client);
    assert!(prover.accepts(Side::Client, proof.as_bytes()));
    assert!(!prover.accepts(Side::Server, proof.as_bytes()));
    assert!(!Prover::new(&secret, server, client).accepts(Side::Client, proof.as_bytes()));
    let other = Prover::new(&Secret::new(*b"between them"), client, server);
    assert!(!other.accepts(Side::Client, proof.as_bytes()));
    for bad in ["", "00", "\u{fc}"] {
        assert!(!prover.accepts(Side::Client, bad.as_bytes()));
    }
    // The worked example of docs/tcpauth-protocol.md.
    let mut client = [0; NONCE_BYTES];
    client.iter_mut().zip(0..).for_each(|(byte, digit)| *byte = digit * 0x11);
    let server = client.map(|byte| !byte);
    let prover = Prover::new(&secret, client, server);
    assert_eq!(
        prover.proof(Side::Client),
        "564c53317d6bb05041b6f9f1d98473e9a48f5c53e113f8d030174a2a4a968c58"
    );
    assert_eq!(
        prover.proof(Side::Server),
        "f3f15fae0ec7286f1cbdb24c8d45c50b2189068e2c38fe89a348fd673c08e289"
    );
    assert_eq!(format!("{prover:?}"), "Prover(hidden)");
}
