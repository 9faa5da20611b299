//! An HTTP client with shared connections and bounded responses.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use crossway_dial::{Dialer, Forward, Proxies};
use crossway_proto::http_rules::content_encoding;
use crossway_service::{CallError, ErrorText, Reason, with_causes};
use http::{HeaderMap, Method, Request, StatusCode, Uri, header};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::OnceCell;

use super::limits;

type Inner = Client<HttpsConnector<Dialer>, Full<Bytes>>;

/// An HTTP/1.1 client, with TLS verified by the platform's root certificates. Clones share connections.
///
/// Connections are not bound to a caller: a caller's credentials are only in a request's headers and URL.
#[derive(Clone, Default)]
pub struct HttpClient(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// For `http` alone: most APIs behind a gateway are near, and reading the platform's root certificates is slow.
    plain: OnceLock<Inner>,
    secure: OnceCell<Inner>,
    own: Option<Arc<ClientConfig>>,
    proxies: Proxies,
}

/// A request.
#[derive(Clone)]
pub(crate) struct Outgoing {
    pub(crate) method: Method,
    /// Absolute, with scheme and host.
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// A response.
pub(crate) struct Incoming {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Whether the body was longer than the limit, and is cut.
    pub(crate) is_cut: bool,
    /// The path that `Location` points to, if that is the same origin; without a query, which may hold secrets.
    pub(crate) location: Option<String>,
    /// Whether the request's method was safe (GET or HEAD).
    pub(crate) is_of_safe: bool,
}

impl Incoming {
    /// Whether the response says that the request was carried out and its result is elsewhere (RFC 9110, section 15.4.4, See Other). That
    /// is not fetched: a fetch that fails after a completed request could not be told from a failed request.
    pub(crate) fn is_done_elsewhere(&self) -> bool {
        self.status == StatusCode::SEE_OTHER && !self.is_of_safe
    }
}

impl HttpClient {
    /// A client with this TLS config, but without ALPN: HTTP/1.1 is spoken.
    #[must_use]
    pub fn with_tls(config: Arc<ClientConfig>) -> Self {
        Self(Arc::new(Shared { own: Some(config), ..Shared::default() }))
    }

    /// The same client with these outgoing proxies, and with connections of its own. By default there are none: the environment's proxy
    /// settings are ignored.
    #[must_use]
    pub fn through(self, proxies: Proxies) -> Self {
        Self(Arc::new(Shared { own: self.0.own.clone(), proxies, ..Shared::default() }))
    }

    /// Sends a request within `time`, and reads at most `most` bytes of the body. Follows redirects of GET and HEAD within the origin.
    ///
    /// # Errors
    ///
    /// With the outcome that is certain: without a connection, the request was not sent.
    ///
    /// # Cancel safety
    ///
    /// Dropping it closes the request's connection.
    pub(crate) async fn send(
        &self,
        request: Outgoing,
        time: Duration,
        most: usize,
    ) -> Result<Incoming, CallError> {
        match tokio::time::timeout(time, self.follow(request, most)).await {
            Ok(answer) => answer,
            Err(_) => Err(CallError::unknown(Reason::TimedOut(time))),
        }
    }

    async fn follow(&self, mut request: Outgoing, most: usize) -> Result<Incoming, CallError> {
        for _ in 0..limits::REDIRECTS {
            let answer = self.once(request.clone(), most).await?;
            if !answer.is_of_safe || !is_redirect(answer.status) {
                return Ok(answer);
            }
            match led_to(&request.uri, &answer.headers) {
                Some(uri) => request.uri = uri,
                None => return Ok(answer),
            }
        }
        self.once(request, most).await
    }

    async fn once(&self, request: Outgoing, most: usize) -> Result<Incoming, CallError> {
        let origin = origin(&request.uri);
        let client = self.inner(&request.uri).await.map_err(|what| unavailable(&origin, &what))?;
        let Outgoing { method, uri, headers, body } = request;
        let (is_of_safe, asked) = (matches!(method, Method::GET | Method::HEAD), uri.clone());
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        // Nothing is decoded here. Neither arguments nor credentials can set this header.
        request.headers_mut().insert(header::ACCEPT_ENCODING, content_encoding::IDENTITY);
        let forward = self.0.proxies.forward(&asked);
        if let Some(authorization) = forward.as_ref().and_then(Forward::authorization) {
            request.headers_mut().insert(header::PROXY_AUTHORIZATION, authorization.clone());
        }
        let response = client.request(request).await.map_err(|error| {
            if error.is_connect() {
                return unavailable(&origin, &with_causes(&error));
            }
            CallError::unknown(Reason::Ended(ErrorText::private(format!(
                "{origin}: {}",
                with_causes(&error)
            ))))
        })?;
        let (head, body) = response.into_parts();
        if let Some(refused) = forward.and_then(|by| by.refused(head.status)) {
            return Err(unavailable(&origin, &with_causes(&refused)));
        }
        let most = if head.status.is_success() { most } else { most.min(limits::ERROR_BYTES) };
        let (body, is_cut) = read(body, most).await.map_err(|error| {
            let what = format!("{origin}: the connection broke within the answer: {}", with_causes(&error));
            CallError::unknown(Reason::Ended(ErrorText::private(what)))
        })?;
        let location = led_to(&asked, &head.headers).map(|uri| uri.path().to_owned());
        let location = location.filter(|path| path.len() <= limits::LOCATION_BYTES);
        Ok(Incoming { status: head.status, headers: head.headers, body, is_cut, location, is_of_safe })
    }

