//! Real connections to a real service on real drop files.

mod kit;

use std::sync::Arc;
use std::time::Duration;

use dmail_net::Limits;
use dmail_pop::Config;
use kit::Service;

const FIRST: &str = "Subject: 1\n\none\n.two\nlast\n";
const SECOND: &str = "Subject: 2\n\nbody\n";

#[tokio::test]
async fn a_client_reads_its_mail() {
    let service = Service::with_mail(Config::default(), &[FIRST, SECOND]).await;
    let mut client = service.log_in().await;
    assert_eq!(client.say("STAT").await, "+OK 2 51");
    assert_eq!(client.say("LIST").await, "+OK 2 messages (51 octets)");
    assert_eq!(client.lines().await, ["1 31", "2 20"]);
    assert_eq!(client.say("RETR 1").await, "+OK 31 octets");
    assert_eq!(client.lines().await, ["Subject: 1", "", "one", "..two", "last"]);
    assert_eq!(client.say("TOP 1 1").await, "+OK top of message follows");
    assert_eq!(client.lines().await, ["Subject: 1", "", "one"]);
    assert_eq!(client.say("NOOP").await, "+OK nothing done");
    assert_eq!(client.say("RSET").await, "+OK 2 messages (51 octets)");
    assert_eq!(client.say("QUIT").await, "+OK goodbye");
    assert_eq!(client.rest().await, "");
}

#[tokio::test]
async fn a_missing_mailbox_is_an_empty_one_and_is_not_created() {
    let service = Service::start(Config::default()).await;
    let mut client = service.log_in().await;
    assert_eq!(client.say("STAT").await, "+OK 0 0");
    assert_eq!(client.say("QUIT").await, "+OK goodbye");
    assert!(!service.drop_file("bob").exists());
}

#[tokio::test]
async fn auth_plain_logs_in() {
    let service = Service::with_mail(Config::default(), &[SECOND]).await;
    let mut client = service.connect().await;
    assert_eq!(client.say("AUTH PLAIN").await, "+ ");
    // base64 of NUL bob NUL two words
    let reply = client.say("AGJvYgB0d28gd29yZHM=").await;
    assert_eq!(reply, "+OK bob has 1 messages (20 octets)");
}

#[tokio::test]
async fn a_wrong_password_and_an_outage_are_told_apart() {
    let service = Service::start(Config::default()).await;
    let mut client = service.connect().await;
    client.say("USER bob").await;
    let wrong = client.say("PASS guess").await;
    assert_eq!(wrong, "-ERR [AUTH] wrong user name or password");
    client.say("USER down").await;
    let outage = client.say("PASS two words").await;
    assert!(outage.starts_with("-ERR [SYS/TEMP] "), "{outage}");
}

#[tokio::test]
async fn names_are_lasting() {
    let service = Service::with_mail(Config::default(), &[FIRST, SECOND, SECOND]).await;
    let mut client = service.log_in().await;
    assert_eq!(client.say("UIDL").await, "+OK 3 messages (71 octets)");
    let before = client.lines().await;
    assert_eq!(client.say("UIDL 2").await, format!("+OK {}", before[1]));
    client.say("DELE 1").await;
    client.say("QUIT").await;

    let mut client = service.log_in().await;
    client.say("UIDL").await;
    let name = |line: &String| line.split_once(' ').expect("two words").1.to_owned();
    let after: Vec<String> = client.lines().await.iter().map(name).collect();
    let before: Vec<String> = before.iter().map(name).collect();
    assert_eq!(after, before[1..]);
    assert_ne!(after[0], after[1], "equal messages are two messages");
}

#[tokio::test]
async fn deletions_happen_at_quit_and_new_mail_stays() {
    let service = Service::with_mail(Config::default(), &[FIRST, SECOND]).await;
    let mut client = service.log_in().await;
    assert!(client.say("DELE 1").await.starts_with("+OK"));
    service.deliver("Subject: 3\n\nmeanwhile\n");
    assert_eq!(client.say("STAT").await, "+OK 1 20");
    assert!(service.mail().contains("Subject: 1"), "not yet");
    assert_eq!(client.say("QUIT").await, "+OK goodbye");

    let mail = service.mail();
    assert!(!mail.contains("Subject: 1"), "{mail}");
    assert!(mail.contains("Subject: 2") && mail.contains("meanwhile"), "{mail}");
    let mut client = service.log_in().await;
    assert_eq!(client.say("STAT").await, "+OK 2 45");
}

