//! Connections to a service: hyper's client, with an end to the making of each.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Uri;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tower_service::Service;

use super::Manners;

/// How long a connection is kept that nobody uses. Servers that are asked much
/// close them after some seconds more.
const IDLE: Duration = Duration::from_secs(4);
/// Longest head of an answer, in bytes.
const MAX_HEAD: usize = 16 * 1024;

/// What sends requests.
pub(super) type Client = legacy::Client<Connector, Full<Bytes>>;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A client that keeps so many connections which are not used.
pub(super) fn client(manners: &Manners, kept: usize) -> Client {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    let https = HttpsConnector::from((http, Arc::clone(&manners.tls)));
    legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(kept)
        .http1_max_buf_size(MAX_HEAD)
        .http1_title_case_headers(true)
        // A form is sent from where it is, and not copied to where nobody wipes it.
        .http1_writev(true)
        // What may be asked again is decided by who asks.
        .retry_canceled_requests(false)
        .build(Connector { https, limit: manners.timeout })
}

/// Makes connections, each within the time that an answer may take: one that
/// is begun may outlive the question that it was for.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    https: HttpsConnector<HttpConnector>,
    limit: Duration,
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.https.poll_ready(context)
    }

    fn call(&mut self, server: Uri) -> Self::Future {
        let connected = timeout(self.limit, self.https.call(server));
        Box::pin(async {
            let late = |_| io::Error::new(io::ErrorKind::TimedOut, "no connection in time");
            connected.await.map_err(late)?
        })
    }
}
