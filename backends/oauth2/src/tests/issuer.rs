//! An issuer: it signs tokens, and serves what a test tells it to.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::{ClientConfig, RootCertStore, crypto};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

use crate::web::{Manners, Url};

/// What an issuer does with a question.
#[derive(Debug, Clone)]
pub(super) enum Does {
    /// It answers with this status and body.
    Answers(u16, String),
    /// It sends these bytes, and closes.
    Sends(Vec<u8>),
    /// It reads, and says nothing.
    Hangs,
    /// It answers, and closes the connection without having said so.
    AnswersAndLeaves(String),
    /// It answers once, and closes the connection when it is asked again there.
    AnswersOnce(String),
}

/// An issuer on a port of its own.
pub(super) struct Issuer {
    address: std::net::SocketAddr,
    shared: Arc<Shared>,
    task: AbortHandle,
}

struct Shared {
    does: Mutex<Does>,
    heard: Mutex<Vec<String>>,
    connections: AtomicUsize,
}

impl Issuer {
    pub(super) async fn start(does: Does) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            does: Mutex::new(does),
            heard: Mutex::default(),
            connections: AtomicUsize::new(0),
        });
        let serving = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            // They end with it.
            let mut served = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                serving.connections.fetch_add(1, Ordering::SeqCst);
                served.spawn(Arc::clone(&serving).serve(stream));
            }
        });
        Self { address, shared, task: task.abort_handle() }
    }

    pub(super) fn does(&self, does: Does) {
        *self.shared.does.lock().expect("no panic") = does;
    }

    /// The questions since the last time.
    pub(super) fn heard(&self) -> Vec<String> {
        std::mem::take(&mut *self.shared.heard.lock().expect("no panic"))
    }

    pub(super) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    pub(super) fn url(&self) -> Url {
        self.url_by("http")
    }

    /// Its address, if it were asked over that.
    pub(super) fn url_by(&self, scheme: &str) -> Url {
        Url::parse(&format!("{scheme}://{}/at?x=1", self.address)).expect("an address")
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    async fn serve(self: Arc<Self>, mut stream: TcpStream) {
        let mut input = Vec::new();
        let mut answered = false;
        while let Some(request) = next(&mut stream, &mut input).await {
            self.heard.lock().expect("no panic").push(request);
            let does = self.does.lock().expect("no panic").clone();
            let answer = |status: u16, body: &str| {
                format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{body}", body.len())
            };
            let (bytes, goes_on) = match does {
                Does::Answers(status, body) => (answer(status, &body).into_bytes(), true),
                Does::AnswersAndLeaves(body) => (answer(200, &body).into_bytes(), false),
                Does::AnswersOnce(_) if answered => return,
                Does::AnswersOnce(body) => (answer(200, &body).into_bytes(), true),
                Does::Sends(bytes) => (bytes, false),
                Does::Hangs => std::future::pending().await,
            };
            if stream.write_all(&bytes).await.is_err() || !goes_on {
                return;
            }
            answered = true;
        }
    }
}

/// The next question: its head, and its body if it tells a length.
async fn next(stream: &mut TcpStream, input: &mut Vec<u8>) -> Option<String> {
    loop {
        let text = String::from_utf8_lossy(input).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let told = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
            let length = told.map_or(0, |length| length.parse().expect("a number"));
            if body.len() >= length {
                input.drain(..head.len() + 4 + length);
                return Some(text);
            }
        }
        if stream.read_buf(input).await.ok()? == 0 {
            return None;
        }
    }
}

/// How issuers are asked in tests.
pub(super) fn manners(timeout: Duration) -> Manners {
    let provider = Arc::new(crypto::aws_lc_rs::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    Manners { tls: Arc::new(tls), timeout, connections: 2 }
}

/// A key that signs.
pub(super) struct Signer {
    name: &'static str,
    key: EcdsaKeyPair,
}

impl Signer {
    pub(super) fn new(name: &'static str) -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        Self { name, key }
    }

    /// Its public key, as a JWK.
    pub(super) fn jwk(&self) -> String {
        let point = self.key.public_key().as_ref();
        let (x, y) = point[1..].split_at(32);
        let [x, y] = [x, y].map(|number| URL_SAFE_NO_PAD.encode(number));
        let name = self.name;
        format!(r#"{{"kty": "EC", "crv": "P-256", "kid": "{name}", "x": "{x}", "y": "{y}"}}"#)
    }

    /// Signs claims that expire in an hour.
    pub(super) fn token(&self, claims: &str) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
        let header = format!(r#"{{"alg": "ES256", "kid": "{}"}}"#, self.name);
        let claims = format!(r#"{{"exp": {}, {claims}}}"#, now + 3600);
        let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part));
        let signed = format!("{header}.{claims}");
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes()).expect("signed");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// A list of keys.
pub(super) fn list(signers: &[&Signer]) -> String {
    let keys: Vec<String> = signers.iter().map(|signer| signer.jwk()).collect();
    format!(r#"{{"keys": [{}]}}"#, keys.join(", "))
}
