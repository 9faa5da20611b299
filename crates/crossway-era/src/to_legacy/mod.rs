//! Translates modern requests into traffic on a legacy server's session.
//!
//! [`Session`] is one session with the server: it makes the opening requests, knows the server's capabilities, and prepares requests.
//! [`Call`] handles one request up to its answer; when the server sends its client a request meanwhile, the call **parks**: the client
//! gets `input_required`, and its second request resumes the call. [`Listener`] is one `subscriptions/listen`.
//! None of them does I/O or knows the time: the driver sends the messages that they return.
//!
//! | the server sends | what happens |
//! |---|---|
//! | a result | gets `resultType` and `serverInfo`, and where they belong `ttlMs` and `cacheScope` |
//! | a list of tools | loses those that can only be called as tasks, which modern revisions lack, and the others' `execution` |
//! | an error | codes that modern revisions have retired are replaced |
//! | the error -32042, which sends the user to URLs first | the client is asked to, if it can be; its second request calls again |
//! | progress | passes to its call |
//! | a log message | passes to the call in whose course it comes, if that asked for logs of its level |
//! | `elicitation/create`, `sampling/createMessage`, `roots/list` | the call parks, if its client can answer; newer content becomes text |
//! | `ping` | answered here |
//! | changes of lists and resources | go to the subscriptions |

mod accept;
mod call;
mod capabilities;
mod listener;
pub(crate) mod results;
mod url_elicitation;

use bytes::Bytes;
use crossway_proto::{ErrorCode, ErrorObject, Message, Outcome, Part, RequestId, Revision, excerpt};
use serde_json::{Map, Value};

pub use accept::check;
pub use call::{Call, Question, Step, unanswered};
pub use capabilities::ClientFeatures;
pub use listener::{Listener, below};
pub use url_elicitation::url_elicitation_refused;

use crate::capabilities::without_null;
use crate::from_legacy::TASK;
use crate::keys;
use crate::limits;
use crate::messages::{answer, empty};

/// Whether the server may send requests in the course of this one, or answer it with questions (2026-07-28, basic/patterns/mrtr, Supported
/// Requests).
#[must_use]
#[inline]
pub fn may_ask(request: &Message) -> bool {
    ["tools/call", "prompts/get", "resources/read"].iter().any(|method| request.is_method(method))
}

/// The answer to a request with a `requestState` that is not valid: "Servers [...] **MUST** reject state that fails verification"
/// (2026-07-28, basic/patterns/mrtr, Server Requirements). It says the same whatever is wrong with the state.
#[must_use]
pub fn state_refused(request: &Message) -> Message {
    let why = "the requestState is not valid here: it was used, has expired, or is of another request";
    request.error_response(&ErrorObject::new(ErrorCode::INVALID_PARAMS, why))
}

/// Methods of legacy revisions that modern ones lack.
///
/// On a session that clients share, they would change it for all, or show another client's data, as `tasks/list` would.
const LEGACY_METHODS: [&str; 5] =
    ["initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe"];

/// Members of a request's `_meta` that only modern revisions have.
const MODERN_META: [&str; 4] =
    [keys::PROTOCOL_VERSION, keys::CLIENT_CAPABILITIES, keys::CLIENT_INFO, keys::LOG_LEVEL];

/// Members of the params of a request that brings answers.
const SECOND_REQUEST: [&str; 2] = ["inputResponses", "requestState"];
/// Members of params that servers don't get. Tasks are not advertised: "Receivers that do not declare the task capability for a request
/// type **MUST** process requests of that type normally, ignoring any task-augmentation metadata if present" (2025-11-25,
/// basic/utilities/tasks).
const NOT_FOR_SERVERS: [&str; 3] = [SECOND_REQUEST[0], SECOND_REQUEST[1], TASK];

/// An open session with a legacy server.
#[derive(Debug, Clone)]
pub struct Session {
    revision: Revision,
    capabilities: Map<String, Value>,
    /// JSON text, an object.
    info: Bytes,
    /// The `_meta` with `serverInfo`, for results without a `_meta`: JSON text, an object.
    meta: Bytes,
    /// JSON text, a string.
    instructions: Option<Bytes>,
}

/// Why a server's answer to `initialize` opens no session.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The server refused: the beginning of what it says, [printable](crossway_proto::printable).
    #[error("the server refuses a session: {0}")]
    Refused(String),
    /// The answer lacks a member or can't be read.
    #[error("the server's answer to initialize has no {0}")]
    Incomplete(&'static str),
    /// The server chose a revision that is not a known legacy one: the beginning of its name, [printable](crossway_proto::printable).
    #[error("the server speaks revision \"{0}\", which is not known")]
    UnknownRevision(String),
}

