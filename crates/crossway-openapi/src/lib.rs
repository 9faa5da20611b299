#![cfg_attr(feature = "face", doc = include_str!("../README.md"))]
#![cfg_attr(not(feature = "face"), doc = "OpenAPI and MCP, both ways.")]

#[cfg(feature = "face")]
pub mod face;
