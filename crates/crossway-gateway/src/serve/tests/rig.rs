//! A gateway with servers in this process, and clients of it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use crossway_policy::{Principal, Proof};
use crossway_proto::http_rules::{AllowedHosts, AllowedOrigins};
use crossway_proto::{Limits, Message, Revision};
use crossway_service::{Call, Context, Link, Origin, Reply, Scope, Upstream};
use serde_json::{Value, json};

use super::super::Gateway;
use super::super::current_policy::{CurrentPolicy, PolicySnapshot};
use super::super::edge::{NotAdmitted, admit};
use super::world::World;
use crate::config::{self, Loaded};
use crate::face_maker::FaceMaker;
use crate::metrics::Metrics;

/// Who may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum User {
    /// Of the tenant acme, and of its group `ops`.
    Alice,
    /// Of the tenant acme, with the role `reader`.
    Ann,
    /// Who proves nothing.
    Anonymous,
    /// Of the tenant globex, and of a group `ops` too.
    Bob,
    /// Of the tenant globex, with the role `reader`.
    Ben,
}

impl User {
    pub(super) const ALL: [Self; 5] = [Self::Alice, Self::Ann, Self::Anonymous, Self::Bob, Self::Ben];

    /// Whether it is one of those who are looked at.
    pub(super) fn is_watched(self) -> bool {
        !matches!(self, Self::Bob | Self::Ben)
    }

    pub(super) fn subject(self) -> &'static str {
        match self {
            Self::Alice => "alice",
            Self::Ann => "ann",
            Self::Anonymous => "anonymous",
            Self::Bob => "bob",
            Self::Ben => "ben",
        }
    }

    pub(super) fn principal(self) -> Principal {
        let (tenant, group, role) = match self {
            Self::Anonymous => return Principal::anonymous(),
            Self::Alice => ("acme", Some("ops"), None),
            Self::Ann => ("acme", None, Some("reader")),
            Self::Bob => ("globex", Some("ops"), None),
            Self::Ben => ("globex", None, Some("reader")),
        };
        Principal::new("issuer", self.subject(), Proof::ApiKey)
            .with_email(format!("{}@{tenant}.example", self.subject()))
            .with_groups([tenant].into_iter().chain(group))
            .with_roles(role)
    }
}

/// One client: whose, at which path, and of which era.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct At {
    pub(super) user: User,
    /// The upstream that is meant alone; all as one if there is none.
    pub(super) upstream: Option<&'static str>,
    pub(super) is_legacy: bool,
}

impl At {
    fn path(&self) -> String {
        self.upstream.map_or("/mcp".to_owned(), |name| format!("/{name}/mcp"))
    }
}

/// All that somebody was told, by what it was told for.
pub(super) type Heard = BTreeMap<String, Vec<String>>;

/// A gateway and its clients.
pub(super) struct Rig {
    pub(super) gateway: Gateway,
    pub(super) world: World,
    clients: HashMap<At, Client>,
    heard: Arc<Mutex<Heard>>,
    /// How much of each was told before the current step.
    ended: HashMap<String, usize>,
}

struct Client {
    link: Link,
    origin: Origin,
}

/// Reads a config as `crossway serve` does.
pub(super) fn loaded(config: &Value) -> Loaded {
    let text = config.to_string();
    config::parse(Path::new("crossway.json"), &text, |_| None)
        .unwrap_or_else(|errors| panic!("{errors}\n{text}"))
}

impl Rig {
    pub(super) fn new(config: &Value) -> Self {
        let mut loaded = loaded(config);
        let world = World::default();
        let upstreams = std::mem::take(&mut loaded.upstreams);
        let metrics = Metrics::new();
        let current = CurrentPolicy::new(PolicySnapshot::of(loaded, &upstreams, None, &metrics));
        let maker = FaceMaker::unserved(AllowedHosts::loopback(), AllowedOrigins::loopback());
        let mut gateway = Gateway::new(current, maker, None, metrics, None, false, world.connect()).unwrap();
        gateway.apply(upstreams);
        Self { gateway, world, clients: HashMap::new(), heard: Arc::default(), ended: HashMap::new() }
    }

    pub(super) fn reload(&mut self, config: &Value) {
        self.gateway.reload(loaded(config));
    }

    /// Time passes, in which all that was begun goes on. The clock is paused: it moves on to what is due next once nobody has anything
    /// to do, so that nothing depends on how fast the machine is.
    pub(super) async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// All that was told so far. Lists of several kinds are found to have changed side by side, so changes that are told one after
    /// the other are in no order.
    pub(super) fn heard(&self) -> Heard {
        let mut heard = self.heard.lock().unwrap().clone();
        for told in heard.values_mut() {
            told.chunk_by_mut(|one, next| is_change(one) && is_change(next))
                .for_each(<[String]>::sort_unstable);
        }
        heard
    }

