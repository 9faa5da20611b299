//! A reference parser of messages.

use crossway_proto::{Kind, Limits, Message, RequestId};

use super::super::json::{Members, depth, is_json};

const SUBSCRIPTION_ID: &str = "io.modelcontextprotocol/subscriptionId";
const PROTOCOL_VERSION: &str = "io.modelcontextprotocol/protocolVersion";

/// The parts of a message.
pub(super) struct Reference<'a> {
    kind: Kind,
    top: Members<'a>,
    params: Members<'a>,
    result: Members<'a>,
    params_meta: Members<'a>,
    result_meta: Members<'a>,
}

impl<'a> Reference<'a> {
    /// Parses a message; `None` if the text is not a message, or exceeds a limit.
    pub(super) fn of(text: &'a [u8], limits: &Limits) -> Option<Self> {
        if text.len() > limits.message_bytes || !is_json(text) || depth(text) > limits.depth {
            return None;
        }
        let inner =
            |members: &Members<'a>, name| members.one(name).and_then(Members::of).unwrap_or(Members(vec![]));
        let top = Members::of(text)?;
        let (params, result) = (inner(&top, "params"), inner(&top, "result"));
        let (params_meta, result_meta) = (inner(&params, "_meta"), inner(&result, "_meta"));
        let reference = Self { kind: kind(&top)?, top, params, result, params_meta, result_meta };
        (!reference.is_ambiguous() && reference.ids_are_within(limits)).then_some(reference)
    }

    /// Whether a significant member is duplicated.
    fn is_ambiguous(&self) -> bool {
        let repeats = |members: &Members<'_>, names: &[&str]| names.iter().any(|name| members.repeats(name));
        let both = |one: &Members<'_>, other: &Members<'_>, name| {
            one.one(name).is_some() && other.one(name).is_some()
        };
        repeats(&self.top, &["jsonrpc", "id", "method", "params", "result", "error"])
            || repeats(&self.params, &["name", "uri", "requestId", "progressToken", "protocolVersion", "_meta"])
            || repeats(&self.result, &["protocolVersion", "_meta"])
            || repeats(&self.params_meta, &["progressToken", PROTOCOL_VERSION, SUBSCRIPTION_ID])
            || repeats(&self.result_meta, &[SUBSCRIPTION_ID])
            // A response with parameters is odd enough; one whose parameters are significant too is refused.
            || both(&self.params, &self.result, "_meta")
            || both(&self.params, &self.result, "protocolVersion")
    }

    /// The values in the places of ids: the id, the progress token, the cancelled id, the subscription id.
    pub(super) fn ids(&self) -> [Option<&'a [u8]>; 4] {
        let token = if self.kind == Kind::Request { &self.params_meta } else { &self.params };
        let [asked, answered] = [&self.params_meta, &self.result_meta].map(|meta| meta.one(SUBSCRIPTION_ID));
        [self.top.one("id"), token.one("progressToken"), self.params.one("requestId"), asked.or(answered)]
    }

    fn ids_are_within(&self, limits: &Limits) -> bool {
        let ids = [
            self.top.one("id"),
            self.params.one("requestId"),
            self.params.one("progressToken"),
            self.params_meta.one("progressToken"),
        ];
        ids.iter().flatten().all(|id| id.len() <= limits.id_bytes)
    }

    /// Checks that the message has the same parts as this reading.
    pub(super) fn assert_agrees(&self, message: &Message) {
        assert_eq!(message.kind(), self.kind);
        assert_eq!(message.is_request(), self.kind == Kind::Request);
        assert_eq!(message.is_response(), matches!(self.kind, Kind::Result | Kind::Error));

        let method = string(self.top.one("method"));
        assert_eq!(message.method().as_deref(), method.as_deref());
        assert_eq!(message.method().is_some(), !message.is_response());
        if let Some(method) = &method {
            assert!(message.is_method(method));
        }
        assert_eq!(message.is_method("tools/call"), method.as_deref() == Some("tools/call"));

        let on_resources = method.is_some_and(|method| method.starts_with("resources/"));
        let name = self.params.one(if on_resources { "uri" } else { "name" });
        assert_eq!(message.name().as_deref(), string(name).as_deref());

        assert_eq!(message.params(), self.top.one("params"));
        assert_eq!(message.result(), self.top.one("result"));
        assert_eq!(message.error(), self.top.one("error"));
        assert_eq!(message.meta(), self.params.one("_meta").or(self.result.one("_meta")));

        let assert_id = |said: Option<RequestId>, part: Option<&[u8]>| {
            let part = part.filter(|part| matches!(part[0], b'"' | b'-' | b'0'..=b'9'));
            assert_eq!(said.as_ref().map(RequestId::as_json), part);
        };
        let [id, token, cancelled, subscription] = self.ids();
        assert_id(message.id(), id);
        assert_id(message.progress_token(), token);
        assert_id(message.cancelled_id(), cancelled);
        assert_id(message.subscription_id(), subscription);

        let version = self.params.one("protocolVersion").or(self.result.one("protocolVersion"));
        assert_eq!(message.initialize_version().as_deref(), string(version).as_deref());
        let version = self.params_meta.one(PROTOCOL_VERSION);
        assert_eq!(message.meta_version().as_deref(), string(version).as_deref());
    }
}

/// JSON-RPC 2.0, sections 4 and 5, as MCP narrows them.
fn kind(top: &Members<'_>) -> Option<Kind> {
    let first = |name| top.one(name).map(|value| value[0]);
    if top.one("jsonrpc").and_then(|version| string(Some(version))).as_deref() != Some("2.0") {
        return None;
    }
    let has_id = matches!(first("id"), Some(b'"' | b'-' | b'0'..=b'9'));
    match (first("method"), first("result"), first("error")) {
        (Some(_), None, None) => {
            string(top.one("method"))?;
            let params_fit = matches!(first("params"), None | Some(b'{' | b'['));
            match first("id") {
                _ if !params_fit => None,
                None => Some(Kind::Notification),
                Some(_) => has_id.then_some(Kind::Request),
            }
        }
        (None, Some(_), None) => has_id.then_some(Kind::Result),
        (None, None, Some(b'{')) => {
            (has_id || matches!(first("id"), None | Some(b'n'))).then_some(Kind::Error)
        }
        _ => None,
    }
}

/// The value of a JSON string that is valid Unicode.
fn string(value: Option<&[u8]>) -> Option<String> {
    serde_json::from_slice(value?).ok()
}
