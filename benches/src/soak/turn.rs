//! A turn of a user's chat, with Open WebUI's requests.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use smallvec::smallvec;

use super::check::{Fault, Response, check_marks, mark, response, text_of};
use super::plan::{Server, User};
use super::site::Shared;
use super::slow::read_slowly;
use crate::body::{Slices, read_whole};
use crate::limits::{MAX_MESSAGE, MAX_REFUSAL};
use crate::load::{Client, read_body};
use crate::sse::Decoder;

/// The time after which an answer counts as lost: longer than any wait within the gateway.
const LOST_AFTER: Duration = Duration::from_secs(60);

/// The time from which a list may lack a server with an unknown list: the gateway waits 5 s for such a server, which happens on a busy
/// machine.
const LIST_WAIT: Duration = Duration::from_millis(4500);

/// The lifetime of a signed user token, as in Open WebUI.
const STATEMENT_LIFE: Duration = Duration::from_secs(300);

/// The revision of clients without a handshake.
const MODERN: &str = "2026-07-28";
/// The revision of clients with a handshake.
const LEGACY: &str = "2025-11-25";

/// The length of answers that are read slowly, in bytes.
const SLOW_TEXT: usize = 1024 * 1024;

const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");

/// A turn in progress.
pub(crate) struct Turn<'a> {
    shared: &'a Shared,
    user: User,
    client: Client,
    headers: HeaderMap,
    is_modern: bool,
    next_id: u64,
}

/// A request's result: its HTTP status and body, when it was sent and when it was complete.
struct Came {
    status: StatusCode,
    body: Bytes,
    session: Option<HeaderValue>,
    start: Instant,
    end: Instant,
}

impl<'a> Turn<'a> {
    /// The turn of a user.
    pub(crate) fn new(shared: &'a Shared, user: User) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        headers.extend(shared.open_webui.headers(&user.email(), user.role(), STATEMENT_LIFE));
        let chat = HeaderValue::from(shared.next.fetch_add(1, Ordering::Relaxed));
        headers.insert("x-openwebui-chat-id", chat);
        let client = Client::new(&shared.address);
        Self { shared, user, client, headers, is_modern: false, next_id: 1 }
    }

    /// Makes the turn. A third of the users have clients that speak 2026-07-28.
    ///
    /// # Errors
    ///
    /// The first fault, which ends the turn.
    pub(crate) async fn run(mut self) -> Result<(), Fault> {
        self.is_modern = self.user.number.is_multiple_of(3);
        self.discover().await?;
        if self.is_modern {
            self.list().await?;
            self.calls().await?;
            self.shared.tally().counts.turns += 1;
            return Ok(());
        }
        self.initialize().await?;
        let stream = tokio::spawn(listen(self.stream().await?, self.user.tenant));
        self.list().await?;
        self.calls().await?;
        let came = self.send(Method::DELETE, None).await?;
        expect(&came, &[StatusCode::OK, StatusCode::NO_CONTENT])?;
        // The stream ends with its session.
        match tokio::time::timeout(LOST_AFTER, stream).await {
            Ok(Ok(notified)) => {
                let notified = notified?;
                let counts = &mut self.shared.tally().counts;
                counts.streams += 1;
                counts.notified += notified;
                counts.turns += 1;
                Ok(())
            }
            _ => Err(Fault::Lost("the stream did not end with its session".to_owned())),
        }
    }

    /// Asks the gateway for the modern revision first, which it supports.
    async fn discover(&mut self) -> Result<(), Fault> {
        let was_modern = std::mem::replace(&mut self.is_modern, true);
        let (result, _) = self.ask("server/discover", None, json!({})).await?;
        self.is_modern = was_modern;
        match result {
            Response::Result(result) if result["supportedVersions"].to_string().contains(MODERN) => Ok(()),
            other => Err(Fault::Failed(format!("server/discover: {other:?}"))),
        }
    }

    async fn initialize(&mut self) -> Result<(), Fault> {
        let params = json!({ "protocolVersion": LEGACY, "capabilities": {}, "clientInfo": { "name": "mcp", "version": "0.1.0" } });
        let (result, came) = self.ask("initialize", None, params).await?;
        let Response::Result(result) = result else {
            return Err(Fault::Failed(format!("initialize: {result:?}")));
        };
        if result["protocolVersion"] != LEGACY {
            return Err(Fault::Wrong(format!("initialize: {result}")));
        }
        let session = came.session.ok_or_else(|| Fault::Wrong("there is no session".to_owned()))?;
        self.headers.insert(SESSION_ID, session);
        self.headers.insert(VERSION, HeaderValue::from_static(LEGACY));
        let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        let came = self.send(Method::POST, Some(initialized.to_string())).await?;
        expect(&came, &[StatusCode::ACCEPTED])
    }

