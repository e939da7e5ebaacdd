//! A request: the attributes that matter here, of the many that Postfix sends.

use std::net::IpAddr;

use dmail_core::{Origin, Service, SessionId, Transport};

use crate::lines::Broken;

/// Attributes of one request; Postfix 3.7 sends thirty.
const MAX_ATTRIBUTES: usize = 200;

/// One request.
#[derive(Debug, Default)]
pub(super) struct Request {
    attributes: usize,
    kind: Vec<u8>,
    pub(super) state: Vec<u8>,
    pub(super) instance: Vec<u8>,
    /// The login, empty without one.
    pub(super) login: Vec<u8>,
    /// The envelope sender, empty for the null sender.
    pub(super) sender: Vec<u8>,
    pub(super) recipient: Vec<u8>,
    pub(super) recipient_count: u32,
    client: Option<IpAddr>,
    transport: Transport,
    /// What Postfix calls the message, once it has a name.
    queue_id: Option<SessionId>,
}

impl Request {
    /// Takes the line of one attribute, `name=value`.
    pub(super) fn take(&mut self, line: &[u8]) -> Result<(), Broken> {
        let at = line.iter().position(|byte| *byte == b'=');
        let at = at.ok_or(Broken("a line that is no attribute"))?;
        self.attributes += 1;
        if self.attributes > MAX_ATTRIBUTES {
            return Err(Broken("a request of too many attributes"));
        }
        let (name, value) = (&line[..at], &line[at + 1..]);
        match name {
            b"request" => self.kind = value.to_vec(),
            b"protocol_state" => self.state = value.to_vec(),
            b"instance" => self.instance = value.to_vec(),
            b"sasl_username" => self.login = value.to_vec(),
            b"sender" => self.sender = value.to_vec(),
            b"recipient" => self.recipient = value.to_vec(),
            b"recipient_count" => {
                let text = std::str::from_utf8(value).ok();
                let count = text.and_then(|text| text.parse().ok());
                self.recipient_count = count.ok_or(Broken("a recipient_count that is none"))?;
            }
            b"client_address" => {
                let text = std::str::from_utf8(value).ok();
                let address = text.and_then(|text| text.parse().ok());
                self.client = address.map(|address: IpAddr| address.to_canonical());
            }
            b"encryption_protocol" => {
                self.transport =
                    if value.is_empty() { Transport::Insecure } else { Transport::Tls };
            }
            b"queue_id" => self.queue_id = SessionId::parse(value),
            // Later versions send more.
            _ => {}
        }
        Ok(())
    }

    /// Where the message comes from, for a question about this service.
    pub(super) fn origin(&self, service: Service) -> Origin {
        let Self { client, transport, queue_id, .. } = *self;
        Origin { client, transport, session: queue_id, ..Origin::local(service) }
    }

    /// Judges the request when all of it is there.
    pub(super) fn complete(&self) -> Result<(), Broken> {
        match self.kind.as_slice() {
            b"smtpd_access_policy" => Ok(()),
            _ => Err(Broken("a request that is not smtpd_access_policy")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_says_where_the_message_comes_from() {
        let origin = Origin { client: "192.0.2.7".parse().ok(), ..Origin::local(Service::Smtp) };
        let session = SessionId::parse(b"4T0xyz2kZ1z9rP");
        let rows: [(&[&str], Origin); 4] = [
            (&[], origin),
            (
                &["encryption_protocol=", "queue_id="],
                Origin { transport: Transport::Insecure, ..origin },
            ),
            (&["encryption_protocol=TLSv1.3"], Origin { transport: Transport::Tls, ..origin }),
            (&["queue_id=4T0xyz2kZ1z9rP"], Origin { session, ..origin }),
        ];
        for (lines, expected) in rows {
            let mut request = Request::default();
            for line in ["client_address=::ffff:192.0.2.7"].iter().chain(lines) {
                assert!(request.take(line.as_bytes()).is_ok(), "{line}");
            }
            assert_eq!(request.origin(Service::Smtp), expected, "{lines:?}");
        }
    }
}
