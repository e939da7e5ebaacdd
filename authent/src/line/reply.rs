//! Replies: `+OK`, `+DATA`, `-ERR`, `-DEAD`.

use std::path::{Component, Path, PathBuf};

use dmail_core::{Account, DropPath, Found, Hit, Info, Uid, Username};

/// Longest line that is accepted from a module by default (the original's
/// reader takes 1 KB).
pub const MAX_REPLY_BYTES: usize = 1024;
/// How much of a reason is sent after `-ERR` or `-DEAD` (the original's limit).
pub const MAX_REASON_BYTES: usize = 100;

/// One line of a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplyLine {
    /// `+DATA ...`: more will come.
    Data(DataLine),
    /// The last line of a reply.
    Final(Reply),
}

/// The last line of a reply, not yet understood: only the request tells
/// whether an `+OK` carries an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The first word.
    pub status: Status,
    /// What follows it.
    pub text: String,
}

/// What `+DATA` carries: a user name, and what is known of the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataLine(pub String);

/// The first word of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// `-DEAD`: the module cannot answer at the moment.
    Dead,
    /// `-ERR`: no such user, wrong password, or not possible.
    Err,
    /// `+OK`.
    Ok,
}

/// How a module broke the contract. Whoever finds one drops the child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The module ended in the middle of its answer.
    #[error("half an answer, and ended")]
    Cut,
    /// A line that starts with none of the four words.
    #[error("a line that is no reply")]
    NotAReply,
    /// A line that is not UTF-8, or holds a NUL or a bare CR.
    #[error("a line with bytes that a reply does not have")]
    Bytes,
    /// A line after the last line of a reply.
    #[error("a second reply")]
    SecondReply,
    /// A line over the limit (`authent_reply_max`).
    #[error("a line that is too long")]
    TooLong,
    /// More `+DATA` lines than the request allows.
    #[error("more +DATA lines than were asked for")]
    TooMuchData,
    /// An `+OK` that lacks the user name or the drop path.
    #[error("an +OK without user name and drop path")]
    Fields,
    /// An `+OK` that names another user than the one asked about.
    #[error("an +OK that names another user")]
    WrongUser,
    /// A drop path that is neither `config` nor absolute and free of `..`.
    #[error("a drop path that is neither config nor a full path")]
    DropPath,
}

impl ReplyLine {
    /// Parses one line, without its end.
    ///
    /// # Errors
    ///
    /// If the line is no reply.
    pub fn parse(line: &[u8]) -> Result<Self, Fault> {
        let line = std::str::from_utf8(line).map_err(|_| Fault::Bytes)?;
        let line = line.trim_end_matches([' ', '\t']);
        let (word, text) = line.split_once([' ', '\t']).unwrap_or((line, ""));
        let status = match word {
            "+OK" => Status::Ok,
            "-ERR" => Status::Err,
            "-DEAD" => Status::Dead,
            "+DATA" => return Ok(Self::Data(DataLine(text.trim_start().to_owned()))),
            _ => return Err(Fault::NotAReply),
        };
        Ok(Self::Final(Reply { status, text: text.trim_start().to_owned() }))
    }

    /// Writes the line, with its LF. A line end inside becomes a blank.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Data(DataLine(text)) => write_line(out, "+DATA", text),
            Self::Final(reply) => reply.write(out),
        }
    }
}

impl Reply {
    /// An `+OK` with some text.
    pub fn ok(text: impl Into<String>) -> Self {
        Self { status: Status::Ok, text: text.into() }
    }

    /// An `-ERR` with its reason.
    pub fn err(reason: impl Into<String>) -> Self {
        Self { status: Status::Err, text: reason.into() }
    }

    /// A `-DEAD` with its reason.
    pub fn dead(reason: impl Into<String>) -> Self {
        Self { status: Status::Dead, text: reason.into() }
    }