#[tokio::test]
async fn a_client_that_does_not_say_quit_keeps_its_mail() {
    let service = Service::with_mail(Config::default(), &[FIRST, SECOND]).await;
    let before = service.mail();
    let mut client = service.log_in().await;
    client.say("DELE 1").await;
    drop(client);
    service.shutdown.drain(Duration::from_secs(20)).await;
    assert_eq!(service.mail(), before);
}

#[tokio::test]
async fn one_session_at_a_time_has_the_mailbox() {
    let service = Service::with_mail(Config::default(), &[FIRST]).await;
    let mut first = service.log_in().await;
    let mut second = service.connect().await;
    second.say("USER bob").await;
    let reply = second.say("PASS two words").await;
    assert!(reply.starts_with("-ERR [IN-USE] "), "{reply}");
    // It is free before the reply to QUIT can be read.
    first.say("QUIT").await;
    second.say("USER bob").await;
    let reply = second.say("PASS two words").await;
    assert!(reply.starts_with("+OK bob has 1 "), "{reply}");
}

#[tokio::test]
async fn trouble_with_the_mailbox_says_whether_waiting_helps() {
    let mut config = Config::default();
    config.lock.wait = Duration::from_millis(20);
    let service = Service::with_mail(config, &[FIRST]).await;
    let lock = service.drop_file("bob.lock");
    std::fs::write(&lock, "").expect("ours");
    let mut client = service.connect().await;
    client.say("USER bob").await;
    let locked = client.say("PASS two words").await;
    assert!(locked.starts_with("-ERR [SYS/TEMP] "), "{locked}");

    std::fs::remove_file(&lock).expect("still ours");
    std::fs::write(service.drop_file("bob"), "no mail").expect("ours");
    client.say("USER bob").await;
    let broken = client.say("PASS two words").await;
    assert!(broken.starts_with("-ERR [SYS/PERM] "), "{broken}");
    assert_eq!(service.mail(), "no mail");
}

#[tokio::test]
async fn a_mailbox_that_was_rewritten_is_left_alone() {
    let service = Service::with_mail(Config::default(), &[FIRST, SECOND]).await;
    let mut client = service.log_in().await;
    client.say("DELE 1").await;
    let other = "From x@y Sat Dec 26 09:37:48 1998\nSubject: other\n\n";
    std::fs::write(service.drop_file("bob"), other).expect("ours");
    let reply = client.say("QUIT").await;
    assert_eq!(reply, "-ERR [SYS/TEMP] some deleted messages not removed");
    assert_eq!(service.mail(), other);
}

#[tokio::test]
async fn commands_that_come_together_are_answered_in_order() {
    let service = Service::with_mail(Config::default(), &[FIRST, SECOND]).await;
    let mut client = service.connect().await;
    client
        .send(b"USER bob\r\nPASS two words\r\nSTAT\r\nRETR 2\r\nXYZZY\r\nDELE 2\r\nQUIT\r\n")
        .await;
    assert_eq!(
        client.rest().await,
        "+OK now the password\r\n\
         +OK bob has 2 messages (51 octets)\r\n\
         +OK 2 51\r\n\
         +OK 20 octets\r\nSubject: 2\r\n\r\nbody\r\n.\r\n\
         -ERR unknown command\r\n\
         +OK message 2 will be deleted at QUIT\r\n\
         +OK goodbye\r\n"
    );
    assert!(!service.mail().contains("Subject: 2"));
}

