//! Hostile clients of the dialects, over the real sockets: the server lives, in
//! step and within its means, serves everybody else meanwhile, and writes no
//! password down.

use std::collections::HashSet;
use std::thread;
use std::time::{Duration, Instant};

use dmail_tests::base64;
use dmail_tests::dialect::Dialect::{
    self, Authdaemon, DovecotAuth, DovecotMaster, DovecotUserdb, Policy, Saslauthd, Socketmap,
    TcpTable, Tcpauth,
};
use dmail_tests::dialect::{Connection, Heard, Place};
use dmail_tests::module;
use dmail_tests::secrets;
use dmail_tests::server::Server;
use dmail_tests::site::Site;
use dmail_tests::wait;

/// A site that serves all dialects, and its server.
struct Served {
    site: Site,
    server: Server,
}

impl Served {
    /// In front of the module that knows bob.
    fn start(settings: &[&str]) -> Self {
        // It keeps no record of its requests, which would hold the passwords.
        let site = Site::with_module(&module::command("good")).set("authent_queue 5000");
        let site = settings.iter().fold(site, |site, line| site.set(line));
        let site = Dialect::ALL.into_iter().fold(site, |site, dialect| {
            let (name, options) = (dialect.name(), dialect.options());
            let address =
                if is_tcp(dialect) { "127.0.0.1:0".into() } else { format!("unix:{name}.sock") };
            site.set(&format!("dialect {name} {address} {options}"))
        });
        let server = site.serve();
        Self { site, server }
    }

    fn place(&self, dialect: Dialect) -> Place {
        match is_tcp(dialect) {
            true => Place::Tcp(self.server.dialect(dialect.name())),
            false => Place::Unix(self.site.home().join(format!("{}.sock", dialect.name()))),
        }
    }

    /// A connection on which a request can be sent.
    fn connect(&self, dialect: Dialect) -> Connection {
        dialect.connect(&self.place(dialect))
    }

    /// Fails if a client who behaves is not served.
    fn assert_serves(&self, dialect: Dialect) {
        let heard = dialect.ask(&self.place(dialect), "bob", "s3cret");
        assert_eq!(heard, Heard::Yes, "{dialect:?}");
    }
}

/// Two of them are asked over TCP, where connections end in other ways.
fn is_tcp(dialect: Dialect) -> bool {
    matches!(dialect, DovecotAuth | TcpTable)
}

/// Whether a connection is for one request only.
fn is_once(dialect: Dialect) -> bool {
    matches!(dialect, Authdaemon | Saslauthd)
}

/// Fails if a client who is connected is not served.
fn assert_goes_on(dialect: Dialect, connection: &mut Connection) {
    connection.send(&dialect.request("bob", "s3cret"));
    assert_eq!(dialect.hear(connection), Heard::Yes, "{dialect:?}");
}

/// One attack: what is sent after the greetings, and all that is replied until
/// the server, or the client that has nothing more to say, ends the connection.
struct Attack {
    dialect: Dialect,
    sent: Vec<u8>,
    replied: &'static str,
}

fn attack(dialect: Dialect, sent: impl Into<Vec<u8>>, replied: &'static str) -> Attack {
    Attack { dialect, sent: sent.into(), replied }
}

/// The right password of bob, in a message that is otherwise wrong.
const PLAIN: &str = "resp=AGJvYgBzM2NyZXQ=";

/// A login that the module takes a while to accept.
const SLOW: &str = "resp=AHNsb3cAczNjcmV0";

