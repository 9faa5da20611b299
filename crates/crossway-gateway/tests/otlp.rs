//! Traces and metrics at a collector that this test plays, over real sockets.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use crossway_gateway::metrics::{CallOutcome, Metrics};
use crossway_gateway::otlp::{Exporter, Settings, limits};
use crossway_streamable_http::server::http::{HttpLimits, serve};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tower_service::Service;
use tracing_subscriber::layer::SubscriberExt;

/// A request's path, its key and its body.
type Sent = (String, String, Value);

/// Takes what is sent, and answers with a status.
#[derive(Clone)]
struct Collector {
    sent: mpsc::Sender<Sent>,
    status: StatusCode,
}

impl Service<Request<Incoming>> for Collector {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        let Self { sent, status } = self.clone();
        Box::pin(async move {
            assert_eq!(request.headers()["content-type"], "application/json");
            let key = request.headers().get("x-key").map_or("", |key| key.to_str().unwrap()).to_owned();
            let path = request.uri().path().to_owned();
            let body = request.into_body().collect().await.unwrap().to_bytes();
            sent.send((path, key, serde_json::from_slice(&body).unwrap())).await.unwrap();
            let mut response = Response::new(Full::default());
            *response.status_mut() = status;
            Ok(response)
        })
    }
}

async fn collector(status: StatusCode) -> (SocketAddr, mpsc::Receiver<Sent>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sent, received) = mpsc::channel(64);
    let collector = Collector { sent, status };
    tokio::spawn(serve(listener, collector, HttpLimits::default(), std::future::pending()));
    (address, received)
}

fn settings(address: SocketAddr) -> Settings {
    let of = |name: &str| match name {
        "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(format!("http://{address}")),
        "OTEL_EXPORTER_OTLP_HEADERS" => Some("x-key=of%20ours".to_owned()),
        "OTEL_SERVICE_NAME" => Some("gateway-1".to_owned()),
        "OTEL_RESOURCE_ATTRIBUTES" => Some("k8s.pod.name=gateway-1-x".to_owned()),
        _ => None,
    };
    Settings::from_env(of).unwrap().unwrap()
}

/// A call's span as the trace layer makes it, and what is no call's.
fn trace() {
    let span = tracing::info_span!(
        target: "crossway::call",
        "mcp.call",
        mcp.method.name = "tools/call",
        trace_id = "0af7651916cd43dd8448eb211c80319c",
        span_id = "b7ad6b7169203331",
        parent_span_id = tracing::field::Empty,
        outcome = tracing::field::Empty,
    );
    span.record("parent_span_id", tracing::field::display("00f067aa0ba902b7"));
    span.record("outcome", "error");
    let other = tracing::info_span!("another", trace_id = "1", span_id = "2");
    other.in_scope(|| tracing::info!("an event"));
}

#[tokio::test]
async fn calls_and_metrics_come_to_the_collector_at_the_latest_at_the_end() {
    let (address, mut received) = collector(StatusCode::OK).await;
    let metrics = Metrics::new();
    metrics.calls("acme", "wiki").begin(3).ended(CallOutcome::Ok);
    let (exporter, layer) = Exporter::new(settings(address), metrics.clone());
    let subscriber = tracing_subscriber::registry().with(layer.unwrap().filtered());
    tracing::subscriber::with_default(subscriber, trace);
    let scraped = metrics.clone();
    exporter.run(move || scraped.scrape(&[], &[], None), std::future::ready(())).await;

    let (path, key, body) = received.recv().await.unwrap();
    assert_eq!((path.as_str(), key.as_str()), ("/v1/traces", "of ours"));
    let all = &body["resourceSpans"][0];
    assert_eq!(all["resource"]["attributes"][0]["value"]["stringValue"], "gateway-1");
    let spans = all["scopeSpans"][0]["spans"].as_array().unwrap();
    assert_eq!(spans.len(), 1, "{spans:?}");
    let span = &spans[0];
    assert_eq!(span["traceId"], "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(
        (&span["spanId"], &span["parentSpanId"]),
        (&"b7ad6b7169203331".into(), &"00f067aa0ba902b7".into())
    );
    assert_eq!(
        (&span["name"], &span["kind"], &span["status"]["code"]),
        (&"mcp.call".into(), &2.into(), &2.into())
    );
    assert_eq!(span["attributes"][0]["key"], "mcp.method.name");
    let time = |name: &str| span[name].as_str().unwrap().parse::<u128>().unwrap();
    assert!(time("startTimeUnixNano") <= time("endTimeUnixNano"));

    let (path, _, body) = received.recv().await.unwrap();
    assert_eq!(path, "/v1/metrics");
    let sent = body["resourceMetrics"][0]["scopeMetrics"][0]["metrics"].as_array().unwrap();
    assert!(sent.iter().any(|metric| metric["name"] == "crossway_calls_total"), "{sent:?}");
}

