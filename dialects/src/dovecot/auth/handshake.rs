//! What the server says of itself before any login.
//!
//! ```text
//!   VERSION 1 2                            VERSION 1 3
//!   MECH PLAIN plaintext                        ◀── client: VERSION 1 n
//!   …                                      MECH PLAIN plaintext · …
//!   SPID · CUID · COOKIE · DONE            MECH SCRAM-SHA-256-PLUS, if n is 3 or more
//!                                          SPID · CUID · COOKIE · DONE
//!
//!   all at once                            where mechanisms bind to TLS
//! ```
//!
//! Only clients of version 1.3 (Dovecot 2.4) can tell of the TLS connection
//! beneath. All others must not hear of mechanisms that need it, so a server
//! that has some waits for the client's version. Exim before 4.99 waits, too,
//! and hangs: it needs a listener without those mechanisms.

use dmail_core::sasl::Mechanism;

use super::Config;

/// The first minor version whose clients can tell of channel bindings.
const BINDS: u32 = 3;

/// What is said before the client has said anything.
pub(super) fn greeting(config: &Config, out: &mut Vec<u8>) {
    if waits(config) {
        out.extend_from_slice(b"VERSION\t1\t3\n");
    } else {
        out.extend_from_slice(b"VERSION\t1\t2\n");
        rest(config, 0, out);
    }
}

/// What is said to the client's version: the rest, unless that was said.
pub(super) fn answer(config: &Config, minor: u32, out: &mut Vec<u8>) {
    if waits(config) {
        rest(config, minor, out);
    }
}

/// The mechanisms that a client of this minor version may use.
pub(super) fn offered(config: &Config, minor: u32) -> impl Iterator<Item = Mechanism> {
    let mechanisms = config.mechanisms.iter().copied();
    mechanisms.filter(move |mechanism| minor >= BINDS || !mechanism.is_bound())
}

fn waits(config: &Config) -> bool {
    config.mechanisms.iter().any(|mechanism| mechanism.is_bound())
}

fn rest(config: &Config, minor: u32, out: &mut Vec<u8>) {
    let Config { pid, connection, cookie, .. } = config;
    for mechanism in offered(config, minor) {
        let line = format!("MECH\t{mechanism}{}\n", flags(mechanism));
        out.extend_from_slice(line.as_bytes());
    }
    let cookie: String = cookie.iter().map(|byte| format!("{byte:02x}")).collect();
    let text = format!("SPID\t{pid}\nCUID\t{connection}\nCOOKIE\t{cookie}\nDONE\n");
    out.extend_from_slice(text.as_bytes());
}

/// What Postfix and Dovecot choose by: `smtpd_sasl_security_options`, and
/// whether a login without TLS may use it.
fn flags(mechanism: Mechanism) -> &'static str {
    match mechanism {
        Mechanism::CramMd5 => "\tdictionary\tactive",
        Mechanism::Login | Mechanism::OAuthBearer | Mechanism::Plain | Mechanism::XOAuth2 => {
            "\tplaintext"
        }
        Mechanism::Scram(_) => "\tmutual-auth",
        Mechanism::ScramPlus(_) => "\tmutual-auth\tchannel-binding",
    }
}
