//! What belongs to one caller, in the hands of another.

use std::io::{BufRead, BufReader};

use serde_json::{Value, json};

use super::ask::{Answer, Ask, LIST, call, get, legacy_call, modern, post, session};
use super::fake::{Fake, tool};
use super::support::tenants::{ALICE, ANN, BOB, by, eventually, sha256};
use super::support::{CROSSWAY, INITIALIZE, Serving};
use super::{issued, serving};

/// A gateway whose two tenants share all servers as widely as can be said. Alice and Ann are of one tenant, Bob of the other.
fn shared(dir: &tempfile::TempDir, more: &str) -> Serving {
    let keys: String = [(ALICE, "alice", "acme"), (ANN, "ann", "acme"), (BOB, "bob", "globex")]
        .iter()
        .map(|(key, name, group)| {
            format!("    - {{ sha256: \"{}\", subject: {name}, groups: [{group}] }}\n", sha256(key))
        })
        .collect();
    serving(
        dir,
        &format!(
            "identity:\n  proof: api-keys\n  keys:\n{keys}upstreams:\n  \
             old: {{ command: \"{CROSSWAY}\", args: [demo, --stdio, --era, legacy], scope: shared }}\n  \
             theirs: {{ command: \"{CROSSWAY}\", args: [demo, --stdio, --era, legacy], scope: tenant }}\n{more}\
             tenants:\n  acme: {{ groups: [acme] }}\n  globex: {{ groups: [globex] }}\n\
             grants:\n  - {{ tenant: acme, upstream: \"*\", tools: [\"*\"], resources: [\"**\"] }}\n  \
             - {{ tenant: globex, upstream: \"*\", tools: [\"*\"], resources: [\"**\"] }}\n"
        ),
    )
}

/// Waits until a tool is listed for Alice and for Bob.
fn there(serving: &Serving, tool: &str) {
    for key in [ALICE, BOB] {
        eventually(tool, || by(key).names(serving, "/mcp", "tools/list").iter().any(|name| name == tool));
    }
}

#[test]
fn a_session_of_another_user_is_one_that_is_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let serving = shared(&dir, "");
    there(&serving, "old__echo");
    let hers = session(&serving, "/mcp", |ask| ask.bearer(ALICE));
    let within =
        |key: &str, id: &str, method| post("/mcp", LIST).by(method).bearer(key).within(id).send(&serving);
    let almost = format!("{}{}", &hers[..hers.len() - 1], if hers.ends_with('A') { 'B' } else { 'A' });
    for stranger in [ANN, BOB] {
        for method in ["POST", "GET", "DELETE"] {
            let stolen = within(stranger, &hers, method);
            let made_up = within(stranger, &almost, method);
            assert_eq!((stolen.status, &stolen.body), (404, &made_up.body), "{method}");
        }
    }
    assert_eq!(post("/mcp", LIST).within(&hers).send(&serving).status, 401);
    assert_eq!(within(ALICE, &hers, "POST").status, 200);
    // Twice in one request, hers and the stranger's own.
    let his = session(&serving, "/mcp", |ask| ask.bearer(BOB));
    let both = post("/mcp", LIST).bearer(BOB).within(&his).within(&hers).send(&serving);
    assert!((400..=404).contains(&both.status), "{} {}", both.status, both.body);
}

#[test]
fn a_session_on_another_route_is_one_that_is_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let serving = shared(&dir, "");
    there(&serving, "old__echo");
    let merged = session(&serving, "/mcp", |ask| ask.bearer(ALICE));
    let alone = session(&serving, "/old/mcp", |ask| ask.bearer(ALICE));
    let status = |path: &str, id: &str| post(path, LIST).bearer(ALICE).within(id).send(&serving).status;
    assert_eq!((status("/mcp", &merged), status("/old/mcp", &alone)), (200, 200));
    assert_eq!(
        (status("/old/mcp", &merged), status("/mcp", &alone), status("/theirs/mcp", &alone)),
        (404, 404, 404)
    );
}

