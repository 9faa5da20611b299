//! What the instances of one server share about their attempts to reach it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::limits::{FAILURE_CAUSES, FAILURE_LINE};

/// Attempts to reach a server, by all instances of it: each user may have one. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Attempts(Arc<Shared>);

#[derive(Default)]
struct Shared {
    lines: Mutex<HashMap<String, Line>>,
    are_over: AtomicBool,
}

/// The last line of the log about one cause.
struct Line {
    at: Instant,
    left_out: u64,
}

impl Attempts {
    /// Whether the log is to have a line about a failure: one for each cause in [`FAILURE_LINE`]. Returns how many failures of this cause
    /// were left out since the last line.
    pub(crate) fn line(&self, cause: &str) -> Option<u64> {
        let mut lines = self.0.lines.lock();
        if let Some(line) = lines.get_mut(cause) {
            if line.at.elapsed() < FAILURE_LINE {
                line.left_out += 1;
                return None;
            }
            line.at = Instant::now();
            return Some(std::mem::take(&mut line.left_out));
        }
        if lines.len() >= FAILURE_CAUSES {
            let oldest = lines.iter().min_by_key(|(_, line)| line.at).map(|(cause, _)| cause.clone());
            oldest.map(|oldest| lines.remove(&oldest));
        }
        lines.insert(cause.to_owned(), Line { at: Instant::now(), left_out: 0 });
        Some(0)
    }

    /// Begins anew, as the server was reached: the next failure is of another outage.
    pub(crate) fn reached(&self) {
        self.0.lines.lock().clear();
    }

    /// Ends the attempts of those who have failed: the config has the server no more, or otherwise.
    pub(crate) fn end(&self) {
        self.0.are_over.store(true, Ordering::Relaxed);
    }

    pub(crate) fn are_over(&self) -> bool {
        self.0.are_over.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_cause_has_one_line_in_a_while_that_counts_what_was_left_out() {
        let attempts = Attempts::default();
        let of_another_user = attempts.clone();
        assert_eq!(attempts.line("refused"), Some(0));
        for _ in 0..3 {
            assert_eq!(of_another_user.line("refused"), None);
        }
        assert_eq!(attempts.line("timed out"), Some(0), "another cause");
        advance(FAILURE_LINE).await;
        assert_eq!(attempts.line("refused"), Some(3));
        assert_eq!(attempts.line("refused"), None);
        attempts.reached();
        assert_eq!(attempts.line("refused"), Some(0), "another outage");
    }

    #[tokio::test(start_paused = true)]
    async fn causes_that_always_differ_take_no_more_than_their_bound() {
        let attempts = Attempts::default();
        for number in 0..FAILURE_CAUSES * 3 {
            assert_eq!(attempts.line(&number.to_string()), Some(0));
            advance(Duration::from_millis(1)).await;
        }
        assert_eq!(attempts.0.lines.lock().len(), FAILURE_CAUSES);
        assert_eq!(attempts.line(&(FAILURE_CAUSES * 3 - 1).to_string()), None, "the oldest went");
    }
}
