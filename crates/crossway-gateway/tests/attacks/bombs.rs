//! Little texts that would take a lot of work.

use serde_json::json;

use super::ask::{legacy_call, post, session};
use super::fake::{Fake, tool};
use super::support::Serving;
use super::support::tenants::{ALICE, BOB, by, eventually, sha256};
use super::{refused, serving};

const KNOWN: &str = "upstreams:\n  evil: { command: uvx }\ntenants:\n  acme: { groups: [acme] }\n";

/// What is said of a grant that can't be used.
fn refused_grant(grant: &serde_json::Value) -> String {
    let mut grant = grant.clone();
    (grant["tenant"], grant["upstream"]) = (json!("acme"), json!("evil"));
    refused(&format!("{KNOWN}grants:\n  - {grant}\n"))
}

#[test]
fn a_condition_that_would_cost_much_is_refused_before_it_is_asked() {
    let nested = |depth: usize| format!("{}true{}", "(".repeat(depth), ")".repeat(depth));
    let loops = "args.a.all(a, args.b.all(b, args.c.all(c, a + b + c > 0)))".to_owned();
    for when in [
        loops,
        "args.a.exists(a, args.a.exists(b, a == b))".to_owned(),
        nested(500),
        vec!["args.a"; 300].join(" + ") + " > 1",
        vec!["true"; 400].join(" && "),
        format!("args.a == \"{}\"", "x".repeat(3000)),
        "args.a.matches('(a+)+$')".to_owned(),
        "matches(args.a, '(a|aa)+$')".to_owned(),
        "args.a.map(x, x + x).size() > 1".to_owned(),
        "args.a.filter(x, x != '').size() > 1".to_owned(),
        format!("{} == 1", "[".repeat(40) + &"]".repeat(40)),
        "-".repeat(600) + "1 == 1",
        "!".repeat(600) + "true",
        "args".to_owned() + &".a".repeat(600) + " == 1",
    ] {
        let told = refused_grant(&json!({ "tools": ["*"], "when": when }));
        assert!(told.contains("error: grants[0].when"), "{when:.60}: {told}");
    }
}

#[test]
fn a_pattern_that_would_cost_much_is_refused_before_it_is_asked() {
    for pattern in [
        "*a".repeat(40),
        "?".repeat(40),
        "[a-z]".repeat(40),
        "{a,b}".repeat(40),
        format!("{}a{}", "{a,".repeat(40), "}".repeat(40)),
        "a".repeat(600),
        "{".repeat(20),
        "[".to_owned(),
    ] {
        for list in ["tools", "resources"] {
            let mut grant = json!({});
            grant[list] = json!([pattern]);
            let told = refused_grant(&grant);
            assert!(told.contains(&format!("error: grants[0].{list}")), "{pattern:.60}: {told}");
        }
    }
}

/// A gateway whose grants are the worst that can be said.
fn worst(dir: &tempfile::TempDir, fake: &Fake) -> Serving {
    let when =
        "args.list.all(x, x != args.y) && size(args.list) < 100000 && args.list.exists(x, x == \\\"last\\\")";
    let pattern = "*a".repeat(31) + "*b";
    serving(
        dir,
        &format!(
            "identity:\n  proof: api-keys\n  keys:\n    - {{ sha256: \"{}\", subject: alice, groups: [acme] }}\n    \
             - {{ sha256: \"{}\", subject: bob, groups: [globex] }}\n\
             upstreams:\n  evil: {{ url: \"{}\" }}\ntenants:\n  acme: {{ groups: [acme] }}\n  globex: {{ groups: [globex] }}\n\
             grants:\n  - {{ tenant: acme, upstream: evil, tools: [look], when: \"{when}\" }}\n  \
             - {{ tenant: acme, upstream: evil, tools: [\"{pattern}\"] }}\n  - {{ tenant: globex, upstream: evil, tools: [look] }}\n",
            sha256(ALICE),
            sha256(BOB),
            fake.url()
        ),
    )
}

#[test]
fn what_a_caller_sends_to_the_worst_rules_is_bounded_and_others_are_served() {
    let fake = Fake::of(json!([tool("look")]));
    let dir = tempfile::tempdir().unwrap();
    let serving = worst(&dir, &fake);
    eventually("Bob's tool is there", || by(BOB).names(&serving, "/mcp", "tools/list") == ["evil__look"]);
    let (hers, his) = (
        session(&serving, "/mcp", |ask| ask.bearer(ALICE)),
        session(&serving, "/mcp", |ask| ask.bearer(BOB)),
    );
    let called = |tool: &str, arguments: &serde_json::Value| {
        post("/mcp", &legacy_call(tool, arguments)).bearer(ALICE).within(&hers).send(&serving)
    };
    let list = |length: usize| (0..length).map(|n| format!("e{n}")).collect::<Vec<_>>();
    let mut fits = list(500);
    fits.push("last".to_owned());
    let answer = called("evil__look", &json!({ "list": fits, "y": "no" }));
    assert!(answer.json()["result"].is_object(), "{}", answer.body);
    let mut deep = json!("last");
    for _ in 0..100 {
        deep = json!([deep]);
    }
    for arguments in [
        // More than conditions read.
        json!({ "list": list(20_000), "y": "no" }),
        json!({ "list": ["last"], "y": "x".repeat(70_000) }),
        json!({ "list": [deep.clone(), "last"], "y": deep }),
        json!({ "list": "last", "y": 1 }),
        json!({ "LIST": ["last"], "list": ["last"], "y": 1 }),
        json!({}),
    ] {
        let answer = called("evil__look", &arguments);
        let error = answer.json()["error"]["message"].as_str().unwrap_or_default().to_owned();
        assert!(error.starts_with("Unknown tool"), "{:.80}: {}", arguments.to_string(), answer.body);
    }
    // Names for the pattern that tries the most.
    for length in [100, 8 << 10, 9 << 10, 200 << 10] {
        let answer = called(&format!("evil__{}c", "a".repeat(length)), &json!({}));
        assert!(answer.status == 200 && answer.json()["error"].is_object(), "{length}: {}", answer.body);
    }
    let calls = fake.calls().len();
    let bob = post("/mcp", &legacy_call("evil__look", &json!({}))).bearer(BOB).within(&his).send(&serving);
    assert!(bob.json()["result"].is_object(), "{}", bob.body);
    assert_eq!((calls, fake.calls().len()), (1, 2));
}

#[test]
fn a_message_that_would_cost_much_is_refused_before_it_is_read() {
    let fake = Fake::of(json!([tool("look")]));
    let dir = tempfile::tempdir().unwrap();
    let serving = worst(&dir, &fake);
    let his = session(&serving, "/mcp", |ask| ask.bearer(BOB));
    let within = |body: &str| post("/mcp", body).bearer(BOB).within(&his).send(&serving);
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    for (body, wanted) in [
        (
            format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"evil__look","arguments":{deep}}}}}"#
            ),
            400,
        ),
        (deep.clone(), 400),
        (format!(r#"{{"jsonrpc":"2.0","id":{},"method":"ping"}}"#, "9".repeat(100_000)), 400),
        (format!(r#"{{"jsonrpc":"2.0","id":"{}","method":"ping"}}"#, "x".repeat(100_000)), 400),
    ] {
        let answer = within(&body);
        assert_eq!(answer.status, wanted, "{body:.60}: {:.200}", answer.body);
    }
    assert_eq!(within(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#).status, 200);
    assert!(fake.calls().is_empty());
}
