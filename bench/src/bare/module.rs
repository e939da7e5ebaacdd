//! A module that accepts everybody: what is left is the cost of asking it.

use std::io::{self, BufRead, Write};

use crate::failure::Failure;

/// Answers each line of standard input with `+OK user config 0`.
pub(crate) fn run() -> Result<(), Failure> {
    answer(io::stdin().lock(), io::stdout().lock()).map_err(Failure::system("use the pipes"))
}

fn answer(mut input: impl BufRead, mut output: impl Write) -> io::Result<()> {
    let mut line = String::new();
    let mut reply = Vec::new();
    while input.read_line(&mut line)? > 0 {
        let mut words = line.split_ascii_whitespace();
        if words.next() == Some("exit") {
            return Ok(());
        }
        reply.clear();
        writeln!(reply, "+OK {} config 0", words.next().unwrap_or("nobody"))?;
        output.write_all(&reply)?;
        output.flush()?;
        line.clear();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_is_accepted_until_exit() {
        let mut replies = Vec::new();
        let input = b"check bob secret 127.0.0.1\nlookup ann\nexit\nlookup ann\n";
        answer(&input[..], &mut replies).expect("memory");
        assert_eq!(replies, b"+OK bob config 0\n+OK ann config 0\n");
    }
}
