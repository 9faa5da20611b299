//! Translates a legacy client's session into modern requests.
//!
//! [`Session`] takes each message of the client and returns what to do with it; [`Call`] handles one request up to its end, over all rounds
//! of input that the server requires; [`Listening`] handles the one `subscriptions/listen` request that stands for the client's standing
//! stream and its resource subscriptions. None of them does I/O or knows the time: the driver sends the messages that they return.
//!
//! | the client sends | what happens |
//! |---|---|
//! | `initialize` | answered from the server's `server/discover` |
//! | `notifications/initialized`, `notifications/roots/list_changed` | dropped: no modern server needs them |
//! | `ping`, `logging/setLevel` | answered here; later requests carry the level |
//! | `resources/subscribe`, `resources/unsubscribe` | answered here; the subscription's filter changes |
//! | `notifications/cancelled` | the call's reply is dropped |
//! | a response | the answer to a server request of a call's round |
//! | any other request | gets the `_meta` that each modern request must have, and is sent |
//!
//! Until the client sends `logging/setLevel`, "the server MAY decide which messages to send automatically" (schema of all
//! legacy revisions). Servers of those revisions send logs unasked and modern ones don't, so clients get what they are used
//! to: messages from `info` on, if the server has logging at all.
//!
//! # Features that a revision lacks
//!
//! A client gets nothing that its revision lacks, and only what has to change is touched. Unknown members of known objects do no harm, and
//! pass.
//!
//! | since | feature | clients of earlier revisions |
//! |---|---|---|
//! | 2025-03-26 | `audio` content | get a sentence in its place |
//! | 2025-03-26 | the capability `completions` | don't see it |
//! | 2025-06-18 | `resource_link` content | get a sentence in its place |
//! | 2025-06-18 | elicitation | are not asked: the server does not see the capability, and a call that insists fails |
//! | 2025-11-25 | elicitation by URL, or of several choices at once; sampling with tools | are not asked, as above |
//! | 2025-11-25 | elicitation for choices that have titles | get them as `enum` and `enumNames` |
//! | 2025-11-25 | several blocks of content in one message of sampling | get a message for each |
//! | 2026-07-28 | `structuredContent` other than an object | get it as text, if there is no other content |
//! | 2026-07-28 | `outputSchema` of anything but an object | see no output schema of that tool |
//! | 2026-07-28 | extensions, and tasks as one of them | don't see them, nor do servers see the client's |
//!
//! Of the capabilities by which a client can be asked, servers see those that the specification knows, without `roots.listChanged`:
//! modern revisions have no such notification.

mod call;
mod initialize;
mod listening;
mod questions;
mod results;
mod revisions;
mod structured;

use std::collections::BTreeSet;
use std::sync::OnceLock;

use bytes::Bytes;
use crossway_proto::{
    ErrorCode, ErrorObject, Kind, Message, Outcome, ParseError, Part, RequestId, Revision, Stamp,
};

pub use call::{Call, Step};
pub use listening::{ListenEvent, Listening};

use crate::capabilities::check_info;
use crate::keys;
use crate::limits::{SUBSCRIBED_URI, SUBSCRIPTIONS};
use crate::messages::{empty, error_of};

/// The revision of the requests made for the client.
pub const SPOKEN: Revision = Revision::V2026_07_28;

/// The member of a 2025-11-25 request's params that asks for a task instead of a result.
pub(crate) const TASK: &str = "task";

/// The level from which a client gets log messages without asking for them: JSON text.
const UNASKED_LEVEL: &[u8] = br#""info""#;

/// A legacy client's session.
#[derive(Debug, Default)]
pub struct Session {
    phase: Phase,
    client: Client,
    server: initialize::Offer,
    subscribed: BTreeSet<String>,
    next_request: u64,
}

#[derive(Debug, Default)]
enum Phase {
    #[default]
    Fresh,
    /// `initialize` waits for the answer to the `server/discover` request with this id.
    Asking {
        initialize: Box<Message>,
        discover: RequestId,
    },
    Open,
}

