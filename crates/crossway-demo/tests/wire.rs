//! The messages on the wire, one by one.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use crossway_demo::{Demo, Era, StreamCloser};
use rmcp::{ServiceExt, transport::async_rw::AsyncRwTransport};
use serde_json::{Value, json};
use support::{Raw, With, meta};

async fn legacy() -> Raw {
    let mut raw = Raw::connect(&Demo::new(Era::Both));
    raw.initialize("2025-11-25").await;
    raw
}

fn call(id: u32, name: &str, arguments: Value, meta: Value) -> Value {
    let params = json!({"name": name, "arguments": arguments, "_meta": meta});
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params})
}

#[tokio::test(start_paused = true)]
async fn progress_comes_in_order_and_before_the_result() {
    for (mut raw, more) in
        [(legacy().await, json!({})), (Raw::connect(&Demo::new(Era::Both)), meta(json!({})))]
    {
        let mut with_token = more.clone();
        with_token["progressToken"] = "p".into();
        raw.send(call(1, "slow", json!({"steps": 3, "ms": 1}), with_token)).await;
        for step in 1..=3 {
            let report = raw.next().await;
            assert_eq!(report["method"], "notifications/progress");
            assert_eq!(report["params"]["progressToken"], "p");
            assert_eq!(
                (report["params"]["progress"].as_f64(), report["params"]["total"].as_f64()),
                (Some(step.into()), Some(3.0))
            );
        }
        assert_eq!(raw.next().await["id"], 1);
        raw.send(call(2, "slow", json!({"steps": 3, "ms": 1}), more)).await;
        assert_eq!(raw.next().await["id"], 2, "nobody asked for progress");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_call_is_not_answered_and_the_session_goes_on() {
    let mut raw = legacy().await;
    raw.send(call(1, "slow", json!({"steps": 1000, "ms": 60_000}), json!({"progressToken": 1}))).await;
    assert_eq!(raw.next().await["params"]["progress"], 1.0);
    raw.send(json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}))
        .await;
    let answer =
        raw.request(2, "tools/call", json!({"name": "echo", "arguments": {"message": "still here"}})).await;
    assert_eq!((&answer["id"], &answer["result"]["content"][0]["text"]), (&json!(2), &json!("still here")));
}

#[tokio::test(start_paused = true)]
async fn a_question_that_is_never_answered_ends_with_its_call() {
    let mut raw = Raw::connect(&Demo::new(Era::Both));
    let params = json!({
        "protocolVersion": "2025-11-25", "capabilities": {"elicitation": {}}, "clientInfo": {"name": "raw", "version": "1"}
    });
    raw.request(0, "initialize", params).await;
    let question = raw.request(1, "tools/call", json!({"name": "ask"})).await;
    assert_eq!(question["method"], "elicitation/create");
    // Time is paused: the ten minutes pass at once.
    let cancel = raw.next().await;
    assert_eq!(cancel["method"], "notifications/cancelled");
    let answer = raw.next().await;
    assert_eq!((&answer["id"], &answer["result"]["isError"]), (&json!(1), &json!(true)));

    let question = raw.request(2, "tools/call", json!({"name": "ask"})).await;
    raw.send(
        json!({"jsonrpc": "2.0", "id": question["id"], "error": {"code": -1, "message": "no user here"}}),
    )
    .await;
    let answer = raw.next().await;
    assert_eq!(answer["result"]["content"][0]["text"], "the client refused to answer answer: no user here");
}

