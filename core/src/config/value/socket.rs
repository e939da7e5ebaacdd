//! Sockets to listen on: an address and a port, or a file of this machine.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

use super::super::place::Place;
use super::{Fault, Kind, Listen, SetBy, Value, listen, resolve, split_words};

/// Longest name of a unix socket, in bytes: what the system has room for.
const MAX_SOCKET_PATH: usize = 107;
/// The mode of a socket that has none of its own.
const USUAL_MODE: u32 = 0o600;

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenOn {
    /// An address and a port.
    Tcp(Listen),
    /// A unix socket.
    Unix(SocketFile),
}

/// The file of a unix socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketFile {
    /// Its name.
    pub path: PathBuf,
    /// Its permissions: whoever may write to it may ask.
    pub mode: u32,
    /// Whose it becomes; `None` leaves it to the user that the server runs as.
    pub owner: Option<String>,
    /// Whose group's.
    pub group: Option<String>,
    /// The setting that names it.
    pub setting: &'static str,
    /// Where it was set.
    pub place: Option<Place>,
}

impl ListenOn {
    /// The setting and where it stands, to end the sentence "change …".
    #[must_use]
    pub fn blame(&self) -> String {
        match self {
            Self::Tcp(listen) => listen.blame(),
            Self::Unix(socket) => match &socket.place {
                Some(Place { file, line, .. }) => {
                    format!("{} ({}:{line})", socket.setting, file.display())
                }
                None => socket.setting.to_owned(),
            },
        }
    }

    /// Whether only programs on this machine can connect.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(listen) => listen.is_loopback(),
            Self::Unix(_) => true,
        }
    }

    /// Whether this and `other` ask for the same socket, wherever they stand.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Tcp(one), Self::Tcp(two)) => (one.address, one.port) == (two.address, two.port),
            (Self::Unix(one), Self::Unix(two)) => {
                let SocketFile { path, mode, owner, group, .. } = one;
                (path, mode, owner, group) == (&two.path, &two.mode, &two.owner, &two.group)
            }
            _ => false,
        }
    }

    /// Where it was set, if a line did it.
    #[must_use]
    pub fn place(&self) -> Option<&Place> {
        match self {
            Self::Tcp(Listen { set_by: SetBy::Line(place), .. }) => Some(place),
            Self::Tcp(_) => None,
            Self::Unix(socket) => socket.place.as_ref(),
        }
    }

    /// Whether two services cannot listen on this and on `other` at the same
    /// time.
    #[must_use]
    pub fn collides_with(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Tcp(one), Self::Tcp(two)) => one.collides_with(two),
            (Self::Unix(one), Self::Unix(two)) => one.path == two.path,
            _ => false,
        }
    }
}

impl fmt::Display for ListenOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(listen) => listen.fmt(f),
            Self::Unix(socket) => write!(f, "unix:{}", socket.path.display()),
        }
    }
}

/// A socket to listen on, and nothing else.
pub fn listen_on(setting: &'static str) -> Kind<ListenOn> {
    let expects =
        "a port, `address:port`, or `unix:FILE` with `mode=660` and `owner=USER:GROUP` if need be";
    Kind::new(expects, move |value| {
        let (on, others) = socket(setting, value, &split_words(value.text))?;
        match others.first() {
            None => Ok(on),
            Some((at, _)) if matches!(on, ListenOn::Tcp(_)) => {
                Err(Fault::part(at.clone(), "more than an address"))
            }
            Some((at, _)) => Err(Fault::part(at.clone(), "neither mode= nor owner=")),
        }
    })
}

/// Words of a value, and where they stand.
type Words<'a> = Vec<(Range<usize>, &'a str)>;

