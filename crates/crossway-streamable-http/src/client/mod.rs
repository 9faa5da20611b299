//! An MCP server at a URL as an upstream.
