//! In-process MCP servers with faults.

mod items;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use crossway_proto::{Limits, Message};
use crossway_router::EraSupport;
use crossway_service::{
    Call, Closing, Connection, Limits as ServiceLimits, Link, Reply, Scope, Upstream, duplex,
};
use serde_json::{Value, json};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::task::{AbortHandle, JoinSet};

use self::items::{has_resource, linked, prompts, resources, templates, tools};
use crate::plan::UpstreamPlan;
use crate::upstream::connect::{Connect, Connected};

/// What befalls a server.
#[derive(Clone)]
enum Fate {
    /// It tells that its lists are others.
    Changed,
    /// It tells that this resource is another.
    Updated(String),
    /// Its connections end. It is there again at once.
    Killed,
}

/// All servers that were started. Clones are one world.
#[derive(Clone, Default)]
pub(super) struct World(Arc<Mutex<Started>>);

#[derive(Default)]
struct Started {
    instances: Vec<Arc<Instance>>,
    /// How many connections are open.
    connections: usize,
    /// Of those whose lists are not the first ones, by name and for whom they are.
    versions: HashMap<(String, String), u32>,
}

/// One server that was started: a process, or what a client of a URL has.
struct Instance {
    world: World,
    name: String,
    /// What its credential says: for whom it was started. Empty where it is given none.
    owner: String,
    is_legacy: bool,
    fates: broadcast::Sender<Fate>,
}

/// Whose instances of a server something befalls.
#[derive(Debug, Clone, Copy)]
pub(super) enum CallerSet<'a> {
    All,
    Of(&'a [&'a str]),
}

impl CallerSet<'_> {
    fn has(self, owner: &str) -> bool {
        match self {
            Self::All => true,
            Self::Of(owners) => owners.contains(&owner),
        }
    }
}

impl World {
    /// Starts servers of this world: `args` are the name and the era, the variable `WHO` says for whom.
    pub(super) fn connect(&self) -> Connect {
        let world = self.clone();
        Arc::new(move |_, plan| {
            let connected = world.start(plan);
            Box::pin(async move { Ok(connected) })
        })
    }

    fn start(&self, plan: UpstreamPlan) -> Connected {
        let UpstreamPlan::Command(plan) = plan else { panic!("servers of tests are commands") };
        let arg = |at: usize| plan.args[at].to_str().unwrap().to_owned();
        let owner = plan.env.iter().find(|(name, _)| name == "WHO");
        let instance = Arc::new(Instance {
            world: self.clone(),
            name: arg(0),
            owner: owner.map(|(_, value)| value.to_str().unwrap().to_owned()).unwrap_or_default(),
            is_legacy: arg(1) == "legacy",
            fates: broadcast::Sender::new(1024),
        });
        self.0.lock().unwrap().instances.push(Arc::clone(&instance));
        let speaks = if instance.is_legacy { EraSupport::Legacy } else { EraSupport::Modern };
        Connected::in_process(Arc::new(Server(instance)), speaks)
    }

    /// How many servers were started so far.
    pub(super) fn started(&self) -> usize {
        self.0.lock().unwrap().instances.len()
    }

    /// How many connections with servers are open.
    pub(super) fn connections(&self) -> usize {
        self.0.lock().unwrap().connections
    }

    /// The servers' lists are others from now on, for those whose they are.
    pub(super) fn change(&self, name: &str, whose: CallerSet<'_>, owners: &[&str]) {
        {
            let mut started = self.0.lock().unwrap();
            for owner in owners.iter().chain(&[""]).filter(|owner| whose.has(owner)) {
                *started.versions.entry((name.to_owned(), (*owner).to_owned())).or_default() += 1;
            }
        }
        self.befall(name, whose, &Fate::Changed);
    }

    pub(super) fn kill(&self, name: &str, whose: CallerSet<'_>) {
        self.befall(name, whose, &Fate::Killed);
    }

    pub(super) fn update(&self, name: &str, whose: CallerSet<'_>, uri: &str) {
        self.befall(name, whose, &Fate::Updated(uri.to_owned()));
    }

