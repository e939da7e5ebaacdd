//! The services on real sockets: limits, deadlines, clients that misbehave.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use dmail_core::{
    Account, AuthRequest, Authenticator, Purpose, Rejection, Service as Through, Unavailable,
    Verdict,
};
use dmail_http::check::{Api, Options};
use dmail_http::{Asker, Config, Server};
use dmail_net::{Limits, Shutdown};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::Notify;
use tokio::time::timeout;

/// Longer than anything here may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Knows the password `right`; answers for `slow` when it is let go.
#[derive(Default)]
struct Base {
    asked: AtomicBool,
    go: Notify,
}

#[async_trait]
impl Authenticator for Base {
    async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        if request.user.as_str() == "slow" {
            self.asked.store(true, Ordering::SeqCst);
            self.go.notified().await;
        }
        match &request.purpose {
            Purpose::Check(secret) if secret.expose() != b"right" => {
                Ok(Verdict::Rejected(Rejection::not_verified(&request.user)))
            }
            _ => Ok(Verdict::accepted(Account::named(request.user.clone()))),
        }
    }
}

fn server(base: Arc<Base>, config: Config) -> Arc<Server<Api>> {
    let asker = Asker::new(base, Duration::from_secs(9));
    let options = Options { key: None, service: Through::Web };
    Server::new(Api::new(asker, options), config)
}

/// A server, the way to stop it, and its user base.
async fn start_with(config: Config) -> (SocketAddr, Shutdown, Arc<Base>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("it is bound");
    let (shutdown, base) = (Shutdown::new(), Arc::new(Base::default()));
    tokio::spawn(server(Arc::clone(&base), config).serve_tcp(listener, None, shutdown.clone()));
    (address, shutdown, base)
}

async fn start(config: Config) -> SocketAddr {
    start_with(config).await.0
}

fn check(user: &str, password: &str) -> String {
    let body = format!(r#"{{"user":"{user}","password":"{password}"}}"#);
    let length = body.len();
    format!(
        "POST /v1/check HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
}

/// One response: its status and its body.
async fn response(stream: &mut (impl AsyncReadExt + Unpin)) -> (u16, String) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let byte = timeout(PATIENCE, stream.read_u8()).await.expect("in time");
        head.push(byte.expect("a response"));
    }
    let head = String::from_utf8(head).expect("text");
    let status = head[9..12].parse().expect("a number");
    let length = head.split_once("Content-Length: ").and_then(|(_, rest)| rest.split_once("\r\n"));
    let mut body = vec![0; length.map_or(0, |(length, _)| length.parse().expect("a number"))];
    timeout(PATIENCE, stream.read_exact(&mut body)).await.expect("in time").expect("a body");
    (status, String::from_utf8(body).expect("text"))
}

/// What comes until the end of the connection.
async fn rest(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut rest = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("in time").expect("no reset");
    String::from_utf8(rest).expect("text")
}

#[tokio::test]
async fn one_connection_asks_again_and_again_in_whatever_pieces() {
    let address = start(Config::default()).await;
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    // Together, in one write; the answers come in the same order.
    let both = check("ann", "right") + &check("bob", "wrong");
    stream.write_all(both.as_bytes()).await.expect("room");
    assert!(response(&mut stream).await.1.contains("\"ann\""));
    assert!(response(&mut stream).await.1.contains("rejected"));
    // Byte by byte.
    stream.set_nodelay(true).expect("ours");
    for byte in check("bob", "right").bytes() {
        stream.write_all(&[byte]).await.expect("room");
    }
    assert_eq!(response(&mut stream).await.0, 200);
    let last = check("bob", "right").replace("Host: x", "Host: x\r\nConnection: close");
    stream.write_all(last.as_bytes()).await.expect("room");
    assert_eq!(response(&mut stream).await.0, 200);
    assert_eq!(rest(&mut stream).await, "");
}

#[tokio::test]
async fn leave_to_send_a_body_is_given_and_chunks_are_taken() {
    let address = start(Config::default()).await;
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    let request = check("bob", "right");
    let (head, body) = request.split_once("\r\n\r\n").expect("a head");
    let length = body.len();
    let head = head.replace(
        &format!("Content-Length: {length}"),
        "Transfer-Encoding: chunked\r\nExpect: 100-continue",
    );
    stream.write_all(format!("{head}\r\n\r\n").as_bytes()).await.expect("room");
    let mut leave = [0; 25];
    timeout(PATIENCE, stream.read_exact(&mut leave)).await.expect("in time").expect("leave");
    assert_eq!(&leave, b"HTTP/1.1 100 Continue\r\n\r\n");
    let chunks = format!("5\r\n{}\r\n{:x}\r\n{}\r\n0\r\n\r\n", &body[..5], length - 5, &body[5..]);
    stream.write_all(chunks.as_bytes()).await.expect("room");
    assert_eq!(response(&mut stream).await.0, 200);
}

