//! A legacy client's session as modern requests.
//!
//! [`Session`] takes each message of the client and says what is to be done with it; [`Call`] sees one request through to
//! its end, over all rounds of input that the server wants; [`Listening`] keeps the one `subscriptions/listen` request
//! that stands for the client's standing stream and its resource subscriptions. None of them waits or knows the time: whoever
//! drives them sends what they give.
//!
//! | the client says | what happens |
//! |---|---|
//! | `initialize` | answered from the server's `server/discover` |
//! | `notifications/initialized`, `notifications/roots/list_changed` | taken: no modern server needs them |
//! | `ping`, `logging/setLevel` | answered here; the level goes with each request from then on |
//! | `resources/subscribe`, `resources/unsubscribe` | answered here; the subscription's filter changes |
//! | `notifications/cancelled` | the call's reply is dropped |
//! | a response | the answer to a server request of a call's round |
//! | any other request | stamped with what each modern request has to say of its client, and sent |

mod call;
mod initialize;
mod listening;
mod results;
mod revisions;

use std::collections::BTreeSet;

use bytes::Bytes;
use crossway_proto::{ErrorCode, ErrorObject, Kind, Message, Part, RequestId, Revision};

pub use call::{Call, Step};
pub use listening::{Heard, Listening};

use crate::keys;
use crate::limits::SUBSCRIPTIONS;

/// The revision in which requests are made for the client.
pub const SPOKEN: Revision = Revision::V2026_07_28;

/// One legacy client's session.
#[derive(Debug, Default)]
pub struct Session {
    phase: Phase,
    client: Client,
    has_logging: bool,
    has_subscriptions: bool,
    subscribed: BTreeSet<String>,
    next_request: u64,
}

#[derive(Debug, Default)]
enum Phase {
    #[default]
    Fresh,
    /// Its `initialize` waits for what the server says of itself.
    Asking(Box<Message>),
    Open,
}

/// What a client said of itself.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) revision: Revision,
    /// JSON text, an object.
    capabilities: Bytes,
    /// JSON text.
    info: Option<Bytes>,
    /// JSON text, a string.
    log_level: Option<Bytes>,
}

impl Default for Client {
    fn default() -> Self {
        Self {
            revision: Revision::LATEST_LEGACY,
            capabilities: Bytes::from_static(b"{}"),
            info: None,
            log_level: None,
        }
    }
}

/// What is to be done with a client's message.
#[derive(Debug)]
pub enum Taken {
    /// It is answered with this.
    Answered(Message),
    /// It waits until this request is answered: [`Session::handle_discovered`].
    Discover(Message),
    /// It is a request that goes to the server.
    Call(Box<Call>),
    /// It is a notification that goes to the server as it is.
    Notify(Message),
    /// It answers a server request: of the call whose [`Call::handle_response`] takes it.
    Response(Message),
    /// The call with this id of the client's is cancelled.
    Cancelled(RequestId),
    /// The filter of the client's subscription has changed; this answers the client.
    Refiltered(Message),
    /// Nothing more is to be done.
    Nothing,
}

impl Session {
    /// A session that has not begun.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The revision that was agreed upon; `None` before that.
    #[must_use]
    pub fn revision(&self) -> Option<Revision> {
        matches!(self.phase, Phase::Open).then_some(self.client.revision)
    }

    /// Takes a message of the client.
    pub fn handle_message(&mut self, message: Message) -> Taken {
        match message.kind() {
            Kind::Result | Kind::Error => Taken::Response(message),
            Kind::Notification => self.notification(message),
            Kind::Request => {
                let Some(id) = message.id() else { return Taken::Nothing };
                self.request(message, &id).unwrap_or_else(|error| Taken::Answered(error_of(&id, error)))
            }
        }
    }

    /// Takes the answer to the request of [`Taken::Discover`], and gives the client's.
    ///
    /// An answer that is an error, or none that can be used, ends the attempt: the client may initialize again.
    pub fn handle_discovered(&mut self, answer: &Message) -> Option<Message> {
        let Phase::Asking(initialize) = std::mem::take(&mut self.phase) else { return None };
        let id = initialize.id()?;
        if let Some(error) = answer.error() {
            return results::error_with(&id, error);
        }
        let discovered = match initialize::Discovered::read(answer) {
            Ok(discovered) => discovered,
            Err(why) => return Some(error_of(&id, ErrorObject::new(ErrorCode::INTERNAL_ERROR, why))),
        };
        self.has_logging = discovered.has("logging");
        self.has_subscriptions = discovered.has_subscriptions();
        self.phase = Phase::Open;
        Message::result_of(&id, &discovered.initialize_result(self.client.revision)).ok()
    }

    /// What the client wants to hear of: the parameter `notifications` of `subscriptions/listen`, as JSON text.
    #[must_use]
    pub fn filter(&self) -> Bytes {
        let mut filter = serde_json::json!({
            "toolsListChanged": true, "promptsListChanged": true, "resourcesListChanged": true,
        });
        if !self.subscribed.is_empty() {
            filter["resourceSubscriptions"] = self.subscribed.iter().map(String::as_str).collect();
        }
        Bytes::from(filter.to_string())
    }

    /// A request of our own on the client's behalf. `params` is JSON text, an object.
    pub fn request_of(&mut self, method: &str, params: &[u8]) -> Option<Message> {
        self.next_request += 1;
        let id = RequestId::from(format!("crossway-{}", self.next_request).as_str());
        let request = Message::request_of(&id, method, Some(params)).ok()?;
        self.client.stamp(request).ok()
    }

