//! Tools as OpenAPI over real sockets: `crossway openapi`, `crossway bridge` and `crossway serve`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "what is shared is not used by all")]

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use support::tenants::{ALICE, As, BOB, CAROL, GRANTS, body, by, config, eventually};
use support::{CROSSWAY, Serving, read};

/// `crossway openapi`. It is ended when dropped.
struct Tools {
    child: Child,
    address: String,
}

impl Tools {
    fn start(args: &[&str]) -> Self {
        let mut command = Command::new(CROSSWAY);
        command.args(["openapi", "--host", "127.0.0.1", "--port", "0", "--log-level", "warning"]);
        Self::spawn(command.args(args).env_remove("RUST_LOG").env("PASSED_ON", "as it is"))
    }

    fn spawn(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stdin(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.split_whitespace().last().and_then(|url| url.strip_prefix("http://"));
        let address = address.and_then(|url| url.strip_suffix("/openapi.json"));
        let address = address.unwrap_or_else(|| panic!("no URL in {line:?}")).to_owned();
        Self { child, address }
    }

    fn demo(args: &[&str]) -> Self {
        Self::start(&[args, &["--", CROSSWAY, "demo", "--stdio"]].concat())
    }

    /// A whole response.
    fn send(&self, method: &str, path: &str, headers: &[&str], body: &str) -> String {
        send(&self.address, method, path, headers, body)
    }

    fn call(&self, path: &str, body: &str) -> (u16, Value) {
        answer(&self.send("POST", path, &["Content-Type: application/json"], body))
    }

    fn get(&self, path: &str) -> (u16, Value) {
        answer(&self.send("GET", path, &[], ""))
    }
}

impl Drop for Tools {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn send(address: &str, method: &str, path: &str, headers: &[&str], body: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    read(stream)
}

/// Status and JSON of a response.
fn answer(response: &str) -> (u16, Value) {
    let status = response.split(' ').nth(1).unwrap().parse().unwrap();
    let json = serde_json::from_str(body(response));
    (status, json.unwrap_or_else(|error| panic!("{error}: {response}")))
}

#[test]
fn a_servers_tools_are_operations_and_their_answers_values() {
    let tools = Tools::demo(&[]);
    let (status, document) = tools.get("/openapi.json");
    assert_eq!((status, &document["openapi"]), (200, &json!("3.1.0")));
    let echo = &document["paths"]["/echo"]["post"];
    assert_eq!(echo["operationId"], "tool_echo_post");
    assert_eq!(echo["summary"], "Echo");
    let schema = &echo["requestBody"]["content"]["application/json"]["schema"];
    assert_eq!(schema["properties"]["message"]["type"], "string");
    assert_eq!(tools.call("/echo", r#"{"message":"hi"}"#), (200, json!("hi")));
    assert_eq!(tools.call("/echo", r#"{"message":"{\"a\":[1.50]}"}"#), (200, json!({ "a": [1.50] })));
    let (status, image) = tools.call("/test_image_content", "{}");
    assert!(status == 200 && image.as_str().unwrap().starts_with("data:image/png;base64,"), "{image}");
    let (_, several) = tools.call("/test_multiple_content_types", "");
    assert_eq!(several.as_array().unwrap().len(), 3, "{several}");
}

#[test]
fn what_fails_has_a_status_of_its_own() {
    let tools = Tools::demo(&[]);
    let status = |path: &str, body: &str| tools.call(path, body).0;
    assert_eq!(status("/echo", "{"), 400);
    assert_eq!(status("/echo", r#"{"message":"a","message":"b"}"#), 400);
    assert_eq!(status("/ecko", "{}"), 404);
    assert_eq!(status("/echo/more", "{}"), 404);
    assert_eq!(tools.get("/echo").0, 405);
    let (status_of_faults, faults) = tools.call("/echo", r#"{"message":5}"#);
    assert_eq!(status_of_faults, 422);
    assert_eq!(faults["detail"][0]["loc"], json!(["body", "message"]));
    let form =
        tools.send("POST", "/echo", &["Content-Type: application/x-www-form-urlencoded"], "message=hi");
    assert_eq!(answer(&form).0, 415);
    let (failed, told) = tools.call("/test_error_handling", "{}");
    assert_eq!((failed, &told["detail"]["outcome"]), (424, &json!("answered with an error")));
    let (asks, told) = tools.call("/test_elicitation", r#"{"message":"who?"}"#);
    assert_eq!(asks, 424, "{told}");
    let long = format!(r#"{{"message":"{}"}}"#, "a".repeat(9 << 20));
    assert_eq!(status("/echo", &long), 413);
    let elsewhere = send(&tools.address, "POST", "/echo", &["Origin: https://evil.example"], "");
    assert_eq!(answer(&elsewhere).0, 403);
}

#[test]
fn a_key_guards_calls_and_strictly_documents_too() {
    let json = "Content-Type: application/json";
    let call = |tools: &Tools, key: Option<&str>| {
        let key = key.map(|key| format!("Authorization: {key}"));
        let headers: Vec<&str> = key.as_deref().into_iter().chain([json]).collect();
        answer(&tools.send("POST", "/echo", &headers, r#"{"message":"hi"}"#)).0
    };
    for (flags, documents) in
        [(&["--api-key", "top-secret"][..], 200), (&["-k", "top-secret", "--strict-auth"], 401)]
    {
        let tools = Tools::demo(flags);
        assert_eq!(call(&tools, None), 401);
        assert_eq!(call(&tools, Some("Bearer nope")), 403);
        assert_eq!(call(&tools, Some("Bearer top-secret")), 200);
        assert_eq!(answer(&tools.send("GET", "/openapi.json", &[], "")).0, documents);
        let docs = tools.send("GET", "/docs", &[], "");
        assert!(docs.starts_with(&format!("HTTP/1.1 {documents}")), "{docs}");
        let preflight = tools.send(
            "OPTIONS",
            "/echo",
            &["Origin: https://chat.example.com", "Access-Control-Request-Method: POST"],
            "",
        );
        assert!(preflight.starts_with("HTTP/1.1 204"), "{preflight}");
        assert!(preflight.contains("access-control-allow-origin: https://chat.example.com"), "{preflight}");
    }
}

#[test]
fn the_page_is_of_this_host_alone() {
    let tools = Tools::demo(&["--root-path", "/api/tools"]);
    for (path, kind) in
        [("/docs", "text/html"), ("/docs/app.js", "text/javascript"), ("/docs/app.css", "text/css")]
    {
        for prefix in ["", "/api/tools"] {
            let file = tools.send("GET", &format!("{prefix}{path}"), &[], "");
            assert!(file.starts_with("HTTP/1.1 200") && file.contains(kind), "{file}");
            assert!(file.contains("content-security-policy: default-src 'none'"), "{file}");
            assert!(!body(&file).contains("://"), "{path} names another host");
        }
    }
    assert_eq!(tools.get("/api/tools/openapi.json").1["servers"], json!([{ "url": "/api/tools" }]));
}

#[test]
fn a_file_of_mcpo_serves_each_server_below_its_name_and_all_in_one_document() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config.json");
    let write = |servers: Value| fs::write(&file, json!({ "mcpServers": servers }).to_string()).unwrap();
    let demo = json!({ "command": CROSSWAY, "args": ["demo", "--stdio"], "disabledTools": ["slow"] });
    let gone = json!({ "command": "/nonexistent/server" });
    write(json!({ "my demo": demo, "gone": gone }));
    let tools =
        Tools::start(&["--config", file.to_str().unwrap(), "--hot-reload", "--path-prefix", "servers"]);
    eventually("the server is there", || {
        let (_, document) = tools.get("/openapi.json");
        document["paths"]["/servers/my%20demo/echo"]["post"]["operationId"] == "tool_my_demo_echo_post"
    });
    let (_, alone) = tools.get("/servers/my%20demo/openapi.json");
    assert_eq!(alone["paths"]["/echo"]["post"]["operationId"], "tool_echo_post");
    assert_eq!(alone["servers"], json!([{ "url": "/servers/my%20demo" }]));
    assert!(alone["paths"].get("/slow").is_none(), "a disabled tool is listed");
    assert_eq!(tools.call("/servers/my%20demo/slow", "{}").0, 404);
    assert_eq!(tools.call("/servers/my%20demo/echo", r#"{"message":"hi"}"#), (200, json!("hi")));
    let (dead, told) = tools.call("/servers/gone/anything", "{}");
    assert_eq!((dead, &told["detail"]["outcome"]), (424, &json!("not sent")));
    assert_eq!(tools.call("/servers/none/anything", "{}").0, 404);
    assert_eq!(tools.call("/my%20demo/echo", "{}").0, 404);
    write(json!({ "other": { "command": CROSSWAY, "args": ["demo", "--stdio"] } }));
    eventually("the file's change is taken up", || {
        tools.call("/servers/other/echo", r#"{"message":"hi"}"#) == (200, json!("hi"))
            && tools.call("/servers/my%20demo/echo", "{}").0 == 404
    });
}

#[test]
fn an_oauth_that_means_nothing_is_told_of() {
    let dir = tempfile::tempdir().unwrap();
    let (file, log) = (dir.path().join("config.json"), dir.path().join("log"));
    let far = json!({ "type": "streamable-http", "url": "http://127.0.0.1:9/mcp", "oauth": { "server_url": "http://127.0.0.1:9" } });
    let near = json!({ "command": CROSSWAY, "args": ["demo", "--stdio"], "alwaysAllow": [] });
    fs::write(&file, json!({ "mcpServers": { "my far": far, "near": near } }).to_string()).unwrap();
    let mut command = Command::new(CROSSWAY);
    command.args(["openapi", "--host", "127.0.0.1", "--port", "0", "--log-level", "warning", "--config"]);
    command.arg(&file).env_remove("RUST_LOG").stderr(fs::File::create(&log).unwrap());
    let _tools = Tools::spawn(&mut command);
    let mut line = String::new();
    eventually("it is told of", || {
        let said = fs::read_to_string(&log).unwrap();
        line = said.lines().find(|line| line.contains("no OAuth is done")).unwrap_or_default().to_owned();
        line.contains(" in headers")
    });
    assert!(line.contains("my far") && !line.contains("near"), "{line}");
}

#[test]
fn a_bridge_has_tools_as_openapi_beside_mcp() {
    let one = Serving::start(&["bridge", "--", CROSSWAY, "demo", "--stdio", "--era", "legacy"]);
    let json = "Content-Type: application/json";
    let hi = r#"{"message":"hi"}"#;
    assert_eq!(answer(&send(&one.address, "POST", "/echo", &[json], hi)), (200, json!("hi")));
    assert!(one.post_at("/mcp", support::INITIALIZE, None).starts_with("HTTP/1.1 200"));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config.json");
    let demo = json!({ "command": CROSSWAY, "args": ["demo", "--stdio"], "disabledTools": ["slow"] });
    fs::write(&file, json!({ "mcpServers": { "demo": demo } }).to_string()).unwrap();
    let many = Serving::start(&["bridge", "--config", file.to_str().unwrap()]);
    eventually("the server is there", || {
        answer(&send(&many.address, "POST", "/demo/echo", &[json], hi)) == (200, json!("hi"))
    });
    let (_, all) = answer(&send(&many.address, "GET", "/openapi.json", &[], ""));
    assert!(all["paths"].get("/demo/echo").is_some() && all["paths"].get("/demo/slow").is_none());
    // What a file switches off is off over MCP as well.
    let names = As::default().names(&many, "/demo/mcp", "tools/list");
    assert!(names.contains(&"echo".to_owned()) && !names.contains(&"slow".to_owned()), "{names:?}");
    assert!(As::default().call(&many, "/mcp", "demo__slow").contains("Unknown tool"));
}

/// A gateway for tenants with an OpenAPI face.
fn gateway(openapi: &str) -> (tempfile::TempDir, Serving) {
    let dir = tempfile::tempdir().unwrap();
    let serving = Serving::start(&["serve", "--config", &gateway_config(&dir, GRANTS, openapi)]);
    (dir, serving)
}

fn gateway_config(dir: &tempfile::TempDir, grants: &str, openapi: &str) -> String {
    let path = config(dir, grants);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{text}{openapi}\nendpoints: {{ /acme: acme, /globex: globex }}\n")).unwrap();
    path
}

fn paths(document: &Value) -> Vec<&str> {
    document["paths"].as_object().map(|paths| paths.keys().map(String::as_str).collect()).unwrap_or_default()
}

#[test]
fn users_have_operations_for_what_is_granted_and_nothing_else() {
    let (_dir, serving) = gateway("openapi: {}");
    let get = |key: &str, path: &str| answer(&by(key).send(&serving, "GET", path, ""));
    eventually("the servers are there", || {
        let (_, document) = get(ALICE, "/openapi.json");
        paths(&document).contains(&"/demo/echo") && paths(&document).contains(&"/old/echo")
    });
    // The document has what lists over MCP have.
    let listed = by(ALICE).names(&serving, "/demo/mcp", "tools/list");
    let (_, alone) = get(ALICE, "/demo/openapi.json");
    let mut documented: Vec<String> = paths(&alone).iter().map(|path| path[1..].to_owned()).collect();
    documented.sort();
    assert_eq!(documented, listed);
    eventually("the other tenant's are", || paths(&get(BOB, "/openapi.json").1) == ["/demo/slow"]);
    let call = |key: &str, path: &str| answer(&by(key).post(&serving, path, r#"{"message":"hi"}"#));
    assert_eq!(call(ALICE, "/demo/echo"), (200, json!("hi")));
    assert_eq!(call(ALICE, "/acme/demo/echo"), (200, json!("hi")));
    assert_eq!(call(BOB, "/demo/echo"), call(BOB, "/demo/ecko"));
    assert_eq!(call(BOB, "/demo/echo").0, 404);
    // Of what is not granted at all nothing can be told.
    for method in ["GET", "POST"] {
        for (hidden, none) in [("/old/openapi.json", "/new/openapi.json"), ("/old/echo", "/new/echo")] {
            for endpoint in ["", "/globex"] {
                let ask =
                    |path: &str| answer(&by(BOB).send(&serving, method, &format!("{endpoint}{path}"), "{}"));
                assert_eq!(ask(hidden), ask(none), "{method} {endpoint}{hidden}");
                assert_eq!(ask(hidden).0, 404);
            }
        }
    }
    assert_eq!(get(CAROL, "/openapi.json").0, 403);
    assert_eq!(get("not-a-key", "/openapi.json").0, 401);
    // Nobody is shown nothing.
    let (_, nobodys) = answer(&As::default().send(&serving, "GET", "/openapi.json", ""));
    assert!(paths(&nobodys).is_empty(), "{nobodys}");
    assert_eq!(answer(&As::default().post(&serving, "/demo/echo", "{}")).0, 404);
}

#[test]
fn a_document_that_nobody_in_particular_fetches_is_somebodys_and_opens_no_call() {
    let (_dir, serving) = gateway("openapi: { document_for: { subject: open-webui, groups: [globex] } }");
    let get = |path: &str| answer(&As::default().send(&serving, "GET", path, "")).1;
    eventually("the document is there", || paths(&get("/openapi.json")) == ["/demo/slow"]);
    assert_eq!(paths(&get("/demo/openapi.json")), ["/slow"]);
    assert!(As::default().send(&serving, "GET", "/docs", "").starts_with("HTTP/1.1 200"));
    assert_eq!(answer(&As::default().post(&serving, "/demo/slow", "{}")).0, 404);
    assert_eq!(answer(&by("not-a-key").send(&serving, "GET", "/openapi.json", "")).0, 401);
    let (_, alices) = answer(&by(ALICE).send(&serving, "GET", "/demo/openapi.json", ""));
    assert!(!paths(&alices).contains(&"/slow"), "{alices}");
}

#[cfg(unix)]
#[test]
fn a_reload_switches_openapi_on_and_off_and_says_whether_callers_need_a_key() {
    let dir = tempfile::tempdir().unwrap();
    let everybodys = format!("{GRANTS}  - {{ user: anonymous, upstream: demo, tools: [echo] }}\n");
    let file = gateway_config(&dir, &everybodys, "");
    let serving = Serving::start(&["serve", "--config", &file]);
    let get = |path: &str| by(ALICE).send(&serving, "GET", path, "");
    let is_off = |path: &str| get(path).starts_with("HTTP/1.1 404");
    let all = ["/openapi.json", "/demo/openapi.json", "/docs", "/acme/openapi.json"];
    let session = by(ALICE).open(&serving, "/mcp");
    for openapi in ["openapi: {}", "", "openapi: {}"] {
        gateway_config(&dir, &everybodys, openapi);
        serving.signal("HUP");
        eventually(&format!("the change holds: {openapi:?}"), || {
            all.iter().all(|path| is_off(path) == openapi.is_empty())
        });
        let call = by(ALICE).post(&serving, "/demo/echo", r#"{"message":"hi"}"#);
        assert_eq!(call.starts_with("HTTP/1.1 404"), openapi.is_empty(), "{call}");
        // MCP is there all the time, and so are its sessions.
        let ping =
            by(ALICE).within(&session).post(&serving, "/mcp", r#"{"jsonrpc":"2.0","id":9,"method":"ping"}"#);
        assert!(ping.starts_with("HTTP/1.1 200"), "{ping}");
    }
    let bearers = |path: &str| {
        let (_, document) = answer(&As::default().send(&serving, "GET", path, ""));
        let operation =
            if path.starts_with("/demo") { "/paths/~1echo/post" } else { "/paths/~1demo~1echo/post" };
        let security = document.pointer(operation).map(|echo| echo.get("security").is_some());
        (document["components"].get("securitySchemes").is_some(), security)
    };
    let text = fs::read_to_string(&file).unwrap();
    let (_, rest) = text.split_once("upstreams:").unwrap();
    let open = format!("identity: {{ proof: none }}\nupstreams:{rest}");
    for (text, is_needed) in [(&text, true), (&open, false), (&text, true)] {
        fs::write(&file, text).unwrap();
        serving.signal("HUP");
        for path in ["/openapi.json", "/demo/openapi.json"] {
            eventually(&format!("{path} says that a key is needed: {is_needed}"), || {
                bearers(path) == (is_needed, Some(is_needed))
            });
        }
    }
}

#[test]
fn a_gateway_that_is_not_told_to_has_no_openapi() {
    let (_dir, serving) = gateway("");
    for path in ["/openapi.json", "/docs", "/demo/openapi.json"] {
        let response = by(ALICE).send(&serving, "GET", path, "");
        assert!(response.starts_with("HTTP/1.1 404") && response.contains("jsonrpc"), "{response}");
    }
    assert!(by(ALICE).post(&serving, "/demo/echo", "{}").starts_with("HTTP/1.1 404"));
}
