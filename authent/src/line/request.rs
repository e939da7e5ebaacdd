//! Requests: `check`, `lookup`, `set`, `del`, `search` and the small ones.

use std::net::IpAddr;

use dmail_core::{Info, NameError, Secret, Username};
use smallvec::SmallVec;

use super::quote::{NotCarriable, Quoting};

/// Longest request line that is read. A name of 255 bytes and a password of
/// 1,000, both percent-encoded, fit.
pub const MAX_REQUEST_BYTES: usize = 4096;

/// The password token that means "keep the present password".
const KEEP: &[u8] = b"(NULL)";

/// One request to an authent module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// `check user password [ip]`
    Check {
        /// Who logs in.
        user: Username,
        /// With which password.
        secret: Secret,
        /// From where.
        client: Option<IpAddr>,
    },
    /// `del user`
    Del {
        /// Whom to remove.
        user: Username,
    },
    /// `exit` or `quit`
    Exit,
    /// `help`
    Help,
    /// `lookup user`
    Lookup {
        /// Whom to look up.
        user: Username,
    },
    /// `search string [-from n] [-max m]`
    Search {
        /// Text or wildcard.
        pattern: String,
        /// Hits to skip.
        from: usize,
        /// Hits to return at most.
        max: Option<usize>,
    },
    /// `set user password [info]`
    Set {
        /// Whose record.
        user: Username,
        /// The new password; `None` is written `(NULL)` and keeps the old one.
        secret: Option<Secret>,
        /// The new info; `None` if the line has no info.
        info: Option<Info>,
    },
    /// `version`
    Version,
}

