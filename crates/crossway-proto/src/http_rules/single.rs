//! Headers that may occur only once.

use http::{HeaderMap, HeaderName, HeaderValue};

/// Why a header has no single text value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotSingle {
    /// It occurs more than once.
    Repeated,
    /// It has bytes that are not visible ASCII, space or tab.
    NotText,
}

/// A header's only value, if it has one.
pub(super) fn value<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'a HeaderValue>, NotSingle> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (first, None) => Ok(first),
        (_, Some(_)) => Err(NotSingle::Repeated),
    }
}

/// A header's only value as text, without whitespace around it, if the header is there.
pub(super) fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, NotSingle> {
    let Some(value) = value(headers, name)? else { return Ok(None) };
    value.to_str().map(|text| Some(trim(text))).map_err(|_| NotSingle::NotText)
}

/// "A field value does not include leading or trailing whitespace." (RFC 9110, section 5.5)
pub(super) fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}
