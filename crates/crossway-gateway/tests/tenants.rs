//! `crossway serve` over real sockets: what is granted is there, and nothing else.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "what is shared is not used by all")]

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use support::tenants::{ALICE, ANN, As, BOB, CAROL, GRANTS, body, by, config, eventually, started};
use support::{CROSSWAY, INITIALIZE, Serving, read};

#[test]
fn each_user_sees_and_calls_what_is_granted_and_nothing_else() {
    let (_dir, serving) = started(GRANTS);
    let alice = by(ALICE).names(&serving, "/mcp", "tools/list");
    assert!(
        alice
            .iter()
            .all(|name| name.starts_with("demo__test_") || name == "demo__echo" || name.starts_with("old__"))
    );
    assert!(alice.iter().any(|name| name == "demo__test_simple_text"), "{alice:?}");
    assert!(!alice.iter().any(|name| name == "demo__test_error_handling"), "{alice:?}");
    eventually("the second tenant's server is there", || {
        by(BOB).names(&serving, "/mcp", "tools/list") == ["demo__slow"]
    });
    // What is listed can be called, what is not can't, and is answered like what does not exist.
    assert!(by(ALICE).call(&serving, "/mcp", "demo__echo").contains("hi"));
    let denied = by(BOB).call(&serving, "/mcp", "demo__echo");
    let missing = by(BOB).call(&serving, "/mcp", "demo__ecko");
    assert!(denied.contains("Unknown tool: demo__echo"), "{denied}");
    assert_eq!(body(&denied).replace("echo", "x"), body(&missing).replace("ecko", "x"));
    // Of an upstream that is not granted at all nothing can be told: it is as if there were none.
    let (hidden, none) =
        (by(BOB).post(&serving, "/old/mcp", INITIALIZE), by(BOB).post(&serving, "/new/mcp", INITIALIZE));
    assert!(hidden.starts_with("HTTP/1.1 404"), "{hidden}");
    assert_eq!(body(&hidden), body(&none));
    // Alone, an upstream has its own names.
    let alone = by(ALICE).names(&serving, "/demo/mcp", "tools/list");
    assert!(alone.iter().any(|name| name == "echo") && !alone.iter().any(|name| name == "slow"), "{alone:?}");
    assert!(by(ALICE).call(&serving, "/demo/mcp", "slow").contains("Unknown tool: slow"));
}

#[test]
fn a_session_is_its_users_alone_and_nobody_else_can_tell_that_there_is_one() {
    let (_dir, serving) = started(GRANTS);
    let session = by(ALICE).open(&serving, "/mcp");
    const LIST: &str = r#"{"jsonrpc":"2.0","id":2,"method":"tools/list"}"#;
    assert!(by(ALICE).within(&session).post(&serving, "/mcp", LIST).starts_with("HTTP/1.1 200"));
    for stranger in [ANN, BOB] {
        for method in ["POST", "GET", "DELETE"] {
            let stolen = by(stranger).within(&session).send(&serving, method, "/mcp", LIST);
            let made_up =
                by(stranger).within("0123456789abcdef0123456789abcdef").send(&serving, method, "/mcp", LIST);
            assert!(stolen.starts_with("HTTP/1.1 404"), "{method} {stolen}");
            assert_eq!(body(&stolen), body(&made_up));
        }
    }
    assert!(by(ALICE).within(&session).post(&serving, "/demo/mcp", LIST).starts_with("HTTP/1.1 404"));
    assert!(by(ALICE).within(&session).post(&serving, "/mcp", LIST).starts_with("HTTP/1.1 200"));
}

#[test]
fn who_is_not_known_lists_nothing_and_who_has_no_tenant_is_told_to_ask() {
    let (_dir, serving) = started(GRANTS);
    assert!(As::default().names(&serving, "/mcp", "tools/list").is_empty());
    assert!(As::default().call(&serving, "/mcp", "demo__echo").contains("Unknown tool"));
    let stranger = by("not-a-key").post(&serving, "/mcp", INITIALIZE);
    assert!(stranger.starts_with("HTTP/1.1 401") && stranger.contains("www-authenticate"), "{stranger}");
    let carol = by(CAROL).post(&serving, "/mcp", INITIALIZE);
    assert!(carol.starts_with("HTTP/1.1 403") && carol.contains("ask your administrator"), "{carol}");
}

