//! A contest: our program and a bare one take turns, so that both meet the
//! same weather; what is reported are medians, and ratios round by round.

use std::time::Duration;

use crate::failure::Failure;
use crate::load::Sample;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    /// Rounds of every contest.
    pub(crate) rounds: usize,
    /// How long one contestant's turn is.
    pub(crate) time: Duration,
}

/// Medians over the rounds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Figures {
    /// Operations per second.
    pub(crate) rate: f64,
    /// Half of the operations took no longer, in µs.
    pub(crate) p50_us: f64,
    /// 99 of 100 took no longer, in µs.
    pub(crate) p99_us: f64,
    /// Processor time of the server for one operation, in µs.
    pub(crate) server_us: f64,
    /// The same of the client, where the two can be told apart.
    pub(crate) client_us: Option<f64>,
    /// Processors that somebody else kept busy.
    pub(crate) other_cores: f64,
    /// Wrong answers, in all rounds together.
    pub(crate) errors: u64,
    /// The first of them.
    pub(crate) first_error: Option<String>,
}

/// What came of a contest.
#[derive(Debug, Clone)]
pub(crate) struct Contest {
    /// Our program.
    pub(crate) ours: Figures,
    /// The bare one.
    pub(crate) bare: Figures,
    /// Our rate as a part of the bare one's.
    pub(crate) rate_ratio: f64,
    /// Our server's processor time as a multiple of the bare one's.
    pub(crate) cpu_ratio: f64,
}

impl Effort {
    /// Enough for figures to be quoted, or for a look.
    pub(crate) fn new(quick: bool) -> Self {
        if quick {
            Self { rounds: 1, time: Duration::from_millis(500) }
        } else {
            Self { rounds: 5, time: Duration::from_secs(2) }
        }
    }
}

/// Holds a contest. Each contestant is told how long its turn is; a first turn
/// warms it up and does not count, except for its errors.
pub(crate) fn hold(
    effort: Effort,
    mut ours: impl FnMut(Duration) -> Result<Sample, Failure>,
    mut bare: impl FnMut(Duration) -> Result<Sample, Failure>,
) -> Result<Contest, Failure> {
    let [warm_ours, warm_bare] = [ours(effort.time / 4)?, bare(effort.time / 4)?];
    let mut rounds = Vec::new();
    for _ in 0..effort.rounds {
        rounds.push([ours(effort.time)?, bare(effort.time)?]);
    }
    let ratio =
        |of: fn(&Sample) -> f64| median(rounds.iter().map(|[ours, bare]| of(ours) / of(bare)));
    let (rate_ratio, cpu_ratio) = (ratio(Sample::rate), ratio(Sample::server_us));
    let (ours, bare): (Vec<Sample>, Vec<Sample>) =
        rounds.into_iter().map(|[ours, bare]| (ours, bare)).unzip();
    Ok(Contest {
        ours: Figures::of(&ours, &warm_ours),
        bare: Figures::of(&bare, &warm_bare),
        rate_ratio,
        cpu_ratio,
    })
}

/// Measures one contestant alone, in as many rounds.
pub(crate) fn alone(
    effort: Effort,
    mut contestant: impl FnMut(Duration) -> Result<Sample, Failure>,
) -> Result<Figures, Failure> {
    let warm = contestant(effort.time / 4)?;
    let samples: Result<Vec<Sample>, Failure> =
        (0..effort.rounds).map(|_| contestant(effort.time)).collect();
    Ok(Figures::of(&samples?, &warm))
}

impl Sample {
    fn rate(&self) -> f64 {
        self.tally.latency.count() as f64 / self.elapsed.as_secs_f64()
    }

    fn server_us(&self) -> f64 {
        self.per_operation(self.server_cpu)
    }

    /// A time in µs, divided by the number of operations.
    fn per_operation(&self, time: Duration) -> f64 {
        time.as_secs_f64() * 1e6 / self.tally.latency.count() as f64
    }
}

impl Figures {
    fn of(samples: &[Sample], warm: &Sample) -> Self {
        let all = || samples.iter().chain([warm]);
        let middle = |of: fn(&Sample) -> f64| median(samples.iter().map(of));
        let client = samples.iter().filter_map(|sample| Some((sample, sample.client_cpu?)));
        let client: Vec<f64> = client.map(|(sample, time)| sample.per_operation(time)).collect();
        Self {
            rate: middle(Sample::rate),
            p50_us: middle(|sample| sample.tally.latency.quantile_us(0.50)),
            p99_us: middle(|sample| sample.tally.latency.quantile_us(0.99)),
            server_us: middle(Sample::server_us),
            client_us: (!client.is_empty()).then(|| median(client)),
            other_cores: middle(|sample| sample.other_cores),
            errors: all().map(|sample| sample.tally.errors).sum(),
            first_error: all()
                .find_map(|sample| sample.tally.first_error.as_ref())
                .map(ToString::to_string),
        }
    }
}

/// The middle one; not a number if there is none.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Wrong;
    use crate::load::Tally;

    /// So many operations in a second, for each of which the server worked so long.
    fn sample(operations: u32, server_us: u64, errors: u64) -> Sample {
        let mut tally = Tally::new();
        tally.latency.record(Duration::from_micros(10), operations);
        tally.errors = errors;
        tally.first_error = (errors > 0).then(|| Wrong("no".to_owned()));
        Sample {
            tally,
            elapsed: Duration::from_secs(1),
            client_cpu: None,
            server_cpu: Duration::from_micros(server_us) * operations,
            other_cores: 0.0,
        }
    }

    #[test]
    fn figures_are_medians_and_the_warm_up_counts_for_errors_only() {
        let effort = Effort { rounds: 3, time: Duration::ZERO };
        let mut ours =
            [sample(1, 9, 1), sample(100, 4, 0), sample(300, 5, 0), sample(200, 6, 0)].into_iter();
        let mut bare = (0..4).map(|_| sample(400, 2, 0));
        let contest = hold(
            effort,
            |_| Ok(ours.next().expect("a turn")),
            |_| Ok(bare.next().expect("a turn")),
        );
        let contest = contest.expect("no failure");
        assert_eq!((contest.ours.rate, contest.ours.server_us), (200.0, 5.0));
        assert_eq!((contest.rate_ratio, contest.cpu_ratio), (0.5, 2.5));
        assert_eq!((contest.ours.errors, contest.ours.first_error.as_deref()), (1, Some("no")));
        assert_eq!((contest.bare.errors, contest.bare.first_error), (0, None));
    }

    #[test]
    fn the_median_is_the_middle_one() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median([]).is_nan());
    }
}
