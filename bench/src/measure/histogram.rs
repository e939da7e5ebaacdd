//! A histogram of durations: constant memory, constant time, 1.6 % wide steps.

use std::time::Duration;

/// Steps between one power of two and the next.
const STEPS: u64 = 64;
/// Enough for every `u64` of nanoseconds.
const BUCKETS: usize = 60 * STEPS as usize;

/// Counts durations in buckets whose width grows with the duration.
#[derive(Debug, Clone)]
pub(crate) struct Histogram {
    buckets: Vec<u64>,
    count: u64,
}

impl Histogram {
    /// Without any duration.
    pub(crate) fn new() -> Self {
        Self { buckets: vec![0; BUCKETS], count: 0 }
    }

    /// Counts a duration `times` times.
    pub(crate) fn record(&mut self, duration: Duration, times: u32) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.buckets[bucket_of(nanos)] += u64::from(times);
        self.count += u64::from(times);
    }

    /// Adds everything that `other` has counted.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (bucket, more) in self.buckets.iter_mut().zip(&other.buckets) {
            *bucket += more;
        }
        self.count += other.count;
    }

    /// How many durations there are.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// The duration, in µs, that the `part` (0 to 1) of all do not exceed by
    /// more than a step; 0 if there is none.
    pub(crate) fn quantile_us(&self, part: f64) -> f64 {
        let rank = (self.count as f64 * part).ceil().max(1.0) as u64;
        let mut below = 0;
        for (index, count) in self.buckets.iter().enumerate() {
            below += count;
            if below >= rank {
                return floor_of(index) as f64 / 1000.0;
            }
        }
        0.0
    }
}

/// Below 64 each number has its bucket; above, the first seven bits decide.
fn bucket_of(value: u64) -> usize {
    if value < STEPS {
        return value as usize;
    }
    let shift = value.ilog2() - STEPS.ilog2();
    (u64::from(shift) * STEPS + (value >> shift)) as usize
}

/// The smallest value of a bucket.
fn floor_of(index: usize) -> u64 {
    let index = index as u64;
    if index < 2 * STEPS {
        return index;
    }
    let shift = index / STEPS - 1;
    (index - shift * STEPS) << shift
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_at_most_a_sixty_fourth_wide() {
        for value in [0, 1, 63, 64, 65, 127, 128, 129, 1000, 123_456_789, u64::MAX] {
            let floor = floor_of(bucket_of(value));
            assert!(floor <= value, "{value}");
            assert!(value - floor <= value / STEPS, "{value} is in the bucket of {floor}");
        }
    }

    #[test]
    fn buckets_follow_each_other_without_gaps() {
        for index in 1..BUCKETS - 2 * STEPS as usize {
            assert!(floor_of(index - 1) < floor_of(index), "{index}");
            assert_eq!(bucket_of(floor_of(index)), index);
        }
    }

    #[test]
    fn quantiles_are_those_of_what_was_recorded() {
        let mut histogram = Histogram::new();
        assert_eq!(histogram.quantile_us(0.5), 0.0);
        for micros in 1..=100 {
            histogram.record(Duration::from_micros(micros), 1);
        }
        for (part, expected) in [(0.5, 50.0), (0.99, 99.0), (1.0, 100.0)] {
            let found = histogram.quantile_us(part);
            assert!((found - expected).abs() <= expected / 60.0, "{part}: {found}");
        }
        let mut twice = histogram.clone();
        twice.merge(&histogram);
        assert_eq!((twice.count(), twice.quantile_us(0.5)), (200, histogram.quantile_us(0.5)));
    }
}
