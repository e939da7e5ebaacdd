//! Who a user is, without a password: what Dovecot's LMTP and LDA, its mail
//! processes and `doveadm user` ask a `dovecot-auth-userdb` socket.
//!
//! ```text
//!   server: VERSION 1 1 · SPID pid
//!   client: VERSION 1 n
//!   client: USER id name service=lmtp     server: USER id name uid=… home=… │ NOTFOUND id │ FAIL id
//!   client: PASS id name service=lmtp     server: PASS id user=name │ NOTFOUND id │ FAIL id
//!   client: LIST id user=mask             server: LIST id name · … · DONE id
//! ```
//!
//! `FAIL` is temporary here: LMTP answers 451 to it. `NOTFOUND` bounces mail,
//! so it is said only if a user base said so.

use std::collections::HashMap;
use std::path::PathBuf;

use bytes::{Buf, BytesMut};
use dmail_core::framing::{Ending, Frame, LineFramer};
use dmail_core::sasl::login_name;
use dmail_core::{
    Account, AuthRequest, DropPath, Origin, RejectionKind, Search, SearchOutcome, Service, Uid,
    Username, Verdict,
};

use super::line::{self, put_escaped};
use super::origin;
use crate::{Answer, Question, Session, Step, Then, Ticket};

/// Longest line that Dovecot's own server takes on this socket is 1,024 bytes;
/// newer clients send more fields.
const MAX_LINE: usize = 8_192;
/// Requests of one connection that may wait at a time.
const MAX_WAITING: usize = 1_000;

/// What a connection is told about its server.
#[derive(Debug, Clone)]
pub struct Config {
    /// The server's process.
    pub pid: u32,
    /// The home folder of a user: this path with `%u` (the name), `%n` (its
    /// part before `@`) and `%d` (after it) put in. `None` names no home.
    pub home: Option<String>,
}

/// One client's conversation.
pub struct UserdbSession {
    config: Config,
    framer: LineFramer,
    greeted: bool,
    waiting: HashMap<u32, Verb>,
}

/// What a request wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    User,
    Pass,
    List,
}

/// A line that makes the connection worthless.
struct Broken(&'static str);

impl UserdbSession {
    /// A connection on which nothing was said.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let framer = LineFramer::new(MAX_LINE, Ending::LfOrCrLf);
        Self { config, framer, greeted: false, waiting: HashMap::new() }
    }

    fn line(&mut self, line: &[u8], out: &mut Vec<u8>) -> Result<Option<Step>, Broken> {
        let mut fields = line::fields(line);
        let verb = match fields.next().unwrap_or_default() {
            b"VERSION" => {
                self.greeted = true;
                return match fields.next() {
                    Some(b"1") => Ok(None),
                    _ => Err(Broken("another major version of the protocol")),
                };
            }
            _ if !self.greeted => return Err(Broken("no VERSION first")),
            b"USER" => Verb::User,
            b"PASS" => Verb::Pass,
            b"LIST" => Verb::List,
            _ => return Ok(None),
        };
        let id = fields.next().and_then(line::id).ok_or(Broken("a request without id"))?;
        if self.waiting.contains_key(&id) {
            return Err(Broken("an id that is in use"));
        }
        if self.waiting.len() >= MAX_WAITING {
            fail(out, id, verb);
            return Ok(None);
        }
        let question = match verb {
            Verb::List => Question::Search(search(fields)),
            Verb::User | Verb::Pass => {
                let name = fields.next().ok_or(Broken("a request without a name"))?;
                let name = line::unescape(name);
                let mut origin = Origin::local(Service::Line);
                for field in fields {
                    let (name, value) = origin::split(field);
                    origin::take(&mut origin, name, &line::unescape(value));
                }
                match login_name(&name, Username::MAX_BYTES) {
                    Ok(user) => Question::Authenticate(AuthRequest::lookup(user, origin)),
                    Err(_) => {
                        not_found(out, id);
                        return Ok(None);
                    }
                }
            }
        };
        self.waiting.insert(id, verb);
        Ok(Some(Step::Ask(Ticket(id), question)))
    }

    fn tell_user(&self, out: &mut Vec<u8>, id: u32, account: &Account) {
        out.extend_from_slice(format!("USER\t{id}\t").as_bytes());
        put_escaped(out, account.name.as_str().as_bytes());
        if let Some(Uid::Number(uid)) = account.owner() {
            field(out, "uid", uid.to_string().as_bytes());
        }
        if let Some(home) = &self.config.home {
            let home = home_of(home, &account.name);
            field(out, "home", home.as_os_str().as_encoded_bytes());
        }
        if let DropPath::File(path) = &account.drop {
            let mut mail = b"mbox:~/mail:INBOX=".to_vec();
            mail.extend_from_slice(path.as_os_str().as_encoded_bytes());
            field(out, "mail", &mail);
        }
        if let Some(quota) = account.info.get("quota") {
            field(out, "quota_rule", format!("*:bytes={quota}").as_bytes());
        }
        out.push(b'\n');
    }
}

