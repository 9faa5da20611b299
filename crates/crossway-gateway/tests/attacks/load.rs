//! One tenant that takes all that it can, beside another that works.
//!
//! These tests count answers and measure no time: `crossway-neighbours --only tenant` in `benches` compares how long the other's calls take
//! alone and beside it.

use std::io::Read;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;

use super::ask::{Ask, get, legacy_call, modern, post, session};
use super::serving;
use super::support::tenants::{ALICE, BOB, by, eventually, sha256};
use super::support::{CROSSWAY, INITIALIZE, Serving};

/// A gateway for Alice of acme and Bob of globex. Bob's tenant has what it may use.
fn gateway(dir: &tempfile::TempDir, limits: &str) -> Serving {
    serving(
        dir,
        &format!(
            "identity:\n  proof: api-keys\n  keys:\n    - {{ sha256: \"{}\", subject: alice, groups: [acme] }}\n    \
             - {{ sha256: \"{}\", subject: bob, groups: [globex] }}\n\
             upstreams:\n  demo: {{ command: \"{CROSSWAY}\", args: [demo, --stdio], scope: tenant }}\n\
             tenants:\n  acme: {{ groups: [acme] }}\n  globex: {{ groups: [globex] }}\n\
             grants:\n  - {{ tenant: acme, upstream: demo, tools: [\"*\"] }}\n  - {{ tenant: globex, upstream: demo, tools: [\"*\"] }}\n\
             quotas:\n  - {{ tenant: globex, in_flight: 16, calls: 10/s }}\n{limits}",
            sha256(ALICE),
            sha256(BOB)
        ),
    )
}

fn there(serving: &Serving) {
    for key in [ALICE, BOB] {
        eventually("both are served", || {
            by(key).names(serving, "/mcp", "tools/list").contains(&"demo__echo".to_owned())
        });
    }
}

/// Ends what goes on without end, also when a test fails.
pub(super) struct Over<'a>(pub(super) &'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Makes calls of Alice's, one after the other. Each has to be answered with its own text.
fn calls(serving: &Serving, session: &str, count: usize) {
    for number in 0..count {
        let text = format!("call {number}");
        let called = post("/mcp", &legacy_call("demo__echo", &json!({ "message": text })));
        let answer = called.bearer(ALICE).within(session).send(serving);
        assert_eq!(answer.json()["result"]["content"][0]["text"], text.as_str(), "{}", answer.body);
    }
}

#[test]
fn exhaustion_of_calls_by_one_tenant_fails_no_call_of_the_other() {
    let dir = tempfile::tempdir().unwrap();
    let serving = gateway(&dir, "");
    there(&serving);
    let hers = session(&serving, "/mcp", |ask| ask.bearer(ALICE));
    let (is_over, refused) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let _over = Over(&is_over);
        let (serving, is_over, refused) = (&serving, &is_over, &refused);
        let his = session(serving, "/mcp", |ask| ask.bearer(BOB));
        // Slow calls that are never read, and as many more as he can make: each is refused in time, or waits in his own tenant's queue.
        let slow = legacy_call("demo__slow", &json!({ "steps": 100, "ms": 1000 }));
        let unread: Vec<TcpStream> =
            (0..12).map(|_| post("/mcp", &slow).bearer(BOB).within(&his).open(serving)).collect();
        for _ in 0..4 {
            let his = his.clone();
            scope.spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    let large = legacy_call("demo__echo", &json!({ "message": "x".repeat(64 << 10) }));
                    let answer = post("/mcp", &large).bearer(BOB).within(&his).send(serving);
                    if answer.status == 429 || answer.body.contains("\"error\"") {
                        let is_quotas = answer.status == 429 || answer.body.contains("-31003");
                        assert!(is_quotas, "{} {}", answer.status, answer.body);
                        refused.fetch_add(1, Ordering::Relaxed);
                        // As a client that is told to come back, only far too soon.
                        std::thread::sleep(Duration::from_millis(5));
                    }
                }
            });
        }
        eventually("the tenant has no more", || refused.load(Ordering::Relaxed) > 20);
        calls(serving, &hers, 50);
        drop(unread);
    });
}

#[test]
fn exhaustion_of_listening_streams_by_one_tenant_leaves_places_for_the_other() {
    let dir = tempfile::tempdir().unwrap();
    let serving = gateway(&dir, "limits: { sessions: 40 }\n");
    there(&serving);
    let params = || json!({ "notifications": { "toolsListChanged": true } });
    let listen = modern("/mcp", "subscriptions/listen", "", params());
    let open = |ask: &Ask| {
        let mut stream = ask.open(&serving);
        let mut status = [0; 12];
        stream.read_exact(&mut status).unwrap();
        (stream, status.ends_with(b"200"))
    };
    let listen_as_bob = listen.bearer(BOB);
    let his: Vec<_> = (0..30).map(|_| open(&listen_as_bob)).collect();
    assert!(his.iter().filter(|(_, is_open)| *is_open).count() <= 20);
    let refused = listen_as_bob.send(&serving);
    assert!(
        refused.status == 503 && refused.has_header("retry-after: 5"),
        "{} {}",
        refused.head,
        refused.body
    );
    // Sessions and streams are counted together.
    assert_eq!(post("/mcp", INITIALIZE).bearer(BOB).send(&serving).status, 503);
    let listen_as_alice = modern("/mcp", "subscriptions/listen", "", params()).bearer(ALICE);
    let hers: Vec<_> = (0..5).map(|_| open(&listen_as_alice)).collect();
    assert!(hers.iter().all(|(_, is_open)| *is_open));
    let session = session(&serving, "/mcp", |ask| ask.bearer(ALICE));
    calls(&serving, &session, 3);
}

#[test]
fn exhaustion_of_sessions_by_one_tenant_leaves_places_for_the_other() {
    let dir = tempfile::tempdir().unwrap();
    let serving = gateway(&dir, "limits: { sessions: 40 }\n");
    there(&serving);
    let opened = |key: &str| post("/mcp", INITIALIZE).bearer(key).send(&serving).status;
    let statuses: Vec<u16> = (0..60).map(|_| opened(BOB)).collect();
    let his = statuses.iter().filter(|status| **status == 200).count();
    assert!(his <= 20 && statuses.iter().all(|status| matches!(status, 200 | 503)), "{statuses:?}");
    // The same by HTTP+SSE, whose streams are all held.
    let mut streams = Vec::new();
    for _ in 0..60 {
        let mut stream = get("/sse").bearer(BOB).open(&serving);
        let mut status = [0; 12];
        stream.read_exact(&mut status).unwrap();
        streams.push((stream, status));
    }
    assert!(streams.iter().any(|(_, status)| status.ends_with(b"503")));
    for _ in 0..5 {
        assert_eq!(opened(ALICE), 200);
    }
    let hers = session(&serving, "/mcp", |ask| ask.bearer(ALICE));
    calls(&serving, &hers, 3);
}