#[test]
fn a_sealed_session_of_another_user_or_route_is_one_that_is_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let serving = shared(&dir, "").keyed(&dir);
    there(&serving, "old__echo");
    let hers = session(&serving, "/mcp", |ask| ask.bearer(ALICE));
    let at = |key: &str, path: &str, id: &str| post(path, LIST).bearer(key).within(id).send(&serving).status;
    assert_eq!(at(ALICE, "/mcp", &hers), 200);
    assert_eq!(
        (at(ANN, "/mcp", &hers), at(BOB, "/mcp", &hers), at(ALICE, "/old/mcp", &hers)),
        (404, 404, 404)
    );
    let mut changed = hers.clone().into_bytes();
    for place in [0, changed.len() / 2, changed.len() - 2] {
        changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
        let id = String::from_utf8(changed.clone()).unwrap();
        assert_eq!(at(ALICE, "/mcp", &id), 404, "{place}");
    }
}

trait Keyed {
    fn keyed(self, dir: &tempfile::TempDir) -> Serving;
}

impl Keyed for Serving {
    /// The same gateway, whose sessions are sealed under a key.
    fn keyed(self, dir: &tempfile::TempDir) -> Serving {
        let text = std::fs::read_to_string(dir.path().join("crossway.yaml")).unwrap();
        drop(self);
        serving(dir, &format!("session_keys: [\"{}\"]\n{text}", issued::encode([7, 9].repeat(16))))
    }
}

#[test]
fn a_message_into_anothers_http_sse_session_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let serving = shared(&dir, "");
    there(&serving, "old__echo");
    let mut hers = BufReader::new(get("/sse").bearer(ALICE).open(&serving));
    let mut line = String::new();
    while !line.starts_with("data: ") {
        line.clear();
        hers.read_line(&mut line).unwrap();
    }
    let path = format!("/{}", line.trim().trim_start_matches("data: ").trim_start_matches('/'));
    let made_up =
        post("/message?sessionId=0123456789abcdef0123456789abcdef", INITIALIZE).bearer(BOB).send(&serving);
    for stranger in [ANN, BOB] {
        let stolen = post(&path, INITIALIZE).bearer(stranger).send(&serving);
        assert_eq!((stolen.status, &stolen.body), (404, &made_up.body));
    }
    assert_eq!(post(&format!("/old{path}"), INITIALIZE).bearer(ALICE).send(&serving).status, 404);
    assert_eq!(post(&path, INITIALIZE).bearer(ALICE).send(&serving).status, 202);
}

#[test]
fn an_event_of_another_user_is_no_place_to_go_on_from() {
    let dir = tempfile::tempdir().unwrap();
    let serving = shared(&dir, "");
    there(&serving, "old__slow");
    let hers = session(&serving, "/mcp", |ask| ask.bearer(ALICE));
    let slow = r#"{"jsonrpc":"2.0","id":"hers","method":"tools/call","params":{"name":"old__slow","arguments":{"steps":2,"ms":1},"_meta":{"progressToken":"of-alice"}}}"#;
    let streamed = post("/mcp", slow).bearer(ALICE).within(&hers).send(&serving);
    let events: Vec<&str> = streamed.body.lines().filter_map(|line| line.strip_prefix("id: ")).collect();
    assert!(!events.is_empty() && streamed.body.contains("of-alice"), "{}", streamed.body);
    for stranger in [ANN, BOB] {
        let own = session(&serving, "/mcp", |ask| ask.bearer(stranger));
        for event in &events {
            let resume = |id: &str| {
                let ask = get("/mcp").bearer(stranger).within(id).with("Last-Event-ID", event);
                // A stream that is open says nothing of when it would: what came at once is enough.
                let stream = ask.open(&serving);
                stream.set_read_timeout(Some(std::time::Duration::from_millis(200))).unwrap();
                let mut text = Vec::new();
                let _ = std::io::Read::read_to_end(&mut &stream, &mut text);
                String::from_utf8_lossy(&text).into_owned()
            };
            assert!(resume(&hers).starts_with("HTTP/1.1 404"), "{stranger}");
            let gone_on = resume(&own);
            assert!(!gone_on.contains("of-alice") && !gone_on.contains("hers"), "{gone_on}");
        }
    }
}

