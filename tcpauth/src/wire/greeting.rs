//! The greeting: from the line protocol of modules to the second version, and
//! the proof that both sides know the shared secret.
//!
//! ```text
//!   client                              server
//!   dmail 2 heartbeat=2 nonce=C    ──▶
//!                                  ◀──  +OK dmail 2 nonce=S prove
//!   prove HMAC(secret, "client" C S) ──▶
//!                                  ◀──  +OK HMAC(secret, "server" C S)
//! ```
//!
//! To a daemon of the first version the greeting is an unknown command, to
//! which it answers `-ERR`; the client then speaks the first version. The
//! secret itself never travels, each proof is of one connection, and a side
//! cannot use the other's proof as its own.

use std::fmt;
use std::time::Duration;

use dmail_authent::line::{Reply, ReplyLine, Status};
use dmail_core::{Proofs, Secret};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::{Fault, VERSION, proof};

/// Bytes of a nonce.
pub const NONCE_BYTES: usize = 16;

/// A number that is used for one connection.
pub type Nonce = [u8; NONCE_BYTES];

/// The longest heartbeat that a greeting may ask for.
const LONGEST_HEARTBEAT: u64 = 3600;

/// The first line of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    /// The highest version that the client speaks.
    pub version: u32,
    /// How often the client sends a line at least. Whoever hears nothing for
    /// three times as long gives the connection up.
    pub heartbeat: Duration,
    /// For the proof.
    pub nonce: Nonce,
    /// Whether the client is a daemon of the same kind, which is told only
    /// what was changed through this one.
    pub peer: bool,
}

/// The server's answer to a [`Greeting`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Welcome {
    /// For the proof.
    pub nonce: Nonce,
    /// Whether the client must prove that it knows the secret.
    pub prove: bool,
    /// Whether the answers may depend on the address of the user's client. One
    /// that is remembered then holds for that address only.
    pub by_address: bool,
    /// Which proofs of a password the server's user base can judge.
    pub proofs: Proofs,
}

/// Why the answer to a greeting is no welcome.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GreetingError {
    /// A daemon of the first version: it takes the greeting for a command that
    /// it does not know.
    #[error("the daemon speaks the first version only")]
    FirstVersion,
    /// The daemon refuses, and why.
    #[error("the daemon refuses: {0}")]
    Refused(String),
    /// The daemon says what no daemon says.
    #[error("the daemon breaks the protocol: {0}")]
    Fault(#[from] Fault),
}

impl Greeting {
    /// Whether a line is a greeting at all.
    #[must_use]
    pub fn is_one(line: &[u8]) -> bool {
        line.starts_with(b"dmail ")
    }

    /// Writes the line, with its LF.
    #[must_use]
    pub fn line(&self) -> String {
        let role = if self.peer { " role=peer" } else { "" };
        let (heartbeat, nonce) = (self.heartbeat.as_secs().max(1), hex(&self.nonce));
        format!("dmail {} heartbeat={heartbeat} nonce={nonce}{role}\n", self.version)
    }

    /// Reads the line, without its end.
    ///
    /// # Errors
    ///
    /// Says what is wrong.
    pub fn parse(line: &[u8]) -> Result<Self, Fault> {
        let wrong = Fault("usage: dmail 2 heartbeat=SECONDS nonce=HEX [role=peer]");
        let line = std::str::from_utf8(line).map_err(|_| wrong)?;
        let mut words = line.split(' ').skip(1);
        let version: u32 = words.next().and_then(|word| word.parse().ok()).ok_or(wrong)?;
        if version < VERSION {
            return Err(Fault("that version begins without a greeting"));
        }
        let (mut heartbeat, mut nonce, mut peer) = (None, None, false);
        for word in words {
            match word.split_once('=') {
                Some(("heartbeat", seconds)) => heartbeat = seconds.parse::<u64>().ok(),
                Some(("nonce", digits)) => nonce = unhex(digits),
                Some(("role", role)) => peer = role == "peer",
                // For later versions to add.
                Some(_) => {}
                None => return Err(wrong),
            }
        }
        let heartbeat = heartbeat.filter(|seconds| (1..=LONGEST_HEARTBEAT).contains(seconds));
        let heartbeat = Duration::from_secs(heartbeat.ok_or(wrong)?);
        Ok(Self { version, heartbeat, nonce: nonce.ok_or(wrong)?, peer })
    }
}