fn attacks() -> Vec<Attack> {
    let auth = |line: &str| attack(DovecotAuth, format!("{line}\n"), "");
    let says = |line: &str, replied| attack(DovecotAuth, format!("{line}\n"), replied);
    let plain = |message: &str| format!("AUTH\t1\tPLAIN\tresp={}\n", base64::encode(message));
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
        attack(DovecotAuth, plain("bob\0bob"), "FAIL\t1\n"),
        attack(DovecotAuth, plain("\0bob\0"), "FAIL\t1\n"),
        attack(DovecotAuth, plain("\0\0s3cret"), "FAIL\t1\n"),
        attack(DovecotAuth, plain("\0bob\0s3cret\0"), "FAIL\t1\n"),
        attack(DovecotAuth, plain("\0bob\n\0s3cret"), "FAIL\t1\n"),
        attack(DovecotAuth, plain("admin\0bob\0s3cret"), "FAIL\t1\n"),
        // Accounts, as mail processes ask for them.
        attack(DovecotUserdb, "USER\n", ""),
        attack(DovecotUserdb, "USER\t0\tbob\tservice=lmtp\n", ""),
        attack(DovecotUserdb, "USER\t1\n", ""),
        attack(DovecotUserdb, "USER\t1\tnobody\tservice=lmtp\n", "NOTFOUND\t1\n"),
        attack(DovecotUserdb, "USER\t1\tb\x01nob\tservice=lmtp\n", "NOTFOUND\t1\n"),
        attack(DovecotUserdb, "REQUEST\t1\t2\t3\t00\n", ""),
        attack(DovecotMaster, "REQUEST\t1\t4242\t7\n", ""),
        attack(DovecotMaster, "REQUEST\t1\t4242\t7\tnot-hexadecimal\n", ""),
        attack(DovecotMaster, format!("REQUEST\t1\t4242\t7\t{:032}\n", 7), "FAIL\t1\n"),
        // Courier's.
        attack(Authdaemon, "AUTH 999999999\n", ""),
        attack(Authdaemon, "AUTH 99999999999999999999999999\n", ""),
        attack(Authdaemon, "AUTH -1\nx", ""),
        attack(Authdaemon, "AUTH \n", ""),
        attack(Authdaemon, "AUTH 0\n", "FAIL\n"),
        attack(Authdaemon, "AUTH 5\nimap\n", "FAIL\n"),
        attack(Authdaemon, "AUTH 50\nimap\nlogin\nbob\ns3cret\n", ""),
        attack(Authdaemon, "AUTH 21\nimap\nlogin\nbob\0s3cret", "FAIL\n"),
        attack(Authdaemon, "AUTH 20\nimap\nlogin\n\nb\ns3cret", "FAIL\n"),
        attack(Authdaemon, "AUTH 25\nimap\ncram-md5\nAAAA\nAAAAAA", "FAIL\n"),
        attack(Authdaemon, "PRE\n", "FAIL\n"),
        attack(Authdaemon, "PRE . imap b\0b\n", "FAIL\n"),
        attack(Authdaemon, "DROP TABLE users\n", "FAIL\n"),
        attack(Authdaemon, "TCPREMOTEIP=nowhere\nPRE . imap nobody\n", "FAIL\n"),
        // Tables of Postfix.
        attack(Socketmap, "99999:vmailbox bob@corp.example,", ""),
        attack(Socketmap, "99999999999999999999999:x,", ""),
        attack(Socketmap, "-5:hello,", ""),
        attack(Socketmap, "5:hello;", ""),
        attack(Socketmap, ":,", ""),
        attack(Socketmap, "0:,", ""),
        attack(Socketmap, "25:vmailbox bob", ""),
        attack(Socketmap, "10:vmailbox \0,", "9:NOTFOUND ,"),
        attack(Socketmap, b"10:vmailbox \xff,".to_vec(), "9:NOTFOUND ,"),
        attack(Socketmap, "6:nomap ,", "25:PERM there is no such map,"),
        attack(TcpTable, "get a\0b\n", ""),
        attack(TcpTable, "get bob@corp.example", ""),
        attack(TcpTable, "put bob x\n", "500 only get is served\n"),
        attack(TcpTable, "get %zz\nget %\n", "500 not found\n500 not found\n"),
        // Postfix' questions about mail.
        attack(Policy, "no attribute\n\n", ""),
        attack(Policy, "\n", ""),
        attack(Policy, "request=junk_mail\n\n", ""),
        attack(Policy, "request=smtpd_access_policy\nrecipient_count=many\n\n", ""),
        attack(Policy, "request=smtpd_access_policy\n", ""),
        attack(Policy, "x=y\n".repeat(10_000), ""),
        // saslauthd's.
        attack(Saslauthd, [0; 8], "\0\x02NO"),
        attack(Saslauthd, [0xff; 60], ""),
        attack(Saslauthd, b"\0\x03b\0b\0\x06s3cret\0\0\0\0".to_vec(), "\0\x02NO"),
        attack(Saslauthd, b"\0\x03bob\0\x06s3cret\0\0".to_vec(), ""),
        // Our own.
        attack(Tcpauth, "check bob\n", "-ERR usage: check user password [ip]\n"),
    ];
    // A line, or a request, without an end.
    for dialect in Dialect::ALL {
        // Every two bytes are a length to saslauthd: this is a request.
        let replied = if dialect == Saslauthd { "\0\x02NO" } else { "" };
        attacks.push(attack(dialect, vec![b'x'; 1 << 20], replied));
    }
    attacks
}

