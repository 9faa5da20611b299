//! Sends queued spans and metrics to the collector.

use std::fmt;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Uri};
use http_body_util::Full;
use ring::rand::{SecureRandom as _, SystemRandom};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use tracing::{info, warn};

use super::limits::{REQUEST, SPANS_AT_ONCE, SPANS_EVERY, SPANS_WAITING};
use super::spans::{Attribute, Span, now};
use super::{Settings, SpanLayer, metrics};
use crate::hex::hex;
use crate::metrics::Metrics;
use crate::outward;

const VERSION: &str = "service.version";
const INSTANCE: &str = "service.instance.id";

/// Sends spans and metrics to a collector, while it [runs](Self::run).
pub struct Exporter {
    settings: Settings,
    spans: mpsc::Receiver<Span>,
    metrics: Metrics,
    started: String,
    /// The id that tells this process from others of the same service.
    instance: Option<String>,
    /// Whether the last request succeeded, so that each change is logged once.
    is_well: bool,
}

impl Exporter {
    /// Creates an exporter, and the layer that feeds it with spans if traces are sent.
    #[must_use]
    pub fn new(settings: Settings, metrics: Metrics) -> (Self, Option<SpanLayer>) {
        let (sender, spans) = mpsc::channel(SPANS_WAITING);
        let layer = settings.traces.is_some().then(|| SpanLayer::new(sender, metrics.clone()));
        let instance = chance_id();
        (Self { settings, spans, metrics, started: now(), instance, is_well: true }, layer)
    }

    /// Sends until `shutdown` is ready, and then once more. `scrape` returns the metrics as text.
    ///
    /// What can't be sent is dropped and counted: tracing must not slow down calls.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the exporter; queued spans are lost.
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
        let Settings { service, resource, .. } = &self.settings;
        let said = resource.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let ours = [(VERSION, Some(env!("CARGO_PKG_VERSION"))), (INSTANCE, self.instance.as_deref())];
        let ours = ours.into_iter().filter(|(name, _)| !resource.contains_key(*name));
        let ours = ours.filter_map(|(name, value)| Some((name, value?)));
        let all = [("service.name", service.as_str())].into_iter().chain(ours).chain(said);
        json!({"attributes": all.map(|(name, value)| Attribute::new(name, value)).collect::<Vec<_>>()})
    }
}

impl fmt::Debug for Exporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Exporter").field(&self.settings).finish()
    }
}

/// Returns a random UUID (RFC 9562, version 4), as OpenTelemetry recommends for `service.instance.id`, or `None` without randomness.
fn chance_id() -> Option<String> {
    let mut bytes = [0; 16];
    SystemRandom::new().fill(&mut bytes).ok()?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut id = hex(&bytes);
    for at in [20, 16, 12, 8] {
        id.insert(at, '-');
    }
    Some(id)
}

fn scope() -> Value {
    json!({"name": "crossway", "version": env!("CARGO_PKG_VERSION")})
}
