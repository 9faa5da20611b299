//! A server of one revision, which does what its calls say.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use crossway_proto::{Message, Revision};
use crossway_testkit::sim::{Arrived, ServerEnd, Way};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::sleep;

use crate::knows::strange_to_server;
use crate::modern_server;
use crate::world::World;

/// A server's whole process.
#[derive(Clone)]
pub(crate) struct Host {
    pub(crate) revision: Revision,
    pub(crate) world: Arc<World>,
}

impl Host {
    /// Serves a connection.
    pub(crate) fn serve(&self, end: ServerEnd) {
        let host = self.clone();
        tokio::spawn(async move {
            if host.revision.is_modern() {
                modern_server::serve(host, end).await
            } else {
                serve(host, end).await
            }
        });
    }
}

pub(crate) fn value(message: &Message) -> Value {
    serde_json::from_slice(&message.to_bytes()).unwrap()
}

/// The id as it was written.
pub(crate) fn id_text(message: &Message) -> String {
    message.id().map(|id| String::from_utf8(id.as_json().to_vec()).unwrap()).unwrap_or_default()
}

/// The progress token as it was written.
pub(crate) fn token_text(request: &Message) -> Option<String> {
    request.progress_token().map(|token| String::from_utf8(token.as_json().to_vec()).unwrap())
}

