//! The phase of a run, shared by all threads.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use tokio::sync::watch;

use super::work::Length;

/// The phases of a run, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Phase {
    /// Sessions are set up.
    SetUp,
    /// Calls are made and checked, but not measured.
    WarmUp,
    /// Calls are made, checked and measured.
    Measure,
    /// No new calls; the sessions stay.
    Stop,
    /// The sessions end.
    Close,
}

/// The state that all threads of a run share.
#[derive(Debug)]
pub(crate) struct Stage {
    now: AtomicU8,
    changes: watch::Sender<Phase>,
    /// In a run of a number of calls: how many may still begin.
    tickets: AtomicU64,
    done: AtomicU64,
    by_calls: bool,
}

impl Stage {
    /// The beginning of a run.
    pub(crate) fn new(length: Length) -> Self {
        let (tickets, by_calls) = match length {
            Length::Time(_) => (0, false),
            Length::Calls(calls) => (calls, true),
        };
        Self {
            now: AtomicU8::new(Phase::SetUp as u8),
            changes: watch::Sender::new(Phase::SetUp),
            tickets: AtomicU64::new(tickets),
            done: AtomicU64::new(0),
            by_calls,
        }
    }

    /// Enters a phase.
    pub(crate) fn set(&self, phase: Phase) {
        self.now.store(phase as u8, Ordering::SeqCst);
        self.changes.send_replace(phase);
    }

    /// Waits until a phase has begun.
    pub(crate) async fn reached(&self, phase: Phase) {
        // The sender lives as long as self.
        let _ = self.changes.subscribe().wait_for(|now| *now >= phase).await;
    }

    /// Asks to begin a call: `None` if no more may begin, else whether it certainly counts.
    pub(crate) fn begin_call(&self) -> Option<bool> {
        let now = self.now.load(Ordering::Relaxed);
        if now >= Phase::Stop as u8 {
            return None;
        }
        if !self.by_calls || now != Phase::Measure as u8 {
            return Some(false);
        }
        let take = |left: u64| left.checked_sub(1);
        self.tickets.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).ok().map(|_| true)
    }

    /// Ends a call, and returns whether it counts; `leave` is what [`begin_call`](Self::begin_call) returned.
    pub(crate) fn end_call(&self, leave: bool) -> bool {
        let counts =
            if self.by_calls { leave } else { self.now.load(Ordering::Relaxed) == Phase::Measure as u8 };
        if counts {
            self.done.fetch_add(1, Ordering::Relaxed);
        }
        counts
    }

    /// The number of measured calls that have ended.
    pub(crate) fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_run_of_some_calls_counts_just_these() {
        let stage = Stage::new(Length::Calls(2));
        stage.set(Phase::WarmUp);
        let early = stage.begin_call().unwrap();
        stage.set(Phase::Measure);
        assert!(!stage.end_call(early));
        let leaves = [stage.begin_call(), stage.begin_call(), stage.begin_call()];
        assert_eq!(leaves, [Some(true), Some(true), None]);
        assert!(stage.end_call(true) && stage.end_call(true));
        assert_eq!(stage.done(), 2);
    }

    #[test]
    fn a_run_of_some_time_counts_what_ends_within_it() {
        let stage = Stage::new(Length::Time(Duration::from_secs(1)));
        stage.set(Phase::WarmUp);
        let leave = stage.begin_call().unwrap();
        stage.set(Phase::Measure);
        assert!(stage.end_call(leave));
        let leave = stage.begin_call().unwrap();
        stage.set(Phase::Stop);
        assert!(!stage.end_call(leave));
        assert_eq!(stage.begin_call(), None);
    }
}