impl Welcome {
    /// Writes the line, with its LF.
    #[must_use]
    pub fn line(&self) -> String {
        let by_address = if self.by_address { " by-address=yes" } else { "" };
        let proofs = proof::offer(self.proofs).map(|words| format!(" proofs={words}"));
        let proofs = proofs.unwrap_or_default();
        let prove = if self.prove { " prove" } else { "" };
        format!("+OK dmail {VERSION} nonce={}{by_address}{proofs}{prove}\n", hex(&self.nonce))
    }

    /// Reads the line, without its end.
    ///
    /// # Errors
    ///
    /// If it is no welcome to the second version.
    pub fn parse(line: &[u8]) -> Result<Self, GreetingError> {
        let Ok(ReplyLine::Final(Reply { status, text })) = ReplyLine::parse(line) else {
            return Err(Fault("an answer that no daemon gives").into());
        };
        let words = match (status, text.strip_prefix("dmail ")) {
            (Status::Dead, _) => return Err(GreetingError::Refused(text)),
            (Status::Ok, Some(words)) => words,
            (Status::Ok | Status::Err, _) => return Err(GreetingError::FirstVersion),
        };
        let wrong = Fault("a welcome that is none");
        let mut words = words.split(' ');
        if words.next().and_then(|word| word.parse().ok()) != Some(VERSION) {
            return Err(Fault("a version that was not asked for").into());
        }
        let (mut nonce, mut prove, mut by_address) = (None, false, false);
        let mut proofs = Proofs::default();
        for word in words {
            match word.split_once('=') {
                Some(("nonce", digits)) => nonce = unhex(digits),
                Some(("proofs", words)) => proofs = proof::offered(words),
                Some(("by-address", answer)) => by_address = answer != "no",
                Some(_) => {}
                None if word == "prove" => prove = true,
                None => return Err(wrong.into()),
            }
        }
        Ok(Self { nonce: nonce.ok_or(wrong)?, prove, by_address, proofs })
    }
}

/// Makes and judges proofs for one connection.
pub struct Prover {
    secret: Secret,
    nonces: [Nonce; 2],
}

/// Whose proof it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The client's, which comes first.
    Client,
    /// The server's.
    Server,
}

impl Prover {
    /// For the connection with these nonces.
    #[must_use]
    pub fn new(secret: &Secret, client: Nonce, server: Nonce) -> Self {
        Self { secret: secret.clone(), nonces: [client, server] }
    }

    /// The proof of one side, as hexadecimal digits.
    #[must_use]
    pub fn proof(&self, side: Side) -> String {
        hex(&self.mac(side).finalize().into_bytes())
    }

    /// Whether `proof` is that of `side`. Takes the same time for any answer.
    #[must_use]
    pub fn accepts(&self, side: Side, proof: &[u8]) -> bool {
        let digits = std::str::from_utf8(proof).unwrap_or_default();
        unhex::<32>(digits).is_some_and(|bytes| self.mac(side).verify_slice(&bytes).is_ok())
    }

    fn mac(&self, side: Side) -> Hmac<Sha256> {
        let keyed = Hmac::<Sha256>::new_from_slice(self.secret.expose());
        let mut mac = keyed.expect("HMAC takes keys of any length");
        mac.update(match side {
            Side::Client => b"dmail tcpauth 2 client",
            Side::Server => b"dmail tcpauth 2 server",
        });
        self.nonces.iter().for_each(|nonce| mac.update(nonce));
        mac
    }
}

impl fmt::Debug for Prover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Prover(hidden)")
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex<const N: usize>(digits: &str) -> Option<[u8; N]> {
    if digits.len() != 2 * N || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, at) in bytes.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(&digits[at..at + 2], 16).ok()?;
    }
    Some(bytes)
}
