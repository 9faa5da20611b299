//! Two tenants over real sockets: what one gets is the same to the byte, whatever the other does, however much of it, and
//! whatever of the other's fails or changes meanwhile.
//!
//! 6 rounds of requests; `CROSSWAY_ROUNDS` says how many else.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "what is shared is not used by all")]

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use support::tenants::{ALICE, ANN, BOB, GRANTS, by, config, eventually};
use support::{INITIALIZE, Serving};

/// Writes a config: with globex or without it; `form` tells forms of what globex has apart.
fn write(dir: &tempfile::TempDir, with_globex: Option<usize>) -> String {
    let theirs = match with_globex {
        // Rights, quotas, servers that can't be started and reached: all of globex alone.
        Some(form) => format!(
            "  - {{ tenant: globex, upstream: demo, tools: ['{}'], prompts: ['*'] }}\n  \
             - {{ tenant: globex, upstream: broken, tools: ['*'], resources: ['**'] }}\n  \
             - {{ tenant: globex, upstream: nowhere, tools: ['*'] }}\n",
            ["*", "test_*"][form % 2]
        ),
        None => String::new(),
    };
    let ours = GRANTS.lines().filter(|line| !line.contains("globex")).collect::<Vec<_>>().join("\n");
    // In a folder of its own: what is written there would be half there for a moment.
    let drafts = tempfile::tempdir().unwrap();
    // What this one wants in a header is no business of those who may not call it.
    let denied = "  - { tenant: acme, upstream: demo, tools: [test_custom_header], effect: deny }";
    let draft = config(&drafts, &format!("{theirs}{ours}\n{denied}\n"));
    let mut text = fs::read_to_string(draft).unwrap();
    let (tokens, path) = (dir.path().join("tokens"), dir.path().join("crossway.yaml"));
    if !tokens.exists() {
        fs::rename(drafts.path().join("tokens"), tokens).unwrap();
    }
    text = text.replace(
        "credentials:\n",
        "credentials:\n  - { upstream: demo, for: tenant, env: WHO, value: \"{tenant}\" }\n",
    );
    if let Some(form) = with_globex {
        let servers = "  broken: { command: \"false\" }\n  nowhere: { url: \"http://127.0.0.1:9/mcp\" }\n";
        text = text.replace("tenants:\n", &format!("{servers}tenants:\n"));
        text.push_str(&format!("quotas:\n  - {{ tenant: globex, calls: {}/min }}\n", 100_000 + form));
    } else {
        text = text.replace("  globex: { groups: [globex] }\n", "");
    }
    // At once, as those who know write configs.
    let new = dir.path().join("new.yaml");
    fs::write(&new, text).unwrap();
    fs::rename(new, &path).unwrap();
    path.to_str().unwrap().to_owned()
}

/// What a client gets to see of a response: all but when it was, its session's id, those of its events, and how it was cut into
/// chunks.
fn seen(response: &str) -> String {
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    let is_same = |line: &&str| !line.starts_with("date: ") && !line.starts_with("mcp-session-id: ");
    let head: Vec<&str> = head.lines().filter(is_same).collect();
    let body = if head.contains(&"transfer-encoding: chunked") { unchunked(body) } else { body.to_owned() };
    let body: Vec<&str> = body.lines().filter(|line| !line.starts_with("id: ")).collect();
    format!("{}\n\n{}", head.join("\n"), body.join("\n"))
}

fn unchunked(body: &str) -> String {
    let (mut whole, mut rest) = (String::new(), body);
    while let Some((length, after)) = rest.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).unwrap();
        if length == 0 {
            break;
        }
        whole.push_str(&after[..length]);
        rest = &after[length + 2..];
    }
    whole
}

const MODERN: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"}}"#;

/// A request of revision 2026-07-28, which needs no session.
fn modern(serving: &Serving, key: &str, path: &str, method: &str, name: &str, params: &str) -> String {
    let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{{params}{MODERN}}}}}"#);
    let name = if name.is_empty() { String::new() } else { format!("Mcp-Name: {name}\r\n") };
    let mut stream = TcpStream::connect(&serving.address).unwrap();
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nConnection: close\r\n\
         Accept: application/json, text/event-stream\r\nAuthorization: Bearer {key}\r\n\
         MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: {method}\r\n{name}Content-Length: {}\r\n\r\n{body}",
        serving.address,
        body.len()
    )
    .unwrap();
    support::read(stream)
}