/// Takes the address off the front of `words`, and the words that belong to
/// it; returns the others.
pub(in super::super) fn socket<'a>(
    setting: &'static str,
    value: &Value<'a>,
    words: &[(Range<usize>, &'a str)],
) -> Result<(ListenOn, Words<'a>), Fault> {
    let Some(((at, address), others)) = words.split_first() else {
        return Err(Fault::whole(value.text, "the address is missing"));
    };
    let Some(path) = address.strip_prefix("unix:") else {
        let address = Value { text: address, place: value.place };
        let on = listen(setting).read(&address).map_err(|fault| fault.moved(at.start))?;
        return Ok((ListenOn::Tcp(on), others.to_vec()));
    };
    let within = at.start + "unix:".len()..at.end;
    if path.is_empty() {
        return Err(Fault::part(at.clone(), "the file is missing"));
    }
    let path = resolve(path, value.place).map_err(|fault| fault.moved(within.start))?;
    if path.as_os_str().len() > MAX_SOCKET_PATH {
        let why = format!("with its folder, a socket's name has {MAX_SOCKET_PATH} bytes at most");
        return Err(Fault::part(within, why));
    }
    let mut socket = SocketFile {
        path,
        mode: USUAL_MODE,
        owner: None,
        group: None,
        setting,
        place: value.place.cloned(),
    };
    let mut left = Vec::new();
    for (at, word) in others {
        match word.split_once('=') {
            Some(("mode", digits)) => {
                let bits = u32::from_str_radix(digits, 8).ok().filter(|bits| *bits <= 0o777);
                let wrong = || Fault::part(at.clone(), "not three octal digits");
                socket.mode = bits.ok_or_else(wrong)?;
            }
            Some(("owner", names)) => {
                let (user, group) = names.split_once(':').unwrap_or((names, ""));
                let given = |name: &str| Some(name.to_owned()).filter(|name| !name.is_empty());
                socket.owner = given(user);
                socket.group = given(group).or(socket.group);
            }
            Some(("group", name)) if !name.is_empty() => socket.group = Some(name.to_owned()),
            _ => left.push((at.clone(), *word)),
        }
    }
    Ok((ListenOn::Unix(socket), left))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{read, refuses};
    use super::*;

    #[test]
    fn a_socket_is_an_address_or_a_file_with_its_permissions() {
        let kind = listen_on("listen");
        let ListenOn::Tcp(tcp) = read(&kind, "[::1]:7").expect("an address") else {
            panic!("an address")
        };
        assert_eq!(tcp.to_string(), "[::1]:7");
        for (text, mode, owner, group) in [
            ("unix:/run/a", 0o600, None, None),
            ("unix:/run/a mode=0660", 0o660, None, None),
            ("unix:/run/a mode=660 owner=dmail:mail", 0o660, Some("dmail"), Some("mail")),
            ("unix:/run/a owner=dmail group=mail", 0o600, Some("dmail"), Some("mail")),
            ("unix:/run/a group=mail owner=dmail", 0o600, Some("dmail"), Some("mail")),
            ("unix:/run/a owner=:mail", 0o600, None, Some("mail")),
        ] {
            let ListenOn::Unix(socket) = read(&kind, text).expect(text) else { panic!("{text}") };
            assert_eq!(socket.path, PathBuf::from("/run/a"), "{text}");
            let found = (socket.mode, socket.owner.as_deref(), socket.group.as_deref());
            assert_eq!(found, (mode, owner, group), "{text}");
        }
    }

    #[test]
    fn a_bad_socket_is_refused_with_the_part_that_is_wrong() {
        let kind = listen_on("listen");
        refuses(&kind, "unix:", 0..5, "the file is missing");
        refuses(&kind, "unix:~/a", 5..6, "only unixauth.ini knows home folders");
        refuses(&kind, "unix:/a mode=888", 8..16, "not three octal digits");
        refuses(&kind, "unix:/a mood=660", 8..16, "neither mode= nor owner=");
        refuses(&kind, "127.0.0.1:7 mode=660", 12..20, "more than an address");
        refuses(&kind, "somewhere", 0..9, "neither a port nor an address with a port");
        let long = format!("unix:/{}", "a".repeat(107));
        let why = "with its folder, a socket's name has 107 bytes at most";
        refuses(&kind, &long, 5..113, why);
    }
}