#[test]
fn a_user_without_a_token_is_told_where_to_get_one_and_gets_nobody_elses() {
    let (_dir, serving) = started(GRANTS);
    let answer = by(ANN).call(&serving, "/mcp", "old__echo");
    assert!(answer.contains("put your token at the desk"), "{answer}");
    assert!(!by(ANN).names(&serving, "/mcp", "tools/list").iter().any(|name| name.starts_with("old__")));
    assert!(by(ALICE).call(&serving, "/mcp", "old__echo").contains("hi"));
}

#[test]
fn rights_that_shrink_are_gone_at_the_next_message_and_a_broken_file_changes_nothing() {
    let (dir, serving) = started(GRANTS);
    let session = by(ALICE).open(&serving, "/mcp");
    let call = r#"{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"demo__echo","arguments":{"message":"hi"}}}"#;
    let again = || by(ALICE).within(&session).post(&serving, "/mcp", call);
    assert!(again().contains("hi"));
    fs::write(dir.path().join("crossway.yaml"), "grants: nonsense").unwrap();
    serving.signal("HUP");
    assert!(again().contains("hi"));
    config(&dir, &GRANTS.replace("[echo, 'test_*']", "['test_*']"));
    eventually("the grant is gone", || again().contains("Unknown tool: demo__echo"));
    config(&dir, GRANTS);
    eventually("the grant is back", || again().contains("hi"));
}

/// A whole response to a GET of the operators' listener.
fn ask(address: &str, path: &str, key: Option<&str>, body: Option<&str>) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let key = key.map(|key| format!("Authorization: Bearer {key}\r\n")).unwrap_or_default();
    let (method, body) = body.map_or(("GET", ""), |body| ("POST", body));
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\n{key}\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    read(stream)
}

