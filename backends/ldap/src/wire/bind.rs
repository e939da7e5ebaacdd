//! Simple binds (RFC 4511 section 4.2) and StartTLS (section 4.14), as bytes.
//!
//! ```text
//!   LDAPMessage ::= SEQUENCE { messageID, protocolOp, controls [0] OPTIONAL }
//!   BindRequest ::= [APPLICATION 0] { version 3, name, simple [0] password }
//!   BindResponse, ExtendedResponse ::= { resultCode, matchedDN, diagnosticMessage, … }
//! ```

use super::ber::{self, Lack, Reader};

/// Largest answer that is read: result, message and controls, not a search.
pub(crate) const MAX_ANSWER: usize = 64 * 1024;

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const ENUMERATED: u8 = 0x0a;
const BIND_REQUEST: u8 = 0x60;
const BIND_RESPONSE: u8 = 0x61;
const EXTENDED_REQUEST: u8 = 0x77;
const EXTENDED_RESPONSE: u8 = 0x78;
const SIMPLE_PASSWORD: u8 = 0x80;
const EXTENDED_NAME: u8 = 0x80;
const CONTROLS: u8 = 0xa0;

/// The control of password policies (draft-behera-ldap-password-policy).
const PPOLICY: &[u8] = b"1.3.6.1.4.1.42.2.27.8.5.1";
const STARTTLS: &[u8] = b"1.3.6.1.4.1.1466.20037";

/// An answer to a bind or to StartTLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Which question it answers; 0 is none: the server says good-bye.
    pub(crate) id: u32,
    /// The result code (RFC 4511 appendix A).
    pub(crate) code: u32,
    /// The server's diagnostic message.
    pub(crate) text: String,
    /// What the password policy says about the account.
    pub(crate) policy: Option<PolicyError>,
}

/// Why a password policy let nobody in, or only in part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PolicyError {
    /// The password has expired.
    Expired,
    /// The account is locked, after failures or by an administrator.
    Locked,
    /// The password was set by somebody else and has to be changed.
    MustChange,
}

/// Appends a simple bind as `dn`.
pub(crate) fn put_bind(out: &mut Vec<u8>, id: u32, dn: &[u8], password: &[u8], ppolicy: bool) {
    let element = |length: usize| ber::header_len(length) + length;
    let control = element(PPOLICY.len());
    let bind = 3 + element(dn.len()) + element(password.len());
    let controls = if ppolicy { element(element(control)) } else { 0 };

    ber::put_header(out, SEQUENCE, element(ber::number_len(id)) + element(bind) + controls);
    ber::put_number(out, INTEGER, id);
    ber::put_header(out, BIND_REQUEST, bind);
    ber::put(out, INTEGER, &[3]);
    ber::put(out, OCTETS, dn);
    ber::put(out, SIMPLE_PASSWORD, password);
    if ppolicy {
        ber::put_header(out, CONTROLS, element(control));
        ber::put_header(out, SEQUENCE, control);
        ber::put(out, OCTETS, PPOLICY);
    }
}

/// Appends the question to turn the connection into TLS.
pub(crate) fn put_starttls(out: &mut Vec<u8>, id: u32) {
    let mut operation = Vec::new();
    ber::put(&mut operation, EXTENDED_NAME, STARTTLS);
    let mut message = Vec::new();
    ber::put_number(&mut message, INTEGER, id);
    ber::put(&mut message, EXTENDED_REQUEST, &operation);
    ber::put(out, SEQUENCE, &message);
}

/// Reads an answer from the start of `bytes`, and says how many bytes it has.
pub(crate) fn read(bytes: &[u8]) -> Result<(Answer, usize), Lack> {
    let mut reader = Reader::new(bytes);
    let (tag, message) = reader.next(MAX_ANSWER)?;
    let answer = if tag == SEQUENCE { read_message(message) } else { None };
    let answer = answer.ok_or(Lack::Garbage)?;
    Ok((answer, bytes.len() - reader.rest().len()))
}

