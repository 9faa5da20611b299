//! Serves an upstream's tools as an OpenAPI document and operations, as mcpo does.
//!
//! | request | answer |
//! |---|---|
//! | `GET /openapi.json` | the document: an operation for each tool that the caller sees |
//! | `POST /{tool}` | what the tool answers to the arguments in the body |
//! | `GET /docs` | a page to read the document and try the tools; it needs no other host |
//!
//! Where MCP is served [beside it](Config::beside_mcp), tools that are called `mcp`, `sse` or `message` are at `/{tool}/call`.
//!
//! [`OpenApi`] has that of one upstream. A [`Directory`] has several by name: each below `/{upstream}`, and at its root one document of
//! all, with paths `/{upstream}/{tool}`.
//!
//! Each request asks the upstream for its list of tools with whatever was found out about the caller (its extensions go along), so
//! that the document and the calls are decided by what stands behind. That is meant to be something that knows its lists, such as a
//! router: what was read of a list is kept and known again by its bytes, and costs next to nothing.
//!
//! Answers are JSON values, failures are a status of 400 or more and `{"detail": ..}`; the README has both tables.

mod answer;
mod arguments;
mod ask;
mod body;
mod config;
mod cors;
mod directory;
mod docs;
mod document;
mod form;
mod future;
mod kept;
mod key;
mod known;
mod limits;
mod one;
mod problem;
mod route;
mod schema;
mod service;
mod toolset;
mod tree;

pub use config::{Config, NeedsBearer};
pub use directory::Directory;
pub use future::ResponseFuture;
pub use key::{ApiKey, InvalidKey};
pub use limits::Limits;
pub use service::OpenApi;

use form::Form;

/// Marks, in its extensions, a call of a tool that is not in the caller's list. It is [made](Config::tells_of_unlisted) to be refused: the
/// caller gets 404 whatever comes of it.
#[derive(Debug, Clone, Copy)]
pub struct Unlisted;

/// The body of a response: it is there as a whole.
pub type Body = http_body_util::Full<bytes::Bytes>;

/// A name as it stands in a URL's path.
fn encode_segment(name: &str) -> String {
    /// All but what RFC 3986 calls unreserved.
    const RESERVED: percent_encoding::AsciiSet =
        percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    percent_encoding::utf8_percent_encode(name, &RESERVED).to_string()
}
