//! Every bound of the operations listener, with its default and the reason for it.

use std::time::Duration;

use crossway_streamable_http::server::http::HttpLimits;

/// The most connections: 64. A scraper, a few probes and a few operators; each may keep some open.
pub const CONNECTIONS: usize = 64;
/// How long a new connection may take for the head of its first request: 5 seconds. There are few places, and probes wait a second or two.
pub const FIRST_REQUEST: Duration = Duration::from_secs(5);
/// How long a connection is kept without a request, at the least: 5 seconds; it is closed before twice that has passed. A scraper that comes
/// less often connects again, and nobody keeps probes out by connections of which they make no use.
pub const IDLE: Duration = Duration::from_secs(5);
/// The longest head of a request: 16 KiB, twice what common servers take.
pub const HEAD_BYTES: usize = 16 * 1024;
/// The most requests at once on one HTTP/2 connection: 16.
pub const HTTP2_STREAMS: u32 = 16;
/// The longest body, which a question to `/admin/explain` has: 64 KiB, as an identity token with many groups takes,
/// with arguments beside it.
pub const BODY_BYTES: usize = 64 * 1024;
/// How much of a longer body is read and thrown away: 1 MiB, sixteen times what is accepted.
pub const DISCARD: usize = 1 << 20;
/// How long a body may take: 10 seconds, for it is small.
pub const BODY_TIME: Duration = Duration::from_secs(10);
/// The shortest admin key: 16 bytes, which are 80 bits or more of any alphabet that people use.
pub const ADMIN_KEY_BYTES: usize = 16;

/// The same for the loop that accepts connections.
#[must_use]
pub fn http() -> HttpLimits {
    HttpLimits::default().with(|limits| {
        limits.connections = CONNECTIONS;
        limits.first_request = FIRST_REQUEST;
        limits.idle = IDLE;
        limits.head_bytes = HEAD_BYTES;
        limits.http2_streams = HTTP2_STREAMS;
    })
}