impl Session {
    /// The `initialize` request, for clients with these features.
    #[must_use]
    pub fn opening(asks: &ClientFeatures) -> Message {
        let params = format!(
            r#"{{"protocolVersion":"{}","capabilities":{},"clientInfo":{{"name":"crossway","version":"{}"}}}}"#,
            Revision::LATEST_LEGACY,
            asks.as_json(),
            env!("CARGO_PKG_VERSION")
        );
        request(&RequestId::from(0), "initialize", params.as_bytes())
    }

    /// Reads the answer to `initialize`.
    ///
    /// # Errors
    ///
    /// When the server refuses, the answer can't be read, or its revision is unknown.
    pub fn opened(answer: &Message) -> Result<Self, OpenError> {
        if let Some(error) = answer.error() {
            let error: Value = serde_json::from_slice(error).unwrap_or_default();
            let why = error["message"].as_str().unwrap_or("without a reason");
            return Err(OpenError::Refused(excerpt(why, limits::REFUSAL_CHARS)));
        }
        let version = answer.initialize_version().ok_or(OpenError::Incomplete("protocolVersion"))?;
        let revision = Revision::parse(&version).filter(|revision| revision.is_legacy());
        let capabilities = answer.member(Part::Result, "capabilities");
        let capabilities = capabilities.and_then(|json| serde_json::from_slice(json).ok());
        let copy = |name| answer.member(Part::Result, name).map(Bytes::copy_from_slice);
        let info = copy("serverInfo").ok_or(OpenError::Incomplete("serverInfo"))?;
        let meta = [b"{\"", keys::SERVER_INFO.as_bytes(), b"\":", &info[..], b"}"].concat().into();
        Ok(Self {
            revision: revision
                .ok_or_else(|| OpenError::UnknownRevision(excerpt(&version, limits::REFUSAL_CHARS)))?,
            capabilities: capabilities.map(without_null).ok_or(OpenError::Incomplete("capabilities"))?,
            info,
            meta,
            instructions: copy("instructions").filter(|text| text.starts_with(b"\"")),
        })
    }

    /// The notification to send once the session is open.
    #[must_use]
    pub fn initialized() -> Message {
        notification("notifications/initialized")
    }

    /// The revision that the server chose.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// Whether the server has a capability, or, with a path such as `resources.subscribe`, a part of one.
    #[must_use]
    pub fn can(&self, path: &str) -> bool {
        match path.split_once('.') {
            None => self.capabilities.contains_key(path),
            Some((name, part)) => self.capabilities.get(name).is_some_and(|value| value[part] == true),
        }
    }

    /// Whether tools can be called as tasks (2025-11-25, basic/utilities/tasks, Capability Negotiation).
    fn has_tasks(&self) -> bool {
        self.capabilities.get("tasks").is_some_and(|tasks| !tasks["requests"]["tools"]["call"].is_null())
    }

