//! Hostile clients of the dialects, over the real sockets: the server lives, in
//! step and within its means, serves everybody else meanwhile, and writes no
//! password down.

use std::collections::HashMap;
use std::thread;
use std::time::{Duration, Instant};

use dmail_tests::base64;
use dmail_tests::dialect::{self, Spoken};
use dmail_tests::module;
use dmail_tests::peer::cyrus;
use dmail_tests::secrets;
use dmail_tests::server::Server;
use dmail_tests::site::Site;
use dmail_tests::wait;
use dmail_tests::wire::Wire;

/// All dialects, in front of the module that knows bob.
fn site() -> Site {
    // It keeps no record of its requests, which would hold the passwords.
    let site = Site::with_module(&module::command("good"));
    dialect::speaking_all(site.set("authent_timeout 5").set("authent_queue 5000"))
}

/// One attack: what is sent after the greetings, and all that is replied until
/// the server, or the client that has nothing more to say, ends the connection.
struct Attack {
    dialect: &'static str,
    sent: Vec<u8>,
    replied: &'static str,
}

fn attack(dialect: &'static str, sent: impl Into<Vec<u8>>, replied: &'static str) -> Attack {
    Attack { dialect, sent: sent.into(), replied }
}

/// The right password of bob, in a message that is otherwise wrong.
const PLAIN: &str = "resp=AGJvYgBzM2NyZXQ=";

/// A login that the module takes a while to accept.
const SLOW: &str = "resp=AHNsb3cAczNjcmV0";

