//! The floor: the smallest hyper program that bridges a stdio server to Streamable HTTP.
//!
//! One child per session, started at `initialize`; ids are spliced so that answers find their calls; answers go out as `application/json`.
//! The floor checks nothing, bounds nothing, drops everything but answers and restarts no child: it shows what the work itself costs, not
//! what a bridge should be.

use std::collections::HashMap;
use std::convert::Infallible;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use bytes::Bytes;
use clap::Parser;
use http::{HeaderValue, Method, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::oneshot;

/// Bridges a stdio server to Streamable HTTP with as little work as hyper allows.
#[derive(Parser)]
#[command(name = "crossway-floor", version)]
struct Cli {
    /// The address to listen on; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDR")]
    listen: String,
    /// The server's command and its arguments.
    #[arg(required = true, last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    method: Option<&'a RawValue>,
}

/// Calls in flight by id: the client's id, and the sender to the waiting request.
type Waiting = HashMap<u64, (Box<RawValue>, oneshot::Sender<Bytes>)>;

struct Session {
    stdin: tokio::sync::Mutex<ChildStdin>,
    waiting: Mutex<Waiting>,
    next_id: AtomicU64,
    _child: Child,
}

struct Floor {
    command: Vec<String>,
    sessions: Mutex<HashMap<String, Arc<Session>>>,
    next_session: AtomicU64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let listener = tokio::net::TcpListener::bind(&cli.listen).await?;
    println_url(&listener)?;
    let floor = Floor { command: cli.command, sessions: Mutex::default(), next_session: AtomicU64::new(1) };
    let floor = Arc::new(floor);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let floor = floor.clone();
        let service =
            service_fn(move |request| {
                let floor = floor.clone();
                async move {
                    Ok::<_, Infallible>(floor.handle(request).await.unwrap_or_else(|error| {
                        respond(StatusCode::BAD_GATEWAY, format!("{error:#}").into())
                    }))
                }
            });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

impl Floor {
    async fn handle(&self, request: Request<Incoming>) -> anyhow::Result<Response<Full<Bytes>>> {
        let named =
            request.headers().get("mcp-session-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
        match *request.method() {
            Method::POST => {}
            Method::DELETE => {
                let ended = named.and_then(|id| lock(&self.sessions).remove(&id));
                let status = if ended.is_some() { StatusCode::OK } else { StatusCode::NOT_FOUND };
                return Ok(respond(status, Bytes::new()));
            }
            _ => return Ok(respond(StatusCode::METHOD_NOT_ALLOWED, Bytes::new())),
        }
        let body = request.into_body().collect().await?.to_bytes();
        let envelope: Envelope<'_> = serde_json::from_slice(&body)?;
        let begins = envelope.method.is_some_and(|method| method.get() == "\"initialize\"");
        let id = if begins { self.begin_session()? } else { named.context("no session is named")? };
        let Some(session) = lock(&self.sessions).get(&id).cloned() else {
            return Ok(respond(StatusCode::NOT_FOUND, Bytes::new()));
        };
        let Some(call_id) = envelope.id.filter(|_| envelope.method.is_some()) else {
            session.send([&body[..], b"\n"].concat()).await?;
            return Ok(respond(StatusCode::ACCEPTED, Bytes::new()));
        };
        let answer = session.call(&body, call_id).await?;
        let mut response = respond(StatusCode::OK, answer);
        if begins {
            response.headers_mut().insert("mcp-session-id", id.try_into()?);
        }
        Ok(response)
    }

    fn begin_session(&self) -> anyhow::Result<String> {
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().with_context(|| format!("could not start {}", self.command[0]))?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let session = Arc::new(Session {
            stdin: stdin.context("no stdin")?.into(),
            waiting: Mutex::default(),
            next_id: AtomicU64::new(1),
            _child: child,
        });
        tokio::spawn(read_answers(stdout.context("no stdout")?, Arc::downgrade(&session)));
        let id = format!("session-{}", self.next_session.fetch_add(1, Ordering::Relaxed));
        lock(&self.sessions).insert(id.clone(), session);
        Ok(id)
    }
}

impl Session {
    async fn call(&self, body: &[u8], id: &RawValue) -> anyhow::Result<Bytes> {
        let number = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        lock(&self.waiting).insert(number, (id.to_owned(), sender));
        let mut line = splice(body, id, &number.to_string());
        line.push(b'\n');
        self.send(line).await?;
        answer.await.context("the server ended")
    }

    async fn send(&self, line: Vec<u8>) -> std::io::Result<()> {
        self.stdin.lock().await.write_all(&line).await
    }
}

/// Delivers each answer to the call that waits for it; other messages of the server are dropped.
async fn read_answers(stdout: ChildStdout, session: std::sync::Weak<Session>) -> anyhow::Result<()> {
    let mut stdout = BufReader::with_capacity(64 * 1024, stdout);
    let mut line = Vec::new();
    while stdout.read_until(b'\n', &mut line).await? > 0 {
        if let (Ok(envelope), Some(session)) =
            (serde_json::from_slice::<Envelope<'_>>(&line), session.upgrade())
            && let Some(raw) = envelope.id
            && let Ok(number) = raw.get().parse()
            && let Some((id, sender)) = lock(&session.waiting).remove(&number)
        {
            let _ = sender.send(splice(&line, raw, id.get()).into());
        }
        line.clear();
    }
    // Dropping the senders notifies the calls that still wait.
    if let Some(session) = session.upgrade() {
        lock(&session.waiting).clear();
    }
    Ok(())
}

/// Returns `text` with its part `old` replaced by `new`.
fn splice(text: &[u8], old: &RawValue, new: &str) -> Vec<u8> {
    let start = old.get().as_ptr() as usize - text.as_ptr() as usize;
    let end = start + old.get().len();
    // Room for a line feed behind it.
    let mut spliced = Vec::with_capacity(text.len() + new.len() + 1);
    spliced.extend_from_slice(&text[..start]);
    spliced.extend_from_slice(new.as_bytes());
    spliced.extend_from_slice(&text[end..]);
    spliced
}

fn respond(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn println_url(listener: &tokio::net::TcpListener) -> anyhow::Result<()> {
    use std::io::Write as _;
    Ok(writeln!(std::io::stdout(), "listening on http://{}/mcp", listener.local_addr()?)?)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
