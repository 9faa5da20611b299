//! Headers that say who calls, from whoever likes to be somebody.

use std::time::SystemTime;

use serde_json::json;

use super::ask::{Answer, Ask, legacy_call, post, session};
use super::fake::{Fake, tool};
use super::issued::{KEY, SECRET, hs256, statement};
use super::serving;
use super::support::tenants::eventually;
use super::support::{CROSSWAY, INITIALIZE, Serving};

const EMAIL: &str = "X-OpenWebUI-User-Email";
const ID: &str = "X-OpenWebUI-User-Id";

/// A gateway that believes plain headers from a network. Alice's tenant alone is granted something.
fn fenced(dir: &tempfile::TempDir, network: &str, upstream: &str) -> Serving {
    serving(
        dir,
        &format!(
            "identity:\n  proof: headers\n  fence: {{ connection_key: \"{KEY}\", networks: [\"{network}\"] }}\n  anonymous: false\n\
             upstreams:\n  demo: {upstream}\n\
             tenants:\n  acme: {{ users: [\"alice@acme.example\"] }}\n  globex: {{ email_domains: [globex.example] }}\n\
             grants:\n  - {{ tenant: acme, upstream: demo, tools: [\"*\"] }}\n"
        ),
    )
}

fn demo() -> String {
    format!("{{ command: \"{CROSSWAY}\", args: [demo, --stdio], scope: tenant }}")
}

fn alice(ask: Ask) -> Ask {
    ask.bearer(KEY).with(ID, "u1").with(EMAIL, "alice@acme.example")
}

fn open(serving: &Serving, change: impl Fn(Ask) -> Ask) -> Answer {
    change(post("/mcp", INITIALIZE)).send(serving)
}

#[test]
fn an_identity_header_from_outside_the_fence_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let far = fenced(&dir, "10.0.0.0/8", &demo());
    let answer = open(&far, alice);
    assert_eq!(answer.status, 403, "{}", answer.body);
    // What a proxy would say of where it comes from is not asked.
    for name in ["X-Forwarded-For", "X-Real-IP", "Forwarded", "CF-Connecting-IP"] {
        let value = if name == "Forwarded" { "for=10.0.0.7" } else { "10.0.0.7" };
        assert_eq!(open(&far, |ask| alice(ask).with(name, value)).status, 403, "{name}");
    }
    let dir = tempfile::tempdir().unwrap();
    let near = fenced(&dir, "127.0.0.1", &demo());
    assert_eq!(open(&near, alice).status, 200);
    // The right place, without the key.
    let without = |ask: Ask| ask.with(ID, "u1").with(EMAIL, "alice@acme.example");
    assert_eq!(open(&near, without).status, 401);
    assert_eq!(open(&near, |ask| without(ask).bearer("another-key-0123456789abcdef0123456789")).status, 401);
    let basic = format!("Basic {KEY}");
    assert_eq!(open(&near, |ask| without(ask).with("Authorization", &basic)).status, 401);
}

#[test]
fn an_identity_header_that_is_there_twice_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let serving = fenced(&dir, "127.0.0.1", &demo());
    for (name, value) in [(EMAIL, "mallory@globex.example"), (EMAIL, "alice@acme.example"), (ID, "u2")] {
        let answer = open(&serving, |ask| alice(ask).with(name, value));
        assert_eq!(answer.status, 400, "{name}: {}", answer.body);
    }
    let other_key = "Bearer another-key-0123456789abcdef0123456789";
    assert_eq!(open(&serving, |ask| alice(ask).with("Authorization", other_key)).status, 400);
    // One header with two values.
    let joined =
        |ask: Ask| ask.bearer(KEY).with(ID, "u1").with(EMAIL, "alice@acme.example, mallory@globex.example");
    assert_eq!(open(&serving, joined).status, 400);
}

#[test]
fn an_identity_header_in_odd_case_or_with_underscores_is_no_second_one() {
    let dir = tempfile::tempdir().unwrap();
    let serving = fenced(&dir, "127.0.0.1", &demo());
    let odd = |ask: Ask| {
        ask.bearer(KEY).with("x-openWEBUI-user-ID", "u1").with("X-OPENWEBUI-USER-EMAIL", "alice@acme.example")
    };
    assert_eq!(open(&serving, odd).status, 200);
    let twice = |ask: Ask| alice(ask).with("x-openwebui-USER-email", "mallory@globex.example");
    assert_eq!(open(&serving, twice).status, 400);
    for name in [
        "X_OpenWebUI_User_Email",
        "X-OpenWebUI_User-Email",
        "x_openwebui_user_id",
        "Authorization_",
        "X_User_Email",
    ] {
        let answer = open(&serving, |ask| alice(ask).with(name, "mallory@globex.example"));
        let wanted = if name == "Authorization_" { 200 } else { 400 };
        assert_eq!(answer.status, wanted, "{name}: {}", answer.body);
    }
}

