//! Mail arrives and is read, by the clients that people have.

use std::fs;

use dmail_tests::peer::{curl, python, swaks};
use dmail_tests::server::Server;
use dmail_tests::site::Site;
use lettre::transport::smtp::authentication::Credentials;
use lettre::{SmtpTransport, Transport};

fn site() -> Site {
    Site::nwauth().user("bob", "bobs-password").user("ann", "anns-password")
}

fn bobs(site: &Site, server: &Server) -> Vec<String> {
    site.messages(server, "bob", "bobs-password")
}

fn message(subject: &str) -> String {
    format!("From: s@far.example\r\nTo: bob@corp.example\r\nSubject: {subject}\r\n\r\nText.\r\n")
}

#[test]
fn every_client_sends_and_reads() {
    let site = site();
    let server = site.serve();
    let (smtp, pop) = (server.smtp(), server.pop());
    let (from, bob) = ("s@far.example", "bob@corp.example");
    let _ = curl::send(smtp, from, &[bob], message("by curl").as_bytes()).success();
    let _ = swaks::send(smtp, bob, "by swaks", &[]).success();
    let _ = python::send(smtp, from, bob, message("by smtplib").as_bytes()).success();
    send_by_lettre(&server);

    let subjects = ["by curl", "by swaks", "by smtplib", "by lettre"];
    assert_eq!(python::subjects(&site.drop_file("bob")), subjects);
    let all = python::read(pop, "bob", "bobs-password").success().text();
    for (index, subject) in subjects.iter().enumerate() {
        assert!(all.contains(&format!("Subject: {subject}\r\n")), "{subject}: {all}");
        let one = curl::read(pop, "bob", "bobs-password", &(index + 1).to_string());
        assert!(one.success().text().contains(&format!("Subject: {subject}\r\n")), "{subject}");
    }
    server.stop();
}

/// The sender logs in, as a mail program does.
fn send_by_lettre(server: &Server) {
    let transport = SmtpTransport::builder_dangerous("127.0.0.1")
        .port(server.smtp().port())
        .credentials(Credentials::new("ann".to_owned(), "anns-password".to_owned()))
        .build();
    let message = lettre::Message::builder()
        .from("Ann <ann@corp.example>".parse().expect("an address"))
        .to("Bob <bob@corp.example>".parse().expect("an address"))
        .subject("by lettre")
        .body("Text.".to_owned())
        .expect("a message");
    transport.send(&message).expect("sent");
}

#[test]
fn a_message_gets_its_trace_and_what_it_lacks() {
    let site = site();
    let server = site.serve();
    let mut client = server.smtp_client();
    client.deliver(&["bob@corp.example"], "Subject: bare\r\n\r\nText.\r\n");
    let dated = "Date: Thu, 1 Jan 2026 00:00:00 +0000\r\nMessage-ID: <own@far.example>\r\n\r\n";
    client.deliver(&["bob@corp.example"], dated);
    let [bare, dated] = &bobs(&site, &server)[..] else { panic!("two messages") };
    assert!(
        bare.starts_with("Return-Path: <sender@far.example>\r\nReceived: from client.example ")
    );
    for part in ["([127.0.0.1])", "with ESMTP id ", "for <bob@corp.example>", "\r\nDate: "] {
        assert!(bare.contains(part), "{part}: {bare}");
    }
    assert!(bare.contains("\r\nMessage-ID: <") && bare.ends_with("\r\n\r\nText.\r\n"), "{bare}");
    assert_eq!(dated.matches("Message-ID:").count(), 1, "{dated}");
    assert_eq!(dated.matches("\r\nDate:").count(), 1, "{dated}");
}