impl Attack {
    fn says(self, replied: &'static str) -> Self {
        Self { replied, ..self }
    }

    /// Fails if the server does not do what it should.
    fn run(&self, served: &Served) {
        let mut client = served.connect(self.dialect);
        // It may have enough before all is sent.
        let _ = client.try_send(&self.sent).and_then(|()| client.finish());
        let replied = client.rest();
        let sent = String::from_utf8_lossy(&self.sent[..self.sent.len().min(80)]);
        let replied = String::from_utf8_lossy(&replied);
        assert_eq!(replied, self.replied, "{:?}: {sent:?}", self.dialect);
    }
}

#[test]
fn a_malformed_request_gets_its_error_or_the_door_and_disturbs_nobody() {
    let mut served = Served::start(&[]);
    // Others were there before, and stay.
    let lasting = Dialect::ALL.into_iter().filter(|dialect| !is_once(*dialect));
    let mut others: Vec<_> = lasting.map(|dialect| (dialect, served.connect(dialect))).collect();
    for attack in attacks() {
        attack.run(&served);
        assert!(served.server.is_running());
        match others.iter_mut().find(|(dialect, _)| *dialect == attack.dialect) {
            Some((dialect, other)) => assert_goes_on(*dialect, other),
            None => served.assert_serves(attack.dialect),
        }
    }
    // Random bytes, which are the same in each run.
    let mut state = 1_u64;
    for dialect in Dialect::ALL {
        for _ in 0..20 {
            let noise: Vec<u8> = (0..5_000).map(|_| noise(&mut state)).collect();
            let mut client = dialect.greeted(&served.place(dialect));
            let _ = client.try_send(&noise).and_then(|()| client.finish());
            let _ = client.rest();
        }
        served.assert_serves(dialect);
    }
    for (dialect, other) in &mut others {
        assert_goes_on(*dialect, other);
    }
    served.server.stop();
    let forms = secrets::forms("bob", &["s3cret"]);
    secrets::assert_no_file_holds(served.site.folder(), &forms);
}

/// The next byte of a sequence that looks like chance (xorshift).
fn noise(state: &mut u64) -> u8 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    state.to_le_bytes()[3]
}

/// A request that is answered at once.
fn chatter(dialect: Dialect) -> &'static [u8] {
    match dialect {
        DovecotAuth => b"AUTH\t1\tNTLM\n",
        DovecotMaster | DovecotUserdb => b"USER\t1\t\n",
        Policy => b"request=smtpd_access_policy\n\n",
        Socketmap => b"6:nomap ,",
        TcpTable => b"put\n",
        Authdaemon | Saslauthd | Tcpauth => b"nonsense\n",
    }
}

#[test]
fn who_never_reads_costs_little_memory_and_is_cut_off() {
    const CLIENTS: usize = 5;
    /// What each of them sends, if it is taken.
    const MUCH: usize = 16 << 20;
    let served = Served::start(&[]);
    let pid = served.server.pid();
    Dialect::ALL.into_iter().for_each(|dialect| served.assert_serves(dialect));
    let (files, memory) = (wait::open_files(pid), wait::memory(pid));
    let lasting: Vec<_> = Dialect::ALL.into_iter().filter(|dialect| !is_once(*dialect)).collect();
    thread::scope(|scope| {
        for dialect in lasting.iter().copied() {
            for _ in 0..CLIENTS {
                let mut client = served.connect(dialect);
                scope.spawn(move || {
                    let block = chatter(dialect).repeat(10_000);
                    let mut blocks = (0..MUCH / block.len()).map(|_| client.try_send(&block));
                    assert!(blocks.any(|sent| sent.is_err()), "{dialect:?}: all was taken");
                });
            }
        }
        // Meanwhile, others.
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(3) {
            Dialect::ALL.into_iter().for_each(|dialect| served.assert_serves(dialect));
        }
        let (clients, grown) = (lasting.len() * CLIENTS, wait::memory(pid).saturating_sub(memory));
        eprintln!("{clients} clients that never read: {} KB more", grown / 1024);
        // A quarter of a megabyte of answers for each, and what is about to
        // be read.
        assert!(grown < clients * 512 * 1024, "{grown} bytes more");
    });
    wait::until("all of them are cut off", || wait::open_files(pid) <= files);
    Dialect::ALL.into_iter().for_each(|dialect| served.assert_serves(dialect));
    served.server.stop();
}

