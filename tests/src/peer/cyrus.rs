//! Cyrus SASL: `testsaslauthd`, and a client that speaks the same format right
//! or wrong.

use std::io;
use std::path::Path;
use std::process::Command;

use crate::dialect::Place;
use crate::program::{Said, run};

/// Asks with `testsaslauthd`, the tool of `saslauthd` itself.
#[must_use]
pub fn testsaslauthd(socket: &Path, login: [&str; 4]) -> Said {
    let [user, password, service, realm] = login;
    let mut test = Command::new("/usr/sbin/testsaslauthd");
    test.arg("-f").arg(socket).args(["-u", user, "-p", password, "-s", service]);
    if !realm.is_empty() {
        test.args(["-r", realm]);
    }
    run(test, "")
}

/// A request: each field with its length.
///
/// # Panics
///
/// If a field is longer than 65,535 bytes.
#[must_use]
pub fn request(fields: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for field in fields {
        let length = u16::try_from(field.len()).expect("16 bits of length");
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(field);
    }
    bytes
}

/// What saslauthd says to a request: `OK`, `NO`, or nothing at all, which is
/// "try again later".
///
/// # Errors
///
/// If nobody listens there.
pub fn ask(socket: &Path, fields: &[&[u8]]) -> io::Result<String> {
    let mut connection = Place::Unix(socket.to_owned()).try_connect()?;
    connection.try_send(&request(fields))?;
    Ok(answer(&connection.rest()))
}

/// The text of a reply.
///
/// # Panics
///
/// If its length is not its own.
#[must_use]
pub fn answer(reply: &[u8]) -> String {
    let Some((length, text)) = reply.split_first_chunk() else {
        assert_eq!(reply, b"", "half a reply");
        return String::new();
    };
    assert_eq!(usize::from(u16::from_be_bytes(*length)), text.len(), "{reply:?}");
    String::from_utf8_lossy(text).into_owned()
}