fn attacks() -> Vec<Attack> {
    let auth = |line: &str| attack("dovecot-auth", format!("{line}\n"), "");
    let says = |line: &str, replied| attack("dovecot-auth", format!("{line}\n"), replied);
    let plain = |message: &str| format!("AUTH\t1\tPLAIN\tresp={}\n", base64::encode(message));
    let long = vec![b'x'; 1 << 20];
    let mut attacks = vec![
        // Logins of Dovecot's clients.
        auth("AUTH"),
        auth("AUTH\t1"),
        auth(&format!("AUTH\t0\tPLAIN\t{PLAIN}")),
        auth(&format!("AUTH\t-1\tPLAIN\t{PLAIN}")),
        auth(&format!("AUTH\t4294967296\tPLAIN\t{PLAIN}")),
        auth(&format!("AUTH\t1\tPLAIN\t{PLAIN}\tservice=smtp")),
        auth(&format!("AUTH\t1\tPLAIN\nAUTH\t1\tPLAIN\t{PLAIN}")).says("CONT\t1\t\n"),
        // The first one is still being asked.
        says(&format!("AUTH\t1\tPLAIN\t{SLOW}\nAUTH\t1\tPLAIN\t{PLAIN}"), "OK\t1\tuser=slow\n"),
        auth("AUTH\t1\tPLAIN\0"),
        auth("VERSION\t2\t0"),
        auth("CONT"),
        auth("CONT\tx\tAA=="),
        auth("CANCEL\t0"),
        says(&format!("AUTH\t4294967295\tPLAIN\t{PLAIN}"), "OK\t4294967295\tuser=bob\n"),
        says("AUTH\t1\tPLAIN\tresp=!!!!", "FAIL\t1\tcode=invalid_base64\n"),
        says("AUTH\t1\tPLAIN\tresp=AGJvYgBzM2NyZXQ", "FAIL\t1\tcode=invalid_base64\n"),
        says("AUTH\t1\tNTLM", "FAIL\t1\treason=Unsupported authentication mechanism\n"),
        says("CONT\t9\tAA==", "FAIL\t9\n"),
        says("NONSENSE\t1\t2\t3", ""),
        attack("dovecot-auth", plain("bob\0bob"), "FAIL\t1\n"),
        attack("dovecot-auth", plain("\0bob\0"), "FAIL\t1\n"),
        attack("dovecot-auth", plain("\0\0s3cret"), "FAIL\t1\n"),
        attack("dovecot-auth", plain("\0bob\0s3cret\0"), "FAIL\t1\n"),
        attack("dovecot-auth", plain("\0bob\n\0s3cret"), "FAIL\t1\n"),
        attack("dovecot-auth", plain("admin\0bob\0s3cret"), "FAIL\t1\n"),
        // Accounts, as mail processes ask for them.
        attack("dovecot-userdb", "USER\n", ""),
        attack("dovecot-userdb", "USER\t0\tbob\tservice=lmtp\n", ""),
        attack("dovecot-userdb", "USER\t1\n", ""),
        attack("dovecot-userdb", "USER\t1\tnobody\tservice=lmtp\n", "NOTFOUND\t1\n"),
        attack("dovecot-userdb", "USER\t1\tb\x01nob\tservice=lmtp\n", "NOTFOUND\t1\n"),
        attack("dovecot-userdb", "REQUEST\t1\t2\t3\t00\n", ""),
        attack("dovecot-master", "REQUEST\t1\t4242\t7\n", ""),
        attack("dovecot-master", "REQUEST\t1\t4242\t7\tnot-hexadecimal\n", ""),
        attack("dovecot-master", format!("REQUEST\t1\t4242\t7\t{:032}\n", 7), "FAIL\t1\n"),
        // Courier's.
        attack("authdaemon", "AUTH 999999999\n", ""),
        attack("authdaemon", "AUTH 99999999999999999999999999\n", ""),
        attack("authdaemon", "AUTH -1\nx", ""),
        attack("authdaemon", "AUTH \n", ""),
        attack("authdaemon", "AUTH 0\n", "FAIL\n"),
        attack("authdaemon", "AUTH 5\nimap\n", "FAIL\n"),
        attack("authdaemon", "AUTH 50\nimap\nlogin\nbob\ns3cret\n", ""),
        attack("authdaemon", "AUTH 21\nimap\nlogin\nbob\0s3cret", "FAIL\n"),
        attack("authdaemon", "AUTH 20\nimap\nlogin\n\nb\ns3cret", "FAIL\n"),
        attack("authdaemon", "AUTH 26\nimap\ncram-md5\nAAAA\nAAAAAA", "FAIL\n"),
        attack("authdaemon", "PRE\n", "FAIL\n"),
        attack("authdaemon", "PRE . imap b\0b\n", "FAIL\n"),
        attack("authdaemon", "DROP TABLE users\n", "FAIL\n"),
        attack("authdaemon", "TCPREMOTEIP=nowhere\nPRE . imap nobody\n", "FAIL\n"),
        // Tables of Postfix.
        attack("socketmap", "99999:vmailbox bob@corp.example,", ""),
        attack("socketmap", "99999999999999999999999:x,", ""),
        attack("socketmap", "-5:hello,", ""),
        attack("socketmap", "5:hello;", ""),
        attack("socketmap", ":,", ""),
        attack("socketmap", "0:,", ""),
        attack("socketmap", "25:vmailbox bob", ""),
        attack("socketmap", "10:vmailbox \0,", "9:NOTFOUND ,"),
        attack("socketmap", b"10:vmailbox \xff,".to_vec(), "9:NOTFOUND ,"),
        attack("socketmap", "6:nomap ,", "25:PERM there is no such map,"),
        attack("tcp-table", "get a\0b\n", ""),
        attack("tcp-table", "get bob@corp.example", ""),
        attack("tcp-table", "put bob x\n", "500 only get is served\n"),
        attack("tcp-table", "get %zz\nget %\n", "500 not%20found\n500 not%20found\n"),
        // Postfix' questions about mail.
        attack("policy", "no attribute\n\n", ""),
        attack("policy", "\n", ""),
        attack("policy", "request=junk_mail\n\n", ""),
        attack("policy", "request=smtpd_access_policy\nrecipient_count=many\n\n", ""),
        attack("policy", "request=smtpd_access_policy\n", ""),
        attack("policy", "x=y\n".repeat(10_000), ""),
        // saslauthd's.
        attack("saslauthd", [0; 8], "\0\x02NO"),
        attack("saslauthd", [0xff; 60], ""),
        attack("saslauthd", b"\0\x03b\0b\0\x06s3cret\0\0\0\0".to_vec(), "\0\x02NO"),
        attack("saslauthd", b"\0\x03bob\0\x06s3cret\0\0".to_vec(), ""),
        // Our own.
        attack("tcpauth", "check bob\n", "-ERR check needs a user name and a password\n"),
    ];
    // A line, or a request, without an end.
    for spoken in dialect::ALL {
        let replied = if spoken.name == "tcpauth" { "-ERR line too long\n" } else { "" };
        attacks.push(attack(spoken.name, long.clone(), replied));
    }
    attacks
}

impl Attack {
    fn says(self, replied: &'static str) -> Self {
        Self { replied, ..self }
    }

