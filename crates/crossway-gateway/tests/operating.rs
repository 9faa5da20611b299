//! `crossway serve` as operators and service managers see it, from its start to its end.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "what is shared is not used by all")]

mod support;

use std::collections::HashSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use support::{CROSSWAY, read};

const KEY: &str = "an-admin-key-for-this-test";
const PATIENCE: Duration = Duration::from_secs(20);

/// A gateway whose operators' socket this test has bound, as systemd would.
struct Gateway {
    child: Child,
    /// Where clients connect.
    clients: String,
    operations: SocketAddr,
    manager: UnixDatagram,
    folder: tempfile::TempDir,
}

impl Gateway {
    fn start(variables: &[(&str, String)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        configure(folder.path(), "'*'");
        Self::start_in(folder, variables)
    }

    /// The same with the config that is in the folder.
    fn start_in(folder: tempfile::TempDir, variables: &[(&str, String)]) -> Self {
        let manager = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        manager.set_read_timeout(Some(PATIENCE)).unwrap();
        let operations = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = operations.local_addr().unwrap();
        let script =
            "exec 3<&0 0</dev/null; LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=operations exec \"$@\"";
        let mut child = Command::new("sh")
            .args([
                "-c",
                script,
                "sh",
                CROSSWAY,
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--log",
                "warn",
                "--config",
            ])
            .arg(folder.path().join("crossway.yaml"))
            .env("NOTIFY_SOCKET", folder.path().join("notify"))
            .env("WATCHDOG_USEC", "30000000")
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::from(OwnedFd::from(operations)))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.split_whitespace().last().unwrap_or_default();
        let clients = url.strip_prefix("http://").and_then(|url| url.strip_suffix("/mcp"));
        let clients = clients.unwrap_or_else(|| panic!("no URL in {line:?}")).to_owned();
        Self { child, clients, operations: address, manager, folder }
    }

    /// What the manager is told next, but for signs of life.
    fn told(&self) -> String {
        loop {
            let mut buffer = [0; 4096];
            let length = self.manager.recv(&mut buffer).unwrap();
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if text != "WATCHDOG=1\n" {
                return text;
            }
        }
    }

    fn get(&self, path: &str) -> String {
        self.get_by(&self.operations.to_string(), path)
    }

    fn get_by(&self, host: &str, path: &str) -> String {
        let mut stream = TcpStream::connect(self.operations).unwrap();
        let head = format!("Host: {host}\r\nAuthorization: Bearer {KEY}\r\nConnection: close");
        write!(stream, "GET {path} HTTP/1.1\r\n{head}\r\n\r\n").unwrap();
        read(stream)
    }

    fn post(&self, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.clients).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let method = if body.contains("tools/list") { "tools/list" } else { "tools/call" };
        let name = if method == "tools/call" { "Mcp-Name: demo__slow\r\n" } else { "" };
        write!(
            stream,
            "POST /mcp HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nConnection: close\r\nAccept: \
             application/json, text/event-stream\r\nMCP-Protocol-Version: 2026-07-28\r\nMcp-Method: {method}\r\n\
             {name}traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nContent-Length: {}\r\n\r\n{body}",
            self.clients,
            body.len()
        )
        .unwrap();
        stream
    }

    fn list(&self) -> String {
        read(self.post(&list()))
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const META: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;

fn list() -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{{{META}}}}}"#)
}

/// Everybody may do what stands in the grant.
fn configure(folder: &Path, tools: &str) {
    configure_with(folder, tools, &format!("command: \"{CROSSWAY}\", args: [demo, --stdio]"));
}

fn configure_with(folder: &Path, tools: &str, server: &str) {
    configure_more(folder, tools, server, "");
}

fn configure_more(folder: &Path, tools: &str, server: &str, more: &str) {
    let text = format!(
        "{more}allow_hosts: [gateway]\noperations: {{ listen: \"127.0.0.1:9\", admin_key: {KEY} }}\n\
         identity: {{ proof: none }}\n\
         upstreams:\n  demo: {{ {server}, scope: shared }}\n\
         grants:\n  - {{ user: anonymous, upstream: demo, tools: [{tools}] }}\n"
    );
    fs::write(folder.join("new"), text).unwrap();
    fs::rename(folder.join("new"), folder.join("crossway.yaml")).unwrap();
}

