//! Courier's authdaemon socket, and its pipe (`authpipe`).
//!
//! ```text
//!   client: PRE . imap bob                      a user, without a password
//!   client: AUTH 25 · imap · login · bob · …    25 bytes of lines: a login
//!   client: PASSWD imap ⇥ bob ⇥ old ⇥ new       a new password for the old one
//!   client: ENUMERATE                           all users
//!   server: USERNAME=… · HOME=… · ADDRESS=… · .  │ OK │ FAIL
//! ```
//!
//! There is no word for "try again later": the connection ends without an
//! answer, which Courier and Cyrus SASL take as one.

use bytes::BytesMut;
use dmail_core::sasl::login_name;
use dmail_core::{
    Account, Action, AuthRequest, Change, DropPath, Origin, Outcome, RejectionKind, Search,
    SearchOutcome, Secret, Service, Uid, Username, Verdict,
};
use memchr::memchr;

use crate::refused::check;
use crate::{Answer, Question, Refused, Session, Step, Then, Ticket, UnixAccount, service};

/// Longest command line, and longest body of `AUTH`.
const MAX_LINE: usize = 8_192;

/// One client's conversation: one request, or on a pipe one after the other.
pub struct AuthdaemonSession {
    config: UnixAccount,
    /// Whether the connection ends with the first answer.
    once: bool,
    origin: Origin,
    stage: Stage,
}

/// What the present request waits for.
#[derive(Debug, Default)]
enum Stage {
    /// There is none.
    #[default]
    Free,
    /// The answer to it.
    Answer,
    /// Whether the old password is right: then this change is made.
    Old(Change),
    /// Nothing: it was refused, and the connection is over.
    Over,
}

impl AuthdaemonSession {
    /// A connection on which nothing was said; with `once` it serves one
    /// request, as the socket does and the pipe does not.
    #[must_use]
    pub fn new(config: UnixAccount, once: bool) -> Self {
        Self { config, once, origin: Origin::local(Service::Line), stage: Stage::Free }
    }

    fn command(&mut self, line: &[u8], out: &mut Vec<u8>) -> Option<Step> {
        if let Some(arguments) = line.strip_prefix(b"PASSWD ") {
            return Some(self.passwd(arguments, out));
        }
        let text = String::from_utf8_lossy(line);
        let mut words = text.split([' ', '\t']);
        match words.next() {
            Some("PRE") => {
                let (_, service, user) = (words.next(), words.next(), words.next());
                self.origin.service = service::named(service.unwrap_or_default().as_bytes());
                match login_name(user.unwrap_or_default().as_bytes(), Username::MAX_BYTES) {
                    Ok(user) => {
                        let request = AuthRequest::lookup(user, self.origin);
                        Some(self.ask(Question::Authenticate(request)))
                    }
                    Err(_) => self.refuse(out),
                }
            }
            Some("ENUMERATE") => {
                let (from, max, origin) = (0, None, self.origin);
                let search = Search { pattern: "*".into(), from, max, origin };
                Some(self.ask(Question::Search(search)))
            }
            // `TCPREMOTEIP=address` and the like may come first.
            Some(setting) if setting.contains('=') => {
                if let Some(address) = setting.strip_prefix("TCPREMOTEIP=") {
                    self.origin.client =
                        address.parse().ok().map(|ip: std::net::IpAddr| ip.to_canonical());
                }
                None
            }
            _ => self.refuse(out),
        }
    }

    /// `service LF type LF user LF password`.
    fn login(&mut self, body: &[u8], out: &mut Vec<u8>) -> Step {
        let mut lines = body.splitn(4, |byte| *byte == b'\n');
        let mut next = || lines.next().unwrap_or_default();
        let (service, kind, user, password) = (next(), next(), next(), next());
        self.origin.service = service::named(service);
        if kind != b"login" {
            let why = "only passwords are checked (login), and no challenges";
            return self.refuse_login(Refused::new(self.origin, None, why), out);
        }
        let password = password.split(|byte| *byte == b'\n').next().unwrap_or_default();
        match check(user, Secret::new(password), self.origin) {
            Ok(request) => self.ask(Question::Authenticate(request)),
            Err(refused) => self.refuse_login(refused, out),
        }
    }

    /// `service TAB user TAB old TAB new [TAB]`: whoever knows the old password
    /// may set a new one.
    fn passwd(&mut self, arguments: &[u8], out: &mut Vec<u8>) -> Step {
        let mut fields = arguments.split(|byte| *byte == b'\t');
        let mut next = || fields.next().unwrap_or_default();
        let (service, user, old, new) = (next(), next(), next(), next());
        self.origin.service = service::named(service);
        let (old, new) = (Secret::new(old), Secret::new(new));
        let request = match check(user, old, self.origin) {
            Ok(request) => request,
            Err(refused) => return self.refuse_login(refused, out),
        };
        let user = request.user.clone();
        if new.is_empty() {
            let why = "the new password is empty";
            return self.refuse_login(Refused::new(self.origin, Some(user), why), out);
        }
        let action = Action::Set { secret: Some(new), info: None };
        self.stage = Stage::Old(Change { user, action, origin: self.origin });
        Step::Ask(Ticket(1), Question::Authenticate(request))
    }

