//! Logs a child's stderr line by line and keeps the last lines.

use std::collections::VecDeque;

use crossway_proto::is_misread;
use crossway_proto::line::LineDecoder;
use parking_lot::Mutex;
use tokio::io::AsyncRead;

use crate::fill::poll_fill;
use crate::limits::{QUOTED_BYTES, STDERR_LINE_BYTES};

/// A child's last lines on stderr.
#[derive(Debug)]
pub(super) struct LastLines {
    most: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    lines: VecDeque<String>,
    bytes: usize,
}

impl LastLines {
    /// Keeps at most this many lines, and at most [`QUOTED_BYTES`].
    pub(super) fn new(most: usize) -> Self {
        Self { most, kept: Mutex::default() }
    }

    fn push(&self, line: String) {
        let mut kept = self.kept.lock();
        kept.bytes += line.len();
        kept.lines.push_back(line);
        while kept.lines.len() > self.most || kept.bytes > QUOTED_BYTES {
            let Some(oldest) = kept.lines.pop_front() else { break };
            kept.bytes -= oldest.len();
        }
    }

    pub(super) fn to_vec(&self) -> Vec<String> {
        self.kept.lock().lines.iter().cloned().collect()
    }
}

/// Reads stderr to its end. 2025-11-25, basic/transports, stdio: "the client [...] **SHOULD NOT** assume `stderr`
/// output indicates error conditions", so it is logged as information.
pub(super) async fn follow(
    mut stderr: impl AsyncRead + Unpin,
    pid: u32,
    (upstream, tenant): (Option<&str>, Option<&str>),
    last: &LastLines,
) {
    let mut lines = LineDecoder::new(STDERR_LINE_BYTES);
    loop {
        let read = std::future::poll_fn(|cx| poll_fill(&mut stderr, &mut lines, cx)).await;
        let is_end = !matches!(read, Ok(1..));
        loop {
            let line = match if is_end { lines.finish() } else { lines.next_line() } {
                Ok(Some(line)) => printable(&line),
                Ok(None) => break,
                Err(too_long) => printable(&too_long.head) + " [...]",
            };
            tracing::info!(target: "crossway::child", pid, upstream, tenant, "{line}");
            last.push(line);
        }
        if is_end {
            return;
        }
    }
}

/// Removes escape sequences and characters that are [misread](is_misread), so that no line of the log can pass for another or manipulate a
/// terminal.
pub(super) fn printable(line: &[u8]) -> String {
    let line = String::from_utf8_lossy(line);
    let mut text = String::with_capacity(line.len());
    let mut chars = line.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            // A control sequence extends to its final byte (ECMA-48, section 5.4).
            '\u{1b}' if chars.next_if_eq(&'[').is_some() => {
                while chars.next_if(|char| !('@'..='~').contains(char)).is_some() {}
                chars.next();
            }
            '\t' => text.push(' '),
            char if is_misread(char) => {}
            char => text.push(char),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_last_lines_are_kept_within_bounds() {
        let last = LastLines::new(3);
        follow(&b"one\ntwo\r\n\nthree\nfour, without an end"[..], 1, (None, None), &last).await;
        assert_eq!(last.to_vec(), ["two", "three", "four, without an end"]);

        let last = LastLines::new(20);
        follow(
            format!("{}\nend\n", "x".repeat(3000) + "\n" + &"y".repeat(3000)).as_bytes(),
            1,
            (None, None),
            &last,
        )
        .await;
        assert_eq!(last.to_vec(), ["y".repeat(3000).as_str(), "end"]);
    }

    #[tokio::test]
    async fn a_long_line_is_cut() {
        let last = LastLines::new(20);
        follow(format!("{}\nend\n", "x".repeat(1 << 20)).as_bytes(), 1, (None, None), &last).await;
        let lines = last.to_vec();
        assert!(
            lines[0].starts_with("xxx") && lines[0].ends_with("[...]") && lines[0].len() < STDERR_LINE_BYTES
        );
        assert_eq!(lines[1], "end");
    }

    #[test]
    fn a_line_can_not_play_with_the_terminal() {
        assert_eq!(printable(b"\x1b[1;31merror\x1b[0m:\tno \x07file\x1b]0;title"), "error: no file]0;title");
        assert_eq!(printable("a\u{202e}b\u{2028}c\u{9b}d".as_bytes()), "abcd");
        assert_eq!(printable(b"caf\xc3\xa9 \xff"), "caf\u{e9} \u{fffd}");
    }
}
