//! The `Content-Encoding` header.
//!
//! "If no Accept-Encoding header field is in the request, any content coding is considered acceptable by the
//! user agent" (RFC 9110, section 12.5.3). So a client that decodes none has to say so.

use http::{HeaderMap, HeaderValue, header};

use super::limits;

/// The `Accept-Encoding` of a request whose answer must not be encoded.
pub const IDENTITY: HeaderValue = HeaderValue::from_static("identity");

/// The content coding of an answer's body, if it has one. All of them if there are several; always a short
/// piece of plain text.
///
/// ```
/// use crossway_proto::http_rules::content_encoding;
/// use http::{HeaderMap, HeaderValue, header};
///
/// let mut headers = HeaderMap::new();
/// assert_eq!(content_encoding::coding(&headers), None);
/// headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
/// assert_eq!(content_encoding::coding(&headers).as_deref(), Some("gzip"));
/// ```
#[must_use]
pub fn coding(headers: &HeaderMap) -> Option<String> {
    let mut named = Vec::new();
    for value in headers.get_all(header::CONTENT_ENCODING) {
        let Ok(value) = value.to_str() else { return Some("something that is no text".to_owned()) };
        let codings = value.split(',').map(str::trim);
        named.extend(codings.filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case("identity")));
    }
    let text: String =
        named.join(", ").chars().filter(|char| !char.is_control()).take(limits::CODING_BYTES).collect();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[HeaderValue]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::CONTENT_ENCODING, value.clone());
        }
        coding(&headers)
    }

    #[test]
    fn what_is_encoded_is_told_by_its_codings() {
        let text = HeaderValue::from_static;
        assert_eq!(of(&[]), None);
        for plain in ["identity", "Identity", "", " , "] {
            assert_eq!(of(&[text(plain), text("identity")]), None, "{plain:?}");
        }
        assert_eq!(of(&[text("br")]).as_deref(), Some("br"));
        assert_eq!(of(&[text("gzip, identity"), text("zstd")]).as_deref(), Some("gzip, zstd"));
        let no_text = HeaderValue::from_bytes(b"\xff").unwrap();
        assert_eq!(of(&[no_text]).as_deref(), Some("something that is no text"));
        assert_eq!(of(&[HeaderValue::from_str(&"x".repeat(100)).unwrap()]).unwrap().len(), 64);
    }
}
