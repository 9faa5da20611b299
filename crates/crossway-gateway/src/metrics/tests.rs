//! Metrics as they are scraped and documented.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use bytes::Bytes;
use crossway_proto::{Limits, Message};
use crossway_service::{Call, Context, Link, Reply, Scope, Upstream};
use crossway_testkit::Scripted;

use super::*;
use crate::operations::InstanceCounts;

fn scrape(metrics: &Metrics) -> String {
    metrics.scrape(&[], &[], None)
}

/// Returns the value of a series.
#[track_caller]
fn value(text: &str, series: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {series} in {text}")).parse().unwrap()
}

fn touch_all(metrics: &Metrics) -> String {
    metrics.calls("acme", "wiki").begin(1).ended(CallOutcome::Ok);
    metrics.list_reads("wiki")[0].inc();
    metrics.denied("acme", "no_grant");
    metrics.identity_refused("jwt", "expired");
    metrics.jwks_read(Reload::Unchanged);
    metrics.config_reloaded(Reload::Failed);
    metrics.config_in_force("a1");
    metrics.tls_reloaded("mcp", true);
    metrics.tls_failed("mcp", "timeout");
    metrics.otlp_dropped("traces", 1);
    let mut upstream = UpstreamStatus::new("wiki", UpstreamState::Down);
    upstream.instances = Some(InstanceCounts { down: 2, ..InstanceCounts::default() });
    let audit = AuditStatus { places: 3, most: 8, recorded: 7, waited: 2, refused: 4 };
    metrics.scrape(&[upstream], &[SessionCount { face: "streamable-http", open: 5 }], Some(&audit))
}

#[test]
#[cfg(target_os = "linux")]
fn what_is_scraped_is_what_the_table_says() {
    let text = touch_all(&Metrics::new());
    let types: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    let expected: Vec<String> = TABLE.iter().map(|row| format!("{} {}", row.name, row.kind.word())).collect();
    assert_eq!(types, expected);
    for row in TABLE {
        assert!(text.contains(&format!("# HELP {} {}\n", row.name, row.help)), "{}", row.name);
        let labels = text.lines().find(|line| line.starts_with(&format!("{}{{", row.name)));
        let labels: BTreeSet<&str> = labels
            .and_then(|line| Some(line.split_once('{')?.1.split_once('}')?.0))
            .map(|labels| labels.split(',').filter_map(|label| Some(label.split_once('=')?.0)).collect())
            .unwrap_or_default();
        if !matches!(row.kind, Kind::Histogram(_)) {
            assert_eq!(labels, row.labels.iter().copied().collect(), "{}", row.name);
        }
    }
}

#[test]
fn names_say_what_is_counted() {
    let mut names = BTreeSet::new();
    for row in TABLE {
        assert!(names.insert(row.name), "{} is there twice", row.name);
        assert_eq!(row.kind == Kind::Counter, row.name.ends_with("_total"), "{}", row.name);
        let stem = row.name.trim_end_matches("_total");
        assert!(stem.ends_with(row.unit.word()), "{}", row.name);
        assert!(row.help.ends_with('.') && !row.help.contains(['\n', '\\', '|']), "{}", row.name);
    }
}

