//! How often it is looked.

use std::time::Duration;

use tokio::time::Instant;

/// How long it takes at least from one look to the next, at first: 1 s. It doubles with each that shows nothing new.
const FIRST: Duration = Duration::from_secs(1);

/// The longest of these pauses: 1 minute. A look is two or three requests. After twice as long without one, the next pause is the first.
const MOST: Duration = Duration::from_secs(60);

/// How many times in a row something new is found before that has a pause as well: 4. Of two servers at one URL that take turns, each
/// call would find the other.
const NEWS: u32 = 4;

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
            Some((last, pause)) if now < last + MOST * 2 => (pause * 2).clamp(FIRST, MOST),
            _ => {
                self.news = 0;
                FIRST
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
        self.last = self.last.map(|(last, _)| (last, FIRST));
    }
}
