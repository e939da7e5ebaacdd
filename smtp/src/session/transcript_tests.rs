//! Conversations as they stand in the RFCs: `C:` is the client, `S:` the server.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::SystemTime;

use dmail_core::framing::{Frame, LineFault};
use dmail_core::{
    Account, AuthRequest, Domain, Purpose, Rejection, RejectionKind, Unavailable, UnavailableKind,
    Username, Verdict,
};

use super::{Closing, Session, Stamp, Step};
use crate::config::{Config, LocalDomains, SessionLimits};
use crate::content::Decoder;
use crate::delivery::{DeliveryError, DeliveryErrorKind, Envelope, MessageId, Receipt};
use crate::error::Error;
use crate::message::Message;

/// A session, and the world around it.
struct Stage {
    session: Session,
    out: Vec<u8>,
    /// The content that is being received.
    content: Option<(Decoder, Vec<u8>)>,
    asked: Vec<String>,
    delivered: Vec<(Envelope, String)>,
    pauses: usize,
    closed: Option<Closing>,
}

fn config() -> Config {
    let domain = |name| Domain::parse(name).expect("a domain");
    Config {
        host_name: "mx.corp.example".to_owned(),
        local_domains: LocalDomains::new(domain("corp.example"), [domain("b.example")]),
        max_message_size: 1000,
        session: SessionLimits {
            errors: 4,
            idle_commands: 6,
            messages: 2,
            recipients: 2,
            refused_recipients: 4,
            ..SessionLimits::default()
        },
        ..Config::default()
    }
}

/// A user base: bob and ann have the password `pw`; other names say what happens.
fn answer(request: &AuthRequest) -> Result<Verdict, Unavailable> {
    let (local, _) = request.user.split_domain();
    let mut account = Account::named(request.user.clone());
    let rejected = |kind| Ok(Verdict::Rejected(Rejection::new(kind, "text of the source")));
    match (local, &request.purpose) {
        ("bob" | "ann", Purpose::Check(secret)) if secret.expose() != b"pw" => {
            rejected(RejectionKind::NotVerified)
        }
        ("away", _) => {
            account.info.set("fwd", "x@far.example").expect("a field");
            Ok(Verdict::accepted(account))
        }
        ("copied", _) => {
            account.info.set("fwd", "$user,x@far.example").expect("a field");
            Ok(Verdict::accepted(account))
        }
        ("bob" | "ann" | "full" | "broken" | "postmaster", _) => Ok(Verdict::accepted(account)),
        ("busy", _) => rejected(RejectionKind::Throttled),
        ("down", _) => Err(Unavailable::new(UnavailableKind::Timeout, "no answer")),
        _ => rejected(RejectionKind::UnknownUser),
    }
}

fn deliver(envelope: &Envelope) -> Result<Receipt, DeliveryError> {
    let kind = match envelope.recipients[0].address.local_part() {
        "full" => DeliveryErrorKind::MailboxFull,
        "broken" => DeliveryErrorKind::Refused,
        _ => return Ok(Receipt { id: envelope.id.clone() }),
    };
    Err(DeliveryError::new(kind, "as planned"))
}

impl Stage {
    fn new(config: Config, client: [u8; 4]) -> Self {
        let client = IpAddr::V4(Ipv4Addr::from(client));
        let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let session = Session::new(Arc::new(config), client, local);
        let mut out = Vec::new();
        session.greet(&mut out);
        Self {
            session,
            out,
            content: None,
            asked: Vec::new(),
            delivered: Vec::new(),
            pauses: 0,
            closed: None,
        }
    }

    /// The client sends one line.
    fn say(&mut self, line: &str) {
        match &mut self.content {
            Some((decoder, message)) => {
                decoder.decode(format!("{line}\r\n").as_bytes(), message);
                if decoder.is_ended() {
                    let (decoder, message) = self.content.take().expect("it was there");
                    self.receive(&decoder, message);
                }
            }
            None => self.frame(Frame::Line(line.as_bytes())),
        }
    }

