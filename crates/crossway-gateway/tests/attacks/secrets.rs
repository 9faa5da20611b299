//! Secrets, and where they might come out.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use serde_json::json;

use super::ask::{call, legacy_call, post, session};
use super::fake::{Fake, tool};
use super::issued::issuer::{AUDIENCE, ISSUER, SigningKey, access, jwks};
use super::support::tenants::{ALICE, eventually, sha256};
use super::support::{CROSSWAY, Serving};

/// What nobody should ever read anywhere.
const OF_ARGUMENTS: &str = "arguments-0a1b2c3d4e5f";
const OF_SERVER: &str = "server-5f4e3d2c1b0a";
const OF_HEADER: &str = "header-9f8e7d6c5b4a";
const OF_URL: &str = "url-1b2c3d4e5f6a";
const ADMIN: &str = "an-admin-key-0123456789abcdef0123456789";

/// A gateway that logs all that it has to say into a file.
fn talkative(dir: &Path, config: &str) -> Serving {
    let path = dir.join("crossway.yaml");
    fs::write(&path, config).unwrap();
    let mut command = Command::new(CROSSWAY);
    command.args(["serve", "--listen", "127.0.0.1:0", "--log", "trace", "--config", path.to_str().unwrap()]);
    Serving::spawn(command.stderr(fs::File::create(dir.join("log")).unwrap()))
}

/// Has it end by itself, so that all of its log is written.
fn ended(mut gateway: Serving) {
    gateway.signal("TERM");
    assert!(gateway.child.wait().unwrap().success());
}

fn config(fake: &Fake, operations: &str) -> String {
    format!(
        "identity:\n  proof: api-keys\n  keys:\n    - {{ sha256: \"{}\", subject: alice, groups: [acme] }}\n\
         operations: {{ listen: \"{operations}\", admin_key: \"{ADMIN}\" }}\naudit: {{ file: audit.jsonl }}\n\
         upstreams:\n  web: {{ url: \"{}?key={OF_URL}\", headers: {{ X-Static: \"file:static\" }} }}\ntenants:\n  acme: {{ groups: [acme] }}\n\
         credentials:\n  - {{ upstream: web, for: tenant, tenant: acme, bearer: true, from: {{ file: token }} }}\n\
         grants:\n  - {{ tenant: acme, upstream: web, tools: [\"*\"], when: \"args != {{\\\"x\\\": 1}}\" }}\n",
        sha256(ALICE),
        fake.url()
    )
}

