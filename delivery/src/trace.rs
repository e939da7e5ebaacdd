//! The lines that a delivery adds to the top of a message.

use std::fmt::Write;
use std::time::SystemTime;

use dmail_smtp::Envelope;
use dmail_smtp::address::Literal;
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use jiff::tz::TimeZone;

use crate::header::{Header, Start};

/// What goes before a message with this `header` (RFC 5321 section 4.4):
///
/// ```text
/// Return-Path: <sender>
/// Received: from client ([address])
///         by host with protocol id name
///         for <recipient>;
///         date
/// Date, Message-ID: if the message has none
/// ```
///
/// The recipient is only named if there is just one: the others must not
/// learn of those who got a blind copy. Neither do we tell them by which name
/// the client logged in; `with` says that it did, and the log says who it was.
pub(crate) fn top(envelope: &Envelope, header: &Header, host_name: &str, zone: TimeZone) -> String {
    let date = date(envelope.received_at, zone);
    let mut top = String::with_capacity(512);
    write_trace(&mut top, envelope, host_name, &date).expect("a String takes everything");
    if !header.date {
        writeln!(top, "Date: {date}").expect("a String takes everything");
    }
    if !header.message_id {
        writeln!(top, "Message-ID: <{}@{host_name}>", envelope.id)
            .expect("a String takes everything");
    }
    top.push_str(match header.start {
        Start::Field | Start::Empty => "",
        // As a field, the line is kept and does not end the header.
        Start::FromLine => "X-Mailbox-Line: ",
        Start::Text => "\n",
    });
    top
}

fn write_trace(
    top: &mut String,
    envelope: &Envelope,
    host_name: &str,
    date: &str,
) -> std::fmt::Result {
    match &envelope.sender {
        Some(sender) => writeln!(top, "Return-Path: <{sender}>")?,
        None => top.push_str("Return-Path: <>\n"),
    }
    let (name, client) = (printed(&envelope.hello.name), Literal(envelope.client));
    writeln!(top, "Received: from {name} ({client})")?;
    write!(top, "\tby {host_name} with {} id {}", protocol(envelope), envelope.id)?;
    if let [recipient] = &*envelope.recipients {
        write!(top, "\n\tfor <{}>", recipient.address)?;
    }
    writeln!(top, ";\n\t{date}")
}

/// The transmission type (RFC 3848).
fn protocol(envelope: &Envelope) -> &'static str {
    match (envelope.hello.extended, &envelope.user) {
        (true, Some(_)) => "ESMTPA",
        (true, None) => "ESMTP",
        (false, _) => "SMTP",
    }
}

/// The client's own name with nothing in it that has a meaning in a header.
fn printed(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    name.chars().map(|c| if is_plain(c) { c } else { '?' }).collect()
}

/// A date as RFC 5322 section 3.3 writes it.
fn date(at: SystemTime, zone: TimeZone) -> String {
    let at = Timestamp::try_from(at).unwrap_or_default().max(Timestamp::UNIX_EPOCH);
    rfc2822::to_string(&at.to_zoned(zone)).expect("a year after 1969 can be written")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use dmail_core::{Account, Username};
    use dmail_smtp::command::Hello;
    use dmail_smtp::{MessageId, Recipient, address};
    use jiff::tz::offset;

    use super::*;

    fn recipient(text: &str) -> Recipient {
        let address = address::parse(text.as_bytes()).expect("an address");
        let name = Username::parse(b"bob").expect("a name");
        Recipient { address, account: Arc::new(Account::named(name)) }
    }

    fn envelope() -> Envelope {
        let received_at = SystemTime::UNIX_EPOCH + Duration::from_secs(914_665_068);
        Envelope {
            id: MessageId::new(SystemTime::UNIX_EPOCH, 1, 2),
            sender: Some(address::parse(b"x@far.example").expect("an address")),
            recipients: vec![recipient("bob@corp.example")],
            client: [192, 0, 2, 1].into(),
            hello: Hello { name: "client.example".into(), extended: true },
            user: None,
            received_at,
        }
    }

    fn whole() -> Header {
        Header { date: true, message_id: true, ..Header::default() }
    }

    fn top_of(envelope: &Envelope, header: &Header) -> String {
        top(envelope, header, "mx.corp.example", TimeZone::fixed(offset(13)))
    }

    #[test]
    fn a_message_gets_its_trace() {
        let expected = "Return-Path: <x@far.example>\n\
            Received: from client.example ([192.0.2.1])\n\
            \tby mx.corp.example with ESMTP id 0.1.2\n\
            \tfor <bob@corp.example>;\n\
            \tSat, 26 Dec 1998 22:37:48 +1300\n";
        assert_eq!(top_of(&envelope(), &whole()), expected);
    }

    #[test]
    fn others_learn_nothing_of_blind_copies_and_login_names() {
        let mut envelope = envelope();
        envelope.recipients.push(recipient("ann@corp.example"));
        envelope.user = Some(Username::parse(b"secretary").expect("a name"));
        envelope.sender = None;
        envelope.client = "2001:db8::1".parse().expect("an address");
        let expected = "Return-Path: <>\n\
            Received: from client.example ([IPv6:2001:db8::1])\n\
            \tby mx.corp.example with ESMTPA id 0.1.2;\n\
            \tSat, 26 Dec 1998 22:37:48 +1300\n";
        assert_eq!(top_of(&envelope, &whole()), expected);
    }

    #[test]
    fn what_the_client_calls_itself_cannot_break_the_header() {
        let mut envelope = envelope();
        envelope.hello = Hello { name: "a(b)<c>;\"d\\[1.2.3.4]".into(), extended: false };
        let top = top_of(&envelope, &whole());
        assert!(top.contains("\nReceived: from a?b??c???d?[1.2.3.4] ([192.0.2.1])\n"), "{top}");
        assert!(top.contains(" with SMTP id "), "{top}");
    }

    #[test]
    fn what_is_missing_is_added() {
        let top = top_of(&envelope(), &Header::default());
        let added =
            "\nDate: Sat, 26 Dec 1998 22:37:48 +1300\nMessage-ID: <0.1.2@mx.corp.example>\n";
        assert!(top.ends_with(added), "{top}");
        for (start, end) in [(Start::FromLine, ">\nX-Mailbox-Line: "), (Start::Text, ">\n\n")] {
            let top = top_of(&envelope(), &Header { start, ..Header::default() });
            assert!(top.ends_with(end), "{top:?}");
        }
    }
}
