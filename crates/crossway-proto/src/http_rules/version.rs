//! The revision of a request, from `MCP-Protocol-Version` and `_meta`.
//!
//! | header | `_meta` | body is | outcome |
//! |---|---|---|---|
//! | absent | absent | any | unsaid: what the session negotiated, else [`Revision::ASSUMED`] |
//! | legacy revision | absent | any | that revision; 400 / -32600 if it is not served |
//! | modern revision | absent | a request | 400 / -32602: the `_meta` is required |
//! | modern revision | absent | anything else | that revision: notifications have no required `_meta` |
//! | anything else | absent | any | 400 / -32600 |
//! | absent | present | any | 400 / -32020 |
//! | differs | present | any | 400 / -32020 |
//! | equal, modern and served | present | any | that revision |
//! | equal otherwise | present | any | 400 / -32022 with `{supported, requested}` |
//!
//! A header that occurs twice is refused like one that can't be read: 400, and -32020 where there is a
//! `_meta`.
//!
//! Clients that speak both eras take -32020 to -32022 for the answer of a modern server, so a request that is
//! not modern is refused with -32600. An `initialize` request has its revision in its `params`, which
//! decides.

use http::{HeaderMap, StatusCode};
use serde_json::json;

use super::limits::VERSION_BYTES;
use super::names::MCP_PROTOCOL_VERSION;
use super::{Refusal, single};
use crate::{ErrorCode, Revision};

/// The revision that a body names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyVersion<'a> {
    /// `io.modelcontextprotocol/protocolVersion` of the body's `_meta`.
    pub meta: Option<&'a str>,
    /// Whether the body is a request, rather than a notification, a response or nothing.
    pub is_request: bool,
}

/// The revision that a request speaks; the [table](self) has every case. `None` when it does not say.
///
/// `supported` are the revisions that are served, as a refusal names them.
///
/// ```
/// use crossway_proto::Revision;
/// use crossway_proto::http_rules::version::{self, BodyVersion};
/// use http::HeaderMap;
///
/// let body = BodyVersion { meta: None, is_request: true };
/// let said = version::check(&HeaderMap::new(), body, &Revision::ALL)?;
/// assert_eq!(said.unwrap_or(Revision::ASSUMED), Revision::V2025_03_26);
/// # Ok::<(), crossway_proto::http_rules::Refusal>(())
/// ```
///
/// # Errors
///
/// 400 when header and body do not agree on a revision that is served.
pub fn check(
    headers: &HeaderMap,
    body: BodyVersion<'_>,
    supported: &[Revision],
) -> Result<Option<Revision>, Refusal> {
    let header = single::text(headers, &MCP_PROTOCOL_VERSION);
    let Some(meta) = body.meta else {
        return without_meta(header, body.is_request, supported);
    };
    match header {
        Ok(Some(header)) if header == meta => {}
        Ok(None) => return Err(Refusal::header_mismatch("the request needs an MCP-Protocol-Version header")),
        _ => {
            return Err(Refusal::header_mismatch(
                "the MCP-Protocol-Version header differs from the body's _meta",
            ));
        }
    }
    match Revision::parse(meta) {
        Some(revision) if revision.is_modern() && supported.contains(&revision) => Ok(Some(revision)),
        _ => Err(unsupported(ErrorCode::UNSUPPORTED_PROTOCOL_VERSION, meta, supported)),
    }
}

fn without_meta(
    header: Result<Option<&str>, single::NotSingle>,
    is_request: bool,
    supported: &[Revision],
) -> Result<Option<Revision>, Refusal> {
    let Ok(header) = header else {
        return Err(Refusal::bad_request("the MCP-Protocol-Version header is not one version"));
    };
    let Some(header) = header else { return Ok(None) };
    match Revision::parse(header) {
        Some(revision) if revision.is_modern() && is_request => Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            ErrorCode::INVALID_PARAMS,
            "the request's _meta needs io.modelcontextprotocol/protocolVersion",
        )),
        Some(revision) if supported.contains(&revision) => Ok(Some(revision)),
        _ => Err(unsupported(ErrorCode::INVALID_REQUEST, header, supported)),
    }
}

