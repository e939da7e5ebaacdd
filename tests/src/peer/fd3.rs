//! What stands where qmail-popup does: it puts a login on descriptor 3 and
//! becomes a checkpassword program.

use std::process::Command;

use crate::program::{Said, run};

const SCRIPT: &str = "\
import os, sys
request = sys.stdin.buffer.read()
reading, writing = os.pipe()
os.write(writing, request)
os.close(writing)
os.dup2(reading, 3)
if reading != 3:
    os.close(reading)
os.set_inheritable(3, True)
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
os.execvp(sys.argv[1], sys.argv[1:])
";

/// Runs `words` with `request` on descriptor 3, and with these variables.
#[must_use]
pub fn ask(words: &[&str], request: &[u8], variables: &[(&str, &str)]) -> Said {
    let mut python = Command::new("python3");
    python.args(["-c", SCRIPT]).args(words).envs(variables.iter().copied());
    run(python, request)
}

/// A login as it is written there.
#[must_use]
pub fn login(user: &str, password: &str) -> Vec<u8> {
    format!("{user}\0{password}\0<1.2@corp.example>\0").into_bytes()
}