    /// Opens the stream of server messages, on its own connection.
    async fn stream(&self) -> Result<(Client, hyper::body::Incoming), Fault> {
        let mut headers = self.headers.clone();
        headers.remove(CONTENT_TYPE);
        let mut client = Client::new(&self.shared.address);
        let opened = client.send(Method::GET, self.shared.address.path(), headers, Slices::new()).await;
        let opened = opened.map_err(|error| Fault::Lost(format!("GET: {error}")))?;
        if opened.status() != StatusCode::OK {
            return Err(Fault::Failed(format!("GET: {}", opened.status())));
        }
        Ok((client, opened.into_body()))
    }

    /// Lists the tools, and checks the list against the rights.
    async fn list(&mut self) -> Result<(), Fault> {
        let (mut names, mut cursor, mut from) = (BTreeSet::new(), None, None);
        let end = loop {
            let params = cursor.take().map_or_else(|| json!({}), |cursor: Value| json!({ "cursor": cursor }));
            let (result, came) = self.ask("tools/list", None, params).await?;
            let start = *from.get_or_insert(came.start);
            let Response::Result(mut result) = result else {
                return Err(Fault::Failed(format!("tools/list: {result:?}")));
            };
            for tool in result["tools"].as_array().into_iter().flatten() {
                let name = tool["name"].as_str().unwrap_or_default().to_owned();
                if !names.insert(name) {
                    return Err(Fault::Wrong(format!("a tool is listed twice: {tool}")));
                }
            }
            match result["nextCursor"].take() {
                Value::Null => {
                    self.shared.tally().lists.record(came.end - start);
                    break came.end;
                }
                next => cursor = Some(next),
            }
        };
        let start = from.unwrap_or(end);
        let is_late = end - start >= LIST_WAIT;
        if is_late {
            // It is not known which server was slow; the next lists may lack it for a moment.
            let mut truth = self.shared.truth();
            Server::ALL.into_iter().for_each(|server| truth.was_slow(server, end));
        }
        let is_partial = self.hold(&names, start, end)?;
        let counts = &mut self.shared.tally().counts;
        counts.lists += 1;
        counts.late += u64::from(is_late);
        counts.partial += u64::from(is_partial);
        Ok(())
    }

    /// Checks a list. Returns whether it lacks a killed server.
    fn hold(&self, names: &BTreeSet<String>, start: Instant, end: Instant) -> Result<bool, Fault> {
        let truth = self.shared.truth();
        let dead: Vec<&str> = Server::ALL
            .into_iter()
            .filter(|server| truth.may_be_missing(*server, start, end))
            .map(Server::name)
            .collect();
        let mut closest: Option<String> = None;
        for generation in truth.configs(start, end) {
            let granted = self.shared.plan.granted(generation, self.user);
            let more: Vec<_> = names.difference(&granted).collect();
            let less: Vec<_> = granted.difference(names).collect();
            let is_explained =
                |name: &&&String| dead.iter().any(|dead| name.split("__").next() == Some(dead));
            if more.is_empty() && less.iter().all(|name| is_explained(&name)) {
                return Ok(!less.is_empty());
            }
            closest = Some(format!("config {generation}: more {more:?}, less {less:?}"));
        }
        // A tool of another tenant is the worst fault.
        let own = format!("tool_{}", self.user.tenant);
        let foreign =
            names.iter().any(|name| name.contains("__tool_") && !name.ends_with(&format!("__{own}")));
        let why = format!("the list of {:?}: {}", self.user, closest.unwrap_or_default());
        Err(if foreign { Fault::Across(why) } else { Fault::Wrong(why) })
    }

    async fn calls(&mut self) -> Result<(), Fault> {
        for _ in 0..fastrand::usize(1..=3) {
            let server = Server::ALL[fastrand::usize(..Server::ALL.len())];
            match fastrand::u8(..100) {
                0..5 => self.call_denied(server).await?,
                5 => self.call_slowly().await?,
                6 => self.vanish(server).await?,
                7..40 => self.call(server, "echo").await?,
                _ => self.call(server, "whoami").await?,
            }
        }
        Ok(())
    }

