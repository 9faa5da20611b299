//! Writes log lines on a thread of its own, so that a full pipe on standard error blocks no call.

use std::borrow::Cow;
use std::cell::Cell;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossway_proto::{escape, is_misread, printable_lines};
use parking_lot::{Condvar, Mutex, MutexGuard};
use tracing_subscriber::fmt::MakeWriter;

use super::limits::{LOG_BYTES, LOG_END, LOG_KEPT_BYTES, LOG_LINE_BYTES, LOG_RETRY};

thread_local! {
    /// Whether this is the writer's thread, which always has room for its report of dropped lines.
    static IS_WRITER: Cell<bool> = const { Cell::new(false) };
}

/// The queue of lines to write. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Lines(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Notified when there is something to write.
    more: Condvar,
    /// Notified when everything is written.
    done: Condvar,
    dropped: AtomicU64,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    is_writing: bool,
    /// Dropped lines that the log does not report yet: for want of room, and because they were too long.
    untold: u64,
    untold_long: u64,
}

impl Lines {
    /// Starts a thread that writes to standard error.
    ///
    /// # Errors
    ///
    /// When the thread can't be started.
    pub(super) fn start() -> io::Result<Self> {
        let lines = Self::default();
        let written = lines.clone();
        std::thread::Builder::new().name("log".to_owned()).spawn(move || written.write(io::stderr()))?;
        Ok(lines)
    }

    /// Queues a line, or drops it if it is too long or too much is queued.
    fn take(&self, line: &[u8]) {
        let line = shown(line);
        let mut state = self.lock();
        if line.len() > LOG_LINE_BYTES {
            state.untold_long += 1;
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
            drop(state);
            self.0.more.notify_one();
            return;
        }
        if state.waiting.len().saturating_add(line.len()) > LOG_BYTES && !IS_WRITER.get() {
            state.untold += 1;
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        state.waiting.extend_from_slice(&line);
        drop(state);
        self.0.more.notify_one();
    }

    /// Queues a last line, however much is queued.
    pub(super) fn take_last(&self, line: &str) {
        let mut state = self.lock();
        state.waiting.extend_from_slice(printable_lines(line).as_bytes());
        state.waiting.push(b'\n');
        drop(state);
        self.0.more.notify_one();
    }

    /// The number of dropped lines.
    pub(super) fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    /// Waits until all is written, for [`LOG_END`] at most.
    pub(super) fn flush(&self) {
        let is_left = |state: &mut State| state.is_writing || !state.waiting.is_empty();
        // Whatever is not written by then is given up.
        self.0.done.wait_while_for(&mut self.lock(), is_left, LOG_END);
    }

    /// Writes for as long as the process lives.
    fn write(&self, mut out: impl Write) {
        IS_WRITER.set(true);
        let mut batch = Vec::new();
        loop {
            let mut state = self.lock();
            state.is_writing = false;
            if state.waiting.is_empty() {
                self.0.done.notify_all();
            }
            let is_idle = |state: &mut State| state.waiting.is_empty() && state.untold_long == 0;
            self.0.more.wait_while(&mut state, is_idle);
            std::mem::swap(&mut state.waiting, &mut batch);
            state.is_writing = true;
            drop(state);
            self.write_all(&mut out, &batch);
            batch.clear();
            batch.shrink_to(LOG_KEPT_BYTES);
            self.tell_dropped();
        }
    }

    fn write_all(&self, out: &mut impl Write, mut text: &[u8]) {
        while !text.is_empty() {
            match out.write(text) {
                Ok(length @ 1..) => text = text.get(length..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::sleep(LOG_RETRY),
                // Nobody can read the log any more.
                Ok(0) | Err(_) => {
                    let lines = text.iter().filter(|byte| **byte == b'\n').count();
                    self.0.dropped.fetch_add(lines as u64, Ordering::Relaxed);
                    return;
                }
            }
        }
    }

    /// Logs how many lines were dropped, after the lines that came before them.
    fn tell_dropped(&self) {
        let (lines, long) = {
            let mut state = self.lock();
            (std::mem::take(&mut state.untold), std::mem::take(&mut state.untold_long))
        };
        if lines > 0 {
            tracing::error!(lines, "lines of the log were dropped: it is not read as fast as it comes");
        }
        if long > 0 {
            tracing::error!(lines = long, "lines of the log were dropped: they are longer than 64 KiB");
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock()
    }
}

/// Escapes what is [misread](is_misread) beyond printable ASCII. Both formats have escaped the controls before that, and colors of a terminal
/// stay. What this writes is as valid in JSON.
fn shown(line: &[u8]) -> Cow<'_, [u8]> {
    match std::str::from_utf8(line)
        .map(|line| escape(line, |character| character > '~' && is_misread(character)))
    {
        Ok(Cow::Owned(shown)) => Cow::Owned(shown.into_bytes()),
        _ => Cow::Borrowed(line),
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(self)
    }
}

/// The writer of a line, which gets it in one piece.
pub(super) struct Line<'a>(&'a Lines);

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.take(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
