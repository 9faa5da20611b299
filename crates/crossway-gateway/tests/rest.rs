//! `crossway serve` before REST APIs and webhooks, with the config, documents and credentials of `examples/rest`: each user calls
//! with their own token, and each tenant its own workflows.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "what is shared is not used by all")]

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crossway_gateway::config::Problem;
use support::Serving;
use support::tenants::{As, body, by, eventually, sha256};

const ALICE: &str = "the-key-of-alice-0123456789abcdef";
const BOB: &str = "the-key-of-bob-0123456789abcdef";

/// What a server was asked.
#[derive(Debug, Clone)]
struct Asked {
    /// Method and target.
    line: String,
    /// Headers, names in lower case.
    head: String,
    body: String,
}

/// An HTTP server that answers each request with a status and JSON, and keeps what it was asked.
struct Fake {
    url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Fake {
    fn start(answer: impl Fn(&Asked) -> (u16, String) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = BufReader::new(stream.unwrap());
                let (mut lines, mut line) = (Vec::new(), String::new());
                while stream.read_line(&mut line).unwrap() > 2 {
                    lines.push(std::mem::take(&mut line));
                }
                // A connection that was opened for nothing.
                let Some((first, head)) = lines.split_first() else { continue };
                let head = head.concat();
                let length =
                    header(&head, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
                let mut text = vec![0; length];
                stream.read_exact(&mut text).unwrap();
                let line = first.trim_end().trim_end_matches(" HTTP/1.1").to_owned();
                let asked = Asked { line, head, body: String::from_utf8(text).unwrap() };
                let (status, text) = answer(&asked);
                kept.lock().unwrap().push(asked);
                let (kind, length) = ("Content-Type: application/json", text.len());
                let head = format!(
                    "HTTP/1.1 {status} It\r\nConnection: close\r\n{kind}\r\nContent-Length: {length}\r\n\r\n"
                );
                // Who has hung up does not want it.
                let _ = stream.get_mut().write_all(format!("{head}{text}").as_bytes());
            }
        });
        Self { url, asked }
    }

    /// What it was asked since it was asked for last.
    fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    fn asked_once(&self) -> Asked {
        let mut asked = self.asked();
        assert_eq!(asked.len(), 1, "{asked:?}");
        asked.remove(0)
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (of, value) = line.split_once(':')?;
        of.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/rest")
}

/// The example with its servers on loopback, and tokens for those who have some.
fn configured(trello: &Fake, todoist: &Fake, n8n: &Fake) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    for document in ["trello.yaml", "todoist.yaml"] {
        fs::copy(example().join(document), dir.path().join(document)).unwrap();
    }
    let mut text = fs::read_to_string(example().join("crossway.yaml")).unwrap();
    for (name, fake) in [("TRELLO_URL", trello), ("TODOIST_URL", todoist), ("N8N_URL", n8n)] {
        while let Some(at) = text.find(&format!("${{{name}")) {
            let end = at + text[at..].find('}').unwrap();
            text.replace_range(at..=end, &fake.url);
        }
    }
    for (file, token) in [
        ("trello-key", "the-apps-key"),
        ("trello/alice_40acme.example", "alice-at-trello"),
        ("trello/bob_40globex.example", "bob-at-trello"),
        ("todoist/alice_40acme.example", "alice-at-todoist"),
        ("n8n-acme", "acme-at-n8n"),
        ("n8n-globex", "globex-at-n8n"),
    ] {
        let path = dir.path().join("tokens").join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("{token}\n")).unwrap();
    }
    let path = dir.path().join("crossway.yaml");
    fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (dir, path)
}

