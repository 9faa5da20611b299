//! The client: connects to an HTTP+SSE server as an upstream.

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

use crossway_dial::Forward;
use http::uri::InvalidUri;
use http::{HeaderMap, StatusCode, Uri};
use url::{Position, Url};

use crate::limits::ClientLimits;
use connect::Connector;
use endpoint::path_of;
use pool::Pool;

pub use crossway_dial::{BadProxy, Proxies};
pub use error::{OpenError, OptionsError};
pub use upstream::{HttpSseUpstream, Options};

/// State shared by all sessions with an upstream.
struct Shared {
    url: Url,
    connector: Connector,
    /// Set if a proxy makes the requests.
    forward: Option<Forward>,
    pool: Pool,
    get_headers: HeaderMap,
    post_headers: HeaderMap,
    limits: ClientLimits,
}

impl Shared {
    /// The target in the request line for `url`.
    fn target(&self, url: &Url) -> Result<Uri, OpenError> {
        match self.forward {
            // In absolute-form, which has no userinfo (RFC 9110, section 4.2.4).
            Some(_) => format!("{}://{}", url.scheme(), &url[Position::BeforeHost..Position::AfterQuery])
                .parse()
                .map_err(|error: InvalidUri| OpenError::InvalidEndpoint(error.into())),
            None => path_of(url).map(Uri::from),
        }
    }

    /// The error if this status is a refusal by the proxy.
    fn refused_by_proxy(&self, status: StatusCode) -> Option<OpenError> {
        let refused = self.forward.as_ref()?.refused(status)?;
        Some(OpenError::Connect(refused.into()))
    }
}
