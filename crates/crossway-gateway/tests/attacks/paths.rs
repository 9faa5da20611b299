//! Names that lead elsewhere, and hosts that this is not.

use serde_json::json;

use super::ask::{LIST, call, get, post, session};
use super::fake::{Fake, tool};
use super::support::tenants::{ALICE, BOB, GRANTS, by, eventually, sha256, started};
use super::support::{INITIALIZE, Serving};
use super::{refused, serving};

#[test]
fn an_upstream_can_not_be_named_like_a_path() {
    for name in
        ["a/b", "../a", "..", ".", "a%2fb", "a b", "", "a\\\\b", "a\\0", "\u{430}pi", "a?b", "a#b", "__a"]
    {
        let told = refused(&format!("upstreams:\n  \"{name}\": {{ command: uvx }}\n"));
        assert!(told.contains("error: upstreams"), "{name:?}: {told}");
    }
    // Nor can a prefix, nor an endpoint.
    for prefix in ["a/b", "..", "", "__a"] {
        let told = refused(&format!("upstreams:\n  a: {{ command: uvx, prefix: \"{prefix}\" }}\n"));
        assert!(told.contains("upstreams.a.prefix"), "{prefix:?}: {told}");
    }
    for path in ["/a/b", "a", "/..", "/%2e%2e", "//a", "/", "/upstream"] {
        let config = format!(
            "upstreams:\n  upstream: {{ command: uvx }}\ntenants: {{ t: {{ groups: [g] }} }}\nendpoints: {{ \"{path}\": t }}\n"
        );
        let told = refused(&config);
        assert!(told.contains("error: endpoints"), "{path:?}: {told}");
    }
}

#[test]
fn a_path_that_means_another_server_in_some_spelling_leads_nowhere() {
    let (_dir, serving) = started(GRANTS);
    let status = |key: &str, path: &str| post(path, INITIALIZE).bearer(key).send(&serving);
    let nowhere = status(BOB, "/no-such/mcp");
    assert_eq!(nowhere.status, 404);
    // Bob is granted nothing of `old`, in whatever spelling.
    for path in [
        "/old/mcp",
        "/%6fld/mcp",
        "/OLD/mcp",
        "//old/mcp",
        "/./old/mcp",
        "/demo/../old/mcp",
        "/demo%2f..%2fold/mcp",
        "/demo/%2e%2e/old/mcp",
        "/old%00/mcp",
        "/old%2fmcp",
        "/old%2f/mcp",
        "/demo;/../old/mcp",
        "/%2e%2e/old/mcp",
        "/demo/old/mcp",
        "/old/./mcp",
        "/old//mcp",
        "/old\\mcp",
        "/demo%5c..%5cold/mcp",
        "/old%ff/mcp",
        "/old /mcp",
        "/old%20/mcp",
        "/%E2%80%8Bold/mcp",
        "/o\u{6c}d%0d%0a/mcp",
        "/demo__old/mcp",
        "/demo/mcp/../../old/mcp",
    ] {
        let answer = status(BOB, path);
        assert!(answer.status == 404 || answer.status == 400, "{path}: {} {}", answer.status, answer.body);
        if answer.status == 404 {
            assert_eq!(answer.body, nowhere.body, "{path}");
        }
    }
    // To who may, another spelling of the same segment is the same server, and a path with others in it is nothing.
    assert_eq!(status(ALICE, "/old/mcp").status, 200);
    assert_eq!(status(ALICE, "/%6fld/mcp").status, 200);
    for path in ["/demo/../old/mcp", "/demo%2f..%2fold/mcp", "//old/mcp", "/OLD/mcp", "/old%2fmcp"] {
        assert!(matches!(status(ALICE, path).status, 404 | 400), "{path}");
    }
    // A request's target in its absolute form names the same path, and no other host.
    let absolute = status(BOB, &format!("http://{}/old/mcp", serving.address));
    assert!(matches!(absolute.status, 404 | 400 | 403), "{}", absolute.status);
}