#[tokio::test]
async fn what_is_no_request_is_answered_and_ends_the_connection() {
    let address = start(Config::default()).await;
    let long = "x".repeat(64 * 1024);
    let rows = [
        ("EHLO client.example\r\n".to_owned(), "400"),
        (format!("GET / HTTP/1.1\r\nX: {long}\r\n\r\n"), "431"),
        (check("bob", "right").replace("Content-Length: ", "Content-Length: 99999999"), "413"),
        (check("bob", "right").replace("HTTP/1.1", "HTTP/3.0"), "505"),
        (check("bob", "right").replace("Host: x", "Host: x\r\nHost: y"), "400"),
    ];
    for (request, status) in rows {
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        // The server may have had enough before all of it is sent.
        let _ = stream.write_all(request.as_bytes()).await;
        let answer = rest(&mut stream).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{status}: {answer}");
        assert!(answer.contains("Connection: close") && answer.contains("\"error\""), "{answer}");
    }
}

#[tokio::test]
async fn a_client_that_dribbles_or_says_nothing_is_given_up() {
    let config = Config {
        arrival: Duration::from_millis(200),
        idle: Duration::from_millis(400),
        ..Config::default()
    };
    let address = start(config).await;
    let mut silent = TcpStream::connect(address).await.expect("it listens");
    let mut half = TcpStream::connect(address).await.expect("it listens");
    half.write_all(b"POST /v1/check HTTP/1.1\r\nX: ").await.expect("room");
    assert!(rest(&mut half).await.starts_with("HTTP/1.1 408 "));
    assert_eq!(rest(&mut silent).await, "");
    let dribbling = TcpStream::connect(address).await.expect("it listens");
    let (mut reader, mut writer) = dribbling.into_split();
    let dribble = tokio::spawn(async move {
        // Each byte is in time; the whole is not.
        while writer.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE, reader.read_to_end(&mut answer)).await.expect("in time");
    assert!(answer.starts_with(b"HTTP/1.1 408 "), "{}", answer.escape_ascii());
    dribble.abort();
}

#[tokio::test]
async fn connections_are_limited_and_a_stranger_hears_nothing() {
    let limits = Limits { connections: 1, per_client: 9 };
    let address = start(Config { limits, ..Config::default() }).await;
    let mut first = TcpStream::connect(address).await.expect("it listens");
    first.write_all(check("bob", "right").as_bytes()).await.expect("room");
    assert_eq!(response(&mut first).await.0, 200);
    let mut second = TcpStream::connect(address).await.expect("it listens");
    assert!(rest(&mut second).await.starts_with("HTTP/1.1 503 "));
    first.write_all(check("bob", "right").as_bytes()).await.expect("room");
    assert_eq!(response(&mut first).await.0, 200);

    let nobody = Config { allow: Arc::new(|_| false), ..Config::default() };
    let address = start(nobody).await;
    let mut stranger = TcpStream::connect(address).await.expect("it listens");
    assert_eq!(rest(&mut stranger).await, "");
}

#[tokio::test]
async fn what_was_asked_is_answered_before_the_end() {
    let (address, shutdown, base) = start_with(Config::default()).await;
    let mut idle = TcpStream::connect(address).await.expect("it listens");
    idle.write_all(check("bob", "right").as_bytes()).await.expect("room");
    assert_eq!(response(&mut idle).await.0, 200);
    let mut asking = TcpStream::connect(address).await.expect("it listens");
    asking.write_all(check("slow", "right").as_bytes()).await.expect("room");
    let asked = async {
        while !base.asked.load(Ordering::SeqCst) {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, asked).await.expect("it is asked");
    let finish = async {
        shutdown.asked().await;
        assert_eq!(rest(&mut idle).await, "");
        base.go.notify_one();
        let answer = rest(&mut asking).await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("Connection: close"));
    };
    let (left, ()) = tokio::join!(shutdown.drain(PATIENCE), finish);
    assert_eq!(left, 0);
}

#[tokio::test]
async fn a_unix_socket_serves_the_same() {
    let folder = std::env::temp_dir().join(format!("dmail-http-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join("http.sock");
    let listener = dmail_net::bind_unix(&path, 0o600, None, None).expect("a socket");
    tokio::spawn(server(Arc::default(), Config::default()).serve_unix(listener, Shutdown::new()));
    let mut stream = UnixStream::connect(&path).await.expect("it listens");
    stream.write_all(check("bob", "right").as_bytes()).await.expect("room");
    assert_eq!(response(&mut stream).await.0, 200);
    std::fs::remove_dir_all(&folder).expect("ours");
}
