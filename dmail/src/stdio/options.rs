//! The command lines of these programs.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dmail_core::Service;
use dmail_tcpauth::Endpoint;

/// The folder of `dmail start`, beside the working folder.
const HOME: &str = "dmail-home";
/// Where the socket is if nothing says where.
const SYSTEM_SOCKET: &str = "/run/dmail/tcpauth.sock";
/// The name of the socket in a folder.
const SOCKET: &str = "tcpauth.sock";
/// The user and group that a system calls nobody.
const NOBODY: u32 = 65_534;

/// Options that all have.
pub(super) const COMMON: &str = "
options:
  -socket ADDRESS  the `dialect tcpauth` of the running gateway: unix:FILE or
                   HOST:PORT; without it: unix:tcpauth.sock in -path
  -path DIR        its folder; without it: ./dmail-home, else /run/dmail
  -timeout N       seconds that an answer may take (25)
  -debug           log everything to standard error";

/// Options of programs that describe accounts.
pub(super) const ACCOUNT: &str = "
  -uid N           the owner of accounts that have none (65534)
  -gid N           the group of accounts that have none (65534)
  -home DIR        the home folder of all accounts (/); %u is the user";

/// Options of programs that change accounts.
pub(super) const CHANGES: &str = "
  -changes         let it set passwords, add users and remove them";

/// What a command line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) socket: Endpoint,
    pub(super) timeout: Duration,
    pub(super) debug: bool,
    /// `-uid`, if it was given.
    pub(super) uid: Option<u32>,
    /// `-gid`, if it was given.
    pub(super) gid: Option<u32>,
    /// `-home`, if it was given.
    pub(super) home: Option<String>,
    pub(super) changes: bool,
    /// checkpassword: Dovecot starts it.
    pub(super) dovecot: bool,
    /// checkpassword: becomes the user.
    pub(super) setuid: bool,
    /// checkpassword: who asks.
    pub(super) service: Option<Service>,
    /// The words from the first one that is no option.
    pub(super) rest: Vec<OsString>,
}

impl Options {
    /// Reads the words; `None` asks for help.
    pub(super) fn parse(words: Vec<OsString>) -> Result<Option<Self>, String> {
        let mut options = Self {
            socket: Endpoint::Unix(SYSTEM_SOCKET.into()),
            timeout: Duration::from_secs(25),
            debug: false,
            uid: None,
            gid: None,
            home: None,
            changes: false,
            dovecot: false,
            setuid: false,
            service: None,
            rest: Vec::new(),
        };
        let (mut socket, mut folder) = (None, None);
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let mut value = |wanted: &str| {
                let next = words.next().and_then(|word| word.into_string().ok());
                next.ok_or_else(|| format!("{} wants {wanted}", word.display()))
            };
            match word.to_str() {
                Some("-socket") => socket = Some(endpoint(&value("an address")?)?),
                Some("-path") => folder = Some(PathBuf::from(value("a folder")?)),
                Some("-timeout") => {
                    let seconds = number(&value("a number of seconds")?, 1..=600)?;
                    options.timeout = Duration::from_secs(seconds.into());
                }
                Some("-uid") => options.uid = Some(number(&value("a number")?, 1..=u32::MAX - 1)?),
                Some("-gid") => options.gid = Some(number(&value("a number")?, 1..=u32::MAX - 1)?),
                Some("-home") => {
                    let home = value("a folder")?;
                    if !home.starts_with('/') {
                        return Err("-home wants a full path".into());
                    }
                    options.home = Some(home);
                }
                Some("-service") => {
                    let name = value("a service")?;
                    let known = Service::parse(&name);
                    options.service = Some(known.ok_or(format!("unknown service {name}"))?);
                }
                Some("-changes") => options.changes = true,
                Some("-dovecot") => options.dovecot = true,
                Some("-setuid") => options.setuid = true,
                Some("-debug") => options.debug = true,
                Some("-help" | "--help" | "-h" | "help") => return Ok(None),
                Some("--") => {
                    options.rest = words.collect();
                    break;
                }
                Some(text) if text.starts_with('-') => {
                    return Err(format!("unknown option {text}"));
                }
                _ => {
                    options.rest = [word].into_iter().chain(words).collect();
                    break;
                }
            }
        }
        options.socket = socket.unwrap_or_else(|| usual_socket(folder.as_deref()));
        Ok(Some(options))
    }

    /// The owner and group of accounts, where a program cannot do without.
    pub(super) fn owner(&self) -> (u32, u32) {
        (self.uid.unwrap_or(NOBODY), self.gid.unwrap_or(NOBODY))
    }

    /// The home folder of accounts, where a program cannot do without.
    pub(super) fn home(&self) -> String {
        self.home.clone().unwrap_or_else(|| "/".to_owned())
    }
}

