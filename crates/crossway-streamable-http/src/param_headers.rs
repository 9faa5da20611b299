//! Mirrored parameters (`Mcp-Param-*`), passed from server to client in a call's extensions.

use http::HeaderMap;

/// The `Mcp-Param-*` headers of a modern request, in a call's [extensions](crossway_service::Context::extensions).
///
/// A server puts them there unchanged, also when there are none; the client sends them on. "Intermediate
/// servers that do not recognize an `Mcp-Param-{Name}` header **MUST** forward it" (2026-07-28,
/// basic/transports/streamable-http). A call without this value did not come over HTTP, and the client makes
/// the headers itself.
#[derive(Debug, Clone, Default)]
pub struct ParamHeaders(pub HeaderMap);
