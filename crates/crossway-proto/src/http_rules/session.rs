//! Session ids and event ids: `Mcp-Session-Id` and `Last-Event-ID`.
//!
//! "The session ID **MUST** only contain visible ASCII characters (ranging from 0x21 to 0x7E)." (2025-03-26 to
//! 2025-11-25, basic/transports, "Session Management".)

use http::{HeaderMap, StatusCode};

use super::limits::SESSION_ID_BYTES;
use super::names::{LAST_EVENT_ID, MCP_SESSION_ID};
use super::{Refusal, single};
use crate::ErrorCode;
use crate::sse::FIELD_BYTES;

/// The session that a request belongs to, if it names one.
///
/// # Errors
///
/// 400 when it is not a valid id ([`is_session_id`]), or the header occurs twice.
pub fn session_id(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    match single::text(headers, &MCP_SESSION_ID) {
        Ok(id) if id.is_none_or(is_session_id) => Ok(id),
        _ => Err(Refusal::bad_request("the Mcp-Session-Id is not one id of visible ASCII characters")),
    }
}

/// Whether a text has the form of a session id: visible ASCII, 1 to [`SESSION_ID_BYTES`] of it.
#[must_use]
pub fn is_session_id(id: &str) -> bool {
    (1..=SESSION_ID_BYTES).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The refusal of a request that needs a session and names none: "Servers that require a session ID **SHOULD** respond
/// to requests without an `MCP-Session-Id` header (other than initialization) with HTTP 400 Bad Request."
#[must_use]
pub fn missing() -> Refusal {
    Refusal::bad_request("the request needs an Mcp-Session-Id")
}

/// The refusal of a request in a session that does not exist, or no longer: "it **MUST** respond to requests
/// containing that session ID with HTTP 404 Not Found."
#[must_use]
pub fn unknown() -> Refusal {
    Refusal::new(
        StatusCode::NOT_FOUND,
        ErrorCode::INVALID_REQUEST,
        "there is no such session; initialize a new one",
    )
}

/// The event after which a stream should be resumed, if the request names one. An empty id counts as none.
///
/// # Errors
///
/// 400 when it is not a valid event id, or the header occurs twice.
pub fn last_event_id(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    match single::text(headers, &LAST_EVENT_ID) {
        Ok(id) if id.is_none_or(|id| id.len() <= FIELD_BYTES) => Ok(id.filter(|id| !id.is_empty())),
        _ => Err(Refusal::bad_request("the Last-Event-ID is not the id of an event")),
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(name: &HeaderName, values: &[&[u8]]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name, HeaderValue::from_bytes(value).unwrap());
        }
        headers
    }

    #[test]
    fn a_session_id_is_visible_ascii_of_bounded_length() {
        let id = |values: &[&[u8]]| {
            let headers = headers(&MCP_SESSION_ID, values);
            session_id(&headers).map(|id| id.map(str::to_owned)).map_err(|refusal| refusal.status.as_u16())
        };
        assert_eq!(id(&[]), Ok(None));
        assert_eq!(id(&[b"!1868a90c-~"]), Ok(Some("!1868a90c-~".into())));
        assert_eq!(id(&[&[b'a'; SESSION_ID_BYTES]]), Ok(Some("a".repeat(SESSION_ID_BYTES))));
        for bad in [
            &[&b""[..]][..],
            &[b"a b"],
            &[b"a\tb"],
            &[b"\xc3\xa9"],
            &[&[b'a'; SESSION_ID_BYTES + 1]],
            &[b"a", b"a"],
        ] {
            assert_eq!(id(bad), Err(400), "{bad:?}");
        }
    }

    #[test]
    fn a_last_event_id_is_text_of_bounded_length() {
        let id = |values: &[&[u8]]| {
            let headers = headers(&LAST_EVENT_ID, values);
            last_event_id(&headers).map(|id| id.map(str::to_owned)).map_err(|refusal| refusal.status.as_u16())
        };
        assert_eq!(id(&[]), Ok(None));
        assert_eq!(id(&[b""]), Ok(None));
        assert_eq!(id(&[b"s1 7"]), Ok(Some("s1 7".into())));
        for bad in [&[&b"\xff"[..]][..], &[&[b'a'; FIELD_BYTES + 1]], &[b"a", b"b"]] {
            assert_eq!(id(bad), Err(400), "{bad:?}");
        }
    }

    #[test]
    fn no_session_is_400_and_an_unknown_one_404() {
        assert_eq!(missing().status, StatusCode::BAD_REQUEST);
        assert_eq!(unknown().status, StatusCode::NOT_FOUND);
    }
}
