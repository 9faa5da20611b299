//! Recognizes requests that belong to an open session.

use crossway_proto::Revision;
use crossway_proto::http_rules::names::{MCP_PROTOCOL_VERSION, MCP_SESSION_ID};

use super::Asked;
use crate::faces::is_of_mcp;

/// Whether all that a request can do is take part in a session that the same caller has opened before.
///
/// The faces ensure this: a legacy request with an `Mcp-Session-Id` gets 404 unless the session exists and has the same
/// owner, and so does a message with a `sessionId` of HTTP+SSE. In modern requests the header is ignored, so they are in
/// no session, whatever they say.
///
/// Other faces have no sessions, whatever their paths end with: a tool of the OpenAPI face may be called `message`.
pub(super) fn is_within_one(asked: &Asked<'_>) -> bool {
    let path = asked.uri.path();
    if !is_of_mcp(path) {
        return false;
    }
    let path = path.strip_suffix('/').unwrap_or(path);
    if path.ends_with("/mcp") {
        let is_legacy = match asked.headers.get(&MCP_PROTOCOL_VERSION) {
            None => true,
            Some(version) => {
                let revision = version.to_str().ok().and_then(Revision::parse);
                revision.is_some_and(|revision| !revision.is_modern())
            }
        };
        return is_legacy
            && asked.headers.contains_key(&MCP_SESSION_ID)
            && asked.headers.get_all(&MCP_PROTOCOL_VERSION).iter().count() <= 1;
    }
    asked.uri.path().ends_with("/message")
        && asked.uri.query().is_some_and(|query| query.split('&').any(|pair| pair.starts_with("sessionId=")))
}
