//! Names of MCP's headers that [`http::header`] lacks.

use http::HeaderName;

/// `Mcp-Session-Id`: the session that a legacy request belongs to (2025-03-26 to 2025-11-25, basic/transports).
pub static MCP_SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");

/// `MCP-Protocol-Version`: the revision that a request speaks (2025-06-18 and later, basic/transports).
pub static MCP_PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");

/// `Mcp-Method`: the body's `method` (2026-07-28, basic/transports/streamable-http).
pub static MCP_METHOD: HeaderName = HeaderName::from_static("mcp-method");

/// `Mcp-Name`: the body's `params.name` or `params.uri` (2026-07-28, basic/transports/streamable-http).
pub static MCP_NAME: HeaderName = HeaderName::from_static("mcp-name");

/// The prefix of the headers that mirror a tool's arguments: `Mcp-Param-`.
pub const MCP_PARAM_PREFIX: &str = "mcp-param-";

/// `Last-Event-ID`: where a legacy stream should be resumed (WHATWG HTML, 9.2.4).
pub static LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// `X-Accel-Buffering`: `no` tells proxies to hand an event stream on at once.
pub static X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
