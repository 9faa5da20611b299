//! Counts and latencies of calls.

use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::check::Fault;
use crate::limits::MAX_QUOTED_FAILURES;

/// Three significant digits: machines don't reproduce a latency to a thousandth.
const DIGITS: u8 = 3;

/// Calls without a right answer, including those before and after the measured time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Answers with another id or another text, or to no call.
    pub wrong: u64,
    /// Calls refused, or answered with an error.
    pub failed: u64,
    /// Calls not answered.
    pub lost: u64,
}

impl Counts {
    /// Whether every call got its right answer.
    pub fn is_clean(self) -> bool {
        self == Self::default()
    }
}

/// Durations in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Latency {
    /// The median.
    pub p50: f64,
    /// The 90th percentile.
    pub p90: f64,
    /// The 99th percentile.
    pub p99: f64,
    /// The maximum.
    pub max: f64,
    /// The average.
    pub mean: f64,
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { p50, p90, p99, max, mean } = self;
        write!(f, "p50 {p50:.0}  p90 {p90:.0}  p99 {p99:.0}  max {max:.0}  mean {mean:.0} us")
    }
}

/// Durations, for percentiles.
#[derive(Debug, Clone)]
pub(crate) struct Durations(Histogram<u64>);

impl Default for Durations {
    #[expect(clippy::expect_used, reason = "three digits are within the bounds of the recorder")]
    fn default() -> Self {
        Self(Histogram::new(DIGITS).expect("three digits are allowed"))
    }
}

impl Durations {
    /// Records one duration.
    pub(crate) fn record(&mut self, duration: Duration) {
        // The histogram grows as needed.
        let _ = self.0.record(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX).max(1));
    }

    /// Adds the durations of another.
    pub(crate) fn add(&mut self, other: &Self) {
        let _ = self.0.add(&other.0);
    }

    /// The percentiles.
    pub(crate) fn latency(&self) -> Latency {
        let micros = |nanos: u64| nanos as f64 / 1000.0;
        Latency {
            p50: micros(self.0.value_at_quantile(0.5)),
            p90: micros(self.0.value_at_quantile(0.9)),
            p99: micros(self.0.value_at_quantile(0.99)),
            max: micros(self.0.max()),
            mean: self.0.mean() / 1000.0,
        }
    }
}

/// The counts of one slot, or of several.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    /// The number of right answers within the measured time.
    pub(crate) calls: u64,
    /// The durations of these.
    pub(crate) durations: Durations,
    /// The counts of faults.
    pub(crate) counts: Counts,
    /// Some of the faults, in words.
    pub(crate) quoted: Vec<String>,
}

impl Tally {
    /// Counts a fault.
    pub(crate) fn fault(&mut self, fault: &Fault) {
        match fault {
            Fault::Wrong(_) => self.counts.wrong += 1,
            Fault::Failed(_) => self.counts.failed += 1,
            Fault::Lost(_) => self.counts.lost += 1,
        }
        self.quote(fault.to_string());
    }

    /// Counts answers that no call expected.
    pub(crate) fn strays(&mut self, strays: u64) {
        if strays > 0 {
            self.counts.wrong += strays;
            self.quote(format!("{strays} answers came to questions that the session had not asked"));
        }
    }

    /// Adds the counts of another.
    pub(crate) fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.durations.add(&other.durations);
        self.counts.wrong += other.counts.wrong;
        self.counts.failed += other.counts.failed;
        self.counts.lost += other.counts.lost;
        for text in other.quoted {
            self.quote(text);
        }
    }

    fn quote(&mut self, text: String) {
        if self.quoted.len() < MAX_QUOTED_FAILURES && !self.quoted.contains(&text) {
            self.quoted.push(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_what_was_recorded() {
        let mut durations = Durations::default();
        for micros in 1..=1000 {
            durations.record(Duration::from_micros(micros));
        }
        let latency = durations.latency();
        for (value, expected) in
            [(latency.p50, 500.0), (latency.p90, 900.0), (latency.p99, 990.0), (latency.max, 1000.0)]
        {
            assert!((value - expected).abs() <= expected / 500.0, "{value} is not {expected}");
        }
        assert!((latency.mean - 500.5).abs() < 1.0);
    }

    #[test]
    fn tallies_add_up() {
        let mut all = Tally::default();
        for number in 0..10 {
            let mut one = Tally { calls: 1, ..Tally::default() };
            one.durations.record(Duration::from_millis(number + 1));
            one.fault(&Fault::Lost(format!("{number}")));
            one.strays(2);
            all.add(one);
        }
        assert_eq!(all.calls, 10);
        assert_eq!(all.counts, Counts { wrong: 20, failed: 0, lost: 10 });
        assert_eq!(all.quoted.len(), MAX_QUOTED_FAILURES);
        assert!(all.durations.latency().max >= 9900.0);
    }
}
