//! The report: tables in Markdown, one row a contestant, and beneath them the
//! ratios and targets.

use std::process::ExitCode;

use crate::contest::{Contest, Figures};

/// Prints as the figures come, and remembers what went wrong.
#[derive(Debug)]
pub(crate) struct Report {
    errors: u64,
    missed: Vec<String>,
}

/// A figure that has to be reached.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target<'a> {
    /// What is measured, with its unit.
    pub(crate) what: &'a str,
    /// What came out.
    pub(crate) found: f64,
    /// What should.
    pub(crate) wanted: Wanted,
}

/// On which side of a limit a figure has to be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wanted {
    /// At least so much.
    AtLeast(f64),
    /// Less than that.
    Below(f64),
}

impl Report {
    /// An empty report.
    pub(crate) fn new() -> Self {
        Self { errors: 0, missed: Vec::new() }
    }

    /// Begins a table.
    pub(crate) fn table(&mut self, title: &str) {
        println!("\n## {title}\n");
        println!(
            "| | ops/s | p50 µs | p99 µs | server CPU µs/op | client CPU µs/op | other cores | errors |"
        );
        println!("|---|---|---|---|---|---|---|---|");
    }

    /// One contestant.
    pub(crate) fn row(&mut self, name: &str, figures: &Figures) {
        println!(
            "| {name} | {} | {} | {} | {} | {} | {:.2} | {} |",
            number(figures.rate),
            number(figures.p50_us),
            number(figures.p99_us),
            number(figures.server_us),
            figures.client_us.map_or("-".to_owned(), number),
            figures.other_cores,
            figures.errors
        );
        if let Some(error) = &figures.first_error {
            println!("\nWrong, first of {}: {error}\n", figures.errors);
        }
        self.errors += figures.errors;
    }

    /// Both contestants, and how they compare.
    pub(crate) fn contest(&mut self, name: &str, bare: &str, contest: &Contest) {
        self.row(&format!("**{name}**"), &contest.ours);
        self.row(bare, &contest.bare);
        println!(
            "| *ratio* | {} | {} | {} | {} | | | |",
            number(contest.rate_ratio),
            number(contest.ours.p50_us / contest.bare.p50_us),
            number(contest.ours.p99_us / contest.bare.p99_us),
            number(contest.cpu_ratio)
        );
    }

    /// A table of single figures.
    pub(crate) fn memory(&mut self, title: &str, rows: &[(String, f64)]) {
        println!("\n## {title}\n\n| | |\n|---|---|");
        for (name, figure) in rows {
            println!("| {name} | {} |", number(*figure));
        }
    }

    /// A line of text beneath a table.
    pub(crate) fn note(&mut self, text: &str) {
        println!("\n{text}");
    }

    /// A target, and whether it was met.
    pub(crate) fn target(&mut self, target: Target<'_>) {
        let (met, sign, limit) = match target.wanted {
            Wanted::AtLeast(limit) => (target.found >= limit, "at least", limit),
            Wanted::Below(limit) => (target.found < limit, "below", limit),
        };
        let line = format!(
            "{}: {}, wanted {sign} {}: {}",
            target.what,
            number(target.found),
            number(limit),
            if met { "met" } else { "**missed**" }
        );
        println!("\n{line}");
        if !met {
            self.missed.push(line);
        }
    }

    /// Sums up. Wrong answers fail the run; a missed target does not, because
    /// it is as much about the machine.
    pub(crate) fn close(self) -> ExitCode {
        println!("\n## Summary\n\n{} targets missed.", self.missed.len());
        for missed in &self.missed {
            println!("- {missed}");
        }
        if self.errors == 0 {
            return ExitCode::SUCCESS;
        }
        println!("\n{} answers were wrong: these figures mean nothing.", self.errors);
        ExitCode::FAILURE
    }
}

/// So many of these things.
pub(crate) fn count(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

/// Three digits that matter, thousands apart.
fn number(value: f64) -> String {
    if !value.is_finite() {
        return "-".to_owned();
    }
    match value.abs() {
        size if size < 10.0 => format!("{value:.2}"),
        size if size < 100.0 => format!("{value:.1}"),
        _ => thousands(&format!("{value:.0}")),
    }
}

/// A whole number with its thousands apart.
fn thousands(number: &str) -> String {
    let (sign, digits) = number.split_at(usize::from(number.starts_with('-')));
    let mut text = sign.to_owned();
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_show_what_matters() {
        for (value, expected) in [
            (0.0, "0.00"),
            (1.234, "1.23"),
            (12.34, "12.3"),
            (123.4, "123"),
            (1234.5, "1,234"),
            (1_234_567.0, "1,234,567"),
            (-1234.0, "-1,234"),
            (-123.0, "-123"),
            (f64::NAN, "-"),
        ] {
            assert_eq!(number(value), expected);
        }
    }

    #[test]
    fn a_missed_target_is_remembered() {
        let mut report = Report::new();
        let target = |wanted| Target { what: "speed", found: 2.0, wanted };
        report.target(target(Wanted::AtLeast(2.0)));
        report.target(target(Wanted::Below(3.0)));
        assert!(report.missed.is_empty());
        report.target(target(Wanted::Below(2.0)));
        assert_eq!(report.missed.len(), 1);
    }
}
