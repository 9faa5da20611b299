//! A gateway for two tenants: `acme` with Alice and Ann, `globex` with Bob; Carol belongs to none.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use ring::digest;

use super::{CROSSWAY, INITIALIZE, Serving, read};

pub(crate) const ALICE: &str = "key-of-alice-0123456789abcdef0123456789";
pub(crate) const ANN: &str = "key-of-ann-0123456789abcdef0123456789abc";
pub(crate) const BOB: &str = "key-of-bob-0123456789abcdef0123456789abc";
pub(crate) const CAROL: &str = "key-of-carol-0123456789abcdef0123456789";

pub(crate) fn sha256(key: &str) -> String {
    digest::digest(&digest::SHA256, key.as_bytes())
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// A config in a folder of its own; `grants` are lines of YAML.
pub(crate) fn config(dir: &tempfile::TempDir, grants: &str) -> String {
    let keys: Vec<String> = [(ALICE, "alice", "acme"), (ANN, "ann", "acme"), (BOB, "bob", "globex"), (CAROL, "carol", "x")]
        .iter()
        .map(|(key, name, group)| {
            let sha256 = sha256(key);
            format!(
                "    - {{ sha256: \"{sha256}\", subject: {name}, email: \"{name}@{group}.example\", groups: [{group}] }}\n"
            )
        })
        .collect();
    let text = format!(
        "identity:\n  proof: api-keys\n  anonymous: true\n  keys:\n{}\
         upstreams:\n  demo: {{ command: \"{CROSSWAY}\", args: [demo, --stdio], scope: tenant }}\n  \
         old: {{ command: \"{CROSSWAY}\", args: [demo, --stdio, --era, legacy], scope: user }}\n\
         tenants:\n  acme: {{ groups: [acme] }}\n  globex: {{ groups: [globex] }}\n\
         credentials:\n  - {{ upstream: old, for: user, env: TOKEN, from: {{ directory: tokens }}, ask: \"put your token at the desk\" }}\n\
         grants:\n{grants}",
        keys.concat()
    );
    fs::create_dir_all(dir.path().join("tokens")).unwrap();
    fs::write(dir.path().join("tokens/alice_40acme.example"), "a token\n").unwrap();
    let path = dir.path().join("crossway.yaml");
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

pub(crate) const GRANTS: &str = "  - { tenant: acme, upstream: demo, tools: [echo, 'test_*'] }\n  \
                        - { tenant: acme, upstream: old, tools: ['*'], prompts: ['*'], resources: ['**'] }\n  \
                        - { tenant: acme, upstream: demo, tools: [test_error_handling], effect: deny }\n  \
                        - { tenant: globex, upstream: demo, tools: [slow] }\n";

/// What a request is made with.
#[derive(Clone, Copy, Default)]
pub(crate) struct As<'a> {
    pub(crate) key: Option<&'a str>,
    pub(crate) session: Option<&'a str>,
    /// The chat, as Open WebUI says it.
    pub(crate) chat: Option<&'a str>,
}

pub(crate) fn by(key: &str) -> As<'_> {
    As { key: Some(key), ..As::default() }
}

impl<'a> As<'a> {
    pub(crate) fn within(self, session: &'a str) -> Self {
        Self { session: Some(session), ..self }
    }

    pub(crate) fn send(self, serving: &Serving, method: &str, path: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(&serving.address).unwrap();
        let key = self.key.map(|key| format!("Authorization: Bearer {key}\r\n")).unwrap_or_default();
        let session = self.session.map(|id| format!("Mcp-Session-Id: {id}\r\n")).unwrap_or_default();
        let chat = self.chat.map(|chat| format!("X-OpenWebUI-Chat-Id: {chat}\r\n")).unwrap_or_default();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nConnection: close\r\n\
             Accept: application/json, text/event-stream\r\n{key}{session}{chat}Content-Length: {}\r\n\r\n{body}",
            serving.address,
            body.len()
        )
        .unwrap();
        read(stream)
    }

    pub(crate) fn post(self, serving: &Serving, path: &str, body: &str) -> String {
        self.send(serving, "POST", path, body)
    }

    pub(crate) fn open(self, serving: &Serving, path: &str) -> String {
        let response = self.post(serving, path, INITIALIZE);
        let id = response.lines().find_map(|line| line.strip_prefix("mcp-session-id: "));
        let id = id.unwrap_or_else(|| panic!("no session: {response}")).to_owned();
        let done =
            self.within(&id).post(serving, path, r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
        assert!(done.starts_with("HTTP/1.1 202"), "{done}");
        id
    }

    /// The names in a list.
    pub(crate) fn names(self, serving: &Serving, path: &str, method: &str) -> Vec<String> {
        let session = self.open(serving, path);
        let list = format!(r#"{{"jsonrpc":"2.0","id":2,"method":"{method}"}}"#);
        let response = self.within(&session).post(serving, path, &list);
        let mut names: Vec<String> = response
            .split(r#""name":""#)
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap().to_owned())
            .collect();
        names.sort();
        names
    }

    pub(crate) fn call(self, serving: &Serving, path: &str, tool: &str) -> String {
        self.call_with(serving, path, tool, r#"{"message":"hi"}"#)
    }

    pub(crate) fn call_with(self, serving: &Serving, path: &str, tool: &str, arguments: &str) -> String {
        let session = self.open(serving, path);
        let call = format!(
            r#"{{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{{"name":"{tool}","arguments":{arguments}}}}}"#
        );
        self.within(&session).post(serving, path, &call)
    }
}

/// Asks again until it is so: servers start, and files are looked at each second.
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < deadline, "not within 20 s: {what}");
        std::thread::yield_now();
    }
}

pub(crate) fn body(response: &str) -> &str {
    response.split_once("\r\n\r\n").unwrap().1
}

pub(crate) fn started(grants: &str) -> (tempfile::TempDir, Serving) {
    let dir = tempfile::tempdir().unwrap();
    let serving = Serving::start(&["serve", "--config", &config(&dir, grants)]);
    eventually("the first tenant's servers are there", || {
        let names = by(ALICE).names(&serving, "/mcp", "tools/list");
        names.iter().any(|name| name == "demo__echo") && names.iter().any(|name| name == "old__echo")
    });
    (dir, serving)
}
