use std::io;
use std::sync::{Arc, Mutex};

use tracing_subscriber::layer::SubscriberExt;

use super::*;

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn logged(is_terminal: bool, log: impl FnOnce()) -> String {
    let written = Written::default();
    let to = written.clone();
    let lines = tracing_subscriber::fmt::layer().with_writer(move || to.clone());
    let lines = lines.fmt_fields(PrintableFields::default()).with_ansi(is_terminal).without_time();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), log);
    String::from_utf8(written.0.lock().unwrap().clone()).unwrap()
}

#[test]
fn no_field_begins_a_line_or_controls_a_terminal() {
    let evil = "down\n2026 ERROR forged\u{1b}[2K\u{202e}\u{2028}";
    let error = io::Error::other(evil);
    for is_terminal in [false, true] {
        let line = logged(is_terminal, || {
            let _in = tracing::info_span!("of", evil).entered();
            tracing::warn!(evil, shown = %evil, debug = ?evil, error = &error as &dyn std::error::Error, "said {evil}");
        });
        assert_eq!(line.matches('\n').count(), 1, "{line:?}");
        assert!(line.ends_with('\n') && !line.contains(['\u{202e}', '\u{2028}']), "{line:?}");
        assert!(!line.contains("\u{1b}[2K"), "{line:?}");
        assert_eq!(line.matches("forged").count(), 6, "{line:?}");
    }
}

#[test]
fn long_fields_are_cut() {
    let long = "\u{e4}".repeat(LOG_FIELDS_BYTES);
    let line = logged(false, || tracing::warn!(long, after = 1, "said"));
    assert!(line.ends_with("\u{e4} [cut]\n"), "{}", &line[line.len() - 40..]);
    assert!(line.len() < LOG_FIELDS_BYTES + 200, "{}", line.len());
}