/// "it **MUST** respond with `400 Bad Request` and an `UnsupportedProtocolVersionError` listing its supported
/// versions" (2026-07-28, basic/transports/streamable-http, "Protocol Version Header").
fn unsupported(code: ErrorCode, requested: &str, supported: &[Revision]) -> Refusal {
    let supported: Vec<_> = supported.iter().map(|revision| revision.as_str()).collect();
    // It comes from a header that could be read, so it is ASCII.
    let requested = requested.get(..VERSION_BYTES).unwrap_or(requested);
    Refusal::new(StatusCode::BAD_REQUEST, code, "the protocol version is not supported")
        .with_data(&json!({ "supported": supported, "requested": requested }))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const DUAL: [Revision; 2] = [Revision::V2025_11_25, Revision::V2026_07_28];

    fn outcome(
        header: &[&str],
        meta: Option<&str>,
        is_request: bool,
    ) -> Result<Option<Revision>, (u16, i64)> {
        let mut headers = HeaderMap::new();
        for value in header {
            headers.append(&MCP_PROTOCOL_VERSION, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        check(&headers, BodyVersion { meta, is_request }, &DUAL)
            .map_err(|refusal| (refusal.status.as_u16(), refusal.code.0))
    }

    #[test]
    fn legacy_requests_go_by_the_header_and_may_lack_it() {
        for is_request in [true, false] {
            assert_eq!(outcome(&[], None, is_request), Ok(None));
            assert_eq!(outcome(&["2025-11-25"], None, is_request), Ok(Some(Revision::V2025_11_25)));
            assert_eq!(outcome(&[" 2025-11-25\t"], None, is_request), Ok(Some(Revision::V2025_11_25)));
            for bad in [&["2025-06-18"][..], &["v999.0.0"], &[""], &["2025-11-25, 2025-11-25"], &["\u{e9}"]] {
                assert_eq!(outcome(bad, None, is_request), Err((400, -32600)), "{bad:?}");
            }
            assert_eq!(outcome(&["2025-11-25", "2025-11-25"], None, is_request), Err((400, -32600)));
        }
    }

    #[test]
    fn a_modern_header_needs_a_modern_body() {
        assert_eq!(outcome(&["2026-07-28"], None, true), Err((400, -32602)));
        assert_eq!(outcome(&["2026-07-28"], None, false), Ok(Some(Revision::V2026_07_28)));
    }

    #[test]
    fn modern_requests_say_the_same_in_header_and_body() {
        assert_eq!(outcome(&["2026-07-28"], Some("2026-07-28"), true), Ok(Some(Revision::V2026_07_28)));
        for header in [&[][..], &["2025-11-25"], &["2026-07-28", "2026-07-28"], &["2026-07-28x"], &["\u{e9}"]]
        {
            assert_eq!(outcome(header, Some("2026-07-28"), true), Err((400, -32020)), "{header:?}");
        }
        assert_eq!(outcome(&["2026-07-28"], Some("v999.0.0"), true), Err((400, -32020)));
        assert_eq!(outcome(&["v999.0.0"], Some("v999.0.0"), true), Err((400, -32022)));
        assert_eq!(outcome(&["2025-11-25"], Some("2025-11-25"), true), Err((400, -32022)));
    }

    #[test]
    fn a_version_that_is_not_served_is_answered_with_those_that_are() {
        let mut headers = HeaderMap::new();
        let long = "\"".repeat(100);
        for (asked, told) in [("v999.0.0", "v999.0.0".to_owned()), (&long, "\"".repeat(VERSION_BYTES))] {
            headers.insert(&MCP_PROTOCOL_VERSION, HeaderValue::from_str(asked).unwrap());
            let refusal =
                check(&headers, BodyVersion { meta: Some(asked), is_request: true }, &DUAL).unwrap_err();
            let data: serde_json::Value = serde_json::from_slice(&refusal.data.unwrap()).unwrap();
            assert_eq!(data, json!({ "supported": ["2025-11-25", "2026-07-28"], "requested": told }));
        }
    }
}
