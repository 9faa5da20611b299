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

use super::limits::{END, REQUEST, SPANS_AT_ONCE, SPANS_EVERY, SPANS_WAITING};
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
    /// Spans that are sent together, until the collector has answered.
    batch: Vec<Span>,
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
        (Self { settings, spans, batch: Vec::new(), metrics, started: now(), instance, is_well: true }, layer)
    }

    /// Sends until `shutdown` is ready, and then what is left, for [`END`] at most.
    ///
    /// What can't be sent is dropped and counted: tracing must not slow down calls. What was on its way at the shutdown is sent again, so that
    /// a collector may get a span twice.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the exporter; queued spans are lost.
    pub async fn run(mut self, scrape: impl Fn() -> String, shutdown: impl Future<Output = ()>) {
        tokio::select! {
            biased;
            () = shutdown => {}
            () = self.send_for_ever(&scrape) => {}
        }
        if timeout(END, self.send_rest(&scrape)).await.is_err() {
            let spans = self.batch.len() + self.spans.len();
            self.metrics.otlp_dropped("traces", spans);
            warn!(spans, "the collector has not taken the last spans and metrics in time; they are dropped");
        }
    }

    async fn send_for_ever(&mut self, scrape: impl Fn() -> String) {
        let moments = |every| {
            let mut moments = interval_at(Instant::now() + every, every);
            moments.set_missed_tick_behavior(MissedTickBehavior::Delay);
            moments
        };
        let (mut for_spans, mut for_metrics) = (moments(SPANS_EVERY), moments(self.settings.metrics_every));
        loop {
            tokio::select! {
                _ = for_spans.tick() => self.send_spans().await,
                _ = for_metrics.tick() => self.send_metrics(&scrape()).await,
                Some(span) = self.spans.recv() => {
                    self.batch.push(span);
                    if self.batch.len() >= SPANS_AT_ONCE {
                        self.send_spans().await;
                    }
                }
            }
        }
    }

    async fn send_rest(&mut self, scrape: impl Fn() -> String) {
        loop {
            while self.batch.len() < SPANS_AT_ONCE
                && let Ok(span) = self.spans.try_recv()
            {
                self.batch.push(span);
            }
            if self.batch.is_empty() {
                break;
            }
            self.send_spans().await;
        }
        self.send_metrics(&scrape()).await;
    }

    /// Sends the batch, which is empty afterwards.
    async fn send_spans(&mut self) {
        if let Some(url) = self.settings.traces.clone().filter(|_| !self.batch.is_empty()) {
            let body = json!({"resourceSpans": [{
                "resource": self.resource(),
                "scopeSpans": [{"scope": scope(), "spans": self.batch}],
            }]});
            self.send("traces", &url, &body, self.batch.len()).await;
        }
        self.batch.clear();
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
