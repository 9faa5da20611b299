//! Headers that mirror the body: `Mcp-Method`, `Mcp-Name` and `Mcp-Param-*`.
//!
//! 2026-07-28, basic/transports/streamable-http, "Request Metadata". Clients write these headers, so that what stands
//! between need not read bodies; "Any server that processes the message body **MUST** validate that encoded header
//! values, after decoding if Base64-encoded, match the corresponding values in the request body", or else refuse with
//! 400 and -32020. Legacy revisions have none of this.
//!
//! ```
//! use crossway_proto::http_rules::mirror::{self, ParamHeaders};
//! use http::HeaderMap;
//!
//! let schema = br#"{"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}}"#;
//! let params = ParamHeaders::of_schema(schema)?;
//! let arguments = r#"{"region": "Köln", "query": "SELECT 1"}"#.as_bytes();
//!
//! // The client's side.
//! let mut headers = HeaderMap::new();
//! mirror::add_headers(&mut headers, "tools/call", Some("execute_sql"))?;
//! params.add_headers(&mut headers, Some(arguments))?;
//! assert_eq!(headers["mcp-name"], "execute_sql");
//! assert_eq!(headers["mcp-param-region"], "=?base64?S8O2bG4=?=");
//!
//! // The server's side.
//! mirror::check_request(&headers, "tools/call", Some("execute_sql"))?;
//! params.check(&headers, Some(arguments))?;
//! assert!(params.check(&headers, Some(br#"{"region": "Bonn"}"#)).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod annotation;
mod arguments;
mod number;
mod params;
mod standard;
mod value;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::limits::MIRRORED_BYTES;
use super::names::MCP_PARAM_PREFIX;

pub use annotation::InvalidAnnotation;
pub use params::{ParamHeader, ParamHeaders};
pub use standard::{add_headers, check_notification, check_request, mirrored_name, name_member};
pub use value::{InvalidValue, decode, encode};

/// The `Mcp-Param-*` headers among these, recognised or not.
///
/// "Intermediate servers that do not recognize an `Mcp-Param-{Name}` header **MUST** forward it and otherwise ignore
/// it".
pub fn param_headers(headers: &HeaderMap) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
    headers.iter().filter(|(name, _)| name.as_str().starts_with(MCP_PARAM_PREFIX))
}

/// Why a request can't be given the headers that mirror its body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unmirrorable {
    /// The method has characters that no header can hold; it can't be encoded otherwise.
    #[error("the method can't be written into a header")]
    Method,
    /// A value is longer than any server takes in a header.
    #[error("the value for {header} has more than {MIRRORED_BYTES} bytes")]
    TooLong {
        /// The header that it should stand in.
        header: HeaderName,
    },
    /// An argument is neither text nor a boolean nor an integer from -2^53+1 to 2^53-1.
    #[error("the argument for {header} is not a string, a boolean or an integer within 53 bits")]
    NotPrimitive {
        /// The header that it should stand in.
        header: HeaderName,
    },
    /// An argument stands there twice, so that two readers could differ.
    #[error("the argument for {header} occurs twice")]
    Repeated {
        /// The header that it should stand in.
        header: HeaderName,
    },
    /// The arguments are not valid JSON.
    #[error("the arguments are not valid JSON")]
    NotJson,
}

fn bounded(header: &HeaderName, value: &str) -> Result<HeaderValue, Unmirrorable> {
    if value.len() > MIRRORED_BYTES {
        return Err(Unmirrorable::TooLong { header: header.clone() });
    }
    Ok(encode(value))
}