/// What a client declared in `initialize`.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) revision: Revision,
    /// JSON text, an object.
    capabilities: Bytes,
    /// JSON text.
    info: Option<Bytes>,
    /// JSON text, a string.
    log_level: Option<Bytes>,
    /// All of it, as the `_meta` of requests.
    stamp: OnceLock<Stamp>,
}

impl Default for Client {
    fn default() -> Self {
        Self {
            revision: Revision::LATEST_LEGACY,
            capabilities: Bytes::from_static(b"{}"),
            info: None,
            log_level: None,
            stamp: OnceLock::new(),
        }
    }
}

/// What to do after a client's message.
// Exhaustive on purpose: whoever drives the machine has to carry out each of these, so one that is new must not compile unnoticed.
#[derive(Debug)]
pub enum ClientAction {
    /// Send this answer to the client.
    Answered(Message),
    /// Send this request to the server, and its answer to [`Session::handle_discovered`]; the client's request waits.
    Discover(Message),
    /// Send this call's request to the server.
    Call(Call),
    /// Send this notification to the server unchanged.
    Notify(Message),
    /// Give this response to the call whose [`Call::handle_response`] takes it.
    Response(Message),
    /// Cancel the call with this id of the client's.
    Cancelled(RequestId),
    /// Send this answer to the client; the filter of its subscription has changed.
    Refiltered(Message),
    /// Do nothing.
    Nothing,
}

impl Session {
    /// A session before `initialize`.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The negotiated revision; `None` before that.
    #[must_use]
    pub fn revision(&self) -> Option<Revision> {
        matches!(self.phase, Phase::Open).then_some(self.client.revision)
    }

    /// Handles a message of the client.
    pub fn handle_message(&mut self, message: Message) -> ClientAction {
        match message.kind() {
            Kind::Result | Kind::Error => ClientAction::Response(message),
            Kind::Notification => self.notification(message),
            Kind::Request => {
                let Some(id) = message.id() else { return ClientAction::Nothing };
                self.request(message, &id)
                    .unwrap_or_else(|error| ClientAction::Answered(error_of(&id, &error)))
            }
        }
    }

    /// Handles the answer to the request of [`ClientAction::Discover`], and returns the client's; `None` if the client has initialized
    /// again meanwhile.
    ///
    /// An error, or an answer that can't be used, ends the attempt: the client may initialize again.
    pub fn handle_discovered(&mut self, answer: &Message) -> Option<Message> {
        let Phase::Asking { initialize, discover } = &self.phase else { return None };
        if answer.id().as_ref() != Some(discover) {
            return None;
        }
        let id = initialize.id()?;
        self.phase = Phase::Fresh;
        if answer.kind() == Kind::Error {
            let mut error = answer.clone();
            error.set_id(&id);
            return Some(results::error(error, &Asked::default()));
        }
        let discovered = match initialize::Discovered::read(answer) {
            Ok(discovered) => discovered,
            Err(why) => {
                return Some(error_of(
                    &id,
                    &ErrorObject::of_call(ErrorCode::INTERNAL_ERROR, why, Outcome::Answered),
                ));
            }
        };
        self.server = discovered.offer();
        self.client.set_log_level(self.server.has_logging.then(|| Bytes::from_static(UNASKED_LEVEL)));
        self.phase = Phase::Open;
        Message::result_of(&id, &discovered.initialize_result(self.client.revision)).ok()
    }

    /// The client's notifications: the parameter `notifications` of `subscriptions/listen`, as JSON text. `None` if there are none.
    ///
    /// The filter has the list changes that the server declares ("Notification types the server does not support are omitted", 2026-07-28,
    /// basic/patterns/subscriptions), and the resources that the client subscribed to.
    #[must_use]
    pub fn filter(&self) -> Option<Bytes> {
        let mut filter = self.server.lists();
        if !self.subscribed.is_empty() {
            let uris = self.subscribed.iter().map(String::as_str).collect();
            filter.insert("resourceSubscriptions".to_owned(), uris);
        }
        (!filter.is_empty()).then(|| Bytes::from(serde_json::Value::Object(filter).to_string()))
    }

