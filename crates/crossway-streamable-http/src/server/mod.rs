//! An upstream as an MCP endpoint: a `tower` service over HTTP bodies.
