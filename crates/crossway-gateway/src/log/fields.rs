//! Fields of log lines as text.

use std::fmt::{self, Write};

use crossway_proto::printable;
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::{DefaultFields, Writer};

use super::limits::LOG_FIELDS_BYTES;

/// Formats fields [printable](crossway_proto::printable), and [`LOG_FIELDS_BYTES`] of them at most: they may have text of servers and of
/// callers, which must neither look like other lines nor control a terminal.
#[derive(Default)]
pub(super) struct PrintableFields(DefaultFields);

impl<'a> FormatFields<'a> for PrintableFields {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'a>, fields: R) -> fmt::Result {
        let mut printing = Printing { to: &mut writer, left: LOG_FIELDS_BYTES };
        self.0.format_fields(Writer::new(&mut printing), fields)
    }
}

struct Printing<'a, 'w> {
    to: &'a mut Writer<'w>,
    /// How many bytes may follow; none once the rest was cut.
    left: usize,
}

impl Write for Printing<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.left == 0 {
            return Ok(());
        }
        let shown = printable(text);
        if shown.len() < self.left {
            self.left -= shown.len();
            return self.to.write_str(&shown);
        }
        let end = (0..=self.left).rev().find(|at| shown.is_char_boundary(*at)).unwrap_or_default();
        self.left = 0;
        self.to.write_str(&shown[..end])?;
        self.to.write_str(" [cut]")
    }
}

#[cfg(test)]
mod tests;
