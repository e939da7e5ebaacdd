//! The services of an issuer, asked by hyper's client over HTTP/1.1: no
//! redirects, no proxies, no cookies, no compression. What it leaves to us is
//! how much there may be of everything.
//!
//! ```text
//!   ask ─▶ a place ─▶ a turn ─▶ an idle connection, or a new one ─▶ head ─▶ body
//!         (so many)  (so many)  └─ closed meanwhile: once more ─┘       (so long)
//!          └────────────────────── all within one deadline ─────────────────┘
//! ```

mod connect;
mod trouble;
mod url;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dmail_core::{Unavailable, UnavailableKind};
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use hyper::{Method, Request};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use rustls::ClientConfig;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use zeroize::Zeroizing;

use connect::Client;
use trouble::Trouble;
pub(crate) use url::Url;

/// How many questions wait for their turn.
const QUEUE: usize = 1_000;

/// How services are asked.
#[derive(Debug, Clone)]
pub(crate) struct Manners {
    pub(crate) tls: Arc<ClientConfig>,
    /// How long an answer may take, with everything.
    pub(crate) timeout: Duration,
    /// How many questions may be under way to one service.
    pub(crate) connections: usize,
}

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The status code.
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

/// One service.
pub(crate) struct Service {
    url: Url,
    manners: Manners,
    /// For those who are asking, and those who wait for their turn.
    places: Semaphore,
    turns: Semaphore,
    /// Uses a connection again.
    usual: Client,
    /// Makes a new one each time.
    anew: Client,
}

impl Service {
    pub(crate) fn new(url: Url, manners: Manners) -> Self {
        let turns = Semaphore::new(manners.connections);
        let places = Semaphore::new(manners.connections + QUEUE);
        let usual = connect::client(&manners, manners.connections);
        let anew = connect::client(&manners, 0);
        Self { url, manners, places, turns, usual, anew }
    }

    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// Asks by GET.
    pub(crate) async fn get(&self, max: usize) -> Result<Answer, Unavailable> {
        let mut request = self.request(Method::GET, Bytes::new());
        let accepted = HeaderValue::from_static("application/json, */*");
        request.headers_mut().insert(ACCEPT, accepted);
        self.ask(request, max).await
    }

    /// Asks by POST, with a form, and says who we are. The form is wiped as soon
    /// as there is an answer, or none any more.
    pub(crate) async fn post(
        &self,
        identity: Option<&HeaderValue>,
        form: Zeroizing<Vec<u8>>,
        max: usize,
    ) -> Result<Answer, Unavailable> {
        let mut request = self.request(Method::POST, Bytes::from_owner(form));
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(CONTENT_TYPE, form);
        headers.extend(identity.map(|identity| (AUTHORIZATION, identity.clone())));
        self.ask(request, max).await
    }

    fn request(&self, method: Method, body: Bytes) -> Request<Full<Bytes>> {
        let uri = self.url.to_uri();
        let server = uri.authority().map(|server| server.as_str()).unwrap_or_default();
        let server = HeaderValue::from_str(server).expect("a server's name is plain text");
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        request.headers_mut().insert(HOST, server);
        request.headers_mut().insert(USER_AGENT, HeaderValue::from_static("dmail"));
        request
    }

    async fn ask(&self, request: Request<Full<Bytes>>, max: usize) -> Result<Answer, Unavailable> {
        let Ok(_place) = self.places.try_acquire() else {
            let detail = format!("{}: too many questions wait for it already", self.url);
            return Err(Unavailable::new(UnavailableKind::Overloaded, detail));
        };
        let asking = async {
            let _turn = self.turns.acquire().await.expect("it is never closed");
            match exchange(&self.usual, request.clone(), max).await {
                Err(trouble) if trouble.is_stale => exchange(&self.anew, request, max).await,
                done => done,
            }
        };
        let detail = |why: &str| format!("{}: {why}", self.url);
        match timeout(self.manners.timeout, asking).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(trouble)) => Err(Unavailable::new(trouble.kind, detail(&trouble.why))),
            Err(_) => {
                let seconds = self.manners.timeout.as_secs_f64();
                let why = format!("no answer within {seconds} s");
                Err(Unavailable::new(UnavailableKind::Timeout, detail(&why)))
            }
        }
    }
}

/// One question, and its answer of so many bytes at most.
async fn exchange(
    client: &Client,
    request: Request<Full<Bytes>>,
    max: usize,
) -> Result<Answer, Trouble> {
    let answer = client.request(request).await.map_err(|error| Trouble::asking(&error))?;
    let status = answer.status().as_u16();
    let body = Limited::new(answer.into_body(), max).collect().await;
    let body = body.map_err(|error| Trouble::hearing(&*error))?;
    Ok(Answer { status, body: body.to_bytes().into() })
}

/// What stands for itself in a form (RFC 3986 section 2.3).
const PLAIN: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Appends `value` to a form, so that it is one value.
pub(crate) fn put_encoded(out: &mut Vec<u8>, value: &[u8]) {
    for part in percent_encode(value, &PLAIN) {
        out.extend_from_slice(part.as_bytes());
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
