//! Numbers, sizes, times and plain text.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::{Fault, Kind};
use crate::{Rate, RateError, Secret};

const KIB: u64 = 1024;

/// A whole number in decimal digits.
pub fn number<T>(range: RangeInclusive<T>) -> Kind<T>
where
    T: TryFrom<u64> + PartialOrd + Display + Copy + 'static,
{
    let (first, last) = (*range.start(), *range.end());
    Kind::new(format!("a number from {first} to {last}"), move |value| {
        let number = digits(value.text)?;
        let above = || Fault::whole(value.text, format!("more than {last}"));
        let number = T::try_from(number).map_err(|_| above())?;
        if number < first {
            return Err(Fault::whole(value.text, format!("less than {first}")));
        }
        if number > last {
            return Err(above());
        }
        Ok(number)
    })
}

/// A number of bytes; `K`, `M` and `G` are powers of 1024.
pub fn size(range: RangeInclusive<u64>) -> Kind<u64> {
    let (first, last) = (size_text(*range.start()), size_text(*range.end()));
    let expects = format!("a size from {first} to {last}, in bytes or with K, M or G");
    Kind::new(expects, move |value| {
        let units = [("k", KIB), ("m", KIB * KIB), ("g", KIB * KIB * KIB)];
        let bytes = with_unit(value.text, &units)?;
        in_range(value.text, bytes, &range, size_text)
    })
}

/// A time in seconds; `s`, `m`, `h` and `d` are seconds, minutes, hours, days.
pub fn seconds(range: RangeInclusive<u64>) -> Kind<Duration> {
    let (first, last) = (range.start(), range.end());
    let expects = format!("a time from {first} to {last} seconds, or with m, h or d");
    Kind::new(expects, move |value| {
        let units = [("s", 1), ("m", 60), ("h", 3600), ("d", 86400)];
        let seconds = with_unit(value.text, &units)?;
        let seconds = in_range(value.text, seconds, &range, |n| format!("{n} seconds"))?;
        Ok(Duration::from_secs(seconds))
    })
}

/// A short time in milliseconds; `ms` may stand behind the number.
pub fn milliseconds(range: RangeInclusive<u64>) -> Kind<Duration> {
    let (first, last) = (range.start(), range.end());
    let expects = format!("a time from {first} to {last} milliseconds");
    Kind::new(expects, move |value| {
        let number = with_unit(value.text, &[("ms", 1)])?;
        let number = in_range(value.text, number, &range, |n| format!("{n} milliseconds"))?;
        Ok(Duration::from_millis(number))
    })
}

/// So many within a time.
pub fn rate() -> Kind<Rate> {
    Kind::new("a number, `/` and a time with s, m, h or d, such as `200/1h`", |value| {
        value.text.parse().map_err(|error: RateError| Fault::whole(value.text, error.to_string()))
    })
}

/// One character that may join two parts of a user name.
pub fn separator() -> Kind<char> {
    Kind::new("one character: `_`, `-`, `.`, `+` or `=`", |value| {
        let mut characters = value.text.chars();
        match (characters.next(), characters.next()) {
            (Some(c @ ('_' | '-' | '.' | '+' | '=')), None) => Ok(c),
            _ => Err(Fault::whole(value.text, "not one of them")),
        }
    })
}

/// Text that a protocol's reply line can carry: printable ASCII.
pub fn text(max: usize) -> Kind<String> {
    let expects = format!("printable ASCII text of at most {max} characters");
    Kind::new(expects, move |value| {
        if let Some((at, c)) = value.text.char_indices().find(|(_, c)| !is_printable(*c)) {
            return Err(Fault::part(at..at + c.len_utf8(), "not ASCII"));
        }
        if value.text.len() > max {
            return Err(Fault::part(max..value.text.len(), "too long from here on"));
        }
        Ok(value.text.to_owned())
    })
}

/// A password of ours for another server. No message shows the value of a
/// setting whose name speaks of a password, secret or token.
pub fn secret() -> Kind<Secret> {
    Kind::new("a password", |value| Ok(Secret::new(value.text.as_bytes())))
}

fn is_printable(c: char) -> bool {
    c.is_ascii_graphic() || c == ' '
}

/// A size in the largest unit that says it exactly.
fn size_text(bytes: u64) -> String {
    match bytes {
        0 => "0".into(),
        n if n.is_multiple_of(KIB * KIB * KIB) => format!("{}G", n / (KIB * KIB * KIB)),
        n if n.is_multiple_of(KIB * KIB) => format!("{}M", n / (KIB * KIB)),
        n if n.is_multiple_of(KIB) => format!("{}K", n / KIB),
        n => n.to_string(),
    }
}