#[test]
fn a_secret_is_in_no_log_no_record_no_metric_and_no_error() {
    let fake = Fake::of(json!([tool("look")]));
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("token"), OF_SERVER).unwrap();
    fs::write(dir.path().join("static"), OF_HEADER).unwrap();
    let operations = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let gateway = talkative(dir.path(), &config(&fake, &operations));
    let serving = &gateway;
    let id = session(serving, "/mcp", |ask| ask.bearer(ALICE));
    let mut told = String::new();
    let mut ask = |ask: super::ask::Ask| told.push_str(&ask.bearer(ALICE).send(serving).body);
    let arguments = json!({ "password": OF_ARGUMENTS });
    eventually("the call arrives with what it is to have", || {
        ask(post("/mcp", &legacy_call("web__look", &arguments)).within(&id));
        fake.calls().iter().any(|kept| kept.head.contains(OF_SERVER) && kept.head.contains(OF_HEADER))
    });
    ask(call("/mcp", "web__look", arguments.clone()));
    ask(call("/mcp", "web__no_such", arguments.clone()));
    ask(call("/mcp", "web__look", json!({ "x": 1, "y": [[OF_ARGUMENTS]] })));
    // What is no message, with a secret in it.
    ask(post("/mcp", &format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"{OF_ARGUMENTS}\",")).within(&id));
    ask(post("/mcp", &format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"password\":\"{OF_ARGUMENTS}\"}}"))
        .within(&id));
    // A server that fails, and shows in its page what it was sent.
    for status in [400, 401, 403, 404, 500, 503] {
        fake.says(
            status,
            &format!("WWW-Authenticate: Bearer error=\"{OF_SERVER}\"\r\n"),
            &format!("Authorization: Bearer {OF_SERVER}, {OF_HEADER}"),
        );
        ask(post("/mcp", &legacy_call("web__look", &arguments)).within(&id));
    }
    fake.says(200, "", &format!("<html>{OF_SERVER}"));
    ask(call("/mcp", "web__look", arguments));
    told.push_str(&post("/mcp", "{}").bearer(&format!("{ALICE}x")).send(serving).body);
    // The server's file is away, and then no secret.
    fs::write(dir.path().join("token"), format!("{OF_SERVER}\nX-Evil: 1")).unwrap();
    eventually("the secret is none", || {
        let answer = call("/mcp", "web__look", json!({})).bearer(ALICE).send(serving).body;
        told.push_str(&answer);
        !answer.contains("is not valid")
    });
    let scraped = scrape(&operations);
    assert!(scraped.contains("crossway_calls_total"), "{scraped}");
    ended(gateway);
    let log = fs::read_to_string(dir.path().join("log")).unwrap();
    let record = fs::read_to_string(dir.path().join("audit.jsonl")).unwrap();
    assert!(log.contains("TRACE") || log.contains("DEBUG"), "{log}");
    assert!(record.contains("web__look") || record.contains("\"look\""), "{record}");
    for secret in [OF_ARGUMENTS, OF_SERVER, OF_HEADER, OF_URL, ALICE, ADMIN, &id] {
        for (name, text) in [("the log", &log), ("the audit log", &record), ("the metrics", &scraped)] {
            let at = text.find(secret).map(|at| &text[at.saturating_sub(200)..at + secret.len()]);
            assert!(at.is_none(), "{secret} in {name}: {at:?}");
        }
    }
    for secret in [OF_SERVER, OF_HEADER, OF_URL, ALICE, ADMIN] {
        assert!(!told.contains(secret), "{secret} in {told}");
    }
}

fn scrape(operations: &str) -> String {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(operations).unwrap();
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: {operations}\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn where_servers_are_is_told_to_no_caller() {
    let dir = tempfile::tempdir().unwrap();
    let config = format!(
        "identity:\n  proof: api-keys\n  keys:\n    - {{ sha256: \"{}\", subject: alice, groups: [acme] }}\n\
         upstreams:\n  gone: {{ url: \"http://127.0.0.1:9/place-of-gone\" }}\n  \
         none: {{ command: \"/place-of-none/none\", scope: tenant }}\n\
         tenants:\n  acme: {{ groups: [acme] }}\ngrants:\n  - {{ tenant: acme, upstream: \"*\", tools: [\"*\"] }}\n",
        sha256(ALICE),
    );
    let gateway = talkative(dir.path(), &config);
    for (path, tool) in [("/mcp", "gone__x"), ("/gone/mcp", "x"), ("/mcp", "none__x"), ("/none/mcp", "x")] {
        let answer = call(path, tool, json!({})).bearer(ALICE).send(&gateway).body;
        assert!(answer.contains("can't be reached"), "{path} {tool}: {answer}");
        assert!(!answer.contains("place-of") && !answer.contains("127.0.0.1"), "{path} {tool}: {answer}");
    }
    ended(gateway);
    let log = fs::read_to_string(dir.path().join("log")).unwrap();
    assert!(log.contains("127.0.0.1:9") && log.contains("place-of-none"), "{log}");
}

#[test]
fn a_token_is_in_no_log_and_in_no_error() {
    let key = SigningKey::p256("a");
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("jwks.json"), jwks(&[&key]).to_string()).unwrap();
    let config = format!(
        "identity: {{ proof: jwt, issuer: \"{ISSUER}\", audience: [\"{AUDIENCE}\"], jwks_file: jwks.json }}\n\
         upstreams:\n  demo: {{ command: \"{CROSSWAY}\", args: [demo, --stdio], scope: tenant }}\n\
         tenants:\n  all: {{ everyone: true }}\n"
    );
    let gateway = talkative(dir.path(), &config);
    let good = key.sign(&access("alice", SystemTime::now()));
    let signature = good.rsplit_once('.').unwrap().1.to_owned();
    let forged = format!("{good}x");
    let mut told = String::new();
    for token in [&good, &forged, &format!("{good} {good}"), &good.replace('.', ":")] {
        let answer = post("/mcp", super::support::INITIALIZE).bearer(token).send(&gateway);
        told.push_str(&answer.head);
        told.push_str(&answer.body);
    }
    let answer = post(&format!("/mcp?access_token={good}"), "{}").send(&gateway);
    told.push_str(&answer.head);
    told.push_str(&answer.body);
    ended(gateway);
    let log = fs::read_to_string(dir.path().join("log")).unwrap();
    assert!(log.contains("a request is refused"), "{log}");
    assert!(!log.contains(&signature) && !told.contains(&signature), "{log}{told}");
    assert!(!log.contains("alice@"), "{log}");
}

