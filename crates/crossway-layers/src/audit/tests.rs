use std::io;
use std::sync::mpsc;
use std::time::{Duration, Instant, SystemTime};

use crossway_service::Outcome;
use serde_json::Value;

use super::*;
use crate::limits::AUDIT_PARTS;
use crate::script::{around, call_of, message, response, settle};
use crate::stage::hex;
use crate::{Clock, TraceLayer};

mod room;

/// 2026-11-25T22:30:00Z, always; how long calls take is measured on tokio's clock.
#[derive(Debug)]
struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_645_800)
    }

    fn instant(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }
}

fn log(options: AuditOptions) -> (AuditLog, AuditWriter) {
    AuditLog::new(AuditKey::new(b"planted key"), options.clock(Fixed))
}

async fn lines(writer: &mut AuditWriter) -> Vec<Value> {
    let text = writer.next().await.unwrap();
    assert_eq!(text.last(), Some(&b'\n'));
    text.split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_line_says_who_did_what_and_never_with_what() {
    let (log, mut writer) = log(AuditOptions::default());
    let (link, server) = around(&AuditLayer::new(log)).await;
    let arguments = r#"{"path":"planted argument"}"#;
    let mut call =
        call_of("alice", 1, "tools/call", &format!(r#"{{"name":"read","arguments":{arguments}}}"#));
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    call.context.extensions.insert(trace.parse::<crossway_service::TraceContext>().unwrap());
    let note = AuditNote::new();
    call.context.extensions.insert(note.clone());
    let reply = link.call(call);
    note.decided(Decision::Allowed, Some("grants[3]"));
    note.went_to("files", Some("read"));
    let id = server.expect("tools/call").await;
    tokio::time::advance(Duration::from_millis(12)).await;
    server.answer(&id, r#"{"content":"planted result"}"#);
    response(reply).await.unwrap();
    let hash = AuditKey::new(b"planted key").hash(arguments.as_bytes());
    let hash: String = hex(hash).into_iter().map(char::from).collect();
    let text = String::from_utf8(writer.next().await.unwrap()).unwrap();
    assert_eq!(
        text,
        format!(
            concat!(
                r#"{{"time":"2026-11-25T22:30:00.000Z","issuer":"https://issuer.example","subject":"alice","method":"tools/call","name":"read","#,
                r#""arguments":"{}","decision":"allowed","rule":"grants[3]","upstream":"files","own_name":"read","outcome":"result","#,
                r#""milliseconds":12,"trace":"4bf92f3577b34da6a3ce929d0e0e4736"}}"#,
                "\n"
            ),
            hash
        )
    );
}

#[tokio::test]
async fn what_a_reader_could_take_for_another_line_or_order_of_text_is_escaped() {
    let (log, mut writer) = log(AuditOptions::default());
    let (link, server) = around(&AuditLayer::new(log)).await;
    let name = "é\u{2028}{\"time\":1}\u{2029}\u{85}\n\u{202e}\u{2066}\u{200f}ö";
    let reply = link.call(call_of(name, 1, "tools/call", &serde_json::json!({ "name": name }).to_string()));
    let id = server.expect("tools/call").await;
    server.answer(&id, "{}");
    response(reply).await.unwrap();
    let text = String::from_utf8(writer.next().await.unwrap()).unwrap();
    let escaped = r#""é\u2028{\"time\":1}\u2029\u0085\n\u202e\u2066\u200fö""#;
    assert!(text.contains(&format!("\"name\":{escaped},")), "{text}");
    assert!(text.contains(&format!("\"subject\":{escaped},")), "{text}");
    let line: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((line["name"].as_str(), line["subject"].as_str()), (Some(name), Some(name)));
}

#[tokio::test]
async fn the_trace_of_a_client_is_on_record_where_no_layer_has_put_the_call_into_it() {
    let (log, mut writer) = log(AuditOptions::default());
    let (link, server) = around(&AuditLayer::new(log)).await;
    let mut call = call_of("alice", 1, "tools/list", "{}");
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().unwrap();
    call.context.extensions.insert(crate::trace::ClientTrace(trace));
    let reply = link.call(call);
    let id = server.expect("tools/list").await;
    server.answer(&id, "{}");
    response(reply).await.unwrap();
    let line = lines(&mut writer).await.pop().unwrap();
    assert_eq!(line["trace"], "4bf92f3577b34da6a3ce929d0e0e4736", "{line}");
}

#[tokio::test]
async fn of_a_request_that_names_several_things_each_decision_is_on_record() {
    let (log, mut writer) = log(AuditOptions::default());
    let (link, server) = around(&AuditLayer::new(log)).await;
    let mut call = call_of("alice", 1, "subscriptions/listen", "{}");
    let note = AuditNote::new();
    call.context.extensions.insert(note.clone());
    let reply = link.call(call);
    note.part("a://team", "files", Decision::Allowed, "grants[3]");
    for number in 0..AUDIT_PARTS {
        note.part(&format!("a://{number}"), "files", Decision::Denied, "no grant");
    }
    let id = server.expect("subscriptions/listen").await;
    server.answer(&id, "{}");
    response(reply).await.unwrap();
    let line = lines(&mut writer).await.pop().unwrap();
    assert_eq!(line["decision"], "allowed", "{line}");
    let part = |at: usize| line["parts"][at].clone();
    let told = |name: &str, decision: &str, rule: &str| serde_json::json!({ "name": name, "upstream": "files", "decision": decision, "rule": rule });
    assert_eq!(part(0), told("a://team", "allowed", "grants[3]"));
    assert_eq!(part(1), told("a://0", "denied", "no grant"));
    assert_eq!(line["parts"].as_array().map(Vec::len), Some(AUDIT_PARTS));
    assert_eq!(line["parts_left_out"], 1);
}

#[tokio::test]
async fn whatever_ends_a_call_is_recorded_once() {
    let (log, mut writer) = log(AuditOptions::default());
    let (link, server) = around(&AuditLayer::new(log.clone())).await;
    let room = log.room();

    let refused = link.call(call_of("alice", 1, "tools/call", r#"{"name":"a"}"#));
    let id = server.expect("tools/call").await;
    server.send(&format!(
        r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32602,"message":"planted text"}}}}"#
    ));
    response(refused).await.unwrap();

    let mut left = link.call(call_of("alice", 2, "tools/call", r#"{"name":"b"}"#));
    server.expect("tools/call").await;
    server.send(r#"{"jsonrpc":"2.0","method":"notifications/message","params":{}}"#);
    assert!(!left.next().await.unwrap().unwrap().is_response());
    drop(left);

    // One that is answered in front of the server.
    let mut unsent = call_of("alice", 4, "tools/call", r#"{"name":"d"}"#);
    let note = AuditNote::new();
    note.not_sent();
    note.failed_because("no credential");
    unsent.context.extensions.insert(note);
    let unsent = link.call(unsent);
    server.receive().await;
    let id = server.expect("tools/call").await;
    server.send(&format!(
        r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-31001,"message":"planted text"}}}}"#
    ));
    response(unsent).await.unwrap();

    let lost = link.call(call_of("alice", 3, "tools/call", r#"{"name":"c"}"#));
    server.expect("tools/call").await;
    drop(server);
    assert_eq!(response(lost).await.unwrap_err().outcome(), Outcome::Unknown);

    let lines = lines(&mut writer).await;
    let told: Vec<_> = lines
        .iter()
        .map(|line| {
            (
                line["name"].as_str().unwrap(),
                line["outcome"].as_str().unwrap(),
                line["code"].as_i64(),
                line["sent"].as_str(),
                line["why"].as_str(),
            )
        })
        .collect();
    let went_away = "the MCP server went away: the pipe was closed";
    assert_eq!(
        told,
        [
            ("a", "error", Some(-32602), None, None),
            ("b", "dropped", None, None, None),
            ("d", "failed", Some(-31001), Some("not sent"), Some("no credential")),
            ("c", "failed", Some(-31002), Some("unknown"), Some(went_away))
        ]
    );
    assert_eq!(log.room(), room, "each place is free again");
}

#[tokio::test]
async fn why_a_call_failed_is_on_record_without_addresses() {
    use crossway_service::{CallError, Connection, ErrorText, Link, Reason, Reply};

    struct Failing;
    impl Connection for Failing {
        fn call(&self, _: crossway_service::Call) -> Reply {
            let foreign = "http://10.0.0.7:8000: connection refused".to_owned();
            Reply::failed(CallError::not_sent(Reason::Unavailable(ErrorText::private(foreign))))
        }
    }
    let (log, mut writer) = log(AuditOptions::default());
    let link = Link::new(tower_layer::Layer::layer(&AuditLayer::new(log), Link::new(Failing)));
    response(link.call(call_of("alice", 1, "tools/call", r#"{"name":"a"}"#))).await.unwrap_err();
    let line = lines(&mut writer).await.pop().unwrap();
    assert_eq!(line["why"], "the MCP server can't be reached: the log says why", "{line}");
}

#[tokio::test]
async fn what_is_no_request_is_not_recorded() {
    let (log, mut writer) = log(AuditOptions::default());
    let (link, server) = around(&AuditLayer::new(log)).await;
    let mut call = call_of("alice", 1, "m", "{}");
    call.ask = crossway_service::Ask::Message(message(r#"{"jsonrpc":"2.0","method":"notifications/x"}"#));
    assert!(link.call(call).next().await.is_none());
    server.receive().await.unwrap();
    drop(link);
    assert!(writer.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn calls_wait_for_room_in_the_log() {
    let (log, mut writer) = log(AuditOptions::default().calls(1));
    let counts = log.clone();
    let (link, server) = around(&AuditLayer::new(log)).await;
    let first = link.call(call_of("alice", 1, "tools/list", "{}"));
    let id = server.expect("tools/list").await;
    server.answer(&id, "{}");
    response(first).await.unwrap();
    let second = tokio::spawn(response(link.call(call_of("alice", 2, "prompts/list", "{}"))));
    settle().await;
    assert!(!second.is_finished(), "the first one's record is not written");
    assert_eq!(lines(&mut writer).await.len(), 1);
    let id = server.expect("prompts/list").await;
    server.answer(&id, "{}");
    second.await.unwrap().unwrap();
    assert_eq!(lines(&mut writer).await[0]["method"], "prompts/list");

    assert_eq!((counts.counts().recorded, counts.counts().places), (2, 0));

    let _third = link.call(call_of("alice", 3, "tools/list", "{}"));
    assert_eq!((counts.counts().waited, counts.counts().places, counts.counts().most), (1, 1, 1));
    let fourth = link.call(call_of("alice", 4, "tools/list", "{}"));
    let began = tokio::time::Instant::now();
    let error = response(fourth).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::NotSent);
    assert_eq!(began.elapsed(), crate::limits::AUDIT_WAIT);
    assert_eq!((counts.counts().waited, counts.counts().refused), (2, 1));
}

#[tokio::test]
async fn calls_are_refused_without_room_if_so_configured_and_the_log_tells_how_many() {
    let (log, mut writer) = log(AuditOptions::default().calls(1).overflow(Overflow::Refuse));
    let (link, server) = around(&AuditLayer::new(log.clone())).await;
    let first = link.call(call_of("alice", 1, "tools/list", "{}"));
    for id in 2..4 {
        let error = response(link.call(call_of("alice", id, "tools/list", "{}"))).await.unwrap_err();
        assert_eq!((error.outcome(), error.retry_after_seconds()), (Outcome::NotSent, Some(1)));
    }
    assert_eq!(log.refused(), 2);
    let id = server.expect("tools/list").await;
    server.answer(&id, "{}");
    response(first).await.unwrap();
    let lines = lines(&mut writer).await;
    assert_eq!(lines[1]["event"], "calls refused for want of room in this log");
    assert_eq!(lines[1]["calls"], 2);
    assert_eq!((log.refused(), log.counts().refused), (0, 2), "operators see all of them");
}

#[tokio::test]
async fn nothing_is_called_when_nobody_writes_the_log() {
    let (log, writer) = log(AuditOptions::default());
    let (link, _server) = around(&AuditLayer::new(log.clone())).await;
    drop(writer);
    let error = response(link.call(call_of("alice", 1, "tools/list", "{}"))).await.unwrap_err();
    assert_eq!((error.outcome(), log.counts().refused), (Outcome::NotSent, 1));
}

#[tokio::test]
async fn a_client_writes_no_line_of_its_own_and_no_long_one() {
    let (log, mut writer) = log(AuditOptions::default());
    let (link, _server) = around(&AuditLayer::new(log)).await;
    let name = r#"a\"}\n{\"time\":\"x"#;
    drop(link.call(call_of("alice", 1, "tools/call", &format!(r#"{{"name":"{name}"}}"#))));
    drop(link.call(call_of("alice", 2, "tools/call", &format!(r#"{{"name":"{}"}}"#, "ä".repeat(5000)))));
    let lines = lines(&mut writer).await;
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["name"], "a\"}\n{\"time\":\"x");
    assert_eq!(lines[1]["name"].as_str().unwrap().chars().count(), crate::limits::NAME_CHARS);
}

/// Fails until it is told not to.
struct Broken(mpsc::Receiver<()>, mpsc::Sender<Vec<u8>>, bool);

impl io::Write for Broken {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.2 {
            self.2 = true;
            self.0.recv().unwrap();
            return Err(io::ErrorKind::StorageFull.into());
        }
        let part = bytes.len().min(100);
        self.1.send(bytes[..part].to_vec()).unwrap();
        Ok(part)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn what_can_not_be_written_is_written_later() {
    let (log, writer) = log(AuditOptions::default());
    let (link, _server) = around(&AuditLayer::new(log)).await;
    let (go, wait) = mpsc::channel();
    let (sender, written) = mpsc::channel();
    let (told, subscriber) = crate::script::recorded(tracing::Level::WARN);
    let thread = std::thread::spawn(move || {
        tracing::subscriber::with_default(subscriber, || writer.run_blocking(Broken(wait, sender, false)))
    });
    drop(link.call(call_of("alice", 1, "tools/list", "{}")));
    go.send(()).unwrap();
    let mut text = Vec::new();
    while text.last() != Some(&b'\n') {
        text.extend(written.recv().unwrap());
    }
    let line: Value = serde_json::from_slice(&text).unwrap();
    assert_eq!((&line["subject"], &line["outcome"]), (&"alice".into(), &"dropped".into()));
    drop(link);
    thread.join().unwrap().unwrap();
    let told = String::from_utf8(told.lock().unwrap().clone()).unwrap();
    assert!(told.contains("can't be written") && told.contains("can be written again"), "{told}");
    assert_eq!(told.lines().count(), 2, "{told}");
}

#[tokio::test]
async fn what_the_end_cuts_off_is_told_from_what_a_client_drops() {
    let (log, mut writer) = log(AuditOptions::default());
    let (link, _server) = around(&AuditLayer::new(log.clone())).await;
    let call = |id| link.call(call_of("alice", id, "tools/list", "{}"));
    let (dropped, cut) = (call(1), call(2));
    drop(dropped);
    log.cut_off();
    drop(cut);
    let lines = lines(&mut writer).await;
    assert_eq!((&lines[0]["outcome"], &lines[1]["outcome"]), (&"dropped".into(), &"cut off".into()));
}

#[tokio::test]
async fn its_trace_is_the_one_that_the_call_goes_on_in() {
    let (log, mut writer) = log(AuditOptions::default());
    let layers = tower_layer::Stack::new(AuditLayer::new(log), TraceLayer::new());
    let (link, server) = around(&layers).await;
    let reply = link.call(call_of("alice", 1, "tools/list", "{}"));
    let sent = server.receive().await.unwrap().reread().unwrap();
    let sent = sent.member(crossway_proto::Part::Meta, "traceparent").unwrap().to_vec();
    drop(reply);
    let line = lines(&mut writer).await.remove(0);
    assert!(String::from_utf8(sent).unwrap().contains(line["trace"].as_str().unwrap()));
}

#[test]
fn hashes_tell_arguments_apart_to_whoever_has_the_key() {
    let key = AuditKey::new(b"k");
    assert_eq!(key.hash(b"{}"), AuditKey::new(b"k").hash(b"{}"));
    assert_ne!(key.hash(b"{}"), key.hash(b"{} "));
    assert_ne!(key.hash(b"{}"), AuditKey::new(b"other").hash(b"{}"));
    assert_ne!(AuditKey::generate().unwrap().hash(b"{}"), AuditKey::generate().unwrap().hash(b"{}"));
    assert_eq!(format!("{key:?}"), "AuditKey([redacted])");
}
