//! Fair shares of the audit queue.

use crossway_policy::TenantName;
use crossway_service::{Call, Link};

use super::*;
use crate::limits::AUDIT_LISTEN;
use crate::script::is_pending;

fn of_tenant(tenant: &str, id: u64) -> Call {
    let mut call = call_of("alice", id, "tools/list", "{}");
    call.context.extensions.insert(TenantName::new(tenant).unwrap());
    call
}

async fn answered(link: &Link, server: &crossway_testkit::Server, id: u64) {
    let reply = link.call(call_of("bob", id, "tools/list", "{}"));
    let id = server.expect("tools/list").await;
    server.answer(&id, "{}");
    response(reply).await.unwrap();
}

fn told(line: &Value) -> (&str, &str) {
    (line["method"].as_str().unwrap(), line["outcome"].as_str().unwrap())
}

#[tokio::test(start_paused = true)]
async fn what_listens_is_on_record_when_it_begins_and_when_it_ends_and_has_no_place_between() {
    let (log, mut writer) = log(AuditOptions::default().calls(1).overflow(Overflow::Refuse));
    let (link, server) = around(&AuditLayer::new(log.clone())).await;
    let mut listening = link.call(call_of("alice", 1, "subscriptions/listen", "{}"));
    let id = server.expect("subscriptions/listen").await;
    assert_eq!(log.room(), 0, "it is not made before there is a place for its record");
    let method = "notifications/subscriptions/acknowledged";
    let meta = format!(r#"{{"io.modelcontextprotocol/subscriptionId":{id}}}"#);
    server.send(&format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{{"_meta":{meta}}}}}"#));
    assert!(!listening.next().await.unwrap().unwrap().is_response());
    let begun = lines(&mut writer).await.remove(0);
    assert_eq!(told(&begun), ("subscriptions/listen", "listening"));
    assert_eq!(log.room(), 1);

    tokio::time::advance(Duration::from_secs(60)).await;
    answered(&link, &server, 2).await;
    assert_eq!(told(&lines(&mut writer).await[0]), ("tools/list", "result"));
    drop(listening);
    let over = lines(&mut writer).await.remove(0);
    assert_eq!(
        (told(&over), over["milliseconds"].as_u64()),
        (("subscriptions/listen", "dropped"), Some(60_000))
    );
    assert_eq!(over["time"], begun["time"]);
}

#[tokio::test(start_paused = true)]
async fn what_listens_to_silence_gives_its_place_back_all_the_same() {
    let (log, mut writer) = log(AuditOptions::default().calls(1));
    let (link, server) = around(&AuditLayer::new(log.clone())).await;
    let mut listening = link.call(call_of("alice", 1, "subscriptions/listen", "{}"));
    server.expect("subscriptions/listen").await;
    assert!(is_pending(&mut listening));
    assert_eq!(log.room(), 0);
    tokio::time::advance(AUDIT_LISTEN).await;
    assert!(is_pending(&mut listening));
    assert_eq!(told(&lines(&mut writer).await[0]), ("subscriptions/listen", "listening"));
    // Its end is written where there is room, and holds nobody up where there is none.
    let _other = link.call(call_of("bob", 2, "tools/list", "{}"));
    drop(listening);
    assert_eq!((log.room(), log.counts().refused, log.counts().waited), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_listen_that_is_refused_has_one_record() {
    let (log, mut writer) = log(AuditOptions::default());
    let (link, server) = around(&AuditLayer::new(log)).await;
    let listening = link.call(call_of("alice", 1, "subscriptions/listen", "{}"));
    let id = server.expect("subscriptions/listen").await;
    server.send(&format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32601,"message":"no"}}}}"#));
    response(listening).await.unwrap();
    let lines = lines(&mut writer).await;
    assert_eq!((told(&lines[0]), lines.len()), (("subscriptions/listen", "error"), 1));
}

#[tokio::test(start_paused = true)]
async fn one_tenant_leaves_places_for_the_others() {
    let (log, mut writer) = log(AuditOptions::default().calls(4).overflow(Overflow::Refuse));
    let (link, server) = around(&AuditLayer::new(log.clone())).await;
    let mut of_acme: Vec<_> = (0..3).map(|id| link.call(of_tenant("acme", id))).collect();
    let error = response(link.call(of_tenant("acme", 3))).await.unwrap_err();
    assert_eq!((error.outcome(), log.room()), (Outcome::NotSent, 1));
    let _of_globex = link.call(of_tenant("globex", 4));
    assert_eq!(log.room(), 0);
    // A place is the tenant's until the record is written.
    let id = server.expect("tools/list").await;
    server.answer(&id, "{}");
    response(of_acme.remove(0)).await.unwrap();
    assert!(response(link.call(of_tenant("acme", 5))).await.is_err());
    assert_eq!(told(&lines(&mut writer).await[0]), ("tools/list", "result"));
    let _again = link.call(of_tenant("acme", 6));
    assert_eq!(log.room(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_tenant_that_waits_for_its_own_share_holds_nobody_up() {
    let (log, mut writer) = log(AuditOptions::default().calls(4));
    let (link, server) = around(&AuditLayer::new(log.clone())).await;
    let mut of_acme: Vec<_> = (0..3).map(|id| link.call(of_tenant("acme", id))).collect();
    for _ in 0..3 {
        server.expect("tools/list").await;
    }
    let waiting = tokio::spawn(response(link.call(of_tenant("acme", 3))));
    settle().await;
    assert_eq!(log.counts().waited, 1);
    let of_globex = link.call(of_tenant("globex", 4));
    let id = server.expect("tools/list").await;
    server.answer(&id, "{}");
    response(of_globex).await.unwrap();
    assert!(!waiting.is_finished());
    of_acme.pop();
    assert_eq!(lines(&mut writer).await.len(), 2);
    let cancelled = server.receive().await.unwrap();
    assert!(cancelled.is_method("notifications/cancelled"));
    let id = server.expect("tools/list").await;
    server.answer(&id, "{}");
    waiting.await.unwrap().unwrap();
}

#[tokio::test]
async fn all_is_written_once_the_calls_that_were_made_are_over() {
    let (log, writer) = log(AuditOptions::default().calls(8));
    let (link, server) = around(&AuditLayer::new(log.clone())).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    let out = file.reopen().unwrap();
    let thread = std::thread::spawn(move || writer.run_blocking(out));
    let written = || std::fs::read_to_string(file.path()).unwrap().lines().count();
    log.written().await;
    assert_eq!(written(), 0);
    let reply = link.call(call_of("alice", 1, "tools/list", "{}"));
    let id = server.expect("tools/list").await;
    drop(link.call(call_of("alice", 2, "tools/call", "{}")));
    let waiting = tokio::spawn({
        let log = log.clone();
        async move { log.written().await }
    });
    settle().await;
    assert!(!waiting.is_finished(), "a call is in flight");
    server.answer(&id, "{}");
    response(reply).await.unwrap();
    waiting.await.unwrap();
    assert_eq!((written(), log.counts().recorded), (2, 2));
    drop((link, log));
    thread.join().unwrap().unwrap();
}

#[tokio::test]
async fn nothing_is_waited_for_that_nobody_writes() {
    let (log, writer) = log(AuditOptions::default());
    drop(writer);
    log.written().await;
}
