//! Requests that the gateway is to make for an attacker, and headers that it is to send.

use std::time::SystemTime;

use serde_json::{Value, json};

use super::ask::{call, legacy_call, modern, post, session};
use super::fake::{Fake, Kept, tool};
use super::issued::{KEY, SECRET, hs256, statement, with};
use super::serving;
use super::support::Serving;
use super::support::tenants::{ALICE, by, eventually, sha256};

/// A gateway in front of a server, with a token of Alice's tenant for it.
fn gateway(dir: &tempfile::TempDir, fake: &Fake) -> Serving {
    std::fs::write(dir.path().join("token"), "token-of-acme").unwrap();
    serving(
        dir,
        &format!(
            "identity:\n  proof: api-keys\n  keys:\n    - {{ sha256: \"{}\", subject: alice, groups: [acme] }}\n\
             upstreams:\n  web: {{ url: \"{}\" }}\ntenants:\n  acme: {{ groups: [acme] }}\n\
             credentials:\n  - {{ upstream: web, for: tenant, tenant: acme, bearer: true, from: {{ file: token }} }}\n\
             grants:\n  - {{ tenant: acme, upstream: web, tools: [\"*\"], resources: [\"**\"] }}\n",
            sha256(ALICE),
            fake.url()
        ),
    )
}

#[test]
fn a_server_that_redirects_leads_nowhere_and_its_token_stays() {
    let (fake, inside) = (Fake::of(json!([tool("look")])), Fake::of(json!([tool("secret")])));
    let dir = tempfile::tempdir().unwrap();
    let serving = gateway(&dir, &fake);
    eventually("it is listed", || by(ALICE).names(&serving, "/mcp", "tools/list") == ["web__look"]);
    for status in [301, 302, 303, 307, 308] {
        for target in [
            inside.url(),
            "file:///etc/passwd".to_owned(),
            "http://169.254.169.254/latest/meta-data".to_owned(),
        ] {
            fake.says(status, &format!("Location: {target}\r\n"), "");
            let answer = call("/mcp", "web__look", json!({})).bearer(ALICE).send(&serving);
            let error = answer.json()["error"].clone();
            assert!(error.is_object() && !answer.body.contains("token-of-acme"), "{status}: {}", answer.body);
        }
    }
    assert!(inside.kept().is_empty());
}

#[test]
fn a_schema_that_names_a_place_has_nobody_go_there() {
    let place = Fake::of(json!([]));
    let url = place.url();
    let fake = Fake::of(json!([{
        "name": "look",
        "inputSchema": {
            "$schema": url, "$id": url, "type": "object", "$ref": url,
            "properties": { "a": { "$ref": format!("{url}#/x") }, "b": { "$dynamicRef": url } },
        },
        "outputSchema": { "type": "object", "$ref": url },
        "icons": [{ "src": url }],
    }]));
    fake.answers(json!({
        "resultType": "complete", "structuredContent": { "a": 1 },
        "content": [{ "type": "resource_link", "uri": url, "name": "n" }],
    }));
    let dir = tempfile::tempdir().unwrap();
    let serving = gateway(&dir, &fake);
    eventually("it is listed", || by(ALICE).names(&serving, "/mcp", "tools/list") == ["web__look"]);
    assert!(
        call("/mcp", "web__look", json!({ "a": url, "b": { "$ref": url } }))
            .bearer(ALICE)
            .send(&serving)
            .json()["result"]
            .is_object()
    );
    // Nor by a URI that the caller names.
    for uri in [url.as_str(), "file:///etc/passwd", "http://169.254.169.254/"] {
        let read = modern("/mcp", "resources/read", uri, json!({ "uri": uri })).bearer(ALICE).send(&serving);
        assert!(!read.body.contains("root:"), "{}", read.body);
    }
    assert!(place.kept().is_empty());
}

/// Whether no header came that an attacker has begun.
fn is_clean(kept: &[Kept]) -> bool {
    let is_evil = |line: &str| line.to_ascii_lowercase().starts_with("x-evil") || line.contains('\0');
    kept.iter().all(|kept| !kept.head.split(['\r', '\n']).any(is_evil))
}

