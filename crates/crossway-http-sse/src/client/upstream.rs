//! The upstream and its options.

use std::fmt;
use std::sync::Arc;

use crossway_dial::{Forward, Proxies};
use crossway_proto::Message;
use crossway_proto::http_rules::content_encoding;
use crossway_service::{
    Ask, Call, CallError, Closing, Connection, Link, Mux, Reason, Reply, Scope, Upstream,
};
use http::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST,
    PROXY_AUTHORIZATION, TRANSFER_ENCODING,
};
use http::{HeaderMap, HeaderValue, Uri};
use rustls::ClientConfig;
use url::Url;

use super::connect::Connector;
use super::outbox::Outbox;
use super::pool::Pool;
use super::session::Session;
use super::stream::EventStream;
use super::{ClientLimits, OpenError, OptionsError, Shared};

/// Options of an upstream's connections.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Options {
    /// Headers for the GET and each POST, such as credentials. Their values are never logged.
    pub headers: HeaderMap,
    /// The TLS config; by default one with the platform's root certificates.
    pub tls: Option<Arc<ClientConfig>>,
    /// The outgoing proxies; by default none, and the environment is ignored. The time limit for connecting covers proxy, tunnel and TLS
    /// together.
    pub proxies: Proxies,
    /// Time and size limits.
    pub limits: ClientLimits,
}

impl Options {
    /// Adds headers.
    #[must_use]
    pub fn headers(mut self, headers: HeaderMap) -> Self {
        self.headers.extend(headers);
        self
    }

    /// Sets the TLS config: for other roots, or for a client certificate.
    #[must_use]
    pub fn tls(mut self, config: Arc<ClientConfig>) -> Self {
        self.tls = Some(config);
        self
    }

    /// Sets the outgoing proxies.
    #[must_use]
    pub fn proxies(mut self, proxies: Proxies) -> Self {
        self.proxies = proxies;
        self
    }

    /// Sets the limits.
    #[must_use]
    pub fn limits(mut self, limits: ClientLimits) -> Self {
        self.limits = limits;
        self
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<_> = self.headers.keys().collect();
        f.debug_struct("Options")
            .field("headers", &headers)
            .field("proxies", &self.proxies)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// An MCP server that speaks HTTP+SSE, the transport of revision 2024-11-05.
///
/// | link | behaviour |
/// |---|---|
/// | [`Scope::Session`], [`Scope::Pooled`] | opens a stream with the first call; the session lasts as long as the stream |
/// | [`Scope::Shared`] | refuses all requests: this transport has no stateless requests |
///
/// If a stream can't be opened, the calls that wait for it fail, *not sent*, and the next call tries again. If a stream breaks, the session
/// ends and the calls in flight fail, *unknown*. Modern requests are refused at once on any link, so that clients fall back to
/// `initialize`. Links have to be used within a tokio runtime.
#[derive(Clone)]
pub struct HttpSseUpstream {
    shared: Arc<Shared>,
}

impl HttpSseUpstream {
    /// A server with its stream at `url`. Connects to nothing yet.
    ///
    /// # Errors
    ///
    /// When the URL is invalid, not `http` or `https`, or has credentials; when a header is one that the transport sets itself.
    pub fn new(url: &str, options: Options) -> Result<Self, OptionsError> {
        let mut url = Url::parse(url).map_err(OptionsError::Url)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(OptionsError::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(OptionsError::Credentials);
        }
        url.set_fragment(None);
        let own = [HOST, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING, ACCEPT];
        if let Some(header) = own.into_iter().find(|name| options.headers.contains_key(name)) {
            return Err(OptionsError::Header(header));
        }
        let Options { headers, tls, proxies, limits } = options;
        let origin: Uri = url.origin().ascii_serialization().parse().map_err(|_| OptionsError::Scheme)?;
        let forward = proxies.forward(&origin);
        let mut get_headers = headers;
        get_headers.entry(ACCEPT_ENCODING).or_insert(content_encoding::IDENTITY);
        get_headers.insert(HOST, host(&url)?);
        if let Some(authorization) = forward.as_ref().and_then(Forward::authorization) {
            get_headers.insert(PROXY_AUTHORIZATION, authorization.clone());
        }
        let mut post_headers = get_headers.clone();
        get_headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        get_headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        post_headers
            .insert(ACCEPT, HeaderValue::from_static("application/json, text/plain;q=0.5, */*;q=0.1"));
        post_headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let connector = Connector::new(origin, tls, proxies, limits.connect);
        let pool = Pool::new(limits.idle_connections, limits.idle);
        let shared = Shared { url, connector, forward, pool, get_headers, post_headers, limits };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Checks that the server speaks this transport: opens a stream, waits for its `endpoint` event, and closes it.
    ///
    /// 2025-11-25, basic/transports, Backwards Compatibility: "Issue a GET request to the server URL, expecting that
    /// this will open an SSE stream and return an `endpoint` event as the first event."
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropping the future closes the stream.
    ///
    /// # Errors
    ///
    /// When no such stream opens; [`OpenError::is_other_transport`] tells whether a server of another transport answered.
    pub async fn probe(&self) -> Result<(), OpenError> {
        EventStream::open(&self.shared).await.map(drop)
    }
}

/// The value of `Host`: the URL's host and port, which many servers check.
fn host(url: &Url) -> Result<HeaderValue, OptionsError> {
    let host = url.host_str().unwrap_or_default();
    let host = match url.port() {
        Some(port) => HeaderValue::try_from(format!("{host}:{port}")),
        None => HeaderValue::try_from(host),
    };
    host.map_err(|_| OptionsError::Url(url::ParseError::InvalidDomainCharacter))
}

impl Upstream for HttpSseUpstream {
    fn connect(&self, scope: Scope) -> Link {
        if !scope.is_session() {
            return Link::new(RefusingConnection);
        }
        let limits = self.shared.limits;
        let mux = Mux::new(Outbox::new(limits), limits.service, scope.into());
        let session = Session { mux: mux.clone(), shared: Arc::clone(&self.shared) };
        // Nothing is queued yet, and the client can't have hung up.
        let parked = mux.outlet().park(session);
        debug_assert!(parked.is_none());
        Link::new(LegacyOnlyConnection(mux.link()))
    }
}

impl fmt::Debug for HttpSseUpstream {
    /// Without the query, which may have a key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpSseUpstream")
            .field("origin", &self.shared.url.origin().ascii_serialization())
            .field("path", &self.shared.url.path())
            .finish_non_exhaustive()
    }
}

/// A session's link, which refuses modern requests: this transport predates them.
struct LegacyOnlyConnection(Link);

impl Connection for LegacyOnlyConnection {
    fn call(&self, call: Call) -> Reply {
        match &call.ask {
            Ask::Message(message) if is_modern(message) => refuse(),
            Ask::Message(_) | Ask::Listen => self.0.call(call),
        }
    }

    fn close(&self) -> Closing {
        self.0.close()
    }
}

/// The link for requests without a session.
struct RefusingConnection;

impl Connection for RefusingConnection {
    fn call(&self, _: Call) -> Reply {
        refuse()
    }
}

fn refuse() -> Reply {
    Reply::failed(CallError::not_sent(Reason::LegacyOnly))
}

/// 2026-07-28, basic/index: each request names its revision in `_meta`.
fn is_modern(message: &Message) -> bool {
    message.is_request() && message.meta_version().is_some()
}
