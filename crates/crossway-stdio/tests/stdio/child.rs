//! The child's side: an MCP server that misbehaves as it is told, by the methods it is asked for.

use std::io::{self, BufRead, Write};
use std::net::TcpStream;

use crossway_proto::{Limits, Message};
use crossway_service::{Scope, Upstream};
use crossway_stdio::{ServeOptions, Served};
use serde_json::{Value, json};

/// Runs in the child: the test binary is started anew with this script in its environment.
#[test]
#[ignore = "a program that the tests start"]
fn child() {
    let Ok(script) = std::env::var("CROSSWAY_TEST_SCRIPT") else { return };
    if let Ok(path) = std::env::var("CROSSWAY_TEST_STARTS") {
        let mut starts = std::fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
        writeln!(starts, "started").unwrap();
    }
    match script.as_str() {
        "exit-at-start" => {
            eprintln!("no configuration\n\tat start");
            std::process::exit(3);
        }
        "serve-stdio" => serve_stdio(),
        "linger" => linger(&std::env::var("CROSSWAY_TEST_PORT").unwrap()),
        script => Server::new(script).run(),
    }
    std::process::exit(0);
}

/// Serves an echo on this process's own stdin and stdout.
fn serve_stdio() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let upstream = crossway_testkit::Scripted::answering(|request: &Message| {
            let (id, params) = (request.id().unwrap(), request.params().unwrap());
            let params = std::str::from_utf8(params).unwrap();
            vec![format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{params}}}")]
        });
        let link = upstream.connect(Scope::Session);
        assert_eq!(crossway_stdio::serve_stdio(link, ServeOptions::default()).await.unwrap(), Served::Left);
    });
    println!("threads {}", std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count));
    runtime.shutdown_background();
}

/// Stays alive, which those at the other end of a connection can see.
fn linger(port: &str) -> ! {
    let _connection = connect(port);
    loop {
        std::thread::park();
    }
}

fn connect(port: &str) -> TcpStream {
    TcpStream::connect(("127.0.0.1", port.parse().unwrap())).unwrap()
}

struct Server<'a> {
    script: &'a str,
    requests: u64,
    cancelled: Vec<Value>,
    refusals: Vec<Value>,
    later: Option<Value>,
    grandchildren: Vec<std::process::Child>,
    out: io::Stdout,
}

impl<'a> Server<'a> {
    fn new(script: &'a str) -> Self {
        Self {
            script,
            requests: 0,
            cancelled: Vec::new(),
            refusals: Vec::new(),
            later: None,
            grandchildren: Vec::new(),
            out: io::stdout(),
        }
    }

    fn run(mut self) {
        let mut line = String::new();
        let mut input = io::stdin().lock();
        while input.read_line(&mut line).unwrap() > 0 {
            self.handle(line.trim_end_matches('\n'));
            line.clear();
        }
        if self.script == "flush-at-end" {
            self.write("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/bye\"}\n");
        }
    }

