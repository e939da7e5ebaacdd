//! So many of something within a time.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// At most `count` of something within any time of the length `per`; written
/// `200/1h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    /// How many; 1 at least.
    pub count: u32,
    /// Within which time: whole seconds, from one to [`Rate::LONGEST`].
    pub per: Duration,
}

impl Rate {
    /// The longest time that a rate is about: 31 days.
    pub const LONGEST: Duration = Duration::from_secs(31 * 86400);
}

/// The units of time, the longest first.
const UNITS: [(char, u64); 4] = [('d', 86400), ('h', 3600), ('m', 60), ('s', 1)];

/// Why a text is no [`Rate`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RateError {
    /// The number before the slash.
    #[error("a number of 1 or more is expected before the `/`")]
    Count,
    /// The time after the slash.
    #[error("a time from 1 second to 31 days is expected after the `/`")]
    Per,
    /// There is no slash.
    #[error("a number, `/` and a time are expected, such as 200/1h")]
    Slash,
}

impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        let (count, per) = text.split_once('/').ok_or(RateError::Slash)?;
        let count = digits(count).and_then(|count| u32::try_from(count).ok());
        let count = count.filter(|count| *count > 0).ok_or(RateError::Count)?;
        let factor = |unit: char| UNITS.iter().find(|(name, _)| unit.eq_ignore_ascii_case(name));
        let (number, factor) = match per.chars().last().and_then(factor) {
            Some((_, factor)) => (&per[..per.len() - 1], *factor),
            None => (per, 1),
        };
        // `200/h` is what people write for one hour.
        let number = if number.is_empty() && factor > 1 { Some(1) } else { digits(number) };
        let seconds = number.and_then(|number| number.checked_mul(factor));
        let per = seconds.map(Duration::from_secs);
        let per = per.filter(|per| !per.is_zero() && *per <= Self::LONGEST);
        Ok(Self { count, per: per.ok_or(RateError::Per)? })
    }
}

fn digits(text: &str) -> Option<u64> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.per.as_secs();
        let unit = UNITS.iter().find(|(_, length)| seconds.is_multiple_of(*length));
        let (unit, length) = unit.unwrap_or(&('s', 1));
        write!(f, "{}/{}{unit}", self.count, seconds / length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_and_written() {
        for (text, count, seconds, shown) in [
            ("200/1h", 200, 3600, "200/1h"),
            ("1/90", 1, 90, "1/90s"),
            ("30/60s", 30, 60, "30/1m"),
            ("5/10M", 5, 600, "5/10m"),
            ("1000/d", 1000, 86400, "1000/1d"),
            ("7/31d", 7, 31 * 86400, "7/31d"),
        ] {
            let rate: Rate = text.parse().expect(text);
            assert_eq!(rate, Rate { count, per: Duration::from_secs(seconds) }, "{text}");
            assert_eq!(rate.to_string(), shown);
        }
        for (text, error) in [
            ("200", RateError::Slash),
            ("", RateError::Slash),
            ("0/1h", RateError::Count),
            ("-1/1h", RateError::Count),
            ("+1/1h", RateError::Count),
            ("x/1h", RateError::Count),
            ("9999999999/1h", RateError::Count),
            ("1/", RateError::Per),
            ("1/s", RateError::Per),
            ("1/0h", RateError::Per),
            ("1/32d", RateError::Per),
            ("1/1w", RateError::Per),
            ("1/1 h", RateError::Per),
            ("1/99999999999999999999d", RateError::Per),
        ] {
            assert_eq!(text.parse::<Rate>(), Err(error), "{text}");
        }
    }
}