    /// A request of our own on the client's behalf. `params` is JSON text, an object.
    pub fn request_of(&mut self, method: &str, params: &[u8]) -> Option<Message> {
        self.next_request += 1;
        let id = RequestId::from(format!("crossway-{}", self.next_request).as_str());
        let request = Message::request_of(&id, method, Some(params)).ok()?;
        self.client.stamp(request).ok()
    }

    fn notification(&mut self, message: Message) -> ClientAction {
        match message.method().as_deref() {
            Some("notifications/cancelled") => {
                message.cancelled_id().map_or(ClientAction::Nothing, ClientAction::Cancelled)
            }
            Some(
                "notifications/initialized" | "notifications/roots/list_changed" | "notifications/progress",
            )
            | None => ClientAction::Nothing,
            Some(_) => ClientAction::Notify(message),
        }
    }

    fn request(&mut self, message: Message, id: &RequestId) -> Result<ClientAction, ErrorObject> {
        let method = message.method().unwrap_or_default();
        let done = || ClientAction::Answered(empty(id));
        match (&*method, &self.phase) {
            ("ping", _) => Ok(done()),
            ("initialize", _) => self.initialize(message),
            (_, Phase::Fresh | Phase::Asking { .. }) => {
                Err(refusal("the session is not open yet; send initialize first"))
            }
            ("logging/setLevel", _) if self.server.has_logging => {
                let level = message.member(Part::Params, "level").filter(|level| is_log_level(level));
                let level = level.ok_or_else(|| bad_params("\"level\" is none of the log levels"))?;
                self.client.set_log_level(Some(Bytes::copy_from_slice(level)));
                Ok(done())
            }
            ("resources/subscribe" | "resources/unsubscribe", _) if self.server.has_subscriptions => {
                let uri = message.name().ok_or_else(|| bad_params("a \"uri\" is needed"))?.into_owned();
                if method == "resources/subscribe" {
                    if uri.len() > SUBSCRIBED_URI {
                        return Err(bad_params("the \"uri\" is too long to be subscribed to"));
                    }
                    if self.subscribed.len() >= SUBSCRIPTIONS && !self.subscribed.contains(&uri) {
                        let why = "the session has too many resource subscriptions";
                        return Err(ErrorObject::of_call(ErrorCode::OVER_LIMIT, why, Outcome::NotSent));
                    }
                    self.subscribed.insert(uri);
                } else {
                    self.subscribed.remove(&uri);
                }
                Ok(ClientAction::Refiltered(empty(id)))
            }
            // Methods that modern servers lack or define differently, and modern ones that legacy servers never had. None of them was
            // advertised.
            (
                "server/discover"
                | "subscriptions/listen"
                | "logging/setLevel"
                | "resources/subscribe"
                | "resources/unsubscribe"
                | "tasks/get"
                | "tasks/list"
                | "tasks/result"
                | "tasks/cancel",
                _,
            ) => {
                let why = format!("the server has no {method}");
                Err(ErrorObject::of_call(ErrorCode::METHOD_NOT_FOUND, why, Outcome::NotSent))
            }
            _ => {
                let stamped = self.client.stamp(without_task(message))?;
                Ok(ClientAction::Call(Call::new(stamped, id.clone(), &self.client)))
            }
        }
    }

    fn initialize(&mut self, message: Message) -> Result<ClientAction, ErrorObject> {
        let asked = message.initialize_version().and_then(|version| Revision::parse(&version));
        let revision = asked.filter(|revision| revision.is_legacy()).unwrap_or(Revision::LATEST_LEGACY);
        let object = |name: &str| message.member(Part::Params, name).filter(|json| json.starts_with(b"{"));
        let capabilities = object("capabilities").unwrap_or(b"{}");
        let capabilities = revisions::client_capabilities(revision, capabilities)?;
        let info = object("clientInfo");
        info.map_or(Ok(()), check_info)?;
        self.client =
            Client { revision, capabilities, info: info.map(Bytes::copy_from_slice), ..Client::default() };
        self.subscribed.clear();
        let unspeakable = || refusal("what the client says of itself can't be passed on");
        let request = self.request_of("server/discover", b"{}").ok_or_else(unspeakable)?;
        let discover = request.id().ok_or_else(unspeakable)?;
        self.phase = Phase::Asking { initialize: Box::new(message), discover };
        Ok(ClientAction::Discover(request))
    }
}

