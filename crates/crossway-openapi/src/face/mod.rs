//! Serves an upstream's tools as an OpenAPI document and operations, as mcpo does.
//!
//! | request | answer |
//! |---|---|
//! | `GET /openapi.json` | the document: an operation for each tool that the caller sees |
//! | `POST /{tool}` | the tool's answer to the arguments in the body |
//! | `GET /docs` | a page to read the document and try the tools; it needs no other host |
//!
//! Where MCP is served [beside it](Config::beside_mcp), tools with the name `mcp`, `sse` or `message` are at `/{tool}/call`.
//!
//! [`OpenApi`] serves that for one upstream. A [`Directory`] serves several by name: each below `/{upstream}`, and at its root one document
//! of all of them, with paths `/{upstream}/{tool}`.
//!
//! Each request asks the upstream for its list of tools, with the request's extensions (and so what was found out about the caller): the
//! upstream decides what the document lists and what can be called. It should cache its lists, as a router does: a list that was read
//! before is recognized by its bytes, and costs next to nothing.
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
mod written;

pub use config::{Config, NeedsBearer};
pub use directory::Directory;
pub use future::ResponseFuture;
pub use key::{ApiKey, InvalidKey};
pub use limits::Limits;
pub use service::OpenApi;

use form::Form;

/// Marks, in its extensions, a call of a tool that is not in the caller's list. The upstream [has to refuse it](Config::tells_of_unlisted);
/// the caller gets 404 in any case.
#[derive(Debug, Clone, Copy)]
pub struct Unlisted;

/// The body of a response: complete, in one piece.
pub type Body = http_body_util::Full<bytes::Bytes>;

/// Percent-encodes a name as a segment of a URL's path (RFC 3986, section 2.1).
#[must_use]
pub fn encode_segment(name: &str) -> String {
    /// All characters but those that RFC 3986 calls unreserved.
    const RESERVED: percent_encoding::AsciiSet =
        percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    percent_encoding::utf8_percent_encode(name, &RESERVED).to_string()
}
