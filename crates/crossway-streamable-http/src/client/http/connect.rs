//! Opens connections: name resolution, TCP, TLS, proxies.

use std::sync::Arc;
use std::time::Duration;

use crossway_dial::{Dialer, Proxies};
use crossway_service::{ErrorText, Reason, with_causes};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;

use super::io::Io;
use super::tls;
use crate::client::endpoint::Endpoint;
use crate::client::limits;

/// Opens connections to an endpoint.
pub(super) struct Connector {
    dialer: Dialer,
    tls: Option<Arc<ClientConfig>>,
    timeout: Duration,
    #[cfg(test)]
    pub(super) memory: Option<tokio::sync::mpsc::Sender<tokio::io::DuplexStream>>,
}

/// A connection, with its version of HTTP.
pub(super) struct Connected {
    pub(super) io: Io,
    pub(super) is_http2: bool,
}

impl Connector {
    pub(super) fn new(tls: Option<Arc<ClientConfig>>, proxies: Proxies, timeout: Duration) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(limits::TCP_KEEP_ALIVE));
        tcp.set_keepalive_interval(Some(limits::TCP_KEEP_ALIVE_INTERVAL));
        tcp.set_keepalive_retries(Some(limits::TCP_KEEP_ALIVE_RETRIES));
        Self {
            dialer: Dialer::new(tcp, proxies),
            tls: tls.map(tls::with_alpn),
            timeout,
            #[cfg(test)]
            memory: None,
        }
    }

    /// Connects. If this fails, nothing was sent.
    pub(super) async fn connect(&self, endpoint: &Endpoint) -> Result<Connected, Reason> {
        #[cfg(test)]
        if let Some(memory) = &self.memory {
            let (ours, theirs) = tokio::io::duplex(1 << 20);
            let taken = memory.send(theirs).await;
            let io = taken.map(|()| Io::Memory(TokioIo::new(ours)));
            let refused = |_| unavailable(endpoint, "the connection was refused");
            return io.map(|io| Connected { io, is_http2: false }).map_err(refused);
        }
        match tokio::time::timeout(self.timeout, self.dial(endpoint)).await {
            Ok(connected) => connected,
            Err(_) => Err(match self.dialer.timed_out(&endpoint.absolute, self.timeout) {
                Some(error) => unavailable(endpoint, &with_causes(&error)),
                None => {
                    unavailable(endpoint, &format!("no connection within {} ms", self.timeout.as_millis()))
                }
            }),
        }
    }

    async fn dial(&self, endpoint: &Endpoint) -> Result<Connected, Reason> {
        let tcp = self.dialer.dial(&endpoint.absolute).await;
        let tcp = tcp.map_err(|error| unavailable(endpoint, &with_causes(&error)))?;
        if !endpoint.is_https() {
            return Ok(Connected { io: Io::Tcp(TokioIo::new(tcp)), is_http2: false });
        }
        let config = match &self.tls {
            Some(config) => Arc::clone(config),
            None => tls::platform().await.map(tls::with_alpn).map_err(|what| unavailable(endpoint, &what))?,
        };
        let name = ServerName::try_from(endpoint.host_name().to_owned());
        let name =
            name.map_err(|_| unavailable(endpoint, "its host is no name that a certificate can hold"))?;
        let stream = match TlsConnector::from(config).connect(name, tcp).await {
            Ok(stream) => stream,
            Err(error) => {
                if self.tls.is_none() {
                    tls::doubt_platform(&error).await;
                }
                let what = if tls::is_unverified(&error) {
                    format!("its certificate does not verify: {}", tls::explain(&error))
                } else {
                    format!("the TLS handshake failed: {}", tls::explain(&error))
                };
                return Err(unavailable(endpoint, &what));
            }
        };
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        Ok(Connected { io: Io::Tls(Box::new(TokioIo::new(stream))), is_http2 })
    }
}

pub(super) fn unavailable(endpoint: &Endpoint, what: &str) -> Reason {
    Reason::Unavailable(ErrorText::private(format!("{}: {what}", endpoint.origin())))
}
