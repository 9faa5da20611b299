//! Pauses between probes of a URL.

use std::time::Duration;

use tokio::time::Instant;

use super::limits::{FIRST_PAUSE, LONGEST_PAUSE, NEWS};

/// Decides when a URL may be probed again.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    /// The time of the last probe, and the pause after it.
    last: Option<(Instant, Duration)>,
    /// How often a probe has found a change since the last long time without probes.
    news: u32,
}

impl Pauses {
    /// Whether a probe may be made now. If so, the next pause begins.
    pub(super) fn is_over(&mut self) -> bool {
        let now = Instant::now();
        let pause = match self.last {
            Some((last, pause)) if now < last + pause => return false,
            Some((last, pause)) if now < last + LONGEST_PAUSE * 2 => {
                (pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE)
            }
            _ => {
                self.news = 0;
                FIRST_PAUSE
            }
        };
        self.last = Some((now, pause));
        true
    }

    /// Records that a probe has found a change. The next probe may follow at once, up to [`NEWS`] times.
    pub(super) fn note_news(&mut self) {
        self.news += 1;
        if self.news <= NEWS {
            self.last = self.last.map(|(last, _)| (last, Duration::ZERO));
        }
    }

    /// Records that the server could not be reached. The pause starts over with the shortest.
    pub(super) fn forget(&mut self) {
        self.last = self.last.map(|(last, _)| (last, FIRST_PAUSE));
    }
}