impl Session for UserdbSession {
    fn greeting(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("VERSION\t1\t1\nSPID\t{}\n", self.config.pid).as_bytes());
    }

    fn next(&mut self, input: &mut BytesMut, out: &mut Vec<u8>) -> Step {
        loop {
            let arrived = std::mem::take(input);
            let taken = self.framer.take(&arrived);
            let consumed = taken.consumed;
            let step = match taken.frame {
                None => Some(Step::More),
                Some(Frame::Refused(_)) => Some(Step::Close("a line that is none")),
                Some(Frame::Line(text)) => match self.line(text, out) {
                    Ok(step) => step,
                    Err(Broken(why)) => Some(Step::Close(why)),
                },
            };
            *input = arrived;
            input.advance(consumed);
            if let Some(step) = step {
                return step;
            }
        }
    }

    fn answered(&mut self, ticket: Ticket, answer: Answer, out: &mut Vec<u8>) -> Then {
        let Ticket(id) = ticket;
        let Some(verb) = self.waiting.remove(&id) else { return Then::GoOn };
        match (verb, answer) {
            (Verb::User, Answer::Verdict(Ok(Verdict::Accepted(account)))) => {
                self.tell_user(out, id, &account);
            }
            (Verb::Pass, Answer::Verdict(Ok(Verdict::Accepted(account)))) => {
                out.extend_from_slice(format!("PASS\t{id}\tuser=").as_bytes());
                put_escaped(out, account.name.as_str().as_bytes());
                out.push(b'\n');
            }
            (_, Answer::Verdict(Ok(Verdict::Rejected(rejection)))) => match rejection.kind {
                RejectionKind::UnknownUser
                | RejectionKind::NotVerified
                | RejectionKind::Disabled
                | RejectionKind::BadInput => not_found(out, id),
                RejectionKind::NotAllowed
                | RejectionKind::OnHold
                | RejectionKind::Throttled
                | RejectionKind::Unsupported => fail(out, id, verb),
            },
            (_, Answer::Found(Ok(SearchOutcome::Found(found)))) => {
                for hit in &found.hits {
                    out.extend_from_slice(format!("LIST\t{id}\t").as_bytes());
                    put_escaped(out, hit.user.as_str().as_bytes());
                    out.push(b'\n');
                }
                out.extend_from_slice(format!("DONE\t{id}\t\n").as_bytes());
            }
            (_, Answer::Verdict(_) | Answer::Found(_)) => fail(out, id, verb),
        }
        Then::GoOn
    }
}

/// A list of all users, or of those that fit `user=mask`.
fn search<'a>(fields: impl Iterator<Item = &'a [u8]>) -> Search {
    let mut pattern = "*".to_owned();
    for field in fields {
        if let (b"user", mask) = origin::split(field) {
            pattern = String::from_utf8_lossy(&line::unescape(mask)).into_owned();
        }
    }
    // Without a wildcard our search finds parts of names; Dovecot's mask is a
    // whole name.
    Search { pattern, from: 0, max: None, origin: Origin::local(Service::Line) }
}

fn home_of(template: &str, user: &Username) -> PathBuf {
    let (local, domain) = user.split_domain();
    // No name leaves the folder it is put into.
    let part = |text: &str| text.replace('/', "_").replace("..", "__");
    let mut home = String::with_capacity(template.len() + user.as_str().len());
    let mut rest = template;
    while let Some(at) = rest.find('%') {
        home.push_str(&rest[..at]);
        let (value, used) = match rest[at..].chars().nth(1) {
            Some('u') => (part(user.as_str()), 2),
            Some('n') => (part(local), 2),
            Some('d') => (part(domain.unwrap_or_default()), 2),
            Some('%') => ("%".to_owned(), 2),
            _ => ("%".to_owned(), 1),
        };
        home.push_str(&value);
        rest = &rest[at + used..];
    }
    home.push_str(rest);
    home.into()
}