/// Why a line is not a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The first word is not a command.
    #[error("unknown command, try help")]
    UnknownCommand,
    /// Too few or too many arguments; how it should look.
    #[error("usage: {0}")]
    Usage(&'static str),
    /// The user name is not a name.
    #[error("bad user name: {0}")]
    User(#[from] NameError),
    /// The info fields are not `label="value"`.
    #[error("bad info, expected label=\"value\"")]
    Info,
}

impl Request {
    /// Writes the request as one line, with its LF.
    ///
    /// # Errors
    ///
    /// If an argument cannot be carried exactly. `line` is then useless.
    pub fn write(&self, line: &mut Vec<u8>, quoting: Quoting) -> Result<(), NotCarriable> {
        match self {
            Self::Check { user, secret, client } => {
                line.extend_from_slice(b"check ");
                quoting.write(line, "user name", user.as_str().as_bytes())?;
                line.push(b' ');
                quoting.write(line, "password", secret.expose())?;
                if let Some(client) = client {
                    line.extend_from_slice(format!(" {client}").as_bytes());
                }
            }
            Self::Del { user } => {
                line.extend_from_slice(b"del ");
                quoting.write(line, "user name", user.as_str().as_bytes())?;
            }
            Self::Exit => line.extend_from_slice(b"exit"),
            Self::Help => line.extend_from_slice(b"help"),
            Self::Lookup { user } => {
                line.extend_from_slice(b"lookup ");
                quoting.write(line, "user name", user.as_str().as_bytes())?;
            }
            Self::Search { pattern, from, max } => {
                write_search(line, quoting, pattern, *from, *max)?;
            }
            Self::Set { user, secret, info } => {
                line.extend_from_slice(b"set ");
                quoting.write(line, "user name", user.as_str().as_bytes())?;
                line.push(b' ');
                write_new_secret(line, quoting, secret.as_ref())?;
                write_info(line, quoting, info.as_ref())?;
            }
            Self::Version => line.extend_from_slice(b"version"),
        }
        line.push(b'\n');
        Ok(())
    }

    /// The secret that the request carries, if any.
    #[must_use]
    pub fn secret(&self) -> Option<&Secret> {
        match self {
            Self::Check { secret, .. } => Some(secret),
            Self::Set { secret, .. } => secret.as_ref(),
            _ => None,
        }
    }

    /// Parses one line, without its end.
    ///
    /// # Errors
    ///
    /// Says what is wrong, without repeating what may be a password.
    pub fn parse(line: &[u8], quoting: Quoting) -> Result<Self, RequestError> {
        let (command, rest) = first_word(line);
        let name = |word: &[u8]| Username::parse(&quoting.read(word));
        let command: SmallVec<[u8; 8]> = command.iter().map(u8::to_ascii_lowercase).collect();
        match command.as_slice() {
            b"check" => parse_check(rest, quoting),
            b"set" => parse_set(rest, quoting),
            b"search" => parse_search(rest, quoting),
            b"lookup" => match words(rest).as_slice() {
                [user] => Ok(Self::Lookup { user: name(user)? }),
                _ => Err(RequestError::Usage("lookup user")),
            },
            b"del" => match words(rest).as_slice() {
                [user] => Ok(Self::Del { user: name(user)? }),
                _ => Err(RequestError::Usage("del user")),
            },
            b"exit" | b"quit" => Ok(Self::Exit),
            b"help" => Ok(Self::Help),
            b"version" => Ok(Self::Version),
            _ => Err(RequestError::UnknownCommand),
        }
    }
}

/// A search pattern is one word that cannot be taken for an option.
fn write_search(
    line: &mut Vec<u8>,
    quoting: Quoting,
    pattern: &str,
    from: usize,
    max: Option<usize>,
) -> Result<(), NotCarriable> {
    if pattern.starts_with('-') {
        return Err(NotCarriable { what: "search pattern" });
    }
    line.extend_from_slice(b"search ");
    quoting.write(line, "search pattern", pattern.as_bytes())?;
    if from > 0 {
        line.extend_from_slice(format!(" -from {from}").as_bytes());
    }
    if let Some(max) = max {
        line.extend_from_slice(format!(" -max {max}").as_bytes());
    }
    Ok(())
}

/// The password of a `set`. One that reads `(NULL)` would silently keep the
/// old one, so it is refused.
fn write_new_secret(
    line: &mut Vec<u8>,
    quoting: Quoting,
    secret: Option<&Secret>,
) -> Result<(), NotCarriable> {
    match secret {
        None => line.extend_from_slice(KEEP),
        Some(secret) if secret.expose() == KEEP => return Err(NotCarriable { what: "password" }),
        Some(secret) => quoting.write(line, "password", secret.expose())?,
    }
    Ok(())
}

/// The info fields of a `set`. What would not read back as it is, is refused;
/// so are no fields at all, which would not replace the old ones but keep them.
fn write_info(
    line: &mut Vec<u8>,
    quoting: Quoting,
    info: Option<&Info>,
) -> Result<(), NotCarriable> {
    let Some(info) = info else { return Ok(()) };
    for (label, value) in info.iter() {
        line.extend_from_slice(format!(" {label}=\"").as_bytes());
        if quoting.percent {
            if !value.is_empty() {
                quoting.write(line, "info", value.as_bytes())?;
            }
        } else {
            line.extend_from_slice(value.as_bytes());
        }
        line.push(b'"');
    }
    let exact =
        !info.is_empty() && (quoting.percent || info.to_string().parse().as_ref() == Ok(info));
    let ascii = quoting.utf8 || quoting.percent || info.to_string().is_ascii();
    if exact && ascii { Ok(()) } else { Err(NotCarriable { what: "info" }) }
}

fn parse_check(rest: &[u8], quoting: Quoting) -> Result<Request, RequestError> {
    let usage = RequestError::Usage("check user password [ip]");
    let words = words(rest);
    let (user, secret, client) = match words.as_slice() {
        [user, secret] => (user, secret, None),
        [user, secret, client] => (user, secret, Some(parse_ip(client).ok_or(usage)?)),
        _ => return Err(usage),
    };
    Ok(Request::Check {
        user: Username::parse(&quoting.read(user))?,
        secret: Secret::new(quoting.read(secret).into_owned()),
        client,
    })
}

fn parse_set(rest: &[u8], quoting: Quoting) -> Result<Request, RequestError> {
    let (user, rest) = first_word(rest);
    let (secret, rest) = first_word(rest);
    if user.is_empty() || secret.is_empty() {
        return Err(RequestError::Usage("set user password|(NULL) [label=\"value\" ...]"));
    }
    let secret = match secret {
        KEEP => None,
        secret => Some(Secret::new(quoting.read(secret).into_owned())),
    };
    Ok(Request::Set {
        user: Username::parse(&quoting.read(user))?,
        secret,
        info: parse_info(rest, quoting)?,
    })
}

/// The info part of a `set`: nothing at all keeps the old fields.
fn parse_info(rest: &[u8], quoting: Quoting) -> Result<Option<Info>, RequestError> {
    let text = std::str::from_utf8(rest).map_err(|_| RequestError::Info)?.trim_matches(' ');
    if text.is_empty() {
        return Ok(None);
    }
    let info: Info = text.parse().map_err(|_| RequestError::Info)?;
    if !quoting.percent {
        return Ok(Some(info));
    }
    let mut decoded = Info::default();
    for (label, value) in info.iter() {
        let value = quoting.read(value.as_bytes());
        let value = std::str::from_utf8(&value).map_err(|_| RequestError::Info)?;
        decoded.set(label, value).map_err(|_| RequestError::Info)?;
    }
    Ok(Some(decoded))
}

fn parse_search(rest: &[u8], quoting: Quoting) -> Result<Request, RequestError> {
    let usage = RequestError::Usage("search string [-from n] [-max m]");
    let words = words(rest);
    let [pattern, options @ ..] = words.as_slice() else {
        return Err(usage);
    };
    let pattern = String::from_utf8(quoting.read(pattern).into_owned()).map_err(|_| usage)?;
    let (mut from, mut max) = (0, None);
    for option in options.chunks(2) {
        let [name, value] = option else {
            return Err(usage);
        };
        let value = std::str::from_utf8(value).ok().and_then(|value| value.parse().ok());
        let value: usize = value.ok_or(usage)?;
        match *name {
            b"-from" => from = value,
            b"-max" => max = Some(value),
            _ => return Err(usage),
        }
    }
    Ok(Request::Search { pattern, from, max })
}

fn parse_ip(word: &[u8]) -> Option<IpAddr> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

/// The words of a line, which blanks and tabs separate.
fn words(line: &[u8]) -> SmallVec<[&[u8]; 4]> {
    line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty()).collect()
}