    fn notification(&mut self, message: Message) -> Taken {
        match message.method().as_deref() {
            Some("notifications/cancelled") => {
                message.cancelled_id().map_or(Taken::Nothing, Taken::Cancelled)
            }
            Some(
                "notifications/initialized" | "notifications/roots/list_changed" | "notifications/progress",
            )
            | None => Taken::Nothing,
            Some(_) => Taken::Notify(message),
        }
    }

    fn request(&mut self, message: Message, id: &RequestId) -> Result<Taken, ErrorObject> {
        let method = message.method().unwrap_or_default().into_owned();
        let done = || Taken::Answered(empty(id));
        match (method.as_str(), &self.phase) {
            ("ping", _) => Ok(done()),
            ("initialize", _) => self.initialize(message),
            (_, Phase::Fresh | Phase::Asking(_)) => {
                Err(refusal("the session is not open yet; send initialize first"))
            }
            ("logging/setLevel", _) if self.has_logging => {
                let level = message.member(Part::Params, "level").filter(|level| level.starts_with(b"\""));
                let level = level.ok_or_else(|| bad_params("logging/setLevel needs a \"level\""))?;
                self.client.log_level = Some(Bytes::copy_from_slice(level));
                Ok(done())
            }
            ("resources/subscribe" | "resources/unsubscribe", _) if self.has_subscriptions => {
                let uri = message.name().ok_or_else(|| bad_params("a \"uri\" is needed"))?.into_owned();
                if method == "resources/subscribe" {
                    if self.subscribed.len() >= SUBSCRIPTIONS && !self.subscribed.contains(&uri) {
                        let why = "the session has too many resource subscriptions";
                        return Err(ErrorObject::new(ErrorCode::OVER_LIMIT, why));
                    }
                    self.subscribed.insert(uri);
                } else {
                    self.subscribed.remove(&uri);
                }
                Ok(Taken::Refiltered(empty(id)))
            }
            // What modern servers don't have, or have in another shape. None of it was advertised.
            (
                "logging/setLevel"
                | "resources/subscribe"
                | "resources/unsubscribe"
                | "tasks/get"
                | "tasks/list"
                | "tasks/result"
                | "tasks/cancel",
                _,
            ) => {
                let why = format!("the server has no {method}");
                Err(ErrorObject::new(ErrorCode::METHOD_NOT_FOUND, why))
            }
            _ => {
                let stamped = self.client.stamp(message)?;
                Ok(Taken::Call(Box::new(Call::new(stamped, self.client.clone()))))
            }
        }
    }

    fn initialize(&mut self, message: Message) -> Result<Taken, ErrorObject> {
        let asked = message.initialize_version().and_then(|version| Revision::parse(&version));
        let revision = asked.filter(|revision| revision.is_legacy()).unwrap_or(Revision::LATEST_LEGACY);
        let copy = |json: &[u8]| Bytes::copy_from_slice(json);
        let capabilities = message.member(Part::Params, "capabilities").filter(|json| json.starts_with(b"{"));
        self.client = Client {
            revision,
            capabilities: capabilities.map_or(Bytes::from_static(b"{}"), initialize::client_capabilities),
            info: message.member(Part::Params, "clientInfo").map(copy),
            log_level: None,
        };
        self.subscribed.clear();
        self.phase = Phase::Asking(Box::new(message));
        match self.request_of("server/discover", b"{}") {
            Some(discover) => Ok(Taken::Discover(discover)),
            None => Err(refusal("what the client says of itself can't be passed on")),
        }
    }
}

impl Client {
    /// Says in a request what each modern request has to say (2026-07-28, basic/index, `_meta`). What else stands in
    /// its `_meta` stays.
    pub(crate) fn stamp(&self, mut request: Message) -> Result<Message, ErrorObject> {
        let version = serde_json::Value::from(SPOKEN.as_str()).to_string();
        let mut put: Vec<(&str, &[u8])> = vec![
            (keys::PROTOCOL_VERSION, version.as_bytes()),
            (keys::CLIENT_CAPABILITIES, &self.capabilities),
        ];
        put.extend(self.info.as_ref().map(|info| (keys::CLIENT_INFO, &info[..])));
        put.extend(self.log_level.as_ref().map(|level| (keys::LOG_LEVEL, &level[..])));
        let bad = |_| bad_params("\"params\" and its \"_meta\" have to be objects");
        request.edit(Part::Meta, &[keys::LOG_LEVEL], &put).map_err(bad)?;
        request.reread().map_err(|error| refusal(&error.to_string()))
    }

    /// Whether the client can answer a server request of this method, in its revision.
    pub(crate) fn can_answer(&self, method: &str, params: Option<&[u8]>) -> bool {
        revisions::can_be_asked(self.revision, &self.capabilities, method, params)
    }
}

fn refusal(why: &str) -> ErrorObject {
    ErrorObject::new(ErrorCode::INVALID_REQUEST, why.to_owned())
}

fn bad_params(why: &'static str) -> ErrorObject {
    ErrorObject::new(ErrorCode::INVALID_PARAMS, why)
}

/// An error as a response.
#[expect(clippy::expect_used, reason = "its data was written by serde_json")]
pub(crate) fn error_of(id: &RequestId, error: ErrorObject) -> Message {
    Message::error_of(Some(id), &error).expect("valid by construction")
}

#[expect(clippy::expect_used, reason = "an id is valid JSON by its type")]
fn empty(id: &RequestId) -> Message {
    Message::result_of(id, b"{}").expect("valid by construction")
}

#[cfg(test)]
mod tests;