fn field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.push(b'\t');
    out.extend_from_slice(name.as_bytes());
    out.push(b'=');
    put_escaped(out, value);
}

fn not_found(out: &mut Vec<u8>, id: u32) {
    out.extend_from_slice(format!("NOTFOUND\t{id}\n").as_bytes());
}

fn fail(out: &mut Vec<u8>, id: u32, verb: Verb) {
    let text = match verb {
        Verb::List => format!("DONE\t{id}\tfail\n"),
        Verb::User | Verb::Pass => format!("FAIL\t{id}\n"),
    };
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use dmail_core::{Found, Hit, Info, Rejection, Unavailable, UnavailableKind};

    use super::*;

    fn user(name: &str) -> Username {
        Username::parse(name.as_bytes()).expect("a name")
    }

    fn ann() -> Account {
        Account {
            name: user("ann@corp.example"),
            drop: DropPath::File("/mail/ann".into()),
            uid: Some(Uid::Number(1001)),
            info: r#"quota="5000000" name="Ann""#.parse().expect("info"),
        }
    }

    /// What is replied to `input`, asked of a base that knows only Ann.
    fn talk(input: &str) -> String {
        let home = Some("/home/%d/%n".to_owned());
        let mut session = UserdbSession::new(Config { pid: 7, home });
        let mut out = Vec::new();
        let mut input = BytesMut::from(format!("VERSION\t1\t0\n{input}").as_bytes());
        loop {
            match session.next(&mut input, &mut out) {
                Step::More => break,
                Step::Close(why) => {
                    out.extend_from_slice(format!("[{why}]").as_bytes());
                    break;
                }
                Step::Ask(ticket, Question::Authenticate(request)) => {
                    let verdict = match request.user.as_str() {
                        "ann" => Ok(Verdict::accepted(ann())),
                        "down" => Err(Unavailable::new(UnavailableKind::Dead, "down")),
                        "locked" => {
                            let kind = RejectionKind::NotAllowed;
                            Ok(Verdict::Rejected(Rejection::new(kind, "locked")))
                        }
                        _ => Ok(Verdict::Rejected(Rejection::unknown_user(&request.user))),
                    };
                    session.answered(ticket, Answer::Verdict(verdict), &mut out);
                }
                Step::Ask(ticket, Question::Search(search)) => {
                    assert_eq!(search.pattern, "a*");
                    let hits = vec![Hit { user: user("ann"), info: Info::default() }];
                    let found = SearchOutcome::Found(Found { hits, scanned: 1 });
                    session.answered(ticket, Answer::Found(Ok(found)), &mut out);
                }
            }
        }
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn every_request_gets_its_reply() {
        for (input, expected) in [
            (
                "USER\t1\tann\tservice=lmtp\n",
                "USER\t1\tann@corp.example\tuid=1001\thome=/home/corp.example/ann\
                 \tmail=mbox:~/mail:INBOX=/mail/ann\tquota_rule=*:bytes=5000000\n",
            ),
            ("USER\t2\tnobody\tservice=lmtp\n", "NOTFOUND\t2\n"),
            ("USER\t3\tdown\tservice=lmtp\n", "FAIL\t3\n"),
            ("USER\t4\tlocked\tservice=lmtp\n", "FAIL\t4\n"),
            ("USER\t4\t\tservice=lmtp\n", "NOTFOUND\t4\n"),
            ("PASS\t5\tann\tservice=lmtp\n", "PASS\t5\tuser=ann@corp.example\n"),
            ("LIST\t6\tuser=a*\n", "LIST\t6\tann\nDONE\t6\t\n"),
            ("NOOP\t1\n", ""),
            ("USER\tx\n", "[a request without id]"),
            ("USER\t1\n", "[a request without a name]"),
        ] {
            assert_eq!(talk(input), expected, "{input}");
        }
    }

    #[test]
    fn no_name_leaves_the_folder_of_homes() {
        for (template, name, expected) in [
            ("/home/%u", "bob", "/home/bob"),
            ("/home/%d/%n", "bob@a.example", "/home/a.example/bob"),
            ("/home/%d/%n", "bob", "/home//bob"),
            ("/home/%u", "../../etc", "/home/______etc"),
            ("/h%%%x/%u", "b", "/h%%x/b"),
            ("/home/%", "b", "/home/%"),
        ] {
            assert_eq!(
                home_of(template, &user(name)),
                PathBuf::from(expected),
                "{template} {name}"
            );
        }
    }
}