#[test]
fn an_argument_that_stands_in_a_header_begins_no_other() {
    let fake = Fake::of(json!([{
        "name": "look",
        "inputSchema": { "type": "object", "properties": { "region": { "type": "string", "x-mcp-header": "Region" } } },
    }]));
    let dir = tempfile::tempdir().unwrap();
    let serving = gateway(&dir, &fake);
    eventually("it is listed", || by(ALICE).names(&serving, "/mcp", "tools/list") == ["web__look"]);
    let id = session(&serving, "/mcp", |ask| ask.bearer(ALICE));
    for region in [
        "eu\r\nX-Evil: 1",
        "eu\nX-Evil: 1",
        "eu\rX-Evil: 1",
        "eu\0X-Evil: 1",
        " eu ",
        "e\u{fc}",
        "=?base64?eA==?=",
        "",
    ] {
        let before = fake.calls().len();
        let called =
            post("/mcp", &legacy_call("web__look", &json!({ "region": region }))).bearer(ALICE).within(&id);
        assert!(called.send(&serving).json()["result"].is_object(), "{region:?}");
        let kept = fake.calls().split_off(before);
        assert_eq!(kept.len(), 1);
        assert!(is_clean(&kept), "{region:?}: {}", kept[0].head);
        // The argument itself is what it was.
        assert_eq!(kept[0].message["params"]["arguments"]["region"], region);
        let line =
            kept[0].head.lines().find(|line| line.to_ascii_lowercase().starts_with("mcp-param-region:"));
        assert!(line.is_some_and(|line| line.is_ascii()), "{}", kept[0].head);
    }
    // A tool's name stands in one too.
    for name in ["web__look\r\nX-Evil: 1", "web__look\nX-Evil: 1"] {
        post("/mcp", &legacy_call(name, &json!({}))).bearer(ALICE).within(&id).send(&serving);
    }
    assert!(is_clean(&fake.kept()));
}

#[test]
fn what_a_user_is_called_begins_no_header_and_fills_no_other_place() {
    let fake = Fake::of(json!([tool("look")]));
    let dir = tempfile::tempdir().unwrap();
    let serving = serving(
        &dir,
        &format!(
            "identity: {{ proof: open-webui-jwt, secret: \"{SECRET}\", connection_key: \"{KEY}\" }}\n\
             upstreams:\n  web: {{ url: \"{}\", scope: user }}\ntenants:\n  all: {{ everyone: true }}\n\
             credentials:\n  - {{ upstream: web, for: user, header: X-User, value: \"{{user.subject}}\" }}\n  \
             - {{ upstream: web, for: user, header: X-Name, value: \"name={{user.name}};role=user\", required: false }}\n\
             grants:\n  - {{ tenant: all, upstream: web, tools: [\"*\"] }}\n",
            fake.url()
        ),
    );
    let called = |claims: &Value| {
        let signed = hs256(claims, SECRET.as_bytes());
        let ask = call("/mcp", "web__look", json!({})).bearer(KEY).with("X-OpenWebUI-User-Jwt", &signed);
        ask.send(&serving)
    };
    let said = |subject: &str, name: &str| with(statement(subject, SystemTime::now()), "name", name);
    eventually("the call arrives", || called(&said("alice", "Alice")).json()["result"].is_object());
    let head = fake.calls().last().unwrap().head.to_ascii_lowercase();
    assert!(head.contains("x-user: alice") && head.contains("x-name: name=alice;role=user"), "{head}");
    let before = fake.calls().len();
    for subject in [
        "alice\r\nX-Evil: 1",
        "alice\nX-Evil: 1",
        "alice, root",
        "alice;x",
        "al\"ice",
        "{user.email}\0",
        "al ice",
        "\u{e4}lice",
    ] {
        let answer = called(&said(subject, "Alice"));
        assert!(answer.status != 200 || answer.json()["error"].is_object(), "{subject:?}: {}", answer.body);
    }
    assert_eq!(fake.calls().len(), before, "none was sent");
    for name in ["x\r\nX-Evil: 1", "x;role=admin", "x, y", "{tenant}", "%0d%0aX-Evil: 1"] {
        called(&said("alice", name));
    }
    for kept in fake.calls() {
        let head = kept.head.to_ascii_lowercase();
        assert!(is_clean(&[kept]) && !head.contains("role=admin"), "{head}");
        assert_eq!(head.matches("x-user: ").count(), 1, "{head}");
    }
}
