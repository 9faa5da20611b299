//! Collects the spans of calls from `tracing` into a queue.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use crossway_layers::names;
use serde::Serialize;
use tokio::sync::mpsc;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Filter, Layer};
use tracing_subscriber::registry::LookupSpan;

use super::limits::ATTRIBUTES;
use crate::metrics::Metrics;

/// A span in OTLP's JSON: ids are hexadecimal, and 64-bit numbers are text.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Span {
    trace_id: String,
    span_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    parent_span_id: String,
    name: &'static str,
    /// SPAN_KIND_SERVER.
    kind: u8,
    start_time_unix_nano: String,
    end_time_unix_nano: String,
    attributes: Vec<Attribute>,
    status: Status,
}

/// An attribute with a text value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Attribute {
    pub(super) key: String,
    pub(super) value: Text,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Text {
    string_value: String,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize)]
struct Status {
    /// STATUS_CODE_UNSET or STATUS_CODE_ERROR.
    code: u8,
}

impl Attribute {
    pub(super) fn new(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self { key: key.into(), value: Text { string_value: value.into() } }
    }
}

/// A layer that queues the spans of calls when they end. If the queue is full, a span is dropped and counted.
pub struct SpanLayer {
    queue: mpsc::Sender<Span>,
    metrics: Metrics,
}

impl SpanLayer {
    pub(super) fn new(queue: mpsc::Sender<Span>, metrics: Metrics) -> Self {
        Self { queue, metrics }
    }

    /// Adds a filter that passes only the spans of calls. Other layers are not affected.
    #[must_use]
    pub fn filtered<S>(self) -> impl Layer<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        self.with_filter(OfCalls)
    }
}

struct OfCalls;

impl<S> Filter<S> for OfCalls {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        metadata.is_span() && metadata.target() == names::CALL
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for SpanLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut told = Span { name: span.name(), kind: 2, start_time_unix_nano: now(), ..Span::default() };
        attributes.record(&mut Fields(&mut told));
        span.extensions_mut().insert(told);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(told) = span.extensions_mut().get_mut::<Span>() {
            values.record(&mut Fields(told));
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let told = context.span(&id).and_then(|span| span.extensions_mut().remove::<Span>());
        let Some(mut told) = told.filter(|told| !told.trace_id.is_empty()) else { return };
        told.end_time_unix_nano = now();
        if self.queue.try_send(told).is_err() {
            self.metrics.otlp_dropped("traces", 1);
        }
    }
}

impl fmt::Debug for SpanLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SpanLayer")
    }
}

/// Returns the current time in nanoseconds since 1970.
pub(super) fn now() -> String {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos().to_string()
}

/// Writes a `tracing` span's fields to their places in an OTLP span.
struct Fields<'a>(&'a mut Span);

impl Fields<'_> {
    fn put(&mut self, field: &Field, value: String) {
        match field.name() {
            "trace_id" => self.0.trace_id = value,
            "span_id" => self.0.span_id = value,
            "parent_span_id" => self.0.parent_span_id = value,
            name => {
                // These outcomes mark the call as failed.
                if name == "outcome" && matches!(value.as_str(), "error" | "failed" | "no answer") {
                    self.0.status.code = 2;
                }
                if self.0.attributes.len() < ATTRIBUTES {
                    self.0.attributes.push(Attribute::new(name, value));
                }
            }
        }
    }
}

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }
}
