//! The `Accept` header.
//!
//! "The client **MUST** include an `Accept` header, listing both `application/json` and `text/event-stream` as
//! supported content types" (2025-03-26 to 2026-07-28, for POST; for GET `text/event-stream`).
//!
//! A request that does not is refused with 406, in each revision alike, as the SDKs' servers do: whether an
//! answer is JSON or a stream is known only when it comes, which is too late to find that the client can't
//! read it. Wildcards (`*/*`, `application/*`, `text/*`), parameters, order and case are read leniently; a
//! type with `q=0` is not accepted (RFC 9110, section 12.5.1), and the most specific range decides.

use http::{HeaderMap, StatusCode, header};

use super::Refusal;
use super::media::{Media, split};
use crate::ErrorCode;

const JSON: &str = "application/json";
const EVENT_STREAM: &str = "text/event-stream";

/// Checks that a POST accepts both JSON and an event stream as answer.
///
/// # Errors
///
/// 406 when it does not.
pub fn check_post(headers: &HeaderMap) -> Result<(), Refusal> {
    let accepts = Accepts::of(headers);
    if accepts.json && accepts.event_stream {
        return Ok(());
    }
    Err(not_acceptable("the client must accept both application/json and text/event-stream"))
}

/// Checks that a GET accepts an event stream as answer.
///
/// # Errors
///
/// 406 when it does not.
pub fn check_get(headers: &HeaderMap) -> Result<(), Refusal> {
    if Accepts::of(headers).event_stream {
        return Ok(());
    }
    Err(not_acceptable("the client must accept text/event-stream"))
}

fn not_acceptable(message: &'static str) -> Refusal {
    Refusal::new(StatusCode::NOT_ACCEPTABLE, ErrorCode::INVALID_REQUEST, message)
}

/// The kinds of answers that a client accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Accepts {
    /// `application/json`.
    pub json: bool,
    /// `text/event-stream`.
    pub event_stream: bool,
}

impl Accepts {
    /// Reads all `Accept` headers. Without one, nothing is accepted; unreadable parts are skipped.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let mut json = Best::default();
        let mut event_stream = Best::default();
        for value in headers.get_all(header::ACCEPT) {
            // Nearly all clients send this.
            if matches!(
                value.as_bytes(),
                b"application/json, text/event-stream" | b"text/event-stream, application/json"
            ) {
                return Self { json: true, event_stream: true };
            }
            for range in value.to_str().into_iter().flat_map(|text| split(text, b',')) {
                let range = Media::parse(range);
                json.consider(&range, JSON, "application/*");
                event_stream.consider(&range, EVENT_STREAM, "text/*");
            }
        }
        Self { json: json.accepted, event_stream: event_stream.accepted }
    }
}

/// The verdict of the most specific range so far about a media type.
#[derive(Default)]
struct Best {
    specificity: u8,
    accepted: bool,
}

impl Best {
    fn consider(&mut self, range: &Media<'_>, exact: &str, any_subtype: &str) {
        let specificity = match range {
            range if range.is(exact) => 3,
            range if range.is(any_subtype) => 2,
            range if range.is("*/*") => 1,
            _ => return,
        };
        let accepted = !range.parameters("q").any(is_zero);
        if specificity > self.specificity {
            *self = Self { specificity, accepted };
        } else if specificity == self.specificity {
            self.accepted |= accepted;
        }
    }
}

/// A quality of nought: `0`, `0.` to `0.000`.
fn is_zero(quality: &str) -> bool {
    quality.starts_with('0') && quality.bytes().all(|byte| matches!(byte, b'0' | b'.'))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn accepts(values: &[&str]) -> (bool, bool) {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::ACCEPT, HeaderValue::from_str(value).unwrap());
        }
        let accepts = Accepts::of(&headers);
        let both = accepts.json && accepts.event_stream;
        assert_eq!(check_post(&headers).err().map(|refusal| refusal.status.as_u16()), (!both).then_some(406));
        assert_eq!(check_get(&headers).is_ok(), accepts.event_stream);
        (accepts.json, accepts.event_stream)
    }

    #[test]
    fn both_types_are_found_in_any_order_case_and_number_of_headers() {
        for values in [
            &["application/json, text/event-stream"][..],
            &["text/event-stream,application/json"],
            &["TEXT/Event-Stream;q=0.5 , Application/JSON; charset=utf-8"],
            &["application/json", "text/event-stream"],
            &["*/*"],
            &["application/*, text/*;q=0.1"],
            &["text/html;x=\"a,b;q=0\", */*;q=0.8"],
            &["", "nonsense, ;;, application/json, text/event-stream;q=bad"],
        ] {
            assert_eq!(accepts(values), (true, true), "{values:?}");
        }
    }

    #[test]
    fn an_incomplete_or_absent_accept_is_told_from_a_full_one() {
        assert_eq!(accepts(&[]), (false, false));
        assert_eq!(accepts(&["application/json"]), (true, false));
        assert_eq!(accepts(&["text/event-stream"]), (false, true));
        assert_eq!(accepts(&["text/html, application/xml"]), (false, false));
        assert_eq!(accepts(&["application/jsonx, text/event-streams"]), (false, false));
        assert_eq!(accepts(&["text/plain; x=\"application/json, text/event-stream\""]), (false, false));
    }

    #[test]
    fn the_most_specific_range_decides_and_q_0_excludes() {
        assert_eq!(accepts(&["*/*, text/event-stream;q=0"]), (true, false));
        assert_eq!(accepts(&["text/event-stream; q=0.000, */*"]), (true, false));
        assert_eq!(accepts(&["*/*;q=0, application/json, text/*;q=0.001"]), (true, true));
        assert_eq!(accepts(&["application/*;q=0, application/json"]), (true, false));
    }
}
