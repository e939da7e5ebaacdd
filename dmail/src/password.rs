//! Passwords from the terminal or standard input, never from the command line.

use std::io::{BufRead, IsTerminal};

use dmail_core::Secret;
use zeroize::Zeroizing;

use crate::failure::Failure;

/// Longest password that is read, in bytes.
const MAX_BYTES: usize = 1024;

/// Asks at the terminal, without echo, or reads one line of standard input.
pub(crate) fn read(prompt: &str) -> Result<Secret, Failure> {
    let line = if std::io::stdin().is_terminal() {
        Zeroizing::new(
            rpassword::prompt_password(prompt).map_err(Failure::other("cannot read a password"))?,
        )
    } else {
        let mut line = Zeroizing::new(String::new());
        let input = std::io::stdin().lock();
        std::io::Read::take(input, MAX_BYTES as u64 + 2)
            .read_line(&mut line)
            .map_err(Failure::other("cannot read a password from standard input"))?;
        line
    };
    let password = line.trim_end_matches(['\r', '\n']);
    if password.len() > MAX_BYTES {
        return Err(Failure::Usage(format!("a password has {MAX_BYTES} bytes at most")));
    }
    Ok(Secret::new(password.as_bytes()))
}
