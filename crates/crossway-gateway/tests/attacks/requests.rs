//! One tenant that asks for whatever costs nothing by quotas of calls, as fast as it can.

use std::io::Read;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::json;

use super::ask::{Answer, Ask, LIST, get, legacy_call, modern, post, session};
use super::load::Over;
use super::serving;
use super::support::tenants::{ALICE, ANN, BOB, by, eventually, sha256};
use super::support::{CROSSWAY, INITIALIZE, Serving, run};

/// A gateway for Alice of acme, and for Bob and Ann of globex, which may make so many requests.
fn gateway(dir: &tempfile::TempDir, requests: &str) -> Serving {
    let serving = serving(
        dir,
        &format!(
            "identity:\n  proof: api-keys\n  keys:\n    - {{ sha256: \"{}\", subject: alice, groups: [acme] }}\n    \
             - {{ sha256: \"{}\", subject: bob, groups: [globex] }}\n    \
             - {{ sha256: \"{}\", subject: ann, groups: [globex] }}\n\
             upstreams:\n  demo: {{ command: \"{CROSSWAY}\", args: [demo, --stdio], scope: shared }}\n\
             tenants:\n  acme: {{ groups: [acme] }}\n  globex: {{ groups: [globex] }}\nopenapi: {{}}\n\
             grants:\n  - {{ tenant: acme, upstream: demo, tools: [\"*\"] }}\n  - {{ tenant: globex, upstream: demo, tools: [\"*\"] }}\n\
             quotas:\n  - {{ tenant: globex, {requests} }}\n",
            sha256(ALICE),
            sha256(BOB),
            sha256(ANN)
        ),
    );
    eventually("the server is there", || {
        by(ALICE).names(&serving, "/mcp", "tools/list").contains(&"demo__echo".to_owned())
    });
    serving
}

fn bob(ask: Ask) -> Ask {
    ask.bearer(BOB)
}

fn retry_after(answer: &Answer) -> Option<u64> {
    answer.head.lines().find_map(|line| line.strip_prefix("retry-after: "))?.parse().ok()
}

#[test]
fn who_asks_too_much_is_refused_on_each_face_and_frees_what_it_has() {
    let dir = tempfile::tempdir().unwrap();
    // One more comes back in six minutes.
    let serving = gateway(&dir, "requests: 20/hour, per_user: { requests: 10/hour }");
    let config = dir.path().join("crossway.yaml");
    let explain =
        ["explain", "--config", config.to_str().unwrap(), "--subject", "bob", "--issuer", "api-keys"];
    let told = run(&[&explain[..], &["--group", "globex", "--upstream", "demo", "--tool", "echo"]].concat());
    let told = String::from_utf8(told.stdout).unwrap();
    assert!(told.contains("quota for tenant globex, each user: requests 10/hour\n"), "{told}");
    let his = session(&serving, "/mcp", bob);
    let mut stream = get("/sse").bearer(BOB).open(&serving);
    let list = || post("/mcp", LIST).bearer(BOB).within(&his).send(&serving);
    let answers: Vec<Answer> = (0..9).map(|_| list()).collect();
    assert!(answers.iter().all(|answer| answer.status == 200), "a session goes on");
    let is_listed = |answer: &Answer| answer.json()["result"]["tools"].is_array();
    assert_eq!(answers.iter().filter(|answer| is_listed(answer)).count(), 8);
    let told = answers[8].json();
    assert_eq!((&told["id"], &told["error"]["code"]), (&2.into(), &(-31003).into()), "{told}");
    assert_eq!(told["error"]["data"]["outcome"], "not sent");
    let again = told["error"]["data"]["retryAfterSeconds"].as_u64().unwrap();
    assert!((1..=360).contains(&again), "{told}");
    let echo = json!({ "name": "demo__echo", "arguments": { "message": "hi" } });
    for refused in [
        post("/mcp", INITIALIZE),
        modern("/mcp", "tools/list", "", json!({})),
        modern("/demo/mcp", "tools/call", "echo", echo),
        get("/mcp").within(&his),
        get("/sse"),
        get("/openapi.json"),
        post("/demo/echo", r#"{"message":"hi"}"#),
    ] {
        let answer = bob(refused).send(&serving);
        assert_eq!(answer.status, 429, "{} {}", answer.head, answer.body);
        assert!(retry_after(&answer).is_some_and(|again| (1..=360).contains(&again)), "{}", answer.head);
        assert!(answer.body.contains("too many requests in this time"), "{}", answer.body);
    }
    // On a stream an answer comes as all answers do.
    let mut read = [0; 4096];
    let mut text = String::new();
    let mut until = |wanted: &str| {
        while !text.contains(wanted) {
            let length = stream.read(&mut read).unwrap();
            assert!(length > 0, "{text}");
            text.push_str(&String::from_utf8_lossy(&read[..length]));
        }
        text.clone()
    };
    let head = until("sessionId=");
    let id: String = head.rsplit("sessionId=").next().unwrap().chars().take(32).collect();
    let message = format!("/message?sessionId={id}");
    assert_eq!(post(&message, INITIALIZE).bearer(BOB).send(&serving).status, 202);
    until("too many requests in this time");
    // What frees something is never refused.
    let cancelled = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2}}"#;
    for (path, body) in
        [("/mcp", cancelled), ("/mcp", r#"{"jsonrpc":"2.0","id":7,"result":{}}"#), (&message, cancelled)]
    {
        assert_eq!(post(path, body).bearer(BOB).within(&his).send(&serving).status, 202, "{body}");
    }
    assert_eq!(get("/mcp").by("DELETE").bearer(BOB).within(&his).send(&serving).status, 204);
    // Another one of his tenant has its own, and another tenant does not notice.
    assert_eq!(post("/mcp", INITIALIZE).bearer(ANN).send(&serving).status, 200);
    for _ in 0..30 {
        assert_eq!(post("/mcp", INITIALIZE).bearer(ALICE).send(&serving).status, 200);
    }
}

#[test]
fn exhaustion_of_lists_and_sessions_by_one_tenant_leaves_the_other_served() {
    let dir = tempfile::tempdir().unwrap();
    let serving = gateway(&dir, "requests: 40/s");
    let hers = session(&serving, "/mcp", |ask| ask.bearer(ALICE));
    let (is_over, refused) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let _over = Over(&is_over);
        let (serving, is_over, refused) = (&serving, &is_over, &refused);
        for number in 0..4 {
            scope.spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    let ask = match number % 2 {
                        0 => modern("/mcp", "tools/list", "", json!({})),
                        _ => post("/mcp", INITIALIZE),
                    };
                    let answer = ask.bearer(BOB).send(serving);
                    assert!(matches!(answer.status, 200 | 429 | 503), "{} {}", answer.head, answer.body);
                    if answer.status == 429 {
                        assert!(retry_after(&answer).is_some(), "{}", answer.head);
                        refused.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        eventually("the tenant has no more", || refused.load(Ordering::Relaxed) > 20);
        for number in 0..20 {
            let text = format!("call {number}");
            let called = post("/mcp", &legacy_call("demo__echo", &json!({ "message": text })));
            let answer = called.bearer(ALICE).within(&hers).send(serving);
            assert_eq!(answer.json()["result"]["content"][0]["text"], text.as_str(), "{}", answer.body);
            let listed = post("/mcp", LIST).bearer(ALICE).within(&hers).send(serving);
            assert!(listed.json()["result"]["tools"].is_array(), "{}", listed.body);
        }
    });
}