#[test]
fn a_call_is_recorded_with_its_outcome_bytes_and_time() {
    let metrics = Metrics::new();
    let meter = metrics.calls("acme", "wiki");
    let (first, second) = (meter.begin(10), meter.begin(20));
    assert_eq!(value(&scrape(&metrics), r#"crossway_calls_in_flight{tenant="acme",upstream="wiki"}"#), 2.0);
    first.replied(7);
    first.ended(CallOutcome::Ok);
    drop(second);
    let text = scrape(&metrics);
    let of =
        |name: &str, more: &str| value(&text, &format!(r#"{name}{{tenant="acme",upstream="wiki"{more}}}"#));
    assert_eq!(of("crossway_calls_in_flight", ""), 0.0);
    assert_eq!(of("crossway_calls_total", r#",outcome="ok""#), 1.0);
    assert_eq!(of("crossway_calls_total", r#",outcome="cancelled""#), 1.0);
    assert_eq!(of("crossway_calls_total", r#",outcome="unknown""#), 0.0);
    assert_eq!(of("crossway_request_bytes_total", ""), 30.0);
    assert_eq!(of("crossway_reply_bytes_total", ""), 7.0);
    assert_eq!(of("crossway_call_duration_seconds_count", ""), 2.0);
}

#[test]
fn bytes_are_held_while_a_call_is_under_way_or_waits_and_while_a_reply_is_on_its_way() {
    let metrics = Metrics::new();
    let tenant = metrics.tenant("acme");
    let meter = metrics.calls("acme", "wiki");
    let held = || {
        let text = scrape(&metrics);
        let of = |series: &str| value(&text, series);
        (
            of(r#"crossway_request_in_flight_bytes{tenant="acme",upstream="wiki"}"#),
            of(r#"crossway_reply_unsent_bytes{tenant="acme"}"#),
        )
    };
    let (call, waiting, reply) = (meter.begin(10), meter.hold_request(300), tenant.hold_reply(5000));
    assert_eq!(held(), (310.0, 5000.0));
    drop(waiting);
    assert_eq!(held(), (10.0, 5000.0));
    call.ended(CallOutcome::Ok);
    drop(reply);
    assert_eq!(held(), (0.0, 0.0));
}

#[test]
fn what_a_quota_refuses_is_counted_by_what_there_was_too_much_of() {
    let metrics = Metrics::new();
    for (count, bound) in (1..).zip(QuotaBound::ALL) {
        (0..count).for_each(|_| metrics.tenant("acme").refused(bound));
    }
    let text = scrape(&metrics);
    let words = ["requests", "calls", "in_flight", "bytes", "children", "closed", "keys"];
    for (count, bound) in (1_u32..).map(f64::from).zip(words) {
        let series = format!(r#"crossway_quota_refusals_total{{tenant="acme",bound="{bound}"}}"#);
        assert_eq!(value(&text, &series), count, "{bound}");
    }
}

#[test]
fn a_tenant_or_an_upstream_that_is_gone_has_no_series_and_begins_anew_when_it_is_back() {
    let metrics = Metrics::new();
    for (tenant, upstream) in [("acme", "wiki"), ("acme", "mail"), ("globex", "wiki")] {
        metrics.calls(tenant, upstream).begin(1).ended(CallOutcome::Ok);
        metrics.denied(tenant, "no_grant");
        metrics.list_reads(upstream)[0].inc();
    }
    let under_way = metrics.calls("globex", "wiki").begin(1);
    metrics.keep(&["acme"].into(), &["wiki"].into());
    under_way.ended(CallOutcome::Ok);
    let text = scrape(&metrics);
    assert!(!text.contains("globex") && !text.contains("mail"), "{text}");
    assert_eq!(value(&text, r#"crossway_calls_total{tenant="acme",upstream="wiki",outcome="ok"}"#), 1.0);
    metrics.calls("globex", "mail").begin(1).ended(CallOutcome::Ok);
    let text = scrape(&metrics);
    assert_eq!(value(&text, r#"crossway_calls_total{tenant="globex",upstream="mail",outcome="ok"}"#), 1.0);
    assert!(!text.contains(r#"tenant="globex",upstream="wiki""#), "{text}");
}

#[test]
fn more_series_than_there_may_be_come_in_under_other() {
    let metrics = Metrics::new();
    for number in 0..limits::SERIES + 10 {
        metrics.denied(&format!("tenant-{number}"), "no_grant");
    }
    assert_eq!(metrics.0.denied.len(), limits::SERIES + 1);
    let text = scrape(&metrics);
    assert_eq!(value(&text, r#"crossway_denied_total{tenant="other",reason="no_grant"}"#), 10.0);
    assert_eq!(value(&text, r#"crossway_denied_total{tenant="tenant-0",reason="no_grant"}"#), 1.0);
}

#[test]
fn the_audit_logs_places_records_waits_and_refusals_are_told() {
    let text = touch_all(&Metrics::new());
    for (series, expected) in [
        (r#"crossway_audit_places{state="taken"}"#, 3.0),
        (r#"crossway_audit_places{state="free"}"#, 5.0),
        ("crossway_audit_records_total", 7.0),
        ("crossway_audit_waits_total", 2.0),
        ("crossway_audit_refusals_total", 4.0),
    ] {
        assert_eq!(value(&text, series), expected, "{series}");
    }
}

#[test]
fn an_upstream_that_is_gone_has_no_series() {
    let metrics = Metrics::new();
    let text = touch_all(&metrics);
    assert!(text.contains(r#"crossway_upstream_state{upstream="wiki",state="down"} 1"#), "{text}");
    assert!(text.contains(r#"crossway_upstream_instances{upstream="wiki",state="down"} 2"#), "{text}");
    assert!(!scrape(&metrics).contains("crossway_upstream_"), "{}", scrape(&metrics));
}

#[test]
fn a_label_can_not_break_out_of_its_line() {
    let metrics = Metrics::new();
    metrics.denied("a\"} 1\nfake 2", "no_grant");
    assert!(scrape(&metrics).contains(r#"{tenant="a\"} 1\nfake 2",reason="no_grant"} 1"#));
}

fn tenant_of(context: &Context) -> Option<&TenantMeter> {
    context.extensions.get::<Arc<TenantMeter>>().map(|meter| &**meter)
}

/// A response to the request, with its id.
fn answer(request: &Message, member: &str) -> String {
    let id = request.id().unwrap();
    format!(r#"{{"jsonrpc":"2.0","id":{id},{member}}}"#)
}

/// A server that answers some things.
fn server() -> Scripted {
    Scripted::answering(|message| match message.method().as_deref() {
        Some("tools/list") => vec![answer(message, r#""result":{"tools":[],"nextCursor":"2"}"#)],
        Some("good") => vec![
            r#"{"jsonrpc":"2.0","method":"notifications/message","params":{}}"#.to_owned(),
            answer(message, r#""result":{}"#),
        ],
        Some("unsent") => vec![answer(message, r#""error":{"code":-31001,"message":"no credential"}"#)],
        Some("bad") => vec![answer(message, r#""error":{"code":1,"message":"no"}"#)],
        _ => vec![],
    })
}

/// A call of acme's.
fn call(link: &Link, metrics: &Metrics, text: &str) -> Reply {
    let message = Message::parse(Bytes::from(text.to_owned()), &Limits::default()).unwrap();
    let mut context = Context::default();
    context.extensions.insert(metrics.tenant("acme"));
    link.call(Call::message(message, context))
}

#[tokio::test]
async fn calls_of_an_upstream_are_recorded_by_tenant_and_outcome() {
    let metrics = Metrics::new();
    let link = server().layered(MeterLayer::new(metrics.clone(), "wiki", tenant_of)).connect(Scope::Session);
    let call = |text| call(&link, &metrics, text);
    let mut good = call(r#"{"jsonrpc":"2.0","id":1,"method":"good"}"#);
    while good.next().await.is_some() {}
    let mut bad = call(r#"{"jsonrpc":"2.0","id":2,"method":"bad"}"#);
    assert!(bad.next().await.unwrap().unwrap().is_response());
    let mut unsent = call(r#"{"jsonrpc":"2.0","id":4,"method":"unsent"}"#);
    assert!(unsent.next().await.unwrap().unwrap().is_response());
    drop(call(r#"{"jsonrpc":"2.0","id":3,"method":"silent"}"#));
    let mut notification = call(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    assert!(notification.next().await.is_none());
    let text = scrape(&metrics);
    for (outcome, count) in [("ok", 1.0), ("error", 1.0), ("cancelled", 1.0), ("not_sent", 1.0)] {
        let series = format!(r#"crossway_calls_total{{tenant="acme",upstream="wiki",outcome="{outcome}"}}"#);
        assert_eq!(value(&text, &series), count, "{outcome}");
    }
    assert!(value(&text, r#"crossway_reply_bytes_total{tenant="acme",upstream="wiki"}"#) > 100.0);
    assert_eq!(value(&text, r#"crossway_calls_in_flight{tenant="acme",upstream="wiki"}"#), 0.0);
}

/// A subscriber that writes all it gets into a text.
fn recorded() -> (Arc<std::sync::Mutex<Vec<u8>>>, impl tracing::Subscriber + Send + Sync) {
    #[derive(Clone, Default)]
    struct Text(Arc<std::sync::Mutex<Vec<u8>>>);
    impl std::io::Write for Text {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let text = Text::default();
    let written = Arc::clone(&text.0);
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || text.clone()).finish();
    (written, subscriber)
}

#[tokio::test(start_paused = true)]
async fn a_failure_of_which_callers_are_not_told_why_is_logged_once_in_a_while_by_tenant_upstream_and_cause()
{
    use crossway_service::{CallError, ErrorText, Reason};

    let refused = |status| Reason::Refused { status, retry_after: None, said: None };
    let (text, subscriber) = recorded();
    let _guard = tracing::subscriber::set_default(subscriber);
    let metrics = Metrics::new();
    let fail = |tenant: &str, upstream: &str, reason: Reason| {
        let meter = metrics.calls_of(&metrics.tenant(tenant), upstream).begin(1);
        meter.failed(&CallError::not_sent(reason));
        String::from_utf8(std::mem::take(&mut *text.lock().unwrap())).unwrap()
    };
    let away = || Reason::Unavailable(ErrorText::private("http://10.0.0.7:8000: refused"));
    for (tenant, upstream, reason, why) in [
        ("acme", "wiki", away(), "http://10.0.0.7:8000: refused"),
        ("acme", "wiki", refused(401), "HTTP status 401"),
        ("acme", "wiki", refused(403), "HTTP status 403"),
        ("acme", "jira", refused(401), "HTTP status 401"),
        ("globex", "wiki", refused(401), "HTTP status 401"),
    ] {
        let told = fail(tenant, upstream, reason.clone());
        let fields = format!("upstream=\"{upstream}\" tenant=\"{tenant}\"");
        assert!(told.contains("WARN") && told.contains(&fields) && told.contains(why), "{told}");
        assert_eq!(fail(tenant, upstream, reason), "");
    }
    for public in [refused(500), Reason::Closing, Reason::Unavailable("it is left alone".into())] {
        assert_eq!(fail("acme", "wiki", public), "");
    }
    tokio::time::advance(limits::FAILURE_TOLD).await;
    assert!(!fail("acme", "wiki", refused(401)).is_empty());
}

#[tokio::test]
async fn lists_are_counted_from_their_first_page_on() {
    let metrics = Metrics::new();
    let link = server().layered(MeterLayer::new(metrics.clone(), "wiki", tenant_of)).connect(Scope::Session);
    for page in ["", r#""cursor":"2""#] {
        let list = format!(r#"{{"jsonrpc":"2.0","id":0,"method":"tools/list","params":{{{page}}}}}"#);
        assert!(call(&link, &metrics, &list).next().await.unwrap().unwrap().is_response());
    }
    drop(call(&link, &metrics, r#"{"jsonrpc":"2.0","id":0,"method":"prompts/list"}"#));
    let text = scrape(&metrics);
    for (outcome, count) in [("ok", 1.0), ("cancelled", 1.0), ("error", 0.0)] {
        let series = format!(r#"crossway_list_reads_total{{upstream="wiki",outcome="{outcome}"}}"#);
        assert_eq!(value(&text, &series), count, "{outcome}");
    }
}

#[tokio::test]
async fn an_upstream_that_is_gone_gets_no_series_by_the_calls_that_it_still_has() {
    let metrics = Metrics::new();
    let made =
        || server().layered(MeterLayer::new(metrics.clone(), "wiki", tenant_of)).connect(Scope::Session);
    let (gone, calls) = (made(), r#"crossway_calls_total{tenant="acme",upstream="wiki",outcome="ok"}"#);
    let good = async |link: &Link| {
        let mut reply = call(link, &metrics, r#"{"jsonrpc":"2.0","id":1,"method":"good"}"#);
        while reply.next().await.is_some() {}
    };
    good(&gone).await;
    metrics.keep(&["acme"].into(), &[].into());
    good(&gone).await;
    assert!(!scrape(&metrics).contains(calls), "{}", scrape(&metrics));
    let back = made();
    good(&back).await;
    good(&gone).await;
    assert_eq!(value(&scrape(&metrics), calls), 1.0);
}

/// The page that lists the metrics.
fn page() -> String {
    let mut page = String::from(
        "# Metrics\n\n\
         What `/metrics` of the operations listener says, in Prometheus' text format 0.0.4. This page is made from the\n\
         table in the code (`crates/crossway-gateway/src/metrics/table.rs`); a test compares them.\n\n\
         Labels are bounded. `tenant`, `upstream` and `listener` are names that the configuration gives, `reason`,\n\
         `outcome`, `proof` and the like are words of the code. No user, tool, address or text of a request is in one. A\n",
    );
    let _ = writeln!(
        page,
        "metric has {} series at the most; names beyond that come in as `other`.\n",
        limits::SERIES
    );
    page.push_str("| name | kind | unit | labels | says |\n|---|---|---|---|---|\n");
    for row in TABLE {
        let labels: Vec<String> = row.labels.iter().map(|label| format!("`{label}`")).collect();
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} | {} |",
            row.name,
            row.kind.word(),
            row.unit.word(),
            labels.join(", "),
            row.help
        );
    }
    let buckets: Vec<String> = limits::DURATION_BUCKETS.iter().map(ToString::to_string).collect();
    let _ = writeln!(page, "\nUpper bounds of durations' buckets, in seconds: {}.", buckets.join(", "));
    page
}

/// `CROSSWAY_BLESS=1` writes the page instead.
#[test]
fn the_page_about_metrics_is_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/metrics.md");
    if std::env::var_os("CROSSWAY_BLESS").is_some() {
        std::fs::write(path, page()).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), page(), "CROSSWAY_BLESS=1 writes it anew");
}