#[tokio::test]
async fn each_process_tells_itself_from_others_of_its_service() {
    let (address, mut received) = collector(StatusCode::OK).await;
    let mut instances = Vec::new();
    for _ in 0..2 {
        let (exporter, _) = Exporter::new(settings(address), Metrics::new());
        exporter.run(String::new, std::future::ready(())).await;
        let (_, _, body) = received.recv().await.unwrap();
        let attributes = body["resourceMetrics"][0]["resource"]["attributes"].as_array().unwrap();
        let of = |name: &str| {
            let attribute = attributes.iter().find(|attribute| attribute["key"] == name).unwrap();
            attribute["value"]["stringValue"].as_str().unwrap().to_owned()
        };
        assert_eq!(of("k8s.pod.name"), "gateway-1-x");
        instances.push(of("service.instance.id"));
    }
    assert!(instances[0] != instances[1] && instances[0].len() == 36, "{instances:?}");
}

#[tokio::test(start_paused = true)]
async fn spans_are_sent_while_it_runs() {
    let (address, mut received) = collector(StatusCode::OK).await;
    let (exporter, layer) = Exporter::new(settings(address), Metrics::new());
    let subscriber = tracing_subscriber::registry().with(layer.unwrap().filtered());
    tracing::subscriber::with_default(subscriber, trace);
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(exporter.run(String::new, async { drop(stopped.await) }));
    assert_eq!(received.recv().await.unwrap().0, "/v1/traces");
    stop.send(()).unwrap();
    running.await.unwrap();
}

#[tokio::test]
async fn what_a_collector_does_not_take_is_dropped_and_counted() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (refusing, _received) = collector(StatusCode::SERVICE_UNAVAILABLE).await;
    for address in [closed, refusing] {
        let metrics = Metrics::new();
        let (exporter, layer) = Exporter::new(settings(address), metrics.clone());
        let subscriber = tracing_subscriber::registry().with(layer.unwrap().filtered());
        tracing::subscriber::with_default(subscriber, || (0..5000).for_each(|_| trace()));
        let run = exporter.run(String::new, std::future::ready(()));
        tokio::time::timeout(Duration::from_secs(20), run).await.unwrap();
        let text = metrics.scrape(&[], &[], None);
        assert!(text.contains(r#"crossway_otlp_dropped_total{signal="traces"} 5000"#), "{address} {text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_collector_that_never_answers_holds_up_the_end_for_one_bound_wherever_it_is_asked_for() {
    for is_busy in [false, true] {
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let metrics = Metrics::new();
        let (exporter, layer) = Exporter::new(settings(silent.local_addr().unwrap()), metrics.clone());
        let subscriber = tracing_subscriber::registry().with(layer.unwrap().filtered());
        tracing::subscriber::with_default(subscriber, || (0..2000).for_each(|_| trace()));
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(exporter.run(String::new, async { drop(stopped.await) }));
        // A busy one is within a request.
        let _connection = if is_busy { Some(silent.accept().await.unwrap()) } else { None };
        let asked = Instant::now();
        stop.send(()).unwrap();
        running.await.unwrap();
        assert_eq!(asked.elapsed(), limits::END, "{is_busy}");
        let text = metrics.scrape(&[], &[], None);
        assert!(text.contains(r#"crossway_otlp_dropped_total{signal="traces"} 2000"#), "{text}");
    }
}