#[test]
fn a_tool_named_with_another_servers_prefix_is_not_that_servers() {
    let (_dir, serving) = started(GRANTS);
    eventually("Bob's server is there", || by(BOB).names(&serving, "/mcp", "tools/list") == ["demo__slow"]);
    let missing = call("/mcp", "demo__no_such", json!({})).bearer(BOB).send(&serving).json();
    for tool in [
        "old__echo",
        "demo__old__echo",
        "demo__/old__echo",
        "demo__../old__echo",
        "demo__%2e%2e%2fecho",
        "old%5f%5fecho",
        "demo____echo",
        "__echo",
        "demo__",
        "echo",
        "demo__echo\u{0}",
        "demo__echo ",
        "DEMO__slow",
        "demo__slow__",
        "demo.slow",
        "demo/echo",
        "demo__ѕlow",
    ] {
        let body = json!({ "name": tool, "arguments": {} });
        let name = if tool.is_ascii() && !tool.contains('\u{0}') { tool.trim() } else { "" };
        for ask in [
            super::ask::modern("/mcp", "tools/call", name, body.clone()),
            super::ask::modern("/demo/mcp", "tools/call", name, body.clone()),
        ] {
            let answer = ask.bearer(BOB).send(&serving);
            if answer.status != 200 {
                assert_eq!(answer.status, 400, "{tool}: {}", answer.body);
                continue;
            }
            let error = answer.json()["error"].clone();
            assert_eq!(error["code"], missing["error"]["code"], "{tool}: {}", answer.body);
            assert!(error["message"].as_str().unwrap().starts_with("Unknown tool: "), "{tool}: {error}");
        }
    }
    // The header says one tool, the body another.
    let two = super::ask::modern(
        "/mcp",
        "tools/call",
        "demo__slow",
        json!({ "name": "demo__echo", "arguments": {} }),
    );
    assert_eq!(two.bearer(BOB).send(&serving).status, 400);
}

#[test]
fn the_separator_in_a_servers_name_leads_to_no_other_server() {
    let (short, long) = (Fake::of(json!([tool("b__x")])), Fake::of(json!([tool("x")])));
    let dir = tempfile::tempdir().unwrap();
    let serving = serving(
        &dir,
        &format!(
            "identity:\n  proof: api-keys\n  keys:\n    - {{ sha256: \"{}\", subject: alice, groups: [acme] }}\n    \
             - {{ sha256: \"{}\", subject: bob, groups: [globex] }}\n\
             upstreams:\n  a: {{ url: \"{}\" }}\n  a__b: {{ url: \"{}\" }}\n\
             tenants:\n  acme: {{ groups: [acme] }}\n  globex: {{ groups: [globex] }}\n\
             grants:\n  - {{ tenant: acme, upstream: a__b, tools: [\"*\"] }}\n  - {{ tenant: globex, upstream: a, tools: [\"*\"] }}\n",
            sha256(ALICE),
            sha256(BOB),
            short.url(),
            long.url()
        ),
    );
    let names = |key: &str| by(key).names(&serving, "/mcp", "tools/list");
    eventually("both see one tool", || names(ALICE).len() == 1 && names(BOB).len() == 1);
    let (hers, his) = (names(ALICE).remove(0), names(BOB).remove(0));
    assert!(hers != his && his == "a__b__x", "{hers} {his}");
    let called = |key: &str, tool: &str| call("/mcp", tool, json!({})).bearer(key).send(&serving).json();
    assert!(called(ALICE, &his)["error"].is_object() && called(BOB, &hers)["error"].is_object());
    assert_eq!((short.calls().len(), long.calls().len()), (0, 0));
    assert!(called(ALICE, &hers)["result"].is_object() && called(BOB, &his)["result"].is_object());
    assert_eq!((short.calls().len(), long.calls().len()), (1, 1));
}