/// Trello, as far as it knows who may come in.
fn trello() -> Fake {
    Fake::start(|asked| {
        let comes_in = ["alice", "bob"].iter().any(|user| {
            let query = asked.line.split_once('?').map_or("", |(_, query)| query);
            query.split('&').any(|member| member == format!("token={user}-at-trello"))
                && query.split('&').any(|member| member == "key=the-apps-key")
        });
        match asked.line.split(['?', ' ']).nth(1).unwrap() {
            _ if !comes_in => (401, r#""invalid token""#.to_owned()),
            "/members/me/boards" => (200, r#"[{"id":"b1","name":"Home"}]"#.to_owned()),
            "/cards" => (200, r#"{"id":"c1","name":"Milk"}"#.to_owned()),
            _ => (404, r#""the requested resource was not found""#.to_owned()),
        }
    })
}

fn todoist() -> Fake {
    Fake::start(|asked| match asked.line.as_str() {
        "POST /tasks" => (200, r#"{"id":"7","content":"Water the plants"}"#.to_owned()),
        "POST /tasks/7/close" => (204, String::new()),
        _ => (200, r#"{"results":[],"next_cursor":null}"#.to_owned()),
    })
}

fn n8n() -> Fake {
    Fake::start(|asked| {
        let secret = header(&asked.head, "x-webhook-key").unwrap_or_default();
        match (asked.line.as_str(), secret) {
            ("POST /webhook/helpdesk/chat", "acme-at-n8n") => {
                (200, r#"{"output":"Turn it off and on."}"#.to_owned())
            }
            ("POST /webhook/orders", "globex-at-n8n") => (200, r#"[{"status":"on its way"}]"#.to_owned()),
            _ => (403, r#"{"message":"Authorization data is wrong!"}"#.to_owned()),
        }
    })
}

#[test]
fn each_user_calls_with_a_token_of_their_own_and_each_tenant_its_own_workflows() {
    let (trello, todoist, n8n) = (trello(), todoist(), n8n());
    let (_dir, config) = configured(&trello, &todoist, &n8n);
    let serving = Serving::start(&["serve", "--config", &config]);

    let alice = by(ALICE).names(&serving, "/mcp", "tools/list");
    let wanted = [
        "helpdesk__ask_helpdesk",
        "todoist__addTask",
        "todoist__closeTask",
        "todoist__deleteTask",
        "todoist__listTasks",
        "trello__addCard",
        "trello__changeCard",
        "trello__listBoards",
        "trello__listCards",
        "trello__listLists",
    ];
    assert_eq!(alice, wanted);
    // What only reads is told by the method, and granted by that.
    let bob = by(BOB).names(&serving, "/mcp", "tools/list");
    assert_eq!(bob, ["orders__order_status", "trello__listBoards", "trello__listCards", "trello__listLists"]);
    assert!(trello.asked().is_empty() && todoist.asked().is_empty() && n8n.asked().is_empty());

    let boards = by(ALICE).call_with(&serving, "/mcp", "trello__listBoards", r#"{"fields":["name","url"]}"#);
    assert!(boards.contains(r#"[{\"id\":\"b1\",\"name\":\"Home\"}]"#), "{boards}");
    let query = "fields=name,url&key=the-apps-key&token=alice-at-trello";
    assert_eq!(trello.asked_once().line, format!("GET /members/me/boards?{query}"));
    let card =
        by(ALICE).call_with(&serving, "/trello/mcp", "addCard", r#"{"idList":"l 1","name":"Milk & eggs"}"#);
    assert!(card.contains(r#""structuredContent":{"id":"c1","name":"Milk"}"#), "{card}");
    let query = "idList=l%201&name=Milk%20%26%20eggs&key=the-apps-key&token=alice-at-trello";
    assert_eq!(trello.asked_once().line, format!("POST /cards?{query}"));
    by(BOB).call_with(&serving, "/mcp", "trello__listBoards", "{}");
    assert_eq!(trello.asked_once().line, "GET /members/me/boards?key=the-apps-key&token=bob-at-trello");
    let denied = by(BOB).call_with(&serving, "/mcp", "trello__addCard", r#"{"idList":"l1"}"#);
    assert!(denied.contains("Unknown tool: trello__addCard"), "{denied}");
    let nowhere = by(ALICE).call_with(&serving, "/mcp", "trello__listLists", r#"{"id":"../members/me"}"#);
    assert!(nowhere.contains("has . or .. where a part of the path would be"), "{nowhere}");
    assert!(trello.asked().is_empty());

    let task = by(ALICE).call_with(
        &serving,
        "/mcp",
        "todoist__addTask",
        r#"{"content":"Water the plants","priority":4}"#,
    );
    assert!(task.contains(r#""structuredContent":{"id":"7""#), "{task}");
    let asked = todoist.asked_once();
    assert_eq!(header(&asked.head, "authorization"), Some("Bearer alice-at-todoist"));
    assert_eq!(
        (asked.line.as_str(), asked.body.as_str()),
        ("POST /tasks", r#"{"content":"Water the plants","priority":4}"#)
    );
    let closed = by(ALICE).call_with(&serving, "/mcp", "todoist__closeTask", r#"{"task_id":"7"}"#);
    assert!(closed.contains("HTTP 204"), "{closed}");

    let chatting = As { chat: Some("chat-1"), ..by(ALICE) };
    let answer =
        chatting.call_with(&serving, "/mcp", "helpdesk__ask_helpdesk", r#"{"question":"It is slow."}"#);
    assert!(answer.contains("Turn it off and on."), "{answer}");
    let session = session_in(&n8n.asked_once().body);
    assert!(session.len() == 64 && session.bytes().all(|byte| byte.is_ascii_hexdigit()), "{session}");
    chatting.call_with(&serving, "/mcp", "helpdesk__ask_helpdesk", r#"{"question":"It is slow."}"#);
    assert_eq!(session_in(&n8n.asked_once().body), session);
    let another = As { chat: Some("chat-2"), ..by(ALICE) };
    another.call_with(&serving, "/mcp", "helpdesk__ask_helpdesk", r#"{"question":"It is slow."}"#);
    assert_ne!(session_in(&n8n.asked_once().body), session);
    let status = by(BOB).call_with(&serving, "/mcp", "orders__order_status", r#"{"number":5}"#);
    assert!(status.contains("on its way"), "{status}");
    assert_eq!(n8n.asked_once().body, r#"{"number":5}"#);
}

/// What the help desk was told of the conversation.
fn session_in(body: &str) -> String {
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["chatInput"], "It is slow.");
    body["sessionId"].as_str().unwrap().to_owned()
}

#[test]
fn who_names_anothers_chat_has_nothing_of_it() {
    let (trello, todoist, n8n) = (trello(), todoist(), n8n());
    let (dir, config) = configured(&trello, &todoist, &n8n);
    let text = fs::read_to_string(&config).unwrap();
    // Both call one workflow.
    let grant = "grants:\n  - { tenant: globex, upstream: helpdesk, tools: [\"*\"] }\n";
    let key = "credentials:\n  - { upstream: helpdesk, for: tenant, tenant: globex, header: X-Webhook-Key, from: { file: tokens/n8n-acme } }\n";
    let text = text.replace("grants:\n", grant);
    let (before, after) = text.split_once("credentials:").unwrap();
    let (_, after) = after.split_once('\n').unwrap();
    fs::write(dir.path().join("crossway.yaml"), format!("{before}{key}{after}")).unwrap();
    let serving = Serving::start(&["serve", "--config", &config]);
    let session = |key, chat| {
        let asking = As { chat: Some(chat), ..by(key) };
        asking.call_with(&serving, "/mcp", "helpdesk__ask_helpdesk", r#"{"question":"It is slow."}"#);
        session_in(&n8n.asked_once().body)
    };
    let alices = session(ALICE, "chat-1");
    // Neither the chat's name nor what it was made into leads there.
    assert_ne!(session(BOB, "chat-1"), alices);
    assert_ne!(session(BOB, &alices), alices);
    assert_eq!(session(ALICE, "chat-1"), alices);
}

#[test]
fn who_has_no_token_or_one_that_is_not_taken_is_told_so_and_never_has_anothers() {
    let (trello, todoist, n8n) = (trello(), todoist(), n8n());
    let (dir, config) = configured(&trello, &todoist, &n8n);
    fs::remove_file(dir.path().join("tokens/todoist/alice_40acme.example")).unwrap();
    fs::write(dir.path().join("tokens/trello/alice_40acme.example"), "revoked").unwrap();
    let serving = Serving::start(&["serve", "--config", &config]);
    let missing = by(ALICE).call_with(&serving, "/mcp", "todoist__listTasks", "{}");
    assert!(missing.contains("get a token in Todoist's settings"), "{missing}");
    assert!(todoist.asked().is_empty());
    // What there would be is seen all the same.
    let names = by(ALICE).names(&serving, "/mcp", "tools/list");
    assert!(names.contains(&"todoist__listTasks".to_owned()), "{names:?}");
    let refused = by(ALICE).call_with(&serving, "/mcp", "trello__listBoards", "{}");
    assert!(refused.contains("HTTP status 401") && !refused.contains("revoked"), "{refused}");
    let others = by(BOB).call_with(&serving, "/mcp", "trello__listBoards", "{}");
    assert!(others.contains("Home"), "{others}");
    // Of tools that are granted by what they say of themselves, too.
    fs::remove_file(dir.path().join("tokens/trello/bob_40globex.example")).unwrap();
    eventually("who has no token any more is told so", || {
        let gone = by(BOB).call_with(&serving, "/mcp", "trello__listBoards", "{}");
        gone.contains("get a token at https://trello.com/app-key")
    });
}

/// The example with an upstream besides whose document is at a URL.
fn with_far(url: &str, rest: &str) -> (tempfile::TempDir, String) {
    let (trello, todoist, n8n) = (trello(), todoist(), n8n());
    let (dir, config) = configured(&trello, &todoist, &n8n);
    let text = fs::read_to_string(&config).unwrap();
    let far = format!(
        "upstreams:\n  far: {{ openapi: {{ document: {url}/openapi.json{rest} }}, headers: {{ X-From: crossway }} }}\n"
    );
    let grant = "grants:\n  - { everyone: true, upstream: far, tools: [\"*\"] }\n";
    let bearer = "credentials:\n  - { upstream: far, for: user, header: X-User, value: \"{user.email}\" }\n";
    let text = text.replace("upstreams:\n", &far).replace("grants:\n", grant);
    let (before, after) = text.split_once("credentials:").unwrap();
    let (_, after) = after.split_once('\n').unwrap();
    fs::write(&config, format!("{before}{bearer}{after}")).unwrap();
    (dir, config)
}

#[test]
fn a_document_at_a_url_is_fetched_for_all_who_call() {
    let document = r#"{"openapi":"3.1.0","info":{"title":"Far"},"servers":[{"url":"/v2"}],
        "paths":{"/me":{"get":{"operationId":"me","parameters":[
            {"name":"X-User","in":"header","required":true,"schema":{"type":"string"}}],"responses":{}}}}}"#;
    // What a credential fills, nobody has to say, though no security scheme says so.
    let api = Fake::start(move |asked| match asked.line.as_str() {
        "GET /openapi.json" => (200, document.to_owned()),
        line => (200, format!("{line:?}")),
    });
    let (_dir, config) = with_far(&api.url, "");
    let serving = Serving::start(&["serve", "--config", &config]);
    for key in [ALICE, BOB] {
        eventually("the document was fetched", || {
            by(key).names(&serving, "/far/mcp", "tools/list").contains(&"me".to_owned())
        });
        let answer = by(key).call_with(&serving, "/far/mcp", "me", "{}");
        assert!(body(&answer).contains("GET /v2/me"), "{answer}");
    }
    let asked = api.asked();
    let lines: Vec<&str> = asked.iter().map(|asked| asked.line.as_str()).collect();
    assert_eq!(lines, ["GET /openapi.json", "GET /v2/me", "GET /v2/me"]);
    assert!(asked.iter().all(|asked| header(&asked.head, "x-from") == Some("crossway")));
    let users: Vec<_> = asked[1..].iter().map(|asked| header(&asked.head, "x-user").unwrap()).collect();
    assert_eq!(users, ["alice@acme.example", "bob@globex.example"]);
}

#[test]
fn a_document_at_a_url_that_comes_late_or_changes_is_taken_up_and_clients_are_told() {
    let document = |operation: &str| {
        let paths = format!(r#""/{operation}":{{"get":{{"operationId":"{operation}"}}}}"#);
        format!(r#"{{"openapi":"3.1.0","servers":[{{"url":"/"}}],"paths":{{{paths}}}}}"#)
    };
    let now = Arc::new(Mutex::new(None::<String>));
    let told = Arc::clone(&now);
    let api = Fake::start(move |_| match &*told.lock().unwrap() {
        Some(document) => (200, document.clone()),
        None => (503, "starting".to_owned()),
    });
    let (_dir, config) = with_far(&api.url, ", refresh: 1s");
    let serving = Serving::start(&["serve", "--config", &config]);
    eventually("the document was asked for", || {
        by(ALICE).call_with(&serving, "/far/mcp", "one", "{}");
        !api.asked().is_empty()
    });
    *now.lock().unwrap() = Some(document("one"));
    eventually("the document is there", || by(ALICE).names(&serving, "/far/mcp", "tools/list") == ["one"]);

    let stream = TcpStream::connect(&serving.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let meta = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;
    let listen = format!(
        r#"{{"jsonrpc":"2.0","id":"l","method":"subscriptions/listen","params":{{{meta},"notifications":{{"toolsListChanged":true}}}}}}"#
    );
    write!(
        &stream,
        "POST /far/mcp HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nAuthorization: Bearer {ALICE}\r\n\
         Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2026-07-28\r\nMcp-Method: subscriptions/listen\r\n\
         Content-Length: {}\r\n\r\n{listen}",
        serving.address,
        listen.len()
    )
    .unwrap();
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    lines.find(|line| line.contains("subscriptions/acknowledged")).unwrap();
    for hostile in
        ["{", r#"{"openapi":"3.1.0","servers":[{"url":"http://evil.example"}],"paths":{"/e":{"get":{}}}}"#]
    {
        *now.lock().unwrap() = Some(hostile.to_owned());
        api.asked();
        eventually("it was asked for", || !api.asked().is_empty());
        assert_eq!(by(ALICE).names(&serving, "/far/mcp", "tools/list"), ["one"]);
    }
    *now.lock().unwrap() = Some(document("two"));
    lines.find(|line| line.contains("notifications/tools/list_changed")).unwrap();
    assert_eq!(by(ALICE).names(&serving, "/far/mcp", "tools/list"), ["two"]);
}

#[test]
fn the_example_can_be_used_as_it_is() {
    let path = example().join("crossway.yaml");
    let text = fs::read_to_string(&path).unwrap();
    let loaded = crossway_gateway::config::parse(&path, &text, |_| None).unwrap();
    // The tokens are its user's to put there.
    let warnings = loaded.warnings.iter().filter(|finding| !matches!(finding.problem, Problem::Source(_)));
    let warnings: Vec<_> = warnings.map(ToString::to_string).collect();
    assert!(warnings.is_empty(), "{warnings:#?}");
    assert_eq!(loaded.upstreams.len(), 4);
}

#[test]
fn a_security_scheme_that_no_credential_fills_is_told_of() {
    let dir = tempfile::tempdir().unwrap();
    let document = r#"{"openapi":"3.1.0","info":{"title":"A"},"servers":[{"url":"http://a"}],
        "paths":{"/a":{"get":{"operationId":"a","security":[{"key":[],"sid":[]}]}},
            "/b":{"get":{"operationId":"b","security":[{"bearer":[]}]},"put":{"operationId":"c","security":[{"bearer":[]}]}}},
        "components":{"securitySchemes":{"bearer":{"type":"http","scheme":"bearer"},
            "key":{"type":"apiKey","in":"header","name":"X-Key"},"sid":{"type":"apiKey","in":"cookie","name":"sid"}}}}"#;
    fs::write(dir.path().join("a.json"), document).unwrap();
    let path = dir.path().join("crossway.yaml");
    let told = |rest: &str| -> Vec<String> {
        let text = format!("upstreams:\n  a: {{ openapi: {{ document: a.json }}{rest}");
        let secrets = |name: &str| ["SID", "KEY"].contains(&name).then(|| "x".to_owned());
        let loaded = crossway_gateway::config::parse(&path, &text, secrets).unwrap();
        let messages = loaded.warnings.iter().map(crossway_gateway::config::Finding::message);
        messages.filter(|message| message.contains("which no credential fills")).collect()
    };
    let fix = "which no credential fills; add it to `credentials`";
    let of_a = format!("a wants the header \"x-key\" and the cookie \"sid\", {fix}");
    let of_others = format!("b and 1 more want the header \"authorization\", {fix}");
    assert_eq!(told(" }\n"), [of_a, of_others.clone()]);
    let credentials = " }\ncredentials:
  - { upstream: a, for: shared, header: cookie, value: 'sid={secret}', from: { env: SID } }\n";
    let told_of_key = format!("a wants the header \"x-key\", {fix}");
    assert_eq!(told(credentials), [told_of_key.clone(), of_others.clone()]);
    // Another cookie is not the one that is wanted; what a secret says whole may be any.
    let of_both = format!("a wants the header \"x-key\" and the cookie \"sid\", {fix}");
    for (value, is_filled) in
        [("'sid2={secret}; lang=sid'", false), ("'lang=de; sid={secret}'", true), ("'{secret}'", true)]
    {
        let other = credentials.replace("'sid={secret}'", value);
        let wanted = if is_filled { &told_of_key } else { &of_both };
        assert_eq!(told(&other), [wanted.clone(), of_others.clone()], "{value}");
    }
    let header = ", headers: { X-Key: k, Cookie: 'sid2=a; lang=de' }";
    assert_eq!(told(&format!("{header} }}\n"))[0], format!("a wants the cookie \"sid\", {fix}"));
    assert_eq!(told(&format!("{} }}\n", header.replace("sid2", "sid"))).len(), 1);
    let bearer = "  - { upstream: a, for: shared, bearer: true, from: { env: SID } }\n";
    assert!(told(&format!(", headers: {{ X-Key: '${{KEY}}' }}{credentials}{bearer}")).is_empty());
}

#[test]
fn tools_that_are_called_as_paths_of_mcp_are_operations_too() {
    let hooks = Fake::start(|asked| (200, format!("{:?}", asked.line)));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("crossway.yaml");
    let tools = ["mcp", "sse", "message", "other"];
    let webhooks =
        tools.map(|tool| format!("{tool}: {{ description: d, url: {}/{tool} }}", hooks.url)).join(", ");
    let key = sha256(ALICE);
    let text = format!(
        "identity: {{ proof: api-keys, keys: [{{ sha256: \"{key}\", subject: alice, groups: [acme] }}] }}\n\
         upstreams: {{ hooks: {{ webhook: {{ tools: {{ {webhooks} }} }} }} }}\n\
         tenants: {{ acme: {{ groups: [acme] }} }}\nopenapi: {{}}\n\
         grants: [{{ everyone: true, upstream: hooks, tools: ['*'] }}]\n"
    );
    fs::write(&path, text).unwrap();
    let serving = Serving::start(&["serve", "--config", path.to_str().unwrap()]);
    let header = format!("Authorization: Bearer {ALICE}");
    let bridge = Serving::start(&["bridge", "--upstream", &serving.url("/hooks/mcp"), "--header", &header]);
    for (server, document, before) in [
        (&serving, "/openapi.json", "/hooks"),
        (&serving, "/hooks/openapi.json", ""),
        (&bridge, "/openapi.json", ""),
    ] {
        eventually("the document has all tools", || {
            let document = by(ALICE).send(server, "GET", document, "");
            let wanted = ["mcp/call", "sse/call", "message/call", "other"];
            wanted.iter().all(|path| document.contains(&format!(r#""{before}/{path}":"#)))
        });
    }
    for (server, before) in [(&serving, "/hooks"), (&bridge, "")] {
        for (tool, path) in tools.iter().zip(["mcp/call", "sse/call", "message/call", "other"]) {
            let answer = by(ALICE).post(server, &format!("{before}/{path}"), "{}");
            assert_eq!(body(&answer), format!("\"POST /{tool}\""), "{answer}");
        }
    }
}