fn usual_socket(folder: Option<&Path>) -> Endpoint {
    let home = Path::new(HOME);
    Endpoint::Unix(match folder {
        Some(folder) => folder.join(SOCKET),
        None if home.is_dir() => home.join(SOCKET),
        None => SYSTEM_SOCKET.into(),
    })
}

fn endpoint(text: &str) -> Result<Endpoint, String> {
    if let Some(path) = text.strip_prefix("unix:") {
        return Ok(Endpoint::Unix(path.into()));
    }
    if text.starts_with('/') {
        return Ok(Endpoint::Unix(text.into()));
    }
    let wrong = || format!("-socket wants unix:FILE or HOST:PORT, not {text}");
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let port = port.parse().ok().filter(|port| *port > 0).ok_or_else(wrong)?;
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    if host.is_empty() { Err(wrong()) } else { Ok(Endpoint::Tcp { host, port }) }
}

fn number(text: &str, range: std::ops::RangeInclusive<u32>) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| format!("{text} is not from {} to {}", range.start(), range.end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Option<Options>, String> {
        Options::parse(line.split_whitespace().map(OsString::from).collect())
    }

    fn parsed(line: &str) -> Options {
        parse(line).expect(line).expect(line)
    }

    #[test]
    fn the_socket_is_named_or_where_it_usually_is() {
        let unix = |path: &str| Endpoint::Unix(path.into());
        let rows = [
            ("", unix(SYSTEM_SOCKET)),
            ("-path /etc/dmail", unix("/etc/dmail/tcpauth.sock")),
            ("-path /etc/dmail -socket unix:/x", unix("/x")),
            ("-socket /x/y", unix("/x/y")),
            ("-socket [::1]:25", Endpoint::Tcp { host: "::1".into(), port: 25 }),
            ("-socket auth:25", Endpoint::Tcp { host: "auth".into(), port: 25 }),
        ];
        for (line, expected) in rows {
            assert_eq!(parsed(line).socket, expected, "{line}");
        }
    }

    #[test]
    fn what_follows_the_options_is_the_program() {
        let options = parsed("-dovecot -timeout 7 -service pop3 -home /h -- /bin/reply -x");
        assert!(options.dovecot && !options.setuid);
        assert_eq!((options.timeout.as_secs(), options.service), (7, Some(Service::Pop3)));
        assert_eq!((options.home().as_str(), options.rest.len()), ("/h", 2));
        assert_eq!(parsed("qmail-pop3d -uid 0").rest.len(), 3);
        assert_eq!(parse("-help"), Ok(None));
        for (line, expected) in [
            ("-socket", "-socket wants an address"),
            ("-socket x", "-socket wants unix:FILE or HOST:PORT, not x"),
            ("-uid 0", "0 is not from 1 to 4294967294"),
            ("-home h", "-home wants a full path"),
            ("-service x", "unknown service x"),
            ("-nonsense", "unknown option -nonsense"),
        ] {
            assert_eq!(parse(line), Err(expected.to_owned()), "{line}");
        }
    }
}