    fn handle(&mut self, line: &str) {
        // Large calls are not decoded, so that the tests measure others than this.
        if let Some(answer) = echo_of(line) {
            return self.write(&answer);
        }
        // Nor are odd ones, which serde_json does not all carry.
        let parsed = Message::parse(line.to_owned().into(), &Limits::default()).unwrap();
        if parsed.is_method("line") {
            let id = parsed.id().unwrap();
            return self.write(&format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{}}}\n", json!(line)));
        }
        let message: Value = serde_json::from_str(line).unwrap();
        let method = message["method"].as_str().unwrap_or_default();
        let (id, params) = (&message["id"], &message["params"]);
        if method == "notifications/cancelled" {
            self.cancelled.push(params["requestId"].clone());
        }
        if message.get("error").is_some() {
            self.refusals.push(message.clone());
        }
        if id.is_null() || method.is_empty() {
            return;
        }
        self.requests += 1;
        match (method, self.script) {
            ("server/discover", "exit-on-discover") => std::process::exit(9),
            ("server/discover", "silent-on-discover") => {}
            ("server/discover", "late") => {
                // Answers when the test lets it.
                let mut byte = [0];
                let _ =
                    io::Read::read(&mut connect(&std::env::var("CROSSWAY_TEST_PORT").unwrap()), &mut byte);
                self.answer(
                    id,
                    &json!({"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{}}),
                );
            }
            // Their first child ends, at once or when the test lets it, and their third is a modern one.
            ("server/discover", "crash-once" | "crash-once-then-late") if starts() == 1 => std::process::exit(9),
            ("server/discover", "crash-late-once") if starts() == 1 => crash_late(),
            ("initialize", "crash-once-then-late") if starts() == 2 => crash_late(),
            ("initialize", "crash-once") => self.write(&format!(
                "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"error\":{{\"code\":-32601,\"message\":\"no initialize\"}}}}\n"
            )),
            ("server/discover", "modern" | "crash-once" | "crash-late-once" | "crash-once-then-late") => {
                self.answer(
                    id,
                    &json!({"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{}}),
                );
            }
            ("initialize", _) => {
                let version = &params["protocolVersion"];
                let info = json!({"name":"child","version":"1"});
                self.answer(id, &json!({"protocolVersion":version,"capabilities":{},"serverInfo":info}));
            }
            _ => self.play(method, id, params),
        }
    }

    fn play(&mut self, method: &str, id: &Value, params: &Value) {
        match method {
            // The result is given as text, and written as it is.
            "result" => self.write(&format!(
                "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{}}}\n",
                params["text"].as_str().unwrap()
            )),
            // Lines as the test wants them; ID stands for the request's own.
            "say" => self.write(&params["text"].as_str().unwrap().replace("ID", &id.to_string())),
            "say-and-exit" => {
                self.write(&params["text"].as_str().unwrap().replace("ID", &id.to_string()));
                std::process::exit(0);
            }
            "exit" => {
                eprintln!("\u{1b}[31mpanic:\u{1b}[0m out of cheese");
                std::process::exit(params["status"].as_i64().unwrap_or(3) as i32);
            }
            "abort" => std::process::abort(),
            "environment" => {
                let names: Vec<_> = std::env::vars().map(|(name, _)| name).collect();
                self.answer(id, &json!(names));
            }
            "variable" => self.answer(id, &json!(std::env::var(params["name"].as_str().unwrap()).ok())),
            "directory" => self.answer(id, &json!(std::env::current_dir().unwrap())),
            "pid" => self.answer(id, &json!(std::process::id())),
            "requests" => {
                let requests = self.requests;
                self.answer(id, &json!(requests));
            }
            "refusals" => {
                let refusals = json!(self.refusals);
                self.answer(id, &refusals);
            }
            "silence" => self.later = Some(id.clone()),
            "answer-it" => {
                let silent = self.later.take();
                self.answer(&silent.unwrap(), &json!("late"));
                self.answer(id, &json!(self.cancelled));
            }
            "long" => {
                let text = "x".repeat(params["bytes"].as_u64().unwrap() as usize);
                let line = match params["id_at"].as_str().unwrap() {
                    "head" => format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":\"{text}\"}}\n"),
                    "tail" => format!("{{\"result\":\"{text}\",\"jsonrpc\":\"2.0\",\"id\":{id}}}\n"),
                    "middle" => format!("{{\"result\":\"{text}\",\"id\":{id},\"jsonrpc\":\"2.0\",\"x\":\"{text}\"}}\n"),
                    _ => format!("{text}\n"),
                };
                self.write(&line);
            }
            "grandchild" => {
                let grandchild = std::process::Command::new(std::env::current_exe().unwrap())
                    .args(crate::support::child_args())
                    .env("CROSSWAY_TEST_SCRIPT", "linger")
                    .env("CROSSWAY_TEST_PORT", params["port"].to_string())
                    .spawn();
                self.grandchildren.push(grandchild.unwrap());
                self.answer(id, &json!({}));
            }
            _ => self.write(&format!(
                "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"error\":{{\"code\":-32601,\"message\":\"Method not found\"}}}}\n"
            )),
        }
    }

    fn answer(&mut self, id: &Value, result: &Value) {
        self.write(&format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{result}}}\n"));
    }

    /// Blocks until all is written, as simple servers do: meanwhile nothing is read.
    fn write(&mut self, text: &str) {
        self.out.write_all(text.as_bytes()).unwrap();
        self.out.flush().unwrap();
    }
}

/// How often the upstream has been started, this time among them.
fn starts() -> usize {
    std::fs::read_to_string(std::env::var("CROSSWAY_TEST_STARTS").unwrap()).unwrap().lines().count()
}

/// Ends when the test lets it.
fn crash_late() {
    let _ = io::Read::read(&mut connect(&std::env::var("CROSSWAY_TEST_PORT").unwrap()), &mut [0]);
    std::process::exit(9);
}

/// The answer to `echo`, whose params come back as its result.
fn echo_of(line: &str) -> Option<String> {
    let rest = line.strip_prefix("{\"jsonrpc\":\"2.0\",\"id\":")?;
    let (id, rest) = rest.split_once(",\"method\":\"echo\",\"params\":")?;
    (id.len() < 20).then(|| format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{rest}\n"))
}