#[test]
fn thousands_of_questions_on_one_connection_get_an_answer_each() {
    const QUESTIONS: usize = 3_000;
    let served = Served::start(&[]);
    // Logins are answered in any order, each by its number.
    let is_right = |number: usize| number.is_multiple_of(2);
    let question = |number: usize| {
        let password = if is_right(number) { format!("p{number}") } else { "wrong".into() };
        let message = base64::plain(&format!("u{number}"), &password);
        format!("AUTH\t{number}\tPLAIN\tservice=imap\trip=127.0.0.1\tresp={message}\n")
    };
    let questions: String = (1..=QUESTIONS).map(question).collect();
    let mut answered = HashSet::new();
    ask_while_reading(&mut served.connect(DovecotAuth), &questions, QUESTIONS, |line| {
        let number: usize = line.split('\t').nth(1).unwrap_or_default().parse().expect("an id");
        let expected = match is_right(number) {
            true => format!("OK\t{number}\tuser=u{number}"),
            false => format!("FAIL\t{number}"),
        };
        assert_eq!(line, expected);
        assert!(answered.insert(number), "{number} was answered twice");
    });
    // Keys of a table are answered in their order.
    let is_known = |number: usize| number.is_multiple_of(3);
    let key = |number: usize| if is_known(number) { format!("u{number}") } else { "no".into() };
    let questions: String =
        (0..QUESTIONS).map(|number| format!("get {}@corp.example\n", key(number))).collect();
    let mut number = 0;
    ask_while_reading(&mut served.connect(TcpTable), &questions, QUESTIONS, |line| {
        let expected = if is_known(number) { "200 " } else { "500 " };
        assert!(line.starts_with(expected), "{number}: {line}");
        number += 1;
    });
    served.server.stop();
}

/// Sends all of `questions`, and shows `see` one line for each of `count`.
fn ask_while_reading(
    client: &mut Connection,
    questions: &str,
    count: usize,
    mut see: impl FnMut(&str),
) {
    let mut sending = client.twin();
    thread::scope(|scope| {
        scope.spawn(move || sending.send(questions.as_bytes()));
        (0..count).for_each(|_| see(&client.line()));
    });
}

#[test]
fn silent_clients_take_the_places_of_their_own_dialect_only() {
    const PLACES: usize = 5;
    let served = Served::start(&[&format!("dialect_max_connections {PLACES}")]);
    for dialect in Dialect::ALL {
        let mut silent: Vec<_> = (0..PLACES).map(|_| served.connect(dialect)).collect();
        let turned_away = served.place(dialect).connect().rest();
        // Only our own protocol has a word for it.
        let word: &[u8] = if dialect == Tcpauth { b"-DEAD too many connections\n" } else { b"" };
        assert_eq!(turned_away, word, "{dialect:?}");
        let others = Dialect::ALL.into_iter().filter(|other| *other != dialect);
        others.for_each(|other| served.assert_serves(other));
        silent.pop();
        wait::until("a place is free", || {
            let mut client = served.place(dialect).connect();
            let words = [dialect.hello(), &dialect.request("bob", "s3cret")].concat();
            let _ = client.try_send(&words).and_then(|()| client.finish());
            let said = client.rest();
            !said.is_empty() && !said.starts_with(b"-DEAD")
        });
    }
    served.server.stop();
}

#[test]
fn a_question_that_nobody_can_answer_holds_back_no_other() {
    let settings = ["authent_number 4", "authent_timeout 3"];
    let served = Served::start(&settings);
    let mut stuck = served.connect(DovecotAuth);
    for id in [5, 6] {
        stuck.send_login(id, "hang", &format!("s3cret{id}"), "service=smtp");
    }
    let mut silent = served.connect(Saslauthd);
    silent.send(&Saslauthd.request("hang", "s3cret7"));
    let asked = Instant::now();
    Dialect::ALL.into_iter().for_each(|dialect| served.assert_serves(dialect));
    // On the same connection, too.
    assert_goes_on(DovecotAuth, &mut stuck);
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
    // Then the connections end: that is how these say "try again later".
    assert_eq!(stuck.rest(), b"");
    assert_eq!(silent.rest(), b"");
    served.server.stop();
}