#[test]
fn the_manager_and_probes_are_told_of_the_start_a_reload_and_the_end() {
    let mut gateway = Gateway::start(&[]);
    assert_eq!(gateway.told(), "READY=1\nSTATUS=serving 1 upstreams\n");
    let ready = gateway.get("/readyz");
    assert!(ready.starts_with("HTTP/1.1 200") && ready.contains(r#""upstreams":[{"name":"demo""#), "{ready}");
    let before = gateway.get("/metrics");
    let hash = |metrics: &str| {
        metrics.lines().find(|line| line.starts_with("crossway_config_info{")).unwrap().to_owned()
    };

    configure(gateway.folder.path(), "'echo'");
    gateway.signal("HUP");
    let told = gateway.told();
    assert!(told.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{told}");
    assert!(gateway.told().starts_with("READY=1\n"));
    let after = gateway.get("/metrics");
    assert!(after.contains(r#"crossway_config_reloads_total{result="ok"} 1"#), "{after}");
    assert_ne!(hash(&before), hash(&after));

    // Read again, and the same.
    gateway.signal("HUP");
    assert!(gateway.told().starts_with("RELOADING=1\n"));
    assert!(gateway.told().starts_with("READY=1\n"));
    let after = gateway.get("/metrics");
    for (result, count) in [("ok", 1), ("unchanged", 1)] {
        let line = format!(r#"crossway_config_reloads_total{{result="{result}"}} {count}"#);
        assert!(after.contains(&line), "{after}");
    }

    gateway.signal("TERM");
    assert!(gateway.told().starts_with("STOPPING=1\n"));
    assert_eq!(gateway.child.wait().unwrap().code(), Some(0));
}

#[test]
fn metrics_are_scraped_by_the_names_that_clients_call_by_and_by_no_others() {
    let gateway = Gateway::start(&[]);
    for host in ["gateway", "gateway:9808", "127.0.0.1:9808"] {
        assert!(gateway.get_by(host, "/metrics").starts_with("HTTP/1.1 200"), "{host}");
    }
    // As a page asks whose name was made to point here.
    assert!(gateway.get_by("rebound.example", "/metrics").starts_with("HTTP/1.1 403"));
}

#[test]
fn children_have_their_time_to_end() {
    let mut gateway = Gateway::start(&[]);
    assert!(gateway.told().starts_with("READY=1\n"));
    let ended = gateway.folder.path().join("ended");
    // It has something to do once its input is closed.
    let script = format!("'{CROSSWAY}' demo --stdio; sleep 0.5; touch '{}'", ended.display());
    let server = format!("command: sh, args: [-c, {}]", serde_json::json!(script));
    configure_with(gateway.folder.path(), "'*'", &server);
    gateway.signal("HUP");
    assert!(gateway.told().starts_with("RELOADING=1\n"));
    assert!(gateway.told().starts_with("READY=1\n"));
    assert!(gateway.list().contains(r#""demo__echo""#));
    gateway.signal("TERM");
    assert_eq!(gateway.child.wait().unwrap().code(), Some(0));
    assert!(ended.exists());
}

/// A pipe with a name that can be opened for writing from now on, and what keeps it so.
fn pipe(path: &Path) -> fs::File {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    fs::File::options().read(true).write(true).open(path).unwrap()
}

#[test]
fn a_config_that_changes_during_a_drain_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    // Its server starts when somebody asks for its tools, and answers when it may.
    let at = |name: &str| folder.path().join(name).display().to_string();
    let (mut asked, mut may) = (pipe(at("asked").as_ref()), pipe(at("may").as_ref()));
    let script =
        format!("echo 1 > '{}'; read -r _ < '{}'; exec '{CROSSWAY}' demo --stdio", at("asked"), at("may"));
    let server = format!("command: sh, args: [-c, {}]", serde_json::json!(script));
    configure_with(folder.path(), "'*'", &server);
    let mut gateway = Gateway::start_in(folder, &[]);
    assert!(gateway.told().starts_with("READY=1\n"));
    let list = gateway.post(&list());
    asked.read_exact(&mut [0; 2]).unwrap();
    gateway.signal("TERM");
    assert!(gateway.told().starts_with("STOPPING=1\n"));
    configure_with(gateway.folder.path(), "'echo'", &server);
    gateway.signal("HUP");
    may.write_all(b"1\n").unwrap();
    assert!(read(list).contains(r#""demo__slow""#));
    assert_eq!(gateway.child.wait().unwrap().code(), Some(0));
    gateway.manager.set_nonblocking(true).unwrap();
    let mut buffer = [0; 4096];
    while let Ok(length) = gateway.manager.recv(&mut buffer) {
        assert_eq!(String::from_utf8_lossy(&buffer[..length]), "WATCHDOG=1\n");
    }
}

#[test]
fn calls_that_are_answered_are_on_record_when_it_has_ended() {
    const CALLS: usize = 500;
    let folder = tempfile::tempdir().unwrap();
    // The records go into a pipe that nobody reads yet, and are more than it takes.
    let (audit, child) = (folder.path().join("audit"), folder.path().join("child"));
    let held = (pipe(&audit), pipe(&child));
    let script = format!("exec '{CROSSWAY}' demo --stdio 9>'{}'", child.display());
    let server = format!("command: sh, args: [-c, {}]", serde_json::json!(script));
    configure_more(folder.path(), "'*'", &server, &format!("audit: {{ file: '{}' }}\n", audit.display()));
    let mut gateway = Gateway::start_in(folder, &[]);
    for _ in 0..CALLS {
        assert!(gateway.list().contains(r#""demo__echo""#));
    }
    let (mut records, mut child) = (fs::File::open(audit).unwrap(), fs::File::open(child).unwrap());
    drop(held);
    gateway.signal("TERM");
    // Once the server has ended there is nothing but the records to wait for.
    child.read_to_end(&mut Vec::new()).unwrap();
    let mut text = String::new();
    records.read_to_string(&mut text).unwrap();
    let lines = text.lines().filter(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()).count();
    assert_eq!(lines, CALLS, "of {} bytes", text.len());
    assert_eq!(gateway.child.wait().unwrap().code(), Some(0));
}

/// A server with sessions (2025-11-25). The ends of those that were of use are the test's to answer.
fn server_with_sessions() -> (SocketAddr, mpsc::Receiver<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, ends) = mpsc::sync_channel(64);
    let used = Arc::<Mutex<HashSet<String>>>::default();
    let opened = Arc::<AtomicUsize>::default();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (sender, used, opened) = (sender.clone(), used.clone(), opened.clone());
            std::thread::spawn(move || serve_sessions(stream.unwrap(), &sender, &used, &opened));
        }
    });
    (address, ends)
}

fn serve_sessions(
    stream: TcpStream,
    ends: &mpsc::SyncSender<TcpStream>,
    used: &Mutex<HashSet<String>>,
    opened: &AtomicUsize,
) {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut head, mut length, mut session) = (String::new(), 0, String::new());
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            let lower = line.to_ascii_lowercase();
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if let Some(value) = lower.strip_prefix("mcp-session-id:") {
                session = value.trim().to_owned();
            }
            if line.trim().is_empty() {
                break;
            }
            head.push_str(&line);
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        let (mut status, mut more, mut result) = ("200 OK", String::new(), None);
        match body["method"].as_str() {
            _ if head.starts_with("DELETE") => {
                if used.lock().unwrap().contains(&session) {
                    ends.send(stream.get_ref().try_clone().unwrap()).unwrap();
                    continue;
                }
                status = "204 No Content";
            }
            Some("initialize") => {
                more = format!("Mcp-Session-Id: s{}\r\n", opened.fetch_add(1, Ordering::Relaxed));
                result = Some(serde_json::json!({
                    "protocolVersion": "2025-11-25", "capabilities": { "tools": {} },
                    "serverInfo": { "name": "sessions", "version": "1" },
                }));
            }
            Some("tools/list") => {
                used.lock().unwrap().insert(session);
                let tool = serde_json::json!({ "name": "echo", "inputSchema": { "type": "object" } });
                result = Some(serde_json::json!({ "tools": [tool] }));
            }
            Some("server/discover") => status = "400 Bad Request",
            Some(_) => status = "202 Accepted",
            None => status = "405 Method Not Allowed",
        }
        let answer = result.map(|result| {
            more.push_str("Content-Type: application/json\r\n");
            serde_json::json!({ "jsonrpc": "2.0", "id": body["id"], "result": result }).to_string()
        });
        let answer = answer.unwrap_or_default();
        let head = format!("HTTP/1.1 {status}\r\n{more}Content-Length: {}\r\n\r\n", answer.len());
        stream.get_mut().write_all((head + &answer).as_bytes()).unwrap();
    }
}

#[test]
fn sessions_with_a_server_at_a_url_are_ended_and_that_is_waited_for() {
    let (address, ends) = server_with_sessions();
    let folder = tempfile::tempdir().unwrap();
    configure_with(folder.path(), "'*'", &format!("url: 'http://{address}/mcp'"));
    let mut gateway = Gateway::start_in(folder, &[]);
    let list = gateway.list();
    assert!(list.contains(r#""demo__echo""#), "{list}");
    gateway.signal("TERM");
    let mut end = ends.recv_timeout(PATIENCE).unwrap();
    assert!(gateway.child.try_wait().unwrap().is_none(), "it waits for the answer");
    end.write_all(b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n").unwrap();
    assert_eq!(gateway.child.wait().unwrap().code(), Some(0));
}

#[test]
fn what_is_doubtful_in_a_changed_config_is_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("crossway.yaml");
    fs::write(&path, "identity: { proof: api-keys, keys: [] }\nupstreams: {}\n").unwrap();
    let mut command = Command::new(CROSSWAY);
    command.args(["serve", "--listen", "127.0.0.1:0", "--config"]).arg(&path);
    let mut serving = support::Serving::spawn(command.stderr(Stdio::piped()));
    let log = BufReader::new(serving.child.stderr.take().unwrap()).lines().map(Result::unwrap);
    fs::write(&path, "identity: { proof: none }\nupstreams: {}\n").unwrap();
    serving.signal("HUP");
    let lines: Vec<String> = log.take_while(|line| !line.contains("the config has changed")).collect();
    assert!(
        lines.iter().any(|line| line.contains("WARN") && line.contains("identity.proof is none")),
        "{lines:#?}"
    );
}

#[test]
fn a_key_that_waits_for_a_restart_shows() {
    let gateway = Gateway::start(&[]);
    assert!(gateway.told().starts_with("READY=1\n"));
    let waits = |is_it: u8| {
        let metrics = gateway.get("/metrics");
        assert!(metrics.contains(&format!("crossway_config_pending_restart {is_it}\n")), "{metrics}");
    };
    let server = format!("command: \"{CROSSWAY}\", args: [demo, --stdio]");
    waits(0);
    for (more, tools, is_it) in [
        ("limits: { sessions: 5 }\n", "'*'", 1),
        ("limits: { sessions: 5 }\n", "'echo'", 1),
        ("", "'echo'", 0),
    ] {
        configure_more(gateway.folder.path(), tools, &server, more);
        gateway.signal("HUP");
        assert!(gateway.told().starts_with("RELOADING=1\n"));
        assert!(gateway.told().starts_with("READY=1\n"));
        waits(is_it);
    }
}

#[test]
fn a_config_that_can_not_be_used_changes_nothing_and_shows() {
    let gateway = Gateway::start(&[]);
    assert!(gateway.told().starts_with("READY=1\n"));
    fs::write(gateway.folder.path().join("crossway.yaml"), "upstreams: [").unwrap();
    gateway.signal("HUP");
    // A reload ends for the manager too when it has failed.
    assert!(gateway.told().starts_with("RELOADING=1\n"));
    assert!(gateway.told().starts_with("READY=1\n"));
    let metrics = gateway.get("/metrics");
    assert!(metrics.contains("crossway_config_last_reload_successful 0"), "{metrics}");
    assert!(metrics.contains(r#"crossway_config_reloads_total{result="failed"} 1"#), "{metrics}");
    assert!(gateway.get("/readyz").starts_with("HTTP/1.1 200"));
    assert!(gateway.list().contains(r#""demo__echo""#));
}

/// Takes whole requests, and gives their paths and bodies.
fn collector() -> (SocketAddr, mpsc::Receiver<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, sent) = mpsc::sync_channel(64);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let (mut first, mut length) = (String::new(), 0);
            stream.read_line(&mut first).unwrap();
            loop {
                let mut line = String::new();
                stream.read_line(&mut line).unwrap();
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                if line.trim().is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).unwrap();
            stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
            let path = first.split(' ').nth(1).unwrap().to_owned();
            if sender.send((path, String::from_utf8(body).unwrap())).is_err() {
                return;
            }
        }
    });
    (address, sent)
}

#[test]
fn a_collector_gets_the_spans_of_calls_and_the_metrics_by_the_end() {
    let (address, sent) = collector();
    let mut gateway = Gateway::start(&[("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{address}"))]);
    assert!(gateway.list().contains(r#""demo__echo""#));
    gateway.signal("TERM");
    assert_eq!(gateway.child.wait().unwrap().code(), Some(0));
    let (path, spans) = sent.recv_timeout(PATIENCE).unwrap();
    assert_eq!(path, "/v1/traces");
    for text in [
        // The client's trace goes on, and its span is the parent.
        r#""traceId":"0af7651916cd43dd8448eb211c80319c""#,
        r#""parentSpanId":"b7ad6b7169203331""#,
        r#""stringValue":"tools/list""#,
    ] {
        assert!(spans.contains(text), "no {text} in {spans}");
    }
    let (path, metrics) = sent.recv_timeout(PATIENCE).unwrap();
    assert_eq!(path, "/v1/metrics");
    assert!(metrics.contains(r#""name":"crossway_upstream_state""#), "{metrics}");
}
