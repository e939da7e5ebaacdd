//! Making a connection: the socket, TLS, and the greeting.

use std::io;

use dmail_core::Proofs;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use super::config::{ClientConfig, Endpoint, Versions};
use super::lines::{self, Lines};
use crate::flow::Flow;
use crate::wire::{Fault, Greeting, GreetingError, MAX_LINE_BYTES, Prover, Side, VERSION, Welcome};

/// Any byte stream.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A connection whose version is agreed on.
pub(super) enum Dialed {
    First(Lines),
    Second(Lines, Proofs),
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum DialError {
    #[error("it decides by the address of the user's client, and by_address false is set here")]
    ByAddress,
    #[error(transparent)]
    Greeting(#[from] GreetingError),
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("it wants no proof, although a shared_secret is set here")]
    NoProof,
    #[error("it wants a shared_secret, and none is set here")]
    NoSecret,
    #[error("it speaks the first version only, which is not enough here")]
    TooOld,
}

/// Connects, and agrees on a version.
pub(super) async fn dial(server: &Endpoint, config: &ClientConfig) -> Result<Dialed, DialError> {
    if config.versions == Versions::First {
        return Ok(Dialed::First(connect(server, config).await?));
    }
    match greet(connect(server, config).await?, server, config).await {
        Ok((lines, proofs)) => Ok(Dialed::Second(lines, proofs)),
        Err(DialError::Greeting(GreetingError::FirstVersion)) => {
            // Who speaks the first version cannot prove anything.
            if config.versions == Versions::Second || config.secret.is_some() {
                return Err(DialError::TooOld);
            }
            // Another connection: who knows what became of this one.
            Ok(Dialed::First(connect(server, config).await?))
        }
        Err(error) => Err(error),
    }
}

/// Opens a connection, on which nothing was said yet.
pub(super) async fn connect(server: &Endpoint, config: &ClientConfig) -> io::Result<Lines> {
    let stream: Box<dyn Stream> = match server {
        Endpoint::Unix(path) => Box::new(UnixStream::connect(path).await?),
        Endpoint::Tcp { host, port } => {
            let stream = TcpStream::connect((host.as_str(), *port)).await?;
            stream.set_nodelay(true)?;
            match &config.tls {
                None => Box::new(stream),
                Some(tls) => {
                    let name = tls.name.clone().unwrap_or_else(|| host.clone());
                    let name = ServerName::try_from(name).map_err(io::Error::other)?;
                    let connector = TlsConnector::from(tls.config.clone());
                    Box::new(connector.connect(name, stream).await?)
                }
            }
        }
    };
    Ok(Flow::new(stream, MAX_LINE_BYTES))
}

async fn greet(
    mut lines: Lines,
    server: &Endpoint,
    config: &ClientConfig,
) -> Result<(Lines, Proofs), DialError> {
    let (heartbeat, peer) = (config.heartbeat, config.peer);
    let greeting = Greeting { version: VERSION, heartbeat, nonce: rand::random(), peer };
    let answer = lines::exchange(&mut lines, greeting.line().as_bytes()).await?;
    let welcome = Welcome::parse(&answer)?;
    // A daemon that only listens asks nothing, so it remembers nothing wrong.
    if welcome.by_address && !config.by_address && !config.peer {
        return Err(DialError::ByAddress);
    }
    let lines = match (&config.secret, welcome.prove) {
        (None, false) => lines,
        (None, true) => return Err(DialError::NoSecret),
        (Some(secret), true) => {
            prove(lines, &Prover::new(secret, greeting.nonce, welcome.nonce)).await?
        }
        // Over a unix socket the permissions of the file are the proof.
        (Some(_), false) if matches!(server, Endpoint::Unix(_)) => lines,
        (Some(_), false) => return Err(DialError::NoProof),
    };
    Ok((lines, welcome.proofs))
}

/// Both sides prove that they know the secret: no password goes to somebody
/// who only has the daemon's address.
async fn prove(mut lines: Lines, prover: &Prover) -> Result<Lines, DialError> {
    let proof = format!("prove {}\n", prover.proof(Side::Client));
    let answer = lines::exchange(&mut lines, proof.as_bytes()).await?;
    match answer.strip_prefix(b"+OK ") {
        Some(proof) if prover.accepts(Side::Server, proof) => Ok(lines),
        Some(_) => Err(GreetingError::Fault(Fault("its proof is wrong")).into()),
        None => Err(GreetingError::Refused("the shared_secret is another one there".into()).into()),
    }
}