    fn frame(&mut self, frame: Frame<'_>) {
        let command = self.session.read(frame);
        let step = self.session.act(command, &mut self.out);
        self.follow(step);
    }

    fn receive(&mut self, decoder: &Decoder, message: Vec<u8>) {
        let received_at = SystemTime::UNIX_EPOCH;
        let id = MessageId::new(received_at, 7, self.delivered.len() as u64);
        let message = decoder.check().map(|()| Message::Memory(message)).map_err(Error::Content);
        let stamp = Stamp { id, received_at };
        let step = self.session.received(message, stamp, &mut self.out);
        self.follow(step);
    }

    fn follow(&mut self, step: Step) {
        match step {
            Step::Listen => {}
            Step::Pause(_) => self.pauses += 1,
            Step::Ask(request) => {
                self.asked.push(request.user.to_string());
                let step = self.session.answered(answer(&request), &mut self.out);
                self.follow(step);
            }
            Step::Receive => self.content = Some((Decoder::new(1000), Vec::new())),
            Step::Deliver(envelope, message) => {
                let result = deliver(&envelope);
                let Message::Memory(bytes) = message else { panic!("not in memory") };
                let text = String::from_utf8(bytes).expect("text");
                self.delivered.push((*envelope, text));
                let step = self.session.delivered(result, &mut self.out);
                self.follow(step);
            }
            Step::Close(closing) => self.closed = Some(closing),
        }
    }

    /// What the server has said since the last look.
    fn heard(&mut self) -> VecDeque<String> {
        let out = std::mem::take(&mut self.out);
        let text = String::from_utf8(out).expect("ASCII");
        text.lines().map(str::to_owned).collect()
    }

    /// Plays a conversation from where the last one ended.
    fn play(&mut self, transcript: &str) {
        let mut heard = self.heard();
        for line in transcript.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if let Some(said) = line.strip_prefix("C:") {
                assert_eq!(heard, [""; 0], "unexpected, before {line}");
                assert_eq!(self.closed, None, "closed before {line}");
                self.say(said.strip_prefix(' ').unwrap_or(said));
                heard = self.heard();
            } else {
                let expected = line.strip_prefix("S: ").expect("C: or S:");
                let found = heard.pop_front();
                assert_eq!(found.as_deref().map(str::trim_end), Some(expected));
            }
        }
        assert_eq!(heard, [""; 0], "unexpected, at the end");
    }
}

const LOCAL: [u8; 4] = [127, 0, 0, 1];
const REMOTE: [u8; 4] = [192, 0, 2, 1];
const HELLO: &str = "
    S: 220 mx.corp.example DSMTP ESMTP Server
    C: HELO c.example
    S: 250 Hello c.example ([192.0.2.1])";

/// A session with a client elsewhere that said HELO.
fn greeted() -> Stage {
    let mut stage = Stage::new(config(), REMOTE);
    stage.play(HELLO);
    stage
}