    fn ask(&mut self, question: Question) -> Step {
        self.stage = Stage::Answer;
        Step::Ask(Ticket(1), question)
    }

    /// Refuses a login, or a change of its password.
    fn refuse_login(&mut self, refused: Box<Refused>, out: &mut Vec<u8>) -> Step {
        self.say_no(out);
        if self.once {
            self.stage = Stage::Over;
        }
        Step::Refused(refused)
    }

    /// Refuses what is no login.
    fn refuse(&mut self, out: &mut Vec<u8>) -> Option<Step> {
        self.say_no(out);
        self.once.then_some(Step::Close("refused"))
    }

    fn say_no(&mut self, out: &mut Vec<u8>) {
        self.origin = Origin::local(Service::Line);
        out.extend_from_slice(b"FAIL\n");
    }

    fn tell(&self, out: &mut Vec<u8>, account: &Account) {
        let mut line = |name: &str, value: &str| {
            // What a line cannot hold is not told.
            if !value.contains(['\n', '\0']) {
                out.extend_from_slice(format!("{name}={value}\n").as_bytes());
            }
        };
        match account.owner() {
            Some(Uid::Name(name)) => line("USERNAME", name),
            Some(Uid::Number(_)) | None => line("UID", &self.config.uid_of(account).to_string()),
        }
        line("GID", &self.config.gid.to_string());
        line("HOME", &self.config.home);
        line("ADDRESS", account.name.as_str());
        if let Some(name) = account.info.get("name") {
            line("NAME", name);
        }
        if let DropPath::File(path) = &account.drop {
            line("MAILDIR", &path.display().to_string());
        }
        if let Some(quota) = account.info.get("quota") {
            line("QUOTA", &format!("{quota}S"));
        }
        out.extend_from_slice(b".\n");
    }
}

impl Session for AuthdaemonSession {
    fn next(&mut self, input: &mut BytesMut, out: &mut Vec<u8>) -> Step {
        match self.stage {
            Stage::Free => {}
            Stage::Answer | Stage::Old(_) => return Step::More,
            Stage::Over => return Step::Done,
        }
        loop {
            let Some(end) = memchr(b'\n', input) else {
                return match input.len() > MAX_LINE {
                    true => Step::Close("a line that is too long"),
                    false => Step::More,
                };
            };
            let step = match body_of(&input[..end]) {
                Some(Err(())) => Some(Step::Close("AUTH without a length")),
                Some(Ok(length)) if input.len() < end + 1 + length => return Step::More,
                Some(Ok(length)) => {
                    let request = input.split_to(end + 1 + length);
                    Some(self.login(&request[end + 1..], out))
                }
                None => {
                    let line = input.split_to(end + 1);
                    self.command(&line[..end], out)
                }
            };
            if let Some(step) = step {
                return step;
            }
        }
    }

    fn answered(&mut self, _: Ticket, answer: Answer, out: &mut Vec<u8>) -> Then {
        let stage = std::mem::take(&mut self.stage);
        self.origin = Origin::local(Service::Line);
        match answer {
            Answer::Verdict(Ok(Verdict::Accepted(_))) if let Stage::Old(change) = stage => {
                self.stage = Stage::Answer;
                return Then::Ask(Ticket(1), Question::Change(change));
            }
            Answer::Changed(Ok(Outcome::Done(_))) => out.extend_from_slice(b"OK\n"),
            Answer::Changed(Ok(Outcome::Refused(_))) => out.extend_from_slice(b"FAIL\n"),
            Answer::Verdict(Ok(Verdict::Accepted(account))) => self.tell(out, &account),
            Answer::Verdict(Ok(Verdict::Rejected(rejection))) => match rejection.kind {
                RejectionKind::Unsupported => return Then::Close,
                _ => out.extend_from_slice(b"FAIL\n"),
            },
            Answer::Found(Ok(SearchOutcome::Found(found))) => {
                let UnixAccount { uid, gid, home } = &self.config;
                for hit in &found.hits {
                    let line = format!("{}\t{uid}\t{gid}\t{home}\t\t\n", hit.user);
                    out.extend_from_slice(line.as_bytes());
                }
                out.extend_from_slice(b".\n");
            }
            // Nothing is said: a temporary failure.
            _ => return Then::Close,
        }
        if self.once { Then::Close } else { Then::GoOn }
    }
}

/// The length of the body that follows `AUTH n`; `None` for other commands.
fn body_of(line: &[u8]) -> Option<Result<usize, ()>> {
    let digits = line.strip_prefix(b"AUTH ")?;
    let length = std::str::from_utf8(digits).ok().and_then(|text| text.trim().parse().ok());
    Some(length.filter(|length| *length <= MAX_LINE).ok_or(()))
}

