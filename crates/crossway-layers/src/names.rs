//! Names of spans, their fields and event targets, for filters and exporters.

/// The target of the span of each call, which is called `mcp.call`.
pub const CALL: &str = "crossway::call";

/// The target of what goes wrong in writing the audit log.
pub const AUDIT: &str = "crossway::audit";

/// The target of what goes wrong in reading credentials. Never what they are.
pub const CREDENTIALS: &str = "crossway::credentials";

/// The target of what is not permitted.
pub const AUTHORIZE: &str = "crossway::authorize";
