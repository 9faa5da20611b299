//! What the examples share: the MCP server of `own_upstream`.

#[path = "bin/own_upstream/shouting.rs"]
mod shouting;

pub use shouting::Shouting;