    /// The `+OK` of a `check` or `lookup`; a `-DEAD` if the line cannot carry
    /// the drop path or the uid: a blank in it would make another mailbox, uid
    /// or forward address out of what follows.
    #[must_use]
    pub fn account(account: &Account) -> Self {
        let unwritable =
            |what| Self::dead(format!("the {what} of {} is not one word", account.name));
        // Room for what most answers are.
        let mut text = String::with_capacity(64);
        text.push_str(account.name.as_str());
        match &account.drop {
            DropPath::Config => text.push_str(" config"),
            DropPath::File(path) => match path.to_str().filter(|path| is_word(path)) {
                Some(path) => text.push_str(&format!(" {path}")),
                None => return unwritable("drop path"),
            },
        }
        match &account.uid {
            Some(Uid::Number(number)) => text.push_str(&format!(" {number}")),
            Some(Uid::Name(name)) if !is_word(name) => return unwritable("uid"),
            Some(Uid::Name(name)) => text.push_str(&format!(" {name}")),
            // The uid may be left out only when no info follows.
            None if !account.info.is_empty() => text.push_str(" 0"),
            None => {}
        }
        if !account.info.is_empty() {
            text.push_str(&format!(" {}", account.info));
        }
        Self::ok(text)
    }

    /// The `+OK` of a search, in the original's words.
    #[must_use]
    pub fn search_done(found: &Found) -> Self {
        let (items, scanned) = (found.hits.len(), found.scanned);
        Self::ok(format!("Search Complete {items} items found out of {scanned}"))
    }

    /// Writes the line, with its LF. A reason is cut to [`MAX_REASON_BYTES`].
    pub fn write(&self, out: &mut Vec<u8>) {
        match self.status {
            Status::Ok => write_line(out, "+OK", &self.text),
            Status::Err => write_line(out, "-ERR", cut(&self.text)),
            Status::Dead => write_line(out, "-DEAD", cut(&self.text)),
        }
    }

    /// Reads the account out of the `+OK` of a `check` or `lookup`.
    ///
    /// # Errors
    ///
    /// If fields are missing or cannot be what they should be.
    pub fn to_account(&self) -> Result<Account, Fault> {
        let mut rest = self.text.as_str();
        let mut word = || {
            let (word, after) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
            rest = after.trim_start();
            Some(word).filter(|word| !word.is_empty())
        };
        let name = word().ok_or(Fault::Fields)?;
        let name = Username::parse(name.as_bytes()).map_err(|_| Fault::Fields)?;
        let drop = parse_drop(word().ok_or(Fault::Fields)?)?;
        let uid = word().map(parse_uid);
        Ok(Account { name, drop, uid, info: parse_info(rest) })
    }
}

impl DataLine {
    /// The line for one hit of a search.
    #[must_use]
    pub fn hit(hit: &Hit) -> Self {
        if hit.info.is_empty() {
            Self(hit.user.to_string())
        } else {
            Self(format!("{} {}", hit.user, hit.info))
        }
    }

    /// Reads the hit back.
    ///
    /// # Errors
    ///
    /// If the line has no user name.
    pub fn to_hit(&self) -> Result<Hit, Fault> {
        let (name, info) = self.0.split_once([' ', '\t']).unwrap_or((&self.0, ""));
        let user = Username::parse(name.as_bytes()).map_err(|_| Fault::Fields)?;
        Ok(Hit { user, info: parse_info(info.trim_start()) })
    }
}

/// The drop path: the word `config`, or a full path that stays where it points.
fn parse_drop(word: &str) -> Result<DropPath, Fault> {
    if word == "config" {
        return Ok(DropPath::Config);
    }
    let path = Path::new(word);
    let stays =
        path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    if path.is_absolute() && stays && path.file_name().is_some() {
        Ok(DropPath::File(PathBuf::from(word)))
    } else {
        Err(Fault::DropPath)
    }
}

fn parse_uid(word: &str) -> Uid {
    word.parse().map_or_else(|_| Uid::Name(word.to_owned()), Uid::Number)
}

/// The info after the uid: fields, or the oldest form, a bare forward address.
/// What is neither says nothing about the account and is left out.
fn parse_info(text: &str) -> Info {
    if let Ok(info) = text.parse() {
        return info;
    }
    let mut info = Info::default();
    if !text.contains(['=', ' ']) {
        // Only a line end could be refused, and a line has none.
        let _ = info.set("fwd", text);
    }
    info
}

/// Whether a line can carry this text as one word.
fn is_word(text: &str) -> bool {
    !text.is_empty() && !text.contains(|c: char| c == ' ' || c.is_ascii_control())
}

/// At most [`MAX_REASON_BYTES`] of a text, cut between characters.
fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_REASON_BYTES)]
}

