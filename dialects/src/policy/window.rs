//! How many of something there were within a time, in few bytes.
//!
//! The time is cut into tenths. A tenth counts until all of it is older than
//! the time, so there are never more than the rate allows, whichever moment one
//! looks from; what is used up comes back a tenth later than it could.

use std::time::Duration;

use dmail_core::Rate;
use smallvec::SmallVec;

/// Parts of the time of a rate.
const PARTS: u32 = 10;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Messages.
    Messages,
    /// Recipients of all messages together.
    Recipients,
}

/// What was used of one limit.
#[derive(Debug)]
pub(super) struct Window {
    pub(super) unit: Unit,
    pub(super) rate: Rate,
    /// The number of a part and what it counts, the oldest first.
    parts: SmallVec<[(u32, u32); 2]>,
}

impl Window {
    pub(super) fn new(unit: Unit, rate: Rate) -> Self {
        Self { unit, rate, parts: SmallVec::new() }
    }

    /// The length of a part, in milliseconds.
    fn part_ms(&self) -> u64 {
        (self.rate.per.as_millis() as u64).div_ceil(u64::from(PARTS))
    }

    /// Which part it is `now`, in milliseconds. There are enough numbers for
    /// 13 years of the shortest parts.
    fn part_at(&self, now: u64) -> u32 {
        u32::try_from(now / self.part_ms()).unwrap_or(u32::MAX)
    }

    /// Drops what is too old to count.
    pub(super) fn forget(&mut self, now: u64) {
        let now = self.part_at(now);
        self.parts.retain(|(part, count)| part.saturating_add(PARTS) >= now && *count > 0);
    }

    /// How many there were, once the old ones are forgotten.
    pub(super) fn used(&self) -> u32 {
        self.parts.iter().fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    /// Whether `more` would be too many; then, how long until they are not.
    /// `None` if they never fit.
    pub(super) fn wait_for(&self, more: u32, now: u64) -> Result<(), Option<Duration>> {
        let room = self.rate.count.checked_sub(more).ok_or(None)?;
        let mut used = self.used();
        if used <= room {
            return Ok(());
        }
        let mut until = now;
        for (part, count) in &self.parts {
            used = used.saturating_sub(*count);
            until = (u64::from(*part) + u64::from(PARTS) + 1) * self.part_ms();
            if used <= room {
                break;
            }
        }
        Err(Some(Duration::from_millis(until.saturating_sub(now))))
    }

    /// The time of the rate, in milliseconds, as far as the rate is used up.
    pub(super) fn weight_ms(&self) -> u64 {
        let used = u64::from(self.used().min(self.rate.count));
        self.rate.per.as_millis() as u64 * used / u64::from(self.rate.count)
    }

    /// Counts `more`.
    pub(super) fn add(&mut self, more: u32, now: u64) {
        let now = self.part_at(now);
        match self.parts.last_mut() {
            Some((part, count)) if *part == now => *count = count.saturating_add(more),
            _ if more > 0 => self.parts.push((now, more)),
            _ => {}
        }
    }

    /// Takes back what was counted too much, the latest first.
    pub(super) fn take_back(&mut self, mut less: u32) {
        for (_, count) in self.parts.iter_mut().rev() {
            let taken = less.min(*count);
            *count -= taken;
            less -= taken;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(rate: &str) -> Window {
        Window::new(Unit::Messages, rate.parse().expect("a rate"))
    }

    /// Takes one if there is room.
    fn take(window: &mut Window, now: u64) -> bool {
        window.forget(now);
        let fits = window.wait_for(1, now).is_ok();
        if fits {
            window.add(1, now);
        }
        fits
    }

    #[test]
    fn what_is_used_up_comes_back_after_the_time_and_a_tenth() {
        let mut window = window("2/10s");
        assert!(take(&mut window, 500) && take(&mut window, 5_500));
        assert!(!take(&mut window, 5_600));
        assert_eq!(window.wait_for(1, 5_600), Err(Some(Duration::from_millis(5_400))));
        assert_eq!(window.wait_for(2, 5_600), Err(Some(Duration::from_millis(10_400))));
        assert_eq!(window.wait_for(3, 5_600), Err(None));
        assert!(!take(&mut window, 10_999));
        assert!(take(&mut window, 11_000) && !take(&mut window, 11_001));
        window.take_back(1);
        assert!(take(&mut window, 11_002));
    }

    proptest::proptest! {
        #[test]
        fn no_time_of_the_length_holds_more_than_the_rate(
            count in 1_u32..5,
            seconds in 1_u64..40,
            gaps in proptest::collection::vec(0_u64..9_000, 1..200),
        ) {
            let mut window = window(&format!("{count}/{seconds}s"));
            let (mut now, mut taken) = (0, Vec::new());
            for gap in gaps {
                now += gap;
                if take(&mut window, now) {
                    taken.push(now);
                }
                assert!(window.parts.len() as u32 <= PARTS + 1);
            }
            for (at, first) in taken.iter().enumerate() {
                let end = first + seconds * 1000;
                let within = taken[at..].iter().take_while(|moment| **moment <= end);
                assert!(within.count() <= count as usize, "{taken:?}");
            }
        }
    }
}
