//! The mail that is measured with.

/// Length of a line of text, with its line end.
const LINE_BYTES: usize = 72;

/// A message of `bytes` bytes or a line less, header included, as it travels.
pub(crate) fn message(bytes: usize) -> Vec<u8> {
    let header = "From: bench <bench@bench.example>\r\n\
                  To: test <test@bench.example>\r\n\
                  Subject: a message to measure with\r\n\
                  Date: Sat, 21 Nov 2026 10:00:00 +0000\r\n\
                  Message-ID: <1@bench.example>\r\n\
                  \r\n";
    let lines = bytes.saturating_sub(header.len()) / LINE_BYTES;
    let line = "x".repeat(LINE_BYTES - 2) + "\r\n";
    (header.to_owned() + &line.repeat(lines)).into_bytes()
}

/// A drop file that holds `count` of these messages.
pub(crate) fn drop_file(count: usize, message: &[u8]) -> Vec<u8> {
    let stored = String::from_utf8_lossy(message).replace("\r\n", "\n");
    let entry = format!("From bench@bench.example Sat Nov 21 10:00:00 2026\n{stored}\n");
    entry.repeat(count).into_bytes()
}

/// A message with a body of `lines` lines.
pub(crate) fn short_message(lines: usize) -> Vec<u8> {
    let mut message = message(0);
    for line in 1..=lines {
        message
            .extend_from_slice(format!("Line {line} of a message to measure with.\r\n").as_bytes());
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_have_the_size_that_was_asked_for() {
        let message = message(4096);
        assert!((4096 - LINE_BYTES..=4096).contains(&message.len()), "{}", message.len());
        assert!(message.ends_with(b"\r\n"));
        let file = String::from_utf8(drop_file(10, &message)).expect("ASCII");
        assert_eq!(file.matches("From bench").count(), 10);
        assert!(!file.contains('\r'));
    }
}