    async fn inner(&self, uri: &Uri) -> Result<&Inner, String> {
        if uri.scheme_str() != Some("https") {
            return match self.0.plain.get() {
                Some(client) => Ok(client),
                None => {
                    let config = config(RootCertStore::empty())?;
                    Ok(self.0.plain.get_or_init(|| self.client(config)))
                }
            };
        }
        let made = self.0.secure.get_or_try_init(|| async {
            if let Some(own) = &self.0.own {
                return Ok(self.client(ClientConfig::clone(own)));
            }
            // This reads a few hundred files on some platforms.
            let config = tokio::task::spawn_blocking(platform).await;
            let config = config.map_err(|_| "reading the platform's root certificates failed".to_owned())?;
            config.map(|config| self.client(config))
        });
        made.await
    }

    fn client(&self, mut config: ClientConfig) -> Inner {
        config.alpn_protocols.clear();
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(limits::CONNECT));
        let dialer = Dialer::new(tcp, self.0.proxies.clone()).time(limits::CONNECT);
        let connector = hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(config).https_or_http();
        let connector = connector.enable_http1().wrap_connector(dialer);
        Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(limits::KEPT)
            .pool_max_idle_per_host(limits::KEPT_CONNECTIONS)
            .build(connector)
    }
}

fn platform() -> Result<ClientConfig, String> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        return Err("the platform has no root certificates to verify servers with".to_owned());
    }
    config(roots)
}

fn config(roots: RootCertStore) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(builder.map_err(|error| error.to_string())?.with_root_certificates(roots).with_no_client_auth())
}

/// Reads a body up to a length, and tells whether there was more. A body in one piece is not copied.
async fn read<B>(mut body: B, most: usize) -> Result<(Bytes, bool), B::Error>
where
    B: Body<Data = Bytes> + Unpin,
{
    let (mut first, mut whole) = (Bytes::new(), BytesMut::new());
    while let Some(frame) = body.frame().await {
        let Ok(mut data) = frame?.into_data() else { continue };
        let room = most - first.len() - whole.len();
        let is_cut = data.len() > room;
        data.truncate(room);
        if first.is_empty() && whole.is_empty() {
            first = data;
        } else {
            whole.extend_from_slice(&std::mem::take(&mut first));
            whole.extend_from_slice(&data);
        }
        if is_cut {
            return Ok((if whole.is_empty() { first } else { whole.freeze() }, true));
        }
    }
    Ok((if whole.is_empty() { first } else { whole.freeze() }, false))
}

pub(crate) fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// The target of a redirect, if it is on the same origin: the request's credentials are for no other.
fn led_to(from: &Uri, headers: &HeaderMap) -> Option<Uri> {
    let location = headers.get(header::LOCATION)?.to_str().ok()?;
    let base = url::Url::parse(&from.to_string()).ok()?;
    let target = base.join(location).ok()?;
    if target.origin() != base.origin() || !target.username().is_empty() || target.password().is_some() {
        return None;
    }
    target.as_str().split('#').next()?.parse().ok()
}

/// Scheme, host and port: errors may name these. Paths and queries may hold secrets.
pub(crate) fn origin(uri: &Uri) -> String {
    let authority = uri.authority().map_or("", http::uri::Authority::as_str);
    format!("{}://{authority}", uri.scheme_str().unwrap_or("http"))
}

fn unavailable(origin: &str, what: &str) -> CallError {
    CallError::not_sent(Reason::Unavailable(ErrorText::private(format!("{origin}: {what}"))))
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpClient")
    }
}

impl fmt::Debug for Outgoing {
    /// Method and origin: paths, queries, headers and bodies may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Outgoing({} {})", self.method, origin(&self.uri))
    }
}