/// The first word, and what follows it.
fn first_word(line: &[u8]) -> (&[u8], &[u8]) {
    let line = line.trim_ascii_start();
    let end = line.iter().position(|byte| matches!(byte, b' ' | b'\t')).unwrap_or(line.len());
    line.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> Username {
        Username::parse(name.as_bytes()).expect("a name")
    }

    fn secret(text: &str) -> Secret {
        Secret::new(text.as_bytes())
    }

    const PLAIN: Quoting = Quoting { utf8: false, percent: false };
    const PERCENT: Quoting = Quoting { utf8: false, percent: true };

    #[test]
    fn requests_are_written_as_the_original_writes_them() {
        let ip = "192.0.2.7".parse().ok();
        let info: Info = r#"name="Ann Lee" quota="5M""#.parse().expect("info");
        let rows: Vec<(Request, &[u8])> = vec![
            (
                Request::Check { user: user("bob"), secret: secret("s3"), client: None },
                b"check bob s3\n",
            ),
            (
                Request::Check { user: user("bob@x.example"), secret: secret("\"q'"), client: ip },
                b"check bob@x.example \"q' 192.0.2.7\n",
            ),
            (Request::Lookup { user: user("bob") }, b"lookup bob\n"),
            (Request::Del { user: user("bob") }, b"del bob\n"),
            (Request::Exit, b"exit\n"),
            (Request::Help, b"help\n"),
            (Request::Version, b"version\n"),
            (
                Request::Set { user: user("ann"), secret: None, info: Some(info) },
                b"set ann (NULL) name=\"Ann Lee\" quota=\"5M\"\n",
            ),
            (
                Request::Set { user: user("ann"), secret: Some(secret("x")), info: None },
                b"set ann x\n",
            ),
            (
                Request::Search { pattern: "*@x.example".into(), from: 10, max: Some(5) },
                b"search *@x.example -from 10 -max 5\n",
            ),
        ];
        for (request, expected) in rows {
            let mut line = Vec::new();
            request.write(&mut line, PLAIN).expect("it can be carried");
            assert_eq!(line, expected, "{request:?}");
            let line = expected.strip_suffix(b"\n").expect("a line");
            assert_eq!(Request::parse(line, PLAIN), Ok(request));
        }
    }

    #[test]
    fn what_the_line_cannot_carry_reaches_no_child() {
        let check = |user_: &str, secret_: &str| Request::Check {
            user: user(user_),
            secret: secret(secret_),
            client: None,
        };
        for bad in ["a b", "a\nb", "a\rb", "a\0b", "a\tb", "", "\u{e9}", "a\x7f"] {
            let written = check("bob", bad).write(&mut Vec::new(), PLAIN);
            assert_eq!(written, Err(NotCarriable { what: "password" }), "{bad:?}");
        }
        let utf8 = Quoting { utf8: true, percent: false };
        assert!(check("bob", "\u{e9}").write(&mut Vec::new(), utf8).is_ok());
        assert!(check("jos\u{e9}", "x").write(&mut Vec::new(), PLAIN).is_err());
        // A new password "(NULL)" would keep the old one.
        let set = Request::Set { user: user("bob"), secret: Some(secret("(NULL)")), info: None };
        assert!(set.write(&mut Vec::new(), PLAIN).is_err());
        // A search pattern cannot pass for an option.
        let search = Request::Search { pattern: "-max".into(), from: 0, max: None };
        assert!(search.write(&mut Vec::new(), PLAIN).is_err());
    }

    #[test]
    fn a_module_that_takes_percent_encoding_gets_any_password() {
        let request =
            Request::Check { user: user("jos\u{e9}"), secret: secret("a b\n100%\""), client: None };
        let mut line = Vec::new();
        request.write(&mut line, PERCENT).expect("it can be carried");
        assert_eq!(line, b"check jos%C3%A9 a%20b%0A100%25%22\n");
        assert_eq!(Request::parse(&line[..line.len() - 1], PERCENT), Ok(request));
    }

    #[test]
    fn a_bad_request_says_what_was_expected() {
        let rows: &[(&[u8], RequestError)] = &[
            (b"", RequestError::UnknownCommand),
            (b"hello", RequestError::UnknownCommand),
            (b"check bob", RequestError::Usage("check user password [ip]")),
            (b"check bob x 1.2.3.4 y", RequestError::Usage("check user password [ip]")),
            (b"check bob x nowhere", RequestError::Usage("check user password [ip]")),
            (b"lookup", RequestError::Usage("lookup user")),
            (b"set bob", RequestError::Usage("set user password|(NULL) [label=\"value\" ...]")),
            (b"set bob x bare", RequestError::Info),
            (b"search x -max", RequestError::Usage("search string [-from n] [-max m]")),
            (b"search x -max -1", RequestError::Usage("search string [-from n] [-max m]")),
            (b"lookup \xff", RequestError::User(NameError::ForbiddenByte { at: 0 })),
        ];
        for (line, expected) in rows {
            assert_eq!(
                Request::parse(line, PLAIN),
                Err(*expected),
                "{:?}",
                line.escape_ascii().to_string()
            );
        }
    }
}