/// Who was asked something, and with which state they are to answer.
fn asked(serving: &Serving, key: &str, tool: &str) -> (String, Value) {
    let question = call("/mcp", tool, json!({})).bearer(key).send(serving).json();
    let state = question["result"]["requestState"].as_str();
    (state.unwrap_or_else(|| panic!("{question}")).to_owned(), question["result"]["inputRequests"].clone())
}

/// The answer to a question, with a state.
fn answering(tool: &str, state: &str, questions: &Value) -> Ask {
    let answer = json!({ "action": "accept", "content": { "answer": "left" } });
    let answers: serde_json::Map<String, Value> =
        questions.as_object().into_iter().flatten().map(|(name, _)| (name.clone(), answer.clone())).collect();
    let params = json!({ "name": tool, "arguments": {}, "requestState": state, "inputResponses": answers });
    modern("/mcp", "tools/call", tool, params)
}

#[track_caller]
fn assert_not_theirs(answer: &Answer) {
    let error = answer.json()["error"].clone();
    assert_eq!(error["code"], -32602, "{}", answer.body);
    assert!(error["message"].as_str().unwrap().contains("requestState is not valid here"), "{error}");
}

#[test]
fn the_state_of_anothers_question_answers_nothing() {
    let fake = Fake::of(json!([tool("ask"), tool("other")]));
    fake.answers(json!({
        "resultType": "input_required",
        "inputRequests": { "q": { "method": "elicitation/create", "params": { "message": "?", "requestedSchema": {} } } },
        "requestState": "a.state.of-alice",
    }));
    let dir = tempfile::tempdir().unwrap();
    let serving = shared(&dir, &format!("  new: {{ url: \"{}\", scope: shared }}\n", fake.url()));
    for tool in ["old__ask", "theirs__ask", "new__ask"] {
        there(&serving, tool);
        let (state, questions) = asked(&serving, ALICE, tool);
        let before = fake.calls().len();
        for stranger in [ANN, BOB] {
            assert_not_theirs(&answering(tool, &state, &questions).bearer(stranger).send(&serving));
        }
        // What is hers, and was changed, is nobody's; nor is the server's own state without its seal.
        let (seal, bare) = state.split_once('.').unwrap();
        for bad in [bare, &format!("{seal}.other"), &format!("x{seal}.{bare}"), seal, ".", ""] {
            assert_not_theirs(&answering(tool, bad, &questions).bearer(ALICE).send(&serving));
        }
        assert_eq!(fake.calls().len(), before, "no server has heard of it");
        let hers = answering(tool, &state, &questions).bearer(ALICE).send(&serving);
        assert!(hers.json()["result"].is_object(), "{tool}: {}", hers.body);
    }
    // The server got its own state, as it was.
    assert_eq!(fake.calls().last().unwrap().message["params"]["requestState"], "a.state.of-alice");
    // One server's state is none of another's.
    let (state, questions) = asked(&serving, ALICE, "new__ask");
    assert_not_theirs(&answering("old__ask", &state, &questions).bearer(ALICE).send(&serving));
}

#[test]
fn a_state_that_is_there_twice_answers_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let serving = shared(&dir, "");
    there(&serving, "theirs__ask");
    let (hers, questions) = asked(&serving, ALICE, "theirs__ask");
    let (his, _) = asked(&serving, BOB, "theirs__ask");
    let text = answering("theirs__ask", "STATE", &questions);
    for (name, first, second) in [("requestState", &his, &hers), ("request\\u0053tate", &hers, &his)] {
        let twice = text.clone().bearer(BOB).edited(
            "\"requestState\":\"STATE\"",
            &format!("\"requestState\":\"{first}\",\"{name}\":\"{second}\""),
        );
        assert_not_theirs(&twice.send(&serving));
    }
}