#[tokio::test(start_paused = true)]
async fn a_legacy_session_chooses_its_log_level() {
    let demo = Demo::new(Era::Both);
    let (mut quiet, mut other) = (Raw::connect(&demo), Raw::connect(&demo));
    quiet.initialize("2025-11-25").await;
    other.initialize("2025-11-25").await;
    assert_eq!(quiet.request(1, "logging/setLevel", json!({"level": "warning"})).await["result"], json!({}));
    quiet.send(call(2, "test_tool_with_logging", json!({}), json!({}))).await;
    assert_eq!(quiet.next().await["id"], 2);
    quiet.request(3, "logging/setLevel", json!({"level": "info"})).await;
    for raw in [&mut quiet, &mut other] {
        raw.send(call(4, "test_tool_with_logging", json!({}), json!({}))).await;
        for text in ["Tool execution started", "Tool processing data", "Tool execution completed"] {
            let entry = raw.next().await;
            assert_eq!(entry["method"], "notifications/message");
            assert_eq!(entry["params"], json!({"level": "info", "logger": "crossway-demo", "data": text}));
        }
        assert_eq!(raw.next().await["id"], 4);
    }
}

#[tokio::test(start_paused = true)]
async fn a_modern_request_gets_the_log_messages_that_it_asks_for() {
    let mut raw = Raw::connect(&Demo::new(Era::Both));
    let level = |level: &str| meta(json!({"io.modelcontextprotocol/logLevel": level}));
    for unwanted in [meta(json!({})), level("error")] {
        raw.send(call(1, "test_logging_tool", json!({}), unwanted)).await;
        assert_eq!(raw.next().await["id"], 1);
    }
    raw.send(call(2, "test_logging_tool", json!({}), level("debug"))).await;
    assert_eq!(raw.next().await["method"], "notifications/message");
    assert_eq!(raw.next().await["id"], 2);
    raw.send(call(3, "test_logging_tool", json!({}), level("loud"))).await;
    assert_eq!(raw.next().await["error"]["code"], -32602);
}

