//! The line that begins a message: `From sender Sat Dec 26 09:37:48 1998`.
//!
//! The time is written in UTC, as RFC 4155 asks, so that all nodes of a
//! cluster write the same line. What is read back may be older or stranger:
//! [`is_from_line`] takes what other programs write.

use std::time::SystemTime;

/// How every such line begins.
pub(crate) const FROM: &[u8] = b"From ";

/// Longest line that is taken for one, with its line end. Longer ones are text.
pub(crate) const MAX_BYTES: usize = 1024;

/// Longest sender that is written: an address as long as RFC 5321 allows
/// (section 4.5.3.1) and some room.
const MAX_SENDER_BYTES: usize = 512;

/// Appends the line that begins a message from `sender`, with its line end.
///
/// A null sender is written as `MAILER-DAEMON`. Bytes that would end the
/// sender early (blanks, controls) become `_`: the line is an envelope for
/// programs, the headers have the address itself.
pub(crate) fn write(sender: &[u8], received_at: SystemTime, out: &mut Vec<u8>) {
    out.extend_from_slice(FROM);
    if sender.is_empty() {
        out.extend_from_slice(b"MAILER-DAEMON");
    }
    let sender = &sender[..sender.len().min(MAX_SENDER_BYTES)];
    out.extend(sender.iter().map(|byte| match byte {
        0..=b' ' | 0x7f => b'_',
        other => *other,
    }));
    // A clock that is out of the calendar's range says the epoch: the mail
    // matters more than its date.
    let at = jiff::Timestamp::try_from(received_at).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let date = at.strftime(" %a %b %e %H:%M:%S %Y\n").to_string();
    out.extend_from_slice(date.as_bytes());
}

/// Whether this line (with or without its line end) begins a message.
///
/// It does if `From ` is followed, after any sender, also none and one with
/// blanks, by a date in the manner of ctime: weekday, month, day, time, and a
/// year of four digits at most two words later (zone names stand between them
/// or after the year). Everything else is text, even at the start of a line.
pub(crate) fn is_from_line(line: &[u8]) -> bool {
    if line.len() > MAX_BYTES || !line.starts_with(FROM) {
        return false;
    }
    let words: Vec<&[u8]> =
        line[FROM.len()..].split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).collect();
    (0..words.len()).any(|at| is_date(&words[at..]))
}

fn is_date(words: &[&[u8]]) -> bool {
    let [weekday, month, day, time, rest @ ..] = words else {
        return false;
    };
    is_one_of(weekday, b"MonTueWedThuFriSatSun")
        && is_one_of(month, b"JanFebMarAprMayJunJulAugSepOctNovDec")
        && number(day).is_some_and(|day| (1..=31).contains(&day))
        && is_time(time)
        && rest.iter().take(3).any(|word| is_year(word))
}

fn is_one_of(word: &[u8], names: &[u8]) -> bool {
    word.len() == 3 && names.chunks_exact(3).any(|name| name.eq_ignore_ascii_case(word))
}

/// `hh:mm` or `hh:mm:ss`; 60 is a leap second.
fn is_time(word: &[u8]) -> bool {
    let mut parts = word.split(|byte| *byte == b':');
    let mut below =
        |limit| parts.next().map(|part| number(part).is_some_and(|value| value < limit));
    let (hour, minute, second) = (below(24), below(60), below(61));
    hour == Some(true) && minute == Some(true) && second != Some(false) && parts.next().is_none()
}

fn is_year(word: &[u8]) -> bool {
    word.len() == 4 && word.iter().all(u8::is_ascii_digit)
}

/// A number of one or two digits.
fn number(word: &[u8]) -> Option<u8> {
    if word.is_empty() || word.len() > 2 {
        return None;
    }
    std::str::from_utf8(word).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn lines_of_other_programs_are_known() {
        for line in [
            "From a@b.example Sat Dec 26 09:37:48 1998",
            "From a@b.example  Sat Dec  6 09:37:48 1998\n",
            "From a@b.example Sat Dec  6 09:37:48 1998\r\n",
            "From MAILER-DAEMON Fri Jul  8 12:08:34 2011",
            "From a@b.example Sat Dec 26 09:37 1998",
            "From a@b.example Sat Dec 26 09:37:60 1998",
            "From a@b.example Sat Dec 26 09:37:48 MET 1998",
            "From a@b.example Sat Dec 26 09:37:48 MET DST 1998",
            "From a@b.example Sat Dec 26 09:37:48 1998 +0100",
            "From a@b.example Sat Dec 26 09:37:48 1998 remote from c",
            "From \"a b\"@c.example Sat Dec 26 09:37:48 1998",
            "From Sat Sat Dec 26 09:37:48 1998",
            "From Sat Dec 26 09:37:48 1998",
        ] {
            assert!(is_from_line(line.as_bytes()), "{line:?}");
        }
    }

    #[test]
    fn other_lines_are_text() {
        let long = format!("From {} Sat Dec 26 09:37:48 1998", "a".repeat(MAX_BYTES));
        for line in [
            "",
            "From",
            "From ",
            "From a@b.example",
            "from a@b.example Sat Dec 26 09:37:48 1998",
            ">From a@b.example Sat Dec 26 09:37:48 1998",
            "From: a@b.example Sat Dec 26 09:37:48 1998",
            "From here on, Sat Dec 26 is a holiday of 1998",
            "From a@b.example Sat Dec 32 09:37:48 1998",
            "From a@b.example Sat Dec 0 09:37:48 1998",
            "From a@b.example Sat Dec 26 24:37:48 1998",
            "From a@b.example Sat Dec 26 09:60:48 1998",
            "From a@b.example Sat Dec 26 09:37:48:00 1998",
            "From a@b.example Sat Dec 26 09 1998",
            "From a@b.example Sat Dec 26 09:37:48 98",
            "From a@b.example Sat Dec 26 09:37:48 a b c 1998",
            "From a@b.example 26 Dec 1998 09:37:48",
            &long,
        ] {
            assert!(!is_from_line(line.as_bytes()), "{line:?}");
        }
    }

    #[test]
    fn what_is_written_is_known_again() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let rows: &[(&[u8], u64, &[u8])] = &[
            (b"a@b.example", 914_665_068, b"From a@b.example Sat Dec 26 09:37:48 1998\n"),
            (b"", 0, b"From MAILER-DAEMON Thu Jan  1 00:00:00 1970\n"),
            (b"\"a b\"@c\n", 1_709_164_800, b"From \"a_b\"@c_ Thu Feb 29 00:00:00 2024\n"),
        ];
        for (sender, seconds, expected) in rows {
            let mut line = Vec::new();
            write(sender, at(*seconds), &mut line);
            assert_eq!(line.escape_ascii().to_string(), expected.escape_ascii().to_string());
            assert!(is_from_line(&line));
        }
    }

    #[test]
    fn no_sender_makes_a_line_that_is_not_known_again() {
        let mut line = Vec::new();
        write(&[b'x'; 5000], SystemTime::now(), &mut line);
        assert!(is_from_line(&line));
    }
}