    /// Fails if the server does not do what it should.
    fn run(&self, site: &Site, server: &Server) {
        let mut wire = Spoken::named(self.dialect).connect(site, server);
        // It may have enough before all is sent.
        let _ = wire.try_send(&self.sent).and_then(|()| wire.finish());
        let replied = wire.rest();
        let shown = String::from_utf8_lossy(&self.sent[..self.sent.len().min(80)]);
        assert_eq!(String::from_utf8_lossy(&replied), self.replied, "{}: {shown:?}", self.dialect);
    }
}

#[test]
fn a_malformed_request_gets_its_error_or_the_door_and_disturbs_nobody() {
    let site = site();
    let mut server = site.serve();
    // Others were there before, and stay.
    let mut others: Vec<(Spoken, Wire)> = dialect::ALL
        .into_iter()
        .filter(|spoken| !spoken.once)
        .map(|spoken| (spoken, spoken.connect(&site, &server)))
        .collect();
    for attack in attacks() {
        attack.run(&site, &server);
        assert!(server.is_running());
        let other = others.iter_mut().find(|(spoken, _)| spoken.name == attack.dialect);
        match other {
            Some((spoken, wire)) => spoken.ask(wire),
            None => Spoken::named(attack.dialect).assert_serves(&site, &server),
        }
    }
    // Random bytes, which are the same in each run.
    let mut state = 1_u64;
    for spoken in dialect::ALL {
        for _ in 0..20 {
            let noise: Vec<u8> = (0..5_000).map(|_| noise(&mut state)).collect();
            let mut wire = spoken.place(&site, &server).connect();
            spoken.be_greeted(&mut wire);
            let _ = wire.try_send(&noise).and_then(|()| wire.finish());
            let _ = wire.rest();
        }
        spoken.assert_serves(&site, &server);
    }
    for (spoken, wire) in &mut others {
        spoken.ask(wire);
    }
    server.stop();
    secrets::assert_no_file_holds(site.folder(), &secrets::forms("bob", &["s3cret"]));
}

/// The next byte of a sequence that looks like chance (xorshift).
fn noise(state: &mut u64) -> u8 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    state.to_le_bytes()[3]
}

/// Questions that are answered at once, each on its own.
fn chatter(spoken: Spoken) -> &'static [u8] {
    match spoken.name {
        "dovecot-auth" => b"AUTH\t1\tNTLM\n",
        "dovecot-master" | "dovecot-userdb" => b"USER\t1\t\n",
        "policy" => b"request=smtpd_access_policy\n\n",
        "socketmap" => b"6:nomap ,",
        "tcp-table" => b"put\n",
        _ => b"nonsense\n",
    }
}

#[test]
fn who_never_reads_costs_little_memory_and_is_cut_off() {
    const DEAF: usize = 5;
    /// What each of them sends, if it is taken.
    const MUCH: usize = 16 << 20;
    let site = site();
    let server = site.serve();
    let spoken: Vec<Spoken> = dialect::ALL.into_iter().filter(|spoken| !spoken.once).collect();
    spoken.iter().for_each(|spoken| spoken.assert_serves(&site, &server));
    wait::until("the connections are closed", || wait::open_files(server.pid()) < 100);
    let (files, memory) = (wait::open_files(server.pid()), wait::memory(server.pid()));
    thread::scope(|scope| {
        for spoken in &spoken {
            for _ in 0..DEAF {
                let mut wire = spoken.connect(&site, &server);
                scope.spawn(move || {
                    let block = chatter(*spoken).repeat(10_000);
                    for _ in 0..MUCH / block.len() {
                        if wire.try_send(&block).is_err() {
                            return;
                        }
                    }
                    panic!("{}: {MUCH} bytes were taken of who reads nothing", spoken.name);
                });
            }
        }
        // Meanwhile, others.
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(3) {
            dialect::ALL.iter().for_each(|spoken| spoken.assert_serves(&site, &server));
        }
        let grown = wait::memory(server.pid()).saturating_sub(memory);
        println!("{} deaf clients: {} KB more", spoken.len() * DEAF, grown / 1024);
        // At most a quarter of a megabyte of output for each, what one request
        // adds to that, and as much of input.
        assert!(grown < spoken.len() * DEAF * (1 << 20), "{grown} bytes more");
    });
    wait::until("all of them are cut off", || wait::open_files(server.pid()) <= files);
    dialect::ALL.iter().for_each(|spoken| spoken.assert_serves(&site, &server));
    server.stop();
}

