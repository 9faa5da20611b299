//! What the client answers, and what it has been told.

#![expect(deprecated, reason = "much of what is tried here is deprecated since 2026-07-28")]

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rmcp::model::{
    ClientConfig, CreateMessageRequestParams, CreateMessageResult, ElicitRequestParams, ElicitResult,
    ListRootsResult, LoggingMessageNotificationParam, ProgressNotificationParam,
    ResourceUpdatedNotificationParam,
};
use rmcp::service::{NotificationContext, RequestContext};
use rmcp::{ClientHandler, ErrorData, RoleClient};
use serde_json::{Value, json};
use tokio::sync::Notify;

/// What the server has sent by itself, with a way to wait for it.
#[derive(Debug, Default)]
pub(crate) struct Events {
    seen: Mutex<Vec<(&'static str, Value)>>,
    more: Notify,
}

impl Events {
    fn add(&self, kind: &'static str, value: Value) {
        if let Ok(mut seen) = self.seen.lock() {
            seen.push((kind, value));
        }
        self.more.notify_waiters();
    }

    /// All of a kind.
    pub(crate) fn of(&self, kind: &str) -> Vec<Value> {
        let seen = self.seen.lock().map(|seen| seen.clone()).unwrap_or_default();
        seen.into_iter().filter(|(known, _)| *known == kind).map(|(_, value)| value).collect()
    }

    /// Waits until one of a kind is as wanted.
    pub(crate) async fn wait(&self, kind: &str, accept: impl Fn(&Value) -> bool) {
        loop {
            let more = self.more.notified();
            if self.of(kind).iter().any(&accept) {
                return;
            }
            more.await;
        }
    }
}

/// A client that can be asked for everything.
#[derive(Debug, Clone)]
pub(crate) struct Handler {
    pub(crate) events: Arc<Events>,
    /// What makes this client's answers its own.
    pub(crate) nonce: String,
    /// The revision that it asks for, if it opens a session.
    pub(crate) revision: String,
    root: PathBuf,
}

impl Handler {
    pub(crate) fn new(revision: &str) -> std::io::Result<Self> {
        let nonce = format!("rmcp-{}", std::process::id());
        // Servers look whether a root is there.
        let root = std::env::temp_dir().canonicalize()?.join(format!("interop-{nonce}"));
        std::fs::create_dir_all(&root)?;
        Ok(Self { events: Arc::default(), nonce, revision: revision.to_owned(), root })
    }

    /// Elicitation came with 2025-06-18.
    pub(crate) fn knows_elicitation(&self) -> bool {
        self.revision.as_str() >= "2025-06-18"
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn forget_root(&self) {
        let _ = std::fs::remove_dir(&self.root);
    }

    /// An answer of the revision's own shape, which rmcp's types take as JSON only.
    fn answer<T: serde::de::DeserializeOwned>(&self, method: &str, answer: Value) -> Result<T, ErrorData> {
        self.events.add("asked", json!(method));
        serde_json::from_value(answer).map_err(|error| ErrorData::internal_error(error.to_string(), None))
    }
}

/// The nonce wherever a plain string fits.
fn form(schema: &Value, nonce: &str) -> Value {
    let fields = schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    let answers = fields.into_iter().filter_map(|(key, field)| {
        let text = |name| field.get(name).and_then(Value::as_str);
        let answer = match (text("type")?, text("format")) {
            ("boolean", _) => json!(true),
            ("string", _) if field.get("enum").or(field.get("oneOf")).is_some() => return None,
            ("string", None) => json!(nonce),
            ("string", Some("email")) => json!(format!("{nonce}@example.com")),
            _ => return None,
        };
        Some((key, answer))
    });
    Value::Object(answers.collect())
}

impl ClientHandler for Handler {
    fn get_info(&self) -> ClientConfig {
        let mut capabilities = json!({"sampling": {}, "roots": {"listChanged": true}});
        if self.knows_elicitation() {
            capabilities["elicitation"] = json!({});
        }
        let about = json!({
            "protocolVersion": self.revision,
            "capabilities": capabilities,
            // Clients that introduce themselves alike share what they tell a legacy server, such as their roots.
            "clientInfo": {"name": format!("interop-{}", self.nonce), "version": "1"},
        });
        serde_json::from_value(about).unwrap_or_default()
    }

    async fn create_message(
        &self,
        _params: CreateMessageRequestParams,
        _context: RequestContext<RoleClient>,
    ) -> Result<CreateMessageResult, ErrorData> {
        let content = json!({"type": "text", "text": format!("sampled-{}", self.nonce)});
        let answer =
            json!({"role": "assistant", "content": content, "model": "none", "stopReason": "endTurn"});
        self.answer("sampling/createMessage", answer)
    }

    async fn create_elicitation(
        &self,
        request: ElicitRequestParams,
        _context: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        let request = serde_json::to_value(request).unwrap_or_default();
        let schema = request.get("requestedSchema").cloned().unwrap_or_default();
        let answer = json!({"action": "accept", "content": form(&schema, &self.nonce)});
        self.answer("elicitation/create", answer)
    }

    async fn list_roots(&self, _context: RequestContext<RoleClient>) -> Result<ListRootsResult, ErrorData> {
        let root = json!({"uri": format!("file://{}", self.root.display()), "name": self.nonce});
        self.answer("roots/list", json!({"roots": [root]}))
    }

    async fn on_progress(
        &self,
        params: ProgressNotificationParam,
        _context: NotificationContext<RoleClient>,
    ) {
        self.events.add("progress", json!([params.progress, params.total]));
    }

    async fn on_logging_message(
        &self,
        params: LoggingMessageNotificationParam,
        _context: NotificationContext<RoleClient>,
    ) {
        self.events.add("log", params.data);
    }

    async fn on_resource_updated(
        &self,
        params: ResourceUpdatedNotificationParam,
        _context: NotificationContext<RoleClient>,
    ) {
        self.events.add("updated", json!(params.uri));
    }

    async fn on_resource_list_changed(&self, _context: NotificationContext<RoleClient>) {
        self.events.add("list_changed", json!("resources"));
    }

    async fn on_tool_list_changed(&self, _context: NotificationContext<RoleClient>) {
        self.events.add("list_changed", json!("tools"));
    }
}
