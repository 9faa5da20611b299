//! The codec of server-sent events, as HTTP+SSE and Streamable HTTP carry messages.
//!
//! The format is that of the WHATWG HTML standard, section 9.2 ("Server-sent events"): what it calls an event stream.
//!
//! ```
//! use bytes::Bytes;
//! use crossway_proto::sse::{SseDecoder, SseEncoder};
//!
//! let event = SseEncoder::new().id("s1-7")?.data([Bytes::from_static(b"{\"jsonrpc\":\"2.0\"}")]);
//!
//! let mut decoder = SseDecoder::new(1 << 20);
//! decoder.feed(event.into_bytes());
//! let event = decoder.next_event()?.expect("a whole event");
//! assert_eq!(event.event, "message");
//! assert_eq!(event.data, r#"{"jsonrpc":"2.0"}"#);
//! assert_eq!(decoder.last_event_id(), Some(&b"s1-7"[..]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod block;
mod decode;
mod encode;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;

pub use decode::{EventTooLarge, SseDecoder};
pub use encode::{InvalidField, SseEncoder};

/// The longest value of a field other than data: 1 KiB. An id is kept as long as the stream, and has to fit
/// into a `Last-Event-ID` header.
///
/// A longer id is ignored like one with a NUL in it; an event with a longer type is refused.
pub const FIELD_BYTES: usize = 1024;

/// The type of an event without an explicit type.
pub const MESSAGE: &str = "message";

/// The type of the event in which an HTTP+SSE server names the URI for POSTs (2024-11-05, basic/transports).
pub const ENDPOINT: &str = "endpoint";

/// One event of a stream.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SseEvent {
    /// Its type: [`MESSAGE`] unless it names another.
    pub event: Cow<'static, str>,
    /// Its data, with lines joined by `\n`. Empty for an event that only primes a stream.
    pub data: Bytes,
    /// Its id, if it has one.
    pub id: Option<Bytes>,
    /// The pause before connecting again, in milliseconds, if it sets one.
    pub retry: Option<u64>,
}

impl fmt::Debug for SseEvent {
    /// Shows the size of the data, and never the data: payloads must not get into logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SseEvent")
            .field("event", &self.event)
            .field("data_bytes", &self.data.len())
            .field("has_id", &self.id.is_some())
            .field("retry", &self.retry)
            .finish()
    }
}