    fn befall(&self, name: &str, whose: CallerSet<'_>, fate: &Fate) {
        let started = self.0.lock().unwrap();
        for instance in started.instances.iter().filter(|it| it.name == name && whose.has(&it.owner)) {
            // One that nobody is connected with does not mind.
            let _ = instance.fates.send(fate.clone());
        }
    }

    /// The names of what a server has at this time: tools, prompts, resources and templates.
    pub(super) fn items(&self, name: &str, owner: &str) -> [Vec<String>; 4] {
        let version = self.version(name, owner);
        let names = |items: Value, key: &str| {
            let items = items.as_array().unwrap().iter();
            items.map(|item| item[key].as_str().unwrap().to_owned()).collect()
        };
        [
            names(tools(version), "name"),
            names(prompts(version), "name"),
            names(resources(name, version), "uri"),
            names(templates(name), "uriTemplate"),
        ]
    }

    fn version(&self, name: &str, owner: &str) -> u32 {
        let started = self.0.lock().unwrap();
        started.versions.get(&(name.to_owned(), owner.to_owned())).copied().unwrap_or_default()
    }
}

/// A server, as it is connected with.
struct Server(Arc<Instance>);

impl Upstream for Server {
    fn connect(&self, scope: Scope) -> Link {
        Link::new(Connecting { instance: Arc::clone(&self.0), scope, open: Mutex::default() })
    }
}

/// A connection. A session ends once; others are opened anew.
struct Connecting {
    instance: Arc<Instance>,
    scope: Scope,
    open: Mutex<Option<(Link, AbortHandle)>>,
}

impl Connection for Connecting {
    fn call(&self, call: Call) -> Reply {
        let link = {
            let mut open = self.open.lock().unwrap();
            let is_over =
                open.as_ref().is_none_or(|(_, serving)| serving.is_finished() && !self.scope.is_session());
            if is_over {
                let (ours, theirs) = duplex::pair(1024);
                let (link, carry) = ours.connect(ServiceLimits::default());
                tokio::spawn(carry);
                let serving = tokio::spawn(serve(Arc::clone(&self.instance), theirs));
                *open = Some((link, serving.abort_handle()));
            }
            open.as_ref().unwrap().0.clone()
        };
        link.call(call)
    }

    fn close(&self) -> Closing {
        match &*self.open.lock().unwrap() {
            Some((link, _)) => link.close(),
            None => Box::pin(std::future::ready(())),
        }
    }
}

/// Counts a connection until dropped.
struct Counted(World);

