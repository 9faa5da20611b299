//! Pauses between probes of a URL.

use std::time::Duration;

use tokio::time::Instant;

use super::limits::{FIRST_PAUSE, LONGEST_PAUSE, NEWS};

/// When it may be looked again.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    /// When it was looked last, and for how long not again.
    last: Option<(Instant, Duration)>,
    /// How often something new was found since there was none for long.
    news: u32,
}

impl Pauses {
    /// Whether it may be looked now; then the next pause begins.
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

    /// Something new was found: it may be looked again at once.
    pub(super) fn note_news(&mut self) {
        self.news += 1;
        if self.news <= NEWS {
            self.last = self.last.map(|(last, _)| (last, Duration::ZERO));
        }
    }

    /// Nothing was there to be looked at: the pause is the first again.
    pub(super) fn forget(&mut self) {
        self.last = self.last.map(|(last, _)| (last, FIRST_PAUSE));
    }
}
