use std::path::PathBuf;

use super::super::value::testing::{read, refuses};
use super::option_table::{OPTIONS, Of, OptionRow};
use super::*;
use crate::ScramHash;
use crate::sasl::Mechanism;

fn line(text: &str) -> DialectLine {
    read(&dialect(), text).expect(text)
}

#[test]
fn every_example_of_the_manual_is_a_line_of_its_dialect() {
    for row in DIALECTS {
        let text = row.example.strip_prefix("dialect ").expect("a line");
        assert_eq!(line(text).name(), row.name);
    }
}

#[test]
fn a_line_may_have_every_option_of_its_dialect_and_of_its_socket() {
    for DialectRow { name, .. } in DIALECTS {
        for (address, of_socket) in [("unix:/run/a", Of::Unix), ("192.0.2.1:7", Of::Tcp)] {
            let mut text = format!("{name} {address}");
            for option in OPTIONS {
                if option.is_of(name) || option.of == of_socket {
                    text += &format!(" {}={}", option.name, option.value);
                }
            }
            assert_eq!(line(&text).name(), *name, "{text}");
        }
    }
}

#[test]
fn an_option_is_of_dialects_that_there_are() {
    for OptionRow { name, of, .. } in OPTIONS {
        let (Of::Dialects(dialects) | Of::AllBut(dialects)) = of else { continue };
        for dialect in *dialects {
            assert!(DIALECTS.iter().any(|row| row.name == *dialect), "{name}= of {dialect}");
        }
    }
}

#[test]
fn a_line_is_read_with_all_its_options() {
    let text = "dovecot-auth unix:/run/auth mode=660 group=postfix tempfail=code service=smtp \
                timeout=20s";
    let DialectLine { dialect, on, allow, service, timeout } = line(text);
    let mechanisms = vec![Mechanism::Plain, Mechanism::Login];
    assert_eq!(dialect, Dialect::DovecotAuth { tempfail: Tempfail::Code, mechanisms });
    let scram = line("dovecot-auth unix:a mechanisms=scram-sha-256,PLAIN").dialect;
    let mechanisms = vec![Mechanism::Scram(ScramHash::Sha256), Mechanism::Plain];
    assert_eq!(scram, Dialect::DovecotAuth { tempfail: Tempfail::ByVersion, mechanisms });
    let ListenOn::Unix(socket) = on else { panic!("a file") };
    assert_eq!((socket.path, socket.mode), (PathBuf::from("/run/auth"), 0o660));
    assert_eq!((allow, service, timeout.as_secs()), (None, Some(Service::Smtp), 20));

    let socketmap = line("socketmap 7026 allow=192.0.2.0/28,2001:db8::/64 transport=lmtp:[::1]");
    let allow = socketmap.allow.expect("it is there");
    assert!(allow.includes("192.0.2.9".parse().expect("an address")));
    assert!(allow.includes("2001:db8::9".parse().expect("an address")));
    assert!(!allow.includes("127.0.0.1".parse().expect("an address")));
    assert_eq!(socketmap.dialect, Dialect::Socketmap { transport: Some("lmtp:[::1]".into()) });
    assert_eq!(socketmap.timeout.as_secs(), 9);

    let authdaemon = line("authdaemon unix:a home=/var/mail gid=8 uid=7");
    let words = AccountWords { uid: 7, gid: 8, home: "/var/mail".into() };
    assert_eq!(authdaemon.dialect, Dialect::Authdaemon(words));
}

#[test]
fn a_line_over_http_has_a_secret_a_certificate_and_servers() {
    let text = "auth-http 127.0.0.1:7080 imap=store.corp.example:143 mx=[::1]:25 wait=3 attempts=5 \
                user=account secret_file=/etc/dmail/http.secret";
    let DialectLine { dialect: Dialect::AuthHttp(words), timeout, .. } = line(text) else {
        panic!("nginx's")
    };
    assert_eq!((words.wait.as_secs(), words.attempts, words.account_name), (3, 5, true));
    assert_eq!(
        (words.imap, words.mx),
        ("store.corp.example:143".parse().ok(), "[::1]:25".parse().ok())
    );
    assert_eq!((words.pop3, words.smtp, timeout.as_secs()), (None, None, 50));
    assert_eq!(words.http.secret_file, Some("/etc/dmail/http.secret".into()));
    let http = line("http unix:a certificate=/a.pem key=/a.key service=imap timeout=5").dialect;
    let tls = TlsFiles { certificate: "/a.pem".into(), key: "/a.key".into() };
    assert_eq!(http, Dialect::Http(HttpWords { secret_file: None, tls: Some(tls.clone()) }));
    let tcpauth = line("tcpauth 127.0.0.1:7070 key=/a.key certificate=/a.pem").dialect;
    assert_eq!(tcpauth, Dialect::Tcpauth { changes: false, tls: Some(tls) });
}

