//! A client of one revision.

use std::collections::HashMap;
use std::sync::Arc;

use crossway_proto::{Message, RequestId, Revision};
use crossway_router::ScopeKey;
use crossway_service::{Context, Origin, Scope, Upstream};
use crossway_testkit::message;
use crossway_testkit::sim::{ClientEnd, Shape, Weather};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::calls::{Asked, End, Kind};
use crate::knows::strange_to_client;
use crate::server::{audio, value};
use crate::world::{World, client_of, marks};

/// What a client is told to do.
#[derive(Debug, Clone)]
pub(crate) enum Order {
    /// Call the tool, which does this.
    Call(Vec<&'static str>),
    List,
    /// Hear of changes: a subscription to the resource, and for modern clients to the lists.
    Listen,
    /// Cancel one of the calls in flight.
    Cancel(usize),
    /// Go away without a word, and come back.
    Leave,
    /// Cancel what waits for ever.
    Finish,
}

/// Who a client is.
#[derive(Clone)]
pub(crate) struct Who {
    pub(crate) name: String,
    pub(crate) revision: Revision,
    pub(crate) shape: Shape,
    pub(crate) can_be_asked: bool,
    /// What it calls the tool.
    pub(crate) tools: Vec<&'static str>,
    /// Whether it has to hear of each change that a call of its own makes while it listens.
    pub(crate) hears_its_changes: bool,
}

pub(crate) struct Client {
    who: Who,
    upstream: Arc<dyn Upstream>,
    weather: Weather,
    world: Arc<World>,
    end: Option<ClientEnd>,
    /// What was agreed upon.
    revision: Revision,
    count: u64,
    asked: Vec<Asked>,
    /// Requests of the server's that it has answered.
    answered: Vec<String>,
    has_subscribed: bool,
    /// How many changes each `subscriptions/listen` has heard of that was acknowledged, by its place in `asked`.
    heard: HashMap<usize, usize>,
    /// Calls that make a change: their places, with those of all that listened then, and what they had heard.
    changing: Vec<(usize, HashMap<usize, usize>)>,
}

impl Client {
    pub(crate) fn new(who: Who, upstream: Arc<dyn Upstream>, weather: Weather, world: Arc<World>) -> Self {
        let revision = who.revision;
        Self {
            who,
            upstream,
            weather,
            world,
            end: None,
            revision,
            count: 0,
            asked: Vec::new(),
            answered: Vec::new(),
            has_subscribed: false,
            heard: HashMap::new(),
            changing: Vec::new(),
        }
    }

    /// Follows orders until there are no more. Gives what it has asked.
    pub(crate) async fn run(mut self, mut orders: mpsc::Receiver<Order>) -> Vec<Asked> {
        loop {
            tokio::select! {
                biased;
                heard = hear(&mut self.end) => self.hear(heard),
                order = orders.recv() => match order {
                    Some(order) => self.follow(order).await,
                    None => break,
                },
            }
        }
        while let Some(message) = self.end.as_mut().and_then(ClientEnd::try_receive) {
            self.hear(Some(message));
        }
        self.asked
    }

    async fn follow(&mut self, order: Order) {
        match order {
            Order::Leave => return self.lose(),
            Order::Cancel(number) => return self.cancel(number),
            Order::Finish => {
                self.check_changes();
                for asked in 0..self.asked.len() {
                    if self.asked[asked].waits_for_ever() {
                        self.cancel_this(asked);
                    }
                }
                return;
            }
            _ => {}
        }
        if !self.open().await {
            return;
        }
        match order {
            Order::Call(deeds) => {
                let mark = format!("@{}-{}@", self.who.name, self.count);
                let tool = self.who.tools[self.count as usize % self.who.tools.len()];
                let arguments = json!({ "mark": mark, "do": deeds });
                if deeds.contains(&"updated") {
                    self.changing.push((self.asked.len(), self.heard.clone()));
                }
                let kind = Kind::Call { deeds, round: String::new() };
                self.ask("tools/call", json!({ "name": tool, "arguments": arguments }), mark, kind);
            }
            Order::List => self.ask("tools/list", json!({}), String::new(), Kind::Other),
            Order::Listen if self.revision.is_modern() => {
                let filter = json!({ "toolsListChanged": true, "resourceSubscriptions": ["sim:///news"] });
                let params = json!({ "notifications": filter });
                self.has_subscribed = true;
                self.ask("subscriptions/listen", params, String::new(), Kind::Listen);
            }
            Order::Listen => {
                self.has_subscribed = true;
                self.ask("resources/subscribe", json!({ "uri": "sim:///news" }), String::new(), Kind::Other);
            }
            Order::Cancel(_) | Order::Leave | Order::Finish => {}
        }
    }

    fn capabilities(&self) -> Value {
        if !self.who.can_be_asked {
            return json!({});
        }
        let mut capabilities = json!({ "roots": {}, "sampling": {} });
        if self.who.revision.has_elicitation() {
            capabilities["elicitation"] = json!({});
        }
        if self.who.revision.has_url_elicitation() {
            capabilities["elicitation"] = json!({ "form": {}, "url": {} });
        }
        capabilities
    }

