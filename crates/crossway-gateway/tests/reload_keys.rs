//! Which keys of an upstream make a reload replace it: all of them.

#![expect(clippy::unwrap_used, reason = "helpers of tests are not tests to the lint")]

use std::collections::BTreeSet;
use std::path::Path;

use crossway_gateway::config::file::UpstreamLimitsFile;
use crossway_gateway::config::{self, UpstreamSpec};
use serde_json::{Value, json};

/// The settings of an upstream with these keys.
fn spec(upstream: &Value) -> UpstreamSpec {
    let text = json!({ "identity": { "proof": "none" }, "upstreams": { "a": upstream } }).to_string();
    let mut loaded =
        config::parse(Path::new("a.json"), &text, |_| None).unwrap_or_else(|e| panic!("{text}: {e}"));
    loaded.upstreams.remove(0)
}

fn with(upstream: &Value, key: &str, value: Value) -> Value {
    let mut upstream = upstream.clone();
    upstream[key] = value;
    upstream
}

#[test]
fn a_change_of_any_key_of_an_upstream_is_taken_up() {
    let command = json!({ "command": "x" });
    let url = json!({ "url": "http://a/" });
    let webhook =
        |description: &str| json!({ "tools": { "a": { "description": description, "url": "http://h/" } } });
    let api = json!({ "webhook": webhook("d") });
    let document = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");
    let openapi = json!({ "openapi": { "document": "http://a/openapi.json" } });
    assert!(Path::new(document).is_dir());
    let changes = [
        (&command, "command", json!("y")),
        (&command, "args", json!(["y"])),
        (&command, "env", json!({ "A": "b" })),
        (&command, "cwd", json!(document)),
        (&url, "url", json!("http://b/")),
        (&url, "transport", json!("http-sse")),
        (&openapi, "openapi", json!({ "document": "http://b/openapi.json" })),
        (&api, "webhook", webhook("e")),
        (&url, "headers", json!({ "A": "b" })),
        (&url, "proxy", json!("http://p:1/")),
        (&command, "scope", json!("user")),
        (&command, "trusted", json!(true)),
        (&command, "prefix", json!("b")),
        (&command, "sanitize", json!(false)),
        (&command, "instructions", json!(false)),
        (&command, "limits", json!({ "total": "7s" })),
    ];
    for (before, key, value) in &changes {
        assert_eq!(spec(before), spec(before), "{key}");
        assert_ne!(spec(before), spec(&with(before, key, value.clone())), "{key}");
    }
    let schema: Value = serde_json::from_str(&config::schema()).unwrap();
    let known = schema["$defs"]["UpstreamFile"]["properties"].as_object().unwrap();
    let known: BTreeSet<&str> = known.keys().map(String::as_str).collect();
    assert_eq!(changes.iter().map(|(_, key, _)| *key).collect::<BTreeSet<_>>(), known);
}

#[test]
fn a_change_of_any_limit_of_an_upstream_is_taken_up() {
    let defaults = serde_json::to_value(UpstreamLimitsFile::default()).unwrap();
    let before = spec(&json!({ "command": "x", "limits": defaults }));
    assert_eq!(before, spec(&json!({ "command": "x" })));
    let mut looked_at = 0;
    for (key, value) in defaults.as_object().unwrap() {
        let inner = value.as_object().cloned().unwrap_or_default();
        let changed: Vec<Value> = if inner.is_empty() {
            vec![json!({ key: other(value) })]
        } else {
            inner.iter().map(|(name, value)| json!({ key: { name: other(value) } })).collect()
        };
        for limits in changed {
            assert_ne!(before, spec(&json!({ "command": "x", "limits": limits })), "{limits}");
            looked_at += 1;
        }
    }
    assert!(looked_at >= 13, "{looked_at}");
}

/// Another value of the same kind that is valid.
fn other(value: &Value) -> Value {
    match value {
        Value::Bool(is_so) => json!(!is_so),
        Value::Number(number) => json!(number.as_u64().unwrap() + 1),
        // Between the times of the breaker.
        _ => json!("7s"),
    }
}
