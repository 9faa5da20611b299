//! What the tests share: the test binary itself as a child, and calls that read well.

use std::time::Duration;

use crossway_proto::Message;
use crossway_service::{Call, CallError, Context, Link, Origin, Reply};
use crossway_stdio::{Command, Options, StdioUpstream};
pub(crate) use crossway_testkit::message;
use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

/// How this binary is told to be a child. The test runner's own two lines on stdout are noise, as real servers make.
pub(crate) fn child_args() -> [&'static str; 5] {
    ["--exact", "--ignored", "child::child", "--nocapture", "--quiet"]
}

/// This test binary as a server that follows a script.
pub(crate) fn command(script: &str) -> Command {
    Command::new(std::env::current_exe().unwrap()).args(child_args()).env("CROSSWAY_TEST_SCRIPT", script)
}

/// Short waits, so that what has to time out does so soon; long ones where only a failure would wait.
pub(crate) fn options() -> Options {
    Options::default().with(|options| {
        options.close_wait = Duration::from_secs(20);
        options.term_wait = Duration::from_secs(20);
        options.probe_timeout = Duration::from_secs(20);
        options.restart_first = Duration::from_millis(20);
        options.restart_most = Duration::from_millis(40);
    })
}

pub(crate) fn upstream(script: &str) -> StdioUpstream {
    StdioUpstream::new(command(script), options())
}

/// Calls that come from one client.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) link: Link,
    pub(crate) origin: Origin,
}

impl Client {
    pub(crate) fn new(link: Link) -> Self {
        Self { link, origin: Origin::unique() }
    }

    pub(crate) fn send(&self, message: Message) -> Reply {
        self.link.call(Call::message(message, Context::new(self.origin, None)))
    }

    /// Asks, and does not wait.
    pub(crate) fn ask(&self, method: &str, params: &Value) -> Reply {
        let text = format!(r#"{{"jsonrpc":"2.0","id":"{method}","method":"{method}","params":{params}}}"#);
        self.send(message(text))
    }

    /// Asks, and gives what stands behind `"result":`.
    pub(crate) async fn call(&self, method: &str, params: Value) -> Result<Value, CallError> {
        let answer = answer(self.ask(method, &params)).await?;
        let answer: Value = serde_json::from_slice(&answer.to_bytes()).unwrap();
        assert_eq!(answer["id"], method, "{answer}");
        Ok(answer.get("result").unwrap_or(&answer["error"]).clone())
    }

    pub(crate) fn listen(&self) -> Reply {
        self.link.call(Call::listen(Context::new(self.origin, None)))
    }
}

/// The one answer of a reply, which has to end with it.
pub(crate) async fn answer(mut reply: Reply) -> Result<Message, CallError> {
    loop {
        let message = reply.next().await.expect("an answer")?;
        if message.is_response() {
            assert!(reply.next().await.is_none());
            return Ok(message);
        }
    }
}

/// A process that can be seen to live.
pub(crate) struct Lifeline(TcpStream);

pub(crate) struct Lifelines(TcpListener);

impl Lifelines {
    pub(crate) async fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub(crate) fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    /// Waits for a process to come to life.
    pub(crate) async fn accept(&self) -> Lifeline {
        Lifeline(self.0.accept().await.unwrap().0)
    }
}

impl Lifeline {
    /// Waits until the process is gone.
    pub(crate) async fn cut_off(mut self) {
        // A process that is killed may leave a reset instead of an end.
        assert!(matches!(self.0.read(&mut [0]).await, Ok(0) | Err(_)));
    }

    pub(crate) fn cut(self) {}
}