#[test]
fn what_a_server_says_forges_no_line_of_the_log() {
    let evil =
        "down\n2026-11-27T15:00:00.000000Z ERROR crossway_gateway: forged\u{1b}[2J\u{202e}\u{2028}\u{9b}";
    let fake = Fake::of(json!([]));
    let config = format!(
        "identity:\n  proof: api-keys\n  keys:\n    - {{ sha256: \"{}\", subject: alice, groups: [acme] }}\n\
         upstreams:\n  web: {{ url: \"{}\" }}\n\
         tenants:\n  acme: {{ groups: [acme] }}\ngrants:\n  - {{ tenant: acme, upstream: \"*\", tools: [\"*\"] }}\n",
        sha256(ALICE),
        fake.url()
    );
    let says = |message: String| {
        let error = json!({ "jsonrpc": "2.0", "id": "$ID", "error": { "code": -32000, "message": message } });
        fake.says(200, "", &error.to_string());
    };
    for format in ["text", "json"] {
        for message in [evil.to_owned(), "A".repeat(200_000)] {
            let dir = tempfile::tempdir().unwrap();
            says(message);
            let gateway = talkative(dir.path(), &format!("log: {{ format: {format} }}\n{config}"));
            let answer = call("/mcp", "web__x", json!({})).bearer(ALICE).send(&gateway).body;
            assert!(!answer.contains("forged"), "{answer}");
            ended(gateway);
            let log = fs::read_to_string(dir.path().join("log")).unwrap();
            assert!(log.contains("refuses a session"), "{log}");
            for line in log.lines() {
                assert!(!line.contains(crossway_proto::is_misread), "{line:?}");
                assert!(!line.starts_with("2026-11-27T15:00:00.000000Z ERROR"), "{line}");
                assert!(line.len() < 4000, "{}", &line[..4000]);
            }
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("crossway.yaml");
    fs::write(&path, &config).unwrap();
    says(evil.to_owned());
    let mut told = Vec::new();
    let mut print = || {
        let mut command = Command::new(CROSSWAY);
        command.args(["tools", "--user", "alice", "--group", "acme", "--config", path.to_str().unwrap()]);
        let output = command.output().unwrap();
        told.extend([output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()));
    };
    print();
    let other = Fake::of(json!([tool(&format!("a{evil}"))]));
    fs::write(&path, config.replace(&fake.url(), &other.url())).unwrap();
    print();
    assert!(told[0].contains("without the tools of web"), "{told:?}");
    assert!(told[2].contains("web__adown"), "{told:?}");
    for text in told {
        assert!(!text.replace('\n', "").contains(crossway_proto::is_misread), "{text:?}");
        assert!(!text.lines().any(|line| line.starts_with("2026-11-27T15:00:00.000000Z ERROR")), "{text}");
    }
}

#[test]
fn an_api_that_repeats_the_credential_in_an_error_tells_it_to_nobody() {
    let fake = Fake::of(json!([]));
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("token"), "token/of acme").unwrap();
    let document = json!({
        "openapi": "3.1.0", "info": { "title": "t", "version": "1" },
        "paths": { "/do": { "post": { "operationId": "do", "responses": { "200": { "description": "Done." } } } } },
    });
    fs::write(dir.path().join("api.json"), document.to_string()).unwrap();
    let url = fake.url();
    let gateway = talkative(
        dir.path(),
        &format!(
            "identity:\n  proof: api-keys\n  keys:\n    - {{ sha256: \"{}\", subject: alice, groups: [acme] }}\n\
             upstreams:\n  api: {{ openapi: {{ document: api.json, server: \"{url}\" }}, limits: {{ breaker: {{ failures: 0 }} }} }}\n  \
             hook: {{ webhook: {{ url: \"{url}\", tools: {{ do: {{ description: Does. }} }} }}, limits: {{ breaker: {{ failures: 0 }} }} }}\n\
             tenants:\n  acme: {{ groups: [acme] }}\ngrants:\n  - {{ tenant: acme, upstream: \"*\", tools: [\"*\"] }}\n\
             credentials:\n  - {{ upstream: api, for: tenant, tenant: acme, bearer: true, from: {{ file: token }} }}\n  \
             - {{ upstream: api, for: tenant, tenant: acme, query: key, from: {{ file: token }} }}\n  \
             - {{ upstream: hook, for: tenant, tenant: acme, header: X-Key, from: {{ file: token }} }}\n  \
             - {{ upstream: hook, for: tenant, tenant: acme, query: key, from: {{ file: token }} }}\n",
            sha256(ALICE)
        ),
    );
    let repeated = "you sent token/of acme, key=token%2Fof%20acme, key=token%2fof+acme";
    let ask = |name: &str| call("/mcp", name, json!({})).bearer(ALICE).send(&gateway).body;
    for name in ["api__do", "hook__do"] {
        for status in [400, 401, 403, 404, 422, 429, 500, 501, 502, 503] {
            fake.says(status, "Location: /token%2Fof%20acme\r\n", &json!({ "error": repeated }).to_string());
            let answer = ask(name);
            assert!(!answer.contains("acme"), "{name} {status}: {answer}");
            let is_told = !matches!(status, 401 | 429 | 502 | 503);
            assert_eq!(answer.contains("[secret]"), is_told, "{name} {status}: {answer}");
        }
        fake.says(200, "", "{\"a\":\"token/of acme\"}");
        assert!(ask(name).contains("token/of acme"));
    }
    assert!(fake.kept().iter().any(|kept| kept.head.contains("Bearer token/of acme")));
    ended(gateway);
    let log = fs::read_to_string(dir.path().join("log")).unwrap();
    assert!(!log.contains("of acme") && !log.contains("of%20acme"), "{log}");
}

#[test]
fn a_config_that_is_shown_for_debugging_shows_no_secret() {
    let fake = Fake::of(json!([]));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("crossway.yaml");
    fs::write(dir.path().join("token"), OF_SERVER).unwrap();
    fs::write(dir.path().join("static"), OF_HEADER).unwrap();
    let text = config(&fake, "127.0.0.1:9");
    let loaded = crossway_gateway::config::parse(&path, &text, |_| None).unwrap();
    let shown = format!("{loaded:?} {loaded:#?}");
    let keys = "session_keys: [\"c2VhbGluZy1rZXktb2YtdGhpcnR5LXR3by1ieXRlcyE=\"]\nidentity: { proof: open-webui-jwt, secret: a-secret-of-open-webui-with-32-bytes, connection_key: a-connection-key-of-open-webui-x }\n";
    let other = crossway_gateway::config::parse(
        &path,
        &format!("{keys}upstreams:\n  a: {{ command: uvx, env: {{ API_TOKEN: {OF_SERVER} }} }}\n"),
        |_| None,
    );
    let other = other.unwrap();
    let shown = format!("{shown} {other:?} {other:#?}");
    for secret in [
        OF_SERVER,
        OF_HEADER,
        OF_URL,
        ADMIN,
        "a-secret-of-open-webui",
        "a-connection-key",
        "c2VhbGluZy",
        "sealing-key",
    ] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    // Nor do what is wrong with a config, and its warnings.
    let wrong = text.replace("bearer: true", "bearer: 7").replace(ADMIN, "short");
    let told = crossway_gateway::config::parse(&path, &wrong, |_| None).unwrap_err().to_string();
    assert!(!told.contains(OF_SERVER) && !told.contains(OF_HEADER), "{told}");
    let warnings: String = loaded.warnings.iter().map(|finding| format!("{finding}\n")).collect();
    assert!(warnings.contains("the secret stands in this file") && !warnings.contains(ADMIN), "{warnings}");
}
