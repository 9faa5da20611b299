//! What a side of a revision may be sent.

use crossway_proto::Revision;
use serde_json::Value;

/// What of a message for a client its revision does not know; `None` if it knows all of it.
pub(crate) fn strange_to_client(revision: Revision, message: &Value) -> Option<String> {
    let method = message["method"].as_str();
    let is_request = method.is_some() && !message["id"].is_null();
    let found = if revision.is_modern() {
        modern_client(message, method, is_request)
    } else {
        legacy_client(revision, message, method, is_request)
    };
    found.map(|what| format!("{what} for a client of {revision}: {message}"))
}

fn legacy_client(
    revision: Revision,
    message: &Value,
    method: Option<&str>,
    is_request: bool,
) -> Option<String> {
    if let Some(member) = modern_member(message) {
        return Some(member);
    }
    let code = message["error"]["code"].as_i64().unwrap_or_default();
    if (-32099..=-32020).contains(&code) {
        return Some(format!("the code {code}"));
    }
    match method {
        None => {}
        Some("ping" | "roots/list" | "sampling/createMessage") if is_request => {}
        Some("elicitation/create") if is_request && revision.has_elicitation() => {
            let by_url = message["params"]["mode"] == "url";
            if by_url && !revision.has_url_elicitation() {
                return Some("elicitation by URL".to_owned());
            }
        }
        Some(
            "notifications/progress"
            | "notifications/message"
            | "notifications/cancelled"
            | "notifications/tools/list_changed"
            | "notifications/prompts/list_changed"
            | "notifications/resources/list_changed"
            | "notifications/resources/updated",
        ) if !is_request => {}
        Some(method) => return Some(method.to_owned()),
    }
    let structured = &message["result"]["structuredContent"];
    if !structured.is_null() && !structured.is_object() {
        return Some("structured content that is no object".to_owned());
    }
    content(revision, &message["result"]["content"]).or_else(|| {
        let asked = message["params"]["messages"].as_array()?;
        asked.iter().find_map(|said| content(revision, &said["content"]))
    })
}

fn modern_client(message: &Value, method: Option<&str>, is_request: bool) -> Option<String> {
    if is_request {
        return Some("a request".to_owned());
    }
    let code = message["error"]["code"].as_i64().unwrap_or_default();
    let is_reserved = (-32099..=-32020).contains(&code) && !(-32022..=-32020).contains(&code);
    if is_reserved || [-32002, -32042].contains(&code) {
        return Some(format!("the code {code}"));
    }
    let result = &message["result"];
    if result.is_object() && !["complete", "input_required"].iter().any(|kind| result["resultType"] == *kind)
    {
        return Some("a result without its type".to_owned());
    }
    let subscription = &message["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"];
    match method {
        None | Some("notifications/progress" | "notifications/message" | "notifications/cancelled") => None,
        Some(
            "notifications/subscriptions/acknowledged"
            | "notifications/tools/list_changed"
            | "notifications/prompts/list_changed"
            | "notifications/resources/list_changed"
            | "notifications/resources/updated",
        ) if !subscription.is_null() => None,
        Some(method) => Some(method.to_owned()),
    }
}

/// What of a message for a server its revision does not know.
pub(crate) fn strange_to_server(revision: Revision, message: &Value) -> Option<String> {
    let method = message["method"].as_str();
    let is_request = method.is_some() && !message["id"].is_null();
    let found = if revision.is_modern() {
        modern_server(message, method, is_request)
    } else {
        legacy_server(revision, message, method, is_request)
    };
    found.map(|what| format!("{what} for a server of {revision}: {message}"))
}

fn legacy_server(
    revision: Revision,
    message: &Value,
    method: Option<&str>,
    is_request: bool,
) -> Option<String> {
    if let Some(member) = modern_member(message) {
        return Some(member);
    }
    match method {
        None => {
            let result = &message["result"];
            if !result["action"].is_null() && !revision.has_elicitation() {
                return Some("an answer to an elicitation".to_owned());
            }
            content(revision, &result["content"]).filter(|_| !result["role"].is_null())
        }
        Some(
            "initialize"
            | "ping"
            | "tools/list"
            | "tools/call"
            | "resources/list"
            | "resources/templates/list"
            | "resources/read"
            | "resources/subscribe"
            | "resources/unsubscribe"
            | "prompts/list"
            | "prompts/get"
            | "logging/setLevel",
        ) if is_request => None,
        Some("completion/complete") if is_request => None,
        Some(
            "notifications/initialized"
            | "notifications/cancelled"
            | "notifications/roots/list_changed"
            | "notifications/progress",
        ) if !is_request => None,
        Some(method) => Some(method.to_owned()),
    }
}

fn modern_server(message: &Value, method: Option<&str>, is_request: bool) -> Option<String> {
    let meta = &message["params"]["_meta"];
    let says_who = meta["io.modelcontextprotocol/protocolVersion"] == "2026-07-28"
        && meta["io.modelcontextprotocol/clientCapabilities"].is_object();
    match method {
        // Which is how it is found out whether it takes sessions as well.
        Some("initialize") if is_request => None,
        Some(
            "server/discover"
            | "tools/list"
            | "tools/call"
            | "resources/list"
            | "resources/templates/list"
            | "resources/read"
            | "prompts/list"
            | "prompts/get"
            | "completion/complete"
            | "subscriptions/listen",
        ) if is_request => (!says_who).then(|| "a request that does not say who asks".to_owned()),
        Some("notifications/cancelled") if !is_request => None,
        Some(method) => Some(method.to_owned()),
        None => Some("a response".to_owned()),
    }
}

/// A member that legacy revisions don't have.
fn modern_member(message: &Value) -> Option<String> {
    for (place, names) in [
        ("result", &["resultType", "ttlMs", "cacheScope", "inputRequests", "requestState"][..]),
        ("params", &["inputResponses", "requestState"]),
    ] {
        let part = &message[place];
        if let Some(name) = names.iter().find(|name| !part[**name].is_null()) {
            return Some((*name).to_owned());
        }
        let meta = part["_meta"].as_object().into_iter().flat_map(|meta| meta.keys());
        if let Some(name) = meta.into_iter().find(|name| name.starts_with("io.modelcontextprotocol/")) {
            return Some(name.clone());
        }
    }
    None
}

/// A type of content that a revision does not have.
fn content(revision: Revision, content: &Value) -> Option<String> {
    let blocks: Vec<&Value> = match content {
        Value::Array(blocks) => blocks.iter().collect(),
        Value::Null => return None,
        block => vec![block],
    };
    let kinds = blocks.into_iter().filter_map(|block| block["type"].as_str());
    kinds
        .filter(|kind| match *kind {
            "audio" => revision < Revision::V2025_03_26,
            "resource_link" => revision < Revision::V2025_06_18,
            "text" | "image" | "resource" => false,
            _ => true,
        })
        .map(str::to_owned)
        .next()
}
