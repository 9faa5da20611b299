//! Accepts TLS connections, and reloads certificates at run time.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crossway_streamable_http::server::http::{Accept, Accepted};
use http::Extensions;
use parking_lot::{Mutex, RwLock};
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use tokio::net::TcpStream;
use tokio::time::{Instant, interval_at, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::{debug, error, info, warn};

use super::ClientCertificate;
use super::files::{Built, TlsError, TlsFiles};
use super::limits::HANDSHAKE;
use crate::identity::Connection;
use crate::metrics::Metrics;

/// TLS of a listener. Clones share the certificates.
///
/// Each request gets a [`Connection`] among its extensions, with the client's certificate if one was required. HTTP/2
/// and HTTP/1.1 are offered by ALPN.
#[derive(Clone)]
pub struct Tls(Arc<Inner>);

struct Inner {
    listener: Box<str>,
    files: TlsFiles,
    config: RwLock<Arc<ServerConfig>>,
    seen: Mutex<Seen>,
    metrics: Metrics,
}

impl Inner {
    fn warn_of(&self, error: &TlsError) {
        warn!(listener = &*self.listener, error = %error, "a certificate outside its validity is served");
    }
}

/// What was seen of the files.
struct Seen {
    /// The digest of the contents in force.
    in_force: [u8; 32],
    /// The listener's certificate in force.
    leaf: CertificateDer<'static>,
    /// The contents that could not be used, so that the error is reported once.
    failed: Option<Failed>,
}

#[derive(PartialEq, Eq)]
enum Failed {
    Unreadable,
    Contents([u8; 32]),
    /// Contents that only their date keeps out, which time may change.
    Date([u8; 32]),
}

impl Tls {
    /// Reads the files of a listener, which is called `listener` in logs and metrics.
    ///
    /// # Errors
    ///
    /// When a file can't be read, or they can't be used together.
    pub fn load(listener: &str, files: TlsFiles, metrics: Metrics) -> Result<Self, TlsError> {
        let contents = files.read()?;
        let Built { config, leaf } = files.build(&contents)?;
        let config = RwLock::new(config);
        let date = files.check_date(&leaf);
        let seen = Mutex::new(Seen { in_force: contents.digest(), leaf, failed: None });
        let inner = Inner { listener: listener.into(), files, config, seen, metrics };
        date.unwrap_or_else(|error| inner.warn_of(&error));
        Ok(Self(Arc::new(inner)))
    }

    /// Reads the files again, and returns whether anything has changed. New contents apply from the next handshake on, and
    /// earlier TLS sessions can't be resumed; open connections stay. Blocks while it reads the files.
    ///
    /// # Errors
    ///
    /// When the files can't be used, or their certificate is outside its validity while the one in force is within; the previous
    /// certificates stay in force. The same contents fail only once: after that, they count as unchanged until they change again, or
    /// until the dates let them be used.
    pub fn look(&self) -> Result<bool, TlsError> {
        let inner = &*self.0;
        let mut seen = inner.seen.lock();
        let read = inner.files.read();
        let digest = read.as_ref().ok().map(super::files::Contents::digest);
        if digest == Some(seen.in_force) {
            seen.failed = None;
            return Ok(false);
        }
        let failed = Some(digest.map_or(Failed::Unreadable, Failed::Contents));
        if failed == seen.failed {
            return Ok(false);
        }
        let built = read.and_then(|contents| inner.files.build(&contents));
        let date = built.as_ref().map_or(Ok(()), |built| inner.files.check_date(&built.leaf));
        if let Err(error) = date {
            if inner.files.check_date(&seen.leaf).is_ok() {
                let failed = digest.map(Failed::Date);
                if failed == seen.failed {
                    return Ok(false);
                }
                seen.failed = failed;
                inner.metrics.tls_reloaded(&inner.listener, false);
                return Err(error);
            }
            inner.warn_of(&error);
        }
        inner.metrics.tls_reloaded(&inner.listener, built.is_ok());
        match (built, digest) {
            (Ok(Built { config, leaf }), Some(digest)) => {
                *inner.config.write() = config;
                *seen = Seen { in_force: digest, leaf, failed: None };
                Ok(true)
            }
            (Ok(_), None) => Ok(false),
            (Err(error), _) => {
                seen.failed = failed;
                Err(error)
            }
        }
    }

    /// Checks the files at an interval, until the future is dropped.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the checks.
    pub async fn watch(self, every: Duration) {
        // Missed checks need not be made up for.
        let mut moments = interval_at(Instant::now() + every, every);
        moments.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            moments.tick().await;
            let tls = self.clone();
            let looked = tokio::task::spawn_blocking(move || tls.look()).await;
            let listener = &*self.0.listener;
            match looked {
                Ok(Ok(true)) => info!(listener, "certificates were read anew"),
                Ok(Err(problem)) => {
                    let cause = std::error::Error::source(&problem).map(ToString::to_string);
                    error!(listener, error = %problem, cause, "certificates have changed and can't be used; those of before stay");
                }
                Ok(Ok(false)) | Err(_) => {}
            }
        }
    }

    fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.config.read())
    }

    fn failed(&self, from: SocketAddr, reason: &'static str) {
        debug!(listener = &*self.0.listener, %from, reason, "a TLS handshake has failed");
        self.0.metrics.tls_failed(&self.0.listener, reason);
    }
}

impl Accept for Tls {
    type Io = TlsStream<TcpStream>;

    async fn accept(&self, stream: TcpStream, from: SocketAddr) -> Option<Accepted<Self::Io>> {
        let stream = match timeout(HANDSHAKE, TlsAcceptor::from(self.config()).accept(stream)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                self.failed(from, reason(&error));
                return None;
            }
            Err(_) => {
                self.failed(from, "timeout");
                return None;
            }
        };
        let mut connection = Connection::from_address(from);
        // There is one only if it was requested, and then it was verified.
        if let Some([certificate, ..]) = stream.get_ref().1.peer_certificates() {
            connection = connection.with_certificate(ClientCertificate::from_verified_der(certificate));
        }
        let mut known = Extensions::new();
        known.insert(connection);
        Some(Accepted { io: stream, known: Some(known) })
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tls({}, {:?})", self.0.listener, self.0.files)
    }
}

/// Returns a word for why a handshake has failed.
fn reason(error: &io::Error) -> &'static str {
    let error = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
    match error {
        Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented) => "certificate",
        Some(_) => "protocol",
        None => "io",
    }
}
