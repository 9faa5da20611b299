//! The progress bar, shown only on a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A progress bar on stderr.
#[derive(Debug)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// A bar with this number of steps, or a hidden one.
    pub(crate) fn new(shown: bool, what: &'static str, steps: u64) -> Self {
        let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(steps), target);
        if let Ok(style) = ProgressStyle::with_template("{prefix:<9} [{bar:30}] {percent:>3} %  {msg}") {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_prefix(what);
        Self(bar)
    }

    /// A bar over this time.
    pub(crate) fn of_time(shown: bool, what: &'static str, time: Duration) -> Self {
        Self::new(shown, what, u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    }

    /// Sets the progress, in steps.
    pub(crate) fn at(&self, step: u64) {
        self.0.set_position(step);
    }

    /// Sets the progress, in time.
    pub(crate) fn at_time(&self, time: Duration) {
        self.at(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    }

    /// Shows a message beside the bar.
    pub(crate) fn say(&self, message: String) {
        self.0.set_message(message);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