/// All that a tenant's users ask, and what they get.
fn round(serving: &Serving) -> Vec<String> {
    let mut got = Vec::new();
    for key in [ALICE, ANN] {
        for path in ["/mcp", "/demo/mcp", "/old/mcp", "/broken/mcp", "/nowhere/mcp", "/nothing/mcp"] {
            let opened = by(key).post(serving, path, INITIALIZE);
            got.push(seen(&opened));
            let Some(session) = opened.lines().find_map(|line| line.strip_prefix("mcp-session-id: ")) else {
                continue;
            };
            let ask = |body: &str| seen(&by(key).within(session).post(serving, path, body));
            got.push(ask(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#));
            let at = |server: &str, name: &str| {
                if path == "/mcp" { format!("{server}__{name}") } else { name.to_owned() }
            };
            for list in ["tools", "prompts", "resources", "resources/templates"] {
                got.push(ask(&format!(r#"{{"jsonrpc":"2.0","id":2,"method":"{list}/list"}}"#)));
            }
            for (server, tool) in [
                ("demo", "echo"),
                ("demo", "test_simple_text"),
                ("demo", "test_error_handling"),
                ("demo", "slow"),
                ("old", "echo"),
                ("broken", "x"),
                ("nowhere", "x"),
                ("nothing", "x"),
            ] {
                let tool = at(server, tool);
                got.push(ask(&format!(
                    r#"{{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{{"name":"{tool}","arguments":{{"message":"hi","steps":0}}}}}}"#
                )));
            }
            for (server, prompt) in
                [("demo", "test_simple_prompt"), ("old", "test_simple_prompt"), ("broken", "x")]
            {
                let prompt = at(server, prompt);
                got.push(ask(&format!(
                    r#"{{"jsonrpc":"2.0","id":4,"method":"prompts/get","params":{{"name":"{prompt}"}}}}"#
                )));
            }
            for rest in [
                r#""method":"resources/read","params":{"uri":"test://static-text"}"#,
                r#""method":"resources/read","params":{"uri":"crossway://broken/x"}"#,
                r#""method":"resources/read","params":{"uri":"crossway://nothing/x"}"#,
                r#""method":"tools/list","params":{"cursor":"page-1"}"#,
                r#""method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"old__test_prompt_with_arguments"},"argument":{"name":"arg1","value":""}}"#,
                r#""method":"no/such/method""#,
            ] {
                got.push(ask(&format!(r#"{{"jsonrpc":"2.0","id":5,{rest}}}"#)));
            }
        }
        got.push(seen(&modern(serving, key, "/mcp", "server/discover", "", "")));
        got.push(seen(&modern(serving, key, "/mcp", "tools/list", "", "")));
        let call = r#""name":"demo__echo","arguments":{"message":"hi"},"#;
        got.push(seen(&modern(serving, key, "/mcp", "tools/call", "demo__echo", call)));
        let call = r#""name":"demo__slow","arguments":{"steps":0},"#;
        got.push(seen(&modern(serving, key, "/mcp", "tools/call", "demo__slow", call)));
        let call = r#""name":"demo__test_custom_header","arguments":{"value":"x"},"#;
        got.push(seen(&modern(serving, key, "/mcp", "tools/call", "demo__test_custom_header", call)));
    }
    got
}

/// One round of what the other tenant does, and others who have no right to anything.
fn disturb(serving: &Serving, number: usize) {
    let session = by(BOB).open(serving, "/mcp");
    let ask = |body: &str| by(BOB).within(&session).post(serving, "/mcp", body);
    for list in ["tools", "prompts", "resources"] {
        ask(&format!(r#"{{"jsonrpc":"2.0","id":2,"method":"{list}/list"}}"#));
    }
    for tool in
        ["demo__echo", "demo__test_error_handling", "old__echo", "broken__x", "nowhere__x", "demo__nothing"]
    {
        ask(&format!(
            r#"{{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{{"name":"{tool}","arguments":{{"message":"{number}"}}}}}}"#
        ));
    }
    modern(serving, BOB, "/mcp", "tools/list", "", "");
    // A call that is taken back, under the id of somebody else's.
    ask(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":3}}"#);
    by(BOB).post(serving, "/broken/mcp", INITIALIZE);
    by("nobody's-key-0123456789abcdef0123456789").post(serving, "/mcp", INITIALIZE);
}

/// Kills the processes that were started for a tenant.
fn kill_those_of(tenant: &str, serving: &Serving) -> usize {
    let parent = serving.child.id().to_string();
    let is_childs = |pid: &str| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let after = stat.rsplit_once(") ").map(|(_, after)| after.to_owned()).unwrap_or_default();
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let who = format!("WHO={tenant}");
        after.split(' ').nth(1) == Some(&parent)
            && environment.split(|byte| *byte == 0).any(|it| it == who.as_bytes())
    };
    let all = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let theirs: Vec<String> = all.filter(|name| name.parse::<u32>().is_ok() && is_childs(name)).collect();
    for pid in &theirs {
        let _ = std::process::Command::new("kill").args(["-s", "KILL", pid]).status();
    }
    theirs.len()
}

/// The standing stream of a session, open until it is dropped.
struct Stream(TcpStream);

impl Stream {
    fn open(serving: &Serving, key: &str, session: &str) -> Self {
        let mut stream = TcpStream::connect(&serving.address).unwrap();
        write!(
            stream,
            "GET /mcp HTTP/1.1\r\nHost: {}\r\nAccept: text/event-stream\r\nAuthorization: Bearer {key}\r\n\
             Mcp-Session-Id: {session}\r\n\r\n",
            serving.address
        )
        .unwrap();
        Self(stream)
    }

    /// All that has come so far.
    fn told(mut self) -> String {
        self.0.set_nonblocking(true).unwrap();
        let (mut told, mut piece) = (Vec::new(), [0; 4096]);
        while let Ok(length @ 1..) = self.0.read(&mut piece) {
            told.extend_from_slice(&piece[..length]);
        }
        String::from_utf8(told).unwrap()
    }
}

/// Ends what goes on without end, also when a test fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn is_there(serving: &Serving) {
    eventually("our servers are there", || {
        let names = by(ALICE).names(serving, "/mcp", "tools/list");
        ["demo__echo", "old__echo"].iter().all(|wanted| names.iter().any(|name| name == wanted))
    });
    eventually("ann's servers are there", || {
        by(ANN).names(serving, "/mcp", "tools/list").iter().any(|name| name == "demo__echo")
    });
}

#[test]
fn what_a_tenant_gets_is_the_same_to_the_byte_whatever_another_does_and_whatever_befalls_it() {
    let rounds = std::env::var("CROSSWAY_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(6);
    let dir = tempfile::tempdir().unwrap();
    let path = write(&dir, None);
    let alone = {
        let serving = Serving::start(&["serve", "--config", &path]);
        is_there(&serving);
        round(&serving)
    };
    // It is worth something that all of it is the same.
    assert!(alone.iter().filter(|answer| answer.contains(r#""text":"hi""#)).count() >= 4, "{alone:#?}");

    write(&dir, Some(0));
    let serving = Serving::start(&["serve", "--config", &path]);
    is_there(&serving);
    eventually("the others' server is there", || {
        by(BOB).names(&serving, "/mcp", "tools/list").iter().any(|name| name == "demo__echo")
    });
    let session = by(ALICE).open(&serving, "/mcp");
    let stream = Stream::open(&serving, ALICE, &session);
    let (is_over, done, reloads, killed) =
        (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let _over = Over(&is_over);
        for _ in 0..4 {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    disturb(&serving, done.fetch_add(1, Ordering::Relaxed));
                }
            });
        }
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let number = reloads.fetch_add(1, Ordering::Relaxed) + 1;
                write(&dir, Some(number));
                serving.signal("HUP");
                // The change holds before the next one comes.
                eventually("the change holds", || {
                    let names = by(BOB).names(&serving, "/mcp", "tools/list");
                    is_over.load(Ordering::Relaxed)
                        || names.is_empty()
                        || names.iter().any(|name| name == "demo__echo") != (number % 2 == 1)
                });
                killed.fetch_add(kill_those_of("globex", &serving), Ordering::Relaxed);
            }
        });
        for number in 0..rounds {
            let beside = round(&serving);
            for (beside, alone) in beside.iter().zip(&alone) {
                assert_eq!(beside, alone, "round {number}");
            }
            assert_eq!(beside.len(), alone.len());
        }
    });
    let told = stream.told();
    assert!(told.starts_with("HTTP/1.1 200"), "{told}");
    assert!(!told.contains("data: {"), "{told}");
    let (done, reloads, killed) = (done.into_inner(), reloads.into_inner(), killed.into_inner());
    println!(
        "{rounds} rounds of {} requests beside {done} rounds of others, {reloads} reloads, {killed} kills",
        alone.len()
    );
    assert!(done > 0 && reloads > 1 && killed > 0);
}
