//! `crossway check`: validates a config.

use std::io::{self, Write};

use crossway_proto::printable_lines;
use serde::Serialize;

use crate::args::{CheckArgs, CheckFormat};
use crate::config::{self, ConfigErrors, Finding, Severity};

/// A finding in the JSON output.
#[derive(Serialize)]
struct FindingLine<'a> {
    severity: Severity,
    file: String,
    line: Option<usize>,
    column: Option<usize>,
    path: &'a str,
    message: String,
}

/// Checks a config and writes the findings, one per line or as JSON. Returns whether the config can be used.
///
/// # Errors
///
/// When `out` can't be written to.
pub fn check(args: &CheckArgs, out: &mut impl Write) -> io::Result<bool> {
    let (findings, upstreams) = match config::load(&args.config.file) {
        Ok(loaded) => (loaded.warnings, Some(loaded.upstreams.len())),
        Err(ConfigErrors(findings)) => (findings, None),
    };
    let told = match args.format {
        CheckFormat::Text => text(args, &findings, upstreams, out),
        CheckFormat::Json => json(&findings, upstreams.is_some(), out),
    };
    match told.and_then(|()| out.flush()) {
        // A reader that stops early can still use the exit code.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        told => told?,
    }
    Ok(upstreams.is_some())
}

fn text(
    args: &CheckArgs,
    findings: &[Finding],
    upstreams: Option<usize>,
    out: &mut impl Write,
) -> io::Result<()> {
    for finding in findings {
        writeln!(out, "{finding}")?;
    }
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let file = args.config.file.display();
    let warnings = numbered(count(Severity::Warning), "warning");
    match upstreams {
        Some(upstreams) => {
            writeln!(out, "{file} can be used: {}, {warnings}", numbered(upstreams, "upstream"))
        }
        None => {
            writeln!(out, "{file} can't be used: {}, {warnings}", numbered(count(Severity::Error), "error"))
        }
    }
}

fn numbered(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn json(findings: &[Finding], usable: bool, out: &mut impl Write) -> io::Result<()> {
    let findings: Vec<_> = findings
        .iter()
        .map(|finding| FindingLine {
            severity: finding.severity,
            file: finding.file.display().to_string(),
            line: finding.at.map(|(line, _)| line),
            column: finding.at.map(|(_, column)| column),
            path: &finding.path,
            message: finding.message(),
        })
        .collect();
    let told = serde_json::json!({ "usable": usable, "findings": findings });
    writeln!(out, "{}", printable_lines(&format!("{told:#}")))
}
