//! `crossway limits`: every bound of every crate, in one table.
//!
//! A test (`tests/limits.rs`) generates the table from the crates' `limits.rs`, and fails when one of them has changed.

use std::fmt::Write as _;
use std::io::{self, Write};

use serde::Deserialize;

/// A bound.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct LimitRow {
    /// The crate that defines it.
    pub of: String,
    /// Its name in the code.
    pub name: String,
    /// The default value.
    pub default: String,
    /// The unit: `bytes`, `time` or `count`.
    pub unit: String,
    /// What it bounds, and the reason for the value.
    pub reason: String,
}

/// The bounds that can be set in the config: crate, name, key.
pub const CONFIGURABLE: [(&str, &str, &str); 20] = [
    ("crossway-router", "GUARD_CONCURRENT", "upstreams.*.limits.concurrent"),
    ("crossway-router", "GUARD_QUEUED", "upstreams.*.limits.queued"),
    ("crossway-router", "GUARD_QUEUE_TIME", "upstreams.*.limits.queue_time"),
    ("crossway-router", "RETRIES", "upstreams.*.limits.retries"),
    ("crossway-router", "BREAKER_FAILURES", "upstreams.*.limits.breaker.failures"),
    ("crossway-router", "BREAKER_FIRST", "upstreams.*.limits.breaker.first"),
    ("crossway-router", "BREAKER_MOST", "upstreams.*.limits.breaker.most"),
    ("crossway-router", "POOL_SESSIONS", "upstreams.*.limits.sessions"),
    ("crossway-router", "POOL_IDLE", "upstreams.*.limits.session_idle"),
    ("crossway-router", "SCOPED_AGE", "upstreams.*.limits.session_age"),
    ("crossway-gateway", "CALL_IDLE", "upstreams.*.limits.idle"),
    ("crossway-gateway", "DOCUMENT_REFRESH", "upstreams.*.openapi.refresh"),
    ("crossway-gateway", "DRAIN", "limits.drain"),
    ("crossway-streamable-http", "HttpLimits::CONNECTIONS", "limits.connections"),
    ("crossway-streamable-http", "Limits::SESSIONS", "limits.sessions"),
    ("crossway-streamable-http", "Limits::SESSION_IDLE", "limits.session_idle"),
    ("crossway-streamable-http", "Limits::SESSION_LIFE", "limits.session_life"),
    ("crossway-streamable-http", "Limits::BODY_IDLE", "limits.body_idle"),
    ("crossway-proto", "Limits::MESSAGE_BYTES", "limits.message"),
    ("crossway-layers", "AUDIT_CALLS", "audit.calls"),
];

/// Returns all bounds, by crate and in the order of its `limits.rs`.
///
/// # Panics
///
/// Never: the table is compiled in, and a test reads it.
#[must_use]
pub fn bounds() -> Vec<LimitRow> {
    serde_json::from_str(include_str!("bounds.json")).unwrap_or_default()
}

impl LimitRow {
    /// The config key that sets this bound, if there is one.
    #[must_use]
    pub fn key(&self) -> Option<&'static str> {
        let is_this = |set: &&(&str, &str, &str)| set.0 == self.of && set.1 == self.name;
        CONFIGURABLE.iter().find(is_this).map(|(_, _, key)| *key)
    }
}

/// Writes the table for people, with a paragraph for each bound.
///
/// # Errors
///
/// When `out` can't be written to.
pub fn limits(out: &mut impl Write) -> io::Result<()> {
    let mut of = String::new();
    for bound in bounds() {
        if bound.of != of {
            writeln!(out, "{}{}\n", if of.is_empty() { "" } else { "\n" }, bound.of)?;
            of.clone_from(&bound.of);
        }
        let key = bound.key().map(|key| format!("  set by {key}")).unwrap_or_default();
        writeln!(out, "  {:<40} {:>10} {:<6}{key}", bound.name, bound.default, bound.unit)?;
        writeln!(out, "      {}", bound.reason)?;
    }
    out.flush()
}

/// Returns the table for the documentation, in Markdown.
#[must_use]
pub fn limits_page() -> String {
    let mut page = String::from(
        "# Limits\n\nEvery queue, line, body, table and wait has a bound. This page is what `crossway limits` prints, generated from \
         the `limits.rs` of the crates. What has a key can be set in the config of `crossway serve`.\n",
    );
    let mut of = String::new();
    for bound in bounds() {
        if bound.of != of {
            let _ = write!(
                page,
                "\n## {}\n\n| limit | default | unit | key | what and why |\n|---|---|---|---|---|\n",
                bound.of
            );
            of.clone_from(&bound.of);
        }
        let key = bound.key().map(|key| format!("`{key}`")).unwrap_or_default();
        let reason = bound.reason.replace('|', "\\|");
        let _ =
            writeln!(page, "| `{}` | {} | {} | {key} | {reason} |", bound.name, bound.default, bound.unit);
    }
    page
}