fn read_message(message: &[u8]) -> Option<Answer> {
    let mut message = Reader::new(message);
    let id = ber::number(message.expect(INTEGER)?)?;
    let operation = message.expect(BIND_RESPONSE).or_else(|| message.expect(EXTENDED_RESPONSE))?;
    let mut operation = Reader::new(operation);
    let code = ber::number(operation.expect(ENUMERATED)?)?;
    operation.expect(OCTETS)?;
    let text = String::from_utf8_lossy(operation.expect(OCTETS)?).into_owned();
    let policy = message.expect(CONTROLS).and_then(read_policy);
    Some(Answer { id, code, text, policy })
}

/// Looks for the password policy among the controls of an answer.
fn read_policy(controls: &[u8]) -> Option<PolicyError> {
    let mut controls = Reader::new(controls);
    while let Some(control) = controls.expect(SEQUENCE) {
        let mut control = Reader::new(control);
        if control.expect(OCTETS)? != PPOLICY {
            continue;
        }
        let _criticality = control.expect(0x01);
        let mut value = Reader::new(control.expect(OCTETS)?);
        let mut value = Reader::new(value.expect(SEQUENCE)?);
        let _warning = value.expect(0xa0);
        return match ber::number(value.expect(0x81)?)? {
            0 => Some(PolicyError::Expired),
            1 => Some(PolicyError::Locked),
            2 => Some(PolicyError::MustChange),
            _ => None,
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_bind_is_written_as_the_standard_has_it() {
        let mut out = Vec::new();
        put_bind(&mut out, 1, b"cn=a", b"pw", false);
        assert_eq!(out, b"\x30\x12\x02\x01\x01\x60\x0d\x02\x01\x03\x04\x04cn=a\x80\x02pw");
        out.clear();
        put_bind(&mut out, 1, b"cn=a", b"pw", true);
        let control = b"\xa0\x1d\x30\x1b\x04\x191.3.6.1.4.1.42.2.27.8.5.1";
        assert_eq!(out[..2], [0x30, 0x12 + 0x1f]);
        assert!(out.ends_with(control));
        out.clear();
        put_starttls(&mut out, 1);
        assert_eq!(out, b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037");
    }

    #[test]
    fn an_answer_is_read_with_its_policy() {
        let plain = b"\x30\x0c\x02\x01\x07\x61\x07\x0a\x01\x31\x04\0\x04\0";
        let answer = |policy| Answer { id: 7, code: 49, text: String::new(), policy };
        assert_eq!(read(plain), Ok((answer(None), plain.len())));
        let mut control = Vec::new();
        ber::put(&mut control, OCTETS, PPOLICY);
        ber::put(&mut control, OCTETS, b"\x30\x03\x81\x01\x01");
        let (mut sequence, mut controls) = (Vec::new(), Vec::new());
        ber::put(&mut sequence, SEQUENCE, &control);
        ber::put(&mut controls, CONTROLS, &sequence);
        let mut locked = Vec::new();
        ber::put(&mut locked, SEQUENCE, &[&plain[2..], &controls].concat());
        assert_eq!(read(&locked), Ok((answer(Some(PolicyError::Locked)), locked.len())));
        let farewell = b"\x30\x0c\x02\x01\x00\x78\x07\x0a\x01\x34\x04\0\x04\0";
        assert_eq!(read(farewell).map(|(answer, _)| (answer.id, answer.code)), Ok((0, 52)));
    }

    #[test]
    fn anything_else_is_no_answer() {
        for (bytes, lack) in [
            (&b""[..], Lack::More),
            (b"\x30\x0c\x02", Lack::More),
            (b"HTTP/1.1 400", Lack::More),
            (b"\x31\x01\x00", Lack::Garbage),
            (b"\x30\x03\x02\x01\x07", Lack::Garbage),
            (b"\x30\x83\x10\0\0", Lack::Garbage),
        ] {
            assert_eq!(read(bytes), Err(lack), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
            let mut message = Vec::new();
            ber::put(&mut message, SEQUENCE, &bytes);
            let _ = read(&message);
        }
    }
}
