//! Sends what has come together.

use std::fmt;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Uri};
use http_body_util::Full;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use tracing::{info, warn};

use super::limits::{REQUEST, SPANS_AT_ONCE, SPANS_EVERY, SPANS_WAITING};
use super::spans::{Attribute, Span, now};
use super::{Settings, SpanLayer, metrics};
use crate::metrics::Metrics;
use crate::outward;

/// Sends spans and metrics to a collector, while it [runs](Self::run).
pub struct Exporter {
    settings: Settings,
    spans: mpsc::Receiver<Span>,
    metrics: Metrics,
    started: String,
    /// Whether the last request went well: its end and its return are told once.
    is_well: bool,
}

impl Exporter {
    /// An exporter, and the layer that gives it spans where traces are wanted.
    #[must_use]
    pub fn new(settings: Settings, metrics: Metrics) -> (Self, Option<SpanLayer>) {
        let (sender, spans) = mpsc::channel(SPANS_WAITING);
        let layer = settings.traces.is_some().then(|| SpanLayer::new(sender, metrics.clone()));
        (Self { settings, spans, metrics, started: now(), is_well: true }, layer)
    }

    /// Sends, until `shutdown` is ready; then once more. `scrape` gives the metrics as text.
    ///
    /// What can't be sent is dropped and counted: tracing must cost no call anything.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends it; what waits is lost.
    pub async fn run(mut self, scrape: impl Fn() -> String, shutdown: impl Future<Output = ()>) {
        let moments = |every| {
            let mut moments = interval_at(Instant::now() + every, every);
            moments.set_missed_tick_behavior(MissedTickBehavior::Delay);
            moments
        };
        let (mut for_spans, mut for_metrics) = (moments(SPANS_EVERY), moments(self.settings.metrics_every));
        let mut shutdown = std::pin::pin!(shutdown);
        let mut batch = Vec::with_capacity(SPANS_AT_ONCE);
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                _ = for_spans.tick() => self.send_spans(&mut batch).await,
                _ = for_metrics.tick() => self.send_metrics(&scrape()).await,
                Some(span) = self.spans.recv() => {
                    batch.push(span);
                    if batch.len() >= SPANS_AT_ONCE {
                        self.send_spans(&mut batch).await;
                    }
                }
            }
        }
        while let Ok(span) = self.spans.try_recv() {
            batch.push(span);
        }
        self.send_spans(&mut batch).await;
        self.send_metrics(&scrape()).await;
    }

    async fn send_spans(&mut self, batch: &mut Vec<Span>) {
        let Some(url) = self.settings.traces.clone().filter(|_| !batch.is_empty()) else { return };
        let count = batch.len();
        let body = json!({"resourceSpans": [{
            "resource": self.resource(),
            "scopeSpans": [{"scope": scope(), "spans": batch}],
        }]});
        batch.clear();
        self.send("traces", &url, &body, count).await;
    }

    async fn send_metrics(&mut self, text: &str) {
        let Some(url) = self.settings.metrics.clone() else { return };
        let all = metrics::of_text(text, &self.started, &now());
        let count = all.len();
        let body = json!({"resourceMetrics": [{
            "resource": self.resource(),
            "scopeMetrics": [{"scope": scope(), "metrics": all}],
        }]});
        self.send("metrics", &url, &body, count).await;
    }

    async fn send(&mut self, signal: &'static str, url: &Uri, body: &Value, count: usize) {
        let mut request = Request::new(Full::from(body.to_string()));
        *request.method_mut() = Method::POST;
        *request.headers_mut() = self.settings.headers.clone();
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let problem = match timeout(REQUEST, outward::ask(url, request, None, &self.settings.proxies)).await {
            Ok(Ok(response)) if response.status().is_success() => None,
            Ok(Ok(response)) => Some(format!("HTTP status {}", response.status().as_u16())),
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("no answer in time".to_owned()),
        };
        let was_well = std::mem::replace(&mut self.is_well, problem.is_none());
        match problem {
            None if !was_well => info!("the collector is back"),
            None => {}
            Some(problem) => {
                self.metrics.otlp_dropped(signal, count);
                if was_well {
                    warn!(signal, problem, "the collector does not take what is sent; it is dropped");
                }
            }
        }
    }

    fn resource(&self) -> Value {
        json!({"attributes": [
            Attribute::new("service.name", self.settings.service.as_str()),
            Attribute::new("service.version", env!("CARGO_PKG_VERSION")),
        ]})
    }
}

impl fmt::Debug for Exporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Exporter").field(&self.settings).finish()
    }
}

fn scope() -> Value {
    json!({"name": "crossway", "version": env!("CARGO_PKG_VERSION")})
}