    /// Opens a connection if there is none. False if that can't be done.
    async fn open(&mut self) -> bool {
        if self.end.is_some() {
            return true;
        }
        let (shape, is_modern) = (self.who.shape, self.who.revision.is_modern());
        let scope = if is_modern && shape == Shape::Streams { Scope::Shared } else { Scope::Session };
        let mut context = Context::new(Origin::unique(), None);
        context.extensions.insert(ScopeKey::new(self.who.name.as_str()));
        let mut end = ClientEnd::new(shape, &self.weather, self.upstream.connect(scope), context);
        if is_modern {
            self.end = Some(end);
            return true;
        }
        let version = self.who.revision.as_str();
        let params = json!({
            "protocolVersion": version, "capabilities": self.capabilities(),
            "clientInfo": { "name": "alike", "version": "1" },
        });
        end.send(message(format!(
            r#"{{"jsonrpc":"2.0","id":"hello","method":"initialize","params":{params}}}"#
        )));
        loop {
            let Some(message) = end.receive().await else { return false };
            let said = value(&message);
            if message.is_request() {
                continue;
            }
            if !message.is_response() {
                continue;
            }
            if said["result"].is_null() {
                self.world.expect(!said["error"]["data"]["outcome"].is_null(), || {
                    format!("an initialize failed without an outcome: {said}")
                });
                return false;
            }
            let agreed = Revision::parse(said["result"]["protocolVersion"].as_str().unwrap()).unwrap();
            self.world.expect(agreed <= self.who.revision, || format!("a client was given {agreed}"));
            self.revision = agreed;
            if let Some(strange) = strange_to_client(agreed, &said) {
                self.world.wrong(strange);
            }
            break;
        }
        end.send(message(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#));
        end.agree(self.revision);
        self.end = Some(end);
        true
    }

    /// The connection is gone: nothing that is in flight has an end any more.
    fn lose(&mut self) {
        self.end = None;
        self.has_subscribed = false;
        self.answered.clear();
        for asked in &mut self.asked {
            asked.is_lost |= asked.ends.is_empty();
        }
    }

    /// An id that a typed model would change, and a token that is another.
    fn names(&mut self) -> (RequestId, RequestId) {
        self.count += 1;
        let count = self.count;
        let (id, token) = match count % 3 {
            0 => (count.to_string(), format!(r#""\u0061{count}""#)),
            1 => (format!(r#""é\u0041{count}""#), format!("{count}")),
            _ => (format!("{count}.0"), format!(r#""{count}""#)),
        };
        let parse = |text: String| RequestId::parse(text.as_bytes()).unwrap();
        (parse(id), parse(token))
    }

    fn ask(&mut self, method: &str, mut params: Value, mark: String, kind: Kind) {
        let (id, token) = self.names();
        let mut meta = json!({});
        if self.who.revision.is_modern() {
            meta["io.modelcontextprotocol/protocolVersion"] = json!(self.who.revision.as_str());
            meta["io.modelcontextprotocol/clientCapabilities"] = self.capabilities();
            meta["io.modelcontextprotocol/clientInfo"] = json!({ "name": "alike", "version": "1" });
            if self.count.is_multiple_of(2) {
                meta["io.modelcontextprotocol/logLevel"] = json!("info");
            }
        }
        if let Kind::Call { round, .. } = &kind {
            meta["round"] = json!(round);
        }
        params["_meta"] = meta;
        let wants_progress = matches!(kind, Kind::Call { .. });
        let mut text = params.to_string();
        if wants_progress {
            // As it is written: the token is not to be read and written again.
            let token =
                format!(r#""_meta":{{"progressToken":{},"#, std::str::from_utf8(token.as_json()).unwrap());
            text = text.replacen(r#""_meta":{"#, &token, 1);
        }
        let request = format!(
            r#"{{"jsonrpc":"2.0","id":{},"method":"{method}","params":{text}}}"#,
            std::str::from_utf8(id.as_json()).unwrap()
        );
        self.asked.push(Asked::new(id, wants_progress.then_some(token), mark, kind, params, self.revision));
        if let Some(end) = &mut self.end {
            end.send(message(&request));
        }
    }

    fn cancel(&mut self, number: usize) {
        let open: Vec<_> = (0..self.asked.len()).filter(|asked| self.asked[*asked].is_open()).collect();
        if !open.is_empty() {
            self.cancel_this(open[number % open.len()]);
        }
    }

    fn cancel_this(&mut self, asked: usize) {
        let asked = &mut self.asked[asked];
        let Some(end) = &mut self.end else { return };
        asked.is_cancelled = true;
        if !self.revision.is_modern() || !end.hang_up(&asked.id) {
            end.send(Message::cancellation_of(&asked.id, "no longer wanted"));
        }
    }

    fn hear(&mut self, heard: Option<Message>) {
        let Some(message) = heard else { return self.lose() };
        let said = value(&message);
        if let Some(strange) = strange_to_client(self.revision, &said) {
            self.world.wrong(strange);
        }
        let text = said.to_string();
        for mark in marks(&text) {
            self.world.expect(client_of(mark) == self.who.name, || {
                format!("{} was sent what is another's: {text}", self.who.name)
            });
        }
        if message.is_response() {
            self.hear_response(&message, &said);
        } else if message.is_request() {
            self.hear_question(&said);
        } else {
            self.hear_notification(&message, &said);
        }
    }

    fn hear_response(&mut self, message: &Message, said: &Value) {
        let id = message.id();
        let json = id.as_ref().map(|id| id.as_json().to_vec());
        let found = self.asked.iter_mut().find(|asked| Some(asked.id.as_json()) == json.as_deref());
        let Some(asked) = found else {
            return self.world.wrong(format!("{} was answered what it had not asked: {said}", self.who.name));
        };
        asked.ends.push(End::of(said));
        if said["result"]["resultType"] != "input_required" {
            return;
        }
        let Kind::Call { deeds, round } = &asked.kind else { return };
        let kind = Kind::Call { deeds: deeds.clone(), round: format!("{round}+") };
        let (mut params, mark) = (asked.params.clone(), asked.mark.clone());
        let mut responses = json!({});
        for (key, request) in said["result"]["inputRequests"].as_object().unwrap() {
            responses[key] = self.answer_to(request["method"].as_str().unwrap(), &mark);
        }
        params["inputResponses"] = responses;
        params["requestState"] = said["result"]["requestState"].clone();
        self.ask("tools/call", params, mark, kind);
    }

    fn answer_to(&self, method: &str, mark: &str) -> Value {
        match method {
            "roots/list" => json!({ "roots": [{ "uri": format!("file:///{mark}") }] }),
            "sampling/createMessage" => {
                let has_audio = self.revision >= Revision::V2025_03_26 && self.count.is_multiple_of(2);
                let text = json!({ "type": "text", "text": mark });
                let content = if has_audio { audio(mark) } else { text };
                json!({ "role": "assistant", "model": mark, "content": content })
            }
            _ => json!({ "action": "accept", "content": { "mark": mark } }),
        }
    }

    fn hear_question(&mut self, said: &Value) {
        let (id, method) = (said["id"].to_string(), said["method"].as_str().unwrap());
        if self.answered.contains(&id) {
            return;
        }
        self.answered.push(id.clone());
        let text = said.to_string();
        let mark = marks(&text).next().map(|mark| format!("@{mark}@")).unwrap_or_default();
        let result = if method == "ping" { json!({}) } else { self.answer_to(method, &mark) };
        if let Some(end) = &mut self.end {
            end.send(message(format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)));
        }
    }

    fn hear_notification(&mut self, message: &Message, said: &Value) {
        let by_token = |asked: &&mut Asked| {
            asked.token.as_ref().map(|token| token.as_json().to_vec())
                == message.progress_token().map(|token| token.as_json().to_vec())
        };
        match said["method"].as_str().unwrap() {
            "notifications/progress" => match self.asked.iter_mut().find(by_token) {
                None => self.world.wrong(format!("{} heard of progress of nothing: {said}", self.who.name)),
                Some(asked) => {
                    let is_late = !asked.ends.is_empty();
                    let is_own = said["params"]["message"] == *asked.mark;
                    self.world.expect(!is_late && is_own, || format!("progress after its end: {said}"));
                }
            },
            "notifications/message" if self.revision.is_modern() => {
                let text = said.to_string();
                let mark = marks(&text).next().unwrap_or_default();
                let is_wanted = self.asked.iter().any(|asked| {
                    asked.mark.contains(mark)
                        && !asked.params["_meta"]["io.modelcontextprotocol/logLevel"].is_null()
                });
                self.world.expect(is_wanted, || format!("an unwanted log message: {said}"));
            }
            "notifications/resources/updated" => {
                let (has, name) = (self.has_subscribed, self.who.name.clone());
                self.world.expect(has, || format!("{name} heard of what it has not subscribed to"));
            }
            _ => {}
        }
        if let Some(subscription) = message.subscription_id() {
            let own = self.asked.iter().position(|asked| asked.id.as_json() == subscription.as_json());
            self.world.expect(own.is_some(), || format!("a subscription of nobody's: {said}"));
            let Some(own) = own else { return };
            match said["method"].as_str().unwrap() {
                "notifications/subscriptions/acknowledged" => drop(self.heard.entry(own).or_default()),
                "notifications/resources/updated" => *self.heard.entry(own).or_default() += 1,
                _ => {}
            }
        }
    }

    /// Whoever listens has heard of what his own calls have changed.
    fn check_changes(&self) {
        for (call, before) in self.changing.iter().filter(|_| self.who.hears_its_changes) {
            let call = &self.asked[*call];
            if !call.is_done() {
                continue;
            }
            for (listening, before) in
                before.iter().filter(|(listening, _)| self.asked[**listening].is_open())
            {
                let has_heard = self.heard[listening] > *before;
                self.world.expect(has_heard, || format!("not told of the change of {call:?}"));
            }
        }
    }
}

async fn hear(end: &mut Option<ClientEnd>) -> Option<Message> {
    match end {
        Some(end) => end.receive().await,
        None => std::future::pending().await,
    }
}