#[test]
fn mail_is_accepted_for_local_users() {
    let mut stage = Stage::new(config(), REMOTE);
    stage.play(
        "S: 220 mx.corp.example DSMTP ESMTP Server
         C: EHLO client.example
         S: 250-Hello client.example ([192.0.2.1])
         S: 250-PIPELINING
         S: 250-SIZE 1000
         S: 250-8BITMIME
         S: 250-ENHANCEDSTATUSCODES
         S: 250 HELP
         C: MAIL FROM:<x@far.example> SIZE=50 BODY=8BITMIME
         S: 250 2.1.0 Command MAIL OK
         C: RCPT TO:<bob@corp.example>
         S: 250 2.1.5 Command RCPT User found OK
         C: RCPT TO:<Ann@B.Example>
         S: 550 5.1.1 no such user
         C: RCPT TO:<ann@B.Example>
         S: 250 2.1.5 Command RCPT User found OK
         C: DATA
         S: 354 Command DATA Start mail input; end with <CRLF>.<CRLF>
         C: Subject: hello
         C:
         C: ..x
         C: .
         S: 250 2.0.0 Command DATA Processed mail data Ok, id 0.7.0
         C: MAIL FROM:<>
         S: 250 2.1.0 Command MAIL OK
         C: RCPT TO:<PostMaster>
         S: 250 2.1.5 Command RCPT User found OK
         C: DATA
         S: 354 Command DATA Start mail input; end with <CRLF>.<CRLF>
         C: .
         S: 250 2.0.0 Command DATA Processed mail data Ok, id 0.7.1
         C: QUIT
         S: 221 2.0.0 Command QUIT Service closing transmission channel to [192.0.2.1]",
    );
    assert_eq!(stage.closed, Some(Closing::Quit));
    let asked = ["bob@corp.example", "Ann@b.example", "ann@b.example", "postmaster@corp.example"];
    assert_eq!(stage.asked, asked);
    let (envelope, text) = &stage.delivered[0];
    assert_eq!(text, "Subject: hello\n\n.x\n");
    assert_eq!(envelope.recipients.len(), 2);
    assert_eq!(envelope.sender.as_ref().map(ToString::to_string).as_deref(), Some("x@far.example"));
    assert_eq!(stage.delivered[1].0.sender, None);
}

#[test]
fn one_user_gets_the_mail_for_every_postmaster() {
    let mut config = config();
    config.postmaster = Username::parse(b"ann@corp.example").ok();
    let mut stage = Stage::new(config, REMOTE);
    stage.play(HELLO);
    stage.play(
        "C: MAIL FROM:<>
         S: 250 2.1.0 Command MAIL OK
         C: RCPT TO:<Postmaster>
         S: 250 2.1.5 Command RCPT User found OK
         C: RCPT TO:<postmaster@b.example>
         S: 250 2.1.5 Command RCPT User found OK
         C: RSET
         S: 250 2.0.0 Command RSET OK
         C: MAIL FROM:<>
         S: 250 2.1.0 Command MAIL OK
         C: RCPT TO:<postmaster@far.example>
         S: 550 5.7.1 relaying denied",
    );
    assert_eq!(stage.asked, ["ann@corp.example", "ann@corp.example"]);
}

