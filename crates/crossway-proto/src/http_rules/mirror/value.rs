//! Encoding of values in headers: as plain text or Base64.
//!
//! 2026-07-28, basic/transports/streamable-http, "Value Encoding".

use std::borrow::Cow;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::HeaderValue;

use super::super::single::trim;

/// "These markers are case-sensitive and **MUST** appear exactly as shown (lowercase)."
const PREFIX: &str = "=?base64?";
const SUFFIX: &str = "?=";

/// Writes a text as the value of `Mcp-Name` or an `Mcp-Param-*`.
///
/// Visible ASCII with spaces within stays as it is. Everything else, and what looks like an encoded value already,
/// goes into Base64 between `=?base64?` and `?=`: tabs too, which could be sent, but which intermediaries may turn
/// into spaces (RFC 9110, section 5.5).
///
/// ```
/// use crossway_proto::http_rules::mirror::{decode, encode};
///
/// assert_eq!(encode("us west 1"), "us west 1");
/// assert_eq!(encode("Hello, 世界"), "=?base64?SGVsbG8sIOS4lueVjA==?=");
/// assert_eq!(encode("=?base64?literal?="), "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=");
/// assert_eq!(decode(&encode(" padded "))?, " padded ");
/// # Ok::<(), crossway_proto::http_rules::mirror::InvalidValue>(())
/// ```
#[must_use]
pub fn encode(text: &str) -> HeaderValue {
    let is_plain = text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
        && !text.starts_with(' ')
        && !text.ends_with(' ')
        && !looks_encoded(text);
    if is_plain && let Ok(value) = HeaderValue::from_str(text) {
        return value;
    }
    let mut encoded = String::with_capacity(PREFIX.len() + text.len().div_ceil(3) * 4 + SUFFIX.len());
    encoded.push_str(PREFIX);
    BASE64_STANDARD.encode_string(text, &mut encoded);
    encoded.push_str(SUFFIX);
    HeaderValue::try_from(encoded).expect("Base64 and its markers are visible ASCII")
}

/// Reads the value of `Mcp-Name` or an `Mcp-Param-*` back.
///
/// A value that lacks one of the markers is meant literally.
///
/// # Errors
///
/// When it has characters other than visible ASCII, space and tab; when what stands between the markers is not
/// canonical Base64 with its padding, or not UTF-8.
pub fn decode(value: &HeaderValue) -> Result<Cow<'_, str>, InvalidValue> {
    let text = trim(value.to_str().map_err(|_| InvalidValue::NotText)?);
    let Some(encoded) = text.strip_prefix(PREFIX).and_then(|text| text.strip_suffix(SUFFIX)) else {
        return Ok(Cow::Borrowed(text));
    };
    let decoded = BASE64_STANDARD.decode(encoded).map_err(|_| InvalidValue::NotBase64)?;
    String::from_utf8(decoded).map(Cow::Owned).map_err(|_| InvalidValue::NotUtf8)
}

/// "clients **MUST** also Base64-encode any plain-ASCII value that matches the sentinel pattern (i.e., starts with
/// `=?base64?` and ends with `?=`)". The two may share their question mark: `=?base64?=` matches as well.
fn looks_encoded(text: &str) -> bool {
    text.starts_with(PREFIX) && text.ends_with(SUFFIX)
}

/// Why the value of a mirroring header can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidValue {
    /// It has characters that may not stand in a header.
    #[error("invalid characters")]
    NotText,
    /// It is said to be in Base64 and is not.
    #[error("invalid Base64")]
    NotBase64,
    /// In Base64 stands what is not UTF-8.
    #[error("invalid UTF-8")]
    NotUtf8,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decoded(value: &[u8]) -> Result<String, InvalidValue> {
        decode(&HeaderValue::from_bytes(value).unwrap()).map(Cow::into_owned)
    }

    #[test]
    fn the_examples_of_the_specification_are_encoded_as_it_says() {
        for (value, encoded) in [
            ("us-west1", "us-west1"),
            ("Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="),
            (" padded ", "=?base64?IHBhZGRlZCA=?="),
            ("line1\nline2", "=?base64?bGluZTEKbGluZTI=?="),
            ("=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
        ] {
            assert_eq!(encode(value), encoded);
            assert_eq!(decoded(encoded.as_bytes()).unwrap(), value);
        }
    }

    #[test]
    fn what_a_header_can_hold_stays_as_it_is() {
        for plain in [
            "",
            "a",
            "us west 1",
            "true",
            "-7",
            "=?base64?x",
            "x?=",
            "=?BASE64?eA==?=",
            "file:///a?b=c#d",
            "~!",
        ] {
            assert_eq!(encode(plain), plain);
            assert_eq!(decoded(plain.as_bytes()).unwrap(), plain);
        }
        for other in
            [" ", " a", "a ", "\ta", "a\tb", "\0", "\x7f", "\r\nEvil: 1", "é", "=?base64??=", "=?base64?="]
        {
            assert!(encode(other).as_bytes().starts_with(PREFIX.as_bytes()), "{other:?}");
        }
    }

    #[test]
    fn whitespace_around_a_value_does_not_belong_to_it() {
        assert_eq!(decoded(b" \tname ").unwrap(), "name");
        assert_eq!(decoded(b"a\tb").unwrap(), "a\tb");
    }

    #[test]
    fn values_that_can_not_be_read_are_refused() {
        assert_eq!(decoded(b"\xc3\xa9"), Err(InvalidValue::NotText));
        for bad in ["SGVsbG8", "SGVsbG8==", "SGVs!!!bG8=", "SGVsbG9=", "SGVs bG8=", "_-8=", "?"] {
            assert_eq!(
                decoded(format!("=?base64?{bad}?=").as_bytes()),
                Err(InvalidValue::NotBase64),
                "{bad}"
            );
        }
        assert_eq!(decoded(b"=?base64?/w==?="), Err(InvalidValue::NotUtf8));
    }

    proptest! {
        #[test]
        fn any_text_comes_back_as_it_went(text in prop_oneof![
            any::<String>(), "[ -~\t\r\n]*", "=\\?base64\\?[ -~]*(\\?=)?",
        ]) {
            let value = encode(&text);
            prop_assert!(value.to_str().is_ok());
            prop_assert_eq!(decode(&value).unwrap(), text);
        }

        #[test]
        fn any_value_is_refused_or_read_as_the_text_that_is_written_so(
            bytes in prop_oneof![
                prop::collection::vec(32_u8..=255, 0..40),
                "[ -~\t]{0,40}".prop_map(String::into_bytes),
                "=\\?base64\\?([A-Za-z0-9+/]{4}){0,4}([A-Za-z0-9+/]{2}==)?\\?=".prop_map(String::into_bytes),
            ],
        ) {
            if let Ok(value) = HeaderValue::from_bytes(&bytes)
                && let Ok(text) = decode(&value)
            {
                let written = encode(&text);
                prop_assert_eq!(decode(&written), Ok(text));
            }
        }
    }
}
