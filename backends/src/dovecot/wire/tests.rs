use super::*;

fn bob() -> Username {
    Username::parse(b"bob").expect("a name")
}

fn origin() -> Origin {
    let address = |text: &str| text.parse().ok();
    Origin {
        client: address("192.0.2.7"),
        local: address("::1"),
        session: dmail_core::SessionId::parse(b"c3czgQcVdMKsEQAB"),
        ..Origin::local(Service::Pop3)
    }
}

#[test]
fn a_question_says_where_it_comes_from() {
    let words = check(&bob(), &Secret::new(*b"pw"), &origin(), true).expect("words");
    assert_eq!(
        String::from_utf8_lossy(&words),
        "PLAIN\tservice=pop3\tprotocol=pop3\tlip=::1\trip=192.0.2.7\
         \tsession=c3czgQcVdMKsEQAB\tnologin\tno-penalty\tsecured\
         \tresp=AGJvYgBwdw=="
    );
    let local = Origin::local(Service::Admin);
    let words = look_up(&bob(), &local).expect("words");
    assert_eq!(String::from_utf8_lossy(&words), "bob\tservice=dmail\tprotocol=dmail");
    let no = |secret: &[u8]| check(&bob(), &Secret::new(secret), &local, false).is_err();
    assert!(no(b"a\0b") && no(&[b'a'; 8_000]) && !no(&[b'a'; 5_000]));
}

#[test]
fn greetings_end_where_the_first_answer_may_come() {
    let rows: &[(Socket, &[u8], Result<Line<'_>, &str>)] = &[
        (Socket::Auth, b"VERSION\t1\t4", Ok(Line::Greeting)),
        (Socket::Auth, b"VERSION\t2\t0", Err("it speaks another version of the protocol")),
        (Socket::Auth, b"MECH\tPLAIN\tplaintext", Ok(Line::Plain)),
        (Socket::Auth, b"MECH\tLOGIN\tplaintext", Ok(Line::Greeting)),
        (Socket::Auth, b"SPID\t123", Ok(Line::Greeting)),
        (Socket::Auth, b"COOKIE\tabc", Ok(Line::Greeting)),
        (Socket::Auth, b"DONE", Ok(Line::Ready)),
        (Socket::Auth, b"OK\t7\tuser=bob", Ok(Line::Answer(7, b"OK", b"user=bob"))),
        (Socket::Auth, b"FAIL\t7", Ok(Line::Answer(7, b"FAIL", b""))),
        (Socket::Auth, b"FAIL\tx", Err("a line without a number")),
        (Socket::Auth, b"", Err("a line without a number")),
        (Socket::Userdb, b"SPID\t123", Ok(Line::Ready)),
        (Socket::Userdb, b"DONE\t3\t", Ok(Line::Answer(3, b"DONE", b""))),
        (Socket::Userdb, b"NOTFOUND\t2", Ok(Line::Answer(2, b"NOTFOUND", b""))),
    ];
    for (socket, line, expected) in rows {
        assert_eq!(socket.parse(line), *expected, "{}", String::from_utf8_lossy(line));
    }
}

/// `yes NAME`, the kind of no, or the kind of no answer.
fn shown(found: Result<Result<Described, Rejection>, Unavailable>) -> String {
    match found {
        Ok(Ok(described)) => format!("yes {}", described.name.unwrap_or_default()),
        Ok(Err(rejection)) => rejection.kind.id().to_owned(),
        Err(error) => error.kind.id().to_owned(),
    }
}

#[test]
fn every_answer_about_a_password_has_its_meaning() {
    let rows = [
        ("OK", "user=bob", "yes bob"),
        ("OK", "user=bob@corp.example\tfoo=x", "yes bob@corp.example"),
        ("OK", "foo", "source-fault"),
        ("OK", "user=bob\tnologin\treason=go away", "not-allowed"),
        ("OK", "user=bob\tnologin\tproxy\thost=192.0.2.1", "yes bob"),
        ("FAIL", "user=bob", "not-verified"),
        ("FAIL", "", "not-verified"),
        ("FAIL", "user=bob\tcode=temp_fail", "source-down"),
        ("FAIL", "user=bob\ttemp", "source-down"),
        ("FAIL", "user=bob\tcode=user_disabled", "account-disabled"),
        ("FAIL", "user=bob\tcode=pass_expired", "not-allowed"),
        ("FAIL", "user=bob\tauthz", "not-allowed"),
        ("FAIL", "code=invalid_base64", "bad-input"),
        ("FAIL", "code=brand_new", "source-fault"),
        ("CONT", "", "source-fault"),
        ("HELLO", "user=bob", "source-fault"),
    ];
    for (word, fields, expected) in rows {
        let found = shown(verdict(&bob(), word.as_bytes(), fields.as_bytes()));
        assert_eq!(found, expected, "{word} {fields}");
    }
}

#[test]
fn every_answer_about_a_user_has_its_meaning() {
    let rows = [
        ("USER", "bob\tuid=1000\thome=/home/b\x01tb", "yes bob"),
        ("USER", "bob", "yes bob"),
        ("NOTFOUND", "", "unknown-user"),
        ("FAIL", "reason=db is down", "source-down"),
        ("OK", "user=bob", "source-fault"),
    ];
    for (word, fields, expected) in rows {
        let found = shown(found(&bob(), word.as_bytes(), fields.as_bytes()));
        assert_eq!(found, expected, "{word} {fields}");
    }
    let described = found(&bob(), b"USER", b"bob\tuid=1000\thome=/home/b\x01tb");
    let described = described.expect("an answer").expect("a user");
    assert_eq!((described.uid, described.home.as_deref()), (Some(1000), Some("/home/b\tb")));
}

#[test]
fn a_list_ends_well_or_not() {
    let user = |line: Listed| match line {
        Listed::User(user) => user.map(|user| user.to_string()).unwrap_or_default(),
        Listed::End => "end".to_owned(),
    };
    assert_eq!(listed(b"LIST", b"bob").map(user), Ok("bob".to_owned()));
    assert_eq!(listed(b"LIST", b"two words").map(user), Ok(String::new()));
    assert_eq!(listed(b"DONE", b"").map(user), Ok("end".to_owned()));
    assert!(listed(b"DONE", b"fail").is_err() && listed(b"FAIL", b"").is_err());
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_taken_without_a_panic(bytes: Vec<u8>) {
        crate::dovecot::read_line(&bob(), &bytes);
    }
}