impl Client {
    /// Puts the `_meta` that each modern request must have into a request (2026-07-28, basic/index, `_meta`). Other members of its `_meta`
    /// stay.
    pub(crate) fn stamp(&self, request: Message) -> Result<Message, ErrorObject> {
        if self.stamp.get().is_none() {
            let stamp = self.to_stamp().map_err(|error| refusal(&error.to_string()))?;
            let _ = self.stamp.set(stamp);
        }
        let stamped = self.stamp.get().and_then(|stamp| request.stamped(stamp).ok());
        stamped.ok_or_else(|| bad_params("\"params\" and its \"_meta\" have to be objects"))
    }

    /// The `_meta` members of each request.
    fn to_stamp(&self) -> Result<Stamp, ParseError> {
        let version = serde_json::Value::from(SPOKEN.as_str()).to_string();
        let mut put: Vec<(&str, &[u8])> = vec![
            (keys::PROTOCOL_VERSION, version.as_bytes()),
            (keys::CLIENT_CAPABILITIES, &self.capabilities),
        ];
        put.extend(self.info.as_ref().map(|info| (keys::CLIENT_INFO, &info[..])));
        put.extend(self.log_level.as_ref().map(|level| (keys::LOG_LEVEL, &level[..])));
        Stamp::new(&put, &[keys::LOG_LEVEL])
    }

    fn set_log_level(&mut self, level: Option<Bytes>) {
        self.log_level = level;
        self.stamp = OnceLock::new();
    }
}

/// The facts about a request that decide how its answer is read.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Asked {
    /// Whether the request may need input (2026-07-28, basic/patterns/mrtr, Supported Requests).
    pub(crate) may_need_input: bool,
    pub(crate) is_tool_call: bool,
    pub(crate) is_tool_list: bool,
    /// Whether the request reads a named resource.
    pub(crate) names_a_resource: bool,
}

impl Asked {
    fn of(request: &Message) -> Self {
        let is_tool_call = request.is_method("tools/call");
        let is_read = request.is_method("resources/read");
        Self {
            may_need_input: is_tool_call || is_read || request.is_method("prompts/get"),
            is_tool_call,
            is_tool_list: request.is_method("tools/list"),
            names_a_resource: is_read && request.name().is_some(),
        }
    }
}

/// A tool call without its task metadata, since tasks are not advertised: "Receivers that do not declare the task capability for a request
/// type **MUST** process requests of that type normally, ignoring any task-augmentation metadata if present" (2025-11-25,
/// basic/utilities/tasks).
fn without_task(mut request: Message) -> Message {
    if request.is_method("tools/call")
        && request.has_rare_members()
        && request.member(Part::Params, TASK).is_some()
    {
        // Params that can't be edited can't be stamped either; that step reports the error.
        let edited = request.edit(Part::Params, &[TASK], &[]);
        if let (Ok(()), Ok(reread)) = (edited, request.clone().reread()) {
            return reread;
        }
    }
    request
}

/// Whether this JSON text is a level of RFC 5424 (2025-11-25, server/utilities/logging: any other is -32602, and a modern server would
/// refuse each request that carries it).
fn is_log_level(json: &[u8]) -> bool {
    const LEVELS: [&str; 8] =
        ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];
    serde_json::from_slice::<String>(json).is_ok_and(|level| LEVELS.contains(&level.as_str()))
}

fn refusal(why: &str) -> ErrorObject {
    ErrorObject::of_call(ErrorCode::INVALID_REQUEST, why.to_owned(), Outcome::NotSent)
}

fn bad_params(why: &'static str) -> ErrorObject {
    ErrorObject::of_call(ErrorCode::INVALID_PARAMS, why, Outcome::NotSent)
}

#[cfg(test)]
mod tests;
