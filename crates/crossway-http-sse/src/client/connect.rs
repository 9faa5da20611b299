//! Connections to the server's origin: TCP, and TLS for `https`.

use std::sync::Arc;
use std::time::Duration;

use crossway_dial::{Dialed, Dialer, Proxies};
use http::Uri;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::OnceCell;
use tower_service::Service;

use super::ClientLimits;
use super::error::{BoxError, CONNECTING, OpenError};

pub(super) type Io = MaybeHttpsStream<Dialed>;

/// Connects to one origin. The platform's certificates are read on first use.
pub(super) struct Connector {
    origin: Uri,
    plain: Dialer,
    tls: OnceCell<HttpsConnector<Dialer>>,
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
        Self { origin, plain, tls: OnceCell::new(), config, timeout }
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
        let tls = self.tls.get_or_try_init(|| self.tls_connector()).await?;
        tls.clone()
            .call(self.origin.clone())
            .await
            .map_err(|error| if is_tls(&*error) { OpenError::Tls(error) } else { OpenError::Connect(error) })
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

/// Whether TLS is what failed.
fn is_tls(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<rustls::Error>() {
            return true;
        }
        // An I/O error hides the error it wraps from `source`.
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    false
}
