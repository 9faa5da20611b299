//! Writes audit records.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

use super::log::{Totals, Written};
use crate::Clock;
use crate::limits::{AUDIT_BATCH, AUDIT_PAUSE, AUDIT_RETRY, AUDIT_ROOMY};

/// Writes the records of an [`AuditLog`](super::AuditLog). Until it is run, calls wait or are refused once the log is full. When it is
/// dropped, all calls are refused.
pub struct AuditWriter {
    lines: mpsc::Receiver<Written>,
    totals: Arc<Totals>,
    clock: Arc<dyn Clock>,
    batch: Vec<Written>,
}

/// The senders that notify those who wait until records are written.
type Awaited = Vec<oneshot::Sender<()>>;

/// The record of calls that were refused because there was no place.
#[derive(Serialize)]
struct Refused {
    time: String,
    event: &'static str,
    calls: u64,
}

impl AuditWriter {
    pub(super) fn new(lines: mpsc::Receiver<Written>, totals: Arc<Totals>, clock: Arc<dyn Clock>) -> Self {
        Self { lines, totals, clock, batch: Vec::new() }
    }

    /// Returns the next records, as whole lines; `None` once the log and its calls are gone. The caller has to write them, because their
    /// places in the log are free again.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a future that is dropped early has taken no record.
    pub async fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            let taken = self.lines.recv_many(&mut self.batch, AUDIT_BATCH).await;
            let records = self.records();
            let (lines, awaited) = self.lines();
            self.wrote(records, awaited);
            if lines.is_some() || taken == 0 {
                return lines;
            }
        }
    }

    /// Writes to `out` until the log and its calls are gone. Blocks, so it needs a thread of its own. Each batch is flushed. A log with
    /// enough room then gathers the next batch for [`AUDIT_PAUSE`](crate::limits::AUDIT_PAUSE), because waking this thread for each
    /// record would cost a call more than everything else about its record.
    ///
    /// After an error, writing is tried again each second. Meanwhile the log fills up, and calls wait or are refused.
    ///
    /// # Errors
    ///
    /// When records can't be written and no more calls can come.
    pub fn run_blocking(mut self, mut out: impl Write) -> io::Result<()> {
        let has_room = self.lines.max_capacity() >= AUDIT_ROOMY;
        loop {
            let taken = self.lines.blocking_recv_many(&mut self.batch, AUDIT_BATCH);
            let records = self.records();
            let (lines, awaited) = self.lines();
            match lines {
                Some(lines) => self.write_all(&mut out, &lines)?,
                None if taken == 0 => return Ok(()),
                None => {}
            }
            self.wrote(records, awaited);
            // After the last record, there is no batch to gather.
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
                        Some(Ok(())) => {
                            if was_told {
                                tracing::warn!(target: crate::names::AUDIT, "the audit log can be written again");
                            }
                            return Ok(());
                        }
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

    /// The number of records in the batch.
    fn records(&self) -> usize {
        self.batch.iter().filter(|written| written.awaited.is_none()).count()
    }

    fn wrote(&self, records: usize, awaited: Awaited) {
        self.totals.recorded.fetch_add(records as u64, Ordering::Relaxed);
        for awaited in awaited {
            // The receiver may have given up.
            let _ = awaited.send(());
        }
    }

    /// Takes the lines of the batch, with a line about refused calls, and the senders to notify once these are written.
    fn lines(&mut self) -> (Option<Vec<u8>>, Awaited) {
        let refused = self.totals.untold.swap(0, Ordering::Relaxed);
        let mut awaited = Awaited::new();
        let mut lines = Vec::with_capacity(self.batch.iter().map(|written| written.line.len()).sum());
        for written in self.batch.drain(..) {
            lines.extend_from_slice(&written.line);
            awaited.extend(written.awaited);
        }
        if refused > 0 {
            let time = humantime::format_rfc3339_millis(self.clock.now()).to_string();
            let event = "calls refused for want of room in this log";
            // Writing to memory can't fail.
            let _ = serde_json::to_writer(&mut lines, &Refused { time, event, calls: refused });
            lines.push(b'\n');
        }
        ((!lines.is_empty()).then_some(lines), awaited)
    }
}

impl fmt::Debug for AuditWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditWriter").field("waiting", &self.lines.len()).finish_non_exhaustive()
    }
}
