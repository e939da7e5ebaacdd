//! Fields: any bytes, as one word of a line.
//!
//! | written | stands for |
//! |---|---|
//! | bytes 33 to 126 but `%` `,` `=` | themselves |
//! | `%XX` | the byte with this hexadecimal number |
//! | `%` alone | the empty field |
//! | `-` alone | no field (a hyphen that is meant is `%2D`) |

use std::net::IpAddr;

use dmail_core::config::dialect_name;
use dmail_core::{Info, Origin, Service, SessionId, Transport, Username};

use super::Fault;

/// The dialect that the front end was asked in.
const DIALECT: &str = "dialect";
/// How the connection of the user's client is protected.
const TRANSPORT: &str = "transport";
/// The session of the user's client, in the front end's log.
const SESSION: &str = "session";

/// Writes a blank and `bytes`.
pub(super) fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b' ');
    match bytes {
        [] => out.push(b'%'),
        b"-" => out.extend_from_slice(b"%2D"),
        // Names and most passwords: nothing to do byte by byte.
        bytes if bytes.iter().all(|&byte| is_plain(byte)) => out.extend_from_slice(bytes),
        bytes => put_after(out, bytes),
    }
}

/// Writes `bytes` as the rest of a field that has begun.
pub(super) fn put_after(out: &mut Vec<u8>, bytes: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in bytes {
        if is_plain(byte) {
            out.push(byte);
        } else {
            let [high, low] = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
            out.extend_from_slice(&[b'%', high, low]);
        }
    }
}

/// Writes a blank and the hyphen that stands for nothing.
pub(super) fn put_nothing(out: &mut Vec<u8>) {
    out.extend_from_slice(b" -");
}

/// Writes a blank and a number.
pub(super) fn put_number(out: &mut Vec<u8>, number: u64) {
    out.push(b' ');
    put_digits(out, number);
}

/// Writes a number.
pub(super) fn put_digits(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Writes info fields as `label=value,label=value`.
pub(super) fn put_info(out: &mut Vec<u8>, info: &Info) {
    out.push(b' ');
    if info.is_empty() {
        out.push(b'%');
    }
    for (index, (label, value)) in info.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        put_after(out, label.as_bytes());
        out.push(b'=');
        put_after(out, value.as_bytes());
    }
}

/// Writes the three fields of who asks, and as named ones what else is known.
/// They are the last of a line.
pub(super) fn put_origin(out: &mut Vec<u8>, origin: &Origin) {
    for address in [origin.client, origin.local] {
        match address {
            Some(address) => out.extend_from_slice(format!(" {address}").as_bytes()),
            None => put_nothing(out),
        }
    }
    out.push(b' ');
    out.extend_from_slice(origin.service.name().as_bytes());
    let mut put_named = |name: &str, value: &str| {
        out.push(b' ');
        out.extend_from_slice(name.as_bytes());
        out.push(b'=');
        put_after(out, value.as_bytes());
    };
    if let Some(dialect) = origin.dialect {
        put_named(DIALECT, dialect);
    }
    if let Some(transport) = origin.transport.name() {
        put_named(TRANSPORT, transport);
    }
    if let Some(session) = &origin.session {
        put_named(SESSION, session.as_str());
    }
}

fn is_plain(byte: u8) -> bool {
    matches!(byte, 33..=126) && !matches!(byte, b'%' | b',' | b'=')
}

/// The fields of a line that are still to be read.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a>(Option<&'a [u8]>);

impl<'a> Fields<'a> {
    pub(super) fn of(line: &'a [u8]) -> Self {
        Self(Some(line))
    }

