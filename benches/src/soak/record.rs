//! The record of a soak.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::events::{Event, What};
use super::tally::Counts;
use crate::bars::median;
use crate::system::System;

/// The highest allowed ratio of memory at the end to memory after the beginning.
const MORE_MEMORY: f64 = 1.10;

/// The part of the time in which users and caches come into being.
const BEGINNING: f64 = 1.0 / 3.0;

/// The record of a soak.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) system: System,
    /// The command line.
    pub(crate) command: String,
    pub(crate) users: usize,
    pub(crate) tenants: usize,
    pub(crate) seconds: f64,
    pub(crate) counts: Counts,
    pub(crate) faults: BTreeMap<String, u64>,
    /// The number of lines in the audit log.
    pub(crate) audited: u64,
    /// The number of log lines with a secret in them.
    pub(crate) leaks: u64,
    /// What went wrong with the programs themselves.
    pub(crate) broke: Option<String>,
    pub(crate) ticks: Vec<Tick>,
    pub(crate) events: Vec<Event>,
}

/// The figures at one time, and since the tick before.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Tick {
    /// Seconds since the start.
    pub(crate) at: f64,
    /// Memory of the gateway, without the servers that it started.
    pub(crate) resident_bytes: u64,
    /// Processor time of the gateway since the tick before, per second.
    pub(crate) cpu: f64,
    pub(crate) descriptors: usize,
    pub(crate) sessions: f64,
    pub(crate) turns_per_second: f64,
    pub(crate) calls_per_second: f64,
    /// The time of calls, in microseconds.
    pub(crate) call_p50: f64,
    pub(crate) call_p99: f64,
    /// The time of lists, in microseconds.
    pub(crate) list_p50: f64,
    pub(crate) list_p99: f64,
}

impl Record {
    /// The memory after the beginning and at the end, in bytes: medians of a sixth of the time each.
    pub(crate) fn memory(&self) -> Option<(f64, f64)> {
        let within = |from: f64, to: f64| {
            let ticks = self.ticks.iter().filter(|tick| (from..to).contains(&(tick.at / self.seconds)));
            median(ticks.map(|tick| tick.resident_bytes as f64).collect())
        };
        Some((within(BEGINNING, BEGINNING + 1.0 / 6.0)?, within(5.0 / 6.0, 1.1)?))
    }

    /// Whether memory does not grow.
    pub(crate) fn is_flat(&self) -> bool {
        self.memory().is_some_and(|(before, after)| after <= before * MORE_MEMORY)
    }

    /// Whether the soak has passed.
    pub(crate) fn is_clean(&self) -> bool {
        self.counts.is_clean() && self.leaks == 0 && self.broke.is_none() && self.is_flat()
    }

    /// The number of events of this kind.
    pub(crate) fn count(&self, what: What) -> usize {
        self.events.iter().filter(|event| event.what == what).count()
    }

    /// The median of a figure over all ticks but the first, when users are starting.
    pub(crate) fn median(&self, figure: impl Fn(&Tick) -> f64) -> f64 {
        median(self.ticks.iter().skip(1).map(figure).collect()).unwrap_or_default()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::soak) fn record(memory: impl Fn(usize) -> u64) -> Record {
        let tick = |number: usize| Tick {
            at: number as f64 * 10.0,
            resident_bytes: memory(number),
            cpu: 0.2,
            descriptors: 100,
            sessions: 9.0,
            turns_per_second: 30.0,
            calls_per_second: 60.0,
            call_p50: 500.0,
            call_p99: 3000.0,
            list_p50: 700.0,
            list_p99: 4000.0,
        };
        Record {
            system: System::look(None),
            command: "crossway-soak".to_owned(),
            users: 2000,
            tenants: 20,
            seconds: 600.0,
            counts: Counts { turns: 1, right: 2, ..Counts::default() },
            faults: BTreeMap::new(),
            audited: 2,
            leaks: 0,
            broke: None,
            ticks: (1..=60).map(tick).collect(),
            events: vec![Event { at: 20.0, what: What::Kill }, Event { at: 300.0, what: What::Reload }],
        }
    }

    #[test]
    fn memory_that_grows_after_the_beginning_is_not_flat() {
        assert!(record(|number| if number < 20 { number as u64 } else { 20 } * 1_000_000).is_flat());
        assert!(!record(|number| number as u64 * 1_000_000).is_flat());
    }

    #[test]
    fn one_fault_is_enough() {
        let flat = || record(|_| 50_000_000);
        assert!(flat().is_clean());
        assert!(!Record { counts: Counts { across: 1, ..Counts::default() }, ..flat() }.is_clean());
        assert!(!Record { counts: Counts { failed: 1, ..Counts::default() }, ..flat() }.is_clean());
        assert!(!Record { leaks: 1, ..flat() }.is_clean());
        assert!(!Record { broke: Some("it ended".to_owned()), ..flat() }.is_clean());
    }
}