    /// Calls a granted tool, unless the whole server is denied.
    async fn call(&mut self, server: Server, tool: &str) -> Result<(), Fault> {
        let name = format!("{}__{tool}", server.name());
        let text = self.text();
        let params = json!({ "name": name, "arguments": { "message": text } });
        let (answer, came) = self.ask("tools/call", Some(&name), params).await?;
        let (is_granted, is_denied) = {
            let truth = self.shared.truth();
            let configs = truth.configs(came.start, came.end);
            let granted =
                configs.iter().map(|config| self.shared.plan.granted(*config, self.user).contains(&name));
            let granted: Vec<bool> = granted.collect();
            (granted.contains(&true), granted.contains(&false))
        };
        match answer {
            Response::Result(result) if is_granted => {
                let said = text_of(&result).unwrap_or_default();
                let expected: Vec<String> = match tool {
                    "whoami" => self
                        .secrets(server, &came)
                        .into_iter()
                        .map(|secret| format!("{text} {secret}"))
                        .collect(),
                    _ => vec![text],
                };
                if !expected.iter().any(|expected| expected == said) {
                    return Err(Fault::Wrong(format!(
                        "{name} of {:?}: {result}, not {expected:?}",
                        self.user
                    )));
                }
                let mut tally = self.shared.tally();
                tally.counts.right += 1;
                if !self.shared.truth().was_killed(server, came.start, came.end) {
                    tally.calls.record(came.end - came.start);
                }
                Ok(())
            }
            Response::Error { message, .. } if is_denied && message.starts_with("Unknown tool") => {
                self.shared.tally().counts.denied += 1;
                Ok(())
            }
            Response::Error { outcome: Some(_), .. }
                if self.shared.truth().was_killed(server, came.start, came.end) =>
            {
                self.shared.tally().counts.told += 1;
                Ok(())
            }
            Response::Error { .. } => Err(Fault::Failed(format!("{name}: {answer:?}"))),
            Response::Result(_) => {
                Err(Fault::Wrong(format!("{name} of {:?} is denied: {answer:?}", self.user)))
            }
        }
    }

    /// The secrets that the server may have got.
    fn secrets(&self, server: Server, came: &Came) -> Vec<String> {
        let holder = self.shared.holder(server, self.user);
        let versions = self.shared.truth().secrets(holder, came.start, came.end);
        versions.into_iter().map(|version| self.shared.secret(holder, self.user.tenant, version)).collect()
    }

    /// Calls another tenant's tool.
    async fn call_denied(&mut self, server: Server) -> Result<(), Fault> {
        let other =
            (self.user.tenant + fastrand::usize(1..self.shared.plan.tenants)) % self.shared.plan.tenants;
        let name = format!("{}__tool_{other}", server.name());
        let params = json!({ "name": name, "arguments": { "message": self.text() } });
        let (answer, _) = self.ask("tools/call", Some(&name), params).await?;
        match answer {
            Response::Error { message, .. } if message == format!("Unknown tool: {name}") => {
                self.shared.tally().counts.denied += 1;
                Ok(())
            }
            Response::Result(_) => Err(Fault::Across(format!("{:?} has called {name}", self.user))),
            // The server has the tool, but it does nothing: an error of the server shows that it was reached.
            Response::Error { message, .. } if message.contains("echo server") => {
                Err(Fault::Across(format!("{:?} has reached {name}", self.user)))
            }
            error => Err(Fault::Failed(format!("{name}: {error:?}"))),
        }
    }

    /// Reads a long answer slowly, which must not delay anyone else.
    async fn call_slowly(&mut self) -> Result<(), Fault> {
        let id = self.id();
        let text = format!("{}{}", self.text(), "slow ".repeat(SLOW_TEXT / 5));
        let name = "wiki__echo";
        let params = json!({ "name": name, "arguments": { "message": text } });
        let (headers, request) = self.request(id, "tools/call", Some(name), params);
        let start = Instant::now();
        let read = read_slowly(&self.shared.address, &headers, request.as_bytes());
        let body = match tokio::time::timeout(LOST_AFTER, read).await {
            Ok(Ok(body)) => body,
            Ok(Err(error)) => return Err(Fault::Lost(format!("read slowly: {error}"))),
            Err(_) => return Err(Fault::Lost("read slowly: not in time".to_owned())),
        };
        check_marks(&body, self.user.tenant)?;
        let was_killed = self.shared.truth().was_killed(Server::Wiki, start, Instant::now());
        match response(&body, id)? {
            Response::Result(result) if text_of(&result) == Some(&text) => {
                self.shared.tally().counts.slow += 1;
                Ok(())
            }
            Response::Error { outcome: Some(_), .. } if was_killed => {
                self.shared.tally().counts.told += 1;
                Ok(())
            }
            Response::Error { code, message, .. } => {
                Err(Fault::Failed(format!("read slowly: {code} {message}")))
            }
            Response::Result(_) => Err(Fault::Wrong("read slowly: another text".to_owned())),
        }
    }

    /// Disconnects in the middle of a call, and continues on another connection.
    async fn vanish(&mut self, server: Server) -> Result<(), Fault> {
        let id = self.id();
        let name = format!("{}__echo", server.name());
        let params = json!({ "name": name, "arguments": { "message": self.text() } });
        let (headers, request) = self.request(id, "tools/call", Some(&name), params);
        let path = self.shared.address.path();
        let sent = self.client.send(Method::POST, path, headers, smallvec![request.into()]);
        // Chance decides whether it was sent, answered or neither.
        let _ = tokio::time::timeout(Duration::from_micros(fastrand::u64(..2000)), sent).await;
        self.client = Client::new(&self.shared.address);
        self.shared.tally().counts.vanished += 1;
        Ok(())
    }