    /// Ends a step: a change that was told several times since the last one ended counts once. A listener looks at a new config at a
    /// random time, a millisecond or two after it: before or after the new list of a server has come, which is told by itself.
    pub(super) fn end_step(&mut self) {
        for (label, told) in self.heard.lock().unwrap().iter_mut() {
            let ended = self.ended.entry(label.clone()).or_default();
            let mut changes = HashSet::new();
            let mut place = 0;
            told.retain(|it| {
                place += 1;
                place <= *ended || !is_change(it) || changes.insert(it.clone())
            });
            *ended = told.len();
        }
    }

    /// Sends a request and gives what comes of it at once, and until `time` is over.
    pub(super) async fn ask(&mut self, at: &At, method: &str, params: Value, time: Duration) -> Vec<String> {
        let label = format!("asked {}", self.heard.lock().unwrap().len());
        self.send(at, &label, json!(1), method, params).await;
        self.pass(time).await;
        self.heard.lock().unwrap().get(&label).cloned().unwrap_or_default()
    }

    /// Sends a request; what comes of it is under `label`. A legacy client opens its session first.
    pub(super) async fn send(&mut self, at: &At, label: &str, id: Value, method: &str, params: Value) {
        let mut params = params;
        if !at.is_legacy {
            let meta = json!({
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": {},
                "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
            });
            for (name, value) in meta.as_object().unwrap() {
                if params["_meta"][name].is_null() {
                    params["_meta"][name] = value.clone();
                }
            }
        }
        let mut message = json!({ "jsonrpc": "2.0", "method": method, "params": params });
        if !id.is_null() {
            message["id"] = id;
        }
        let Some(context) = self.context(at, label) else { return };
        self.open(at, &context).await;
        self.put(at, label, &message, context);
    }

    /// Hears what belongs to no call of a legacy client, under `label`.
    pub(super) async fn hear(&mut self, at: &At, label: &str) {
        let Some(context) = self.context(at, label) else { return };
        self.open(at, &context).await;
        let reply = self.clients[at].link.call(Call::listen(context));
        self.listen(label, reply);
    }

    /// The context of a request, as the edge gives it one; none if it is refused.
    fn context(&self, at: &At, label: &str) -> Option<Context> {
        let revision = if at.is_legacy { Revision::V2025_11_25 } else { Revision::V2026_07_28 };
        let origin =
            self.clients.get(at).filter(|_| at.is_legacy).map_or_else(Origin::unique, |it| it.origin);
        let principal = at.user.principal();
        match admit(&self.gateway.current.get(), &principal, &at.path()) {
            Ok(actor) => {
                let mut context = Context::new(origin, Some(revision));
                context.extensions.insert(principal);
                context.extensions.insert(actor.rights().tenant().clone());
                context.extensions.insert(actor);
                Some(context)
            }
            Err(why) => {
                let why = match why {
                    NotAdmitted::Nowhere => "404",
                    NotAdmitted::NoTenant => "403",
                };
                note(&self.heard, label, why.to_owned());
                None
            }
        }
    }

    async fn open(&mut self, at: &At, context: &Context) {
        if self.clients.contains_key(at) {
            return;
        }
        let router = match at.upstream {
            None => Some(&self.gateway.merged),
            Some(name) => {
                self.gateway.served.iter().find(|served| served.spec.name == name).map(|served| &served.alone)
            }
        };
        // Those who get here have rights to it.
        let face = self.gateway.face(router.unwrap());
        let scope = if at.is_legacy { Scope::Session } else { Scope::Shared };
        self.clients.insert(at.clone(), Client { link: face.connect(scope), origin: context.origin });
        if at.is_legacy {
            let params = json!({
                "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "test", "version": "1" },
            });
            let initialize =
                json!({ "jsonrpc": "2.0", "id": "open", "method": "initialize", "params": params });
            let label = format!("{at:?} opens");
            self.put(at, &label, &initialize, context.clone());
            self.pass(Duration::from_secs(6)).await;
            let done = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
            self.put(at, &label, &done, context.clone());
        }
    }

    fn put(&self, at: &At, label: &str, message: &Value, context: Context) {
        let message = Message::parse(Bytes::from(message.to_string()), &Limits::default()).unwrap();
        let reply = self.clients[at].link.call(Call::message(message, context));
        self.listen(label, reply);
    }

    /// What is told until it ends.
    fn listen(&self, label: &str, mut reply: Reply) {
        let (heard, label) = (Arc::clone(&self.heard), label.to_owned());
        heard.lock().unwrap().entry(label.clone()).or_default();
        tokio::spawn(async move {
            while let Some(item) = reply.next().await {
                let text = |message: &Message| String::from_utf8(message.to_bytes().to_vec()).unwrap();
                let told = match item {
                    Ok(message) => text(&message),
                    Err(error) => format!("{} {:?}", text(&error.to_message(None)), error.retry_after()),
                };
                note(&heard, &label, told);
            }
            note(&heard, &label, "over".to_owned());
        });
    }
}

fn is_change(told: &str) -> bool {
    told.contains("/list_changed\"")
}

fn note(heard: &Mutex<Heard>, label: &str, told: String) {
    heard.lock().unwrap().entry(label.to_owned()).or_default().push(told);
}