#[test]
fn a_mistake_is_told_with_its_place_and_what_to_write() {
    // The text, the part that is wrong, why, and what to write instead.
    #[rustfmt::skip]
    let rows: &[(&str, &str, &str, &str)] = &[
        ("saslauth unix:mux", "saslauth", "there is no such dialect", "did you mean saslauthd?"),
        ("radius 1812", "radius", "there is no such dialect", "there are auth-http, auth-policy, "),
        ("saslauthd", "saslauthd", "the address is missing", ""),
        ("saslauthd unix:", "unix:", "the file is missing", ""),
        ("saslauthd mux", "mux", "neither a port nor an address with a port", ""),
        ("saslauthd ::1", "::1", "the port is missing", "with a port: [::1]:25"),
        ("saslauthd unix:mux mode=999", "mode=999", "not three octal digits", ""),
        ("saslauthd unix:mux 660", "660", "an option is written NAME=VALUE", ""),
        ("saslauthd unix:mux mod=660", "mod=660", "saslauthd has no option mod=", "did you mean mode=?"),
        ("saslauthd unix:mux map=valias", "map=valias", "saslauthd has no option map=", "it has service=, timeout=, mode=, owner=, group="),
        ("saslauthd unix:mux allow=*", "allow=*", "a unix socket has no allow=", "clients are let in by mode="),
        ("saslauthd 127.0.0.1:7 mode=660", "mode=660", "an address has no mode=", "clients are let in by allow="),
        ("saslauthd unix:mux timeout=", "timeout=", "timeout= has no value", ""),
        ("saslauthd unix:mux timeout=5 timeout=6", "timeout=6", "timeout= is there twice", ""),
        ("saslauthd unix:mux timeout=0", "0", "less than 1 seconds", "timeout= needs a time from 1 to 600 seconds"),
        ("saslauthd unix:mux service=ftp", "ftp", "not one of the words known here", "service= needs one of imap, pop3, smtp, web"),
        ("saslauthd 7", "7", "anybody who reaches this address", "allow=192.0.2.0/28, or listen on 127.0.0.1"),
        ("saslauthd 0.0.0.0:7", "0.0.0.0:7", "anybody who reaches this address", "name the servers"),
        ("socketmap 7 allow=10.0.0.0/33", "10.0.0.0/33", "not a network", "allow= needs"),
        ("tcp-table 127.0.0.1:7", "tcp-table", "map= is missing", "add map=valias"),
        ("tcp-table 127.0.0.1:7 map=aliases", "aliases", "not one of the words", "map= needs one of quota, "),
        ("authdaemon unix:a uid=7", "authdaemon", "gid= is missing", "add gid=5000"),
        ("authdaemon unix:a uid=root gid=7 home=/", "root", "not a whole number", "uid= needs a number from 1"),
        ("auth-http unix:a", "auth-http", "imap= is missing", "add imap=127.0.0.1:143"),
        ("auth-http unix:a pop3=127.0.0.1", "127.0.0.1", "the port is missing", "pop3= needs HOST:PORT"),
        ("auth-http unix:a pop3=a/b:110", "a/b:110", "this is neither HOST nor HOST:PORT", "pop3= needs HOST:PORT"),
        ("auth-http unix:a smtp=h:25 user=me", "me", "not one of the words", "user= needs one of login, account"),
        ("http unix:a key=/a.key", "http", "certificate= is missing", "add certificate="),
        ("tcpauth 127.0.0.1:7070 key=/a.key", "tcpauth", "certificate= is missing", "add certificate="),
        ("auth-policy unix:a certificate=/a.pem", "auth-policy", "key= is missing", "add key="),
        ("socketmap unix:a service=smtp", "service=smtp", "socketmap has no option service=", "it has transport=, timeout="),
        ("tcpauth unix:a service=smtp", "service=smtp", "tcpauth has no option service=", "it has certificate=, key=, changes=, mode="),
        ("dovecot-auth unix:a mechanisms=PLAIN,SCRAM-SHA256", "SCRAM-SHA256", "there is no such mechanism", "there are SCRAM-SHA-256-PLUS, "),
        ("dovecot-auth unix:a mechanisms=LOGIN,login", "login", "the mechanism is there twice", "mechanisms= needs names of SASL"),
        ("dovecot-auth unix:a tempfail=cut", "cut", "not one of the words", "tempfail= needs one of close, code"),
    ];
    for (text, part, why, help) in rows {
        let fault = read(&dialect(), text).expect_err(text);
        assert_eq!(&text[fault.at], *part, "{text}: {}", fault.why);
        assert!(fault.why.starts_with(why), "{text}: {}", fault.why);
        let given = fault.help.unwrap_or_default();
        assert!(given.contains(help), "{text}: {given}");
    }
    refuses(&dialect(), "saslauthd unix:m service=x", 25..26, "not one of the words known here");
}

#[test]
fn lines_are_the_same_wherever_they_stand() {
    let one = line("saslauthd unix:mux mode=660");
    assert!(one.is_same_as(&line("saslauthd  unix:mux  mode=0660")));
    for other in [
        "saslauthd unix:mux",
        "saslauthd unix:mux mode=660 group=sasl",
        "saslauthd unix:mux2 mode=660",
        "saslauthd 127.0.0.1:7",
        "saslauthd unix:mux mode=660 timeout=8",
        "dovecot-auth unix:mux mode=660",
    ] {
        assert!(!one.is_same_as(&line(other)), "{other}");
    }
}

#[test]
fn the_manual_of_the_setting_names_every_dialect() {
    let row = super::super::DMAIL_CONF.row("dialect").expect("a setting");
    for DialectRow { name, .. } in DIALECTS {
        assert!(row.meaning.contains(&format!("`{name}`")), "{name}");
    }
}

#[test]
fn the_documentation_has_the_table_of_dialects() {
    const BEGIN: &str = "<!-- dialects -->\n";
    const END: &str = "<!-- /dialects -->\n";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/dialects.md");
    let written = std::fs::read_to_string(path).expect("it is there");
    let (before, rest) = written.split_once(BEGIN).expect("the table begins");
    let (_, after) = rest.split_once(END).expect("the table ends");
    for DialectRow { name, .. } in DIALECTS {
        assert!(after.contains(&format!("`{name}`")), "its \"try again later\": {name}");
    }
    let expected = format!("{before}{BEGIN}\n{}\n{END}{after}", dialect_manual());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &expected).expect("docs/ can be written to");
    } else {
        assert!(written == expected, "run UPDATE_DOCS=1 cargo test to write docs/dialects.md");
    }
}
