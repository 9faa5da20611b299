//! Writes records.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde::Serialize;
use tokio::sync::mpsc;

use super::log::Totals;
use crate::Clock;
use crate::limits::{AUDIT_BATCH, AUDIT_PAUSE, AUDIT_RETRY, AUDIT_ROOMY};

/// Writes the records of an [`AuditLog`](super::AuditLog). While nobody does, calls wait or are refused once the log is full; when
/// it is dropped, all are refused.
pub struct AuditWriter {
    lines: mpsc::Receiver<Vec<u8>>,
    totals: Arc<Totals>,
    clock: Arc<dyn Clock>,
    batch: Vec<Vec<u8>>,
}

/// The record of calls that had no place for one.
#[derive(Serialize)]
struct Refused {
    time: String,
    event: &'static str,
    calls: u64,
}

impl AuditWriter {
    pub(super) fn new(lines: mpsc::Receiver<Vec<u8>>, totals: Arc<Totals>, clock: Arc<dyn Clock>) -> Self {
        Self { lines, totals, clock, batch: Vec::new() }
    }

    /// The next records, as whole lines; `None` once the log and its calls are gone. Their places in the log are free again: who
    /// takes them has to write them.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a future of this that is dropped has taken no record.
    pub async fn next(&mut self) -> Option<Vec<u8>> {
        self.lines.recv_many(&mut self.batch, AUDIT_BATCH).await;
        let records = self.batch.len();
        let lines = self.lines();
        self.wrote(records);
        lines
    }

    /// Writes to `out` until the log and its calls are gone. Blocks: it needs a thread of its own. Each batch is flushed, and a log
    /// with room for it gathers the next one for [`AUDIT_PAUSE`](crate::limits::AUDIT_PAUSE): waking this thread for each record
    /// would cost a call more than all else that its record does.
    ///
    /// What can't be written is written later: it is tried again each second, while the log fills up and calls wait or are refused.
    ///
    /// # Errors
    ///
    /// When records can't be written, and no call can come any more.
    pub fn run_blocking(mut self, mut out: impl Write) -> io::Result<()> {
        let has_room = self.lines.max_capacity() >= AUDIT_ROOMY;
        loop {
            self.lines.blocking_recv_many(&mut self.batch, AUDIT_BATCH);
            let records = self.batch.len();
            let Some(lines) = self.lines() else { return Ok(()) };
            self.write_all(&mut out, &lines)?;
            self.wrote(records);
            // Nobody waits for the last ones.
            if has_room && !self.lines.is_closed() && self.lines.sender_strong_count() > 0 {
                std::thread::sleep(AUDIT_PAUSE);
            }
        }
    }

    fn write_all(&self, out: &mut impl Write, mut lines: &[u8]) -> io::Result<()> {
        let mut was_told = false;
        loop {
            let error = match out.write(lines) {
                Ok(0) if !lines.is_empty() => io::ErrorKind::WriteZero.into(),
                Ok(count) => {
                    lines = &lines[count..];
                    match lines.is_empty().then(|| out.flush()) {
                        None => continue,
                        Some(Ok(())) => return Ok(()),
                        Some(Err(error)) => error,
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => error,
            };
            if self.lines.is_closed() || (self.lines.is_empty() && self.lines.sender_strong_count() == 0) {
                return Err(error);
            }
            if !std::mem::replace(&mut was_told, true) {
                tracing::error!(target: crate::names::AUDIT, %error, "the audit log can't be written; calls are held up when it is full");
            }
            std::thread::sleep(AUDIT_RETRY);
        }
    }

    fn wrote(&self, records: usize) {
        self.totals.recorded.fetch_add(records as u64, Ordering::Relaxed);
    }

    /// The batch in one piece, with word of those that are not in it.
    fn lines(&mut self) -> Option<Vec<u8>> {
        let refused = self.totals.untold.swap(0, Ordering::Relaxed);
        if self.batch.is_empty() && refused == 0 {
            return None;
        }
        let mut lines = Vec::with_capacity(self.batch.iter().map(Vec::len).sum());
        for line in self.batch.drain(..) {
            lines.extend_from_slice(&line);
        }
        if refused > 0 {
            let time = humantime::format_rfc3339_millis(self.clock.now()).to_string();
            let event = "calls refused for want of room in this log";
            // Writing to memory can't fail.
            let _ = serde_json::to_writer(&mut lines, &Refused { time, event, calls: refused });
            lines.push(b'\n');
        }
        Some(lines)
    }
}

impl fmt::Debug for AuditWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditWriter").field("waiting", &self.lines.len()).finish_non_exhaustive()
    }
}
