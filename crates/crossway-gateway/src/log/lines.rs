//! Writes log lines on a thread of its own, so that a full pipe on standard error blocks no call.

use std::cell::Cell;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tracing_subscriber::fmt::MakeWriter;

use super::limits::{LOG_BYTES, LOG_END, LOG_KEPT_BYTES, LOG_RETRY};

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
    /// Dropped lines that the log does not report yet.
    untold: u64,
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

    /// Queues a line, or drops it if too much is queued.
    fn take(&self, line: &[u8]) {
        let mut state = self.lock();
        if state.waiting.len().saturating_add(line.len()) > LOG_BYTES && !IS_WRITER.get() {
            state.untold += 1;
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        state.waiting.extend_from_slice(line);
        drop(state);
        self.0.more.notify_one();
    }

    /// Queues a last line, however much is queued.
    pub(super) fn take_last(&self, line: &str) {
        let mut state = self.lock();
        state.waiting.extend_from_slice(line.as_bytes());
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
        drop(self.0.done.wait_timeout_while(self.lock(), LOG_END, is_left));
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
            let is_idle = |state: &mut State| state.waiting.is_empty();
            state = self.0.more.wait_while(state, is_idle).unwrap_or_else(PoisonError::into_inner);
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
        let lines = std::mem::take(&mut self.lock().untold);
        if lines > 0 {
            tracing::error!(lines, "lines of the log were dropped: it is not read as fast as it comes");
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
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
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Sends each piece that is written to it.
    struct Slow(mpsc::SyncSender<Vec<u8>>);

    impl Write for Slow {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            let part = &text[..text.len().min(7)];
            self.0.send(part.to_vec()).map_err(|_| io::ErrorKind::BrokenPipe)?;
            Ok(part.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn who_logs_never_waits_and_what_there_is_no_room_for_is_counted() {
        let lines = Lines::default();
        let line = [b"x".repeat(1023), b"\n".to_vec()].concat();
        for _ in 0..LOG_BYTES / line.len() + 3 {
            lines.make_writer().write_all(&line).unwrap();
        }
        assert_eq!((lines.dropped(), lines.lock().waiting.len()), (3, LOG_BYTES));
        lines.take_last("the end");
        // Nobody writes: it is waited for no longer than that.
        lines.flush();
        assert!(lines.lock().waiting.ends_with(b"\nthe end\n"));
    }

    #[test]
    fn lines_are_written_in_order_and_waited_for() {
        let lines = Lines::default();
        let (out, written) = mpsc::sync_channel(1000);
        let writer = lines.clone();
        std::thread::spawn(move || writer.write(Slow(out)));
        let mut wanted = Vec::new();
        for number in 0..100 {
            let line = format!("line {number}\n");
            lines.make_writer().write_all(line.as_bytes()).unwrap();
            wanted.extend_from_slice(line.as_bytes());
        }
        lines.flush();
        assert_eq!(written.try_iter().flatten().collect::<Vec<_>>(), wanted);
        drop(written);
        lines.make_writer().write_all(b"for nobody\nat all\n").unwrap();
        lines.flush();
        assert_eq!(lines.dropped(), 2);
    }
}