/// Dots, `From ` lines, quotes before them, eight bits, long lines, empty
/// lines at the end: whatever stands in a body comes back.
#[test]
fn every_byte_of_a_body_comes_back() {
    let site = site();
    let server = site.serve();
    let mut text = b"Subject: bytes\r\nMIME-Version: 1.0\r\n\r\n".to_vec();
    let lines: [&[u8]; 14] = [
        b".",
        b"..",
        b".hidden",
        b"From me to you",
        b"",
        b"From sender@far.example Thu Jan  1 00:00:00 2026",
        b">From quoted",
        b">>>From quoted more",
        b" From",
        b"caf\xe9 \xc3\xa9 \x80\xff",
        b"\t\x01\x7f",
        &[b'x'; 990],
        b"",
        b"",
    ];
    for line in lines {
        text.extend_from_slice(line);
        text.extend_from_slice(b"\r\n");
    }
    let bob = "bob@corp.example";
    let _ = curl::send(server.smtp(), "s@far.example", &[bob], &text).success();
    let by_curl = curl::read(server.pop(), "bob", "bobs-password", "1").success().out;
    let by_poplib = python::read(server.pop(), "bob", "bobs-password").success().out;
    assert!(by_curl == by_poplib, "two clients read the same");
    let sent = text.escape_ascii().to_string();
    assert!(by_curl.ends_with(&text), "sent {sent}, got {}", by_curl.escape_ascii());
    assert_eq!(python::subjects(&site.drop_file("bob")), ["bytes"], "one message for others too");
}

#[test]
fn a_large_message_comes_back() {
    let site = site();
    let server = site.serve();
    let line = format!("From .{}\r\n", "0123456789".repeat(7));
    let large = format!("Subject: large\r\n\r\n{}", line.repeat(70_000));
    assert!(large.len() > 5_000_000);
    let bob = "bob@corp.example";
    let _ = curl::send(server.smtp(), "s@far.example", &[bob], large.as_bytes()).success();
    let got = curl::read(server.pop(), "bob", "bobs-password", "1").success().out;
    assert!(got.ends_with(large.as_bytes()), "{} bytes", got.len());

    server.stop();
    let site = site.set("max_message_size 1M");
    let server = site.serve();
    let said = curl::send(server.smtp(), "s@far.example", &[bob], large.as_bytes());
    assert_ne!(said.code, Some(0), "{}", said.err);
    assert_eq!(bobs(&site, &server).len(), 1);
}

#[test]
fn strangers_and_other_domains_are_refused() {
    let site = site();
    let server = site.serve();
    let mut client = server.smtp_client();
    client.ask("MAIL FROM:<bob@corp.example>", "250 ");
    client.ask("RCPT TO:<nobody@corp.example>", "550 5.1.1 ");
    for relay in ["x@far.example", "bob@corp.example.far.example", "x%far.example@far.example"] {
        client.ask(&format!("RCPT TO:<{relay}>"), "550 5.7.1 ");
    }
    for trick in ["x%far.example@corp.example", "far.example!x@corp.example"] {
        client.ask(&format!("RCPT TO:<{trick}>"), "550 5.1.1 ");
    }
    client.ask("DATA", "503 ");
    client.ask("RSET", "250 ");
    // Whoever logs in is told that this cannot be done yet.
    client
        .ask(&format!("AUTH PLAIN {}", dmail_tests::base64::plain("ann", "anns-password")), "235 ");
    client.ask("MAIL FROM:<ann@corp.example>", "250 ");
    let answer = client.ask("RCPT TO:<x@far.example>", "550 5.7.1 ");
    assert!(answer.contains("outgoing"), "{answer}");
    let said = swaks::send(server.smtp(), "x@far.example", "relayed", &[]);
    assert_ne!(said.code, Some(0));
    assert!(said.text().contains("550 5.7.1"), "{}", said.text());
}

