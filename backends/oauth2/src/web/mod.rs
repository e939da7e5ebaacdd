//! The services of an issuer, asked over HTTP/1.1: no redirects, no cookies, no
//! compression. Written here because what is sent is a token: the buffers are
//! wiped.
//!
//! ```text
//!   ask ─▶ a turn (there are so many) ─▶ an idle connection, or a new one
//!          └──────────── all within one deadline ──────────────┘
//! ```

mod answer;
mod url;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dmail_core::{Unavailable, UnavailableKind};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use zeroize::Zeroizing;

pub(crate) use answer::{Answer, parse as parse_answer};
pub(crate) use url::Url;

/// How long a connection is kept that nobody uses. Servers that are asked much
/// close them after some seconds more.
const IDLE: Duration = Duration::from_secs(4);
/// How many questions wait for their turn.
const QUEUE: usize = 1_000;
/// How much is read at a time.
const READ: usize = 8 * 1024;

/// Any byte stream.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// How services are asked.
#[derive(Debug, Clone)]
pub(crate) struct Manners {
    pub(crate) tls: Arc<ClientConfig>,
    /// How long an answer may take, with everything.
    pub(crate) timeout: Duration,
    /// How many questions may be under way to one service.
    pub(crate) connections: usize,
}

/// One service.
pub(crate) struct Service {
    url: Url,
    manners: Manners,
    /// For those who are asking, and those who wait for their turn.
    places: Semaphore,
    turns: Semaphore,
    idle: Mutex<Vec<(Instant, Box<dyn Stream>)>>,
}

/// Why a service gave no answer.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Fault(#[from] answer::Fault),
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Nothing was heard on a connection that had been idle: its server has
    /// closed it meanwhile.
    #[error("the connection was closed")]
    Stale,
}

impl Service {
    pub(crate) fn new(url: Url, manners: Manners) -> Self {
        let turns = Semaphore::new(manners.connections);
        let places = Semaphore::new(manners.connections + QUEUE);
        Self { url, manners, places, turns, idle: Mutex::default() }
    }

    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// Asks by GET.
    pub(crate) async fn get(&self, max: usize) -> Result<Answer, Unavailable> {
        self.ask("GET", "Accept: application/json, */*\r\n", b"", max).await
    }

    /// Asks by POST, with a form and with more header lines.
    pub(crate) async fn post(
        &self,
        headers: &Zeroizing<String>,
        form: &[u8],
        max: usize,
    ) -> Result<Answer, Unavailable> {
        let about_form = format!(
            "Accept: application/json\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n",
            form.len()
        );
        let headers = Zeroizing::new([&about_form, headers.as_str()].concat());
        self.ask("POST", &headers, form, max).await
    }

    async fn ask(
        &self,
        method: &str,
        headers: &str,
        body: &[u8],
        max: usize,
    ) -> Result<Answer, Unavailable> {
        let Url { target, .. } = &self.url;
        let host = self.url.authority();
        let line = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: dmail\r\n");
        // In one piece that is never moved: nothing of a token stays behind.
        let request = [line.as_bytes(), headers.as_bytes(), b"\r\n", body].concat();
        let request = Zeroizing::new(request);
        let Ok(_place) = self.places.try_acquire() else {
            let detail = format!("{}: too many questions wait for it already", self.url);
            return Err(Unavailable::new(UnavailableKind::Overloaded, detail));
        };
        let asking = async {
            let _turn = self.turns.acquire().await.expect("it is never closed");
            match self.exchange(self.take_idle(), &request, max).await {
                Err(Trouble::Stale) => self.exchange(None, &request, max).await,
                done => done,
            }
        };
        let detail = |why: &dyn std::fmt::Display| format!("{}: {why}", self.url);
        match timeout(self.manners.timeout, asking).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(trouble)) => {
                let kind = match trouble {
                    Trouble::Fault(_) => UnavailableKind::Fault,
                    Trouble::Io(_) | Trouble::Stale => UnavailableKind::Dead,
                };
                Err(Unavailable::new(kind, detail(&trouble)))
            }
            Err(_) => {
                let seconds = self.manners.timeout.as_secs_f64();
                let why = format!("no answer within {seconds} s");
                Err(Unavailable::new(UnavailableKind::Timeout, detail(&why)))
            }
        }
    }

    /// One question over a connection: that one, or a new one.
    async fn exchange(
        &self,
        idle: Option<Box<dyn Stream>>,
        request: &[u8],
        max: usize,
    ) -> Result<Answer, Trouble> {
        let is_old = idle.is_some();
        let mut stream = match idle {
            Some(stream) => stream,
            None => self.connect().await?,
        };
        let stale = |trouble: Trouble| if is_old { Trouble::Stale } else { trouble };
        let sent = async {
            stream.write_all(request).await?;
            stream.flush().await
        };
        sent.await.map_err(|error| stale(error.into()))?;
        let mut input = Vec::with_capacity(READ);
        loop {
            let heard = match stream.read_buf(&mut input).await {
                Err(error) if input.is_empty() => return Err(stale(error.into())),
                // Without a goodbye of TLS: what was told must be whole.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => 0,
                heard => heard?,
            };
            if heard == 0 && input.is_empty() {
                return Err(stale(answer::Fault::Cut.into()));
            }
            if let Some(answer) = parse_answer(&input, heard == 0, max)? {
                if answer.keeps {
                    self.give_back(stream);
                }
                return Ok(answer);
            }
            input.reserve(READ);
        }
    }

    async fn connect(&self) -> Result<Box<dyn Stream>, Trouble> {
        let Url { host, port, tls, .. } = &self.url;
        let stream = TcpStream::connect((host.as_str(), *port)).await?;
        stream.set_nodelay(true)?;
        if !tls {
            return Ok(Box::new(stream));
        }
        let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
        let connector = TlsConnector::from(Arc::clone(&self.manners.tls));
        Ok(Box::new(connector.connect(name, stream).await?))
    }

    /// The connection that was used last; those that are too old are closed.
    fn take_idle(&self) -> Option<Box<dyn Stream>> {
        let mut idle = self.idle();
        idle.retain(|(since, _)| since.elapsed() < IDLE);
        idle.pop().map(|(_, stream)| stream)
    }

    fn give_back(&self, stream: Box<dyn Stream>) {
        self.idle().push((Instant::now(), stream));
    }

    fn idle(&self) -> MutexGuard<'_, Vec<(Instant, Box<dyn Stream>)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Appends `value` to a form, so that it is one value.
pub(crate) fn put_encoded(out: &mut Vec<u8>, value: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in value {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(*byte),
            byte => {
                let (high, low) = (usize::from(byte >> 4), usize::from(byte & 15));
                out.extend_from_slice(&[b'%', HEX[high], HEX[low]]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stays_one() {
        let mut out = Vec::new();
        put_encoded(&mut out, "aZ09-._~ &=+%\u{e4}\0".as_bytes());
        assert_eq!(String::from_utf8_lossy(&out), "aZ09-._~%20%26%3D%2B%25%C3%A4%00");
    }
}