#[test]
fn an_identity_header_with_nul_or_with_what_nobody_sees_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let serving = fenced(&dir, "127.0.0.1", &demo());
    for value in [
        &b"alice@acme.example\0"[..],
        b"alice@acme.example\0@globex.example",
        b"\0alice@acme.example",
        b"alice@acme.example\x7f",
        b"alice@acme.example\x01",
        b"alice@acme.example\tx",
        b"",
        b" ",
        "alice@acme.example\u{200b}".as_bytes(),
        "\u{202e}alice@acme.example".as_bytes(),
        "\u{feff}alice@acme.example".as_bytes(),
        b"alice\xff@acme.example",
    ] {
        let answer = open(&serving, |ask| ask.bearer(KEY).with(ID, "u1").with(EMAIL, value));
        assert_eq!(answer.status, 400, "{value:?}: {}", answer.body);
    }
    // A line break would begin another header.
    let split =
        open(&serving, |ask| ask.bearer(KEY).with(ID, "u1\r\nX-OpenWebUI-User-Email: alice@acme.example"));
    assert_eq!(split.status, 200, "that is what an attacker who writes headers could have written anyway");
    let folded = open(&serving, |ask| ask.bearer(KEY).with(ID, "u1").with(EMAIL, "alice\r\n @acme.example"));
    assert_eq!(folded.status, 400, "{}", folded.body);
}

#[test]
fn a_name_that_looks_like_anothers_is_another() {
    let dir = tempfile::tempdir().unwrap();
    let serving = fenced(&dir, "127.0.0.1", &demo());
    // Plain headers are ASCII.
    for looks_like in ["\u{430}lice@acme.example", "alice@acm\u{435}.example", "\u{ff41}lice@acme.example"] {
        let answer = open(&serving, |ask| ask.bearer(KEY).with(ID, "u1").with(EMAIL, looks_like));
        assert_eq!(answer.status, 400, "{looks_like}: {}", answer.body);
    }
    for other in
        ["alice@acme.example.", "alice@sub.acme.example", "alice@acme-example", "al.ice@acme.example"]
    {
        let answer = open(&serving, |ask| ask.bearer(KEY).with(ID, "u1").with(EMAIL, other));
        assert_eq!(answer.status, 403, "{other}: {}", answer.body);
    }
    // What is signed may have any letters, and is compared byte for byte.
    let dir = tempfile::tempdir().unwrap();
    let serving = super::serving(
        &dir,
        &format!(
            "identity: {{ proof: open-webui-jwt, secret: \"{SECRET}\", connection_key: \"{KEY}\" }}\n\
             upstreams:\n  demo: {}\ntenants:\n  acme: {{ users: [alice, café] }}\n\
             grants:\n  - {{ tenant: acme, upstream: demo, tools: [\"*\"] }}\n",
            demo()
        ),
    );
    let status = |subject: &str| {
        let mut said = statement(subject, SystemTime::now());
        said["email"] = json!("somebody@nowhere.example");
        let signed = hs256(&said, SECRET.as_bytes());
        open(&serving, |ask| ask.bearer(KEY).with("X-OpenWebUI-User-Jwt", &signed)).status
    };
    assert_eq!((status("alice"), status("caf\u{e9}")), (200, 200));
    for other in ["\u{430}lice", "Alice", "alice ", "\u{ff41}lice", "cafe\u{301}", "alice\u{3164}"] {
        assert_eq!(status(other), 403, "{other:?}");
    }
}

#[test]
fn plain_headers_beside_signed_ones_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let identity =
        format!("identity: {{ proof: open-webui-jwt, secret: \"{SECRET}\", connection_key: \"{KEY}\" }}\n");
    let rest = format!("upstreams:\n  demo: {}\ntenants:\n  all: {{ everyone: true }}\n", demo());
    let serving = serving(&dir, &format!("{identity}{rest}"));
    let signed = hs256(&statement("mallory", SystemTime::now()), SECRET.as_bytes());
    for name in [ID, EMAIL, "X-OpenWebUI-User-Role", "X-User-Email", "X-API-Key"] {
        let both =
            |ask: Ask| ask.bearer(KEY).with("X-OpenWebUI-User-Jwt", &signed).with(name, "alice@acme.example");
        assert_eq!(open(&serving, both).status, 403, "{name}");
        // Also where nothing is signed, which is anonymous otherwise.
        let plain = |ask: Ask| ask.bearer(KEY).with(name, "alice@acme.example");
        assert_eq!(open(&serving, plain).status, 403, "{name}");
    }
    // And the other way around.
    let dir = tempfile::tempdir().unwrap();
    let fenced = fenced(&dir, "127.0.0.1", &demo());
    assert_eq!(open(&fenced, |ask| alice(ask).with("X-OpenWebUI-User-Jwt", &signed)).status, 403);
}

#[test]
fn what_says_who_calls_reaches_no_server() {
    let fake = Fake::of(json!([tool("look")]));
    let dir = tempfile::tempdir().unwrap();
    let serving = fenced(&dir, "127.0.0.1", &format!("{{ url: \"{}\", scope: user }}", fake.url()));
    let forwarded = |ask: Ask| {
        alice(ask)
            .with("Cookie", "session=of-alice")
            .with("X-Forwarded-User", "alice")
            .with("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
            .with("tracestate", "vendor=alice")
            .with("Remote-User", "alice")
            .with("Proxy-Authorization", "Basic YTpi")
    };
    let session = session(&serving, "/mcp", forwarded);
    eventually("the call arrives", || {
        forwarded(post("/mcp", &legacy_call("demo__look", &json!({})))).within(&session).send(&serving);
        !fake.calls().is_empty()
    });
    for kept in fake.kept() {
        let head = kept.head.to_ascii_lowercase();
        let has_any =
            ["authorization", "cookie", "x-openwebui", "remote-user", "forwarded", "alice", "trace", KEY];
        let found = has_any.iter().find(|text| head.contains(**text));
        assert!(found.is_none(), "{found:?} in {head}");
        assert!(!kept.message.to_string().contains("alice"), "{}", kept.message);
    }
}
