//! What is logged of a child, and what is not.

use std::io::Write;
use std::sync::{Arc, Mutex};

use crossway_service::{Scope, Upstream};
use crossway_stdio::{Command, StdioUpstream};
use serde_json::json;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;

use crate::support::{Client, options, upstream};

/// All that this thread logs, as JSON lines.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn capture() -> (Self, DefaultGuard) {
        let log = Self::default();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .with_max_level(tracing::Level::TRACE)
            .with_writer(log.clone())
            .finish();
        let guard = tracing::subscriber::set_default(subscriber);
        (log, guard)
    }

    /// The events about what a child says: level and fields.
    fn of_child(&self) -> Vec<(String, serde_json::Value)> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let events = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let of_child = events.filter(|event| event["target"] == "crossway::child");
        of_child.map(|event| (event["level"].as_str().unwrap().to_owned(), event["fields"].clone())).collect()
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn what_a_child_says_on_stderr_is_logged_line_by_line() {
    let (log, _guard) = Log::capture();
    let script = "echo one >&2; printf '\\033[31mtwo\\033[0m\\r\\n' >&2; printf three >&2";
    let command = Command::new("sh").args(["-c", script]).named("wiki").for_tenant("acme");
    let upstream = StdioUpstream::new(command, options());
    let client = Client::new(upstream.connect(Scope::Session));
    assert!(client.call("pid", json!({})).await.is_err());
    let started = log.text().lines().find(|line| line.contains("was started")).map(str::to_owned).unwrap();
    assert!(started.contains(r#""tenant":"acme""#), "{started}");
    let lines: Vec<_> = log.of_child();
    let texts: Vec<_> =
        lines.iter().map(|(level, fields)| (level.as_str(), fields["message"].as_str().unwrap())).collect();
    assert_eq!(texts, [("INFO", "one"), ("INFO", "two"), ("INFO", "three")]);
    assert!(lines[0].1["pid"].is_u64());
    assert!(
        lines.iter().all(|(_, fields)| fields["upstream"] == "wiki" && fields["tenant"] == "acme"),
        "{lines:?}"
    );
}

#[tokio::test]
async fn noise_is_logged_in_part_now_and_then_and_never_what_looks_like_a_message() {
    let (log, _guard) = Log::capture();
    let client = Client::new(upstream("legacy").connect(Scope::Session));
    let noise = format!("{}\n{{\"secret\":\"hunter2\"}}\n", "Loading... ".repeat(100)).repeat(500);
    let text = format!("{noise}{{\"jsonrpc\":\"2.0\",\"id\":ID,\"result\":1}}\n");
    assert_eq!(client.call("say", json!({ "text": text })).await.unwrap(), 1);
    let lines = log.of_child();
    // The first eight, then 16, 32 and so on up to 1,001, of which the first is the test runner's.
    assert_eq!(lines.len(), 8 + 6);
    assert_eq!(lines.last().unwrap().1["count"], 512);
    assert!(
        lines.iter().all(|(level, fields)| level == "WARN" && fields["text"].as_str().unwrap().len() <= 120)
    );
    assert!(lines.iter().any(|(_, fields)| fields["text"].as_str().unwrap().starts_with("Loading...")));
    assert!(!log.text().contains("hunter2"));
}

#[tokio::test]
async fn neither_arguments_nor_values_nor_messages_are_logged() {
    let (log, _guard) = Log::capture();
    let command = crate::support::command("legacy").env("API_KEY", "hunter2");
    let client = Client::new(StdioUpstream::new(command, options()).connect(Scope::Session));
    assert!(client.call("pid", json!({ "password": "hunter2" })).await.is_ok());
    assert!(client.call("exit", json!({})).await.is_err());
    client.link.close().await;
    let text = log.text();
    assert!(text.contains("an MCP server has ended"), "{text}");
    assert!(!text.contains("hunter2") && !text.contains("--nocapture"), "{text}");
}

#[tokio::test]
async fn the_end_of_a_sessions_child_is_a_warning_unless_it_was_asked_for() {
    let (log, _guard) = Log::capture();
    let command = || crate::support::command("legacy").named("wiki");
    let client = Client::new(StdioUpstream::new(command(), options()).connect(Scope::Session));
    assert!(client.call("pid", json!({})).await.is_ok());
    client.link.close().await;
    let warnings = || -> Vec<_> {
        let text = log.text();
        let lines = text.lines().filter(|line| line.contains("WARN") && line.contains("child::keep"));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(warnings(), [""; 0]);
    let client = Client::new(StdioUpstream::new(command(), options()).connect(Scope::Session));
    assert!(client.call("exit", json!({})).await.is_err());
    let nowhere = Command::new("crossway-no-such-command");
    let client = Client::new(StdioUpstream::new(nowhere, options()).connect(Scope::Session));
    assert!(client.call("pid", json!({})).await.is_err());
    let warnings = warnings();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].contains("has ended by itself") && warnings[0].contains("wiki"), "{warnings:?}");
    assert!(warnings[1].contains("can't be started"), "{warnings:?}");
}