#[test]
fn a_cursor_of_another_user_shows_nothing_of_theirs() {
    // A page has 8 MiB.
    let long = "x".repeat(8 << 10);
    let tools: Vec<Value> = (0..1200)
        .map(|n| json!({ "name": format!("t{n:04}"), "inputSchema": { "type": "object", "x": long } }))
        .collect();
    let fake = Fake::of(json!(tools));
    let dir = tempfile::tempdir().unwrap();
    let serving = shared(&dir, &format!("  new: {{ url: \"{}\", scope: shared }}\n", fake.url()));
    // Bob sees a few, Alice all.
    let path = dir.path().join("crossway.yaml");
    let config = std::fs::read_to_string(&path).unwrap();
    std::fs::write(
        &path,
        config.replace(
            "tenant: globex, upstream: \"*\", tools: [\"*\"]",
            "tenant: globex, upstream: new, tools: [\"t000?\"]",
        ),
    )
    .unwrap();
    drop(serving);
    let serving = Serving::start(&["serve", "--config", path.to_str().unwrap()]);
    let list = |key: &str, cursor: Option<&str>| {
        let params = cursor.map_or(json!({}), |cursor| json!({ "cursor": cursor }));
        modern("/new/mcp", "tools/list", "", params).bearer(key).send(&serving).json()
    };
    eventually("the list is long", || list(ALICE, None)["result"]["nextCursor"].is_string());
    let cursor = list(ALICE, None)["result"]["nextCursor"].as_str().unwrap().to_owned();
    assert!(list(ALICE, Some(&cursor))["result"]["tools"][0]["name"].is_string());
    let stolen = list(BOB, Some(&cursor));
    for name in stolen["result"]["tools"].as_array().into_iter().flatten() {
        assert!(name["name"].as_str().unwrap().starts_with("t000"), "{stolen}");
    }
    for made_up in ["", "0", "1000", "-1", "18446744073709551616", "new/1000", "..", "\u{0}"] {
        let answer = list(BOB, Some(made_up));
        let tools = answer["result"]["tools"].as_array().cloned().unwrap_or_default();
        assert!(tools.iter().all(|tool| tool["name"].as_str().unwrap().starts_with("t000")), "{answer}");
    }
    let all = list(BOB, None);
    assert_eq!(all["result"]["tools"].as_array().unwrap().len(), 10, "{all}");
    assert!(all["result"].get("nextCursor").is_none(), "{all}");
}

#[test]
fn an_answer_that_is_for_all_caches_is_for_nobody_elses() {
    let fake = Fake::of(json!([tool("look")]));
    fake.answers(json!({
        "resultType": "complete", "ttlMs": 60000, "cacheScope": "public",
        "contents": [{ "uri": "fake://one", "text": "of Alice" }],
    }));
    let dir = tempfile::tempdir().unwrap();
    let serving = shared(&dir, &format!("  new: {{ url: \"{}\", scope: shared }}\n", fake.url()));
    there(&serving, "new__look");
    for path in ["/mcp", "/new/mcp"] {
        for (method, name) in [
            ("resources/read", "fake://one"),
            ("tools/list", ""),
            ("resources/list", ""),
            ("server/discover", ""),
        ] {
            let params = if name.is_empty() { json!({}) } else { json!({ "uri": name }) };
            let answer = modern(path, method, name, params).bearer(ALICE).send(&serving);
            assert_eq!(answer.json()["result"]["cacheScope"], "private", "{path} {method}: {}", answer.body);
            assert!(!answer.body.contains("public"), "{path} {method}: {}", answer.body);
            assert!(!answer.head.to_ascii_lowercase().contains("cache-control: public"), "{}", answer.head);
        }
    }
    let legacy = session(&serving, "/mcp", |ask| ask.bearer(ALICE));
    let called =
        post("/mcp", &legacy_call("new__look", &json!({}))).bearer(ALICE).within(&legacy).send(&serving);
    assert!(!called.body.contains("public"), "{}", called.body);
}