impl Counted {
    fn new(world: &World) -> Self {
        world.0.lock().unwrap().connections += 1;
        Self(world.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.lock().unwrap().connections -= 1;
    }
}

/// Serves one connection to its end.
async fn serve(instance: Arc<Instance>, end: duplex::End) {
    let _counted = Counted::new(&instance.world);
    let mut fates = instance.fates.subscribe();
    let mut serving = Serving { end: Arc::new(end), listening: HashMap::new(), subscribed: HashSet::new() };
    let (mut tasks, mut calls) = (JoinSet::new(), HashMap::<String, AbortHandle>::new());
    loop {
        let message = tokio::select! {
            message = serving.end.receive() => message,
            fate = fates.recv() => match fate {
                Ok(Fate::Killed) | Err(RecvError::Closed) => return,
                Ok(Fate::Changed) => {
                    serving.changed(instance.is_legacy);
                    continue;
                }
                Ok(Fate::Updated(uri)) => {
                    serving.updated(&uri, instance.is_legacy);
                    continue;
                }
                Err(RecvError::Lagged(_)) => continue,
            }
        };
        let Some(message) = message else { return };
        let said: Value = serde_json::from_slice(&message.to_bytes()).unwrap();
        let (id, params) = (said["id"].clone(), &said["params"]);
        match said["method"].as_str().unwrap_or_default() {
            "notifications/cancelled" => {
                let id = params["requestId"].to_string();
                serving.listening.remove(&id);
                if let Some(call) = calls.remove(&id) {
                    call.abort();
                }
            }
            "subscriptions/listen" => serving.listen(&id, &params["notifications"], &instance.name),
            "resources/subscribe" if !has_resource(&instance.name, params["uri"].as_str().unwrap()) => {
                serving.reply(&id, Err((-32602, "no such resource".to_owned())));
            }
            "resources/subscribe" => {
                serving.subscribed.insert(params["uri"].as_str().unwrap().to_owned());
                serving.answer(&id, &json!({}));
            }
            "resources/unsubscribe" => {
                serving.subscribed.remove(params["uri"].as_str().unwrap());
                serving.answer(&id, &json!({}));
            }
            "tools/call" => match params["name"].as_str().unwrap_or_default() {
                "die" => instance.world.kill(&instance.name, CallerSet::Of(&[&instance.owner])),
                "slow" => {
                    let (end, result) = (Arc::clone(&serving.end), instance.called(params));
                    let (id, token) = (id, params["_meta"]["progressToken"].clone());
                    let call = said["id"].to_string();
                    calls.insert(
                        call,
                        tasks.spawn(async move {
                            // A server that takes its time, by the paused clock.
                            for step in 1..5 {
                                tokio::time::sleep(Duration::from_secs(6)).await;
                                if !token.is_null() {
                                    tell(
                                        &end,
                                        "notifications/progress",
                                        &json!({ "progressToken": token, "progress": step }),
                                    );
                                }
                            }
                            send(&end, &json!({ "jsonrpc": "2.0", "id": id, "result": result }));
                        }),
                    );
                }
                _ => serving.reply(&id, instance.answer(&said)),
            },
            _ if message.is_request() => serving.reply(&id, instance.answer(&said)),
            _ => {}
        }
    }
}

/// What one connection has.
struct Serving {
    end: Arc<duplex::End>,
    /// Filters, by the id of their requests as JSON text.
    listening: HashMap<String, Value>,
    subscribed: HashSet<String>,
}

impl Serving {
    fn answer(&self, id: &Value, result: &Value) {
        send(&self.end, &json!({ "jsonrpc": "2.0", "id": id, "result": result }));
    }

    fn reply(&self, id: &Value, answer: Result<Value, (i32, String)>) {
        match answer {
            Ok(result) => self.answer(id, &result),
            Err((code, message)) => {
                let error = json!({ "code": code, "message": message });
                send(&self.end, &json!({ "jsonrpc": "2.0", "id": id, "error": error }));
            }
        }
    }

    fn listen(&mut self, id: &Value, filter: &Value, name: &str) {
        let mut filter = filter.clone();
        if let Some(uris) = filter["resourceSubscriptions"].as_array_mut() {
            uris.retain(|uri| has_resource(name, uri.as_str().unwrap()));
        }
        let params =
            json!({ "_meta": { "io.modelcontextprotocol/subscriptionId": id }, "notifications": filter });
        tell(&self.end, "notifications/subscriptions/acknowledged", &params);
        self.listening.insert(id.to_string(), filter);
    }

    fn changed(&self, is_legacy: bool) {
        for (list, wanted) in [
            ("tools", "toolsListChanged"),
            ("prompts", "promptsListChanged"),
            ("resources", "resourcesListChanged"),
        ] {
            let method = format!("notifications/{list}/list_changed");
            if is_legacy {
                tell(&self.end, &method, &json!({}));
            }
            for (id, _) in self.listening.iter().filter(|(_, filter)| filter[wanted] == true) {
                tell(&self.end, &method, &of_subscription(id, json!({})));
            }
        }
    }