fn digits(text: &str) -> Result<u64, Fault> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Fault::whole(text, "not a whole number"));
    }
    text.parse().map_err(|_| Fault::whole(text, "too large"))
}

/// A number with or without one of `units` behind it, in either case.
fn with_unit(text: &str, units: &[(&str, u64)]) -> Result<u64, Fault> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    if end == 0 {
        return Err(Fault::whole(text, "not a number"));
    }
    let number = digits(&text[..end])?;
    let unit = &text[end..];
    let known = units.iter().find(|(name, _)| unit.eq_ignore_ascii_case(name));
    let factor = match known {
        Some((_, factor)) => *factor,
        None if unit.is_empty() => 1,
        None => return Err(Fault::part(end..text.len(), "not a unit")),
    };
    number.checked_mul(factor).ok_or_else(|| Fault::whole(text, "too large"))
}

fn in_range(
    text: &str,
    number: u64,
    range: &RangeInclusive<u64>,
    shown: impl Fn(u64) -> String,
) -> Result<u64, Fault> {
    if number < *range.start() {
        let why = format!("less than {}", shown(*range.start()));
        return Err(Fault::whole(text, why));
    }
    if number > *range.end() {
        let why = format!("more than {}", shown(*range.end()));
        return Err(Fault::whole(text, why));
    }
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{read, refuses};
    use super::*;

    #[test]
    fn numbers() {
        let kind = number::<u16>(1..=300);
        assert_eq!(kind.expects, "a number from 1 to 300");
        assert_eq!(read(&kind, "1"), Ok(1));
        assert_eq!(read(&kind, "0300"), Ok(300));
        refuses(&kind, "0", 0..1, "less than 1");
        refuses(&kind, "301", 0..3, "more than 300");
        refuses(&kind, "70000", 0..5, "more than 300");
        refuses(&kind, "99999999999999999999", 0..20, "too large");
        refuses(&kind, "-1", 0..2, "not a whole number");
        refuses(&kind, "+1", 0..2, "not a whole number");
        refuses(&kind, "many", 0..4, "not a whole number");
    }

    #[test]
    fn sizes() {
        let kind = size(1..=2 * 1024 * 1024 * 1024);
        assert_eq!(kind.expects, "a size from 1 to 2G, in bytes or with K, M or G");
        assert_eq!(read(&kind, "512"), Ok(512));
        assert_eq!(read(&kind, "100k"), Ok(102_400));
        assert_eq!(read(&kind, "50M"), Ok(52_428_800));
        assert_eq!(read(&kind, "2G"), Ok(2_147_483_648));
        refuses(&kind, "0", 0..1, "less than 1");
        refuses(&kind, "3G", 0..2, "more than 2G");
        refuses(&kind, "1MB", 1..3, "not a unit");
        refuses(&kind, "M", 0..1, "not a number");
        refuses(&kind, "99999999999G", 0..12, "too large");
    }

    #[test]
    fn times() {
        let kind = seconds(1..=86400);
        for (text, expected) in
            [("90", 90), ("90s", 90), ("5m", 300), ("12H", 43200), ("1d", 86400)]
        {
            assert_eq!(read(&kind, text), Ok(Duration::from_secs(expected)), "{text}");
        }
        refuses(&kind, "0", 0..1, "less than 1 seconds");
        refuses(&kind, "2d", 0..2, "more than 86400 seconds");
        refuses(&kind, "5 m", 1..3, "not a unit");
        refuses(&kind, "1.5", 1..3, "not a unit");
    }

    #[test]
    fn short_times() {
        let kind = milliseconds(0..=1000);
        assert_eq!(read(&kind, "20"), Ok(Duration::from_millis(20)));
        assert_eq!(read(&kind, "1000ms"), Ok(Duration::from_secs(1)));
        refuses(&kind, "1001", 0..4, "more than 1000 milliseconds");
        refuses(&kind, "1s", 1..2, "not a unit");
    }

    #[test]
    fn separators_and_text() {
        assert_eq!(read(&separator(), "_"), Ok('_'));
        for bad in ["__", "/", "a", "@", ":"] {
            refuses(&separator(), bad, 0..bad.len(), "not one of them");
        }
        assert_eq!(read(&text(9), "ESMTP now").as_deref(), Ok("ESMTP now"));
        refuses(&text(9), "ESMTP now!", 9..10, "too long from here on");
        refuses(&text(9), "gr\u{fc}n", 2..4, "not ASCII");
    }
}