/// An address that nothing listens on now.
fn free_address() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[test]
fn operators_see_who_is_served_and_why_and_each_call_is_on_record_without_its_arguments() {
    let dir = tempfile::tempdir().unwrap();
    let (path, operations) = (config(&dir, GRANTS), free_address());
    let log = dir.path().join("audit.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let admin = "an-admin-key-0123456789abcdef0123456789";
    fs::write(
        &path,
        format!("{text}operations: {{ listen: \"{operations}\", admin_key: \"{admin}\" }}\naudit: {{ file: audit.jsonl }}\n"),
    )
    .unwrap();
    let serving = Serving::start(&["serve", "--config", &path]);
    assert!(ask(&operations, "/livez", None, None).starts_with("HTTP/1.1 200"));
    assert!(ask(&operations, "/readyz", None, None).starts_with("HTTP/1.1 200"));
    eventually("the call is made", || by(ALICE).call(&serving, "/mcp", "demo__echo").contains("hi"));
    for hidden in ["demo__echo", "old__echo"] {
        let denied = by(BOB).call(&serving, "/mcp", hidden);
        assert!(denied.contains("Unknown tool"), "{denied}");
    }
    assert!(by("not-a-key").post(&serving, "/mcp", INITIALIZE).starts_with("HTTP/1.1 401"));

    let metrics = ask(&operations, "/metrics", None, None);
    assert!(metrics.contains(r#"tenant="acme""#) && metrics.contains(r#"upstream="demo""#), "{metrics}");
    assert!(!metrics.contains("alice") && !metrics.contains(admin), "{metrics}");
    assert!(metrics.contains(r#"tenant="globex",reason="no_grant"} 2"#), "{metrics}");
    assert!(metrics.contains(r#"proof="api-keys",reason="unknown"} 1"#), "{metrics}");
    assert!(ask(&operations, "/admin/upstreams", None, None).starts_with("HTTP/1.1 401"));
    let upstreams = ask(&operations, "/admin/upstreams", Some(admin), None);
    assert!(upstreams.contains(r#""name":"demo""#), "{upstreams}");
    let question = r#"{"user":{"subject":"bob","groups":["globex"]},"upstream":"demo","tool":"echo"}"#;
    let why = ask(&operations, "/admin/explain", Some(admin), Some(question));
    assert!(why.contains(r#""permitted":false"#) && why.contains(r#""Ok":"globex""#), "{why}");

    let records = || fs::read_to_string(&log).unwrap_or_default();
    eventually("both calls are on record", || {
        let records = records();
        records.contains(r#""decision":"allowed""#) && records.matches(r#""decision":"denied""#).count() == 2
    });
    let records = records();
    assert!(records.lines().all(|line| line.starts_with('{') && line.ends_with('}')), "{records}");
    let allowed = records.lines().find(|line| line.contains(r#""decision":"allowed""#)).unwrap();
    assert!(
        allowed.contains(r#""rule":"grants[0]""#)
            && allowed.contains(r#""tenant":"acme""#)
            && allowed.contains("alice"),
        "{allowed}"
    );
    assert!(!records.contains("\"hi\"") && !records.contains("a token"), "{records}");
    let counted = || {
        let metrics = ask(&operations, "/metrics", None, None);
        let line = metrics.lines().find_map(|line| line.strip_prefix("crossway_audit_records_total "));
        line.unwrap().parse::<usize>().unwrap()
    };
    eventually("each record is counted", || counted() >= records.lines().count());
}

#[test]
fn whichever_way_a_denied_thing_is_asked_for_it_is_on_record_and_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let path = config(&dir, GRANTS);
    let log = dir.path().join("audit.jsonl");
    let (text, operations) = (fs::read_to_string(&path).unwrap(), free_address());
    let more = format!(
        "audit: {{ file: audit.jsonl }}\nopenapi: {{}}\noperations: {{ listen: \"{operations}\" }}\n"
    );
    fs::write(&path, text + &more).unwrap();
    let serving = Serving::start(&["serve", "--config", &path]);
    eventually("the server is there", || by(BOB).names(&serving, "/demo/mcp", "tools/list") == ["slow"]);
    let session = by(BOB).open(&serving, "/demo/mcp");
    let call = |at: &str, method: &str, params: &str| {
        let request = format!(r#"{{"jsonrpc":"2.0","id":9,"method":"{method}","params":{params}}}"#);
        by(BOB).within(&session).post(&serving, at, &request)
    };
    for (method, params) in [
        ("tools/call", r#"{"name":"echo","arguments":{"message":"hi"}}"#),
        ("tools/call", r#"{"name":"nothing-that-is","arguments":{}}"#),
        ("tools/call", r#"{"name":"slow","arguments":{},"arguments":{"steps":1}}"#),
        ("prompts/get", r#"{"name":"test_simple_prompt"}"#),
        ("resources/read", r#"{"uri":"test://static-text"}"#),
    ] {
        let answer = call("/demo/mcp", method, params);
        assert!(answer.contains("Unknown "), "{method}: {answer}");
    }
    // As OpenAPI there is no such path, whether the tool is.
    for tool in ["echo", "nothing-that-is"] {
        let answer = by(BOB).post(&serving, &format!("/demo/{tool}"), r#"{"message":"hi"}"#);
        assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    }
    assert!(by(BOB).call(&serving, "/mcp", "nobody__echo").contains("Unknown tool"));
    let denied = || {
        let records = fs::read_to_string(&log).unwrap_or_default();
        records.lines().filter(|line| line.contains(r#""decision":"denied","rule":"#)).count()
    };
    eventually("all eight are on record", || denied() == 8);
    let records = fs::read_to_string(&log).unwrap();
    assert!(records.contains(r#""rule":"its arguments can be read in two ways""#), "{records}");
    let metrics = ask(&operations, "/metrics", None, None);
    assert!(metrics.contains(r#"tenant="globex",reason="ambiguous_arguments"} 1"#), "{metrics}");
}

#[test]
fn a_client_that_does_not_read_is_seen_in_what_its_tenant_holds() {
    let dir = tempfile::tempdir().unwrap();
    let (path, operations) = (config(&dir, GRANTS), free_address());
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{text}operations: {{ listen: \"{operations}\" }}\n")).unwrap();
    let serving = Serving::start(&["serve", "--config", &path]);
    eventually("the server is there", || by(ALICE).call(&serving, "/mcp", "demo__echo").contains("hi"));
    let session = by(ALICE).open(&serving, "/mcp");
    let held = |series: &str| {
        let metrics = ask(&operations, "/metrics", None, None);
        let value = metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.unwrap_or("0").parse::<usize>().unwrap()
    };
    let unsent = || held(r#"crossway_reply_unsent_bytes{tenant="acme"}"#);
    assert_eq!(unsent(), 0);
    // More than the buffers of two sockets take.
    let long = "x".repeat(24 << 20);
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{{"name":"demo__echo","arguments":{{"message":"{long}"}}}}}}"#
    );
    let mut stream = TcpStream::connect(&serving.address).unwrap();
    write!(
        stream,
        "POST /mcp HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nAuthorization: Bearer {ALICE}\r\n\
         Accept: application/json, text/event-stream\r\nMcp-Session-Id: {session}\r\nContent-Length: {}\r\n\r\n{body}",
        serving.address,
        body.len()
    )
    .unwrap();
    eventually("the answer waits for its client", || unsent() >= long.len());
    assert_eq!(held(r#"crossway_request_in_flight_bytes{tenant="acme",upstream="demo"}"#), 0);
    drop(stream);
    eventually("nobody waits for it", || unsent() == 0);
}

#[test]
fn the_command_line_tells_what_a_user_sees_and_why() {
    let dir = tempfile::tempdir().unwrap();
    let path = config(&dir, GRANTS);
    let ask = |args: &[&str]| {
        let output = support::run(&[args, &["--config", &path]].concat());
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr),
        )
    };
    let bob = ["--user", "bob@globex.example", "--group", "globex"];
    let (code, seen) = ask(&[&["tools"][..], &bob].concat());
    assert_eq!(code, Some(0), "{seen}");
    assert!(
        seen.starts_with("demo__slow  Takes its time")
            && seen.lines().filter(|line| line.contains("__")).count() == 1,
        "{seen}"
    );
    let (code, why) = ask(&[&["explain", "--upstream", "demo", "--tool", "echo"][..], &bob].concat());
    assert_eq!(code, Some(1), "{why}");
    let (code, why) =
        ask(&[&["explain", "--upstream", "demo", "--tool", "slow", "--format", "json"][..], &bob].concat());
    assert!(code == Some(0) && why.contains(r#""permitted":true"#) && why.contains("grants[3]"), "{why}");
    let (code, why) = ask(&["tools", "--user", "nobody@nowhere.example"]);
    assert!(code == Some(1) && why.contains("no tenant's rule matches"), "{why}");
    let (code, why) = ask(&[&["explain", "--upstream", "demo", "--tool", "demo__slow"][..], &bob].concat());
    assert!(code == Some(2) && why.contains("the name as clients see it; name it `slow`"), "{why}");
    // A word that is mistyped is no answer.
    let (code, why) = ask(&[&["explain", "--upstream", "demi", "--tool", "slow"][..], &bob].concat());
    assert!(code == Some(2) && why.contains(r#"no upstream "demi"; is "demo" meant?"#), "{why}");
    for question in [&["explain", "--upstream", "demo", "--tool", "slow"][..], &["tools"]] {
        let (code, why) = ask(&[question, &bob, &["--endpoint", "nowhere"]].concat());
        assert!(code == Some(2) && why.contains(r#"no endpoint "nowhere""#), "{why}");
    }
}

#[test]
fn a_subject_that_decides_and_was_not_given_is_told_of() {
    let dir = tempfile::tempdir().unwrap();
    let path = changed(&dir, "directory: tokens }", "directory: { path: tokens, by: subject } }");
    let told = |args: &[&str]| {
        let alice = ["--user", "alice@acme.example", "--group", "acme", "--config", &path];
        String::from_utf8(support::run(&[args, &alice].concat()).stdout).unwrap()
    };
    let note = "the subject decides in credentials[0]: alice@acme.example was taken for it, as --subject was not given";
    let explain = |upstream| ["explain", "--upstream", upstream, "--tool", "echo"];
    assert!(told(&explain("old")).ends_with(&format!("\n  {note}\n")), "{}", told(&explain("old")));
    let json: serde_json::Value =
        serde_json::from_str(&told(&[&explain("old")[..], &["--format", "json"]].concat())).unwrap();
    assert_eq!(json["note"], note);
    assert!(told(&["tools"]).ends_with(&format!("\n{note}\n")), "{}", told(&["tools"]));
    assert!(!told(&explain("demo")).contains("subject"));
    assert!(!told(&[&explain("old")[..], &["--subject", "alice"]].concat()).contains("the subject decides"));
}

#[test]
fn what_a_proof_says_of_a_user_can_be_said_on_the_command_line() {
    let dir = tempfile::tempdir().unwrap();
    let when = "user.name == 'Bob' && user.claims.department == 'sales' && user.claims.level >= 3";
    let grant = format!("  - {{ tenant: globex, upstream: demo, tools: [slow], when: \"{when}\" }}\n");
    let path = config(&dir, &grant);
    let bob = ["--user", "bob@globex.example", "--group", "globex", "--config", &path];
    let explain = [&["explain", "--upstream", "demo", "--tool", "slow"][..], &bob].concat();
    let more = ["--name", "Bob", "--claim", "department=\"sales\"", "--claim", "level=3"];
    assert_eq!(support::run(&explain).status.code(), Some(1));
    let known = [&explain[..], &more].concat();
    let output = support::run(&known);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
    let output = support::run(&[&["tools"][..], &bob, &more].concat());
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("demo__slow "));
    let output = support::run(&[&explain[..], &["--claim", "department=sales"]].concat());
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && told.contains("NAME=JSON is wanted"), "{told}");
}

/// The config with something in another form.
fn changed(dir: &tempfile::TempDir, from: &str, to: &str) -> String {
    let path = config(dir, GRANTS);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(&path, text.replace(from, to)).unwrap();
    path
}

#[test]
fn who_belongs_to_two_tenants_says_by_the_path_as_one_of_which() {
    let dir = tempfile::tempdir().unwrap();
    let path = config(&dir, GRANTS);
    let text = fs::read_to_string(&path).unwrap();
    // Carol belongs to both.
    let text = text.replace("groups: [x]", "groups: [acme, globex]");
    fs::write(&path, format!("{text}endpoints: {{ /as-acme: acme, /as-globex: globex }}\n")).unwrap();
    let serving = Serving::start(&["serve", "--config", &path]);
    assert!(by(CAROL).post(&serving, "/mcp", INITIALIZE).starts_with("HTTP/1.1 403"));
    eventually("she is one of acme's", || {
        by(CAROL).names(&serving, "/as-acme/mcp", "tools/list").contains(&"demo__echo".to_owned())
    });
    eventually("she is one of globex's", || {
        by(CAROL).names(&serving, "/as-globex/mcp", "tools/list") == ["demo__slow"]
    });
    // To who is not, the path of another tenant is one where nothing is.
    let (foreign, none) = (
        by(ALICE).post(&serving, "/as-globex/mcp", INITIALIZE),
        by(ALICE).post(&serving, "/as-x/mcp", INITIALIZE),
    );
    assert!(foreign.starts_with("HTTP/1.1 404"), "{foreign}");
    assert_eq!(body(&foreign), body(&none));
    // Nor can one who belongs to no tenant, or to several, tell paths that are there from those that are not.
    let several = by(CAROL).post(&serving, "/as-x/mcp", INITIALIZE);
    assert!(several.starts_with("HTTP/1.1 403"), "{several}");
    fs::write(&path, fs::read_to_string(&path).unwrap().replace("groups: [acme, globex]", "groups: [x]"))
        .unwrap();
    let serving = Serving::start(&["serve", "--config", &path]);
    let none = by(CAROL).post(&serving, "/as-x/mcp", INITIALIZE);
    assert!(none.starts_with("HTTP/1.1 403"), "{none}");
    assert_eq!(body(&none), body(&by(CAROL).post(&serving, "/as-globex/mcp", INITIALIZE)));
}

#[test]
fn an_upstream_that_takes_an_endpoints_name_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let path = config(&dir, GRANTS);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{text}endpoints: {{ /late: acme }}\n")).unwrap();
    let serving = Serving::start(&["serve", "--config", &path]);
    eventually("the endpoint is there", || {
        by(ALICE).names(&serving, "/late/mcp", "tools/list").contains(&"demo__echo".to_owned())
    });
    fs::write(&path, text.replace("  demo: {", "  late: {").replace("upstream: demo", "upstream: late"))
        .unwrap();
    serving.signal("HUP");
    // Between the two nothing is there.
    eventually("the upstream has its own path", || {
        by(ALICE).post(&serving, "/late/mcp", INITIALIZE).contains("crossway-demo")
    });
    assert!(by(ALICE).names(&serving, "/late/mcp", "tools/list").contains(&"echo".to_owned()));
}

#[test]
fn a_prefix_stands_in_names_and_grants_stay_with_the_upstreams_own_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = changed(&dir, "scope: tenant }", "scope: tenant, prefix: d, instructions: false }");
    let serving = Serving::start(&["serve", "--config", &path]);
    eventually("the server is there", || by(BOB).names(&serving, "/mcp", "tools/list") == ["d__slow"]);
    assert!(by(ALICE).call(&serving, "/mcp", "d__echo").contains("hi"));
    assert!(by(ALICE).call(&serving, "/mcp", "demo__echo").contains("Unknown tool"));
    let alone = by(ALICE).post(&serving, "/demo/mcp", INITIALIZE);
    assert!(alone.contains("crossway-demo") && !alone.contains("instructions"), "{alone}");
    let with = by(ALICE).post(&serving, "/old/mcp", INITIALIZE);
    assert!(with.contains("\"instructions\":\"A server for trying"), "{with}");
}

#[test]
fn limits_of_the_config_hold() {
    let dir = tempfile::tempdir().unwrap();
    let path = changed(&dir, "grants:\n", "limits: { sessions: 1, message: 2KiB }\ngrants:\n");
    let serving = Serving::start(&["serve", "--config", &path]);
    let session = by(ALICE).open(&serving, "/mcp");
    let second = by(ANN).post(&serving, "/mcp", INITIALIZE);
    assert!(second.starts_with("HTTP/1.1 503"), "{second}");
    let long =
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"x":"{}"}}}}"#, "x".repeat(3000));
    let refused = by(ALICE).within(&session).post(&serving, "/mcp", &long);
    assert!(refused.starts_with("HTTP/1.1 413"), "{refused}");
}

#[test]
fn an_address_beyond_this_machine_needs_names_on_the_command_line_too() {
    let dir = tempfile::tempdir().unwrap();
    let path = config(&dir, GRANTS);
    let output = support::run(&["serve", "--config", &path, "--listen", "0.0.0.0:0"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("name in the config's allow_hosts"), "{told}");
}

/// Calls a tool that asks its user, as a legacy client that can be asked; the user declines. Gives the rest of the response.
fn asked_and_declined(serving: &Serving, path: &str, tool: &str) -> String {
    let able = INITIALIZE.replace(r#""capabilities":{}"#, r#""capabilities":{"elicitation":{}}"#);
    let opened = by(ALICE).post(serving, path, &able);
    let session = opened.lines().find_map(|line| line.strip_prefix("mcp-session-id: ")).unwrap();
    let alice = by(ALICE).within(session);
    alice.post(serving, path, r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{{"name":"{tool}","arguments":{{"message":"well?"}}}}}}"#
    );
    let mut stream = TcpStream::connect(&serving.address).unwrap();
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nConnection: close\r\n\
         Accept: application/json, text/event-stream\r\nAuthorization: Bearer {ALICE}\r\n\
         Mcp-Session-Id: {session}\r\nContent-Length: {}\r\n\r\n{body}",
        serving.address,
        body.len()
    )
    .unwrap();
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while !line.contains(r#""elicitation/create""#) {
        line.clear();
        assert!(stream.read_line(&mut line).unwrap() > 0, "{path} {tool}: nobody was asked");
    }
    let question: serde_json::Value = serde_json::from_str(line.strip_prefix("data:").unwrap()).unwrap();
    let id = &question["id"];
    let answer = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"action":"decline"}}}}"#);
    let taken = alice.post(serving, path, &answer);
    assert!(taken.starts_with("HTTP/1.1 202"), "{path} {tool}: {taken}");
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    rest
}

#[test]
fn questions_of_servers_of_both_eras_are_answered_by_legacy_clients() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(&dir, GRANTS);
    let modern = format!(
        "upstreams:\n  new: {{ command: \"{CROSSWAY}\", args: [demo, --stdio, --era, modern], scope: tenant }}\n"
    );
    let text = fs::read_to_string(&config).unwrap().replace("upstreams:\n", &modern);
    fs::write(&config, text + "  - { tenant: acme, upstream: new, tools: ['*'] }\n").unwrap();
    let serving = Serving::start(&["serve", "--config", &config]);
    let tool = "test_elicitation";
    for server in ["demo", "old", "new"] {
        let exposed = format!("{server}__{tool}");
        eventually(server, || by(ALICE).names(&serving, "/mcp", "tools/list").contains(&exposed));
        for (path, tool) in [("/mcp".to_owned(), exposed), (format!("/{server}/mcp"), tool.to_owned())] {
            let rest = asked_and_declined(&serving, &path, &tool);
            assert!(rest.contains(r#""id":3,"result""#) && rest.contains("decline"), "{path} {tool}: {rest}");
        }
    }
}
