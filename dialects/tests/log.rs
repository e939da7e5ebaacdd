//! What an operator reads of logins that nobody is asked about, and what nobody
//! may read. One test, alone in its program, because the log is the program's.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dmail_core::{Account, AuthRequest, Authenticator, Service, Unavailable, Verdict};
use dmail_dialects::authdaemon::AuthdaemonSession;
use dmail_dialects::dovecot::auth::{AuthSession, Config, PASSWORDS, Tempfail};
use dmail_dialects::extauth::ExtauthSession;
use dmail_dialects::proc_exec::ProcExecSession;
use dmail_dialects::saslauthd::SaslauthdSession;
use dmail_dialects::serve::{End, Manners, converse};
use dmail_dialects::{Session, UnixAccount};
use dmail_net::Shutdown;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// What was logged since it was asked last.
    fn take(&self) -> String {
        let log = std::mem::take(&mut *self.0.lock().expect("nobody panicked"));
        String::from_utf8(log).expect("text")
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("nobody panicked").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Lets everybody in.
struct Open;

#[async_trait]
impl Authenticator for Open {
    async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        Ok(Verdict::accepted(Account::named(request.user.clone())))
    }
}

/// Both ends of a connection, the server's as it is when it is accepted.
fn socket_pair() -> (tokio::net::UnixStream, dmail_net::UnixStream) {
    let (client, server) = std::os::unix::net::UnixStream::pair().expect("sockets");
    client.set_nonblocking(true).expect("a setting");
    let client = tokio::net::UnixStream::from_std(client).expect("a runtime");
    (client, server.try_into().expect("a setting"))
}

/// Says `text` in a conversation of `dialect`, and hears it to its end.
async fn say(dialect: &'static str, session: impl Session + 'static, text: &[u8]) -> End {
    let (mut client, stream) = socket_pair();
    let manners = Manners { service: Some(Service::Imap), ..Manners::new(dialect) };
    let shutdown = Shutdown::new();
    let server = tokio::spawn(async move {
        converse(Arc::new(manners), Arc::new(Open), Box::new(session), stream, &shutdown).await
    });
    client.write_all(text).await.expect("it listens");
    client.shutdown().await.expect("it listens");
    let mut said = Vec::new();
    client.read_to_end(&mut said).await.expect("it talks");
    let end = tokio::time::timeout(Duration::from_secs(20), server).await;
    end.expect("it ends").expect("no panic")
}

fn dovecot() -> AuthSession {
    AuthSession::new(Config {
        tempfail: Tempfail::Code,
        mechanisms: PASSWORDS.into(),
        issuer: None,
        pid: 1,
        connection: 1,
        cookie: [0; 16],
        logins: None,
    })
}

fn saslauthd(user: &str, password: &str) -> Vec<u8> {
    let fields = [user, password, "smtp", ""].map(|field| {
        let length = u16::try_from(field.len()).expect("a short field");
        [&length.to_be_bytes()[..], field.as_bytes()].concat()
    });
    fields.concat()
}

fn extauth(request: &str) -> Vec<u8> {
    let length = u16::try_from(request.len()).expect("a short request");
    [&length.to_be_bytes()[..], request.as_bytes()].concat()
}

#[tokio::test]
async fn a_login_that_nobody_is_asked_about_is_one_line_with_its_reason() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::INFO)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();
    let account = || UnixAccount { uid: 8, gid: 9, home: "/var/mail".into() };
    let auth = |fields: &str| format!("VERSION\t1\t1\nAUTH\t1\t{fields}\n").into_bytes();
    let coded = |text: &str| STANDARD.encode(text);

    let plain =
        format!("PLAIN\trip=192.0.2.7\tsession=a+1\tresp={}", coded("eve\0bob\0opensesame"));
    say("dovecot-auth", dovecot(), &auth(&plain)).await;
    let expected = [
        "service=imap dialect=\"dovecot-auth\" client=192.0.2.7 ",
        " transport=\"insecure\" session=a+1 server=\"local uid ",
        "the authorization identity is not the user",
    ];
    one_line(&log, &expected);

    let plain = format!("PLAIN\tservice=smtp\tresp={}", coded("\0bob\0"));
    say("dovecot-auth", dovecot(), &auth(&plain)).await;
    one_line(&log, &["service=smtp", "user=\"bob\" server=", "the password is empty"]);

    say("dovecot-auth", dovecot(), &auth("CRAM-MD5\tservice=smtp")).await;
    one_line(&log, &["reason=\"bad-input\" text=\"CRAM-MD5 is not offered\""]);

    say("dovecot-auth", dovecot(), &auth("PLAIN\tresp=opensesame!")).await;
    one_line(&log, &["reason=\"bad-input\" text=\"this is not base64\""]);

    let end =
        say("saslauthd", SaslauthdSession::new(), &saslauthd("bob smith", "opensesame")).await;
    assert!(matches!(end, End::Done), "{end}");
    one_line(&log, &["service=smtp dialect=\"saslauthd\" server=", "text=\"user name: "]);

    let session = AuthdaemonSession::new(account(), true);
    let end = say("authdaemon", session, b"AUTH 24\nimap\ncram-md5\nxx\nopensesame").await;
    assert!(matches!(end, End::Done), "{end}");
    one_line(&log, &["service=imap dialect=\"authdaemon\"", "only passwords are checked"]);

    let session = AuthdaemonSession::new(account(), false);
    say("authpipe", session, b"PASSWD imap\tbob\topensesame\t\nPRE . imap bob\n").await;
    one_line(&log, &["dialect=\"authpipe\" user=\"bob\"", "the new password is empty"]);

    let changes = [extauth("setpass:bob:corp.example:opensesame"), extauth("isuser:bob:x")];
    say("extauth", ExtauthSession::new(), &changes.concat()).await;
    one_line(&log, &["dialect=\"extauth\"", "accounts are not changed here"]);

    let check = b"table|0.1|1700000000.1|dmail|check|auth|77|bob:\n";
    say("proc-exec", ProcExecSession::new(account()), check).await;
    one_line(&log, &["service=smtp dialect=\"proc-exec\" user=\"bob\"", "the password is empty"]);

    // Whoever tries that a thousand times does not fill the log.
    let mut many = b"VERSION\t1\t1\n".to_vec();
    for id in 1..=1_000 {
        many.extend_from_slice(format!("AUTH\t{id}\tNTLM\n").as_bytes());
    }
    say("dovecot-auth", dovecot(), &many).await;
    let text = log.take();
    let lines = text.lines().filter(|line| line.contains(" login refused ")).count();
    assert_eq!(lines, 20, "{text}");
    assert!(
        text.contains("more logins refused unasked dialect=\"dovecot-auth\" count=980"),
        "{text}"
    );
    no_secrets(&text);
}

/// Checks that one login was logged since the last time, and with these words.
fn one_line(log: &Log, words: &[&str]) {
    let text = log.take();
    let refused: Vec<_> = text.lines().filter(|line| line.contains(" login refused ")).collect();
    let [line] = &refused[..] else { panic!("{words:?}: {text}") };
    assert!(words.iter().all(|word| line.contains(word)), "{words:?}: {line}");
    no_secrets(&text);
}

fn no_secrets(text: &str) {
    assert!(!text.contains("opensesame"), "{text}");
    assert!(!text.contains(&STANDARD.encode("opensesame")), "{text}");
}
