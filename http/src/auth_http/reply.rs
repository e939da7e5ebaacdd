//! What nginx is told, and the one place that decides what its client reads.
//!
//! nginx reads headers alone, and those of one packet of at most 1024 bytes. It
//! writes `Auth-Status` behind `-ERR ` to POP3 clients, behind `NO ` to those of
//! IMAP, and behind `Auth-Error-Code` to those of SMTP.

use std::net::SocketAddr;
use std::time::Duration;

use dmail_core::{Rejection, RejectionKind};

use super::question::Protocol;
use crate::response::{Response, Status};

/// Longest text that is passed on, so that the response stays one packet that
/// nginx has room for.
const MAX_TEXT: usize = 400;

/// What nginx does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// It connects its client with this server, and logs it in there; with
    /// another name than the client gave, if there is one.
    Pass(SocketAddr, Option<String>),
    /// The client is refused, in one text for every reason.
    Wrong,
    /// The password was right, and the account may not be used: why, and
    /// whether that is its state.
    Refused {
        /// What the client reads.
        told: String,
        /// Whether it is the account's state, and not from where it is used.
        disabled: bool,
    },
    /// Nobody could decide, or nobody knows where to.
    Temporary,
    /// The mechanism is not there.
    Mechanism,
    /// SMTP without a login is not for everybody.
    NeedsLogin,
}

impl From<&Rejection> for Reply {
    fn from(rejection: &Rejection) -> Self {
        match &rejection.told {
            None => Self::Wrong,
            Some(told) => Self::Refused {
                told: told.to_string(),
                disabled: matches!(rejection.kind, RejectionKind::Disabled | RejectionKind::OnHold),
            },
        }
    }
}

impl Reply {
    /// The response. After `wait` the client may try again on this connection;
    /// without, nginx closes it.
    #[must_use]
    pub fn response(&self, protocol: Protocol, wait: Option<Duration>) -> Response {
        let ok = Response::new(Status::Ok);
        if let Self::Pass(server, user) = self {
            let response = ok
                .with("Auth-Status", "OK")
                .with("Auth-Server", server.ip())
                .with("Auth-Port", server.port());
            return match user {
                Some(user) => response.with("Auth-User", user),
                None => response,
            };
        }
        let (smtp, pop, imap, text) = self.words();
        let code = match protocol {
            Protocol::Smtp => "",
            Protocol::Pop3 => pop,
            Protocol::Imap => imap,
        };
        let mut text = format!("{code}{text}");
        text.truncate(text.floor_char_boundary(MAX_TEXT));
        let mut response = ok.with("Auth-Status", text);
        if protocol == Protocol::Smtp {
            response = response.with("Auth-Error-Code", smtp);
        }
        match wait {
            Some(wait) => response.with("Auth-Wait", wait.as_secs().max(1)),
            None => response,
        }
    }

    /// The codes of SMTP (RFC 4954 section 6), POP3 (RFC 3206) and IMAP (RFC
    /// 5530), and the text.
    fn words(&self) -> (&'static str, &'static str, &'static str, &str) {
        let [auth, failed] = ["[AUTH] ", "[AUTHENTICATIONFAILED] "];
        match self {
            Self::Pass(..) => ("", "", "", "OK"),
            Self::Wrong => ("535 5.7.8", auth, failed, "wrong user name or password"),
            // The codes of SMTP are those of DSMTP.
            Self::Refused { told, disabled } => {
                let smtp = if *disabled { "535 5.7.13" } else { "535 5.7.1" };
                (smtp, auth, "[AUTHORIZATIONFAILED] ", told)
            }
            Self::Temporary => (
                "454 4.7.0",
                "[SYS/TEMP] ",
                "[UNAVAILABLE] ",
                "a login is not possible now, please try again later",
            ),
            Self::Mechanism => ("504 5.5.4", "", "[CANNOT] ", "this way to log in is not offered"),
            Self::NeedsLogin => ("530 5.7.0", "", "", "authentication required"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_protocol_gets_its_own_codes() {
        use Protocol::{Imap, Pop3, Smtp};
        let told = |disabled| Reply::Refused { told: "this account is closed".into(), disabled };
        let rows = [
            (Reply::Wrong, Pop3, "[AUTH] wrong user name or password", None),
            (Reply::Wrong, Imap, "[AUTHENTICATIONFAILED] wrong user name or password", None),
            (Reply::Wrong, Smtp, "wrong user name or password", Some("535 5.7.8")),
            (told(true), Pop3, "[AUTH] this account is closed", None),
            (told(true), Imap, "[AUTHORIZATIONFAILED] this account is closed", None),
            (told(true), Smtp, "this account is closed", Some("535 5.7.13")),
            (told(false), Smtp, "this account is closed", Some("535 5.7.1")),
            (Reply::Temporary, Smtp, LATER, Some("454 4.7.0")),
            (Reply::Temporary, Pop3, &format!("[SYS/TEMP] {LATER}"), None),
            (Reply::Temporary, Imap, &format!("[UNAVAILABLE] {LATER}"), None),
            (Reply::Mechanism, Smtp, "this way to log in is not offered", Some("504 5.5.4")),
            (Reply::NeedsLogin, Smtp, "authentication required", Some("530 5.7.0")),
        ];
        for (reply, protocol, status, code) in rows {
            let response = reply.response(protocol, None);
            assert_eq!(response.header("Auth-Status"), Some(status));
            assert_eq!(response.header("Auth-Error-Code"), code, "{status}");
            assert_eq!(response.header("Auth-Wait"), None);
            let again = reply.response(protocol, Some(Duration::from_secs(3)));
            assert_eq!(again.header("Auth-Wait"), Some("3"));
        }
    }

    const LATER: &str = "a login is not possible now, please try again later";

    #[test]
    fn nginx_gets_an_address_and_has_room_for_every_answer() {
        for (server, ip, port) in
            [("192.0.2.1:110", "192.0.2.1", "110"), ("[2001:db8::1]:1143", "2001:db8::1", "1143")]
        {
            let server = server.parse().expect("an address");
            let pass = Reply::Pass(server, Some("bob@corp.example".into()));
            let response = pass.response(Protocol::Imap, None);
            assert_eq!(response.header("Auth-Status"), Some("OK"));
            assert_eq!(response.header("Auth-Server"), Some(ip));
            assert_eq!(response.header("Auth-Port"), Some(port));
            assert_eq!(response.header("Auth-User"), Some("bob@corp.example"));
        }
        let long = Reply::Refused { told: "\u{e9}".repeat(2000), disabled: true };
        let mut written = Vec::new();
        long.response(Protocol::Imap, Some(Duration::MAX)).write(&mut written, true, true);
        assert!(written.len() < 1024, "{}", written.len());
    }
}