    /// The answer to `server/discover`.
    #[must_use]
    pub fn discovered(&self, id: &RequestId) -> Message {
        let mut capabilities = self.capabilities.clone();
        // Tasks differ in modern revisions, experimental capabilities were negotiated with us, and extensions are negotiated between two
        // sides: the server does not know the client.
        for legacy in ["tasks", "experimental", "extensions"] {
            capabilities.remove(legacy);
        }
        let mut result = format!(
            r#"{{"resultType":"complete","supportedVersions":["{}"],"capabilities":{}"#,
            Revision::V2026_07_28,
            Value::Object(capabilities)
        )
        .into_bytes();
        if let Some(instructions) = &self.instructions {
            result.extend_from_slice(br#","instructions":"#);
            result.extend_from_slice(instructions);
        }
        result.extend_from_slice(br#","ttlMs":0,"cacheScope":"private","_meta":{""#);
        result.extend_from_slice(keys::SERVER_INFO.as_bytes());
        result.extend_from_slice(b"\":");
        result.extend_from_slice(&self.info);
        result.extend_from_slice(b"}}");
        answer(id, &result)
    }

    /// Prepares a modern client's request. The returned call has the request for the server.
    ///
    /// # Errors
    ///
    /// When the message is not a request, or one that the server can't get: its method is not one of a modern
    /// revision, or it can't be read.
    pub fn call(&self, request: &Message) -> Result<Call, ErrorObject> {
        let Some(id) = request.request_id() else {
            let why = "it is no request";
            return Err(ErrorObject::of_call(ErrorCode::INVALID_REQUEST, why, Outcome::NotSent));
        };
        let method = request.method().unwrap_or_default();
        if LEGACY_METHODS.contains(&method.as_ref()) || method.starts_with("tasks/") {
            let why = format!("revision {} has no {method}, or the server has not", Revision::V2026_07_28);
            return Err(ErrorObject::of_call(ErrorCode::METHOD_NOT_FOUND, why, Outcome::NotSent));
        }
        let mut request = request.clone();
        let asks = ClientFeatures::of(&request);
        let level = request.log_level().map(|level| {
            // "If the `io.modelcontextprotocol/logLevel` value [...] is not a recognized log level, the server
            // **SHOULD** reject that request" (2026-07-28, server/utilities/logging, Error Handling).
            Level::parse(level).ok_or_else(|| {
                ErrorObject::of_call(
                    ErrorCode::INVALID_PARAMS,
                    "the request's logLevel is none",
                    Outcome::NotSent,
                )
            })
        });
        let level = level.transpose()?;
        let bare = match request.params() {
            // Arguments may be large, and few requests are second ones.
            Some([b'{', ..]) if !request.has_rare_members() => Ok(()),
            _ => request.edit(Part::Params, &NOT_FOR_SERVERS, &[]),
        };
        bare.and_then(|()| request.edit(Part::Meta, &MODERN_META, &[])).map_err(|_| {
            ErrorObject::of_call(
                ErrorCode::INVALID_PARAMS,
                "\"params\" and its \"_meta\" have to be objects",
                Outcome::NotSent,
            )
        })?;
        let request = request
            .reread()
            .map_err(|error| ErrorObject::of_call(error.code(), error.to_string(), Outcome::NotSent))?;
        let info = (self.info.clone(), self.meta.clone());
        Ok(Call::new(request, id, self.revision, info, asks, level, self.has_tasks()))
    }

    /// A request whose answer shows that the server has read everything sent before it.
    #[must_use]
    pub fn ping() -> Message {
        request(&RequestId::from("crossway-ping"), "ping", b"{}")
    }

    /// A request that asks the server for log messages of a level and above.
    #[must_use]
    pub fn set_level(level: results::Level) -> Message {
        let params = format!(r#"{{"level":"{}"}}"#, level.as_str());
        request(&RequestId::from("crossway-level"), "logging/setLevel", params.as_bytes())
    }

    /// A request that begins a subscription to a resource.
    #[must_use]
    pub fn subscribe(uri: &str) -> Message {
        subscription("resources/subscribe", uri)
    }

    /// A request that ends a subscription to a resource.
    #[must_use]
    pub fn unsubscribe(uri: &str) -> Message {
        subscription("resources/unsubscribe", uri)
    }
}

fn subscription(method: &str, uri: &str) -> Message {
    let params = format!(r#"{{"uri":{}}}"#, Value::from(uri));
    request(&RequestId::from("crossway-subscribe"), method, params.as_bytes())
}

pub use results::Level;

/// The identity of a request, which a repetition shares: its method, and its params but for the members of a second request.
/// Requests that differ in it never give the same text.
#[must_use]
pub fn identity(request: &Message) -> Vec<u8> {
    let own = [SECOND_REQUEST[0], SECOND_REQUEST[1], "_meta"];
    let mut members: Vec<_> =
        request.members(Part::Params).filter(|(name, _)| !own.contains(&name.as_ref())).collect();
    members.sort();
    let method = request.method().unwrap_or_default();
    let mut text = Vec::new();
    let parts = members.iter().flat_map(|(name, value)| [name.as_bytes(), value]);
    for part in std::iter::once(method.as_bytes()).chain(parts) {
        text.extend_from_slice(&(part.len() as u64).to_be_bytes());
        text.extend_from_slice(part);
    }
    text
}

/// The answer to a server request that nobody can answer.
#[must_use]
pub fn refuse(request: &Message) -> Message {
    let error = ErrorObject::new(ErrorCode::METHOD_NOT_FOUND, "there is no client that could be asked");
    request.error_response(&error)
}

/// The answer to the server's `ping`.
#[must_use]
pub fn pong(request: &Message) -> Message {
    match request.request_id() {
        Some(id) => empty(&id),
        None => refuse(request),
    }
}

#[expect(clippy::expect_used, reason = "all of its params are written here")]
fn request(id: &RequestId, method: &str, params: &[u8]) -> Message {
    Message::request_of(id, method, Some(params)).expect("valid by construction")
}

#[expect(clippy::expect_used, reason = "it has no params")]
fn notification(method: &str) -> Message {
    Message::notification_of(method, None).expect("valid by construction")
}

#[cfg(test)]
mod tests;