#[cfg(test)]
mod tests {
    use dmail_core::{Found, Hit, Info, Purpose, Rejection, Unavailable, UnavailableKind};

    use super::*;
    use crate::talk;

    /// What is replied to `input`, asked of a base that knows only bob.
    fn talk(input: &[u8], once: bool) -> String {
        let config = UnixAccount { uid: 8, gid: 9, home: "/var/mail".into() };
        let mut session = AuthdaemonSession::new(config, once);
        let (out, end) = talk::with(&mut session, input, |question| match question {
            Question::Authenticate(request) => Answer::Verdict(judge(&request)),
            Question::Change(change) => {
                let Action::Set { secret: Some(new), info: None } = change.action else {
                    panic!("{change:?}")
                };
                Answer::Changed(Ok(match new.expose() {
                    b"short" => Outcome::Refused(Rejection::unsupported()),
                    _ => Outcome::Done(format!("{} changed", change.user)),
                }))
            }
            Question::Search(_) => {
                let user = Username::parse(b"bob").expect("a name");
                let hits = vec![Hit { user, info: Info::default() }];
                Answer::Found(Ok(SearchOutcome::Found(Found { hits, scanned: 1 })))
            }
            question => panic!("{question:?}"),
        });
        let end = if end.is_empty() { "" } else { "[closed]" };
        String::from_utf8(out).expect("text") + end
    }

    fn judge(request: &AuthRequest) -> Result<Verdict, Unavailable> {
        let name = request.user.clone();
        let right = match &request.purpose {
            Purpose::Check(secret) => secret.expose() == b"s3 cret",
            _ => true,
        };
        match name.as_str() {
            "down" => Err(Unavailable::new(UnavailableKind::Dead, "down")),
            "bob" if right => {
                let mut account = Account::named(name);
                account.drop = DropPath::File("/mail/bob".into());
                // Nobody's number, and not root's.
                account.uid = Some(Uid::Number(0));
                account.info = r#"name="Bob B" quota="500""#.parse().expect("info");
                Ok(Verdict::accepted(account))
            }
            _ => Ok(Verdict::Rejected(Rejection::not_verified(&name))),
        }
    }

    const BOB: &str = "UID=8\nGID=9\nHOME=/var/mail\nADDRESS=bob\nNAME=Bob B\n\
                       MAILDIR=/mail/bob\nQUOTA=500S\n.\n";

    #[test]
    fn every_request_gets_its_answer_and_the_socket_closes() {
        let rows = [
            (&b"PRE . imap bob\n"[..], format!("{BOB}[closed]")),
            (b"TCPREMOTEIP=192.0.2.7\nPRE . imap bob\n", format!("{BOB}[closed]")),
            (b"AUTH 23\nimap\nlogin\nbob\ns3 cret\n", format!("{BOB}[closed]")),
            (b"AUTH 22\nimap\nlogin\nbob\ns3 cret", format!("{BOB}[closed]")),
            (b"AUTH 20\nimap\nlogin\nbob\nwrong", "FAIL\n[closed]".into()),
            (b"AUTH 16\nimap\nlogin\nbob\n\n", "FAIL\n[closed]".into()),
            (b"AUTH 21\nimap\ncram-md5\nxx\nyyyy", "FAIL\n[closed]".into()),
            (b"PRE . imap down\n", "[closed]".into()),
            (b"PASSWD imap\tbob\told\tnew\n", "FAIL\n[closed]".into()),
            (b"PASSWD imap\tbob\ts3 cret\tnew\n", "OK\n[closed]".into()),
            (b"PASSWD imap\tbob\ts3 cret\tnew\t\n", "OK\n[closed]".into()),
            (b"PASSWD imap\tbob\ts3 cret\t\n", "FAIL\n[closed]".into()),
            (b"PASSWD imap\tbob\ts3 cret\tshort\n", "FAIL\n[closed]".into()),
            (b"PASSWD imap\tdown\ts3 cret\tnew\n", "[closed]".into()),
            (b"ENUMERATE\n", "bob\t8\t9\t/var/mail\t\t\n.\n[closed]".into()),
            (b"AUTH x\n", "[closed]".into()),
            (b"AUTH 99999\n", "[closed]".into()),
            (b"AUTH 50\nimap\nlogin\nbob\n", String::new()),
        ];
        for (input, expected) in rows {
            let shown = String::from_utf8_lossy(input);
            assert_eq!(talk(input, true), expected, "{shown}");
        }
    }

    #[test]
    fn a_pipe_goes_on() {
        let out = talk(b"PRE . imap bob\nPRE . imap ann\nPRE . imap bob\n", false);
        assert_eq!(out, format!("{BOB}FAIL\n{BOB}"));
        let out = talk(b"PASSWD imap\tbob\ts3 cret\tnew\nPRE . imap ann\n", false);
        assert_eq!(out, "OK\nFAIL\n");
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_taken_without_a_panic(bytes: Vec<u8>) {
            let _ = talk(&bytes, false);
        }
    }
}