fn open_gateway() -> (tempfile::TempDir, Serving) {
    let dir = tempfile::tempdir().unwrap();
    let serving = serving(
        &dir,
        "allow_hosts: [gateway.example]\nallow_origins: [\"https://chat.example\"]\nidentity: { proof: none }\n",
    );
    (dir, serving)
}

#[test]
fn a_host_that_this_is_not_is_refused() {
    let (_dir, serving) = open_gateway();
    let port = serving.address.rsplit(':').next().unwrap().to_owned();
    let status = |line: &str| post("/mcp", INITIALIZE).host_line(line).send(&serving).status;
    for good in [
        format!("Host: 127.0.0.1:{port}"),
        format!("Host: localhost:{port}"),
        "Host: gateway.example".to_owned(),
    ] {
        assert_eq!(status(&format!("{good}\r\n")), 200, "{good}");
    }
    for bad in [
        "Host: evil.example".to_owned(),
        format!("Host: evil.example:{port}"),
        format!("Host: 127.0.0.1.evil.example:{port}"),
        format!("Host: localhost.evil.example:{port}"),
        "Host: gateway.example.evil.example".to_owned(),
        "Host: evil-gateway.example".to_owned(),
        format!("Host: 127.0.0.1:{port}@evil.example"),
        format!("Host: evil.example@127.0.0.1:{port}"),
        "Host: gateway.example/evil.example".to_owned(),
        "Host: gateway.example, evil.example".to_owned(),
        "Host: gateway.example evil.example".to_owned(),
        "Host: http://gateway.example".to_owned(),
        "Host: 0.0.0.0".to_owned(),
        "Host: 2130706433".to_owned(),
        "Host: ".to_owned(),
        "X: y".to_owned(),
        "Host: gateway.example\r\nHost: evil.example".to_owned(),
        "Host: evil.example\r\nHost: gateway.example".to_owned(),
        "Host: evil.example\r\nX-Forwarded-Host: gateway.example".to_owned(),
        "Host: evil.example\r\nForwarded: host=gateway.example".to_owned(),
    ] {
        let status = status(&format!("{bad}\r\n"));
        assert!(status == 400 || status == 403 || status == 421, "{bad}: {status}");
    }
    // The target's own host counts before the header (RFC 9112, section 3.2.2).
    let absolute =
        post("http://evil.example/mcp", INITIALIZE).host_line("Host: gateway.example\r\n").send(&serving);
    assert!(matches!(absolute.status, 400 | 403 | 421), "{}", absolute.status);
}

#[test]
fn a_page_on_a_name_that_was_rebound_is_refused() {
    let (_dir, serving) = open_gateway();
    let port = serving.address.rsplit(':').next().unwrap().to_owned();
    // What a browser sends once evil.example leads to this machine.
    let rebound = format!(
        "Host: evil.example:{port}\r\nOrigin: http://evil.example:{port}\r\nSec-Fetch-Site: same-origin\r\n"
    );
    for ask in
        [post("/mcp", INITIALIZE), get("/sse"), post("/mcp", LIST), get("/mcp"), get("/mcp").by("DELETE")]
    {
        let answer = ask.host_line(&rebound).send(&serving);
        assert!(matches!(answer.status, 403 | 421), "{} {}", answer.status, answer.body);
    }
    // A page elsewhere that calls the right name.
    let id = session(&serving, "/mcp", |ask| ask);
    for origin in [
        "http://evil.example",
        "https://chat.example.evil.example",
        "https://chat.example:444",
        "http://chat.example",
        "null",
        "file://",
        "",
    ] {
        let answer = post("/mcp", LIST).within(&id).with("Origin", origin).send(&serving);
        assert!(matches!(answer.status, 400 | 403), "{origin}: {}", answer.status);
        assert!(!answer.head.to_ascii_lowercase().contains("access-control-allow-origin"), "{}", answer.head);
    }
    assert_eq!(
        post("/mcp", LIST).within(&id).with("Origin", "https://chat.example").send(&serving).status,
        200
    );
}
