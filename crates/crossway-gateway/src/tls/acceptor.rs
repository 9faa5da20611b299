//! Accepts TLS connections, and reloads certificates at run time.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use crossway_streamable_http::server::http::{Accept, Accepted};
use http::Extensions;
use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio::time::{Instant, interval_at, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::{debug, error, info};

use super::ClientCertificate;
use super::files::{TlsError, TlsFiles};
use super::limits::HANDSHAKE;
use crate::identity::Connection;
use crate::metrics::Metrics;

/// TLS before a listener. Clones share its certificates.
///
/// Each request gets a [`Connection`] among its extensions, with the client's certificate where it had to show one.
/// HTTP/2 and HTTP/1.1 are offered by ALPN.
#[derive(Clone)]
pub struct Tls(Arc<Inner>);

struct Inner {
    listener: Box<str>,
    files: TlsFiles,
    config: RwLock<Arc<ServerConfig>>,
    seen: Mutex<Seen>,
    metrics: Metrics,
}

/// Digests of what the files have said.
struct Seen {
    in_force: [u8; 32],
    /// What could not be taken over, so that it is told once.
    failed: Option<Failed>,
}

#[derive(PartialEq, Eq)]
enum Failed {
    Unreadable,
    Contents([u8; 32]),
}

impl Tls {
    /// Reads the files of a listener, which logs and metrics know as `listener`.
    ///
    /// # Errors
    ///
    /// When one can't be read, or they do not serve together.
    pub fn load(listener: &str, files: TlsFiles, metrics: Metrics) -> Result<Self, TlsError> {
        let contents = files.read()?;
        let config = RwLock::new(Arc::new(files.build(&contents)?));
        let seen = Mutex::new(Seen { in_force: contents.digest(), failed: None });
        Ok(Self(Arc::new(Inner { listener: listener.into(), files, config, seen, metrics })))
    }

    /// Reads the files again. What they say holds for the next handshake, and sessions of before can't be resumed; open
    /// connections stay. Gives whether anything has changed. Reads files, and so blocks for a moment.
    ///
    /// # Errors
    ///
    /// When they can't be taken over; what was in force stays. The same contents fail once: after that they are
    /// unchanged, until they change again.
    pub fn look(&self) -> Result<bool, TlsError> {
        let inner = &*self.0;
        let mut seen = inner.seen.lock().unwrap_or_else(PoisonError::into_inner);
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
        let config = read.and_then(|contents| inner.files.build(&contents));
        inner.metrics.tls_reloaded(&inner.listener, config.is_ok());
        match (config, digest) {
            (Ok(config), Some(digest)) => {
                *inner.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
                *seen = Seen { in_force: digest, failed: None };
                Ok(true)
            }
            (Ok(_), None) => Ok(false),
            (Err(error), _) => {
                seen.failed = failed;
                Err(error)
            }
        }
    }

    /// Looks at the files again and again, until it is dropped.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends it.
    pub async fn watch(self, every: Duration) {
        // Moments that were missed need no look of their own.
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
        Arc::clone(&self.0.config.read().unwrap_or_else(PoisonError::into_inner))
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
        // There is one only where it was asked for, and then it was verified.
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

/// Why a handshake has failed, in a word.
fn reason(error: &io::Error) -> &'static str {
    let error = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
    match error {
        Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented) => "certificate",
        Some(_) => "protocol",
        None => "io",
    }
}