    fn updated(&self, uri: &str, is_legacy: bool) {
        let method = "notifications/resources/updated";
        if is_legacy && self.subscribed.contains(uri) {
            tell(&self.end, method, &json!({ "uri": uri }));
        }
        for (id, filter) in &self.listening {
            let uris = filter["resourceSubscriptions"].as_array();
            if uris.is_some_and(|uris| uris.iter().any(|wanted| wanted == uri)) {
                tell(&self.end, method, &of_subscription(id, json!({ "uri": uri })));
            }
        }
    }
}

fn of_subscription(id: &str, mut params: Value) -> Value {
    let id: Value = serde_json::from_str(id).unwrap();
    params["_meta"] = json!({ "io.modelcontextprotocol/subscriptionId": id });
    params
}

fn tell(end: &duplex::End, method: &str, params: &Value) {
    send(end, &json!({ "jsonrpc": "2.0", "method": method, "params": params }));
}

fn send(end: &duplex::End, message: &Value) {
    let message = Message::parse(Bytes::from(message.to_string()), &Limits::default()).unwrap();
    // Who has gone away hears nothing.
    let _ = end.send(message);
}

impl Instance {
    fn answer(&self, said: &Value) -> Result<Value, (i32, String)> {
        let version = self.world.version(&self.name, &self.owner);
        let (name, params) = (&self.name, &said["params"]);
        let has = |items: Value, key: &str, wanted: &Value| {
            items.as_array().unwrap().iter().any(|item| item[key] == *wanted)
        };
        let list = |member: &str, items: Value| {
            Ok(json!({ "resultType": "complete", "ttlMs": 3_600_000, "cacheScope": "public", member: items }))
        };
        let nothing = |what: &str| Err((-32602, format!("{name} has no such {what}")));
        let capabilities = json!({
            "tools": { "listChanged": true }, "prompts": { "listChanged": true }, "completions": {},
            "resources": { "subscribe": true, "listChanged": true },
        });
        match said["method"].as_str().unwrap() {
            "initialize" => Ok(json!({
                "protocolVersion": params["protocolVersion"], "capabilities": capabilities,
                "serverInfo": { "name": name, "version": "1" }, "instructions": format!("This is {name}."),
            })),
            "ping" => Ok(json!({})),
            "server/discover" => Ok(json!({
                "resultType": "complete", "supportedVersions": ["2026-07-28"], "ttlMs": 0, "cacheScope": "public",
                "capabilities": capabilities, "instructions": format!("This is {name}."),
                "_meta": { "io.modelcontextprotocol/serverInfo": { "name": name, "version": "1" } },
            })),
            "tools/list" => list("tools", tools(version)),
            "prompts/list" => list("prompts", prompts(version)),
            "resources/list" => list("resources", resources(name, version)),
            "resources/templates/list" => list("resourceTemplates", templates(name)),
            "tools/call" if params["name"] == "fail" => Err((-32000, format!("{name} has failed"))),
            "tools/call" if has(tools(version), "name", &params["name"]) => Ok(self.called(params)),
            "tools/call" => nothing("tool"),
            "prompts/get" if has(prompts(version), "name", &params["name"]) => Ok(json!({
                "resultType": "complete",
                "messages": [
                    { "role": "user", "content": { "type": "text", "text": self.says(params) } },
                    { "role": "user", "content": self.link() },
                ],
            })),
            "prompts/get" => nothing("prompt"),
            "resources/read" if !has_resource(name, params["uri"].as_str().unwrap()) => nothing("resource"),
            "resources/read" => Ok(json!({
                "resultType": "complete", "ttlMs": 0, "cacheScope": "private",
                "contents": [{ "uri": params["uri"], "text": format!("{name} to {}", self.owner) }],
            })),
            "completion/complete"
                if !has(prompts(version), "name", &params["ref"]["name"])
                    && !has(templates(name), "uriTemplate", &params["ref"]["uri"]) =>
            {
                nothing("prompt or template")
            }
            "completion/complete" => Ok(json!({
                "resultType": "complete", "completion": { "values": [format!("{name} to {}", self.owner)] },
            })),
            _ => Err((-32601, "no such method".to_owned())),
        }
    }

    fn called(&self, params: &Value) -> Value {
        let mut content = vec![json!({ "type": "text", "text": self.says(params) })];
        content.extend((params["name"] == "get_b").then(|| self.link()));
        json!({ "resultType": "complete", "content": content })
    }

    fn link(&self) -> Value {
        json!({ "type": "resource_link", "name": "linked", "uri": linked(&self.name) })
    }

    fn says(&self, params: &Value) -> String {
        format!("{} to {}: {} {}", self.name, self.owner, params["name"], params["arguments"])
    }
}
