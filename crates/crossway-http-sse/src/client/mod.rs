//! The client: an HTTP+SSE server as an upstream.

mod connect;
mod endpoint;
mod error;
mod live;
mod outbox;
mod pool;
mod post;
mod session;
mod stream;
mod upstream;
mod wire;

use http::HeaderMap;
use url::Url;

use crate::limits::ClientLimits;
use connect::Connector;
use pool::Pool;

pub use error::{OpenError, OptionsError};
pub use upstream::{HttpSseUpstream, Options};

/// What all sessions with an upstream share.
struct Shared {
    url: Url,
    connector: Connector,
    pool: Pool,
    get_headers: HeaderMap,
    post_headers: HeaderMap,
    limits: ClientLimits,
}