pub(crate) fn answer(way: &Way, id: &str, result: &Value) {
    way.send(&format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#));
}

pub(crate) fn fail(way: &Way, id: &str, code: i64, data: &Value) {
    let error = json!({ "code": code, "message": "the server says no", "data": data });
    way.send(&format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#));
}

/// One legacy session.
struct Session {
    host: Host,
    state: Mutex<State>,
    end: Box<dyn Fn() + Send + Sync>,
}

struct State {
    revision: Revision,
    capabilities: Value,
    /// Where what belongs to no call goes.
    standing: Option<Way>,
    next_question: u64,
    questions: HashMap<String, oneshot::Sender<Value>>,
    /// The calls in flight: their progress tokens by their ids.
    in_flight: HashMap<String, Value>,
    calls: HashMap<String, AbortHandle>,
    subscribed: HashSet<String>,
    /// The ids of all requests that there were.
    used: HashSet<String>,
}

async fn serve(host: Host, mut end: ServerEnd) {
    let cut = end.cutter();
    let state = State {
        revision: host.revision,
        capabilities: Value::Null,
        standing: None,
        next_question: 0,
        questions: HashMap::new(),
        in_flight: HashMap::new(),
        calls: HashMap::new(),
        subscribed: HashSet::new(),
        used: HashSet::new(),
    };
    let session = Arc::new(Session { host, state: Mutex::new(state), end: Box::new(cut) });
    let mut tasks = tokio::task::JoinSet::new();
    while let Some(arrived) = end.receive().await {
        session.take(arrived, &mut tasks);
    }
    // With the process all its work ends.
}

impl Session {
    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock())
    }

    fn take(self: &Arc<Self>, arrived: Arrived, tasks: &mut tokio::task::JoinSet<()>) {
        let Arrived { message, way } = arrived;
        let Some(message) = message else {
            self.with(|state| state.standing = Some(way));
            return;
        };
        if !way.is_own() {
            self.with(|state| state.standing = Some(way.clone()));
        }
        let (said, id) = (value(&message), id_text(&message));
        let revision = self.with(|state| state.revision);
        if let Some(strange) = strange_to_server(revision, &said) {
            self.host.world.wrong(strange);
        }
        if message.is_response() {
            if let Some(question) = self.with(|state| state.questions.remove(said["id"].as_str()?)) {
                let _ = question.send(said);
            }
            return;
        }
        if message.is_request() {
            // "The request ID MUST NOT have been previously used by the requestor within the same session" (2025-11-25,
            // basic, Requests).
            let is_new = self.with(|state| state.used.insert(said["id"].to_string()));
            self.host.world.expect(is_new, || format!("an id was used twice: {said}"));
        }
        let done = |result: Value| answer(&way, &id, &result);
        match said["method"].as_str().unwrap() {
            "initialize" => done(self.initialize(&said["params"])),
            "ping" | "logging/setLevel" => done(json!({})),
            // Some servers ask whenever they are asked, and go on without the answer.
            "notifications/initialized" => {
                if let Some(question) = self.question_about_roots() {
                    self.announce(&question);
                }
            }
            "tools/list" => {
                if let Some(question) = self.question_about_roots() {
                    way.send(&question.to_string());
                }
                done(json!({ "tools": [{ "name": "work", "inputSchema": { "type": "object" } }] }))
            }
            "resources/list" => done(json!({ "resources": [{ "uri": "sim:///news", "name": "news" }] })),
            "resources/templates/list" => done(json!({ "resourceTemplates": [] })),
            "prompts/list" => done(json!({ "prompts": [] })),
            "resources/subscribe" => {
                let uri = said["params"]["uri"].as_str().unwrap().to_owned();
                self.with(|state| state.subscribed.insert(uri));
                done(json!({}));
            }
            "resources/unsubscribe" => {
                self.with(|state| state.subscribed.remove(said["params"]["uri"].as_str().unwrap()));
                done(json!({}));
            }
            "notifications/cancelled" => {
                let id = said["params"]["requestId"].to_string();
                if let Some(call) = self.with(|state| state.calls.remove(&id)) {
                    call.abort();
                    self.with(|state| state.in_flight.remove(&id));
                }
            }
            "tools/call" => {
                let work = Work {
                    session: Arc::clone(self),
                    way,
                    id: id.clone(),
                    token: token_text(&message),
                    params: said["params"].clone(),
                };
                let key = said["id"].to_string();
                let token = said["params"]["_meta"]["progressToken"].clone();
                self.with(|state| {
                    // "Progress tokens MUST be [...] unique across all active requests" (basic/utilities/progress).
                    let is_new = token.is_null() || state.in_flight.values().all(|known| *known != token);
                    self.host.world.expect(is_new, || format!("a progress token twice at once: {said}"));
                    state.in_flight.insert(key.clone(), token);
                });
                let calls = tasks.spawn(work.run());
                self.with(|state| state.calls.insert(key, calls));
            }
            method if message.is_request() => fail(&way, &id, -32601, &json!({ "served": method })),
            _ => {}
        }
    }

    fn initialize(&self, params: &Value) -> Value {
        let asked = Revision::parse(params["protocolVersion"].as_str().unwrap()).unwrap();
        self.with(|state| {
            // A server of a revision knows those before it.
            state.revision = asked.min(state.revision);
            state.capabilities = params["capabilities"].clone();
            json!({
                "protocolVersion": state.revision.as_str(),
                "capabilities": {
                    "tools": { "listChanged": true }, "logging": {},
                    "resources": { "subscribe": true, "listChanged": true },
                },
                "serverInfo": { "name": "sim", "version": "1" },
            })
        })
    }

    /// A question that nothing waits for the answer to.
    fn question_about_roots(&self) -> Option<Value> {
        self.with(|state| {
            let can = state.capabilities["roots"].is_object();
            state.next_question += u64::from(can);
            let id = format!("roots {}", state.next_question);
            can.then(|| json!({ "jsonrpc": "2.0", "id": id, "method": "roots/list" }))
        })
    }

    /// Tells what belongs to no call.
    fn announce(&self, message: &Value) {
        if let Some(standing) = self.with(|state| state.standing.clone()) {
            standing.send(&message.to_string());
        }
    }
}

/// One call of the tool.
struct Work {
    session: Arc<Session>,
    way: Way,
    id: String,
    token: Option<String>,
    params: Value,
}

impl Drop for Work {
    fn drop(&mut self) {
        let key = serde_json::from_str::<Value>(&self.id).unwrap_or_default().to_string();
        self.session.with(|state| {
            state.calls.remove(&key);
            state.in_flight.remove(&key);
        });
    }
}

