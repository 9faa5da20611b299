//! The `Content-Type` header.

use http::{HeaderMap, StatusCode, header};

use super::media::Media;
use super::{Refusal, content_encoding, single};
use crate::ErrorCode;

/// Checks that a POST's body is JSON, in UTF-8 if it says so: "JSON-RPC messages **MUST** be UTF-8 encoded."
///
/// # Errors
///
/// 415 when it is not, has no `Content-Type`, or has two.
pub fn check_post(headers: &HeaderMap) -> Result<(), Refusal> {
    let refuse =
        |message| Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, ErrorCode::INVALID_REQUEST, message));
    let Ok(Some(value)) = single::text(headers, &header::CONTENT_TYPE) else {
        return refuse("the request needs one Content-Type, application/json");
    };
    // As most clients write it.
    if value != "application/json" {
        let media = Media::parse(value);
        if !media.is("application/json") {
            return refuse("the Content-Type must be application/json");
        }
        if media.parameters("charset").any(|charset| !is_utf8(charset)) {
            return refuse("the charset must be utf-8");
        }
    }
    // "The server SHOULD [...] 415 (Unsupported Media Type)": RFC 9110, section 8.4, Content-Encoding.
    if content_encoding::coding(headers).is_some() {
        return refuse("the body must not be encoded");
    }
    Ok(())
}

fn is_utf8(charset: &str) -> bool {
    charset.eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("utf8")
}

/// The declared kind of a response's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyKind {
    /// `application/json`: one message (or, in 2025-03-26, a batch).
    Json,
    /// `text/event-stream`: messages as events.
    EventStream,
    /// Anything else.
    Other,
    /// Nothing is said.
    Unsaid,
}

impl BodyKind {
    /// Reads a response's `Content-Type`, whatever parameters it has.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        match single::text(headers, &header::CONTENT_TYPE) {
            Ok(None) => Self::Unsaid,
            Ok(Some(value)) if Media::parse(value).is("application/json") => Self::Json,
            Ok(Some(value)) if Media::parse(value).is("text/event-stream") => Self::EventStream,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        values
            .iter()
            .map(|value| (header::CONTENT_TYPE, HeaderValue::from_bytes(value.as_bytes()).unwrap()))
            .fold(HeaderMap::new(), |mut headers, (name, value)| {
                headers.append(name, value);
                headers
            })
    }

    #[test]
    fn json_in_utf8_is_taken() {
        for value in [
            "application/json",
            "Application/JSON",
            " application/json ; charset=UTF-8",
            "application/json;charset=\"utf-8\"; boundary=x",
            "application/json; charset=utf8",
            "application/json;",
        ] {
            assert_eq!(check_post(&headers(&[value])), Ok(()), "{value:?}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_415() {
        for values in [
            &[][..],
            &["text/plain"],
            &["application/json-rpc"],
            &["application/jsonx"],
            &["application/x-www-form-urlencoded"],
            &["application/json; charset=iso-8859-1"],
            &["application/json; charset=utf-16; charset=utf-8"],
            &["application/json", "application/json"],
            &["application/json\u{e9}"],
            &[""],
        ] {
            let refusal = check_post(&headers(values)).unwrap_err();
            assert_eq!(refusal.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{values:?}");
        }
    }

    #[test]
    fn a_body_that_is_encoded_is_refused_with_415() {
        for (coding, status) in [
            ("gzip", Some(StatusCode::UNSUPPORTED_MEDIA_TYPE)),
            ("identity, br", Some(StatusCode::UNSUPPORTED_MEDIA_TYPE)),
            ("identity", None),
        ] {
            let mut headers = headers(&["application/json"]);
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
            assert_eq!(check_post(&headers).err().map(|refusal| refusal.status), status, "{coding}");
        }
    }

    #[test]
    fn a_response_is_one_of_four_kinds() {
        assert_eq!(BodyKind::of(&headers(&["application/json; charset=latin1"])), BodyKind::Json);
        assert_eq!(BodyKind::of(&headers(&["text/event-stream;charset=utf-8"])), BodyKind::EventStream);
        assert_eq!(BodyKind::of(&headers(&["text/html"])), BodyKind::Other);
        assert_eq!(BodyKind::of(&headers(&["text/html", "application/json"])), BodyKind::Other);
        assert_eq!(BodyKind::of(&headers(&[])), BodyKind::Unsaid);
    }
}
