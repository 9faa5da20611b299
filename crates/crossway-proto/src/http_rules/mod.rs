//! Header rules of the HTTP transports, as pure functions.
//!
//! Each check takes an [`http::HeaderMap`] and facts about the body. It returns a [`Refusal`] if the request
//! must not be served: status, JSON-RPC code and text, from which each server makes its response. Nothing
//! here does I/O, and no check repeats a header's value in its text.
//!
//! ```
//! use crossway_proto::http_rules::{AllowedHosts, AllowedOrigins, accept, content_type};
//! use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
//!
//! let mut head = HeaderMap::new();
//! head.insert(header::HOST, HeaderValue::from_static("localhost:8808"));
//! head.insert(header::ORIGIN, HeaderValue::from_static("https://evil.example"));
//! head.insert(header::ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
//! head.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
//!
//! accept::check_post(&head)?;
//! content_type::check_post(&head)?;
//! let target = Uri::from_static("/mcp");
//! let host = AllowedHosts::loopback().check(&head, &target)?;
//! let refusal = AllowedOrigins::loopback().check(&head, &host).unwrap_err();
//! assert_eq!(refusal.status, StatusCode::FORBIDDEN);
//! # Ok::<(), crossway_proto::http_rules::Refusal>(())
//! ```

pub mod accept;
mod authority;
pub mod content_encoding;
pub mod content_type;
mod cors;
mod host;
pub mod limits;
mod media;
pub mod mirror;
pub mod names;
mod origin;
mod refusal;
mod retry_after;
pub mod session;
mod single;
pub mod version;

pub use authority::{Authority, InvalidAuthority};
pub use cors::CorsOrigin;
pub use host::AllowedHosts;
pub use origin::{AllowedOrigins, InvalidOrigin};
pub use refusal::Refusal;
pub use retry_after::retry_after;