#[tokio::test(start_paused = true)]
async fn modern_results_say_who_served_them_and_how_long_they_keep() {
    let mut raw = Raw::connect(&Demo::new(Era::Both));
    let asked = [
        ("server/discover", json!({}), Some(60_000)),
        ("tools/list", json!({}), Some(60_000)),
        ("prompts/list", json!({}), Some(60_000)),
        ("resources/list", json!({}), Some(60_000)),
        ("resources/templates/list", json!({}), Some(60_000)),
        ("resources/read", json!({"uri": "test://static-text"}), Some(60_000)),
        ("resources/read", json!({"uri": "test://watched-resource"}), Some(0)),
        ("tools/call", json!({"name": "test_simple_text"}), None),
        ("tools/call", json!({"name": "ask"}), None),
        ("prompts/get", json!({"name": "test_simple_prompt"}), None),
    ];
    for (id, (method, mut params, fresh)) in (1..).zip(asked) {
        params["_meta"] = meta(json!({}));
        let result = raw.request(id, method, params).await["result"].take();
        assert_eq!(
            result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "crossway-demo",
            "{method}"
        );
        let kind = if result["inputRequests"].is_object() { "input_required" } else { "complete" };
        assert_eq!(result["resultType"], kind, "{method}");
        assert_eq!(result["ttlMs"].as_u64(), fresh, "{method}");
        assert_eq!(result["cacheScope"].as_str(), fresh.map(|_| "public"), "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn legacy_results_have_nothing_modern_in_them() {
    let mut raw = legacy().await;
    let asked = [
        ("tools/list", json!({})),
        ("prompts/list", json!({})),
        ("resources/list", json!({})),
        ("resources/templates/list", json!({})),
        ("resources/read", json!({"uri": "test://static-text"})),
        ("tools/call", json!({"name": "test_simple_text"})),
        ("prompts/get", json!({"name": "test_simple_prompt"})),
    ];
    for (id, (method, params)) in (1..).zip(asked) {
        let result = raw.request(id, method, params).await["result"].take();
        for member in ["_meta", "resultType", "ttlMs", "cacheScope"] {
            assert_eq!(result.get(member), None, "{method}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn methods_that_2026_07_28_removed_are_unknown_to_it() {
    let mut raw = Raw::connect(&Demo::new(Era::Both));
    raw.request(1, "tools/list", json!({"_meta": meta(json!({}))})).await;
    let initialize = json!({
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}
    });
    let removed = [
        ("initialize", initialize),
        ("ping", json!({})),
        ("logging/setLevel", json!({"level": "info"})),
        ("resources/subscribe", json!({"uri": "test://watched-resource"})),
        ("resources/unsubscribe", json!({"uri": "test://watched-resource"})),
        ("unknown/method", json!({})),
    ];
    for (id, (method, mut params)) in (2..).zip(removed) {
        params["_meta"] = meta(json!({}));
        let answer = raw.request(id, method, params).await;
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(id), &json!(-32601)), "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn parameters_that_can_not_be_read_are_told_from_methods_that_nobody_has() {
    let both = [
        ("completion/complete", json!({}), -32602),
        ("resources/read", json!({"uri": 5}), -32602),
        ("prompts/get", json!({}), -32602),
        ("tools/call", json!({"name": "echo", "arguments": 5}), -32602),
        ("unknown/method", json!({}), -32601),
    ];
    let of_legacy = [
        ("logging/setLevel", json!({"level": "zz"}), -32602),
        ("resources/subscribe", json!({}), -32602),
        ("subscriptions/listen", json!({}), -32601),
    ];
    let of_modern = [
        ("subscriptions/listen", json!({"notifications": 5}), -32602),
        ("logging/setLevel", json!({"level": "zz"}), -32601),
        ("resources/subscribe", json!({}), -32601),
    ];
    let mut raw = legacy().await;
    for (id, (method, params, code)) in (1..).zip(both.clone().into_iter().chain(of_legacy)) {
        assert_eq!(raw.request(id, method, params).await["error"]["code"], code, "{method}");
    }
    let mut raw = Raw::connect(&Demo::new(Era::Modern));
    raw.request(0, "tools/list", json!({"_meta": meta(json!({}))})).await;
    for (id, (method, mut params, code)) in (1..).zip(both.into_iter().chain(of_modern)) {
        params["_meta"] = meta(json!({}));
        assert_eq!(raw.request(id, method, params).await["error"]["code"], code, "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_closer_is_used_once_where_there_is_one() {
    let closed = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&closed);
    let closer = StreamCloser::new(move || {
        counter.fetch_add(1, Ordering::Relaxed);
    });

    /// The closer in another crate's transport.
    #[derive(Clone)]
    struct Theirs(StreamCloser);

    let plain = Demo::new(Era::Both);
    let told = Demo::new(Era::Both)
        .find_stream_closer_with(|extensions| extensions.get::<Theirs>().map(|it| it.0.clone()));
    assert_eq!(reconnected(plain.clone(), closer.clone(), &closed).await, 1);
    assert_eq!(reconnected(plain, Theirs(closer.clone()), &closed).await, 1, "nobody looks there");
    assert_eq!(reconnected(told.clone(), Theirs(closer.clone()), &closed).await, 2);
    assert_eq!(reconnected(told, closer, &closed).await, 2, "nobody looks there");
}

/// Calls the tool over a transport with this `extension`, and returns how often streams were closed since the test began.
async fn reconnected<T: Clone + Send + Sync + 'static>(demo: Demo, extension: T, closed: &AtomicU32) -> u32 {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let (reader, writer) = tokio::io::split(theirs);
    let transport = With { inner: AsyncRwTransport::new_server(reader, writer), extension };
    tokio::spawn(async move { demo.serve(transport).await.unwrap().waiting().await.unwrap() });
    let mut raw = Raw::over(ours);
    raw.initialize("2025-11-25").await;
    raw.send(call(1, "test_reconnection", json!({}), json!({}))).await;
    assert_eq!(raw.next().await["method"], "notifications/message", "first, so that there is a stream");
    assert_eq!(raw.next().await["id"], 1);
    closed.load(Ordering::Relaxed)
}
