//! Dialects beside each other, and beside the servers of ours.

use super::super::diagnostic::Severity::{Error, Warning};
use super::super::dialect::Dialect;
use super::super::given::Given;
use super::super::settings::{DialectSettings, PopSettings, SmtpSettings};
use super::super::value::{Listen, ListenOn};

/// One address is for one service.
pub(in super::super) fn dialects(
    smtp: &SmtpSettings,
    pop: &PopSettings,
    dialects: &DialectSettings,
    given: &mut Given<'_>,
) {
    let ports: Vec<&Listen> = smtp.ports.iter().chain(&pop.ports).collect();
    for (number, line) in dialects.dialects.iter().enumerate() {
        let Some(place) = line.on.place() else { continue };
        if let Some(earlier) =
            dialects.dialects[..number].iter().find(|earlier| earlier.on.collides_with(&line.on))
        {
            let message = format!("{} and {} are on the same address", line.name(), earlier.name());
            if let Some(first) = earlier.on.place() {
                given.clash(place, &message, first, "taken here");
            }
        }
        let has_tls = line.dialect.tls().is_some();
        if has_tls && matches!(line.on, ListenOn::Unix(_)) {
            given.report_at(
                Warning,
                place,
                "a unix socket has no TLS: `certificate=` and `key=` have no effect",
                "take both away, or listen on an address and a port",
            );
        }
        if let ListenOn::Tcp(listen) = &line.on {
            if let Some(port) = ports.iter().find(|port| port.collides_with(listen)) {
                let message = format!("`{}` has the same port, {port}", port.setting);
                given.report_at(Error, place, &message, "give one of them another port");
            }
            if matches!(&line.dialect, Dialect::Http(words) if words.secret_file.is_none()) {
                given.report_at(
                    Error,
                    place,
                    "every program that reaches this address could try passwords and list users",
                    "add secret_file=FILE, or listen on unix:FILE",
                );
            }
            if matches!(&line.dialect, Dialect::Tcpauth { changes: true, .. }) {
                let message = "over TCP nobody can prove who may change accounts";
                given.report_at(Error, place, message, "use unix:FILE, or `dmail tcpauthsvr`");
            }
            if !listen.is_loopback() && !has_tls && sends_passwords(&line.dialect) {
                given.report_at(
                    Warning,
                    place,
                    "passwords cross the network in clear text",
                    "use this only in a network that is yours alone",
                );
            }
        }
    }
}

/// Whether clients send passwords in clear text.
fn sends_passwords(dialect: &Dialect) -> bool {
    match dialect {
        Dialect::AuthHttp(_)
        | Dialect::Authdaemon(_)
        | Dialect::Http(_)
        | Dialect::Saslauthd
        | Dialect::Tcpauth { .. } => true,
        Dialect::DovecotAuth { mechanisms, .. } => {
            mechanisms.iter().any(|mechanism| mechanism.tells_password())
        }
        Dialect::AuthPolicy(_)
        | Dialect::DovecotUserdb { .. }
        | Dialect::Policy
        | Dialect::Socketmap { .. }
        | Dialect::TcpTable { .. } => false,
    }
}