/// Writes a line; control characters inside, which would end it, become blanks.
fn write_line(out: &mut Vec<u8>, word: &str, text: &str) {
    out.extend_from_slice(word.as_bytes());
    if !text.is_empty() {
        out.push(b' ');
        let clean = |byte: u8| if byte.is_ascii_control() { b' ' } else { byte };
        out.extend(text.bytes().map(clean));
    }
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(name: &str, drop: &str, uid: Option<Uid>, info: &str) -> Account {
        Account {
            name: Username::parse(name.as_bytes()).expect("a name"),
            drop: parse_drop(drop).expect("a drop path"),
            uid,
            info: info.parse().expect("info"),
        }
    }

    #[test]
    fn accounts_are_read_from_every_form_of_the_ok_line() {
        let rows = [
            ("+OK bob config", Ok(account("bob", "config", None, ""))),
            ("+OK bob config 0", Ok(account("bob", "config", Some(Uid::Number(0)), ""))),
            (
                "+OK bob /var/mail/bob bob",
                Ok(account("bob", "/var/mail/bob", Some(Uid::Name("bob".into())), "")),
            ),
            (
                r#"+OK ann@x.example config 0 name="Ann Lee" quota="5M""#,
                Ok(account(
                    "ann@x.example",
                    "config",
                    Some(Uid::Number(0)),
                    r#"name="Ann Lee" quota="5M""#,
                )),
            ),
            // The oldest form: a bare forward address.
            (
                "+OK bob /m/bob 1001 b@y.example",
                Ok(account("bob", "/m/bob", Some(Uid::Number(1001)), r#"fwd="b@y.example""#)),
            ),
            ("+OK  bob   config  ", Ok(account("bob", "config", None, ""))),
            ("+OK", Err(Fault::Fields)),
            ("+OK bob", Err(Fault::Fields)),
            ("+OK bob relative/path", Err(Fault::DropPath)),
            ("+OK bob /var/mail/../../etc/passwd", Err(Fault::DropPath)),
            ("+OK bob /", Err(Fault::DropPath)),
        ];
        for (line, expected) in rows {
            let Ok(ReplyLine::Final(reply)) = ReplyLine::parse(line.as_bytes()) else {
                panic!("{line} is a final line");
            };
            assert_eq!(reply.to_account(), expected, "{line}");
            if let Ok(account) = expected {
                assert_eq!(Reply::account(&account).to_account(), Ok(account), "{line} read back");
            }
        }
    }

    #[test]
    fn an_account_that_is_not_of_words_is_not_written() {
        let bob = account("bob", "/var/mail/bob", None, "");
        for uid in ["mail root", "", "a\tb", "a\nb"] {
            let odd = Account { uid: Some(Uid::Name(uid.into())), ..bob.clone() };
            assert_eq!(Reply::account(&odd), Reply::dead("the uid of bob is not one word"));
        }
        for path in ["/var/mail/bob 0", "/var/mail/bob\n", ""] {
            let odd = Account { drop: DropPath::File(path.into()), ..bob.clone() };
            assert_eq!(Reply::account(&odd), Reply::dead("the drop path of bob is not one word"));
        }
    }

    #[test]
    fn the_first_word_decides_what_a_line_is() {
        let done = |status, text: &str| Ok(ReplyLine::Final(Reply { status, text: text.into() }));
        let rows: &[(&[u8], Result<ReplyLine, Fault>)] = &[
            (b"+OK", done(Status::Ok, "")),
            (b"+OK goodbye", done(Status::Ok, "goodbye")),
            (b"-ERR bob does not exist", done(Status::Err, "bob does not exist")),
            (b"-DEAD database down", done(Status::Dead, "database down")),
            (b"+DATA bob", Ok(ReplyLine::Data(DataLine("bob".into())))),
            (b"", Err(Fault::NotAReply)),
            (b"+OKAY", Err(Fault::NotAReply)),
            (b"OK", Err(Fault::NotAReply)),
            (b"+ok", Err(Fault::NotAReply)),
            (b"+OK \xff", Err(Fault::Bytes)),
        ];
        for (line, expected) in rows {
            assert_eq!(ReplyLine::parse(line), *expected, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn a_reason_is_cut_and_cannot_start_a_second_line() {
        let mut out = Vec::new();
        Reply::err(format!("evil\n+OK bob config {}", "\u{e9}".repeat(90))).write(&mut out);
        assert!(out.len() <= "-ERR ".len() + MAX_REASON_BYTES + 1);
        assert!(out.starts_with(b"-ERR evil +OK bob config"));
        assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 1);
        assert!(std::str::from_utf8(&out).is_ok(), "cut between characters");
    }
}