#[tokio::test]
async fn a_large_message_arrives_whole() {
    let mut body = String::from("Subject: large\n\n");
    for number in 0..100_000 {
        body.push_str(&format!("{}line {number}\n", if number % 3 == 0 { "." } else { "" }));
    }
    // Longer than any piece.
    body.push_str(&"x".repeat(300_000));
    body.push('\n');
    let service = Service::with_mail(Config::default(), &[&body]).await;
    let mut client = service.log_in().await;
    let octets = body.len() + body.matches('\n').count();
    assert_eq!(client.say("RETR 1").await, format!("+OK {octets} octets"));
    let received: String = client
        .lines()
        .await
        .iter()
        .map(|line| format!("{}\n", line.strip_prefix('.').unwrap_or(line)))
        .collect();
    assert!(received == body, "{} of {} bytes", received.len(), body.len());
    assert_eq!(client.say("TOP 1 50000").await, "+OK top of message follows");
    assert_eq!(client.lines().await.len(), 50_002);
    assert_eq!(client.say("STAT").await, format!("+OK 1 {octets}"));
}

#[tokio::test]
async fn a_long_listing_arrives_whole() {
    let service = Service::with_mail(Config::default(), &["A: b\n\nc\n"; 4000]).await;
    let mut client = service.log_in().await;
    for command in ["UIDL", "LIST"] {
        assert!(client.say(command).await.starts_with("+OK"));
        let lines = client.lines().await;
        assert_eq!(lines.len(), 4000, "{command}");
        assert!(lines[3999].starts_with("4000 "), "{command}");
    }
    assert_eq!(client.say("STAT").await, "+OK 4000 44000");
}

#[tokio::test]
async fn a_stop_spares_who_is_logged_in() {
    let service = Service::with_mail(Config::default(), &[FIRST]).await;
    let mut waiting = service.connect().await;
    let mut reading = service.log_in().await;
    let shutdown = service.shutdown.clone();
    let drained = tokio::spawn(async move { shutdown.drain(Duration::from_secs(20)).await });
    assert_eq!(waiting.rest().await, "-ERR [SYS/TEMP] server is going down\r\n");
    assert_eq!(reading.say("STAT").await, "+OK 1 31");
    reading.say("DELE 1").await;
    assert_eq!(reading.say("QUIT").await, "+OK goodbye");
    assert_eq!(drained.await.expect("no panic"), 0);
    assert_eq!(service.mail(), "");
}

#[tokio::test]
async fn a_silent_client_is_closed_without_a_word_and_keeps_its_mail() {
    let config = Config { idle_timeout: Duration::from_millis(50), ..Config::default() };
    let service = Service::with_mail(config, &[FIRST]).await;
    let before = service.mail();
    let mut client = service.log_in().await;
    client.send(b"DELE 1\r\n").await;
    client.line().await;
    assert_eq!(client.rest().await, "");
    assert_eq!(service.mail(), before);
}

#[tokio::test]
async fn nobody_may_take_for_ever_to_log_in() {
    let config = Config { login_timeout: Duration::from_millis(50), ..Config::default() };
    let service = Service::start(config).await;
    let mut client = service.connect().await;
    assert_eq!(client.rest().await, "");
}

#[tokio::test]
async fn junk_ends_the_connection() {
    let service = Service::start(Config::default()).await;
    let mut client = service.connect().await;
    for _ in 0..5 {
        assert_eq!(client.say("GET / HTTP/1.1").await, "-ERR unknown command");
    }
    assert_eq!(client.rest().await, "");
}

#[tokio::test]
async fn who_may_connect_is_decided_by_address_and_number() {
    let config = Config { limits: Limits { connections: 1, per_client: 1 }, ..Config::default() };
    let service = Service::start(config).await;
    let _first = service.connect().await;
    let stream = tokio::net::TcpStream::connect(service.address).await;
    let mut second = kit::Client::new(stream.expect("listening"));
    let reply = second.line().await;
    assert!(reply.starts_with("-ERR [SYS/TEMP] too many"), "{reply}");

    let config =
        Config { user_ip_address: Arc::new(|address| !address.is_loopback()), ..Config::default() };
    let service = Service::start(config).await;
    let stream = tokio::net::TcpStream::connect(service.address).await;
    let mut stranger = kit::Client::new(stream.expect("listening"));
    assert_eq!(stranger.rest().await, "");
}