#[test]
fn no_trick_makes_us_relay() {
    let mut config = config();
    config.session.refused_recipients = 100;
    config.session.errors = 100;
    let mut stage = Stage::new(config, REMOTE);
    stage.play(HELLO);
    stage.play("C: MAIL FROM:<bob@corp.example>\nS: 250 2.1.0 Command MAIL OK");
    let rows = [
        ("x@far.example", "550 5.7.1 relaying denied"),
        ("x@corp.example.far.example", "550 5.7.1 relaying denied"),
        ("x@notcorp.example", "550 5.7.1 relaying denied"),
        ("x@[192.0.2.9]", "550 5.7.1 relaying denied"),
        ("x@[127.0.0.1]", "550 5.7.1 relaying denied"),
        ("bob@corp.example@far.example", "553 5.1.3 bad local part"),
        ("x@far.example@corp.example", "553 5.1.3 bad local part"),
        ("@corp.example:x@far.example", "550 5.7.1 source routes are not accepted"),
        ("x%far.example@corp.example", "550 5.1.1 no such user"),
        ("far.example!x@corp.example", "550 5.1.1 no such user"),
        (r#""x@far.example"@corp.example"#, "550 5.1.1 no such user"),
        (r#""bob@b.example"@corp.example"#, "550 5.1.1 no such user"),
        (r#""x y"@corp.example"#, "550 5.1.1 no such user"),
        ("../../etc/passwd@corp.example", "550 5.1.1 no such user"),
        ("bob@corp.example>, <x@far.example", "501 5.5.4 expected: RCPT TO:<address>"),
    ];
    for (address, expected) in rows {
        stage.play(&format!("C: RCPT TO:<{address}>\nS: {expected}"));
    }
    // Neither a name with an @ nor one with a space was asked about.
    let tricks = ["x%far.example", "far.example!x", "../../etc/passwd"];
    assert_eq!(stage.asked, tricks.map(|local| format!("{local}@corp.example")));
    stage.play("C: DATA\nS: 503 5.5.1 no valid recipients");
}

#[test]
fn commands_have_an_order() {
    let mut config = config();
    config.session.errors = 100;
    config.session.idle_commands = 100;
    let mut stage = Stage::new(config, REMOTE);
    stage.play(
        "S: 220 mx.corp.example DSMTP ESMTP Server
         C: MAIL FROM:<x@far.example>
         S: 503 5.5.1 send EHLO or HELO first
         C: HELO c
         S: 250 Hello c ([192.0.2.1])
         C: RCPT TO:<bob@corp.example>
         S: 503 5.5.1 send MAIL first
         C: DATA
         S: 503 5.5.1 send MAIL first
         C: MAIL FROM:<x@far.example>
         S: 250 2.1.0 Command MAIL OK
         C: MAIL FROM:<y@far.example>
         S: 503 5.5.1 nested MAIL command
         C: DATA
         S: 503 5.5.1 no valid recipients
         C: RCPT TO:<bob@corp.example>
         S: 250 2.1.5 Command RCPT User found OK
         C: RSET
         S: 250 2.0.0 Command RSET OK
         C: DATA
         S: 503 5.5.1 send MAIL first
         C: MAIL FROM:<x@far.example>
         S: 250 2.1.0 Command MAIL OK
         C: HELO again
         S: 250 Hello again ([192.0.2.1])
         C: RCPT TO:<bob@corp.example>
         S: 503 5.5.1 send MAIL first
         C: VRFY bob
         S: 252 2.0.0 Cannot VRFY user, but will accept message and attempt delivery
         C: VRFY nobody
         S: 252 2.0.0 Cannot VRFY user, but will accept message and attempt delivery
         C: MAIL FROM:<x@far.example> SIZE=1001
         S: 552 5.3.4 message exceeds the maximum size
         C: HELP
         S: 214 2.0.0 Commands: EHLO HELO MAIL RCPT DATA RSET NOOP VRFY AUTH HELP QUIT
         C: NOOP
         S: 250 2.0.0 Command NOOP OK",
    );
}

#[test]
fn trouble_on_our_side_is_never_an_unknown_user() {
    greeted().play(
        "C: MAIL FROM:<x@far.example>
         S: 250 2.1.0 Command MAIL OK
         C: RCPT TO:<down@corp.example>
         S: 451 4.3.0 cannot look up the recipient now, please try again later
         C: RCPT TO:<busy@corp.example>
         S: 451 4.3.0 cannot look up the recipient now, please try again later
         C: RCPT TO:<away@corp.example>
         S: 451 4.3.0 cannot look up the recipient now, please try again later
         C: RCPT TO:<copied@corp.example>
         S: 250 2.1.5 Command RCPT User found OK
         C: RCPT TO:<bob@corp.example>
         S: 250 2.1.5 Command RCPT User found OK
         C: RCPT TO:<ann@corp.example>
         S: 452 4.5.3 too many recipients
         C: DATA
         S: 354 Command DATA Start mail input; end with <CRLF>.<CRLF>
         C: .
         S: 250 2.0.0 Command DATA Processed mail data Ok, id 0.7.0",
    );
}

#[test]
fn a_message_that_is_refused_leaves_the_session_in_step() {
    let mut stage = greeted();
    let begin = |user| {
        format!(
            "C: MAIL FROM:<x@far.example>
             S: 250 2.1.0 Command MAIL OK
             C: RCPT TO:<{user}@corp.example>
             S: 250 2.1.5 Command RCPT User found OK
             C: DATA
             S: 354 Command DATA Start mail input; end with <CRLF>.<CRLF>\n"
        )
    };
    stage.play(&begin("full"));
    stage.play("C: .\nS: 452 4.2.2 mailbox full");
    stage.play(&begin("broken"));
    stage.play("C: .\nS: 554 5.3.0 the mailbox cannot be used");
    stage.play(&begin("bob"));
    stage.play(&format!(
        "C: {}
         C: MAIL FROM:<smuggled@far.example>
         C: .
         S: 552 5.3.4 message exceeds the maximum size
         C: NOOP
         S: 250 2.0.0 Command NOOP OK",
        "x".repeat(1000)
    ));
    assert_eq!(stage.delivered.len(), 2);
}

#[test]
fn logins_are_answered_alike() {
    let mut stage = Stage::new(config(), LOCAL);
    stage.play(
        "S: 220 mx.corp.example DSMTP ESMTP Server
         C: AUTH PLAIN AGJvYgBwdw==
         S: 503 5.5.1 send EHLO first
         C: EHLO c
         S: 250-Hello c ([127.0.0.1])
         S: 250-PIPELINING
         S: 250-SIZE 1000
         S: 250-8BITMIME
         S: 250-ENHANCEDSTATUSCODES
         S: 250-AUTH PLAIN LOGIN
         S: 250 HELP
         C: AUTH PLAIN
         S: 334
         C: AGJvYgBuZXZlcg==
         S: 535 5.7.8 authentication credentials invalid
         C: AUTH PLAIN AG5vYm9keQBwdw==
         S: 535 5.7.8 authentication credentials invalid
         C: AUTH PLAIN AGJvYgA=
         S: 535 5.7.8 authentication credentials invalid
         C: AUTH PLAIN AGRvd24AcHc=
         S: 454 4.7.0 temporary authentication failure, please try again later
         C: AUTH LOGIN
         S: 334 VXNlcm5hbWU6
         C: Ym9i
         S: 334 UGFzc3dvcmQ6
         C: cHc=
         S: 235 2.7.0 Authentication successful
         C: MAIL FROM:<bob@corp.example>
         S: 250 2.1.0 Command MAIL OK
         C: RCPT TO:<x@far.example>
         S: 550 5.7.1 sending to other domains comes with the outgoing queue, which this version lacks
         C: RCPT TO:<ann@corp.example>
         S: 250 2.1.5 Command RCPT User found OK
         C: DATA
         S: 354 Command DATA Start mail input; end with <CRLF>.<CRLF>
         C: .
         S: 250 2.0.0 Command DATA Processed mail data Ok, id 0.7.0",
    );
    // Nobody was asked about the empty password.
    assert_eq!(stage.asked, ["bob", "nobody", "down", "bob", "ann@corp.example"]);
    let user = stage.delivered[0].0.user.as_ref().map(Username::as_str);
    assert_eq!(user, Some("bob"));
}

#[test]
fn a_login_has_its_place() {
    let mut config = config();
    config.session.errors = 100;
    config.auth_without_tls = true;
    let mut stage = Stage::new(config, REMOTE);
    stage.play(
        "S: 220 mx.corp.example DSMTP ESMTP Server
         C: EHLO c
         S: 250-Hello c ([192.0.2.1])
         S: 250-PIPELINING
         S: 250-SIZE 1000
         S: 250-8BITMIME
         S: 250-ENHANCEDSTATUSCODES
         S: 250-AUTH PLAIN LOGIN
         S: 250 HELP
         C: AUTH LOGIN
         S: 334 VXNlcm5hbWU6
         C: *
         S: 501 5.7.0 authentication cancelled
         C: AUTH PLAIN
         S: 334
         C: not base64
         S: 501 5.5.2 this is not base64
         C: AUTH CRAM-MD5
         S: 504 5.5.4 authentication mechanism not offered
         C: MAIL FROM:<>
         S: 250 2.1.0 Command MAIL OK
         C: AUTH PLAIN AGJvYgBwdw==
         S: 503 5.5.1 AUTH is not permitted during a mail transaction
         C: RSET
         S: 250 2.0.0 Command RSET OK
         C: AUTH PLAIN AGJvYgBwdw==
         S: 235 2.7.0 Authentication successful
         C: AUTH PLAIN AGJvYgBwdw==
         S: 503 5.5.1 you are logged in already
         C: AUTH PLAIN
         S: 503 5.5.1 you are logged in already",
    );
    let mut stage = greeted();
    stage.play("C: AUTH PLAIN\nS: 503 5.5.1 send EHLO first");
    stage.say("EHLO c");
    assert!(!stage.heard().iter().any(|line| line.contains("AUTH")), "not offered");
    stage.play("C: AUTH PLAIN AGJvYgBwdw==\nS: 538 5.7.11 encryption required for authentication");
    assert_eq!(stage.asked, [""; 0]);
}

#[test]
fn a_line_that_must_not_be_acted_on_is_not() {
    let mut stage = greeted();
    let refused = |stage: &mut Stage, fault| {
        stage.frame(Frame::Refused(fault));
        stage.heard()
    };
    assert_eq!(refused(&mut stage, LineFault::Nul), ["500 5.5.2 line holds a NUL byte"]);
    assert_eq!(refused(&mut stage, LineFault::TooLong), ["500 5.5.2 line too long"]);
    assert_eq!(stage.closed, None);
    let bare = refused(&mut stage, LineFault::BareEnding);
    assert_eq!(bare, ["500 5.5.2 line does not end in CR LF"]);
    assert!(stage.closed.is_some());

    let mut stage = Stage::new(config(), LOCAL);
    stage.say("EHLO c");
    stage.say("AUTH PLAIN");
    stage.heard();
    let long = refused(&mut stage, LineFault::TooLong);
    assert_eq!(long, ["500 5.5.6 authentication exchange line is too long"]);
    stage.play("C: NOOP\nS: 250 2.0.0 Command NOOP OK");
}

#[test]
fn too_much_of_anything_ends_the_session() {
    let rows: [(&[&str], usize, &str); 4] = [
        (&["XYZZY"], 5, "errors"),
        (&["NOOP"], 6, "commands without mail"),
        (&["MAIL FROM:<>", "RSET"], 12, "commands without mail"),
        (&["MAIL FROM:<>", "RCPT TO:<bob@corp.example>", "DATA", "."], 9, "messages"),
    ];
    for (lines, at, what) in rows {
        let mut stage = greeted();
        for line in lines.iter().cycle().take(at) {
            assert_eq!(stage.closed, None, "{lines:?}");
            stage.say(line);
        }
        let last = stage.heard().pop_back().expect("a reply");
        assert_eq!(last, format!("421 4.7.0 too many {what}, closing transmission channel"));
        assert!(stage.closed.is_some(), "{lines:?}");
    }
}

#[test]
fn a_search_for_names_is_slowed_down_and_then_ended() {
    let mut stage = greeted();
    stage.say("MAIL FROM:<>");
    for name in ["a@corp.example", "b@far.example", "c@b.example", "d@corp.example"] {
        stage.say(&format!("RCPT TO:<{name}>"));
    }
    assert_eq!((stage.pauses, stage.closed), (2, None));
    stage.say("RCPT TO:<e@corp.example>");
    assert!(stage.closed.is_some());
}

#[test]
fn what_cannot_be_smtp_ends_the_session() {
    for (line, reply) in [
        ("POST / HTTP/1.1", "421 4.7.0 this is not a web server; closing connection"),
        ("BDAT 100 LAST", "421 4.5.1 BDAT is not offered; closing connection"),
    ] {
        let mut stage = greeted();
        stage.play(&format!("C: {line}\nS: {reply}"));
        assert!(stage.closed.is_some(), "{line}");
    }
}