    /// The next field, as it is written.
    pub(super) fn raw(&mut self) -> Result<&'a [u8], Fault> {
        let rest = self.0.ok_or(Fault("a field is missing"))?;
        let field = match memchr::memchr(b' ', rest) {
            Some(end) => {
                self.0 = Some(&rest[end + 1..]);
                &rest[..end]
            }
            None => {
                self.0 = None;
                rest
            }
        };
        if field.is_empty() { Err(Fault("two blanks, or one at an end")) } else { Ok(field) }
    }

    /// The next field; `None` for the hyphen.
    pub(super) fn optional(&mut self) -> Result<Option<&'a [u8]>, Fault> {
        Ok(Some(self.raw()?).filter(|field| *field != b"-"))
    }

    /// The next field, unescaped. Not for secrets, of which no copy may stay.
    pub(super) fn bytes(&mut self) -> Result<Box<[u8]>, Fault> {
        match self.optional()? {
            Some(field) => unescape(field),
            None => Err(Fault("a field that may not be nothing")),
        }
    }

    /// The next field as text.
    pub(super) fn text(&mut self) -> Result<String, Fault> {
        text(self.bytes()?)
    }

    /// The next field as a number without sign and leading zeros.
    pub(super) fn number(&mut self) -> Result<u64, Fault> {
        number(self.raw()?)
    }

    /// The next field as a name that has passed the rules of names before.
    pub(super) fn user(&mut self) -> Result<Username, Fault> {
        let field = self.raw()?;
        let parsed = match memchr::memchr(b'%', field) {
            None => Username::parse(field),
            Some(_) => Username::parse(&unescape(field)?),
        };
        parsed.map_err(|_| Fault("a user name that is none"))
    }

    /// The next field as info; `None` for the hyphen.
    pub(super) fn info(&mut self) -> Result<Option<Info>, Fault> {
        let Some(field) = self.optional()? else { return Ok(None) };
        let mut info = Info::default();
        if field == b"%" {
            return Ok(Some(info));
        }
        for item in field.split(|byte| *byte == b',') {
            let wrong = Fault("an info field that is not label=value");
            let at = memchr::memchr(b'=', item).ok_or(wrong)?;
            let (label, value) = (part(&item[..at])?, part(&item[at + 1..])?);
            info.set(&text(label)?, &text(value)?).map_err(|_| wrong)?;
        }
        Ok(Some(info))
    }

    /// Who asks: three fields, and what else is known of it in named ones, to
    /// the end of the line. What a later release calls something that has no
    /// name here is as if it were not told.
    pub(super) fn origin(&mut self) -> Result<Origin, Fault> {
        let client = self.address()?;
        let local = self.address()?;
        let name = self.raw()?;
        let known = Service::ALL.into_iter().find(|service| service.name().as_bytes() == name);
        // A service of a later release is a program that asks in lines. So is
        // an administrator of another machine: account states and access lists
        // would not hold for whoever says so.
        let known = known.filter(|service| *service != Service::Admin);
        let service = known.unwrap_or(Service::Line);
        let [dialect, transport, session] = self.named([DIALECT, TRANSPORT, SESSION])?;
        let word = |field: Option<&'a [u8]>| field.and_then(|word| std::str::from_utf8(word).ok());
        let session = session.map(part).transpose()?;
        Ok(Origin {
            client,
            local,
            dialect: word(dialect).and_then(dialect_name),
            transport: word(transport).and_then(Transport::parse).unwrap_or_default(),
            session: session.and_then(|name| SessionId::parse(&name)),
            ..Origin::local(service)
        })
    }

    fn address(&mut self) -> Result<Option<IpAddr>, Fault> {
        let Some(field) = self.optional()? else { return Ok(None) };
        let address = std::str::from_utf8(field).ok().and_then(|text| text.parse().ok());
        address.map(Some).ok_or(Fault("an address that is none"))
    }

    /// What is left may only be `name=value`, for later releases to add. The
    /// values of `names`, still escaped, of those that are there.
    pub(super) fn named<const N: usize>(
        &mut self,
        names: [&str; N],
    ) -> Result<[Option<&'a [u8]>; N], Fault> {
        let mut found = [None; N];
        while self.0.is_some() {
            let field = self.raw()?;
            let at = memchr::memchr(b'=', field).ok_or(Fault("more fields than the line has"))?;
            let known = names.iter().position(|name| name.as_bytes() == &field[..at]);
            if let Some(index) = known
                && found[index].replace(&field[at + 1..]).is_some()
            {
                return Err(Fault("the same field twice"));
            }
        }
        Ok(found)
    }

    /// The same where nothing is known that may be left.
    pub(super) fn end(mut self) -> Result<(), Fault> {
        self.named([]).map(|_: [_; 0]| ())
    }
}

/// Reads a field, or the part of one, which is never empty.
pub(super) fn unescape(field: &[u8]) -> Result<Box<[u8]>, Fault> {
    if field == b"%" {
        return Ok(Box::default());
    }
    part(field)
}

/// Reads what [`put_after`] wrote. The result is allocated once, at its size: no
/// copy of a secret is left anywhere.
pub(super) fn part(field: &[u8]) -> Result<Box<[u8]>, Fault> {
    let escapes = field.iter().filter(|byte| **byte == b'%').count();
    let length = field.len().checked_sub(2 * escapes).ok_or(Fault("half an escape"))?;
    let mut bytes = Vec::with_capacity(length);
    let mut rest = field;
    while let [byte, after @ ..] = rest {
        rest = after;
        match byte {
            b'%' => {
                let [high, low, after @ ..] = rest else { return Err(Fault("half an escape")) };
                let (high, low) = (digit(*high), digit(*low));
                let (Some(high), Some(low)) = (high, low) else {
                    return Err(Fault("an escape without two hexadecimal digits"));
                };
                bytes.push(high << 4 | low);
                rest = after;
            }
            byte if is_plain(*byte) => bytes.push(*byte),
            _ => return Err(Fault("a byte that must be escaped")),
        }
    }
    Ok(bytes.into_boxed_slice())
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

/// Reads a number as [`put_digits`] writes it: each has one spelling.
pub(super) fn number(field: &[u8]) -> Result<u64, Fault> {
    let wrong = Fault("a number that is none");
    if field.is_empty() || (field.len() > 1 && field[0] == b'0') {
        return Err(wrong);
    }
    field.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10).ok_or(wrong)?;
        number.checked_mul(10).and_then(|tens| tens.checked_add(digit.into())).ok_or(wrong)
    })
}

pub(super) fn text(bytes: Box<[u8]>) -> Result<String, Fault> {
    String::from_utf8(bytes.into_vec()).map_err(|_| Fault("text that is not UTF-8"))
}