#[test]
fn each_recipient_gets_one_copy_and_learns_of_no_other() {
    let site = site();
    let server = site.serve();
    let to = "bob@corp.example,ann@corp.example,BOB@corp.example";
    let _ = swaks::send(server.smtp(), to, "to both", &["--header", "To: list"]).success();
    for (user, password) in [("bob", "bobs-password"), ("ann", "anns-password")] {
        let [message] = &site.messages(&server, user, password)[..] else {
            panic!("one for {user}")
        };
        assert!(message.contains("Subject: to both"), "{message}");
        assert!(!message.contains("bob@corp") && !message.contains("ann@corp"), "{message}");
    }
}

#[test]
fn virtual_domains_have_users_of_their_own_by_suffix_and_by_address() {
    let site = Site::nwauth()
        .set("vdomain abc @abc.example abc.example mail/abc")
        .set("vdomain jds 127.0.0.2 jds.example mail/jds")
        .set("pop_port 127.0.0.2:0");
    for folder in ["abc", "jds"] {
        fs::create_dir(site.drop_file(folder)).expect("a directory");
    }
    let site = site
        .user("fred", "main-password")
        .user("fred@abc.example", "abc-password")
        .user("fred@jds.example", "jds-password");
    let server = site.serve();
    for domain in ["corp.example", "abc.example", "jds.example"] {
        server
            .smtp_client()
            .deliver(&[&format!("fred@{domain}")], &format!("Subject: for {domain}\r\n\r\n"));
    }
    let jds = server.pop_on([127, 0, 0, 2].into());
    let rows = [
        (server.pop(), "fred", "main-password", "corp.example", "fred"),
        (server.pop(), "fred@abc.example", "abc-password", "abc.example", "abc/abc_fred"),
        (jds, "fred", "jds-password", "jds.example", "jds/jds_fred"),
        (server.pop(), "FRED@JDS.example", "jds-password", "jds.example", "jds/jds_fred"),
    ];
    for (pop, user, password, domain, drop_file) in rows {
        let mail = python::read(pop, user, password).success().text();
        assert_eq!(mail.matches("Subject: for ").count(), 1, "{user}: {mail}");
        assert!(mail.contains(&format!("Subject: for {domain}")), "{user}: {mail}");
        assert_eq!(python::subjects(&site.drop_file(drop_file)), [format!("for {domain}")]);
    }
    // One domain's password opens no other domain's mailbox.
    assert_ne!(curl::read(jds, "fred", "main-password", "").code, Some(0));
    assert_ne!(curl::read(server.pop(), "fred", "jds-password", "").code, Some(0));
}

#[test]
fn a_user_is_the_same_in_all_names_of_the_main_domain() {
    let site = site().set("host_domain mail.corp.example");
    let server = site.serve();
    for address in ["bob@corp.example", "bob@mail.corp.example", "Bob@MAIL.corp.EXAMPLE"] {
        server.smtp_client().deliver(&[address], "Subject: one of three\r\n\r\n");
    }
    assert_eq!(bobs(&site, &server).len(), 3);
    assert_eq!(site.messages(&server, "bob@mail.corp.example", "bobs-password").len(), 3);
}

#[test]
fn mail_that_arrives_during_a_session_is_there_in_the_next() {
    let site = site();
    let server = site.serve();
    server.smtp_client().deliver(&["bob@corp.example"], "Subject: first\r\n\r\n");
    let mut reader = server.pop_client();
    reader.ask("USER bob", "+OK");
    reader.ask("PASS bobs-password", "+OK");
    assert_eq!(reader.list().len(), 1);
    server.smtp_client().deliver(&["bob@corp.example"], "Subject: second\r\n\r\n");
    // Nobody else may read meanwhile.
    let mut other = server.pop_client();
    other.ask("USER bob", "+OK");
    other.ask("PASS bobs-password", "-ERR [IN-USE] ");
    assert_eq!(reader.list().len(), 1, "a session sees what was there");
    reader.ask("DELE 1", "+OK");
    reader.ask("QUIT", "+OK");
    let [left] = &bobs(&site, &server)[..] else { panic!("one message") };
    assert!(left.contains("Subject: second"), "{left}");
}
