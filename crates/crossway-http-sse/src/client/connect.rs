//! Connections to the server's origin: TCP, and TLS for `https`.

use std::sync::Arc;
use std::time::Duration;

use crossway_dial::{Dialed, Dialer, Proxies, Roots};
use http::Uri;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::{CertificateError, ClientConfig, RootCertStore};
use tower_service::Service;

use super::ClientLimits;
use super::error::{BoxError, CONNECTING, OpenError};

pub(super) type Io = MaybeHttpsStream<Dialed>;

/// Connects to one origin. The platform's certificates are read on first use, and anew where none of them has signed the server's.
pub(super) struct Connector {
    origin: Uri,
    plain: Dialer,
    tls: Roots<HttpsConnector<Dialer>>,
    config: Option<Arc<ClientConfig>>,
    timeout: Duration,
}

impl Connector {
    pub(super) fn new(
        origin: Uri,
        config: Option<Arc<ClientConfig>>,
        proxies: Proxies,
        timeout: Duration,
    ) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(ClientLimits::TCP_KEEP_ALIVE));
        tcp.set_keepalive_interval(Some(ClientLimits::TCP_KEEP_ALIVE_INTERVAL));
        tcp.set_keepalive_retries(Some(ClientLimits::TCP_KEEP_ALIVE_RETRIES));
        let plain = Dialer::new(tcp, proxies);
        Self { origin, plain, tls: Roots::new(), config, timeout }
    }

    pub(super) async fn connect(&self) -> Result<Io, OpenError> {
        match tokio::time::timeout(self.timeout, self.try_connect()).await {
            Ok(connected) => connected,
            Err(_) => Err(match self.plain.timed_out(&self.origin, self.timeout) {
                Some(error) => OpenError::Connect(error.into()),
                None => OpenError::TimedOut { what: CONNECTING, after: self.timeout },
            }),
        }
    }

    async fn try_connect(&self) -> Result<Io, OpenError> {
        if self.origin.scheme() != Some(&http::uri::Scheme::HTTPS) {
            let connected = self.plain.clone().call(self.origin.clone()).await;
            return connected.map(MaybeHttpsStream::Http).map_err(|error| OpenError::Connect(error.into()));
        }
        let mut tls = self.tls.get_or_read(|| self.tls_connector()).await?;
        let error = match tls.call(self.origin.clone()).await {
            Ok(connected) => return Ok(connected),
            Err(error) => error,
        };
        let is_of_unknown_issuer = match of_tls(&*error) {
            None => return Err(OpenError::Connect(error)),
            Some(error) => {
                matches!(error, rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer))
            }
        };
        if is_of_unknown_issuer {
            self.tls.doubt().await;
        }
        Err(OpenError::Tls(error))
    }

    async fn tls_connector(&self) -> Result<HttpsConnector<Dialer>, OpenError> {
        let mut config = match &self.config {
            Some(config) => ClientConfig::clone(config),
            None => tokio::task::spawn_blocking(platform_roots)
                .await
                .map_err(|error| OpenError::Tls(error.into()))??,
        };
        // The connector sets ALPN itself.
        config.alpn_protocols.clear();
        Ok(hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_only()
            .enable_http1()
            .wrap_connector(self.plain.clone()))
    }
}

fn platform_roots() -> Result<ClientConfig, OpenError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (usable, _) = roots.add_parsable_certificates(found.certs);
    if usable == 0 {
        let error = found
            .errors
            .into_iter()
            .next()
            .map_or_else(|| BoxError::from("the platform has no root certificates"), BoxError::from);
        return Err(OpenError::Tls(error));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| OpenError::Tls(error.into()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// Finds the TLS error among an error and its causes.
fn of_tls<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(tls) = error.downcast_ref() {
            return Some(tls);
        }
        // An I/O error hides the error it wraps from `source`.
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}