impl Work {
    async fn run(self) {
        let arguments = self.params["arguments"].clone();
        let mark = arguments["mark"].as_str().unwrap().to_owned();
        self.session.host.world.saw(&mark);
        let mut content = vec![json!({ "type": "text", "text": format!("done {mark}") })];
        let revision = self.session.with(|state| state.revision);
        for (number, deed) in arguments["do"].as_array().unwrap().iter().enumerate() {
            match deed.as_str().unwrap() {
                "progress" => {
                    if let Some(token) = &self.token {
                        self.way.send(&progress(token, number, &mark));
                    }
                }
                "log" => self.way.send(&log(&mark)),
                "wait" => sleep(Duration::from_millis(30)).await,
                "audio" if revision >= Revision::V2025_03_26 => content.push(audio(&mark)),
                "link" if revision >= Revision::V2025_06_18 => content.push(link(&mark)),
                "changed" => self.session.announce(&json!({
                    "jsonrpc": "2.0", "method": "notifications/tools/list_changed",
                })),
                "updated" if self.session.with(|state| state.subscribed.contains("sim:///news")) => {
                    self.session.announce(&json!({
                        "jsonrpc": "2.0", "method": "notifications/resources/updated",
                        "params": { "uri": "sim:///news" },
                    }));
                }
                "fail" => return fail(&self.way, &self.id, -32000, &json!({ "served": mark })),
                "missing" => return fail(&self.way, &self.id, -32002, &json!({ "served": mark })),
                "die" => return (self.session.end)(),
                "hang" => std::future::pending().await,
                ask if ask.starts_with("ask-") => {
                    if let Some(failed) = self.ask(ask, &mark).await {
                        content.push(json!({ "type": "text", "text": format!("{failed} {mark}") }));
                    }
                }
                _ => {}
            }
        }
        answer(&self.way, &self.id, &json!({ "content": content }));
    }

    /// Asks the client, if it can be asked. Gives why it has not answered.
    async fn ask(&self, what: &str, mark: &str) -> Option<String> {
        let (revision, capabilities) =
            self.session.with(|state| (state.revision, state.capabilities.clone()));
        let (method, params) = question(what, mark, revision, &capabilities)?;
        let (told, hears) = oneshot::channel();
        let id = self.session.with(|state| {
            state.next_question += 1;
            let id = format!("ask {}", state.next_question);
            state.questions.insert(id.clone(), told);
            id
        });
        let request = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        self.way.send(&request.to_string());
        let response = hears.await.ok()?;
        if response["result"].is_null() {
            return Some(format!("not answered: {}", response["error"]["code"]));
        }
        check_answer(&self.session.host.world, mark, &response["result"]);
        None
    }
}

/// A question of this kind, if the client can be asked it.
pub(crate) fn question(
    what: &str,
    mark: &str,
    revision: Revision,
    capabilities: &Value,
) -> Option<(&'static str, Value)> {
    let can = |name: &str| capabilities[name].is_object();
    match what {
        "ask-roots" if can("roots") => Some(("roots/list", json!({ "_meta": { "of": mark } }))),
        "ask-sample" if can("sampling") => Some((
            "sampling/createMessage",
            json!({
                "messages": [{ "role": "user", "content": { "type": "text", "text": mark } }],
                "maxTokens": 10,
            }),
        )),
        "ask-elicit" if can("elicitation") && revision.has_elicitation() => Some((
            "elicitation/create",
            json!({ "message": mark, "requestedSchema": { "type": "object", "properties": {} } }),
        )),
        "ask-url" if capabilities["elicitation"]["url"].is_object() && revision.has_url_elicitation() => {
            let mut params = json!({ "mode": "url", "message": mark, "url": "https://example.com/" });
            if revision.is_legacy() {
                params["elicitationId"] = json!(mark);
            }
            Some(("elicitation/create", params))
        }
        _ => None,
    }
}

/// The answer is from the client that was asked.
pub(crate) fn check_answer(world: &World, mark: &str, result: &Value) {
    let text = result.to_string();
    world.expect(text.contains(mark), || format!("{mark} was answered by somebody else: {text}"));
}

pub(crate) fn progress(token: &str, number: usize, mark: &str) -> String {
    let progress = number + 1;
    format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{token},"progress":{progress},"message":"{mark}"}}}}"#
    )
}

pub(crate) fn log(mark: &str) -> String {
    json!({
        "jsonrpc": "2.0", "method": "notifications/message",
        "params": { "level": "warning", "data": mark },
    })
    .to_string()
}

pub(crate) fn audio(mark: &str) -> Value {
    json!({ "type": "audio", "data": "AA==", "mimeType": "audio/wav", "_meta": { "of": mark } })
}

pub(crate) fn link(mark: &str) -> Value {
    json!({ "type": "resource_link", "uri": format!("sim:///{mark}"), "name": mark })
}