    /// A unique text.
    fn text(&self) -> String {
        let number = self.shared.next.fetch_add(1, Ordering::Relaxed);
        format!("{}user {} asks {number}", mark(self.user.tenant), self.user.number)
    }

    fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    fn request(&self, id: u64, method: &str, name: Option<&str>, mut params: Value) -> (HeaderMap, String) {
        let mut headers = self.headers.clone();
        if self.is_modern {
            headers.insert(VERSION, HeaderValue::from_static(MODERN));
            for (header, value) in [("mcp-method", Some(method)), ("mcp-name", name)] {
                headers.extend(
                    value
                        .and_then(|value| HeaderValue::try_from(value).ok())
                        .map(|value| (HeaderName::from_static(header), value)),
                );
            }
            params["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": MODERN,
                "io.modelcontextprotocol/clientCapabilities": {},
                "io.modelcontextprotocol/clientInfo": { "name": "mcp", "version": "0.1.0" },
            });
        }
        let request = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        (headers, request.to_string())
    }

    /// Makes a request, and returns its response.
    async fn ask(
        &mut self,
        method: &str,
        name: Option<&str>,
        params: Value,
    ) -> Result<(Response, Came), Fault> {
        let id = self.id();
        let (headers, request) = self.request(id, method, name, params);
        let came = self.exchange(Method::POST, headers, Some(request), id).await?;
        let answer = response(&came.body, id).map_err(|fault| match fault {
            Fault::Wrong(why) if !came.status.is_success() => {
                Fault::Failed(format!("{}: {why}", came.status))
            }
            fault => fault,
        })?;
        Ok((answer, came))
    }

    async fn send(&mut self, method: Method, body: Option<String>) -> Result<Came, Fault> {
        self.exchange(method, self.headers.clone(), body, 0).await
    }

    async fn exchange(
        &mut self,
        method: Method,
        headers: HeaderMap,
        body: Option<String>,
        id: u64,
    ) -> Result<Came, Fault> {
        let body: Slices = body.map(Bytes::from).into_iter().collect();
        let start = Instant::now();
        let exchange = async {
            let path = self.shared.address.path();
            let answered = self.client.send(method.clone(), path, headers, body).await?;
            let status = answered.status();
            let session = answered.headers().get(SESSION_ID).cloned();
            let body = if status.is_success() && id != 0 {
                read_body(answered, id).await?
            } else {
                let read = read_whole(answered.into_body(), MAX_REFUSAL.min(MAX_MESSAGE)).await;
                read.map_err(|error| crate::load::Fault::lost("the answer broke off", &error))?
            };
            Ok::<_, crate::load::Fault>((status, session, body))
        };
        let exchanged = tokio::time::timeout(LOST_AFTER, exchange).await;
        let end = Instant::now();
        let (status, session, body) = match exchanged {
            Ok(Ok(exchanged)) => exchanged,
            Ok(Err(crate::load::Fault::Wrong(why))) => return Err(Fault::Wrong(why)),
            Ok(Err(fault)) => return Err(Fault::Lost(fault.to_string())),
            Err(_) => return Err(Fault::Lost(format!("no answer within {} s", LOST_AFTER.as_secs()))),
        };
        self.shared.tally().counts.requests += 1;
        check_marks(&body, self.user.tenant)?;
        Ok(Came { status, body, session, start, end })
    }
}

fn expect(came: &Came, statuses: &[StatusCode]) -> Result<(), Fault> {
    if statuses.contains(&came.status) {
        return Ok(());
    }
    Err(Fault::Failed(format!("{}: {}", came.status, String::from_utf8_lossy(&came.body))))
}

/// Reads a stream of server messages to its end. Returns their number.
async fn listen((_client, mut body): (Client, hyper::body::Incoming), tenant: usize) -> Result<u64, Fault> {
    let (mut decoder, mut notified) = (Decoder::default(), 0);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Fault::Lost(format!("the stream broke off: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        decoder.push(&data);
        while let Some(event) = decoder.next().map_err(|error| Fault::Wrong(error.to_string()))? {
            if event.data.is_empty() {
                continue;
            }
            check_marks(&event.data, tenant)?;
            let message: Value = serde_json::from_slice(&event.data).unwrap_or_default();
            match message["method"].as_str() {
                Some(
                    "notifications/tools/list_changed"
                    | "notifications/prompts/list_changed"
                    | "notifications/resources/list_changed",
                ) => notified += 1,
                _ => return Err(Fault::Wrong(format!("on the stream: {message}"))),
            }
        }
    }
    Ok(notified)
}
