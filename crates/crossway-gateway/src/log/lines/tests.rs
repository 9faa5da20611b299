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
fn lines_that_are_too_long_take_the_place_of_no_others_and_are_counted() {
    let lines = Lines::default();
    lines.make_writer().write_all(&[b'x'; LOG_LINE_BYTES + 1]).unwrap();
    lines.make_writer().write_all(&[b'x'; LOG_LINE_BYTES]).unwrap();
    let state = lines.lock();
    assert_eq!((lines.dropped(), state.waiting.len()), (1, LOG_LINE_BYTES));
    assert_eq!((state.untold, state.untold_long), (0, 1));
}

#[test]
fn a_line_in_json_has_nothing_that_is_misread() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt().json().with_writer(lines.clone()).finish();
    let evil = "a\n\u{1b}[2K\u{7f}\u{9b}\u{202e}\u{2028}\u{e4}";
    tracing::subscriber::with_default(subscriber, || tracing::warn!(evil, "said {evil}"));
    let line = String::from_utf8(lines.lock().waiting.clone()).unwrap();
    assert!(!line.trim_end_matches('\n').contains(is_misread), "{line:?}");
    let read: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(read["fields"]["evil"], evil);
    assert_eq!(read["fields"]["message"], format!("said {evil}"));
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
