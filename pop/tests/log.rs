//! What an operator reads, and what nobody may read. One test, alone in its
//! program, because the log is the program's.

mod kit;

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dmail_pop::Config;
use kit::Service;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        let log = self.0.lock().expect("nobody panicked");
        String::from_utf8(log.clone()).expect("text")
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("nobody panicked").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_log_says_who_and_why_but_never_the_password() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();

    let service = Service::with_mail(Config::default(), &["Subject: 1\n\nx\n"]).await;
    let mut client = service.connect().await;
    client.say("USER bob").await;
    client.say("PASS opensesame").await;
    client.say("USER bob smith").await;
    client.say("PASS opensesame").await;
    // base64 of NUL bob NUL two words
    client.say("AUTH PLAIN AGJvYgB0d28gd29yZHM=").await;
    client.say("RETR 1").await;
    client.lines().await;
    client.say("DELE 1").await;
    client.say("QUIT").await;
    client.rest().await;
    service.shutdown.drain(Duration::from_secs(20)).await;

    let log = log.text();
    for lines in [
        ["login refused", "user=\"bob\"", "client=127.0.0.1", "reason=\"not-verified\""],
        ["login refused", "client=127.0.0.1", "reason=\"bad-input\"", "position 4"],
        ["login ", "user=\"bob\"", "messages=1", "octets=17"],
        ["session ended", "user=\"bob\"", "retrieved=1 deleted=1 octets=17", "reason=quit"],
    ] {
        let found = log.lines().any(|line| lines.iter().all(|part| line.contains(part)));
        assert!(found, "{lines:?} in\n{log}");
    }
    for secret in ["opensesame", "two words", "AGJvYgB"] {
        assert!(!log.contains(secret), "{secret} in\n{log}");
    }
}
