//! Every bound of the operations listener, with its default and the reason for it.

use std::time::Duration;

use crossway_streamable_http::server::http::HttpLimits;

/// The most connections: 64, for a scraper, a few probes and a few operators, each of whom may keep some
/// open.
pub const CONNECTIONS: usize = 64;
/// How long a new connection may take to send the head of its first request: 5 seconds. There are few
/// connections, and probes wait a second or two.
pub const FIRST_REQUEST: Duration = Duration::from_secs(5);
/// How long a connection without a request is kept at least: 5 seconds. It is closed before twice that time
/// has passed. A scraper that comes less often connects again, and nobody can keep probes out with idle
/// connections.
pub const IDLE: Duration = Duration::from_secs(5);
/// The longest head of a request: 16 KiB, twice what common servers accept.
pub const HEAD_BYTES: usize = 16 * 1024;
/// The most requests at once on one HTTP/2 connection: 16.
pub const HTTP2_STREAMS: u32 = 16;
/// The longest body, as `/admin/explain` takes it: 64 KiB, enough for an identity token with many groups and
/// arguments beside it.
pub const BODY_BYTES: usize = 64 * 1024;
/// How much of a longer body is read and thrown away: 1 MiB, sixteen times what is accepted.
pub const DISCARD: usize = 1 << 20;
/// How long a body may take: 10 seconds. It is small.
pub const BODY_TIME: Duration = Duration::from_secs(10);
/// The shortest admin key: 16 bytes, which are 80 bits or more in any alphabet that people use.
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