#[test]
fn thousands_of_questions_on_one_connection_get_an_answer_each() {
    const QUESTIONS: usize = 3_000;
    let site = site();
    let server = site.serve();
    let start = Instant::now();
    // Logins are answered in any order, each by its number.
    let spoken = Spoken::named("dovecot-auth");
    let mut wire = spoken.connect(&site, &server);
    let is_right = |number: usize| number.is_multiple_of(2);
    let question = |number: usize| {
        let password = if is_right(number) { format!("p{number}") } else { "wrong".into() };
        let message = base64::plain(&format!("u{number}"), &password);
        format!("AUTH\t{number}\tPLAIN\tservice=imap\trip=127.0.0.1\tresp={message}\n")
    };
    let questions: String = (1..=QUESTIONS).map(question).collect();
    let mut answers = HashMap::new();
    ask_while_reading(&mut wire, questions.as_bytes(), QUESTIONS, |line| {
        let fields: Vec<&str> = line.split('\t').collect();
        let number: usize = fields[1].parse().expect("a number");
        let expected = match is_right(number) {
            true => format!("OK\t{number}\tuser=u{number}"),
            false => format!("FAIL\t{number}"),
        };
        assert_eq!(line, expected);
        assert_eq!(answers.insert(number, ()), None, "{number} was answered twice");
    });
    println!("{QUESTIONS} logins on one connection: {:?}", start.elapsed());
    // Keys of a table are answered in their order.
    let spoken = Spoken::named("tcp-table");
    let mut wire = spoken.connect(&site, &server);
    let known = |number: usize| number.is_multiple_of(3);
    let key = |number: usize| if known(number) { format!("u{number}") } else { "nobody".into() };
    let questions: String =
        (0..QUESTIONS).map(|number| format!("get {}@corp.example\n", key(number))).collect();
    let mut number = 0;
    ask_while_reading(&mut wire, questions.as_bytes(), QUESTIONS, |line| {
        let expected = if known(number) { "200 " } else { "500 " };
        assert!(line.starts_with(expected), "{number}: {line}");
        number += 1;
    });
    server.stop();
}

/// Sends all of `questions`, and shows `see` one line for each of `count`.
fn ask_while_reading(wire: &mut Wire, questions: &[u8], count: usize, mut see: impl FnMut(&str)) {
    let mut other = wire.try_clone().expect("a descriptor");
    thread::scope(|scope| {
        scope.spawn(move || other.send(questions));
        for _ in 0..count {
            let line = wire.until(b"\n");
            see(String::from_utf8_lossy(&line).trim_end());
        }
    });
}

#[test]
fn silent_clients_take_the_places_of_their_own_dialect_only() {
    const PLACES: usize = 5;
    let site = site().set(&format!("dialect_max_connections {PLACES}"));
    let server = site.serve();
    for spoken in dialect::ALL {
        let mut silent: Vec<Wire> = (0..PLACES).map(|_| spoken.connect(&site, &server)).collect();
        let mut turned_away = spoken.place(&site, &server).connect();
        assert_eq!(turned_away.rest(), b"", "{}: closed without a word", spoken.name);
        for other in dialect::ALL.iter().filter(|other| other.name != spoken.name) {
            other.assert_serves(&site, &server);
        }
        silent.pop();
        wait::until("a place is free", || {
            let wire = spoken.place(&site, &server).try_connect();
            let Ok(mut wire) = wire else { return false };
            let all = [spoken.hello, spoken.question].concat();
            wire.try_send(all).is_ok() && !wire.until(spoken.answer).is_empty()
        });
    }
    server.stop();
}

#[test]
fn a_question_that_nobody_can_answer_holds_back_no_other() {
    let site = site().set("authent_number 3").set("authent_timeout 3");
    let server = site.serve();
    let mut stuck = Spoken::named("dovecot-auth").connect(&site, &server);
    for number in 1..=2 {
        let message = base64::plain("hang", "s3cret");
        stuck.send(format!("AUTH\t{number}\tPLAIN\tresp={message}\n"));
    }
    let mut silent = Spoken::named("saslauthd").connect(&site, &server);
    silent.send(cyrus::request(&[b"hang", b"s3cret", b"smtp", b""]));
    let asked = Instant::now();
    dialect::ALL.iter().for_each(|spoken| spoken.assert_serves(&site, &server));
    // On the same connection, too.
    Spoken::named("dovecot-auth").ask(&mut stuck);
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
    for _ in 1..=2 {
        let answer = stuck.until(b"\n");
        assert!(answer.ends_with(b"\tcode=temp_fail\n"), "{answer:?}");
    }
    assert_eq!(silent.rest(), b"");
    server.stop();
}
